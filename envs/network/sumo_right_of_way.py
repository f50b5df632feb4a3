"""Who yields to whom at SUMO's junctions: crossings of lane links with their right of way, conflicts of movements.

A junction's file lists for every connection its foes and those it yields to. Links that only stand beside a connection
(see `sumo_links`) stand for a lane change: where they meet others that are no foes of theirs, who keeps the lane goes
first, and no conflict of the signal comes of it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from intergreen.envs.errors import shown
from intergreen.envs.network.crossings import first_crossing
from intergreen.envs.network.road_network import YIELD_DISTANCE_M

if TYPE_CHECKING:
    from collections.abc import Sequence

    from intergreen.envs.arrays import BoolArray, FloatArray, IntArray
    from intergreen.envs.network.sumo_net import SumoConnection, SumoJunction, SumoNet

_WITHOUT_REQUESTS = ("dead_end", "dead_end_old", "district", "unregulated", "traffic_light_unregulated")  # in SUMO
SAMPLES = 24  # points of a path that is searched for where it comes nearest to another


class RightOfWay(NamedTuple):
    """By connection: its junction, its number there, and the bits of its foes and of those it yields to."""

    junction: tuple[str, ...]
    number: tuple[int, ...]
    foes: tuple[int, ...]
    yields: tuple[int, ...]
    waits_inside: tuple[bool, ...]

    def are_foes(self, a: int, b: int) -> bool:
        same = self.junction[a] == self.junction[b]
        return same and bool(self.foes[a] >> self.number[b] & 1 or self.foes[b] >> self.number[a] & 1)

    def yields_to(self, a: int, b: int) -> bool:
        return self.junction[a] == self.junction[b] and bool(self.yields[a] >> self.number[b] & 1)

    def right(self, a: int, b: int) -> int:
        """1: connection `a` goes first, -1: `b`, 0: neither or both yield."""
        return int(self.yields_to(b, a)) - int(self.yields_to(a, b))


class _Meeting(NamedTuple):
    """Where link `own` meets link `foe`, as shares of their lengths."""

    own: int
    foe: int
    own_share: float
    foe_share: float
    right: int  # 1: `own` goes first, -1: `foe`, 0: neither
    is_stated: bool  # by the file

    def other_way(self) -> _Meeting:
        return _Meeting(self.foe, self.own, self.foe_share, self.own_share, -self.right, self.is_stated)


BEFORE_INNER_M = 0.1  # SUMO's POSITION_EPS: so far before the end of its first part inside a driver waits


class Links(NamedTuple):
    """What the search for crossings needs to know of the links."""

    connection: IntArray  # (K,)
    is_direct: BoolArray  # (K,)
    merges: BoolArray  # (K,) from a lane that ends, see `sumo_merges`
    from_lane: IntArray  # (K,)
    to_lane: IntArray  # (K,)
    length_m: FloatArray  # (K,)
    inner_m: FloatArray  # (K,) where a driver waits who yields and may wait inside the junction
    points: FloatArray  # (., 2)
    point_start: IntArray  # (K + 1,)


def right_of_way(net: SumoNet) -> RightOfWay:
    """The requests of all junctions by connection; connections without one have no foes.

    Raises
    ------
    InputError
        If a junction's requests are not those of its connections: nobody would know whose greens are in conflict.
    """
    numbers: dict[tuple[str, int], list[int]] = {}
    for number, c in enumerate(net.connections):
        if c.beside < 0:
            numbers.setdefault((c.start_edge, c.start_lane), []).append(number)
    lane_at = {lane.id: (e.id, i) for e in net.edges.values() for i, lane in enumerate(e.lanes)}
    n = len(net.connections)
    place, foes, yields, inside = [0] * n, [0] * n, [0] * n, [False] * n
    for junction in net.junctions.values():
        unknown = [lane for lane in junction.lanes if lane not in lane_at and lane not in net.inside]
        if unknown:
            where = f"<junction id={shown(junction.id)}> incLanes"
            raise net.fail(where, f"{shown(unknown[0])} is not there", "name lanes of the file")
        ordered = [c for lane in junction.lanes if lane in lane_at for c in numbers.get(lane_at[lane], [])]
        _check_requests(net, junction, [net.connections[number] for number in ordered])
        for k, number in enumerate(ordered):
            place[number] = k
            if k < len(junction.foes):
                foes[number], yields[number] = junction.foes[k], junction.responses[k]
                inside[number] = junction.waits_inside[k]
    for number, c in enumerate(net.connections):
        if c.beside >= 0:  # of whom it is beside
            k = c.beside
            place[number], foes[number], yields[number], inside[number] = place[k], foes[k], yields[k], inside[k]
    junctions = tuple(net.junction_of(c) for c in net.connections)
    return RightOfWay(junctions, tuple(place), tuple(foes), tuple(yields), tuple(inside))


def _check_requests(net: SumoNet, junction: SumoJunction, connections: Sequence[SumoConnection]) -> None:
    place, n = f"<junction id={shown(junction.id)}> request", len(connections)
    if junction.kind not in _WITHOUT_REQUESTS and n > len(junction.foes):
        raise net.fail(place, f"there are {len(junction.foes)} for {n} connections", "let netconvert write the network")
    lit = [c for c in connections if c.signal]
    if not junction.foes and len({c.start_edge for c in lit}) > 1:
        problem = f"there is none, so that nobody knows which greens of {shown(lit[0].signal)} are in conflict"
        raise net.fail(place, problem, "use the type traffic_light (netconvert --tls.set)")


def find_sumo_crossings(links: Links, group_start: Sequence[int], order: RightOfWay) -> dict[str, Any]:
    """The network's arrays over the crossings; `group_start` (J + 1,) first link of each intersection."""
    meetings: list[_Meeting] = []
    for first, past in pairwise(group_start):
        for a in range(first, past):
            for b in range(a + 1, past):
                meeting = _meeting(links, a, b, order)
                if meeting is not None:
                    meetings += [meeting, meeting.other_way()]
    meetings.sort(key=lambda one: (one.own, one.own_share))
    own = np.array([one.own for one in meetings], np.int32)
    foe = np.array([one.foe for one in meetings], np.int32)
    at_m = np.array([one.own_share for one in meetings], np.float64) * links.length_m[own]
    foe_at_m = np.array([one.foe_share for one in meetings], np.float64) * links.length_m[foe]
    right = np.array([one.right for one in meetings], np.int8)
    stated = np.array([one.is_stated for one in meetings], np.bool_)
    return {
        "crossing_start": np.searchsorted(own, np.arange(len(links.length_m) + 1)).astype(np.int32),
        "crossing_distance_m": at_m,
        "crossing_foe_link": foe,
        "crossing_foe_distance_m": foe_at_m,
        "crossing_setback_m": _setback_m(links, own, at_m, stated & (right < 0)),
        "crossing_foe_setback_m": _setback_m(links, foe, foe_at_m, stated & (right > 0)),
        "crossing_right": right,
    }


