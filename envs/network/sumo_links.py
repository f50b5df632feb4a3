"""Paths through SUMO's junctions as lane links: one for every connection, and one for every lane beside its end.

SUMO's drivers change lanes along a road. Ours keep their lane, so they take the lane they will need where they drive
onto the road, as in the literature's networks: a connection to one lane of a road has links to the others as well.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from intergreen.envs.network.sumo_net import Point, SumoConnection, SumoEdge, SumoLane, SumoNet


class Path(NamedTuple):
    """The way of one connection through its junction."""

    points: tuple[Point, ...]
    length_m: float
    speed_mps: float
    inner_m: float  # along it, where a driver who may wait inside the junction waits; 0 at the stop line


class Link(NamedTuple):
    """A lane link; `connection` is the one it follows, `is_direct` whether it is that connection itself."""

    connection: int
    end_lane: int  # from the right
    is_direct: bool
    points: tuple[Point, ...]


def path_of(net: SumoNet, connection: SumoConnection) -> Path | None:
    """The path, None where a car may not take it."""
    start = net.edges[connection.start_edge].lanes[connection.start_lane]
    end = net.edges[connection.end_edge].lanes[connection.end_lane]
    inside = _lanes_inside(net, connection)
    if not (connection.for_cars and start.for_cars and end.for_cars and all(lane.for_cars for lane in inside)):
        return None
    points = _joined([start.shape[-1:], *(lane.shape for lane in inside), end.shape[:1]])
    if not inside:
        return Path(points, _length_m(points), min(start.speed_mps, end.speed_mps), 0.0)
    return Path(
        points,
        sum(lane.length_m for lane in inside),
        min(lane.speed_mps for lane in inside),
        inside[0].length_m if len(inside) > 1 else 0.0,
    )


def links_of(net: SumoNet, paths: list[Path | None]) -> list[Link]:
    """Links of all connections with a path, those of one connection together, the direct one first."""
    has_way_on = {(c.start_edge, c.start_lane) for c, path in zip(net.connections, paths, strict=True) if path}
    targets: dict[tuple[str, int, str], list[int]] = {}
    for c, path in zip(net.connections, paths, strict=True):
        if path is not None:
            targets.setdefault((c.start_edge, c.start_lane, c.end_edge), []).append(c.end_lane)
    links = []
    for number, (c, path) in enumerate(zip(net.connections, paths, strict=True)):
        if path is None:
            continue
        links.append(Link(number, c.end_lane, c.beside < 0, path.points))
        direct = targets[c.start_edge, c.start_lane, c.end_edge]
        for lane in _useful_lanes(net.edges[c.end_edge], has_way_on):
            nearest = min((abs(end - lane), end) for end in direct)[1]
            if lane not in direct and nearest == c.end_lane:
                points = _bent(path.points, net.edges[c.end_edge].lanes[lane].shape[0])
                links.append(Link(number, lane, False, points))
    return links


def _useful_lanes(edge: SumoEdge, has_way_on: set[tuple[str, int]]) -> list[int]:
    """Lanes for cars that lead on; all of them at the edge of the network."""
    cars = [i for i, lane in enumerate(edge.lanes) if lane.for_cars]
    return [i for i in cars if (edge.id, i) in has_way_on] or cars


def _lanes_inside(net: SumoNet, connection: SumoConnection) -> list[SumoLane]:
    chain: list[SumoLane] = []
    via = connection.via
    while via in net.inside and net.inside[via] not in chain:
        chain.append(net.inside[via])
        via = net.onward.get(via, "")
    return chain


def _joined(parts: list[tuple[Point, ...]]) -> tuple[Point, ...]:
    points: list[Point] = []
    for part in parts:
        points.extend(point for point in part if not points or point != points[-1])
    return tuple(points) if len(points) > 1 else (points[0], points[0])


def _length_m(points: tuple[Point, ...]) -> float:
    return sum(math.dist(a, b) for a, b in pairwise(points))


def _bent(points: tuple[Point, ...], end: Point) -> tuple[Point, ...]:
    """The path bent aside, more and more along it, so that it ends at `end`."""
    total, along = _length_m(points), 0.0
    dx, dy = end[0] - points[-1][0], end[1] - points[-1][1]
    bent = [points[0]]
    for a, b in pairwise(points):
        along += math.dist(a, b)
        share = along / total if total > 0 else 1.0
        bent.append((b[0] + share * dx, b[1] + share * dy))
    return tuple(bent)
