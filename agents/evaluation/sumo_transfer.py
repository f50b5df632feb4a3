"""Policies in SUMO on networks that they were not trained on, beside baselines, SUMO's actuated control and RESCO.

RESCO (Ault and Sharon, 2021, "Reinforcement learning benchmarks for traffic signal control") measures delay: time loss
and waiting to enter, over all vehicles, as our `delay_s`. Its figures here are those in the arrays of its repository
(`utils/avg_timeLoss.py`); of a learner it is the mean over the last ten episodes of training, not the best episode that
the paper prints. Its detectors reach 200 m, ours 60 m and the cuts of such networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from intergreen.agents.deployment.names import decider_by_name
from intergreen.agents.evaluation.compare import refuse_equal_names
from intergreen.agents.evaluation.run import evaluate
from intergreen.agents.evaluation.sumo_reference import own_signals
from intergreen.agents.evaluation.transfer import BASELINES as RULES
from intergreen.agents.evaluation.transfer import METRIC
from intergreen.agents.progress import part_of
from intergreen.agents.tables import TextTable, table_of
from intergreen.envs import benchmarks
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import load_scenario, scenario_names
from intergreen.envs.simulators import SUMO

if TYPE_CHECKING:
    from intergreen.agents.progress import Progress
    from intergreen.envs.protocol import Protocol
    from intergreen.envs.scenario import Scenario

ACTUATED = "sumo-actuated"
BASELINES = (*RULES, "greedy-queue")
DELAY = "delay_s"
# Of RESCO: greedy (MaxWave), max-pressure, and the best learner, s of delay
PUBLISHED = {
    "cologne1": (27.81, 65.85, 28.93, "IDQN"),
    "cologne3": (90.67, 162.28, 95.54, "IDQN"),
    "cologne8": (21.87, 47.73, 22.31, "IDQN"),
    "ingolstadt1": (28.32, 23.62, 22.21, "IDQN"),
    "ingolstadt7": (80.56, 46.82, 32.45, "IPPO"),
    "ingolstadt21": (76.32, 136.72, 86.18, "IDQN"),
    "grid4x4": (34.32, 52.55, 34.07, "IDQN"),
    "arterial4x4": (820.81, 952.75, 773.3, "FMA2C"),
}

Row = dict[str, Any]


def sumo_cells(policies: Sequence[str], scenarios: Sequence[str] | None = None) -> list[tuple[Scenario, Protocol]]:
    """The scenarios, each under its own protocol; all names are resolved here. None: the RESCO networks that are here.

    Raises
    ------
    InputError
        If a name or a file is wrong.
    """
    for name in policies:
        decider_by_name(name)
    names = scenarios or [name for name in scenario_names() if name.startswith(f"{benchmarks.RESCO}/")]
    loaded = [load_scenario(name, drop_invalid_routes=True) for name in names]
    refuse_equal_names(names, [one.name for one in loaded])
    return [(one, protocol_by_name(one.default_protocol)) for one in loaded]


def sumo_transfer_rows(
    cells: Sequence[tuple[Scenario, Protocol]],
    policies: Sequence[str],
    *,
    seeds: Sequence[int],
    threads: int = 1,
    progress: Progress | None = None,
) -> list[Row]:
    """One row for each scenario: `travel` and `delay` [s] by name, means over the seeds, who wins, and faults.

    Several policies are the training seeds of one recipe. They win where each is below every baseline and below SUMO's
    actuated control, although that keeps no protocol's timing.
    """
    return [
        _row(scenario, protocol, policies, seeds, threads, part_of(progress, k, len(cells), scenario.name))
        for k, (scenario, protocol) in enumerate(cells)
    ]


def sumo_transfer_tables(rows: Sequence[Row], policies: Sequence[str]) -> list[TextTable]:
    """What `sumo_transfer_rows` gives, for people: travel times, and delays beside RESCO's."""
    names = (*BASELINES, ACTUATED)
    won = sum(row["won"] for row in rows)
    title = f"travel time [s] in SUMO: below every baseline in {won} of {len(rows)}"
    travel = [
        {"scenario": row["scenario"], "protocol": row["protocol"]}
        | {name: row["travel"][name] for name in names}
        | {"policy": _mean(row["travel"], policies), "per policy": _each(row["travel"], policies), "won": row["won"]}
        for row in rows
    ]
    delay = [
        {"scenario": row["scenario"]}
        | {name: row["delay"][name] for name in names}
        | {"policy": _mean(row["delay"], policies), "per policy": _each(row["delay"], policies)}
        | _published(row["scenario"])
        for row in rows
    ]
    return [table_of(title, travel), table_of("delay [s] in SUMO, and as RESCO printed it", delay)]


def _row(
    scenario: Scenario,
    protocol: Protocol,
    policies: Sequence[str],
    seeds: Sequence[int],
    threads: int,
    progress: Progress | None,
) -> Row:
    travel, delay = {}, {}
    faults = collisions = 0
    names = (*BASELINES, *policies)
    for n, name in enumerate(names):
        part = part_of(progress, n, len(names), name)
        decider = decider_by_name(name)
        result = evaluate(
            scenario, decider, protocol, seeds=list(seeds), threads=threads, simulator=SUMO, progress=part
        )
        travel[name], delay[name] = (round(result["metrics"][metric]["mean"], 1) for metric in (METRIC, DELAY))
        faults += result["safety"]["monitor_faults"]
        collisions += result["safety"]["collisions"]
    actuated = own_signals(scenario, "actuated", seeds=seeds)
    travel[ACTUATED], delay[ACTUATED] = (round(float(actuated[metric].mean()), 1) for metric in (METRIC, DELAY))
    best = min(travel[name] for name in (*BASELINES, ACTUATED))
    return {
        "scenario": scenario.name,
        "protocol": protocol.name,
        "travel": travel,
        "delay": delay,
        "won": all(travel[name] < best for name in policies),
        "monitor_faults": faults,
        "collisions": collisions,
    }


def _published(scenario: str) -> dict[str, object]:
    greedy, max_pressure, learned, learner = PUBLISHED.get(
        scenario.removeprefix(f"{benchmarks.RESCO}/"), (None, None, None, None)
    )
    return {
        "RESCO greedy": greedy,
        "RESCO max-pressure": max_pressure,
        "RESCO learned, last ten": learned,
        "by": learner,
    }


def _mean(values: dict[str, float], policies: Sequence[str]) -> float:
    return round(float(np.mean([values[name] for name in policies])), 1)


def _each(values: dict[str, float], policies: Sequence[str]) -> str:
    return " ".join(f"{values[name]:.1f}" for name in policies)
