"""Lanes that several movements share, of which some phase serves only a part: who waits there for another phase closes
the lane for the others.

Counts do not tell where the first one wants to go, and the queue that a policy would serve may not move. So a movement
that has had red for a while goes before the others of its lane, where the policy would serve them without it: those
whose greens are apart, and a left turn before straight traffic, as in a phase between leading and lagging left turns.
Where greens are apart, no such lane stands for ever, whatever the policy wishes. The lane ends at the stop line, or
before pockets for the turns; there a movement closes it once its pocket is full. Permitted turns and phases of one
approach change nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from intergreen.agents.controllers.usable import usable
from intergreen.envs.network import STRAIGHT, TURN_LEFT
from intergreen.envs.network.approaches import approach_lanes_by_movement
from intergreen.envs.observation import VEHICLE_ROOM_M

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from intergreen.envs.arrays import BoolArray, Float32Array, FloatArray, IntArray
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.signals import SignalPlan

Ways = list[tuple[int, ...]]

BEFORE_OTHERS_S = 20  # of red, with somebody on the lane: then a movement goes before the others
LONGEST_RED_S = 90  # of a movement whose greens are apart from theirs, whatever is wished
STOPS_BEFORE_M = 1.0  # the line; who stands first


class PartedLanes:
    """Those of a network under a plan: N ways of a movement from a lane that it shares to the stop line."""

    def __init__(self, network: RoadNetwork, plan: SignalPlan) -> None:
        rows: list[_Row] = []
        self._serving: dict[tuple[int, int], IntArray] = {}  # of a signal and a movement: phases to choose from
        starts, lanes = approach_lanes_by_movement(network)
        for i, j in enumerate(plan.intersection.tolist()):
            first, past = network.movement_start[j : j + 2].tolist()
            choices = plan.choices[i][plan.choices[i] >= 0]
            greens = network.phase_matrix(j)[choices]
            turns = network.movement_turn[first:past].tolist()
            ways = [_ways_by_lane(network, m, lanes[starts[m] : starts[m + 1]].tolist()) for m in range(first, past)]
            for m, lane, is_apart, others_alone in _shares(ways, greens, turns):
                self._serving[i, first + m] = choices[greens[:, m]]
                rows += [_Row(i, first + m, lane, is_apart, choices[others_alone], way) for way in ways[m][lane]]
        self._signal = np.array([row.signal for row in rows], np.int64)
        self._movement = np.array([row.movement for row in rows], np.int64)
        self._lane = np.array([row.lane for row in rows], np.int64)
        self._apart = np.array([row.apart for row in rows], np.bool_)
        self._closing = np.zeros((len(rows), plan.is_choice.shape[1] + 1), np.bool_)  # the last for no wish at all
        for n, row in enumerate(rows):
            self._closing[n, row.others_alone] = True
        pockets = [(n, pocket) for n, row in enumerate(rows) for pocket in row.pockets]
        self._way, self._pocket = np.array(pockets, np.int64).reshape(-1, 2).T
        self._room = np.bincount(self._way, _room(network.lane_length_m[self._pocket]), len(rows))
        self._signals = np.unique(self._signal).tolist()

    def first(self, wanted: IntArray, waiting: IntArray | FloatArray | Float32Array, red_s: IntArray) -> IntArray:
        """The wishes (B, I), but for signals where somebody has waited for too long: of those movements the one that
        has had the longest red is served there.

        waiting  (B, L) vehicles that stand on each lane
        red_s    (B, M) seconds since each movement had green
        """
        if not self._signals:
            return wanted
        red = red_s[:, self._movement]
        overdue = (waiting[:, self._lane] > 0) & (red >= BEFORE_OTHERS_S)
        if not overdue.any():
            return wanted
        closes = self._closing[np.arange(len(self._lane)), wanted[:, self._signal]]
        overdue &= closes | (self._apart & (red >= LONGEST_RED_S))
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


class _Row(NamedTuple):
    """A movement and a lane that it shares with others, and one of its ways from there to the stop line."""

    signal: int
    movement: int
    lane: int
    apart: bool  # some of the others never have green together with it
    others_alone: IntArray  # phases in which others have green without it
    pockets: tuple[int, ...]  # lanes between that one and the stop line


def _shares(
    ways: Sequence[Mapping[int, Ways]], greens: BoolArray, turns: Sequence[int]
) -> Iterator[tuple[int, int, bool, BoolArray]]:
    """Movements of a signal that may close a lane for others: movement, lane, `apart`, choices with `others_alone`.

    greens  (choices, movements)
    """
    together = greens.T.astype(np.int64) @ greens
    waits = [not column.all() for column in greens.T]  # no phase is chosen for the others
    on_lane: dict[int, list[int]] = {}
    for m in np.flatnonzero(greens.any(axis=0)).tolist():
        for lane in ways[m]:
            on_lane.setdefault(lane, []).append(m)
    for lane, movements in on_lane.items():
        for m in movements:
            apart = any(together[m, other] == 0 for other in movements)
            others = [o for o in movements if waits[o] and (apart or (turns[m] == TURN_LEFT and turns[o] == STRAIGHT))]
            others_alone = greens[:, others].any(axis=1) & ~greens[:, m]
            if others_alone.any():
                yield m, lane, apart, others_alone


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
