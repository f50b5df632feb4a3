"""Who yields to whom at SUMO's junctions: crossings of lane links with their right of way, conflicts of movements.

A junction's file lists for every connection its foes and those it yields to. Links that only stand beside a connection
(see `sumo_links`) stand for a lane change: where they meet others that are no foes of theirs, who keeps the lane goes
first, and no conflict of the signal comes of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from intergreen.envs.network.crossings import first_crossing
from intergreen.envs.network.geometry import polyline_lengths
from intergreen.envs.network.road_network import YIELD_DISTANCE_M

if TYPE_CHECKING:
    from collections.abc import Sequence

    from intergreen.envs.arrays import BoolArray, FloatArray, IntArray
    from intergreen.envs.network.sumo_net import SumoNet

_MOST_SAMPLES = 24  # points of a path that is searched for where it comes nearest to another


class RightOfWay(NamedTuple):
    """By connection: its junction, its number there, and the bits of its foes and of those it yields to."""

    junction: tuple[str, ...]
    index: tuple[int, ...]
    foes: tuple[int, ...]
    yields: tuple[int, ...]
    waits_inside: tuple[bool, ...]

    def are_foes(self, a: int, b: int) -> bool:
        same = self.junction[a] == self.junction[b]
        return same and bool(self.foes[a] >> self.index[b] & 1 or self.foes[b] >> self.index[a] & 1)

    def yields_to(self, a: int, b: int) -> bool:
        return self.junction[a] == self.junction[b] and bool(self.yields[a] >> self.index[b] & 1)

    def right(self, a: int, b: int) -> int:
        """1: connection `a` goes first, -1: `b`, 0: neither or both yield."""
        return int(self.yields_to(b, a)) - int(self.yields_to(a, b))


class Links(NamedTuple):
    """What the search for crossings needs to know of the links."""

    connection: IntArray  # (K,)
    is_direct: BoolArray  # (K,)
    from_lane: IntArray  # (K,)
    to_lane: IntArray  # (K,)
    length_m: FloatArray  # (K,)
    inner_m: FloatArray  # (K,) where a driver waits who yields and may wait inside the junction
    points: FloatArray  # (., 2)
    point_start: IntArray  # (K + 1,)


def right_of_way(net: SumoNet) -> RightOfWay:
    """The requests of all junctions by connection; connections without one have no foes."""
    numbers: dict[tuple[str, int], list[int]] = {}
    for number, c in enumerate(net.connections):
        numbers.setdefault((c.start_edge, c.start_lane), []).append(number)
    lane_at = {lane.id: (e.id, i) for e in net.edges.values() for i, lane in enumerate(e.lanes)}
    n = len(net.connections)
    index, foes, yields, inside = [0] * n, [0] * n, [0] * n, [False] * n
    for junction in net.junctions.values():
        ordered = [c for lane in junction.lanes if lane in lane_at for c in numbers.get(lane_at[lane], [])]
        for k, number in enumerate(ordered):
            index[number] = k
            if k < len(junction.foes):
                foes[number], yields[number] = junction.foes[k], junction.responses[k]
                inside[number] = junction.waits_inside[k]
    junctions = tuple(net.junction_of(c) for c in net.connections)
    return RightOfWay(junctions, tuple(index), tuple(foes), tuple(yields), tuple(inside))


def find_sumo_crossings(links: Links, group_start: Sequence[int], order: RightOfWay) -> dict[str, np.ndarray]:
    """The network's arrays over the crossings; `group_start` (J + 1,) first link of each intersection."""
    drawn_m = np.empty(len(links.length_m))
    polyline_lengths(links.points, links.point_start, drawn_m)
    scale = np.divide(links.length_m, drawn_m, out=np.ones_like(drawn_m), where=drawn_m > 0)
    rows: list[tuple[int, int, float, float, int, bool]] = []  # own, foe, own distance, foe distance, right, by the file
    for first, past in zip(group_start[:-1], group_start[1:], strict=True):
        for a in range(first, past):
            for b in range(a + 1, past):
                meeting = _meeting(links, a, b, order)
                if meeting is None:
                    continue
                at_a, at_b, right, stated = meeting[0] * scale[a], meeting[1] * scale[b], meeting[2], meeting[3]
                rows += [(a, b, at_a, at_b, right, stated), (b, a, at_b, at_a, -right, stated)]
    rows.sort(key=lambda row: (row[0], row[2]))
    columns = [np.array(column) for column in zip(*rows, strict=True)] if rows else [np.zeros(0)] * 6
    own, foe = columns[0].astype(np.int32), columns[1].astype(np.int32)
    at, foe_at, right, stated = *columns[2:5], columns[5].astype(np.bool_)
    return {
        "crossing_start": np.searchsorted(own, np.arange(len(drawn_m) + 1)).astype(np.int32),
        "crossing_distance_m": at.astype(np.float64),
        "crossing_foe_link": foe,
        "crossing_foe_distance_m": foe_at.astype(np.float64),
        "crossing_setback_m": _setback_m(links, own, at, stated & (right < 0)),
        "crossing_foe_setback_m": _setback_m(links, foe, foe_at, stated & (right > 0)),
        "crossing_right": right.astype(np.int8),
    }


