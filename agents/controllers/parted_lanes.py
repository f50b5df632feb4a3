"""Lanes that several movements share, of which some phase serves only a part: who waits there for another phase closes
the lane for the others.

Counts do not tell where the first one wants to go, and the queue that a policy would serve may not move. So a movement
that has had red for a while goes before the others of its lane, where the policy would serve them without it: those
whose greens are apart, and a left turn before straight traffic, as in a phase between leading and lagging left turns.
Where greens are apart it is served after a longer red also if the policy wishes something else, as long as nobody whom
that would serve has waited longer. The lane ends at the stop line, or before pockets for the turns; there a movement
closes it once its pocket is full. Permitted turns and phases of one approach change nothing, and nothing is wished that
the shield would refuse.
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

    from intergreen.envs.arrays import BoolArray, ByteArray, Float32Array, FloatArray, IntArray
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.signals import SignalPlan

    Counts = IntArray | FloatArray | Float32Array

BEFORE_OTHERS_S = 20  # of red, with somebody on the lane: then a movement goes before the others
LONGEST_RED_S = 90  # of a movement whose greens are apart from others', whatever is wished
STOPS_BEFORE_M = 1.0  # the line; who stands first


class PartedLanes:
    """Those of a network under a plan: N ways of a movement from a lane that it shares to the stop line."""

    def __init__(self, network: RoadNetwork, plan: SignalPlan) -> None:
        rows: list[_Row] = []
        self._signals: list[_Signal] = []
        starts, lanes = approach_lanes_by_movement(network)
        for i, j in enumerate(plan.intersection.tolist()):
            first, past = network.movement_start[j : j + 2].tolist()
            here = lanes[starts[first] : starts[past]].tolist()
            if len(set(here)) == len(here):
                continue  # no two movements have a lane in common
            choices = plan.choices[i][plan.choices[i] >= 0]
            matrix = network.phase_matrix(j)
            turns = network.movement_turn[first:past].tolist()
            ways = [_ways_by_lane(network, m, lanes[starts[m] : starts[m + 1]].tolist()) for m in range(first, past)]
            found = [
                _Row(i, first + m, lane, is_apart, choices[others_alone], way)
                for m, lane, is_apart, others_alone in _shares(ways, matrix[choices], turns)
                for way in ways[m][lane]
            ]
            if found:
                stop_lanes = [network.start_lanes(m) for m in range(first, past)]
                this = _Signal(i, len(rows), first, int(plan.phase_offset[i]), choices, matrix, stop_lanes)
                self._signals.append(this)
            rows += found
        self._signal = np.array([row.signal for row in rows], np.int64)
        self._movement = np.array([row.movement for row in rows], np.int64)
        self._lane = np.array([row.lane for row in rows], np.int64)
        self._apart = np.array([row.apart for row in rows], np.bool_)
        self._closing = np.zeros((len(rows), plan.is_choice.shape[1] + 1), np.bool_)  # the last for no wish at all
        for n, row in enumerate(rows):
            self._closing[n, row.others_alone] = True
        pockets = [(n, pocket) for n, row in enumerate(rows) for pocket in row.pockets]
        self._way, self._pocket = np.array(pockets, np.int64).reshape(-1, 2).T
        length_m = np.bincount(self._way, network.lane_length_m[self._pocket], len(rows)).astype(np.float64)
        self._room = standing_room(length_m)

    def first(self, wanted: IntArray, waiting: Counts, red_s: IntArray, granted: ByteArray) -> IntArray:
        """The wishes (B, I), but for signals where somebody has waited for too long: of those movements the one that
        has had the longest red is served there, with as many others as can be who stand.

        waiting  (B, L) vehicles that stand on each lane
        red_s    (B, M) seconds since each movement had green
        granted  (B, P) would the shield show the phase now
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
        longest_s = np.maximum.reduceat(red, [signal.row for signal in self._signals], axis=1)
        for b, k in np.argwhere(longest_s >= 0).tolist():
            signal = self._signals[k]
            row = signal.row + int(np.argmax(red[b, signal.row :] == longest_s[b, k]))
            standing = [usable(waiting[b, lanes].astype(np.float64)).sum() for lanes in signal.stop_lanes]
            wish = int(wanted[b, signal.number])
            if not closes[b, row] and signal.longest_red_s(wish, standing, red_s[b]) > longest_s[b, k]:
                continue
            served[b, signal.number] = signal.serving(int(self._movement[row]), wish, standing, granted[b])
        return served

    def _in_pockets(self, waiting: Counts) -> FloatArray:
        """(B, N) vehicles that stand between each way's lane and the stop line."""
        standing = usable(waiting[:, self._pocket].astype(np.float64))
        return np.stack([np.bincount(self._way, row, len(self._lane)) for row in standing])


