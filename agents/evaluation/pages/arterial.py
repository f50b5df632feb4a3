"""The longest way straight on through a network: the road that a time-space diagram is drawn of."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from intergreen.envs.network.road_network import STRAIGHT

if TYPE_CHECKING:
    from intergreen.envs.arrays import FloatArray, IntArray
    from intergreen.envs.network import RoadNetwork

_NOWHERE = -1.0


class Arterial(NamedTuple):
    """Roads that follow each other straight on; a place on it is metres from its beginning.

    roads           (n,) in driving order
    movements       (n - 1,) from each road straight into the next
    begins_m        (n,) where each road begins
    stop_lines_m    (n - 1,) where each movement starts
    drivable_begins_m  (L + K,) where a lane or lane link begins, -1 for those that do not lead straight on
    length_m        of all
    """

    roads: tuple[int, ...]
    movements: tuple[int, ...]
    begins_m: FloatArray
    stop_lines_m: FloatArray
    drivable_begins_m: FloatArray
    length_m: float


def longest_arterial(network: RoadNetwork, signalled: IntArray, flows_vph: FloatArray | None = None) -> Arterial | None:
    """The chain through the most signals; of several the one with the most traffic, then the longest. None: no signal.

    signalled  intersections with a signal
    flows_vph  (M,) expected volumes
    """
    straight = _straight_on(network, flows_vph)
    has_signal = set(signalled.tolist())
    volume = np.zeros(network.n_movements) if flows_vph is None else flows_vph
    best: tuple[int, float, float] = (0, 0.0, 0.0)
    chosen: list[int] = []
    for road in sorted(set(range(network.n_roads)) - {int(network.movement_to_road[m]) for m in straight.values()}):
        movements = _chain(network, straight, road)
        lengths = [network.road_length_m[network.movement_from_road[m]] for m in movements]
        signals = sum(int(network.movement_intersection[m]) in has_signal for m in movements)
        rank = signals, float(sum(volume[m] for m in movements)), float(sum(lengths))
        if rank > best:
            best, chosen = rank, movements
    return _arterial(network, chosen) if best[0] else None


def _straight_on(network: RoadNetwork, flows_vph: FloatArray | None) -> dict[int, int]:
    """For every road its movement straight on, the busiest where there are several."""
    order = np.arange(network.n_movements) if flows_vph is None else np.argsort(flows_vph, kind="stable")
    return {int(network.movement_from_road[m]): int(m) for m in order if network.movement_turn[m] == STRAIGHT}


def _chain(network: RoadNetwork, straight: dict[int, int], road: int) -> list[int]:
    movements: list[int] = []
    seen = {road}
    while road in straight:
        movement = straight[road]
        road = int(network.movement_to_road[movement])
        if road in seen:
            break
        seen.add(road)
        movements.append(movement)
    return movements


def _arterial(network: RoadNetwork, movements: list[int]) -> Arterial:
    roads = [int(network.movement_from_road[movements[0]]), *(int(network.movement_to_road[m]) for m in movements)]
    begins, stops, at = [], [], 0.0
    drivable_begins_m = np.full(network.n_lanes + network.n_links, _NOWHERE)
    for road, movement in zip(roads, [*movements, None], strict=True):
        begins.append(at)
        lanes = np.arange(network.road_lane_start[road], network.road_lane_start[road + 1])
        drivable_begins_m[lanes if movement is None else network.start_lanes(movement)] = at
        at += float(network.road_length_m[road])
        if movement is None:
            break
        stops.append(at)
        links = slice(network.movement_link_start[movement], network.movement_link_start[movement + 1])
        drivable_begins_m[network.n_lanes :][links] = at
        at += float(network.link_length_m[links].mean())
    return Arterial(tuple(roads), tuple(movements), np.array(begins), np.array(stops), drivable_begins_m, at)