def _setback_m(links: Links, link: IntArray, at_m: FloatArray, has_to: BoolArray) -> FloatArray:
    """(X,) who yields by the file waits at the stop line, or inside where it allows that; others before the crossing."""
    inner_m = links.inner_m[link]
    wait_m = np.where(inner_m < at_m, inner_m, 0.0)
    return np.where(has_to, at_m - wait_m, YIELD_DISTANCE_M).astype(np.float64)


def _meeting(links: Links, a: int, b: int, order: RightOfWay) -> tuple[float, float, int, bool] | None:
    """Where two links meet along each, as drawn, which goes first and whether by the file; None where they do not."""
    own, other = int(links.connection[a]), int(links.connection[b])
    if links.from_lane[a] == links.from_lane[b]:
        return None  # they fan out: the one behind follows the one ahead
    both_direct = bool(links.is_direct[a] and links.is_direct[b])
    foes = order.are_foes(own, other)
    if both_direct and not foes:
        return None
    right = order.right(own, other) if foes else 0
    stated = right != 0
    if not stated:
        right = int(links.is_direct[a]) - int(links.is_direct[b])
    if links.to_lane[a] == links.to_lane[b]:
        return _drawn_m(links, a), _drawn_m(links, b), right, stated
    start = links.point_start
    found, at_a, at_b = first_crossing(links.points, start[a], start[a + 1], start[b], start[b + 1])
    if found:
        return at_a, at_b, right, stated
    return (*_nearest(links, a, b), right, stated) if both_direct else None


def _drawn_m(links: Links, k: int) -> float:
    steps = np.diff(links.points[links.point_start[k] : links.point_start[k + 1]], axis=0)
    return float(np.hypot(steps[:, 0], steps[:, 1]).sum())


def _nearest(links: Links, a: int, b: int) -> tuple[float, float]:
    """Where two paths that touch only by their widths come nearest, along each."""
    along_a, points_a = _sampled(links, a)
    along_b, points_b = _sampled(links, b)
    apart = np.hypot(*(points_a[:, None, axis] - points_b[None, :, axis] for axis in (0, 1)))
    i, j = np.unravel_index(int(apart.argmin()), apart.shape)
    return float(along_a[i]), float(along_b[j])


def _sampled(links: Links, k: int) -> tuple[FloatArray, FloatArray]:
    points = links.points[links.point_start[k] : links.point_start[k + 1]]
    steps = np.diff(points, axis=0)
    along = np.concatenate(([0.0], np.cumsum(np.hypot(steps[:, 0], steps[:, 1]))))
    at = np.linspace(0.0, along[-1], _MOST_SAMPLES)
    return at, np.stack([np.interp(at, along, points[:, axis]) for axis in (0, 1)], axis=1)
