"""Max-pressure: serve the phase with the most waiting vehicles upstream minus downstream.

After Varaiya (2013), "Max pressure control of a network of signalized intersections", Transportation Research Part
C 36, in the form the literature's benchmarks use: no turn ratios, waiting vehicles on all lanes of the outgoing
road, right turns that are always green left out.
"""

from __future__ import annotations

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


class MaxPressure:
    """First choice with the highest pressure wins; begins in the first choice."""

    name = "max-pressure"
    interval_s: int | None = None
    own_clearance = False

    def start(self, setup: Setup) -> IntArray:
        self._choices = setup.plan.choices
        self._pressure = choice_sums(setup.plan, lambda phase: pressure_weights(setup.network, phase))
        return np.tile(setup.plan.choices[:, 0], (setup.n_replicas, 1))

    def decide(self, counts: LaneCounts, signals: SignalStatus, time_s: int) -> IntArray:
        best = self._pressure.of(counts.waiting).argmax(axis=2)  # (B, I), the first of equals
        wanted: IntArray = self._choices[np.arange(len(self._choices)), best]
        return wanted


def pressure_weights(network: RoadNetwork, phase: int) -> LaneWeights:
    """Weight of each lane's waiting vehicles in a phase's pressure.

    Each movement adds its incoming lanes once and takes away every lane of its outgoing road.
    """
    weights: LaneWeights = {}
    for m in served_movements(network, phase):
        for lane in approach_lanes(network, m).tolist():
            weights[lane] = weights.get(lane, 0.0) + 1.0
        for lane in outgoing_lanes(network, m):
            weights[lane] = weights.get(lane, 0.0) - 1.0
    return weights