def _setback_m(links: Links, link: IntArray, at_m: FloatArray, has_to: BoolArray) -> FloatArray:
    """(X,) before the crossing; who yields by the file waits at the stop line, or inside where the file allows it."""
    inner_m = links.inner_m[link]
    wait_m = np.where(inner_m < at_m, np.maximum(inner_m - BEFORE_INNER_M, 0.0), 0.0)
    return np.where(has_to, at_m - wait_m, YIELD_DISTANCE_M).astype(np.float64)


def _meeting(links: Links, a: int, b: int, order: RightOfWay) -> _Meeting | None:
    """Where two links meet; None where they do not."""
    own, other = int(links.connection[a]), int(links.connection[b])
    if links.from_lane[a] == links.from_lane[b]:
        return None  # they fan out: the one behind follows the one ahead
    both_direct = bool(links.is_direct[a] and links.is_direct[b])
    foes = order.are_foes(own, other)
    if both_direct and not foes:
        return None
    right = order.right(own, other) if foes else 0
    is_stated = right != 0
    if not is_stated:
        right = int(links.is_direct[a]) - int(links.is_direct[b])
    if links.to_lane[a] == links.to_lane[b]:
        if not is_stated and (links.merges[a] or links.merges[b]):
            right = 0  # who comes first
        return _Meeting(a, b, 1.0, 1.0, right, is_stated)
    shares = _crossing_shares(links, a, b) or (_nearest_shares(links, a, b) if both_direct else None)
    return None if shares is None else _Meeting(a, b, *shares, right, is_stated)


def _crossing_shares(links: Links, a: int, b: int) -> tuple[float, float] | None:
    """How far along each of the two their lines cross, as a share; the file's lengths need not be those drawn."""
    start = links.point_start
    found, at_a, at_b = first_crossing(links.points, start[a], start[a + 1], start[b], start[b + 1])
    if not found:
        return None
    return min(at_a / _along(links, a)[-1], 1.0), min(at_b / _along(links, b)[-1], 1.0)


def _nearest_shares(links: Links, a: int, b: int) -> tuple[float, float]:
    """The same where two paths touch only by their widths: where they come nearest."""
    points_a, points_b = _sampled(links, a), _sampled(links, b)
    apart = np.hypot(*(points_a[:, None, axis] - points_b[None, :, axis] for axis in (0, 1)))
    i, j = np.unravel_index(int(apart.argmin()), apart.shape)
    return float(i) / (SAMPLES - 1), float(j) / (SAMPLES - 1)


def _sampled(links: Links, k: int) -> FloatArray:
    points = links.points[links.point_start[k] : links.point_start[k + 1]]
    along = _along(links, k)
    at = np.linspace(0.0, along[-1], SAMPLES)
    return np.stack([np.interp(at, along, points[:, axis]) for axis in (0, 1)], axis=1)


def _along(links: Links, k: int) -> FloatArray:
    """Distance of each of the link's points from its first, as drawn [m]."""
    steps = np.diff(links.points[links.point_start[k] : links.point_start[k + 1]], axis=0)
    return np.concatenate(([0.0], np.cumsum(np.hypot(steps[:, 0], steps[:, 1]))))
