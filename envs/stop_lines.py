"""Detectors at the stop lines: who has arrived there, and for which movements that is a call."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from intergreen.envs.network.approaches import AT_STOP_LINE_M, approach_lanes, links_over_cuts, stop_line_ahead_m
from intergreen.envs.simulation.compile import inlined
from intergreen.envs.simulation.state import LANES_IN_USE, STEP

if TYPE_CHECKING:
    from intergreen.envs.arrays import FloatArray, IntArray
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.signals.plan import SignalPlan


class Detectors(NamedTuple):
    """For every lane that a movement at a signal starts from, or that ends just before it: who has arrived at the stop
    line calls for the movement."""

    start: IntArray  # (L + 1,)
    movement: IntArray  # (C,) of lane l those from start[l] to start[l + 1]
    from_m: FloatArray  # (L,) m from the beginning of the lane where one has arrived; never where nobody may call
    over_cut: IntArray  # (S,) drivables of links on which one calls like those on the lane that they lead to, ...
    over_cut_lane: IntArray  # (S,) ... that one, ...
    over_cut_from_m: FloatArray  # (S,) ... and m from the beginning of the link where one has arrived


def stop_line_detectors(network: RoadNetwork, plan: SignalPlan) -> Detectors:
    """Those of the plan's signals."""
    at_signal = np.flatnonzero(np.isin(network.movement_intersection, plan.intersection)).tolist()
    pairs = [(lane, m) for m in at_signal for lane in approach_lanes(network, m, reach_m=AT_STOP_LINE_M).tolist()]
    lane, movement = np.array(sorted(pairs), np.int32).reshape(-1, 2).T.copy()
    start = np.searchsorted(lane, np.arange(network.n_lanes + 1)).astype(np.int32)
    within_m = AT_STOP_LINE_M - stop_line_ahead_m(network, reach_m=AT_STOP_LINE_M)
    from_m = least_position_m(network.lane_length_m, within_m)
    from_m[np.diff(start) == 0] = np.inf
    links = links_over_cuts(network, reach_m=AT_STOP_LINE_M)
    behind = network.link_to_lane[links].astype(np.int32)
    length_m = network.link_length_m[links]
    over_m = least_position_m(length_m, within_m[behind] - network.lane_length_m[behind])
    return Detectors(start, movement, from_m, (network.n_lanes + links).astype(np.int32), behind, over_m)


def least_position_m(length_m: FloatArray, within_m: FloatArray) -> FloatArray:
    """(L,) the least float whose distance to the end of the lane is no more than so much, as floats are subtracted."""
    position_m = length_m - within_m
    while (is_beyond := length_m - position_m > within_m).any():
        position_m = np.where(is_beyond, np.nextafter(position_m, np.inf), position_m)
    while (is_within := length_m - (before_m := np.nextafter(position_m, -np.inf)) <= within_m).any():
        position_m = np.where(is_within, before_m, position_m)
    return position_m


@inlined
def detect(state, detectors, calls, arrived):
    """Who has arrived at a stop line, by movement: the first vehicle of a lane calls for all that it may want."""
    position = state.position_a if state.tally[STEP] & 1 == 0 else state.position_b
    for m in range(calls.shape[0]):
        calls[m] = 0
    n_arrived = np.uint64(0)
    for entry in range(state.tally[LANES_IN_USE]):  # without branches all lanes are fetched at the same time
        lane = np.uint32(state.in_use[entry])  # unsigned: no index is asked whether it counts from the end
        arrived[n_arrived] = lane
        n_arrived += np.uint64(position[np.uint32(state.head[lane])] >= detectors.from_m[lane])
    for entry in range(n_arrived):
        lane = np.uint32(arrived[entry])
        for k in range(np.uint32(detectors.start[lane]), np.uint32(detectors.start[lane + np.uint32(1)])):
            calls[np.uint32(detectors.movement[k])] = 1
    for entry in range(detectors.over_cut.shape[0]):
        link, lane = detectors.over_cut[entry], detectors.over_cut_lane[entry]
        if state.n_inside[link] > 0 and position[state.head[link]] >= detectors.over_cut_from_m[entry]:
            for k in range(detectors.start[lane], detectors.start[lane + 1]):
                calls[detectors.movement[k]] = 1
