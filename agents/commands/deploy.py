"""Commands that take a trained policy towards a street: export."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from intergreen.agents.commands.common import (
    ProtocolOption,
    SeedsOption,
    ThreadsOption,
    make_engine_ready,
    say_written,
)
from intergreen.agents.options import parse_names, parse_seeds, require_folder, require_threads
from intergreen.agents.progress import progress_bar


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="the folder of a training run")],
    to: Annotated[Path, typer.Option("--to", metavar="FOLDER", help="the bundle's folder; its name is the policy's")],
    best: Annotated[bool, typer.Option("--best", help="the policy that did best in the run's evaluations")] = False,
    scenarios: Annotated[
        str | None,
        typer.Option("--scenarios", metavar="A,B", help="measured for the card; by default what the run was judged on"),
    ] = None,
    protocol: ProtocolOption = None,
    seeds: SeedsOption = "0-4",
    threads: ThreadsOption = 1,
) -> None:
    """Make a bundle of a trained policy: checked against the training, its signals proved, with a card."""
    require_threads(threads)
    require_folder("--to", to)
    names, seed_list = parse_names(scenarios) if scenarios else None, parse_seeds(seeds)
    from intergreen.agents.evaluation.exporting import export_run, refuse_in_use

    refuse_in_use(to)
    make_engine_ready()
    with progress_bar("exporting") as progress:
        folder = export_run(
            run,
            to,
            best=best,
            scenarios=names,
            protocol=protocol,
            seeds=seed_list,
            threads=threads,
            progress=progress,
        )
    say_written([folder])
    print(folder, file=sys.stdout)
