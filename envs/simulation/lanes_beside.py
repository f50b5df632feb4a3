"""For every lane of every road of a route: what the lanes beside it are worth, and how far a lane leads on.

In networks from SUMO alone, where drivers change lanes along a road (`lc2013`). What a lane is worth is how few lane
changes it leads to (`intergreen.envs.demand.lanes`).
"""

from __future__ import annotations

import numpy as np
from numba import njit

from intergreen.envs.arrays import ByteArray, FloatArray, IntArray
from intergreen.envs.demand import Demand
from intergreen.envs.demand.lanes import SAME_COST
from intergreen.envs.network import RoadNetwork

# bits of an entry; a lane beside that leads nowhere has none of them
LEFT, LEFT_IS_BETTER, LEFT_IS_WORSE = 1, 2, 4
RIGHT, RIGHT_IS_BETTER, RIGHT_IS_WORSE = 8, 16, 32
IS_BEST = 64  # of its road


def find_lanes_beside(network: RoadNetwork, demand: Demand, cost: FloatArray) -> ByteArray:
    """(.,) bits for each entry of `cost`, which `lane_costs` gives."""
    return np.asarray(_compare(demand.route_roads, cost, network.road_lane_start))


def find_reach(network: RoadNetwork, demand: Demand, n_entries: int) -> IntArray:
    """(n_entries,) whole m from the beginning of a lane to where the route leaves it, or its connections, or ends."""
    return np.asarray(
        _reach(
            demand.route_start, demand.route_roads, n_entries, network.road_lane_start, network.lane_length_m,
            network.lane_link_start, network.lane_links, network.link_to_lane, network.link_changes_lane,
        )
    ).astype(np.int32)  # fmt: skip


@njit(cache=True)
def _compare(roads, cost, road_lanes):
    out = np.zeros(len(cost), np.uint8)
    entry = 0
    for road in roads:
        past = entry + road_lanes[road + 1] - road_lanes[road]
        best = cost[entry:past].min() + SAME_COST
        for lane in range(entry, past):
            own = cost[lane]
            bits = IS_BEST if own < np.inf and own <= best else 0
            if lane > entry and cost[lane - 1] < np.inf:
                bits |= LEFT
                bits |= LEFT_IS_BETTER if cost[lane - 1] + SAME_COST < own else 0
                bits |= LEFT_IS_WORSE if cost[lane - 1] > own + SAME_COST else 0
            if lane + 1 < past and cost[lane + 1] < np.inf:
                bits |= RIGHT
                bits |= RIGHT_IS_BETTER if cost[lane + 1] + SAME_COST < own else 0
                bits |= RIGHT_IS_WORSE if cost[lane + 1] > own + SAME_COST else 0
            out[lane] = bits
        entry = past
    return out


@njit(cache=True)
def _reach(
    route_start, route_roads, n_entries, road_lanes, lane_length, lane_link_start, lane_links, link_to, changes_lane
):
    out = np.zeros(n_entries)
    entry = n_entries
    for route in range(len(route_start) - 2, -1, -1):
        last = route_start[route + 1] - 1
        ahead = entry  # entries of the next road
        for j in range(last, route_start[route] - 1, -1):
            first, past = road_lanes[route_roads[j]], road_lanes[route_roads[j] + 1]
            entry -= past - first
            for lane in range(first, past):
                onward = 0.0
                if j < last:
                    onto, beyond = road_lanes[route_roads[j + 1]], road_lanes[route_roads[j + 1] + 1]
                    for e in range(lane_link_start[lane], lane_link_start[lane + 1]):
                        end = link_to[lane_links[e]]
                        if onto <= end < beyond and not changes_lane[lane_links[e]]:
                            onward = max(onward, out[ahead + end - onto])
                out[entry + lane - first] = lane_length[lane] + onward
            ahead = entry
    return out
