"""The second opinion: the same scenario, trips, controllers and timing in the engine and in SUMO, side by side.

A pair of controllers agrees where both simulators put the same one ahead on the same network; pairs whose travel times
differ by less than `SAME_SHARE` in either are no statement of anybody, and are counted apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

from intergreen.agents.deployment.names import decider_by_name
from intergreen.agents.evaluation.run import evaluate
from intergreen.agents.progress import part_of
from intergreen.envs import benchmarks
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
SEEDS = (0, 1, 2)  # of SUMO's drivers; the trips are the same for all where the scenario has its own

Row = dict[str, Any]


def agreement_scenarios() -> list[str]:
    """The RESCO networks, three generated ones and two of CityFlow's, as far as they are here."""
    names = [*(f"{benchmarks.RESCO}/{name}" for name in benchmarks.RESCO_NAMES), *GENERATED, *CITYFLOW]
    return [name for name in names if "/" not in name or benchmarks.folder(name) is not None]


def agreement_rows(
    scenarios: Sequence[str],
    *,
    controllers: Sequence[str] = CONTROLLERS,
    seeds: Sequence[int] = SEEDS,
    horizon_s: int | None = None,
    progress: Progress | None = None,
) -> list[Row]:
    """One row for each scenario and controller: every metric in both simulators, and how far travel times differ."""
    cells = [(name, controller) for name in scenarios for controller in controllers]
    return [
        _row(name, controller, seeds, horizon_s, part_of(progress, k, len(cells), f"{name} {controller}"))
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


def _row(name: str, controller: str, seeds: Sequence[int], horizon_s: int | None, progress: Progress | None) -> Row:
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
