"""What the commands share: their common options, checks before any work, delivering results, exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from intergreen.agents.options import (
    STDOUT,
    require_horizon,
    require_positive,
    require_simulator,
    require_threads,
    require_writable,
)
from intergreen.agents.tables import TextTable, print_table
from intergreen.envs.errors import InputError
from intergreen.envs.files import json_text, write_json

if TYPE_CHECKING:
    from intergreen.agents.evaluation.compare import Cell
    from intergreen.envs.simulation.sumo_world import SumoSettings

CHECK_FAILED = 1
_MOST_LINES = 20  # of faults on stderr
_MANY_PER_HOUR = 60.0  # calls that the shield served before what was wished

ScenarioArgument = Annotated[
    str,
    typer.Argument(
        metavar="SCENARIO",
        help="a shipped name, a YAML file, a .sumocfg, or a folder with one or with roadnet.json + flow.json",
    ),
]
ProtocolOption = Annotated[
    str | None,
    typer.Option(
        "--protocol",
        help="timing rules, e.g. literature-10-5 or literature-10-5-lane-change; the scenario's own by default",
    ),
]
SeedsOption = Annotated[str, typer.Option("--seeds", help="0-9, 0,1,5 or 3")]
SimulatorOption = Annotated[str, typer.Option("--simulator", help='native, or sumo (pip install "intergreen\\[sumo]")')]
TeleportOption = Annotated[
    float | None,
    typer.Option(
        "--time-to-teleport",
        metavar="SECONDS",
        help="with --simulator sumo: vehicles that stand longer are put farther on, and counted; never by default",
    ),
]
JsonOption = Annotated[str | None, typer.Option("--json", metavar="FILE|-", help="also write JSON; - is stdout")]
DropOption = Annotated[
    bool, typer.Option("--drop-invalid-routes", help="drop flows whose route does not exist, as CityFlow does")
]
ThreadsOption = Annotated[
    int, typer.Option("--threads", help="threads to spread the seeds over; numbers stay the same")
]
HorizonOption = Annotated[int | None, typer.Option("--horizon", metavar="SECONDS", help="seconds to simulate")]
FaultsOption = Annotated[
    str | None, typer.Option("--faults", metavar="FILE|NAME", help="let detectors fail: a YAML file, or e.g. dead-10")
]
WorkersOption = Annotated[
    int, typer.Option("--workers", help="processes to share the runs out among; numbers stay the same")
]
StoreOption = Annotated[
    Path | None,
    typer.Option("--store", metavar="FOLDER", help="keep finished runs there; those that are there are not run again"),
]
VaryTripsOption = Annotated[
    bool, typer.Option("--vary-trips", help="trips of a file are other ones of the same kind for every seed")
]
OdMixOption = Annotated[
    int | None,
    typer.Option("--od-mix", metavar="SEED", min=0, help="other destinations for the same origins and times"),
]
ClosedLanesOption = Annotated[
    int | None,
    typer.Option("--closed-lanes", metavar="SEED", min=0, help="a lane closed on one road in ten"),
]
SeedOption = Annotated[int | None, typer.Option("--seed", min=0, help="seed of the training; the recipe's by default")]


def check_run_options(simulator: str, threads: int, horizon_s: int | None, json: str | None) -> None:
    require_simulator(simulator)
    require_threads(threads)
    require_horizon(horizon_s)
    require_writable("--json", json)


def sumo_settings(simulator: str, time_to_teleport_s: float | None) -> SumoSettings | None:
    """SUMO's settings, None where there is nothing to set.

    Raises
    ------
    InputError
        If they are set for another simulator, or are no times.
    """
    if time_to_teleport_s is None:
        return None
    if simulator != "sumo":
        raise InputError("command line", "--time-to-teleport", f"means nothing to {simulator}", "add --simulator sumo")
    require_positive("--time-to-teleport", time_to_teleport_s)
    from intergreen.envs.simulation.sumo_world import SumoSettings

    return SumoSettings(time_to_teleport_s=time_to_teleport_s)


def make_engine_ready(*, lane_change: bool = False) -> None:
    """Compile or load the engine before the progress bar starts, and say so where it takes long."""
    from intergreen.agents.evaluation.warmup import compile_engine
    from intergreen.envs.simulation.compile_notice import compile_notice

    with compile_notice():
        compile_engine(lane_change=lane_change)


def deliver(value: object, json: str | None, show: Callable[[], None]) -> None:
    """JSON to stdout alone, or the table, with JSON to a file where one is named."""
    try:
        if json == STDOUT:
            print(json_text(value))
        else:
            show()
        if sys.stdout is not None:  # as with `>&-`
            sys.stdout.flush()
    except BrokenPipeError:
        # Our reader has left (`| head`), which is its right; later writes go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if json is not None and json != STDOUT:
        write_json(Path(json), value)
        say_written([Path(json)])


def print_tables(tables: Sequence[TextTable]) -> None:
    for table in tables:
        print_table(table)


def refuse_beside(what: str, options: Mapping[str, object]) -> None:
    """Refuse options that would have no effect; None, False and no names are options that were not given."""
    for option, value in options.items():
        if value is not None and value is not False and value != []:
            raise InputError("command line", option, f"does not go with {what}", "leave it out")


def say_written(paths: Sequence[Path]) -> None:
    for path in paths:
        print(f"wrote {path}", file=sys.stderr)


def say_if_alike(cells: Sequence[Cell], results: Sequence[Mapping[str, Any]]) -> None:
    """Say of which scenarios every seed was the same run: such intervals have no width and mean nothing."""
    from intergreen.agents.evaluation.against import BOUND

    alike: dict[str, bool] = {}
    for cell, result in zip(cells, results, strict=True):
        if cell.scenario.fixed_demand and not cell.scenario.varied and result["controller"] != BOUND:
            name = cell.scenario.name
            alike[name] = alike.get(name, True) and _is_one_run(result)
    for name in sorted(name for name, is_alike in alike.items() if is_alike):
        words = "every seed is the same run, because the file brings its own trips: intervals and probabilities say"
        print(f"{name}: {words} nothing; --vary-trips drives others", file=sys.stderr)


def say_if_overruled(results: Sequence[Mapping[str, Any]]) -> None:
    """Say whose wishes were no phases of the signals, which the shield lets pass for a wish to stay; and before whose
    wishes it served others so often that the times are its own as much as the controller's."""
    for result in results:
        per_hour = result["safety"].get("interventions_per_hour", {})  # none of a failed run
        who = f"{result['scenario']}, {result['controller']}"
        if nonsense := per_hour.get("no such phase"):
            words = f"{nonsense:.0f} wishes an hour were for phases that do not exist: the present one was kept"
            print(f"{who}: {words}", file=sys.stderr)
        if (late := per_hour.get("overdue call", 0.0)) >= _MANY_PER_HOUR:
            words = f"{late:.0f} times an hour the shield served a call that had waited long before what was wished"
            print(f"{who}: {words}", file=sys.stderr)


