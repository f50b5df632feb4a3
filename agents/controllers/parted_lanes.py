"""Lanes that several movements share and whose greens are apart: whoever is first there closes the lane for the others.

Counts do not tell where the first one wants to go, and the queue that a policy would serve may not move. So a movement
that has waited long enough is served before the policy's wish is: no such lane stands for ever. The lane ends at the
stop line, or before pockets for the turns; there a movement closes it once its pocket is full. Where movements of a
lane have green together in some choice, as with permitted turns and phases of one approach, nothing is changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from intergreen.agents.controllers.usable import usable
from intergreen.envs.network.approaches import approach_lanes_by_movement
from intergreen.envs.observation import VEHICLE_ROOM_M

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from intergreen.envs.arrays import BoolArray, Float32Array, FloatArray, IntArray
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.signals import SignalPlan

Ways = list[tuple[int, ...]]

LONGEST_RED_S = 45  # of a movement with somebody on such a lane
STOPS_BEFORE_M = 1.0  # the line; who stands first


class PartedLanes:
    """Those of a network under a plan: N ways of a movement from a lane that it shares to the stop line."""

    def __init__(self, network: RoadNetwork, plan: SignalPlan) -> None:
        rows: list[tuple[int, int, int]] = []
        pockets: list[tuple[int, int]] = []  # of a way, and a lane between the shared one and the stop line
        self._serving: dict[tuple[int, int], IntArray] = {}  # of a signal and a movement: phases to choose from
        starts, lanes = approach_lanes_by_movement(network)
        for i, j in enumerate(plan.intersection.tolist()):
            first, past = network.movement_start[j : j + 2].tolist()
            choices = plan.choices[i][plan.choices[i] >= 0]
            greens = network.phase_matrix(j)[choices]
            ways = {m: _ways_by_lane(network, m, lanes[starts[m] : starts[m + 1]].tolist()) for m in range(first, past)}
            for movement, lane in _parted(ways, first, greens):
                self._serving[i, movement] = choices[greens[:, movement - first]]
                for way in ways[movement][lane]:
                    pockets += [(len(rows), pocket) for pocket in way]
                    rows.append((i, movement, lane))
        self._signal, self._movement, self._lane = np.array(rows, np.int64).reshape(-1, 3).T
        self._way, self._pocket = np.array(pockets, np.int64).reshape(-1, 2).T
        self._room = np.bincount(self._way, _room(network.lane_length_m[self._pocket]), len(rows))
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
        overdue &= self._in_pockets(waiting) >= self._room
        served = wanted.copy()
        red = np.where(overdue, red, -1)
        for b, i in np.argwhere(self._by_signal(overdue)).tolist():
            signal = self._signals[i]
            longest = self._movement[np.argmax(np.where(self._signal == signal, red[b], -1))]
            serving = self._serving[signal, int(longest)]
            if wanted[b, signal] not in serving:
                served[b, signal] = serving[0]
        return served

    def _in_pockets(self, waiting: IntArray | FloatArray | Float32Array) -> FloatArray:
        """(B, N) vehicles that stand between each way's lane and the stop line."""
        standing = usable(waiting[:, self._pocket].astype(np.float64))
        return np.stack([np.bincount(self._way, row, len(self._lane)) for row in standing])

    def _by_signal(self, overdue: BoolArray) -> BoolArray:
        columns = [overdue[:, self._signal == signal].any(axis=1) for signal in self._signals]
        return np.stack(columns, axis=1)


def _parted(ways: Mapping[int, Mapping[int, Ways]], first: int, greens: BoolArray) -> list[tuple[int, int]]:
    """Movements, from `first` on, and lanes that they share with another one that never has green when they have."""
    served = np.flatnonzero(greens.any(axis=0))
    together = greens.T.astype(np.int64) @ greens
    on_lane: dict[int, list[int]] = {}
    for m in served.tolist():
        for lane in ways[first + m]:
            on_lane.setdefault(lane, []).append(m)
    return [
        (first + m, lane)
        for lane, movements in on_lane.items()
        for m in movements
        if any(together[m, other] == 0 for other in movements)
    ]


def _ways_by_lane(network: RoadNetwork, movement: int, approach: list[int]) -> dict[int, Ways]:
    """Of the lanes of an approach: the lanes that follow, up to the stop line, where no change of lane is needed."""
    stop_line = set(network.start_lanes(movement).tolist())
    ways = {lane: list(_ways(network, lane, stop_line, approach)) for lane in approach}
    return {lane: some for lane, some in ways.items() if some}


def _ways(network: RoadNetwork, lane: int, stop_line: set[int], approach: list[int]) -> Iterator[tuple[int, ...]]:
    if lane in stop_line:
        yield ()
        return
    links = network.lane_links[network.lane_link_start[lane] : network.lane_link_start[lane + 1]]
    ahead = network.link_to_lane[links[~network.link_changes_lane[links]]]
    farther = [other for other in approach if other != lane]
    for nearer in sorted(set(ahead.tolist()).intersection(farther)):
        for way in _ways(network, nearer, stop_line, farther):
            yield (nearer, *way)


def _room(length_m: FloatArray) -> FloatArray:
    """Vehicles that stand on lanes of such lengths before a stop line; the next one stands on the lane before."""
    return np.maximum(np.floor((length_m - STOPS_BEFORE_M) / VEHICLE_ROOM_M) + 1.0, 0.0)
