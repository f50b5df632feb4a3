"""Reader of SUMO's ``.net.xml``: records to the arrays of a road network.

Only what passenger cars may use is read. Lanes keep the lengths and speed limits of the file.
"""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from intergreen.envs.errors import shown
from intergreen.envs.network.geometry import starts
from intergreen.envs.network.road_network import STRAIGHT, TURN_LEFT, TURN_RIGHT, RoadNetwork
from intergreen.envs.network.sumo_joined import with_one_signal_each
from intergreen.envs.network.sumo_junctions import find_conflicts, find_intersections
from intergreen.envs.network.sumo_links import Link, links_of, path_of
from intergreen.envs.network.sumo_merges import with_merges
from intergreen.envs.network.sumo_net import TURNAROUND, SumoNet, read_sumo_net
from intergreen.envs.network.sumo_right_of_way import Links, find_sumo_crossings, right_of_way
from intergreen.envs.network.sumo_signals import never_green

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from intergreen.envs.arrays import IntArray
    from intergreen.envs.network.sumo_junctions import Intersection, Movement
    from intergreen.envs.network.sumo_links import Path as LinkPath
    from intergreen.envs.network.sumo_net import SumoConnection

_LOG = logging.getLogger(__name__)
_TURNS = {
    "s": STRAIGHT,
    "l": TURN_LEFT,
    "L": TURN_LEFT,
    TURNAROUND: TURN_LEFT,
    "T": TURN_LEFT,
    "r": TURN_RIGHT,
    "R": TURN_RIGHT,
}
MINOR_PENALTY_S, TURNAROUND_PENALTY_S = 1.5, 5.0  # SUMO's options --weights.minor-penalty, --weights.turnaround-penalty
AFTER_A_STOP_MPS = 2.6  # a second of SUMO's default acceleration: so fast is at most who has stood at a stop sign
LONGEST_CLEARANCE_S = 10.0  # of reds between two greens; on junctions of 60 m they are 5 to 7 s


def read_sumo_network(
    path: str | Path, *, begin_s: float = 0.0, end_s: float = math.inf, additional: Iterable[Path] = ()
) -> RoadNetwork:
    """The network of a ``.net.xml`` or ``.net.xml.gz``, named after the file.

    Parameters
    ----------
    begin_s : second of SUMO's clock at which ours stands at 0; the signals' programmes run by it
    end_s : second of it by which a run is over: phases of programmes that take over before may be chosen
    additional : files that may have programmes as well, which then run instead of the network's

    Raises
    ------
    InputError
        If anything in the file is missing, of the wrong kind, out of range or contradicts the rest, or a signal
        leaves a connection without green.
    """
    net = read_sumo_net(path, additional=additional, begin_s=begin_s, end_s=end_s)
    name = Path(path).name.removesuffix(".gz").removesuffix(".xml").removesuffix(".net")
    build = _Build(net, begin_s)
    _tell_of_switches(net, build.junctions)
    _tell_of_long_reds(net, build.junctions)
    if net.restricted:
        words = "%s: limits of %d edge types for single classes (<restriction>) are not obeyed, but in SUMO"
        _LOG.warning(words, net.source, net.restricted)
    if net.marked:
        words = "%s: lines that cars may not cross (changeLeft, changeRight), on %d lanes, are not obeyed, but in SUMO"
        _LOG.warning(words, net.source, net.marked)
    for remark in build.remarks:
        _LOG.warning("%s: %s", net.source, remark)
    return build.network(name)


def _tell_of_long_reds(net: SumoNet, junctions: Sequence[Intersection]) -> None:
    """Say where a signal stops cars, for pedestrians, trains or as a ramp meter, and here has green for ever."""
    alone = [junction for junction in junctions if len(junction.greens.phases) == 1]
    stopping = [junction for junction in alone if junction.greens.longest_red_s > LONGEST_CLEARANCE_S]
    if stopping:
        words = "%s: %d signals with one green stop all cars, first %s for %g s; here they stay green"
        _LOG.warning(words, net.source, len(stopping), shown(stopping[0].id), stopping[0].greens.longest_red_s)


