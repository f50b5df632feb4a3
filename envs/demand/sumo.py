"""Reader of SUMO's route files: vehicles, trips and flows on a network, one release each.

Whatever SUMO leaves to chance (a probability a second, a distribution of types or routes) is drawn once, by the
vehicle's name, so that it does not depend on a seed. Persons and containers do not drive and are left out.
"""

from __future__ import annotations

import math
import re
import zlib
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from intergreen.envs.demand.demand import MOST_VEHICLES, Demand, VehicleType
from intergreen.envs.demand.routes import RouteCollector, Router
from intergreen.envs.demand.sumo_types import DEFAULT_TYPE, default_type, read_type
from intergreen.envs.errors import InputError, shown
from intergreen.envs.network.xml_file import Tag, plain_number, read_children

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from intergreen.envs.network.road_network import RoadNetwork

LANE_COPIES = 4  # of every route: its vehicles take them in turn, and where several lanes lead on, different ones
LAST_S = 86_400.0  # SUMO's end of a flow that names none
_CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d+):(\d+(?:\.\d*)?)", re.ASCII)
_EXPONENTIAL = re.compile(r"exp\(\s*([-+0-9.eE]+)\s*\)", re.ASCII)
_MEND = "mend the route, or pass --drop-invalid-routes"


class Window(NamedTuple):
    """The part of SUMO's clock that is run; ours stands at 0 when it begins."""

    begin_s: float = 0.0
    end_s: float = LAST_S


WHOLE_DAY = Window()


def read_sumo_demand(
    paths: Sequence[str | Path], network: RoadNetwork, *, window: Window = WHOLE_DAY, drop_invalid: bool = False
) -> Demand:
    """The vehicles of route files and additional files, in their order, that depart inside the window.

    Trips without a route take the fastest way through the empty network.

    Parameters
    ----------
    drop_invalid : leave vehicles out whose route does not exist (and count them) instead of refusing the file

    Raises
    ------
    InputError
        If anything is missing, of the wrong kind or out of range, or a route does not exist.
    """
    reader = _Reader(network, window, drop_invalid)
    for path in paths:
        for tag in read_children(path):  # SUMO minds no root either, and additional files have many
            reader.read(tag)
    if not reader.rows:
        where = str(paths[0]) if paths else network.name
        problem = f"no vehicle departs from {window.begin_s:g} s to {window.end_s:g} s on a route that exists"
        raise InputError(where, "", problem, "check the window, or add vehicles")
    return reader.demand()


def seconds(text: str) -> float:
    """A time as SUMO writes it: 90, 90.5, 00:01:30, 1:00:01:30 (with days); NaN where it is none."""
    match = _CLOCK.fullmatch(text.strip())
    if match is None:
        return plain_number(text)
    days, hours, minutes, rest = match.groups()
    return ((int(days or 0) * 24 + int(hours)) * 60 + int(minutes)) * 60 + float(rest)


