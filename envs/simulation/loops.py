"""Routes that pass the same signal twice: the literature's approach time charges them the whole way round."""

from __future__ import annotations

import numpy as np

from intergreen.envs.arrays import IntArray
from intergreen.envs.demand import Demand
from intergreen.envs.network import RoadNetwork
from intergreen.envs.simulation.routes import RouteTable
from intergreen.envs.simulation.state import Loops


def build_loops(network: RoadNetwork, demand: Demand, table: RouteTable) -> Loops:
    """For each route table entry, where to note leaving a signal that comes again, and where to look it up."""
    leave = np.full(len(table.next_link), -1, np.int32)
    enter = np.full(len(table.next_link), -1, np.int32)
    signal = np.full(network.n_intersections, False)
    signal[network.signalled] = True
    lanes = np.diff(network.road_lane_start)
    most = 0
    for route in range(len(demand.route_start) - 1):
        roads = demand.route_roads[demand.route_start[route] : demand.route_start[route + 1]]
        ends = network.road_to[roads]
        if len(np.unique(ends)) == len(ends):
            continue
        rows = table.row_start[route] + np.concatenate([[0], np.cumsum(lanes[roads])])
        most = max(most, _note_visits(ends, signal, rows, leave, enter))
    return Loops(leave, enter, most)


def _note_visits(ends: IntArray, signal: np.ndarray, rows: np.ndarray, leave: IntArray, enter: IntArray) -> int:
    last_visit: dict[int, int] = {}
    used = 0
    for j, end in enumerate(ends.tolist()):
        if signal[end]:
            if end in last_visit:
                leave[rows[last_visit[end]]] = enter[rows[j]] = used
                used += 1
            last_visit[end] = j
    return used