def _tell_of_switches(net: SumoNet, junctions: Sequence[Intersection]) -> None:
    """Say in one line that programmes switch in the middle of the run: fixed time does not."""
    switching = [p for p in net.programmes.values() if p.later]
    if switching:
        first, (time_s, to) = switching[0], switching[0].later[0]
        _LOG.warning(
            "%s: %s signals switch to other programmes during the run, first %s from %s to %s at %g s; fixed-time keeps"
            " the ones of the beginning, and %s phases that only later ones have can be chosen",
            net.source, len(switching), shown(first.id), shown(first.name), shown(to.name), time_s,
            sum(junction.greens.n_later for junction in junctions),
        )  # fmt: skip


def connections_of_movements(net: SumoNet, begin_s: float) -> list[tuple[int, ...]]:
    """Numbers of the file's connections by movement, in the order of the network made of it."""
    build, n = _Build(net, begin_s), len(net.connections)  # behind them stand those that are none of the file's
    moves = [move for junction in build.junctions for move in junction.movements]
    return [tuple(number for number in move.connections if number < n) for move in moves]


class _Build:
    """The steps from records to arrays, each with what the ones before it found."""

    def __init__(self, net: SumoNet, begin_s: float) -> None:
        net, self.remarks = with_one_signal_each(net)
        paths = [path_of(net, c) for c in net.connections]
        self.remarks += _close_what_stays_red(net, paths)
        net = with_merges(net, paths)
        self.net = net
        self.paths = [*paths, *(path_of(net, c) for c in net.connections[len(paths) :])]
        self.roads = [edge for edge in net.edges.values() if any(lane.for_cars for lane in edge.lanes)]
        if not self.roads:
            raise net.fail("", "has no road for cars", "use a network with lanes that passenger cars may use")
        self.lanes: dict[tuple[str, int], int] = {}
        for edge in self.roads:  # lane 0 is the leftmost with us, the rightmost with SUMO
            for i in reversed(range(len(edge.lanes))):
                if edge.lanes[i].for_cars:
                    self.lanes[edge.id, i] = len(self.lanes)
        self.order = right_of_way(net)
        used = {edge.start for edge in self.roads} | {edge.end for edge in self.roads}
        self.junctions = find_intersections(net, self.paths, used, begin_s)

    def network(self, name: str) -> RoadNetwork:
        links = _in_order(self.junctions, links_of(self.net, self.paths))
        arrays = {**self._intersections(), **self._roads(), **self._movements(links), **self._links(links)}
        arrays |= self._crossings(links, arrays)
        lane_ids = tuple(self.net.edges[edge].lanes[i].id for edge, i in self.lanes)
        return RoadNetwork(name=name, **arrays, lane_ids=lane_ids, conventions="sumo")

    def _intersections(self) -> dict[str, Any]:
        junctions, net = self.junctions, self.net
        touching: dict[str, list[int]] = {}
        for r, edge in enumerate(self.roads):
            touching.setdefault(edge.start, []).append(r)
            touching.setdefault(edge.end, []).append(r)
        roads = [sorted({r for member in j.members for r in touching[member]}) for j in junctions]
        xy = [np.mean([net.junctions[m].point for m in j.members], axis=0) for j in junctions]
        phases = [(i, p) for i, j in enumerate(junctions) for p in range(len(j.greens.phases))]
        first = starts([len(j.movements) for j in junctions]).tolist()
        greens = [
            [first[i] + m for m, move in enumerate(junctions[i].movements) if p in move.phases] for i, p in phases
        ]
        return {
            "intersection_ids": tuple(j.id for j in junctions),
            "intersection_xy": np.array(xy, np.float64).reshape(-1, 2),
            "intersection_width_m": np.zeros(len(junctions)),
            "is_virtual": np.array([not j.movements for j in junctions], np.bool_),
            "intersection_road_start": starts([len(some) for some in roads]),
            "intersection_roads": _ints(r for some in roads for r in some),
            "phase_start": starts([len(j.greens.phases) for j in junctions]),
            "phase_duration_s": np.array([junctions[i].greens.phases[p].duration_s for i, p in phases], np.float64),
            "phase_movement_start": starts([len(some) for some in greens]),
            "phase_movements": _ints(m for some in greens for m in some),
            "programme_elapsed_s": np.array([j.greens.elapsed_s for j in junctions], np.float64),
        }

    def _roads(self) -> dict[str, Any]:
        at = {member: i for i, j in enumerate(self.junctions) for member in j.members}
        lanes = [self.net.edges[edge].lanes[i] for edge, i in self.lanes]
        counts = [sum(lane.for_cars for lane in edge.lanes) for edge in self.roads]
        lane_start = starts(counts)
        length_m = np.array([lane.length_m for lane in lanes], np.float64)
        lane_road = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
        return {
            "road_ids": tuple(edge.id for edge in self.roads),
            "road_from": _ints(at[edge.start] for edge in self.roads),
            "road_to": _ints(at[edge.end] for edge in self.roads),
            "road_length_m": np.bincount(lane_road, length_m) / counts,
            "road_lane_start": lane_start,
            "road_is_connector": np.array([edge.is_connector for edge in self.roads], np.bool_),
            "lane_road": lane_road,
            "lane_index": np.arange(len(lanes), dtype=np.int32) - lane_start[lane_road],
            "lane_length_m": length_m,
            "lane_speed_limit_mps": np.array([lane.speed_mps for lane in lanes], np.float64),
            "lane_width_m": np.array([lane.width_m for lane in lanes], np.float64),
            "lane_point_start": starts([len(lane.shape) for lane in lanes]),
            "lane_points": np.array([point for lane in lanes for point in lane.shape], np.float64).reshape(-1, 2),
        }

    def _movements(self, links: Sequence[Sequence[Link]]) -> dict[str, Any]:
        road = {edge.id: r for r, edge in enumerate(self.roads)}
        movements = [move for j in self.junctions for move in j.movements]
        counts = [len(j.movements) for j in self.junctions]
        link_counts = [len(some) for some in links]
        turns = [_TURNS.get(self.net.connections[move.connections[0]].direction, STRAIGHT) for move in movements]
        return {
            "movement_start": starts(counts),
            "movement_intersection": np.repeat(np.arange(len(counts), dtype=np.int32), counts),
            "movement_from_road": _ints(road[move.start_edge] for move in movements),
            "movement_to_road": _ints(road[move.end_edge] for move in movements),
            "movement_turn": np.array(turns, np.int8),
            "movement_turns_about": np.array([self._turns_about(move) for move in movements], np.bool_),
            "movement_lamp": self._lamps(movements),
            "movement_link_start": starts(link_counts),
            "link_movement": np.repeat(np.arange(len(links), dtype=np.int32), link_counts),
        }

    def _lamps(self, movements: Sequence[Movement]) -> IntArray:
        """For each movement the first of those that it shares a link index with, as `netconvert --tls.group-signals`
        numbers them; empty if nobody shares one."""
        lamp = list(range(len(movements)))
        first: dict[tuple[str, int], int] = {}
        for m, move in enumerate(movements):
            for c in (self.net.connections[number] for number in move.connections):
                mine = lamp[m]
                other = lamp[first.setdefault((c.signal, c.signal_index), m)] if c.signal else mine
                if other != mine:
                    lamp = [min(mine, other) if one in (mine, other) else one for one in lamp]
        return _ints(lamp if lamp != list(range(len(lamp))) else [])

    def _turns_about(self, move: Movement) -> bool:
        return all(self.net.connections[number].direction == TURNAROUND for number in move.connections)

    def _links(self, links: Sequence[Sequence[Link]]) -> dict[str, Any]:
        flat = [link for some in links for link in some]
        ways = [self._path(link) for link in flat]
        starts_at = [self.net.connections[link.connection] for link in flat]
        from_lane = _ints(self.lanes[c.start_edge, c.start_lane] for c in starts_at)
        order = np.argsort(from_lane, kind="stable").astype(np.int32)
        speed = np.array([way.speed_mps for way in ways], np.float64)
        stops = np.array([c.has_to_stop for c in starts_at], np.bool_)
        return {
            "link_from_lane": from_lane,
            "link_to_lane": _ints(
                self.lanes[c.end_edge, link.end_lane] for c, link in zip(starts_at, flat, strict=True)
            ),
            "link_length_m": np.array([way.length_m for way in ways], np.float64),
            "link_speed_limit_mps": speed,
            "link_entry_speed_mps": np.where(stops, np.minimum(speed, AFTER_A_STOP_MPS), speed),
            "link_changes_lane": np.array(
                [not link.is_direct and c.beside < 0 for link, c in zip(flat, starts_at, strict=True)], np.bool_
            ),
            "link_keeps_clear": np.array([c.keeps_clear for c in starts_at], np.bool_),
            "link_penalty_s": np.array([_penalty_s(c) for c in starts_at], np.float64),
            "link_point_start": starts([len(link.points) for link in flat]),
            "link_points": np.array([point for link in flat for point in link.points], np.float64).reshape(-1, 2),
            "lane_link_start": np.searchsorted(from_lane[order], np.arange(len(self.lanes) + 1)).astype(np.int32),
            "lane_links": order,
        }

    def _crossings(self, links: Sequence[Sequence[Link]], arrays: dict[str, Any]) -> dict[str, Any]:
        flat = [link for some in links for link in some]
        inner_m = [self._path(link).inner_m if self.order.waits_inside[link.connection] else 0.0 for link in flat]
        view = Links(
            connection=_ints(link.connection for link in flat),
            is_direct=np.array([link.is_direct for link in flat], np.bool_),
            merges=np.array([self.net.connections[link.connection].beside >= 0 for link in flat], np.bool_),
            from_lane=arrays["link_from_lane"],
            to_lane=arrays["link_to_lane"],
            length_m=arrays["link_length_m"],
            inner_m=np.array(inner_m, np.float64),
            points=arrays["link_points"],
            point_start=arrays["link_point_start"],
        )
        group_start = arrays["movement_link_start"][arrays["movement_start"]].tolist()
        return find_sumo_crossings(view, group_start, self.order) | self._conflicts()

    def _conflicts(self) -> dict[str, Any]:
        conflicts = find_conflicts(self.net, self.junctions, self.order)
        own = _ints(one.own for one in conflicts)
        n_movements = sum(len(j.movements) for j in self.junctions)
        return {
            "conflict_start": np.searchsorted(own, np.arange(n_movements + 1)).astype(np.int32),
            "conflict_with": _ints(one.foe for one in conflicts),
            "conflict_permitted": np.array([one.is_permitted for one in conflicts], np.bool_),
        }

    def _path(self, link: Link) -> LinkPath:
        path = self.paths[link.connection]
        assert path is not None
        return path


