"""Reader of SUMO's route files: vehicles, trips and flows on a network, one release each.

Whatever SUMO leaves to chance (a probability a second, a distribution of types or routes) is drawn once, by the
vehicle's name, so that it does not depend on a seed. Persons and containers do not drive and are left out, and so is
who waits for them before it departs.
"""

from __future__ import annotations

import logging
import math
import zlib
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from intergreen.envs.demand.demand import CAR, MOST_VEHICLES, Demand, VehicleType
from intergreen.envs.demand.routes import RouteCollector
from intergreen.envs.demand.sumo_times import LAST_S, flow_times, time_of
from intergreen.envs.demand.sumo_types import (
    DEFAULT_TYPE,
    default_type,
    other_default_types,
    read_depart_speed,
    read_type,
    with_pace,
)
from intergreen.envs.demand.sumo_ways import NoWay, Way, Ways, Who
from intergreen.envs.errors import InputError, shown
from intergreen.envs.network.sumo_include import read_elements
from intergreen.envs.network.xml_file import Tag, plain_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from intergreen.envs.network.road_network import RoadNetwork

_DEEPEST = 8  # distributions of distributions
LANE_COPIES = 4  # of every route: its vehicles take them in turn, and where several lanes lead on, different ones
_MEND = "mend the route, or pass --drop-invalid-routes"
_AT_ONCE = ("begin", "now")
_ON_A_SIGN = ("triggered", "containerTriggered", "split", "join")  # by a person, a container or another train
_COORDINATES = ("XY", "LonLat")
_T = TypeVar("_T")


class Window(NamedTuple):
    """The part of SUMO's clock that is run; ours stands at 0 when it begins."""

    begin_s: float = 0.0
    end_s: float = LAST_S


WHOLE_DAY = Window()


class Given(NamedTuple):
    """What a configuration of SUMO's says of the demand beside its files."""

    window: Window = WHOLE_DAY
    scale: float = 1.0  # on the number of vehicles
    speed_deviation: float | None = None  # of drivers whose type says nothing of it
    depart_speed_mps: float = 0.0  # of vehicles that say nothing of it; inf: as fast as is safe
    drop_invalid: bool = False  # leave out and count vehicles whose route does not exist, instead of refusing the file


_ALL_DAY = Given()
# Elements that bring, lead or slow down vehicles, and travellers without one.
_NOT_OBEYED = frozenset(
    {"calibrator", "rerouter", "variableSpeedSign", "person", "personFlow", "container", "containerFlow"}
)
_STOPPING = ("vehicle", "trip", "flow", "route")  # they may have stops, which are not obeyed either
_LOG = logging.getLogger(__name__)


def read_sumo_demand(
    paths: Sequence[str | Path], network: RoadNetwork, given: Given = _ALL_DAY, *, net_file: Path | None = None
) -> Demand:
    """The vehicles of route files and additional files, in their order, that depart inside the window.

    Trips without a route take the fastest way through the empty network. Vehicles of other classes than passenger cars,
    buses for instance, are left out and counted where their route needs edges or connections that cars may not use.

    Parameters
    ----------
    net_file : the network's, where trips begin or end at junctions, or use edges that are not for cars

    Raises
    ------
    InputError
        If anything is missing, of the wrong kind or out of range, or a route does not exist.
    """
    reader = _Reader(network, given, net_file)
    for path in paths:
        others: Counter[str] = Counter()
        for tag in read_elements(path):  # SUMO minds no root either, and additional files have many
            reader.read(tag)
            others[tag.name] += tag.name in _NOT_OBEYED
            if tag.name in _STOPPING:
                others["stop"] += sum(1 for _ in tag.element.iter("stop"))
        found = [f"{number} {name}" for name, number in others.items() if number]
        if found:
            _LOG.warning("%s: not obeyed, which changes what SUMO would run: %s", path, ", ".join(found))
    if not reader.rows:
        where = str(paths[0]) if paths else network.name
        problem = (
            f"no vehicle departs from {given.window.begin_s:g} s to {given.window.end_s:g} s on a route that exists"
        )
        raise InputError(where, "", problem, "check the window, or add vehicles")
    return reader.demand()


