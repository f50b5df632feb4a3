"""Commands to look at what happens: a page that plays a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from intergreen.agents.commands.common import (
    DropOption,
    FaultsOption,
    HorizonOption,
    ProtocolOption,
    ScenarioArgument,
    finish,
    make_engine_ready,
    say_written,
)
from intergreen.agents.options import parse_names, require_horizon, require_writable
from intergreen.agents.progress import progress_bar
from intergreen.envs.errors import InputError

MOST_SIDE_BY_SIDE = 2


def replay(
    scenario: ScenarioArgument,
    controllers: Annotated[str, typer.Option("--controllers", metavar="A[,B]", help="one, or two side by side")],
    out: Annotated[str, typer.Option("--out", metavar="FILE.html", help="the page to write")],
    protocol: ProtocolOption = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="whose trips")] = 0,
    horizon: HorizonOption = None,
    drop_invalid_routes: DropOption = False,
    faults: FaultsOption = None,
) -> None:
    """Write a page that plays a run: one file, to open in any browser, without a network."""
    require_horizon(horizon)
    require_writable("--out", out)
    names = parse_names(controllers)
    if len(names) > MOST_SIDE_BY_SIDE:
        problem = f"{len(names)} controllers do not fit side by side"
        raise InputError("command line", "--controllers", problem, f"name at most {MOST_SIDE_BY_SIDE}")
    from intergreen.agents.evaluation.compare import comparison_cells
    from intergreen.agents.evaluation.pages.replay import film_cells, replay_page
    from intergreen.envs.fault_file import read_faults
    from intergreen.envs.files import write_text

    cells = comparison_cells(
        [scenario],
        names,
        protocol_name=protocol,
        drop_invalid_routes=drop_invalid_routes,
        faults=None if faults is None else read_faults(faults),
    )
    make_engine_ready(lane_change=any(cell.protocol.lane_change for cell in cells))
    with progress_bar("filming") as progress:
        takes = film_cells(cells, seed=seed, horizon_s=horizon, progress=progress)
    write_text(Path(out), replay_page(takes))
    say_written([Path(out)])
    finish([take.result for take in takes])
