"""One policy on networks it was not trained on: every scenario under every protocol, beside the baselines.

Several controllers are the training seeds of one recipe; the interval is over them. A cell is won where the whole
interval lies below max-pressure and advanced max-pressure.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

from intergreen.agents.deployment.names import decider_by_name
from intergreen.agents.evaluation.compare import refuse_equal_names
from intergreen.agents.evaluation.run import evaluate
from intergreen.agents.evaluation.statistics import percentile_interval, summarise
from intergreen.envs.errors import InputError
from intergreen.envs.protocol import LITERATURE, protocol_by_name
from intergreen.envs.scenario import load_scenario, scenario_names
from intergreen.envs.unseen import with_varied_trips
from intergreen.envs.verification import refuse_unsafe

if TYPE_CHECKING:
    from intergreen.agents.progress import Progress
    from intergreen.envs.protocol import Protocol
    from intergreen.envs.scenario import Scenario

METRIC = "average_travel_time_s"
BASELINES = ("fixed-time", "max-pressure", "advanced-max-pressure")
TO_BEAT = BASELINES[1:]
EMBEDDED = ("town", "single")
SEEDS = (0,)  # a network with its own demand has the same trips for all

Row = dict[str, Any]


def transfer_cells(
    policies: Sequence[str],
    *,
    scenarios: Sequence[str] | None = None,
    protocols: Sequence[str] = LITERATURE,
    vary_trips: bool = False,
) -> list[tuple[Scenario, Protocol]]:
    """Every scenario under every protocol; all names are resolved and all files read here, before any run.

    Parameters
    ----------
    policies : names or folders of one recipe's training seeds
    scenarios : None: the benchmark networks that are here, an irregular town and a single intersection
    vary_trips : fixed trips are other ones for every seed

    Raises
    ------
    InputError
        If a name or a file is wrong, nobody was named, or a signal's plan is not safe.
    """
    if not policies:
        raise InputError("command line", "CONTROLLERS", "nobody is named", "name one policy or several")
    for name in policies:
        decider_by_name(name)
    timings = [protocol_by_name(name) for name in protocols]
    names = scenarios or [*(n for n in scenario_names() if n.startswith("cityflow/")), *EMBEDDED]
    loaded = [load_scenario(name, drop_invalid_routes=True) for name in names]
    refuse_equal_names(names, [one.name for one in loaded])
    for scenario, timing in product(loaded, timings):
        refuse_unsafe(scenario.network, timing.plan(scenario.network))
    return list(product([with_varied_trips(one) if vary_trips else one for one in loaded], timings))


def transfer_rows(
    cells: Sequence[tuple[Scenario, Protocol]],
    policies: Sequence[str],
    *,
    seeds: Sequence[int] = SEEDS,
    progress: Progress | None = None,
) -> list[Row]:
    """One row for each scenario and protocol: travel times of baselines and policies, the interval, and who wins."""
    rows = []
    for k, (scenario, protocol) in enumerate(cells):
        if progress is not None:
            progress(k / len(cells), f"{scenario.name} {protocol.name}")
        rows.append(_row(scenario, protocol, policies, seeds))
    return rows


def summary_of(rows: Sequence[Row]) -> str:
    """In how many cells the policy wins, and how often it beats fixed time."""
    won = sum(row["won"] for row in rows)
    beaten = sum(row["policy"] < row["fixed-time"] for row in rows)
    return f"below max-pressure and advanced max-pressure in {won} of {len(rows)}, below fixed time in {beaten}"


def _row(scenario: Scenario, protocol: Protocol, policies: Sequence[str], seeds: Sequence[int]) -> Row:
    results = {
        name: evaluate(scenario, decider_by_name(name), protocol, seeds=seeds) for name in (*BASELINES, *policies)
    }
    times = {name: result["metrics"][METRIC]["mean"] for name, result in results.items()}
    policy = summarise([times[name] for name in policies], interval=percentile_interval)
    lowest, highest = policy.interval
    return {
        "scenario": scenario.name,
        "protocol": protocol.name,
        **{name: round(times[name], 1) for name in BASELINES},
        "policy": round(policy.mean, 1),
        "ci95": f"{lowest:.1f}–{highest:.1f}",
        "share_of_best_baseline": round(policy.mean / min(times[name] for name in TO_BEAT), 3),
        "won": highest < min(times[name] for name in TO_BEAT),
        "per_policy": " ".join(f"{times[name]:.1f}" for name in policies),
        "monitor_faults": sum(result["safety"]["monitor_faults"] for result in results.values()),
    }