class _Reader:
    def __init__(self, network: RoadNetwork, window: Window, drop_invalid: bool) -> None:
        self._window, self._drop_invalid = window, drop_invalid
        self._fastest_mps = float(network.lane_speed_limit_mps.max())
        self._roads = {road: i for i, road in enumerate(network.road_ids)}
        self._router = _fastest_ways(network)
        self._types: dict[str, VehicleType | None] = {DEFAULT_TYPE: default_type(self._fastest_mps)}
        self._type_shares: dict[str, list[tuple[str, float]]] = {}
        self._routes: dict[str, tuple[int, ...] | None] = {}
        self._route_shares: dict[str, list[tuple[str, float]]] = {}
        self._numbers: dict[VehicleType, int] = {}
        self._table = RouteCollector()
        self._taken: dict[int, int] = {}  # vehicles so far on a route
        self.rows: list[tuple[int, int, float]] = []  # route, type, second
        self.dropped = 0

    def read(self, tag: Tag) -> None:
        """Take in one child of a file's root; what is neither a vehicle nor about one is passed over."""
        if tag.name == "vType":
            self._types[tag.text("id")] = read_type(tag, self._fastest_mps)
        elif tag.name == "vTypeDistribution":
            self._type_shares[tag.text("id")] = self._shares(tag, "vType", "vTypes")
        elif tag.name == "route":
            self._routes[tag.text("id")] = self._along(tag)
        elif tag.name == "routeDistribution":
            self._route_shares[tag.text("id")] = self._shares(tag, "route", "routes")
        elif tag.name in ("vehicle", "trip"):
            self._add(tag, [_time(tag, "depart")])
        elif tag.name == "flow":
            self._add(tag, self._flow_times(tag))

    def demand(self) -> Demand:
        start, roads = self._table.arrays()
        lengths = np.repeat(np.diff(start), LANE_COPIES)
        copies = [roads[a:b] for a, b in pairwise(start.tolist()) for _ in range(LANE_COPIES)]
        route, kind, second = np.array(self.rows, np.float64).T
        return Demand(
            types=tuple(self._numbers),
            route_start=np.concatenate(([0], np.cumsum(lengths))).astype(np.int32),
            route_roads=np.concatenate(copies).astype(np.int32),
            flow_route=route.astype(np.int32),
            flow_type=kind.astype(np.int32),
            flow_start_s=second.copy(),
            flow_end_s=second.copy(),
            flow_interval_s=np.ones(len(second)),
            dropped_flows=self.dropped,
        )

    # --- vehicles ---------------------------------------------------------------------------------------------------

    def _add(self, tag: Tag, times_s: Iterable[float]) -> None:
        begin_s, end_s = self._window
        name = tag.text("id")
        for number, time_s in enumerate(times_s):
            if not begin_s <= time_s < end_s:
                continue
            kind = self._type(tag, f"{name}.{number}")
            route = self._route(tag, f"{name}.{number}") if kind is not None else None
            if kind is None or route is None:
                self.dropped += 1
                continue
            if len(self.rows) >= MOST_VEHICLES:
                tag.fail(
                    f"is one vehicle more than the {MOST_VEHICLES} of a run", "shorten the window or thin the demand"
                )
            base = self._table.add(route)
            turn = self._taken[base] = self._taken.get(base, -1) + 1
            row = base * LANE_COPIES + turn % LANE_COPIES
            self.rows.append((row, self._numbers.setdefault(kind, len(self._numbers)), math.ceil(time_s - begin_s)))

    def _flow_times(self, tag: Tag) -> Iterator[float]:
        """When the vehicles of a flow depart, up to the window's end."""
        begin_s = _time(tag, "begin", 0.0)
        end_s = _time(tag, "end", LAST_S)
        if end_s < begin_s:
            tag.fail(f"ends at {end_s:g} s, before it begins at {begin_s:g} s", "exchange begin and end")
        number = tag.whole("number") if tag.has("number") else MOST_VEHICLES
        random = np.random.default_rng(zlib.crc32(tag.text("id").encode()))
        gap_s: Callable[[], float]
        if tag.has("probability"):  # of a vehicle in each second, the first one included
            share = min(tag.number("probability", above=0), 1.0)
            time_s, gap_s = begin_s - 1.0, lambda: float(random.geometric(share))
        else:
            mean_s, is_random = self._period(tag, begin_s, end_s)
            time_s = begin_s if is_random else begin_s - mean_s
            gap_s = (lambda: float(random.exponential(mean_s))) if is_random else (lambda: mean_s)
        return _spaced(time_s, min(end_s, self._window.end_s), gap_s, number)

    def _period(self, tag: Tag, begin_s: float, end_s: float) -> tuple[float, bool]:
        """Mean time between two vehicles [s], and whether it is drawn."""
        for key in ("vehsPerHour", "perHour"):
            if tag.has(key):
                return _at_least(tag, key, 3600.0 / tag.number(key, above=0)), False
        if tag.has("period"):
            exponential = _EXPONENTIAL.fullmatch(tag.text("period").strip())
            if exponential is not None:
                rate = plain_number(exponential[1])
                if not 0 < rate < math.inf:
                    tag.fail(f"is {shown(tag.text('period'))}", "use exp(vehicles a second)", "period")
                return _at_least(tag, "period", 1.0 / rate), True
            return _at_least(tag, "period", tag.number("period", above=0)), False
        if not tag.has("number"):
            tag.fail("says nowhere how many vehicles it has", "add period, vehsPerHour, probability or number")
        return (end_s - begin_s) / max(tag.whole("number"), 1), False

    # --- types and routes -------------------------------------------------------------------------------------------

    def _type(self, tag: Tag, name: str) -> VehicleType | None:
        wanted = tag.text("type", DEFAULT_TYPE)
        if wanted in self._type_shares:
            wanted = _drawn(self._type_shares[wanted], name)
        if wanted not in self._types:
            tag.fail(f"{shown(wanted)} is not there", "name a <vType> that stands before it", "type")
        return self._types[wanted]

    def _route(self, tag: Tag, name: str) -> tuple[int, ...] | None:
        """The roads of the vehicle; None where there is no such way and that is to be passed over."""
        for child in tag.children("route"):
            return self._along(child)
        if tag.has("route"):
            wanted = tag.text("route")
            if wanted in self._route_shares:
                wanted = _drawn(self._route_shares[wanted], name)
            if wanted not in self._routes:
                tag.fail(f"{shown(wanted)} is not there", "name a <route> that stands before it", "route")
            return self._routes[wanted]
        if not (tag.has("from") and tag.has("to")):
            if self._drop_invalid:  # a taxi without a customer, or from a zone to a zone
                return None
            tag.fail("has neither a route nor edges from and to", "give it one of both (duarouter finds routes)")
        return self._between(tag, [tag.text("from"), *tag.words("via"), tag.text("to")])

    def _along(self, tag: Tag) -> tuple[int, ...] | None:
        """The roads of a ``<route>``, each leading on to the next."""
        edges = tag.words("edges")
        if not edges:
            tag.fail("has no edge", "list its edges", "edges")
        roads = self._known(tag, edges)
        if roads is None:
            return None
        for (a, start), (b, end) in pairwise(zip(roads, edges, strict=True)):
            if b not in self._router.next_roads[a]:
                self._refuse(tag, f"no connection for cars leads from {shown(start)} to {shown(end)}")
                return None
        return tuple(roads)

    def _between(self, tag: Tag, edges: list[str]) -> tuple[int, ...] | None:
        """The fastest way along the edges; a trip from an edge to itself stays on it."""
        roads = self._known(tag, edges)
        if roads is None:
            return None
        if len(set(roads)) == 1:
            return (roads[0],)
        way = self._router.complete(roads)
        if way is None:
            self._refuse(tag, f"no way for cars leads along {shown(edges, 120)}")
        return way

    def _known(self, tag: Tag, edges: list[str]) -> list[int] | None:
        for edge in edges:
            if edge not in self._roads:
                self._refuse(tag, f"the edge {shown(edge)} is not there, or not for cars")
                return None
        return [self._roads[edge] for edge in edges]

    def _refuse(self, tag: Tag, problem: str) -> None:
        """Raise the InputError of a broken route, unless those are passed over."""
        if not self._drop_invalid:
            tag.fail(problem, _MEND)

    def _shares(self, tag: Tag, member: str, listed: str) -> list[tuple[str, float]]:
        """Members of a distribution with their probabilities; those inside it are read as if they stood before it."""
        shares = []
        for number, child in enumerate(tag.children(member)):
            name = child.text("id" if member == "vType" or child.has("id") else "refId", f"{tag.text('id')}#{number}")
            if not child.has("refId"):
                child.element.set("id", name)
                self.read(child)
            shares.append((name, child.number("probability", 1.0, least=0)))
        names = tag.words(listed)
        given = [plain_number(word) for word in tag.words("probabilities")] or [1.0] * len(names)
        shares += list(zip(names, given, strict=False))
        total = sum(share for _, share in shares)
        if not 0 < total < math.inf or any(share < 0 for _, share in shares):
            tag.fail("has no member with a probability > 0", "add members")
        return shares


