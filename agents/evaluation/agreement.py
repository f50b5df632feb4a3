"""The second opinion: the same scenario, trips, controllers and timing in the engine and in SUMO, side by side.

A pair of controllers agrees where both simulators put the same one ahead on the same network; pairs whose travel times
differ by less than `SAME_SHARE` in either are no statement of anybody, and are counted apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from statistics import median
from typing import TYPE_CHECKING, Any

from intergreen.agents.deployment.names import decider_by_name
from intergreen.agents.evaluation.run import evaluate
from intergreen.agents.evaluation.sumo_physics import measure_physics
from intergreen.agents.evaluation.sumo_speed import libsumo_beside
from intergreen.agents.progress import part_of
from intergreen.agents.tables import TextTable, table_of
from intergreen.envs import benchmarks
from intergreen.envs.demand import CAR
from intergreen.envs.demand.krauss import LIMIT_MPS
from intergreen.envs.demand.sumo_types import default_type
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import load_scenario
from intergreen.envs.simulators import NATIVE, SUMO

if TYPE_CHECKING:
    from intergreen.agents.progress import Progress

CONTROLLERS = ("fixed-time", "fixed-cycle", "max-pressure")
GENERATED = ("single", "arterial6", "town")
CITYFLOW = ("cityflow/hangzhou_4x4", "cityflow/jinan_3x4_2000")
METRICS = ("average_travel_time_s", "delay_s", "throughput_veh", "mean_queue_veh")
SHORT = {"average_travel_time_s": "travel", "delay_s": "delay", "throughput_veh": "out", "mean_queue_veh": "queue"}
AIM_SHARE = 0.05  # of the travel time
SAME_SHARE = 0.01
REPEATS = 3  # of a speed
DRIVERS = {"SUMO's default": default_type(LIMIT_MPS), "CityFlow's car": CAR}

Row = dict[str, Any]


def agreement_scenarios() -> list[str]:
    """The RESCO networks, three generated ones and two of CityFlow's, as far as they are here."""
    names = [*(f"{benchmarks.RESCO}/{name}" for name in benchmarks.RESCO_NAMES), *GENERATED, *CITYFLOW]
    return [name for name in names if "/" not in name or benchmarks.folder(name) is not None]


