"""What a result says about safety: the monitor's faults, how often the shield overruled, the numbers in force."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from intergreen.envs.signals import FieldTiming, FixedClearance
from intergreen.envs.signals.conflicts import is_open_junction
from intergreen.envs.signals.profiles import numbers
from intergreen.envs.signals.shield import INTERVENTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from intergreen.envs.arrays import IntArray
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.signals import SignalPlan, Timing
    from intergreen.envs.signals.monitor import FaultReport


def safety_of(
    plan: SignalPlan,
    network: RoadNetwork,
    seeds: Sequence[int],
    faults: Sequence[FaultReport],
    interventions: IntArray,
    *,
    hours: float,
) -> dict[str, Any]:
    """The part `safety` of a result.

    faults         the monitor's, `replica` counting the seeds
    interventions  (reasons,) sum over seeds and signals
    hours          simulated, of all seeds together
    """
    per_hour = np.asarray(interventions) / max(hours, 1e-9)
    return {
        "monitor_faults": len(faults),
        "faults": [_fault_stated(plan, network, int(seeds[one.replica]), one) for one in faults],
        "shield_interventions_per_hour": float(per_hour.sum()),
        "interventions_per_hour": dict(zip(INTERVENTIONS, per_hour.tolist(), strict=True)),
        "open_junctions": [
            network.intersection_ids[j] for j in plan.intersection.tolist() if is_open_junction(network, j)
        ],
    }


def timing_stated(timing: Timing) -> dict[str, Any]:
    """The active numbers of a timing."""
    if isinstance(timing, FieldTiming):
        return numbers(timing.profile) | {"longest_wait_s": float(timing.longest_wait_s)}
    if isinstance(timing, FixedClearance):
        return {"profile": "literature", "clearance_s": float(timing.seconds)}
    return {"profile": "own programme"}


def fault_lines(result: dict[str, Any]) -> list[str]:
    """One line for every latched fault of a result: which signal, when, which movements."""
    return [
        f"{result['scenario']}, {result['controller']}, seed {one['seed']}: {one['fault']} at signal {one['signal']}"
        f" in second {one['second']:g}: {' and '.join(one['movements'])}"
        for one in result["safety"]["faults"]
    ]


def movement_name(network: RoadNetwork, movement: int) -> str:
    """From which road to which."""
    start, end = network.movement_from_road[movement], network.movement_to_road[movement]
    return f"{network.road_ids[start]} -> {network.road_ids[end]}"


def _fault_stated(plan: SignalPlan, network: RoadNetwork, seed: int, one: FaultReport) -> dict[str, Any]:
    return {
        "seed": seed,
        "signal": network.intersection_ids[plan.intersection[one.signal]],
        "second": one.second,
        "fault": one.fault,
        "movements": [movement_name(network, movement) for movement in one.channels],
    }
