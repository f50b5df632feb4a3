"""Commands that simulate: what there is, one controller, several side by side, the proof."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from intergreen.agents.commands.common import (
    CHECK_FAILED,
    ClosedLanesOption,
    DropOption,
    FaultsOption,
    HorizonOption,
    JsonOption,
    OdMixOption,
    ProtocolOption,
    ScenarioArgument,
    SeedsOption,
    SimulatorOption,
    StoreOption,
    TeleportOption,
    ThreadsOption,
    VaryTripsOption,
    WorkersOption,
    check_run_options,
    deliver,
    finish,
    make_engine_ready,
    print_tables,
    refuse_beside,
    say_if_alike,
    say_if_overruled,
    say_if_without_clearance,
    say_written,
    sumo_settings,
)
from intergreen.agents.commands.watch import look_closely, require_figures, require_report
from intergreen.agents.options import (
    parse_levels,
    parse_names,
    parse_seeds,
    require_apart,
    require_folder,
    require_workers,
    require_writable,
)
from intergreen.agents.progress import progress_bar
from intergreen.agents.tables import print_table, table_of
from intergreen.envs.errors import InputError


def scenarios(json: JsonOption = None) -> None:
    """What is there, with sizes."""
    require_writable("--json", json)
    from intergreen.agents.evaluation.sizes import scenario_sizes

    sizes = scenario_sizes()
    deliver(sizes, json, lambda: print_table(table_of("scenarios", sizes)))


def evaluate(
    scenario: ScenarioArgument,
    controller: Annotated[
        str, typer.Option("--controller", help="a name, a run's folder, RUN:best, or package.module:class of your own")
    ],
    protocol: ProtocolOption = None,
    seeds: SeedsOption = "0",
    simulator: SimulatorOption = "native",
    time_to_teleport: TeleportOption = None,
    json: JsonOption = None,
    drop_invalid_routes: DropOption = False,
    threads: ThreadsOption = 1,
    horizon: HorizonOption = None,
    faults: FaultsOption = None,
    demand_level: Annotated[
        float, typer.Option("--demand-level", metavar="FACTOR", help="so many times the scenario's trips")
    ] = 1.0,
    vary_trips: VaryTripsOption = False,
    od_mix: OdMixOption = None,
    closed_lanes: ClosedLanesOption = None,
    hires_log: Annotated[
        Path | None,
        typer.Option("--hires-log", metavar="FILE", help="write a field controller's event log: .csv or .parquet"),
    ] = None,
) -> None:
    """Run one controller and print its metrics."""
    check_run_options(simulator, threads, horizon, json)
    require_writable("--hires-log", None if hires_log is None else str(hires_log))
    require_apart(hires_log=hires_log, json=json)
    if "," in controller:
        raise InputError("command line", "--controller", f"{controller!r} names several", "use intergreen compare")
    seed_list, levels = parse_seeds(seeds), parse_levels(str(demand_level))
    if hires_log is not None and len(seed_list) > 1:
        raise InputError("command line", "--hires-log", "is of one run", "name one seed")
    from intergreen.agents.evaluation.compare import comparison_cells, run_cells
    from intergreen.agents.evaluation.fallback import fallback_table
    from intergreen.agents.evaluation.hires import HiresLog
    from intergreen.agents.evaluation.hires_file import require_log_file, write_hires
    from intergreen.agents.evaluation.report import metrics_table
    from intergreen.envs.fault_file import read_faults

    require_log_file(hires_log)
    log = None if hires_log is None else HiresLog()
    cells = comparison_cells(
        [scenario],
        [controller],
        protocol_name=protocol,
        drop_invalid_routes=drop_invalid_routes,
        faults=None if faults is None else read_faults(faults),
        demand_levels=levels,
        vary_trips=vary_trips,
        od_mix=od_mix,
        closed_lanes=closed_lanes,
        simulator=simulator,
        sumo=sumo_settings(simulator, time_to_teleport),
    )
    if simulator == "native":
        make_engine_ready(lane_change=any(cell.protocol.lane_change for cell in cells))
    with progress_bar("simulating") as progress:
        (result,) = run_cells(
            cells, seeds=seed_list, threads=threads, horizon_s=horizon, progress=progress, onlooker=log
        )
    tables = [table for table in (metrics_table(result), fallback_table(result)) if table is not None]
    deliver(result, json, lambda: print_tables(tables))
    if hires_log is not None and log is not None:
        say_written(write_hires(log, cells[0].scenario.network, hires_log))
    say_if_alike(cells, [result])
    say_if_overruled([result])
    say_if_without_clearance([result])
    finish([result])


def compare(
    scenario: Annotated[
        list[str], typer.Argument(metavar="SCENARIO...", help="one or more, see evaluate; embedded: all of those")
    ],
    controllers: Annotated[
        str,
        typer.Option("--controllers", metavar="A,B,C", help="see evaluate; all: every baseline but rollout"),
    ],
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
    demand_level: Annotated[
        str, typer.Option("--demand-level", metavar="A,B", help="every scenario with so many times its trips")
    ] = "1",
    vary_trips: VaryTripsOption = False,
    od_mix: OdMixOption = None,
    closed_lanes: ClosedLanesOption = None,
    workers: WorkersOption = 1,
    store: StoreOption = None,
) -> None:
    """Run several controllers under the same rules and print one table per scenario."""
    check_run_options(simulator, threads, horizon, json)
    page = require_report(report)
    require_figures(figures)
    require_apart(json=json, report=report, figures=figures, store=store)
    require_workers(workers)
    if threads > 1:
        refuse_beside("--threads", {"--workers": workers > 1, "--store": store})
    require_folder("--store", store)
    seed_list, names, levels = parse_seeds(seeds), parse_names(controllers), parse_levels(demand_level)
    from intergreen.agents.evaluation.against import against_tables, with_comparisons
    from intergreen.agents.evaluation.compare import (
        comparison_cells,
        named_controllers,
        named_scenarios,
        run_cells,
    )
    from intergreen.agents.evaluation.grid import run_grid
    from intergreen.agents.evaluation.report import print_comparisons, write_report
    from intergreen.envs.fault_file import read_faults

    cells = comparison_cells(
        named_scenarios(scenario),
        named_controllers(names, simulator=simulator),
        protocol_name=protocol,
        drop_invalid_routes=drop_invalid_routes,
        faults=None if faults is None else read_faults(faults),
        demand_levels=levels,
        vary_trips=vary_trips,
        od_mix=od_mix,
        closed_lanes=closed_lanes,
        simulator=simulator,
        sumo=sumo_settings(simulator, time_to_teleport),
    )
    if simulator == "native":
        make_engine_ready(lane_change=any(cell.protocol.lane_change for cell in cells))
    with progress_bar("simulating") as progress:
        if threads > 1:
            finished = run_cells(cells, seeds=seed_list, threads=threads, horizon_s=horizon, progress=progress)
            results = [{**one, "failed": []} for one in finished]  # a seed that fails ends the command
        else:
            results = run_grid(
                cells, seeds=seed_list, workers=workers, horizon_s=horizon, store=store, progress=progress
            )
    results = with_comparisons(results)

    def show() -> None:
        print_comparisons(results)
        print_tables(against_tables(results))

    deliver(results, json, show)
    if report is not None and page is None:
        say_written(write_report(results, report, against_tables(results)))
    if page is not None or figures is not None:
        whole = [(cell, result) for cell, result in zip(cells, results, strict=True) if result["seeds"]]
        seen, shown = [cell for cell, _ in whole], [result for _, result in whole]
        more = against_tables(shown)
        look_closely(seen, shown, horizon_s=horizon, page=page, figures=figures, more=more)
    say_if_alike(cells, results)
    say_if_overruled(results)
    say_if_without_clearance(results)
    finish(results)


def verify(
    scenario: Annotated[
        str, typer.Argument(metavar="SCENARIO|BUNDLE", help="a scenario, see evaluate, or a bundle's folder or name")
    ],
    network: Annotated[
        str | None, typer.Argument(metavar="[NETWORK]", help="with a bundle: prove these signals too, or its own")
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option("--protocol", metavar="A,B", help="names; by default the scenario's own and the field's"),
    ] = None,
    json: JsonOption = None,
    drop_invalid_routes: DropOption = False,
) -> None:
    """Prove the signal safety: every state that each signal can reach under any wish and any call."""
    require_writable("--json", json)
    names = () if protocol is None else parse_names(protocol, "--protocol")
    from intergreen.agents.deployment.names import is_named_bundle
    from intergreen.agents.evaluation.verify import counter_example, proof_table, unproved_lines, verify_scenario
    from intergreen.envs.scenario import load_scenario

    if is_named_bundle(scenario):
        refuse_beside("a bundle", {"--protocol": protocol})
        _verify_bundle(scenario, network, json, drop_invalid_routes=drop_invalid_routes)
        return
    refuse_beside("a scenario", {"NETWORK": network})
    loaded = load_scenario(scenario, drop_invalid_routes=drop_invalid_routes)
    make_engine_ready()
    passed_over: list[str] = []
    with progress_bar("proving") as progress:
        found = verify_scenario(loaded, names, progress=progress, pass_over=passed_over.append)
    for line in (*passed_over, *unproved_lines(loaded, names[0] if names else loaded.default_protocol)):
        print(line, file=sys.stderr)
    violated = [one for one in found if not one["holds"]]
    deliver(found, json, lambda: print_tables([proof_table(found), *map(counter_example, violated)]))
    if violated:
        raise typer.Exit(CHECK_FAILED)


def timing(
    scenario: ScenarioArgument,
    protocol: ProtocolOption = None,
    signal: Annotated[str | None, typer.Option("--signal", metavar="ID", help="of this intersection alone")] = None,
    json: JsonOption = None,
    drop_invalid_routes: DropOption = False,
) -> None:
    """Yellow, intergreen, minimum and maximum green of every movement, as the protocol times them here."""
    require_writable("--json", json)
    from intergreen.agents.evaluation.timing_table import signal_timings, timing_tables
    from intergreen.envs.scenario import load_scenario

    loaded = load_scenario(scenario, drop_invalid_routes=drop_invalid_routes)
    stated = signal_timings(loaded, protocol or loaded.default_protocol, signal=signal)
    deliver(stated, json, lambda: print_tables(timing_tables(stated)))


def _verify_bundle(name: str, network: str | None, json: str | None, *, drop_invalid_routes: bool) -> None:
    from intergreen.agents.deployment.shipped import bundle_by_name
    from intergreen.agents.evaluation.verify import counter_example, unproved_lines
    from intergreen.agents.evaluation.verify_bundle import bundle_table, named_network, verify_bundle

    bundle = bundle_by_name(name)
    given = None if network is None else named_network(network, drop_invalid_routes=drop_invalid_routes)
    make_engine_ready()
    with progress_bar("proving") as progress:
        found = verify_bundle(bundle, given, progress=progress)
    violated = [one for one in found["proofs"] if not one["holds"]]
    deliver(found, json, lambda: print_tables([bundle_table(found), *map(counter_example, violated)]))
    unproved = [] if given is None else unproved_lines(given, bundle.protocols[0])
    again = f"{bundle.folder}: changed, or made by another version: export the policy again, or use that version"
    for line in (*found["differences"], *([again] if found["differences"] else []), *unproved):
        print(line, file=sys.stderr)
    if not found["holds"]:
        raise typer.Exit(CHECK_FAILED)