class _Row(NamedTuple):
    """A movement and a lane that it shares with others, and one of its ways from there to the stop line."""

    signal: int
    movement: int
    lane: int
    apart: bool  # some of the others never have green together with it
    others_alone: IntArray  # phases in which others have green without it
    pockets: tuple[int, ...]  # lanes between that one and the stop line


class _Signal(NamedTuple):
    """A signal with rows."""

    number: int
    row: int  # the first of its own
    first: int  # movement
    phase_offset: int
    choices: IntArray
    matrix: BoolArray  # (phases, movements)
    stop_lanes: list[IntArray]  # of its movements

    def serving(self, movement: int, wish: int, standing: Sequence[float], granted: ByteArray) -> int:
        """The granted phase for a movement in which most of those who stand have green; the wish, if that serves it or
        none is granted.

        standing  vehicles before the stop line, of each of the signal's movements
        granted   (P,) of all phases of the network
        """
        fit = [p for p in self.choices.tolist() if self.matrix[p, movement - self.first]]
        if wish in fit:
            return wish
        shown = [p for p in fit if granted[self.phase_offset + p]]
        return max(shown, key=lambda p: float(self.matrix[p] @ np.array(standing)), default=wish)

    def longest_red_s(self, wish: int, standing: Sequence[float], red_s: IntArray) -> int:
        """Seconds, of who stands and would have green in the wish; -1 for nobody. `red_s` (M,) of the network's."""
        greens = np.flatnonzero(self.matrix[wish]).tolist() if wish >= 0 else []
        return max((int(red_s[self.first + m]) for m in greens if standing[m] > 0), default=-1)


def _shares(
    ways: Sequence[Mapping[int, Sequence[tuple[int, ...]]]], greens: BoolArray, turns: Sequence[int]
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


def _ways_by_lane(network: RoadNetwork, movement: int, approach: list[int]) -> dict[int, list[tuple[int, ...]]]:
    """From each lane of an approach: the lanes that follow, up to the stop line, where no change of lane is needed.

    One way for every next lane, from there on the longest: who finds that lane full does not move.
    """
    longest: dict[int, tuple[int, ...] | None] = dict.fromkeys(network.start_lanes(movement).tolist(), ())

    def ahead(lane: int) -> list[int]:
        links = network.lane_links[network.lane_link_start[lane] : network.lane_link_start[lane + 1]]
        onto = network.link_to_lane[links[~network.link_changes_lane[links]]]
        return sorted(set(onto.tolist()).intersection(approach))

    def ways(lane: int) -> list[tuple[int, ...]]:
        return [(nearer, *way) for nearer in ahead(lane) if (way := longest_from(nearer)) is not None]

    def longest_from(lane: int) -> tuple[int, ...] | None:
        if lane not in longest:
            longest[lane] = None  # while it is looked for: roads may lead in a ring
            longest[lane] = max(ways(lane), key=lambda way: float(network.lane_length_m[list(way)].sum()), default=None)
        return longest[lane]

    by_lane: dict[int, list[tuple[int, ...]]] = {lane: [()] for lane in longest}
    by_lane |= {lane: ways(lane) for lane in approach if lane not in by_lane}
    return {lane: some for lane, some in by_lane.items() if some}


def standing_room(length_m: FloatArray) -> FloatArray:
    """Vehicles that stand on so much road before a stop line; the next one stands on the lane before. None: 0."""
    return np.maximum(np.floor((length_m - STOPS_BEFORE_M) / VEHICLE_ROOM_M) + 1.0, 0.0)
