"""What SUMO calls the lanes and signals of a road network: for whoever runs the network in SUMO itself.

A movement is lit by one or several lamps, characters of a signal's state. A green lamp yields (`g`) where it shows
green together with one that has the right of way by the junction's own requests, and has it (`G`) otherwise, as
`netconvert` writes programmes.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from intergreen.envs.network.sumo import connections_of_movements
from intergreen.envs.network.sumo_net import read_sumo_net
from intergreen.envs.network.sumo_right_of_way import right_of_way

if TYPE_CHECKING:
    from collections.abc import Sequence

    from intergreen.envs.arrays import BoolArray
    from intergreen.envs.network.road_network import RoadNetwork
    from intergreen.envs.network.sumo_net import SumoNet


class SignalLamps(NamedTuple):
    """One signal of SUMO's: N lamps of the network's movements among the characters of its state."""

    id: str
    length: int  # of its state
    character: tuple[int, ...]  # (N,) of the state
    movement: tuple[int, ...]  # (N,)
    yields_to: tuple[tuple[int, ...], ...]  # (N,) lamps, numbered 0..N-1, that go first


class SumoIndex(NamedTuple):
    """SUMO's names for what the network numbers."""

    net: Path
    lanes: tuple[str, ...]  # (L,)
    signals: tuple[SignalLamps, ...]


def index_of_read(
    path: Path,
    network: RoadNetwork,
    *,
    begin_s: float = 0.0,
    end_s: float = math.inf,
    additional: Sequence[Path] = (),
) -> SumoIndex:
    """Of a network that was read from the ``.net.xml`` at `path`, and the additional files."""
    net = read_sumo_net(path, additional=additional, begin_s=begin_s, end_s=end_s)
    by_movement = connections_of_movements(net, begin_s)
    movement = {number: m for m, numbers in enumerate(by_movement) for number in numbers}
    return SumoIndex(path, _lane_ids(net, network), _signals(net, network, movement))


def index_of_written(path: Path, network: RoadNetwork) -> SumoIndex:
    """Of a network that was written as plain XML, which netconvert has made the ``.net.xml`` at `path` of."""
    net = read_sumo_net(path)
    lanes = _lane_ids(net, network)
    ends = zip(network.link_from_lane.tolist(), network.link_to_lane.tolist(), strict=True)
    link_movement = dict(zip(ends, network.link_movement.tolist(), strict=True))
    number = {name: lane for lane, name in enumerate(lanes)}
    movement = {}
    for k, c in enumerate(net.connections):
        start = number[net.edges[c.start_edge].lanes[c.start_lane].id]
        end = number[net.edges[c.end_edge].lanes[c.end_lane].id]
        if (start, end) in link_movement:
            movement[k] = link_movement[start, end]
    return SumoIndex(path, lanes, _signals(net, network, movement))


def _lane_ids(net: SumoNet, network: RoadNetwork) -> tuple[str, ...]:
    """SUMO's lanes from the right are ours from the left; those that no car may use are not ours."""
    return tuple(lane.id for road in network.road_ids for lane in reversed(net.edges[road].lanes) if lane.for_cars)


def _signals(net: SumoNet, network: RoadNetwork, movement: dict[int, int]) -> tuple[SignalLamps, ...]:
    """The signals of all intersections with phases; those without, which are off, stay as they are."""
    has_phases = np.diff(network.phase_start) > 0
    movement = movement | _lit_with_cars(net, movement)
    lamps: dict[str, list[int]] = {}
    for number, c in enumerate(net.connections):
        if c.signal and number in movement and has_phases[network.movement_intersection[movement[number]]]:
            lamps.setdefault(c.signal, []).append(number)
    order = right_of_way(net)
    found = []
    for signal, numbers in lamps.items():
        goes_first: BoolArray = np.array([[order.yields_to(a, b) for b in numbers] for a in numbers], np.bool_)
        found.append(
            SignalLamps(
                id=signal,
                length=len(net.programmes[signal].states[0]),
                character=tuple(net.connections[n].signal_index for n in numbers),
                movement=tuple(movement[n] for n in numbers),
                yields_to=_listed(goes_first),
            )
        )
    return tuple(found)


def _lit_with_cars(net: SumoNet, movement: dict[int, int]) -> dict[int, int]:
    """Movements by the connections that no car may use and that lead from and to the roads of one: the lanes of buses
    and bicycles, which would have red for ever. Where they share a car's character they have that one's light."""
    of_roads, lit = {}, set()
    for number, m in movement.items():
        c = net.connections[number]
        of_roads[c.signal, c.start_edge, c.end_edge] = m
        lit.add((c.signal, c.signal_index))
    others = [(number, c) for number, c in enumerate(net.connections) if number not in movement]
    ways = [(n, (c.signal, c.start_edge, c.end_edge)) for n, c in others if (c.signal, c.signal_index) not in lit]
    return {number: of_roads[way] for number, way in ways if way in of_roads}


def _listed(matrix: BoolArray) -> tuple[tuple[int, ...], ...]:
    rows: Sequence[BoolArray] = list(matrix)
    return tuple(tuple(np.flatnonzero(row).tolist()) for row in rows)
