"""Commands that take a trained policy towards a street: export, and the shadow of what is in charge there."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from intergreen.agents.commands.common import (
    DropOption,
    FaultsOption,
    HorizonOption,
    JsonOption,
    ProtocolOption,
    ScenarioArgument,
    SeedsOption,
    SimulatorOption,
    TeleportOption,
    ThreadsOption,
    check_run_options,
    deliver,
    finish,
    make_engine_ready,
    print_tables,
    refuse_beside,
    say_written,
    sumo_settings,
)
from intergreen.agents.options import (
    parse_names,
    parse_seeds,
    require_apart,
    require_folder,
    require_threads,
    require_writable,
)
from intergreen.agents.progress import progress_bar


def export(
    run: Annotated[str, typer.Argument(metavar="RUN", help="a training run: its folder, or a shipped name")],
    to: Annotated[Path, typer.Option("--to", metavar="FOLDER", help="the bundle's folder; its name is the policy's")],
    best: Annotated[bool, typer.Option("--best", help="the policy that did best in the run's evaluations")] = False,
    scenarios: Annotated[
        str | None,
        typer.Option("--scenarios", metavar="A,B", help="measured for the card; by default what the run was judged on"),
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option("--protocol", help="timing rules of what is measured; default: those it was judged under"),
    ] = None,
    seeds: SeedsOption = "0-4",
    threads: ThreadsOption = 1,
) -> None:
    """Make a bundle of a trained policy: checked against the training, its signals proved, with a card."""
    require_threads(threads)
    require_folder("--to", to)
    names, seed_list = parse_names(scenarios, "--scenarios") if scenarios else None, parse_seeds(seeds)
    from intergreen.agents.controllers.registry import run_folder
    from intergreen.agents.controllers.run_folder import read_run
    from intergreen.agents.evaluation.exporting import export_run, refuse_in_use

    refuse_in_use(to)
    best = best or run.endswith(":best")  # as other commands name it
    with run_folder(run.removesuffix(":best").removesuffix(":last")) as trained:
        read_run(trained)  # for its complaints, before the engine is made ready
        make_engine_ready()
        with progress_bar("exporting") as progress:
            folder = export_run(
                trained,
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


def shadow(
    policy: Annotated[str, typer.Argument(metavar="BUNDLE", help="who looks on: a bundle, or any controller's name")],
    scenario: ScenarioArgument,
    in_charge: Annotated[str, typer.Option("--in-charge", help="the controller that decides")] = "fixed-time",
    protocol: ProtocolOption = None,
    seeds: SeedsOption = "0",
    simulator: SimulatorOption = "native",
    time_to_teleport: TeleportOption = None,
    log: Annotated[
        Path | None, typer.Option("--log", metavar="FILE", help="write decisions that differ: .csv or .jsonl")
    ] = None,
    every: Annotated[bool, typer.Option("--every", help="with --log: write all decisions")] = False,
    no_counterfactual: Annotated[
        bool, typer.Option("--no-counterfactual", help="no second run with the policy in charge")
    ] = False,
    json: JsonOption = None,
    drop_invalid_routes: DropOption = False,
    threads: ThreadsOption = 1,
    horizon: HorizonOption = None,
    faults: FaultsOption = None,
) -> None:
    """Let a policy look on beside the controller in charge, and tell what it would have done."""
    check_run_options(simulator, threads, horizon, json)
    require_writable("--log", None if log is None else str(log))
    require_apart(log=log, json=json)
    if log is None:
        refuse_beside("a run without --log", {"--every": every})
    seed_list = parse_seeds(seeds)
    from intergreen.agents.evaluation.shadow import faulty_runs, shadow_pair
    from intergreen.agents.evaluation.shadow import shadow as run_shadow
    from intergreen.agents.evaluation.shadow_log import log_rows, require_log_name, write_log
    from intergreen.agents.evaluation.shadow_tables import shadow_tables
    from intergreen.envs.fault_file import read_faults

    require_log_name(log)
    pair = shadow_pair(
        policy,
        scenario,
        in_charge=in_charge,
        protocol_name=protocol,
        drop_invalid_routes=drop_invalid_routes,
        faults=None if faults is None else read_faults(faults),
        simulator=simulator,
        sumo=sumo_settings(simulator, time_to_teleport),
    )
    if simulator == "native":
        make_engine_ready(lane_change=pair.in_charge.protocol.lane_change)
    with progress_bar("simulating") as progress:
        result, watched = run_shadow(
            pair,
            seeds=seed_list,
            threads=threads,
            horizon_s=horizon,
            counterfactual=not no_counterfactual,
            progress=progress,
        )
    deliver(result, json, lambda: print_tables(shadow_tables(result)))
    if log is not None:
        write_log(log, log_rows(watched, pair.signals, every=every))
        say_written([log])
    finish(faulty_runs(result))
