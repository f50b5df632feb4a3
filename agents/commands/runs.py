"""Commands that simulate: what there is, one controller, several side by side, the proof."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from intergreen.agents.commands.common import (
    CHECK_FAILED,
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
    say_written,
    sumo_settings,
)
from intergreen.agents.commands.watch import look_closely, require_figures, require_report
from intergreen.agents.options import parse_names, parse_seeds, require_writable
from intergreen.agents.progress import progress_bar
from intergreen.agents.tables import print_table, table_of


def scenarios(json: JsonOption = None) -> None:
    """What is there, with sizes."""
    require_writable("--json", json)
    from intergreen.agents.evaluation.sizes import scenario_sizes

    sizes = scenario_sizes()
    deliver(sizes, json, lambda: print_table(table_of("scenarios", sizes)))


def evaluate(
    scenario: ScenarioArgument,
    controller: Annotated[str, typer.Option("--controller", help="a baseline's name, a run's folder, or RUN:best")],
    protocol: ProtocolOption = None,
    seeds: SeedsOption = "0",
    simulator: SimulatorOption = "native",
    time_to_teleport: TeleportOption = None,
    json: JsonOption = None,
    drop_invalid_routes: DropOption = False,
    threads: ThreadsOption = 1,
    horizon: HorizonOption = None,
    faults: FaultsOption = None,
) -> None:
    """Run one controller and print its metrics."""
    check_run_options(simulator, threads, horizon, json)
    seed_list = parse_seeds(seeds)
    from intergreen.agents.evaluation.compare import comparison_cells, run_cells
    from intergreen.agents.evaluation.fallback import fallback_table
    from intergreen.agents.evaluation.report import metrics_table
    from intergreen.envs.fault_file import read_faults

    cells = comparison_cells(
        [scenario],
        [controller],
        protocol_name=protocol,
        drop_invalid_routes=drop_invalid_routes,
        faults=None if faults is None else read_faults(faults),
        simulator=simulator,
        sumo=sumo_settings(simulator, time_to_teleport),
    )
    if simulator == "native":
        make_engine_ready(lane_change=any(cell.protocol.lane_change for cell in cells))
    with progress_bar("simulating") as progress:
        (result,) = run_cells(cells, seeds=seed_list, threads=threads, horizon_s=horizon, progress=progress)
    tables = [table for table in (metrics_table(result), fallback_table(result)) if table is not None]
    deliver(result, json, lambda: print_tables(tables))
    finish([result])


def compare(
    scenario: Annotated[list[str], typer.Argument(metavar="SCENARIO...", help="one or more; see evaluate")],
    controllers: Annotated[str, typer.Option("--controllers", metavar="A,B,C", help="names or run folders")],
    protocol: ProtocolOption = None,
    seeds: SeedsOption = "0-4",
    simulator: SimulatorOption = "native",
    time_to_teleport: TeleportOption = None,
    json: JsonOption = None,
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="FOLDER|FILE.html", help="tables and pictures; FILE.html: one page with all"),
    ] = None,
    figures: Annotated[Path | None, typer.Option("--figures", metavar="FOLDER", help="PDF and PNG for papers")] = None,
    drop_invalid_routes: DropOption = False,
    threads: ThreadsOption = 1,
    horizon: HorizonOption = None,
    faults: FaultsOption = None,
) -> None:
    """Run several controllers under the same rules and print one table per scenario."""
    check_run_options(simulator, threads, horizon, json)
    page = require_report(report)
    require_figures(figures)
    seed_list, names = parse_seeds(seeds), parse_names(controllers)
    from intergreen.agents.evaluation.compare import comparison_cells, run_cells
    from intergreen.agents.evaluation.report import print_comparisons, write_report
    from intergreen.envs.fault_file import read_faults

    cells = comparison_cells(
        scenario,
        names,
        protocol_name=protocol,
        drop_invalid_routes=drop_invalid_routes,
        faults=None if faults is None else read_faults(faults),
        simulator=simulator,
        sumo=sumo_settings(simulator, time_to_teleport),
    )
    if simulator == "native":
        make_engine_ready(lane_change=any(cell.protocol.lane_change for cell in cells))
    with progress_bar("simulating") as progress:
        results = run_cells(cells, seeds=seed_list, threads=threads, horizon_s=horizon, progress=progress)
    deliver(results, json, lambda: print_comparisons(results))
    if report is not None and page is None:
        say_written(write_report(results, report))
    if page is not None or figures is not None:
        look_closely(cells, results, horizon_s=horizon, page=page, figures=figures)
    finish(results)


def verify(
    scenario: ScenarioArgument,
    protocol: Annotated[
        str | None,
        typer.Option("--protocol", metavar="A,B", help="names; by default the scenario's own and the field's"),
    ] = None,
    json: JsonOption = None,
    drop_invalid_routes: DropOption = False,
) -> None:
    """Prove the signal safety: every state that each signal can reach under any wish and any call."""
    require_writable("--json", json)
    names = parse_names(protocol) if protocol else ()
    from intergreen.agents.evaluation.verify import counter_example, proof_table, verify_scenario
    from intergreen.envs.scenario import load_scenario

    loaded = load_scenario(scenario, drop_invalid_routes=drop_invalid_routes)
    make_engine_ready()
    with progress_bar("proving") as progress:
        found = verify_scenario(loaded, names, progress=progress)
    violated = [one for one in found if not one["holds"]]
    deliver(found, json, lambda: print_tables([proof_table(found), *map(counter_example, violated)]))
    if violated:
        raise typer.Exit(CHECK_FAILED)