def _fastest_ways(network: RoadNetwork) -> Router:
    """Ways by the time that the empty network takes, as SUMO routes what has no route."""
    speed = np.maximum.reduceat(network.lane_speed_limit_mps, network.road_lane_start[:-1])
    link_s = network.link_length_m / network.link_speed_limit_mps + network.link_penalty_s
    movement_s = np.full(network.n_movements, math.inf)
    np.minimum.at(movement_s, network.link_movement, link_s)
    turn_s: dict[tuple[int, int], float] = {}
    ends = zip(network.movement_from_road.tolist(), network.movement_to_road.tolist(), strict=True)
    for pair, time_s in zip(ends, movement_s.tolist(), strict=True):
        turn_s[pair] = min(time_s, turn_s.get(pair, math.inf))
    return Router(network, road_cost=network.road_length_m / speed, turn_cost=turn_s)


def _spaced(time_s: float, end_s: float, gap_s: Callable[[], float], number: int) -> Iterator[float]:
    """So many times at most, each a gap after the one before, until the end."""
    for _ in range(number):
        time_s += gap_s()
        if time_s >= end_s:
            return
        yield time_s


def _at_least(tag: Tag, key: str, period_s: float) -> float:
    if period_s < 0.001:
        tag.fail(f"makes a vehicle every {period_s:g} s", "use at least 0.001 s", key)
    return period_s


def _time(tag: Tag, key: str, default: float | None = None) -> float:
    if default is not None and not tag.has(key):
        return default
    value = seconds(tag.text(key))
    if not 0 <= value <= 1e9:  # also NaN
        tag.fail(f"is {shown(tag.text(key))}", "use seconds, or hours:minutes:seconds", key)
    return value


def _drawn(shares: list[tuple[str, float]], name: str) -> str:
    """One of the members, by the vehicle's name."""
    at = np.random.default_rng(zlib.crc32(name.encode())).random() * sum(share for _, share in shares)
    for member, share in shares:
        at -= share
        if at < 0:
            return member
    return shares[-1][0]