def say_if_without_clearance(results: Sequence[Mapping[str, Any]]) -> None:
    """Say whose programme changes without a clearance that everybody else has to show: the times do not compare."""
    told = dict.fromkeys(
        (result["scenario"], result["controller"], len(result["safety"].get("changes_without_clearance", ())))
        for result in results
    )
    for scenario, controller, number in told:
        if number:
            signals = "one signal" if number == 1 else f"{number} signals"
            words = f"the network's own programme, shown as it stands, has changes without a clearance at {signals}"
            print(f"{scenario}, {controller}: {words}; others show one at every change", file=sys.stderr)


def _is_one_run(result: Mapping[str, Any]) -> bool:
    """Have several seeds the same travel time, to the last digit?"""
    if len(result["seeds"]) < 2:
        return False
    return len(set(result["metrics"]["average_travel_time_s"]["per_seed"])) == 1


def finish(results: Sequence[Mapping[str, Any]]) -> None:
    """Leave with the status of a failed check if a run failed or the monitor saw a fault in one, and say where."""
    from intergreen.agents.evaluation.safety import failure_lines, fault_lines

    _finish([line for result in results for line in (*failure_lines(dict(result)), *fault_lines(dict(result)))])


def finish_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    """As `finish`, of tables whose rows have only how many faults the monitor saw."""
    _finish(
        [
            f"{row['scenario']} under {row['protocol']}: the monitor saw {row['monitor_faults']} faults, which"
            " intergreen evaluate names"
            for row in rows
            if row["monitor_faults"]
        ]
    )


def _finish(lines: Sequence[str]) -> None:
    """Leave with the status of a failed check where there is anything to tell."""
    for line in lines[:_MOST_LINES]:
        print(line, file=sys.stderr)
    if len(lines) > _MOST_LINES:
        print(f"and {len(lines) - _MOST_LINES} more, see --json", file=sys.stderr)
    if lines:
        raise typer.Exit(CHECK_FAILED)
