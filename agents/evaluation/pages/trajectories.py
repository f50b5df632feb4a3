"""Where every vehicle was, second by second, kept in a hundredth of the space: its way, and how far along it when.

A vehicle's way is the lanes and lane links it drove on, in turn; how far along is kept to `QUANTUM_M` in points between
which a straight line is right within `TOLERANCE_M`. A vehicle that changes lanes, or whose way shows a gap, is kept as
two that follow each other. Reads `Positions` and the network, so that any simulator's runs can be kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from intergreen.agents.evaluation.pages.simplify import Points, Simplifier

if TYPE_CHECKING:
    from intergreen.envs.arrays import BoolArray, FloatArray, IntArray
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.simulation import Positions

QUANTUM_M = 0.1
TOLERANCE_M = 0.4
_MOST_SKIPPED = 4  # drivables that may lie between two seconds of a vehicle


class Kept(NamedTuple):
    """Ways and points of n pieces of trips."""

    trip: IntArray  # (n,)
    way_start: IntArray  # (n + 1,) into `way`
    way: IntArray  # drivables: lane 0..L-1, or L + lane link
    point_start: IntArray  # (n + 1,) into the arrays that follow
    time_s: IntArray
    along: IntArray  # in units of QUANTUM_M from the start of the first drivable


class Trajectories:
    """Collects the seconds of one replica; every second must be noted."""

    def __init__(self, network: RoadNetwork) -> None:
        self._network = network
        self._length_m: FloatArray = np.concatenate([network.lane_length_m, network.link_length_m])
        self._lines = Simplifier((TOLERANCE_M - QUANTUM_M / 2) / QUANTUM_M)
        self._between: dict[tuple[int, int], tuple[int, ...] | None] = {}
        self._ways: list[tuple[IntArray, IntArray]] = []  # piece, drivable
        self._trips: list[IntArray] = []
        self._piece: IntArray = np.zeros(0, np.int32)  # by trip
        self._seen_s: IntArray = np.zeros(0, np.int32)
        self._drivable: IntArray = np.zeros(0, np.int32)
        self._offset_m: FloatArray = np.zeros(0)

    def note(self, time_s: int, now: Positions) -> None:
        """Note where everybody is at this second."""
        self._make_room(int(now.trip.max(initial=-1)) + 1)
        trip, drivable, distance_m = self._one_each(now)
        goes_on = self._seen_s[trip] == time_s - 1
        goes_on[goes_on] = self._follow(trip[goes_on], drivable[goes_on])
        self._begin(time_s, trip[~goes_on], drivable[~goes_on], distance_m[~goes_on])
        mine = trip[goes_on]
        self._lines.go_on(self._piece[mine], time_s, _quantised(self._offset_m[mine] + distance_m[goes_on]))
        self._seen_s[trip], self._drivable[trip] = time_s, drivable

    def kept(self) -> Kept:
        """All pieces so far."""
        n = self._lines.n_lines
        points: Points = self._lines.points()
        piece, way = _joined(self._ways)
        order = np.argsort(piece, kind="stable")
        trip = np.concatenate([np.zeros(0, np.int32), *self._trips])
        return Kept(trip, _starts(piece, n), way[order], _starts(points.line, n), points.time_s, points.value)

    def _one_each(self, now: Positions) -> tuple[IntArray, IntArray, FloatArray]:
        """Who changes lanes is on both: the place that goes on with the vehicle's way, if one does."""
        trip, drivable, distance_m = now.trip, now.drivable, now.distance
        order = np.lexsort((drivable == self._drivable[trip], trip))
        trip, drivable, distance_m = trip[order], drivable[order], distance_m[order]
        is_last = np.append(trip[1:] != trip[:-1], True) if len(trip) else np.zeros(0, np.bool_)
        return trip[is_last], drivable[is_last], distance_m[is_last]

    def _begin(self, time_s: int, trip: IntArray, drivable: IntArray, distance_m: FloatArray) -> None:
        piece = self._lines.begin(time_s, _quantised(distance_m))
        self._trips.append(trip)
        self._ways.append((piece, drivable))
        self._piece[trip], self._offset_m[trip] = piece, 0.0

    def _follow(self, trip: IntArray, drivable: IntArray) -> BoolArray:
        """Lengthen the ways of those who are somewhere else than a second ago; (n,) False: there is no way there."""
        before = self._drivable[trip]
        found = np.ones(len(trip), np.bool_)
        moved = np.flatnonzero(before != drivable)
        joined = self._joins(before[moved], drivable[moved])
        straight = moved[joined]
        self._offset_m[trip[straight]] += self._length_m[before[straight]]
        self._ways.append((self._piece[trip[straight]], drivable[straight]))
        for k in moved[~joined].tolist():
            found[k] = self._follow_one(int(trip[k]), int(before[k]), int(drivable[k]))
        return found

    def _joins(self, before: IntArray, after: IntArray) -> BoolArray:
        """(n,) does the one drivable begin where the other ends."""
        n_lanes, n_links = self._network.n_lanes, self._network.n_links
        link_before, link_after = (np.clip(d - n_lanes, 0, max(n_links - 1, 0)) for d in (before, after))
        into = (before < n_lanes) & (after >= n_lanes) & (self._network.link_from_lane[link_after] == before)
        out = (before >= n_lanes) & (after < n_lanes) & (self._network.link_to_lane[link_before] == after)
        return into | out

    def _follow_one(self, trip: int, before: int, after: int) -> bool:
        """The same for a vehicle that has passed whole drivables within the second."""
        key = before, after
        if key not in self._between:
            self._between[key] = self._way_between(before, after)
        between = self._between[key]
        if between is None:
            return False
        way = np.array([*between, after], np.int32)
        self._offset_m[trip] += self._length_m[[before, *between]].sum()
        self._ways.append((np.full(len(way), self._piece[trip], np.int32), way))
        return True

    def _way_between(self, before: int, after: int) -> tuple[int, ...] | None:
        """Fewest drivables from one to the other, both left out."""
        ways: list[tuple[int, ...]] = [()]
        for _ in range(_MOST_SKIPPED + 1):
            longer = [(*way, d) for way in ways for d in self._after(way[-1] if way else before)]
            arrived = [way[:-1] for way in longer if way[-1] == after]
            if arrived:
                return arrived[0]
            ways = longer
        return None

    def _after(self, drivable: int) -> list[int]:
        network = self._network
        if drivable >= network.n_lanes:
            return [int(network.link_to_lane[drivable - network.n_lanes])]
        first, past = network.lane_link_start[drivable : drivable + 2]
        return [network.n_lanes + int(link) for link in network.lane_links[first:past]]

    def _make_room(self, n_trips: int) -> None:
        size = len(self._piece)
        if n_trips > size:
            more = max(n_trips, 2 * size, 1024) - size
            self._piece = np.concatenate([self._piece, np.full(more, -1, np.int32)])
            self._seen_s = np.concatenate([self._seen_s, np.full(more, -2, np.int32)])
            self._drivable = np.concatenate([self._drivable, np.full(more, -1, np.int32)])
            self._offset_m = np.concatenate([self._offset_m, np.zeros(more)])


