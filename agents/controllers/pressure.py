"""Weighted sums of lane counts, one per choice of every signal: what the pressure rules compare.

Index arrays are made once at the start; a decision is one gather and one segmented sum for all replicas and signals.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from intergreen.agents.controllers.usable import usable
from intergreen.envs.network import TURN_RIGHT

if TYPE_CHECKING:
    from intergreen.envs.arrays import BoolArray, FloatArray, IntArray
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.signals import SignalPlan

LaneWeights = dict[int, float]


@dataclass(frozen=True, slots=True)
class ChoiceSums:
    """For each signal and choice a weighted sum over lanes.

    lane, weight  (E,) entries, grouped by signal, then choice
    start         (I * C,) first entry of each group; a group without lanes holds one entry of weight 0
    n_choices     (I,)
    shape         (I, C)
    """

    lane: IntArray
    weight: FloatArray
    start: IntArray
    n_choices: IntArray
    shape: tuple[int, int]

    def of(self, counts: IntArray | FloatArray, *, absent: float = -np.inf) -> FloatArray:
        """Sums (B, I, C) of the `usable` counts (B, L); `absent` where a signal has no such choice."""
        counts = usable(counts)
        n_replicas = len(counts)
        if not self.start.size:
            return np.empty((n_replicas, *self.shape))
        sums = np.add.reduceat(counts[:, self.lane] * self.weight, self.start, axis=1).reshape(n_replicas, *self.shape)
        sums[:, np.arange(self.shape[1]) >= self.n_choices[:, None]] = absent
        return sums


def choice_sums(plan: SignalPlan, weights_of_phase: Callable[[int], LaneWeights]) -> ChoiceSums:
    """Sums with the lane weights that `weights_of_phase` gives for each network phase."""
    lane: list[int] = []
    weight: list[float] = []
    start: list[int] = []
    for i, local_phases in enumerate(plan.choices):
        for local in local_phases:
            weights = weights_of_phase(int(plan.phase_offset[i] + local)) if local >= 0 else {}
            start.append(len(lane))
            lane.extend(weights or {0: 0.0})
            weight.extend((weights or {0: 0.0}).values())
    return ChoiceSums(
        lane=np.array(lane, dtype=np.int32),
        weight=np.array(weight, dtype=np.float64),
        start=np.array(start, dtype=np.int32),
        n_choices=plan.n_choices,
        shape=(plan.choices.shape[0], plan.choices.shape[1]),
    )


def served_movements(network: RoadNetwork, phase: int) -> IntArray:
    """Movements of a network phase that count: all but right turns that are green whatever is chosen."""
    movements = _greens(network, phase)
    is_right = network.movement_turn[movements] == TURN_RIGHT
    if not is_right.any():
        return movements
    served: IntArray = movements[~(is_right & _are_always_green(network, phase)[movements - _first(network, phase)])]
    return served


def _are_always_green(network: RoadNetwork, phase: int) -> BoolArray:
    """(m,) which of the intersection's movements are in all its phases that serve more than right turns."""
    j = _intersection(network, phase)
    greens = network.phase_matrix(j)
    busy = greens[:, network.movement_turn[network.movements_of(j)] != TURN_RIGHT].any(axis=1)
    return np.asarray(greens[busy].all(axis=0) & busy.any())


def _first(network: RoadNetwork, phase: int) -> int:
    return int(network.movement_start[_intersection(network, phase)])


def _intersection(network: RoadNetwork, phase: int) -> int:
    return int(np.searchsorted(network.phase_start, phase, side="right")) - 1


def _greens(network: RoadNetwork, phase: int) -> IntArray:
    return network.phase_movements[network.phase_movement_start[phase] : network.phase_movement_start[phase + 1]]


def outgoing_lanes(network: RoadNetwork, movement: int) -> range:
    """All lanes of the road that a movement leads to."""
    road = network.movement_to_road[movement]
    return range(network.road_lane_start[road], network.road_lane_start[road + 1])
