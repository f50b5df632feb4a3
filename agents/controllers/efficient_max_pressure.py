"""Efficient max-pressure: pressure from mean queues per lane, so that wide roads do not weigh more than narrow ones.

Wu, Zhang, Shen, Lü, Du and Wu (2021), "Efficient pressure: improving efficiency for signalized intersections",
arXiv:2112.02336: the efficient pressure of a movement is the mean queue over its incoming lanes minus the mean queue
over the outgoing road's lanes; the phase with the highest sum over its movements is served.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from intergreen.agents.controllers.pressure import LaneWeights, choice_sums, outgoing_lanes, served_movements
from intergreen.envs.network.approaches import approach_lanes

if TYPE_CHECKING:
    from intergreen.agents.controllers.base import LaneCounts, Setup
    from intergreen.envs.arrays import IntArray
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.signals import SignalStatus


class EfficientMaxPressure:
    """First choice with the highest efficient pressure wins; begins in the first choice."""

    name = "efficient-max-pressure"
    interval_s: int | None = None
    own_clearance = False

    def start(self, setup: Setup) -> IntArray:
        network = setup.network
        scale = _whole_scale(network)
        self._choices = setup.plan.choices
        self._pressure = choice_sums(setup.plan, lambda phase: mean_pressure_weights(network, phase, scale=scale))
        return np.tile(setup.plan.choices[:, 0], (setup.n_replicas, 1))

    def decide(self, counts: LaneCounts, signals: SignalStatus, time_s: int) -> IntArray:
        best = self._pressure.of(counts.waiting).argmax(axis=2)  # (B, I), the first of equals
        wanted: IntArray = self._choices[np.arange(len(self._choices)), best]
        return wanted


def mean_pressure_weights(network: RoadNetwork, phase: int, *, scale: int = 1) -> LaneWeights:
    """Weight of each lane's queue in a phase's efficient pressure, times `scale`."""
    weights: LaneWeights = {}
    for m in served_movements(network, phase):
        n_incoming, outgoing = len(network.start_lanes(m)), outgoing_lanes(network, m)
        for lane in approach_lanes(network, m).tolist():  # behind a cut in the street the same queue goes on
            weights[lane] = weights.get(lane, 0.0) + scale / n_incoming
        for lane in outgoing:
            weights[lane] = weights.get(lane, 0.0) - scale / len(outgoing)
    return weights


def _whole_scale(network: RoadNetwork) -> int:
    """Scaled by it, means over any of a road's lanes are whole numbers and ties exact."""
    most = int(np.diff(network.road_lane_start).max(initial=1))
    return math.lcm(*range(1, min(most, 20) + 1))