def place_at(kept: Kept, network: RoadNetwork, piece: int, time_s: float) -> tuple[int, float]:
    """Drivable and distance [m] of a piece at a time between its first and last point, as the page works it out."""
    points = slice(kept.point_start[piece], kept.point_start[piece + 1])
    along_m = float(np.interp(time_s, kept.time_s[points], kept.along[points])) * QUANTUM_M
    length_m = np.concatenate([network.lane_length_m, network.link_length_m])
    way = kept.way[kept.way_start[piece] : kept.way_start[piece + 1]]
    begins_m = np.append(0.0, np.cumsum(length_m[way[:-1]]))
    leg = max(int(np.searchsorted(begins_m, along_m, side="right")) - 1, 0)
    return int(way[leg]), along_m - float(begins_m[leg])


def _quantised(metres: FloatArray) -> IntArray:
    return np.round(metres / QUANTUM_M).astype(np.int32)


def _starts(sorted_or_not: IntArray, n: int) -> IntArray:
    counts = np.bincount(sorted_or_not, minlength=n)
    return np.append(0, np.cumsum(counts)).astype(np.int32)


def _joined(columns: list[tuple[IntArray, IntArray]]) -> tuple[IntArray, IntArray]:
    empty = np.zeros(0, np.int32)
    first, second = (np.concatenate([empty, *(pair[k] for pair in columns)]) for k in (0, 1))
    return first, second
