"""Advanced max-pressure: keep a green that is well used, else serve the phase with the highest efficient pressure.

After Zhang et al. (2022), "Expression might be enough: representing pressure and demand for reinforcement learning
based traffic signal control", ICML. Where the paper's networks leave no choice (one lane per movement) but others
do, this is our reading:

- the efficient pressure of a movement is summed over its incoming lanes, queue on the lane minus the mean queue
  over the outgoing road's lanes;
- the demand of a phase counts the moving vehicles on its green lanes, each lane once, that can reach the stop line
  before the next decision, or within 15 s where decisions are rarer (`near_distance_m`);
- right turns that are green in every phase are left out of both.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from intergreen.agents.controllers.pressure import (
    LaneWeights,
    choice_sums,
    outgoing_lanes,
    served_movements,
)
from intergreen.envs.network.approaches import approach_lanes

if TYPE_CHECKING:
    from intergreen.agents.controllers.base import LaneCounts, Setup
    from intergreen.envs.arrays import IntArray
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.signals import SignalStatus


def _short(weight: float) -> str:
    """As many digits as tell it from every other weight."""
    return f"{weight:g}" if float(f"{weight:g}") == weight else repr(float(weight))


class AdvancedMaxPressure:
    """Keeps its phase while `demand_weight` × arriving vehicles >= the best efficient pressure."""

    name = "advanced-max-pressure"
    interval_s: int | None = None
    own_clearance = False

    def __init__(self, *, demand_weight: float = 1.0) -> None:
        if not 0.0 <= demand_weight < math.inf:
            raise ValueError(f"need a finite demand_weight >= 0, got {demand_weight}")
        self._demand_weight = demand_weight
        if demand_weight != 1.0:
            self.name = f"{type(self).name}:{_short(demand_weight)}"

    def start(self, setup: Setup) -> IntArray:
        network, plan = setup.network, setup.plan
        scale = lane_scale(network)
        self._choices = plan.choices
        self._pressure = choice_sums(plan, lambda phase: efficient_pressure_weights(network, phase, scale=scale))
        self._demand = choice_sums(plan, lambda phase: demand_weights(network, phase, scale=scale))
        return np.tile(plan.choices[:, 0], (setup.n_replicas, 1))

    def decide(self, counts: LaneCounts, signals: SignalStatus, time_s: int) -> IntArray:
        pressure, phase = self._pressure.of(counts.waiting), signals.phase
        is_current = (self._choices == phase[:, :, None]) & (phase[:, :, None] >= 0)  # (B, I, C)
        demand = (self._demand.of(counts.near, absent=0.0) * is_current).sum(axis=2)
        keep = is_current.any(axis=2) & (self._demand_weight * demand >= pressure.max(axis=2, initial=-np.inf))
        best = self._choices[np.arange(len(self._choices)), pressure.argmax(axis=2)]
        return np.where(keep, phase, best)


def lane_scale(network: RoadNetwork) -> int:
    """Least common multiple of the roads' lane counts: scaled by it, mean queues are whole numbers and ties exact."""
    return math.lcm(*np.unique(np.diff(network.road_lane_start)).tolist())


def efficient_pressure_weights(network: RoadNetwork, phase: int, *, scale: int = 1) -> LaneWeights:
    """Weight of each lane's queue in a phase's efficient pressure, times `scale`."""
    weights: LaneWeights = {}
    for m in served_movements(network, phase):
        incoming, outgoing = approach_lanes(network, m).tolist(), outgoing_lanes(network, m)
        for lane in incoming:
            weights[lane] = weights.get(lane, 0.0) + scale
        for lane in outgoing:
            weights[lane] = weights.get(lane, 0.0) - scale * len(network.start_lanes(m)) / len(outgoing)
    return weights


def demand_weights(network: RoadNetwork, phase: int, *, scale: int = 1) -> LaneWeights:
    """Weight `scale` for every lane that has green in the phase."""
    return {
        lane: float(scale) for m in served_movements(network, phase) for lane in approach_lanes(network, m).tolist()
    }
