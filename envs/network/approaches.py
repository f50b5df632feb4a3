"""What is seen at a stop line: the lanes before it, as far as a detection zone goes, however a file cuts the street.

Files from real cities cut a street wherever its lanes change, often metres or centimetres before the stop line. Whoever
waits there waits on the road behind the cut, or on the way over it; a count of the last road alone would miss them.
"""

from __future__ import annotations

import numpy as np

from intergreen.envs.arrays import BoolArray, FloatArray, IntArray
from intergreen.envs.network.road_network import RoadNetwork

AT_STOP_LINE_M = 15.0  # whoever has come so near calls
REACH_M = 60.0  # eight standing cars: more than 10 s of green let go. Roads that are longer are seen whole


def approach_lanes(network: RoadNetwork, movement: int, *, reach_m: float = REACH_M) -> IntArray:
    """Lanes where vehicles for the movement are seen, ascending, int32.

    Those it starts from, and those that lead to them through junctions without a signal and end less than `reach_m`
    before the stop line. A lane may be seen for several movements.
    """
    seen: set[int] = set()
    for lane in network.start_lanes(movement).tolist():
        seen.update(_before(network, lane, reach_m))
    return np.array(sorted(seen), np.int32)


def approach_lanes_by_movement(network: RoadNetwork, *, reach_m: float = REACH_M) -> tuple[IntArray, IntArray]:
    """Where those of each movement begin (M + 1,), and `approach_lanes` of all, one after the other."""
    starts, lanes = network.start_lanes_by_movement()
    short = np.add.reduceat(np.append(network.lane_length_m[lanes] < reach_m, False), starts)[:-1] > 0
    short &= np.diff(starts) > 0
    if not short.any():
        return starts, lanes
    parts = [
        approach_lanes(network, m, reach_m=reach_m) if short[m] else lanes[starts[m] : starts[m + 1]]
        for m in range(network.n_movements)
    ]
    sizes = [len(part) for part in parts]
    return np.concatenate(([0], np.cumsum(sizes))).astype(np.int32), np.concatenate(parts).astype(np.int32)


def queue_lanes(network: RoadNetwork) -> BoolArray:
    """(L,) the lanes that end at a signal with a choice, and those behind a cut of the street that it sees."""
    is_one = np.isin(network.road_to, network.signalled)[network.lane_road]
    starts, lanes = approach_lanes_by_movement(network)
    at_signal = np.isin(network.movement_intersection, network.signalled)
    is_one[lanes[np.repeat(at_signal, np.diff(starts))]] = True
    return np.asarray(is_one, np.bool_)


def stop_line_ahead_m(network: RoadNetwork, *, reach_m: float = REACH_M) -> FloatArray:
    """(L,) m from the end of each lane to the nearest stop line within `reach_m` that sees it; 0 for all others."""
    ahead_m = np.full(network.n_lanes, np.inf)
    for lane in _stop_line_lanes(network).tolist():
        for other, distance_m in _before(network, lane, reach_m).items():
            ahead_m[other] = min(ahead_m[other], distance_m)
    ahead_m[np.isinf(ahead_m)] = 0.0
    return ahead_m


def links_over_cuts(network: RoadNetwork, *, reach_m: float = REACH_M) -> IntArray:
    """Links over cuts of a street before a signal, less than `reach_m` before its stop line, ascending, int32.

    Who is on one is seen with those on the lane that it leads to.
    """
    seen: set[int] = set()
    for last in _stop_line_lanes(network).tolist():
        for lane, distance_m in _before(network, last, reach_m).items():
            if distance_m + float(network.lane_length_m[lane]) < reach_m:
                seen.update(_links_onto(network, lane))
    return np.array(sorted(seen), np.int32)


def links_from_signals(network: RoadNetwork, stop_line_lane: int, *, reach_m: float) -> IntArray:
    """Links of signals that lead onto the street before a stop line, at most `reach_m` before it, ascending, int32."""
    seen: set[int] = set()
    for lane, distance_m in _before(network, stop_line_lane, reach_m).items():
        if distance_m + float(network.lane_length_m[lane]) <= reach_m:
            seen.update(_links_onto(network, lane, of_signals=True))
    return np.array(sorted(seen), np.int32)


def _links_onto(network: RoadNetwork, lane: int, *, of_signals: bool = False) -> list[int]:
    """Those that lead onto the lane through a junction without a signal, or with one."""
    links = np.flatnonzero(network.link_to_lane == lane)
    at_signal = np.isin(network.movement_intersection[network.link_movement[links]], network.signalled)
    return list(links[at_signal == of_signals].tolist())


def _stop_line_lanes(network: RoadNetwork) -> IntArray:
    at_signal = np.isin(network.movement_intersection, network.signalled)
    lanes: IntArray = np.unique(network.link_from_lane[at_signal[network.link_movement]])
    return lanes


def _before(network: RoadNetwork, stop_line_lane: int, reach_m: float) -> dict[int, float]:
    """Metres from the end of each lane that the detection zone of `stop_line_lane` touches to its stop line."""
    distance_m = {stop_line_lane: 0.0}
    if network.lane_length_m[stop_line_lane] >= reach_m:
        return distance_m
    waiting = [stop_line_lane]
    while waiting:  # a lane reached by a shorter way later is looked at once more
        lane = waiting.pop()
        behind_m = distance_m[lane] + float(network.lane_length_m[lane])
        if behind_m >= reach_m:
            continue
        for link in _links_onto(network, lane):
            before = int(network.link_from_lane[link])
            if behind_m < distance_m.get(before, np.inf):
                distance_m[before] = behind_m
                waiting.append(before)
    return distance_m
