"""The content of a SUMO ``.net.xml`` as records, checked against itself: edges, connections, junctions, programmes.

Kept as SUMO has it: lanes numbered from the right, internal lanes by their names, bit masks for who yields to whom.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from intergreen.envs.errors import InputError, shown
from intergreen.envs.network.sumo_include import read_elements
from intergreen.envs.network.sumo_programmes import Programme, Programmes, read_more_programmes
from intergreen.envs.network.xml_file import Tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Point = tuple[float, float]
LONGEST_LANE_M = 100_000.0  # longer ones are slips of the unit, and would take memory for all the vehicles they hold
SHORTEST_LANE_M = 0.01
LANE_WIDTH_M = 3.2  # SUMO's default
CAR = "passenger"
_NOT_ROADS = ("internal", "crossing", "walkingarea")
_NO_LINK = -1  # no signal shows the connection anything
_STOP_SIGNS = ("s", "w")  # states of connections: priority_stop and allway_stop
_NO = ("0", "false", "f", "no", "off", "-")  # as SUMO writes and reads it
TURNAROUND = "t"  # direction of a connection
_OF_TRAINS = ("rail_signal", "rail_crossing")


class SumoLane(NamedTuple):
    """One lane, of a road or inside a junction."""

    id: str
    speed_mps: float
    length_m: float
    width_m: float
    shape: tuple[Point, ...]
    for_cars: bool


class SumoEdge(NamedTuple):
    """A road; lane 0 is the rightmost."""

    id: str
    start: str  # junction
    end: str
    lanes: tuple[SumoLane, ...]
    is_connector: bool = False


class SumoConnection(NamedTuple):
    """From one lane to another through a junction."""

    start_edge: str
    end_edge: str
    start_lane: int  # from the right
    end_lane: int
    via: str  # its first lane inside the junction; may be empty
    signal: str  # programme; may be empty
    signal_index: int  # character of the programme's states
    direction: str
    for_cars: bool
    has_priority: bool  # by its state in the file
    has_to_stop: bool  # at a stop sign
    keeps_clear: bool  # only who has room behind the junction drives on
    beside: int = -1  # number of the connection that it joins because its lane ends; -1: it stands in the file


class SumoJunction(NamedTuple):
    """A junction with its right of way: bit i of `responses[k]` says that link k yields to link i."""

    id: str
    kind: str
    point: Point
    lanes: tuple[str, ...]  # that lead into it; their connections, in this order, are the links
    responses: tuple[int, ...]
    foes: tuple[int, ...]
    waits_inside: tuple[bool, ...]  # may a driver of the link wait for others inside the junction?


@dataclass(slots=True)
class SumoNet:
    """What the file says."""

    source: str
    edges: dict[str, SumoEdge] = field(default_factory=dict)
    inside: dict[str, SumoLane] = field(default_factory=dict)  # lanes inside junctions, by id
    connections: list[SumoConnection] = field(default_factory=list)
    onward: dict[str, str] = field(default_factory=dict)  # lane inside a junction -> the one behind it
    junctions: dict[str, SumoJunction] = field(default_factory=dict)
    programmes: dict[str, Programme] = field(default_factory=dict)
    rings: set[str] = field(default_factory=set)  # edges of roundabouts, where nobody keeps junctions clear
    restricted: int = 0  # edge types with limits for single classes of vehicles
    marked: int = 0  # lanes that cars may not leave to one side or both

    def junction_of(self, connection: SumoConnection) -> str:
        return self.edges[connection.start_edge].end

    def fail(self, place: str, problem: str, mend: str) -> InputError:
        return InputError(self.source, place, problem, mend)


def read_sumo_net(
    path: str | Path, *, additional: Iterable[Path] = (), begin_s: float = 0.0, end_s: float = math.inf
) -> SumoNet:
    """The records of a ``.net.xml`` or ``.net.xml.gz``.

    Parameters
    ----------
    additional : files that may have programmes of the signals as well
    begin_s : second of SUMO's clock whose programmes are wanted
    end_s : before it, other programmes that take over are wanted as well

    Raises
    ------
    InputError
        If anything is missing, of the wrong kind, out of range, or names a thing that is not there.
    """
    net = SumoNet(str(path))
    connections: list[Tag] = []
    programmes = Programmes()
    for tag in read_elements(path, "net"):
        if tag.name == "edge":
            _read_edge(net, tag)
        elif tag.name == "junction" and tag.text("type", "") != "internal":
            _add(net.junctions, tag, _junction(tag))
        elif tag.name == "connection":
            connections.append(tag)
        elif tag.name == "type":
            net.restricted += any(child.name == "restriction" for child in tag.children())
        elif tag.name == "roundabout":
            net.rings.update(tag.words("edges"))
        else:
            programmes.read(tag, begin_s)
    if not net.edges:
        raise net.fail("", "has no road", "use a SUMO network with edges that cars may drive on")
    read_more_programmes(programmes, additional, begin_s)
    net.programmes = programmes.running(begin_s, end_s)
    for tag in connections:
        _read_connection(net, tag)
    _check_ends(net)
    return net


def read_edge_ends(path: str | Path) -> dict[str, tuple[str, str]]:
    """Junctions at which the edges of a ``.net.xml`` begin and end, whoever may use them; paths for pedestrians, which
    are inside junctions, left out."""
    return {
        tag.text("id"): (tag.text("from"), tag.text("to"))
        for tag in read_elements(path, "net")
        if tag.name == "edge" and tag.text("function", "normal") not in _NOT_ROADS and tag.has("from")
    }


def _add(known: dict[str, SumoJunction], tag: Tag, junction: SumoJunction) -> None:
    if junction.id in known:
        tag.fail("is there twice", "rename one", "id")
    known[junction.id] = junction


def _read_edge(net: SumoNet, tag: Tag) -> None:
    name, function = tag.id(), tag.text("function", "normal")
    lanes = tuple(_lane(lane) for lane in tag.children("lane"))
    if function in _NOT_ROADS or name.startswith(":"):
        net.inside.update({lane.id: lane for lane in lanes})
        return
    if name in net.edges:
        tag.fail("is there twice", "rename one", "id")
    if not lanes:
        tag.fail("has no lane", "give it one")
    net.marked += sum(map(_is_marked, tag.children("lane")))
    net.edges[name] = SumoEdge(name, tag.text("from"), tag.text("to"), lanes, function == "connector")


def _lane(tag: Tag) -> SumoLane:
    length_m = tag.number("length", above=0)
    if length_m > LONGEST_LANE_M:
        tag.fail(f"is {length_m:g} m", f"use at most {LONGEST_LANE_M:g} m", "length")
    shape = tag.points("shape")
    if len(shape) < 2:
        tag.fail("has fewer than two points", 'write "x,y x,y …"', "shape")
    return SumoLane(
        id=tag.id(),
        speed_mps=tag.number("speed", above=0),
        length_m=max(length_m, SHORTEST_LANE_M),
        width_m=tag.number("width", LANE_WIDTH_M, above=0),
        shape=shape,
        for_cars=is_for_cars(tag),
    )


def _is_marked(tag: Tag) -> bool:
    """Does a solid line forbid cars to change from the lane?"""
    sides = [side for side in ("changeLeft", "changeRight") if tag.has(side)]
    return any(not {"all", CAR} & set(tag.words(side)) for side in sides)


def is_for_cars(tag: Tag) -> bool:
    """May a passenger car use the lane or connection."""
    return is_for(tag, CAR)


def is_for(tag: Tag, who: str) -> bool:
    """May vehicles of that class use it: `allow` names all that may, `disallow` all that may not."""
    if tag.has("allow"):
        return bool({"all", who} & set(tag.words("allow")))
    return not {"all", who} & set(tag.words("disallow"))


def read_closed_edges(path: str | Path, who: str) -> frozenset[str]:
    """Edges of a ``.net.xml`` without a lane for vehicles of that class."""
    return frozenset(
        tag.text("id")
        for tag in read_elements(path, "net")
        if tag.name == "edge" and not any(is_for(lane, who) for lane in tag.children("lane"))
    )


def _junction(tag: Tag) -> SumoJunction:
    requests = sorted(tag.children("request"), key=lambda request: request.whole("index"))
    if [request.whole("index") for request in requests] != list(range(len(requests))):
        tag.fail("the indices of its requests have gaps", "number them from 0", "request")
    return SumoJunction(
        id=tag.id(),
        kind=tag.text("type", "priority"),
        point=(tag.number("x"), tag.number("y")),
        lanes=tuple(tag.words("incLanes")),
        responses=tuple(_bits(request, "response") for request in requests),
        foes=tuple(_bits(request, "foes") for request in requests),
        waits_inside=tuple(request.text("cont", "0") == "1" for request in requests),
    )


def _bits(tag: Tag, key: str) -> int:
    """Zeros and ones, link 0 rightmost."""
    text = tag.text(key)
    if set(text) - {"0", "1"}:
        tag.fail(f"is {shown(text)}", "write zeros and ones", key)
    return int(text, 2)


def _read_connection(net: SumoNet, tag: Tag) -> None:
    start, end = tag.text("from"), tag.text("to")
    if start.startswith(":"):
        if tag.has("via"):
            net.onward[f"{start}_{tag.whole('fromLane')}"] = tag.text("via")
        return
    if end.startswith(":"):
        return  # of pedestrians
    lanes = []
    for key, edge, lane_key in (("from", start, "fromLane"), ("to", end, "toLane")):
        if edge not in net.edges:
            tag.fail(f"{shown(edge)} is not there", "name an edge of the file", key)
        lane = tag.whole(lane_key)
        if lane >= len(net.edges[edge].lanes):
            tag.fail(f"is {lane}", f"use 0 to {len(net.edges[edge].lanes) - 1}, the lanes of {shown(edge)}", lane_key)
        lanes.append(lane)
    if net.edges[start].end != net.edges[end].start:
        tag.fail(f"{shown(start)} does not end where {shown(end)} begins", "connect edges that meet", "to")
    if tag.has("via") and tag.text("via") not in net.inside:
        tag.fail(f"{shown(tag.text('via'))} is not there", "name a lane of the file", "via")
    signal = _signal_of(net, tag, start)
    index = tag.whole("linkIndex") if signal else _NO_LINK
    if signal and any(index >= len(state) for state in _states(net.programmes[signal])):
        tag.fail(f"is {index}", f"the states of <tlLogic> {shown(signal)} have fewer characters", "linkIndex")
    net.connections.append(
        SumoConnection(
            start_edge=start,
            end_edge=end,
            start_lane=lanes[0],
            end_lane=lanes[1],
            via=tag.text("via", ""),
            signal=signal,
            signal_index=index,
            direction=tag.text("dir", "s"),
            for_cars=is_for_cars(tag),
            has_priority=tag.text("state", "M").isupper(),
            has_to_stop=not signal and tag.text("state", "M") in _STOP_SIGNS,
            keeps_clear=start not in net.rings and tag.text("keepClear", "1") not in _NO,
        )
    )


def _states(programme: Programme) -> Iterator[str]:
    yield from programme.states
    for _, later in programme.later:
        yield from later.states


def _signal_of(net: SumoNet, tag: Tag, start: str) -> str:
    """The signal that a connection has, "" for none: trains have signals and crossings without a programme, which hold
    nobody up where no train comes."""
    signal = tag.text("tl", "")
    if not signal or tag.number("linkIndex", 0) == _NO_LINK:
        return ""
    if signal not in net.programmes:
        junction = net.junctions.get(net.edges[start].end)
        if junction is not None and junction.kind in _OF_TRAINS:
            return ""
        tag.fail(f"{shown(signal)} has no <tlLogic>", "add its programme, or take the signal out", "tl")
    return signal


def _check_ends(net: SumoNet) -> None:
    for edge in net.edges.values():
        for key, junction in (("from", edge.start), ("to", edge.end)):
            if junction not in net.junctions:
                place = f"<edge id={shown(edge.id)}> {key}"
                raise net.fail(place, f"{shown(junction)} is not there", "name a junction of the file")
