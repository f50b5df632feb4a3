"""Lanes that several movements share and whose greens are apart: whoever is first there closes the lane for the others.

Counts do not tell where the first one wants to go, and the queue that a policy would serve may not move. So a movement
that has waited long enough is served before the policy's wish is: no such lane stands for ever. Where movements of a
lane have green together in some choice, as with permitted turns and phases of one approach, nothing is changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from intergreen.envs.arrays import BoolArray, Float32Array, FloatArray, IntArray
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.signals import SignalPlan

LONGEST_RED_S = 45  # of a movement with somebody on such a lane


class PartedLanes:
    """Those of a network under a plan: N pairs of a movement and a lane that it shares."""

    def __init__(self, network: RoadNetwork, plan: SignalPlan) -> None:
        pairs: list[tuple[int, int, int]] = []
        self._serving: dict[tuple[int, int], IntArray] = {}  # of a signal and a movement: phases to choose from
        for i, j in enumerate(plan.intersection.tolist()):
            first = int(network.movement_start[j])
            choices = plan.choices[i][plan.choices[i] >= 0]
            greens = network.phase_matrix(j)[choices]
            for movement, lane in _parted(network, first, greens):
                pairs.append((i, movement, lane))
                self._serving[i, movement] = choices[greens[:, movement - first]]
        self._signal, self._movement, self._lane = np.array(pairs, np.int64).reshape(-1, 3).T
        self._signals = np.unique(self._signal).tolist()

    def first(self, wanted: IntArray, waiting: IntArray | FloatArray | Float32Array, red_s: IntArray) -> IntArray:
        """The wishes (B, I), but for signals where somebody has waited for too long: the movement that has had the
        longest red is served there.

        waiting  (B, L) vehicles that stand on each lane
        red_s    (B, M) seconds since each movement had green
        """
        if not self._signals:
            return wanted
        red = red_s[:, self._movement]
        overdue = (waiting[:, self._lane] > 0) & (red >= LONGEST_RED_S)
        if not overdue.any():
            return wanted
        served = wanted.copy()
        red = np.where(overdue, red, -1)
        for b, i in np.argwhere(self._by_signal(overdue)).tolist():
            signal = self._signals[i]
            longest = self._movement[np.argmax(np.where(self._signal == signal, red[b], -1))]
            serving = self._serving[signal, int(longest)]
            if wanted[b, signal] not in serving:
                served[b, signal] = serving[0]
        return served

    def _by_signal(self, overdue: BoolArray) -> BoolArray:
        columns = [overdue[:, self._signal == signal].any(axis=1) for signal in self._signals]
        return np.stack(columns, axis=1)


def _parted(network: RoadNetwork, first: int, greens: BoolArray) -> list[tuple[int, int]]:
    """Movements, from `first` on, and lanes that they share with another one that never has green when they have."""
    served = np.flatnonzero(greens.any(axis=0))
    together = greens.T.astype(np.int64) @ greens
    on_lane: dict[int, list[int]] = {}
    for m in served.tolist():
        for lane in network.start_lanes(first + m).tolist():
            on_lane.setdefault(lane, []).append(m)
    return [
        (first + m, lane)
        for lane, movements in on_lane.items()
        for m in movements
        if any(together[m, other] == 0 for other in movements)
    ]