def measure_agreement(
    scenarios: Sequence[str] | None = None,
    *,
    seeds: Sequence[int] = (0,),
    threads: int = 1,
    horizon_s: int | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """`physics`, `speed`, `rows` and `summary` of both simulators.

    Parameters
    ----------
    scenarios : None: those of `agreement_scenarios`
    """
    physics = [
        {"drivers": name, "simulator": simulator, **measure_physics(kind, simulator)._asdict()}
        for name, kind in DRIVERS.items()
        for simulator in (NATIVE, SUMO)
    ]
    names = agreement_scenarios() if scenarios is None else scenarios
    resco = [name for name in names if name.startswith(f"{benchmarks.RESCO}/")]
    speed = [speed_row(name, horizon_s=horizon_s) for name in resco]
    rows = agreement_rows(names, seeds=seeds, threads=threads, horizon_s=horizon_s, progress=progress)
    return {"physics": physics, "speed": speed, "rows": rows, "summary": agreement_summary(rows)}


def agreement_tables(found: dict[str, Any]) -> list[TextTable]:
    """What `measure_agreement` gives, for people."""
    summary = found["summary"]
    title = (
        f"travel time and delay [s], vehicles out, queue: {summary['within_aim']} of {summary['rows']} travel times "
        f"within {AIM_SHARE:.0%}, {summary['ranked_alike']} of {summary['pairs']} pairs of controllers ranked alike"
    )
    rows = [row | {"travel_off": f"{row['travel_off']:+.1%}"} for row in found["rows"]]
    tables = [table_of("three physical quantities", found["physics"])]
    if found["speed"]:
        tables.append(table_of("vehicle updates per CPU second", found["speed"]))
    return [*tables, table_of(title, rows)]


def speed_row(name: str, *, horizon_s: int | None = None) -> Row:
    """Vehicle updates per CPU second of the engine under fixed time, and of libsumo under the net's own programme."""
    scenario = load_scenario(name, drop_invalid_routes=True)
    horizon_s = scenario.horizon_s if horizon_s is None else horizon_s
    protocol = protocol_by_name(scenario.default_protocol)
    ours = [
        evaluate(scenario, decider_by_name("fixed-time"), protocol, seeds=[0], horizon_s=horizon_s)["cost"]
        for _ in range(REPEATS)
    ]
    native = median(cost["vehicle_updates"] / cost["cpu_s"] for cost in ours)
    theirs = libsumo_beside(name, horizon_s)
    libsumo = theirs["vehicle_updates"] / theirs["cpu_s"]
    return {"scenario": name, "native": round(native), "libsumo": round(libsumo), "times": round(native / libsumo, 1)}


def agreement_rows(
    scenarios: Sequence[str],
    *,
    controllers: Sequence[str] = CONTROLLERS,
    seeds: Sequence[int] = (0,),
    threads: int = 1,
    horizon_s: int | None = None,
    progress: Progress | None = None,
) -> list[Row]:
    """One row for each scenario and controller: every metric in both simulators, and how far travel times differ."""
    cells = [(name, controller) for name in scenarios for controller in controllers]
    return [
        _row(name, controller, seeds, threads, horizon_s, part_of(progress, k, len(cells), f"{name} {controller}"))
        for k, (name, controller) in enumerate(cells)
    ]


def agreement_summary(rows: Sequence[Row]) -> dict[str, Any]:
    """Of all rows: how many travel times are within the aim, and the share of controller pairs ranked alike."""
    alike, pairs, ties = 0, 0, 0
    for name in dict.fromkeys(row["scenario"] for row in rows):
        for one, other in combinations([row for row in rows if row["scenario"] == name], 2):
            ahead = [_ahead(one, other, simulator) for simulator in (NATIVE, SUMO)]
            if 0 in ahead:
                ties += 1
            else:
                pairs += 1
                alike += ahead[0] == ahead[1]
    return {
        "rows": len(rows),
        "within_aim": sum(abs(row["travel_off"]) <= AIM_SHARE for row in rows),
        "mean_off": sum(abs(row["travel_off"]) for row in rows) / max(len(rows), 1),
        "pairs": pairs,
        "ranked_alike": alike,
        "ties": ties,
        "monitor_faults": sum(row["faults"] for row in rows),
    }


def _row(
    name: str, controller: str, seeds: Sequence[int], threads: int, horizon_s: int | None, progress: Progress | None
) -> Row:
    scenario = load_scenario(name, drop_invalid_routes=True)
    protocol = protocol_by_name(scenario.default_protocol)
    row: Row = {"scenario": name, "controller": controller}
    values: dict[str, dict[str, float]] = {}
    row["faults"] = 0
    for k, simulator in enumerate((NATIVE, SUMO)):
        result = evaluate(
            scenario,
            decider_by_name(controller),
            protocol,
            seeds=list(seeds),
            threads=threads,
            horizon_s=horizon_s,
            simulator=simulator,
            progress=part_of(progress, k, 2, simulator),
        )
        values[simulator] = {metric: result["metrics"][metric]["mean"] for metric in METRICS}
        row["faults"] += result["safety"]["monitor_faults"]
    for metric in METRICS:
        for simulator in (NATIVE, SUMO):
            row[f"{SHORT[metric]}_{simulator}"] = values[simulator][metric]
    row["travel_off"] = row["travel_native"] / row["travel_sumo"] - 1.0
    return row


def _ahead(one: Row, other: Row, simulator: str) -> int:
    """-1: `one` has the shorter travel time, 1: the other, 0: neither by more than a hundredth."""
    a, b = one[f"travel_{simulator}"], other[f"travel_{simulator}"]
    if abs(a - b) <= SAME_SHARE * min(a, b):
        return 0
    return -1 if a < b else 1
