"""Ways on a network from SUMO: along edges that are listed, or the fastest between edges, zones and junctions.

The fastest is that of the empty network for who drives: by the own top speed, not over edges that are closed to the
own class, with SUMO's penalties for giving way and turning round. From a zone (or a junction) to another it is the
fastest between any edge of the one and any edge of the other, as in SUMO ("Definition of Vehicles, Vehicle Types, and
Routes", on traffic assignment zones).
"""

from __future__ import annotations

import math
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from intergreen.envs.demand.routes import Router
from intergreen.envs.errors import shown
from intergreen.envs.network.sumo_net import read_closed_edges, read_edge_ends

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from intergreen.envs.network.road_network import RoadNetwork
    from intergreen.envs.network.xml_file import Tag

Way = tuple[int, ...]  # roads
_ENDS = ("from", "to")


class NoWay(NamedTuple):
    """Why an element names no way that a car can drive."""

    tag: Tag
    problem: str
    may_be_others: bool  # buses, say, may have a way there: the file is right, and it is we who know only cars' roads


class Who(NamedTuple):
    """What matters of a vehicle for where it drives."""

    vehicle_class: str  # as SUMO calls it
    max_speed_mps: float


class Zone(NamedTuple):
    """Roads where trips of a traffic assignment zone may begin, and where they may end."""

    sources: tuple[int, ...]
    sinks: tuple[int, ...]


class Ways:
    """Finds ways; knows the zones that it has been told of.

    Parameters
    ----------
    net_file : of the network, to be asked where the junctions of its edges are
    """

    def __init__(self, network: RoadNetwork, net_file: Path | None) -> None:
        self._network, self._net_file = network, net_file
        self._roads = {road: i for i, road in enumerate(network.road_ids)}
        self._fastest_mps = float(network.lane_speed_limit_mps.max())
        self._closed: dict[str, frozenset[int]] = {"passenger": frozenset()}  # roads, by class
        self._routers: dict[Who, Router] = {}
        self._zones: dict[str, Zone] = {}

    def add_zone(self, tag: Tag) -> None:
        """Take in a ``<taz>``; edges that are not for cars are left out."""
        both = tag.words("edges")
        sources, sinks = ([child.text("id") for child in tag.children(name)] for name in ("tazSource", "tazSink"))
        self._zones[tag.text("id")] = Zone(self._of_cars([*both, *sources]), self._of_cars([*both, *sinks]))

    def along(self, tag: Tag) -> Way | NoWay:
        """The roads of a ``<route>``, each leading on to the next."""
        edges = tag.words("edges")
        if not edges:
            tag.fail("has no edge", "list its edges", "edges")
        edges *= 1 + tag.whole("repeat", 0)
        unknown = self._unknown(tag, edges)
        if unknown is not None:
            return unknown
        roads = [self._roads[edge] for edge in edges]
        for (a, start), (b, end) in pairwise(zip(roads, edges, strict=True)):
            if b not in self._next_roads[a]:
                return NoWay(tag, f"no connection for cars leads from {shown(start)} to {shown(end)}", True)
        return tuple(roads)

    def open_to(self, who: Who, tag: Tag, way: Way | NoWay) -> Way | NoWay:
        """The way, if vehicles of that class may drive on all of it."""
        closed = self._closed_to(who.vehicle_class)
        if isinstance(way, NoWay) or closed.isdisjoint(way):
            return way
        edge = self._network.road_ids[next(road for road in way if road in closed)]
        return NoWay(tag, f"the edge {shown(edge)} is closed to {who.vehicle_class}", False)

    def between(self, tag: Tag, who: Who) -> Way | NoWay | None:
        """The fastest way of a trip, by the places it names; one from an edge to itself, or that names one edge alone,
        stays on it. None where it does not say from where to where."""
        if tag.has("via") and not any(tag.has(key) for key in _keys("to")):  # there it ends
            *via, end = tag.words("via")
            tag.element.attrib.update({"via": " ".join(via), "to": end})
        for one, other in (_ENDS, _ENDS[::-1]):
            if tag.has(one) and not any(tag.has(key) for key in _keys(other)):
                tag.element.set(other, tag.text(one))
        if not all(any(tag.has(key) for key in _keys(end)) for end in _ENDS):
            return None
        unknown = self._unknown(tag, [*_named(tag, "from"), *tag.words("via"), *_named(tag, "to")])
        if unknown is not None:
            return unknown
        places = [self._starts(tag), *self._stages(tag), self._ends(tag)]
        way = self._router(who).through(places)
        if way is None:
            where = " ".join([tag.text(_key(tag, "from")), *tag.words("via"), tag.text(_key(tag, "to"))])
            return NoWay(tag, f"no way for cars leads along {shown(where.split(), 120)}", True)
        return way

    def _router(self, who: Who) -> Router:
        who = who._replace(max_speed_mps=min(who.max_speed_mps, self._fastest_mps))
        if not self._closed_to(who.vehicle_class):
            who = who._replace(vehicle_class="passenger")
        if who not in self._routers:
            closed = self._closed_to(who.vehicle_class)
            self._routers[who] = _fastest_ways(self._network, who.max_speed_mps, sorted(closed))
        return self._routers[who]

    def _closed_to(self, vehicle_class: str) -> frozenset[int]:
        if vehicle_class not in self._closed:
            edges = read_closed_edges(self._net_file, vehicle_class) if self._net_file else ()
            self._closed[vehicle_class] = frozenset(self._of_cars(edges))
        return self._closed[vehicle_class]

    @cached_property
    def _next_roads(self) -> list[list[int]]:
        return Router(self._network).next_roads

    def _starts(self, tag: Tag) -> tuple[int, ...]:
        key = _key(tag, "from")
        if key == "from":
            return (self._roads[tag.text(key)],)
        return self._outgoing(tag, key) if key == "fromJunction" else self._zone(tag, key).sources

    def _ends(self, tag: Tag) -> tuple[int, ...]:
        key = _key(tag, "to")
        if key == "to":
            return (self._roads[tag.text(key)],)
        return self._incoming(tag, key, tag.text(key)) if key == "toJunction" else self._zone(tag, key).sinks

    def _stages(self, tag: Tag) -> list[tuple[int, ...]]:
        edges = [(self._roads[edge],) for edge in tag.words("via")]
        return edges + [self._incoming(tag, "viaJunctions", name) for name in tag.words("viaJunctions")]

    def _zone(self, tag: Tag, key: str) -> Zone:
        name = tag.text(key)
        if name not in self._zones:
            tag.fail(f"{shown(name)} is not there", "name a <taz> that stands before it", key)
        return self._zones[name]

    def _outgoing(self, tag: Tag, key: str) -> tuple[int, ...]:
        name = tag.text(key)
        self._require_junction(tag, key, name)
        return self._of_cars(edge for edge, ends in self._edge_ends.items() if ends[0] == name)

    def _incoming(self, tag: Tag, key: str, name: str) -> tuple[int, ...]:
        self._require_junction(tag, key, name)
        return self._of_cars(edge for edge, ends in self._edge_ends.items() if ends[1] == name)

    def _require_junction(self, tag: Tag, key: str, name: str) -> None:
        if not any(name in ends for ends in self._edge_ends.values()):
            tag.fail(f"{shown(name)} is not there", "name a junction of the network", key)

    def _of_cars(self, edges: Iterable[str]) -> tuple[int, ...]:
        return tuple(self._roads[edge] for edge in edges if edge in self._roads)

    def _unknown(self, tag: Tag, edges: list[str]) -> NoWay | None:
        for edge in edges:
            if edge not in self._roads:
                is_there = edge in self._edge_ends
                words = (
                    "is not for cars"
                    if is_there
                    else "is not there"
                    if self._net_file
                    else "is not there, or not for cars"
                )
                return NoWay(tag, f"the edge {shown(edge)} {words}", is_there)
        return None

    @cached_property
    def _edge_ends(self) -> dict[str, tuple[str, str]]:
        """Junctions where the edges of the file begin and end, those that are not for cars as well."""
        return {} if self._net_file is None else read_edge_ends(self._net_file)