def _close_what_stays_red(net: SumoNet, paths: list[LinkPath | None]) -> list[str]:
    """Take the paths of connections that never have green, where somebody else at their signal has: who went there
    would wait for ever. Returns a line about them, if there are any."""
    of_signal: dict[str, list[int]] = {}
    for number, (c, path) in enumerate(zip(net.connections, paths, strict=True)):
        if c.signal and path is not None:
            of_signal.setdefault(c.signal, []).append(number)
    closed = []
    for signal, numbers in of_signal.items():
        used = {net.connections[n].signal_index for n in numbers}
        red = never_green(net.programmes[signal], used)
        closed += [n for n in numbers if net.connections[n].signal_index in red and red != used]
    for number in closed:
        paths[number] = None
    if not closed:
        return []
    first = net.connections[closed[0]]
    return [
        f"no phase gives green to {len(closed)} of its connections, which are left out, first"
        f" {shown(first.start_edge)} -> {shown(first.end_edge)} (signal {shown(first.signal)}, link index"
        f" {first.signal_index})"
    ]


def _in_order(junctions: Sequence[Intersection], links: Sequence[Link]) -> list[list[Link]]:
    """The links of every movement, movements by junction."""
    of: dict[int, list[Link]] = {}
    for link in links:
        of.setdefault(link.connection, []).append(link)
    return [[link for number in move.connections for link in of[number]] for j in junctions for move in j.movements]


def _penalty_s(connection: SumoConnection) -> float:
    minor_s = 0.0 if connection.signal or connection.has_priority else MINOR_PENALTY_S
    return minor_s + (TURNAROUND_PENALTY_S if connection.direction == TURNAROUND else 0.0)


def _ints(values: Iterable[int]) -> np.ndarray:
    return np.fromiter(values, np.int32)