class _Reader:
    def __init__(self, network: RoadNetwork, given: Given, net_file: Path | None) -> None:
        self._given = given
        self._fastest_mps = float(network.lane_speed_limit_mps.max())
        self._ways = Ways(network, net_file)
        self._is_connector = network.road_is_connector
        self._types: dict[str, VehicleType | None] = {
            DEFAULT_TYPE: default_type(self._fastest_mps, given.speed_deviation),
            **{name: read_type(tag, self._fastest_mps) for name, tag in other_default_types()},
        }
        self._factors: dict[str, float] = {}  # of types, on the number of their vehicles
        self._likely: dict[str, float] = {}  # how likely types and routes are in a distribution that only names them
        self._paced: dict[tuple[str, float], VehicleType] = {}  # types with the pace of one of their vehicles
        self._begun: dict[tuple[VehicleType, float], VehicleType] = {}  # types with the speed at which some depart
        self._type_shares: dict[str, list[tuple[str, float]]] = {}
        self._routes: dict[str, Way | NoWay] = {}
        self._route_shares: dict[str, list[tuple[str, float]]] = {}
        self._numbers: dict[VehicleType, int] = {}
        self._table = RouteCollector()
        self._taken: dict[int, int] = {}  # vehicles so far on a route
        self._n_loaded = 0
        self.rows: list[tuple[int, int, float]] = []  # route, type, second
        self.dropped = 0

    def read(self, tag: Tag) -> None:
        """Take in one child of a file's root; what is neither a vehicle nor about one is passed over."""
        if tag.name == "vType":
            self._read_type(tag)
        elif tag.name == "vTypeDistribution":
            self._type_shares[tag.text("id")] = self._shares(tag, "vType", "vTypes")
        elif tag.name == "route":
            self._routes[tag.text("id")] = self._ways.along(tag)
            self._likely[tag.text("id")] = tag.number("probability", 1.0, least=0)
        elif tag.name == "routeDistribution":
            self._route_shares[tag.text("id")] = self._shares(tag, "route", "routes")
        elif tag.name == "taz":
            self._ways.add_zone(tag)
        elif tag.name == "tazs":
            for child in tag.children("taz"):
                self._ways.add_zone(child)
        elif tag.name in ("vehicle", "trip"):
            self._add(tag, self._departure(tag))
        elif tag.name == "flow":
            self._add(tag, self._departures(tag))
        elif tag.name == "interval":
            for child in tag.children("flow"):
                child.element.attrib.update({**tag.element.attrib, **child.element.attrib})
                self.read(child)

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
        begin_s, end_s = self._given.window
        name = tag.text("id")
        ways: dict[Who, list[tuple[Way | NoWay, float]] | None] = {}
        for number, time_s in enumerate(times_s):
            if not begin_s <= time_s < end_s:
                continue
            type_id, kind = self._type(tag, f"{name}.{number}")
            kind = self._departing(tag, kind)
            who = _who(kind or CAR)
            if who not in ways:
                ways[who] = self._driven(tag, who)
            way = _drawn(ways[who] or [(None, 1.0)], f"{name}.{number}")
            if kind is None or way is None or isinstance(way, NoWay):
                if kind is not None and isinstance(way, NoWay):
                    self._check_may_be_left_out(way, kind)
                self.dropped += 1
                continue
            copies = _copies(self._given.scale * self._factors.get(type_id, 1.0), self._n_loaded)
            self._n_loaded += 1
            for _ in range(copies):
                self._depart(tag, way, kind, math.ceil(round(time_s - begin_s, 3)))

    def _depart(self, tag: Tag, way: Way, kind: VehicleType, second: int) -> None:
        if len(self.rows) >= MOST_VEHICLES:
            tag.fail(f"is one vehicle more than the {MOST_VEHICLES} of a run", "shorten the window or thin the demand")
        base = self._table.add(way)
        turn = self._taken[base] = self._taken.get(base, -1) + 1
        row = base * LANE_COPIES + turn % LANE_COPIES
        self.rows.append((row, self._numbers.setdefault(kind, len(self._numbers)), second))

    def _departure(self, tag: Tag) -> list[float]:
        """When a vehicle departs; never where it waits for a person, since there are none."""
        word = tag.text("depart")
        if word in _ON_A_SIGN:
            self.dropped += 1
            return []
        return [self._given.window.begin_s if word in _AT_ONCE else time_of(tag, "depart")]

    def _departures(self, tag: Tag) -> Iterable[float]:
        """The same of a flow."""
        if tag.text("begin", "") in _ON_A_SIGN:
            self.dropped += 1
            return []
        return flow_times(tag, *self._given.window)

    # --- types and routes -------------------------------------------------------------------------------------------

    def _read_type(self, tag: Tag) -> None:
        deviation, name = self._given.speed_deviation, tag.text("id")
        says_none = not math.isnan(plain_number(tag.text("speedFactor", "1")))  # as a distribution would
        if deviation is not None and says_none and not tag.has("speedDev"):
            tag.element.set("speedDev", f"{deviation:g}")
        self._types[name] = read_type(tag, self._fastest_mps)
        self._factors[name] = tag.number("scale", 1.0, least=0)
        self._likely[name] = tag.number("probability", 1.0, least=0)

    def _type(self, tag: Tag, name: str) -> tuple[str, VehicleType | None]:
        wanted = tag.text("type", DEFAULT_TYPE)
        for depth in range(_DEEPEST):  # a distribution may name others
            if wanted in self._type_shares:
                wanted = _drawn(self._type_shares[wanted], name + ">" * depth)
        if wanted not in self._types:
            tag.fail(f"{shown(wanted)} is not there", "name a <vType> that stands before it", "type")
        kind = self._types[wanted]
        if kind is None or not tag.has("speedFactor"):
            return wanted, kind
        factor = tag.number("speedFactor", 1.0, above=0)
        if (wanted, factor) not in self._paced:
            self._paced[wanted, factor] = with_pace(kind, factor, self._fastest_mps)
        return wanted, self._paced[wanted, factor]

    def _departing(self, tag: Tag, kind: VehicleType | None) -> VehicleType | None:
        """The type with the speed at which this vehicle departs."""
        speed_mps = read_depart_speed(tag, "departSpeed", self._given.depart_speed_mps)
        if kind is None or speed_mps == kind.depart_speed_mps:
            return kind
        if (kind, speed_mps) not in self._begun:
            self._begun[kind, speed_mps] = replace(kind, depart_speed_mps=speed_mps)
        return self._begun[kind, speed_mps]

    def _driven(self, tag: Tag, who: Who) -> list[tuple[Way | NoWay, float]] | None:
        """What is driven of the ways that the vehicle names: from its `departEdge` to its `arrivalEdge`."""
        ways = self._choices(tag, who)
        if ways is None:
            return None
        if tag.has("departEdge") or tag.has("arrivalEdge"):
            first, last = tag.whole("departEdge", 0), tag.whole("arrivalEdge", MOST_VEHICLES)
            ways = [(way if isinstance(way, NoWay) else way[first : last + 1], share) for way, share in ways]
            if not all(way for way, _ in ways):
                tag.fail("leaves nothing of the route", "number its edges from 0", "departEdge")
        return [(self._between_connectors(self._ways.open_to(who, tag, way)), share) for way, share in ways]

    def _between_connectors(self, way: Way | NoWay) -> Way | NoWay:
        """Without the connectors at either end, by which a planner's model leads to where trips begin and end: SUMO's
        vehicles depart behind them and arrive before them."""
        if isinstance(way, NoWay) or not self._is_connector.any():
            return way
        kept = [k for k, road in enumerate(way) if not self._is_connector[road]]
        return way[kept[0] : kept[-1] + 1] if kept else way

    def _choices(self, tag: Tag, who: Who) -> list[tuple[Way | NoWay, float]] | None:
        """Ways of a vehicle, or of all of a flow, and how likely each is; None: it names none, and is passed over."""
        for child in tag.children("route"):
            return [(self._ways.along(child), 1.0)]
        for child in tag.children("routeDistribution"):
            child.element.set("id", child.text("id", tag.text("id")))
            return [(self._routes[name], share) for name, share in self._shares(child, "route", "routes")]
        if tag.has("route"):
            wanted = tag.text("route")
            shares = self._route_shares.get(wanted, [(wanted, 1.0)])
            return [(self._named_route(tag, name), share) for name, share in shares]
        way = self._ways.between(tag, who)
        if way is not None:
            return [(way, 1.0)]
        if any(tag.has(f"from{kind}") for kind in _COORDINATES):
            tag.fail("begins at coordinates, which are not read", "let SUMO's duarouter find its route")
        if not self._given.drop_invalid:  # a taxi without a customer
            tag.fail("has neither a route nor edges from and to", "give it one of both (duarouter finds routes)")
        return None

    def _named_route(self, tag: Tag, name: str) -> Way | NoWay:
        if name not in self._routes:
            tag.fail(f"{shown(name)} is not there", "name a <route> that stands before it", "route")
        return self._routes[name]

    def _check_may_be_left_out(self, way: NoWay, kind: VehicleType) -> None:
        """Raise the InputError of a route that does not exist, unless it is to be passed over."""
        is_ours = way.may_be_others and kind.name != CAR.name
        if not (self._given.drop_invalid or is_ours):
            way.tag.fail(way.problem, _MEND)

    def _shares(self, tag: Tag, member: str, listed: str) -> list[tuple[str, float]]:
        """Members of a distribution with their probabilities; those inside it are read as if they stood before it."""
        shares = []
        for number, child in enumerate(tag.children(member)):
            name = child.text("refId" if child.has("refId") else "id", f"{tag.text('id')}#{number}")
            if not child.has("refId"):
                child.element.set("id", name)
                self.read(child)
            shares.append((name, child.number("probability", self._likely.get(name, 1.0), least=0)))
        names, given = tag.words(listed), [plain_number(word) for word in tag.words("probabilities")]
        given = given[: len(names)]
        given += [self._likely.get(name, 1.0) for name in names[len(given) :]]
        shares += list(zip(names, given, strict=True))
        total = sum(share for _, share in shares)
        if not 0 < total < math.inf or any(share < 0 for _, share in shares):
            tag.fail("has no member with a probability > 0", "add members")
        return shares


def _who(kind: VehicleType) -> Who:
    return Who("passenger" if kind.name == CAR.name else kind.name, kind.max_speed_mps)


def _drawn(shares: Sequence[tuple[_T, float]], name: str) -> _T:
    """One of the members, by the vehicle's name."""
    if len(shares) == 1:
        return shares[0][0]
    at = np.random.default_rng(zlib.crc32(name.encode())).random() * sum(share for _, share in shares)
    for member, share in shares:
        at -= share
        if at < 0:
            return member
    return shares[-1][0]


def _copies(factor: float, number: int) -> int:
    """How many times vehicle `number` departs where demand is multiplied by `factor`; spread evenly, as by SUMO
    (`MSVehicleControl::getScalingQuota`).

    >>> [_copies(0.5, number) for number in range(6)], [_copies(1.25, number) for number in range(5)]
    ([1, 0, 1, 0, 1, 0], [2, 1, 1, 1, 2])
    """
    whole = int(factor)
    thousandths = round((factor - whole) * 1000)
    return whole + int(number % 1000 * thousandths % 1000 < thousandths)
