"""Policies in SUMO on networks that they were not trained on, beside the baselines and SUMO's own actuated control."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from intergreen.agents.deployment.names import decider_by_name
from intergreen.agents.evaluation.run import evaluate
from intergreen.agents.evaluation.sumo_reference import own_signals
from intergreen.agents.evaluation.transfer import BASELINES, METRIC
from intergreen.agents.progress import part_of
from intergreen.envs import benchmarks
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import load_scenario, scenario_names
from intergreen.envs.simulators import SUMO

if TYPE_CHECKING:
    from intergreen.agents.progress import Progress
    from intergreen.envs.protocol import Protocol
    from intergreen.envs.scenario import Scenario

ACTUATED = "sumo-actuated"

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
    return [(one, protocol_by_name(one.default_protocol)) for one in loaded]


def sumo_transfer_rows(
    cells: Sequence[tuple[Scenario, Protocol]],
    policies: Sequence[str],
    *,
    seeds: Sequence[int],
    threads: int = 1,
    progress: Progress | None = None,
) -> list[Row]:
    """One row for each scenario: mean travel times [s] over the seeds, who wins, and faults of the monitor.

    A policy wins where it is below every baseline. SUMO's actuated control keeps no protocol's timing: it is there for
    reference.
    """
    rows = []
    for k, (scenario, protocol) in enumerate(cells):
        times: dict[str, float] = {}
        faults, incidents = 0, 0
        names = (*BASELINES, *policies)
        part = part_of(progress, k, len(cells), scenario.name)
        for n, name in enumerate(names):
            result = evaluate(
                scenario,
                decider_by_name(name),
                protocol,
                seeds=list(seeds),
                threads=threads,
                simulator=SUMO,
                progress=part_of(part, n, len(names), name),
            )
            times[name] = result["metrics"][METRIC]["mean"]
            faults += result["safety"]["monitor_faults"]
            incidents += result["safety"]["collisions"]
        actuated = float(own_signals(scenario, "actuated", seeds=seeds)[METRIC].mean())
        best = min(times[name] for name in BASELINES)
        rows.append(
            {
                "scenario": scenario.name,
                "protocol": protocol.name,
                ACTUATED: round(actuated, 1),
                **{name: round(times[name], 1) for name in names},
                "won": all(times[name] < best for name in policies),
                "monitor_faults": faults,
                "collisions": incidents,
            }
        )
    return rows
