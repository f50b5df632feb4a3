"""Results of single seeds put together to the one that a run of all these seeds would have given.

A result here is the object that `evaluate --json` writes. What a seed gives does not depend on the seeds beside it, so
only sums and means are made again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from intergreen.agents.evaluation.fallback import MOST_CHANGES
from intergreen.agents.evaluation.metrics import SERIES
from intergreen.agents.evaluation.statistics import summarise_all
from intergreen.envs.simulation.sumo_run import INCIDENTS

Result = dict[str, Any]


def joined(parts: Sequence[Result]) -> Result:
    """The result of all seeds from results of one or several seeds each, under equal rules; in the order given."""
    if len(parts) == 1:
        return dict(parts[0])
    first, seeds = parts[0], [len(part["seeds"]) for part in parts]
    return {
        **first,
        "seeds": [seed for part in parts for seed in part["seeds"]],
        "metrics": summarise_all({name: _per_seed(parts, name) for name in first["metrics"]}),
        "series": _series([part["series"] for part in parts]),
        "safety": _safety([part["safety"] for part in parts], seeds),
        "fallback": _fallback([part["fallback"] for part in parts], seeds),
        "cost": _cost([part["cost"] for part in parts]),
    }


def nothing(like: Mapping[str, Any]) -> Result:
    """The result of a cell of which no seed has come to its end; `like` has its names and rules."""
    return {
        **like,
        "seeds": [],
        "dropped_flows": 0,
        "metrics": {},
        "series": {"t": [], **{name: [] for name in SERIES}},
        "safety": {"monitor_faults": None, "faults": [], "shield_interventions_per_hour": None},
        "fallback": None,
        "timing": None,
        "cost": {"vehicle_updates": 0, "cpu_s": 0.0, "wall_s": 0.0, "peak_memory_mb": 0.0},
    }


def _per_seed(parts: Sequence[Result], metric: str) -> list[float]:
    values = [value for part in parts for value in part["metrics"][metric]["per_seed"]]
    return [np.nan if value is None else value for value in values]


def _mean(values: Sequence[float], seeds: Sequence[int]) -> float:
    """Of parts with so many seeds each."""
    return sum(value * n for value, n in zip(values, seeds, strict=True)) / sum(seeds)


def _series(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Times as they are; of every key the values of all seeds, time by time."""
    whole: dict[str, Any] = {"t": parts[0]["t"]}
    for name in SERIES:
        whole[name] = [
            [value for row in rows for value in row] for rows in zip(*(part[name] for part in parts), strict=True)
        ]
    return whole


def _safety(parts: Sequence[Mapping[str, Any]], seeds: Sequence[int]) -> dict[str, Any]:
    by_reason = {
        reason: _mean([part["interventions_per_hour"][reason] for part in parts], seeds)
        for reason in parts[0]["interventions_per_hour"]
    }
    return {
        **parts[0],
        **{name: sum(part[name] for part in parts) for name in INCIDENTS if name in parts[0]},
        "monitor_faults": sum(part["monitor_faults"] for part in parts),
        "faults": [fault for part in parts for fault in part["faults"]],
        "shield_interventions_per_hour": _mean([part["shield_interventions_per_hour"] for part in parts], seeds),
        "interventions_per_hour": by_reason,
    }


def _fallback(parts: Sequence[Mapping[str, Any] | None], seeds: Sequence[int]) -> dict[str, Any] | None:
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    shares = {
        rung: _mean([part["share_of_decisions"][rung] for part in known], seeds)
        for rung in known[0]["share_of_decisions"]
    }
    reasons: Counter[str] = Counter()
    for part in known:
        reasons.update(part["changes_by_reason"])
    return {
        "share_of_decisions": shares,
        "unlike_training": known[-1]["unlike_training"],
        "changes_by_reason": dict(sorted(reasons.items())),
        "changes": [change for part in known for change in part["changes"]][:MOST_CHANGES],
    }


def _cost(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    sums = {name: sum(part[name] for part in parts) for name in ("vehicle_updates", "cpu_s", "wall_s")}
    return {**sums, "peak_memory_mb": max(part["peak_memory_mb"] for part in parts)}
