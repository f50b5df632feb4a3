"""From streets to a network: what all generators share. Turns, turn lanes and link lists follow from the angles.

A street is a two-way connection of two nodes; a node with one street is the edge of the network.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from intergreen.envs.network.builder import build_network
from intergreen.envs.network.description import (
    IntersectionDescription,
    LaneDescription,
    LinkDescription,
    MovementDescription,
    NetworkDescription,
    Point,
    RoadDescription,
)
from intergreen.envs.network.phases import Timing, banned_movements, with_phases
from intergreen.envs.network.road_network import STRAIGHT, TURN_LEFT, TURN_RIGHT, RoadNetwork

STRAIGHT_WITHIN_DEG = 45.0
KERB_M = 3.0  # from the outermost lane to the edge of the intersection; 15 m for three lanes, as in the literature


class Node(NamedTuple):
    id: str
    point: Point


class Street(NamedTuple):
    """Two roads between nodes a and b, each with the same lanes."""

    a: int
    b: int
    there_id: str  # road from a to b
    back_id: str
    lanes: int
    speed_limit_mps: float
    lane_width_m: float = 4.0
    via: tuple[Point, ...] = ()  # bends, from a to b


class _Leg(NamedTuple):
    """One arm of a node: the roads in and out, and where they head [degrees, anticlockwise from east]."""

    road_in: int
    road_out: int
    heading_in_deg: float
    heading_out_deg: float
    lanes: int
    half_width_m: float


def network_from_streets(name: str, nodes: Sequence[Node], streets: Sequence[Street], timing: Timing) -> RoadNetwork:
    """The network with turn lanes, always-green right turns and phases from the conflicts.

    Road ``2 s`` runs along street ``s``, road ``2 s + 1`` against it.
    """
    roads = tuple(road for street in streets for road in _roads(street, nodes))
    legs = _legs(roads, len(nodes))
    intersections = tuple(_intersection(node, arms) for node, arms in zip(nodes, legs, strict=True))
    description = NetworkDescription(name, f"generated {name}", intersections, roads)
    network = build_network(description)
    banned = banned_movements(network)
    if banned:
        network = build_network(replace(description, intersections=_without(description.intersections, banned)))
    return with_phases(network, timing)


def _roads(street: Street, nodes: Sequence[Node]) -> tuple[RoadDescription, RoadDescription]:
    points = (nodes[street.a].point, *street.via, nodes[street.b].point)
    lanes = (LaneDescription(street.lane_width_m, street.speed_limit_mps),) * street.lanes
    return (
        RoadDescription(street.there_id, street.a, street.b, points, lanes),
        RoadDescription(street.back_id, street.b, street.a, points[::-1], lanes),
    )


def _legs(roads: Sequence[RoadDescription], n_nodes: int) -> list[list[_Leg]]:
    """Legs of every node, by the heading of the road in."""
    legs: list[list[_Leg]] = [[] for _ in range(n_nodes)]
    for r, road in enumerate(roads):
        heading_in = heading_deg(road.points[-2], road.points[-1])
        half_width_m = sum(lane.width_m for lane in road.lanes)
        leg = _Leg(r, r ^ 1, heading_in, (heading_in + 180.0) % 360.0, len(road.lanes), half_width_m)
        legs[road.end].append(leg)
    return [sorted(arms, key=lambda leg: leg.heading_in_deg) for arms in legs]


def heading_deg(start: Point, end: Point) -> float:
    """Direction from start to end in [0, 360), anticlockwise from east; rounded, so that equal streets sort equally."""
    return round(math.degrees(math.atan2(end[1] - start[1], end[0] - start[0])), 6) % 360.0


def _intersection(node: Node, legs: Sequence[_Leg]) -> IntersectionDescription:
    roads = tuple(leg.road_in for leg in legs) + tuple(
        leg.road_out for leg in sorted(legs, key=lambda leg: leg.heading_out_deg)
    )
    if len(legs) < 2:
        return IntersectionDescription(node.id, node.point, 0.0, True, roads)
    movements = tuple(movement for leg in legs for movement in _movements(leg, legs))
    return IntersectionDescription(node.id, node.point, _width_m(legs), False, roads, movements)


def _width_m(legs: Sequence[_Leg]) -> float:
    """How far from the centre neighbouring legs no longer overlap."""
    headings = [leg.heading_out_deg for leg in sorted(legs, key=lambda leg: leg.heading_out_deg)]
    gaps = [(b - a) % 360.0 for a, b in zip(headings, [*headings[1:], headings[0]], strict=True)]
    narrowest = min(90.0, *(gap for gap in gaps if gap > 0))
    return max(leg.half_width_m for leg in legs) / math.tan(math.radians(narrowest / 2)) + KERB_M


def _movements(leg: _Leg, legs: Sequence[_Leg]) -> list[MovementDescription]:
    exits = sorted((other for other in legs if other is not leg), key=lambda other: other.heading_out_deg)
    turns = [turn_class(leg.heading_in_deg, other.heading_out_deg) for other in exits]
    lanes = turn_lanes(leg.lanes, frozenset(turns))
    return [
        MovementDescription(
            leg.road_in, other.road_out, turn,
            tuple(LinkDescription(start, end) for start in lanes[turn] for end in range(other.lanes)),
        )
        for other, turn in zip(exits, turns, strict=True)
    ]  # fmt: skip


def turn_class(heading_in_deg: float, heading_out_deg: float) -> int:
    """TURN_LEFT, STRAIGHT or TURN_RIGHT, by the change of heading.

    >>> turn_class(0.0, 90.0) == TURN_LEFT, turn_class(350.0, 10.0) == STRAIGHT, turn_class(90.0, 0.0) == TURN_RIGHT
    (True, True, True)
    """
    change = (heading_out_deg - heading_in_deg + 180.0) % 360.0 - 180.0
    if abs(change) <= STRAIGHT_WITHIN_DEG:
        return STRAIGHT
    return TURN_LEFT if change > 0 else TURN_RIGHT


def turn_lanes(lanes: int, turns: frozenset[int]) -> dict[int, range]:
    """Which lanes of an approach serve which turn: left | straight | right, sharing where lanes are few.

    >>> turn_lanes(3, frozenset((TURN_LEFT, STRAIGHT, TURN_RIGHT)))
    {2: range(0, 1), 3: range(1, 2), 1: range(2, 3)}
    >>> turn_lanes(2, frozenset((TURN_LEFT, STRAIGHT, TURN_RIGHT)))
    {2: range(0, 1), 3: range(1, 2), 1: range(1, 2)}
    """
    last = lanes - 1
    first_straight = 1 if TURN_LEFT in turns and lanes > 1 else 0
    last_straight = last - 1 if TURN_RIGHT in turns and lanes > 2 else last
    middle = (lanes + 1) // 2
    if STRAIGHT not in turns and len(turns) == 2 and lanes > 1:  # the stem of a T
        return {TURN_LEFT: range(middle), TURN_RIGHT: range(middle, lanes)}
    if STRAIGHT not in turns:
        return {turn: range(lanes) for turn in turns}
    return {
        TURN_LEFT: range(1),
        STRAIGHT: range(first_straight, last_straight + 1),
        TURN_RIGHT: range(last, lanes),
    }


def _without(
    intersections: Sequence[IntersectionDescription], banned: dict[int, set[int]]
) -> tuple[IntersectionDescription, ...]:
    return tuple(
        place._replace(movements=tuple(m for k, m in enumerate(place.movements) if k not in banned.get(i, ())))
        for i, place in enumerate(intersections)
    )
