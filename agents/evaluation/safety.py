"""What a result says about safety: the monitor's faults, how often the shield overruled, the numbers in force."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from intergreen.envs.signals.believed import junctions_believed
from intergreen.envs.signals.state import INTERVENTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from intergreen.envs.arrays import IntArray
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.signals import SignalPlan
    from intergreen.envs.signals.monitor import FaultReport


def safety_of(
    plan: SignalPlan,
    network: RoadNetwork,
    seeds: Sequence[int],
    faults: Sequence[FaultReport],
    interventions: IntArray,
    *,
    hours: float,
    junctions: dict[str, list[str]] | None = None,
) -> dict[str, Any]:
    """The part `safety` of a result.

    faults         the monitor's, `replica` counting the seeds
    interventions  (reasons,) sum over seeds and signals
    hours          simulated, of all seeds together
    junctions      what `junctions_believed` said of plan and network; None: it is asked now
    """
    per_hour = np.asarray(interventions) / max(hours, 1e-9)
    return {
        "monitor_faults": len(faults),
        "faults": [_fault_stated(plan, network, int(seeds[one.replica]), one) for one in faults],
        "shield_interventions_per_hour": float(per_hour.sum()),
        "interventions_per_hour": dict(zip(INTERVENTIONS, per_hour.tolist(), strict=True)),
        **(junctions_believed(plan, network) if junctions is None else junctions),
    }


def fault_lines(result: dict[str, Any]) -> list[str]:
    """One line for every latched fault of a result: which signal, when, which movements."""
    return [
        f"{result['scenario']}, {result['controller']}, seed {one['seed']}: {one['fault']} at signal {one['signal']}"
        f" in second {one['second']:g}: {' and '.join(one['movements'])}"
        for one in result["safety"]["faults"]
    ]


def failure_lines(result: dict[str, Any]) -> list[str]:
    """One line for every seed of a result that did not come to its end, and why."""
    return [
        f"{result['scenario']}, {result['controller']}, seed {one['seed']}: failed: {one['why']}"
        for one in result.get("failed", ())
    ]


def _fault_stated(plan: SignalPlan, network: RoadNetwork, seed: int, one: FaultReport) -> dict[str, Any]:
    return {
        "seed": seed,
        "signal": network.intersection_ids[plan.intersection[one.signal]],
        "second": one.second,
        "fault": one.fault,
        "movements": [network.movement_name(movement) for movement in one.channels],
    }