def _keys(end: str) -> tuple[str, ...]:
    """Attributes that name one end of a trip, by precedence; od2trips writes the zone beside the edge."""
    return end, f"{end}Taz", f"{end}TAZ", f"{end}Junction"


def _key(tag: Tag, end: str) -> str:
    return next(key for key in _keys(end) if tag.has(key))


def _named(tag: Tag, end: str) -> list[str]:
    return [tag.text(end)] if tag.has(end) else []


def _fastest_ways(network: RoadNetwork, max_speed_mps: float, closed: Sequence[int]) -> Router:
    """Ways by the time that the empty network takes, as SUMO routes what has no route."""
    limit_mps = np.maximum.reduceat(network.lane_speed_limit_mps, network.road_lane_start[:-1])
    road_s = network.road_length_m / np.minimum(limit_mps, max_speed_mps)
    road_s[list(closed)] = math.inf
    link_s = network.link_length_m / np.minimum(network.link_speed_limit_mps, max_speed_mps) + network.link_penalty_s
    movement_s = np.full(network.n_movements, math.inf)
    np.minimum.at(movement_s, network.link_movement, link_s)
    turn_s: dict[tuple[int, int], float] = {}
    ends = zip(network.movement_from_road.tolist(), network.movement_to_road.tolist(), strict=True)
    for pair, time_s in zip(ends, movement_s.tolist(), strict=True):
        turn_s[pair] = min(time_s, turn_s.get(pair, math.inf))
    return Router(network, road_cost=road_s, turn_cost=turn_s)
