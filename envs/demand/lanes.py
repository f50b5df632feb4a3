"""Which lanes a driver of a network from SUMO may use on a route: those that need the fewest lane changes ahead.

SUMO's drivers change lanes along a road, ours where they drive onto it, on a link beside a connection. Both look
ahead: a change costs more onto a short road, where there is little room for it, and less the farther off it is.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from intergreen.envs.arrays import FloatArray, IntArray
    from intergreen.envs.network.road_network import RoadNetwork

SIGHT_M = 140.0  # a change this far ahead counts 1/e: the 10 s that SUMO's LC2013 looks forward, at 50 km/h
ROOM_M = 50.0  # onto a road of this length a change costs twice what it costs onto an endless one
SAME_COST = 0.1  # lanes whose costs differ by less are as good as each other


def lane_costs(network: RoadNetwork, route_start: IntArray, route_roads: IntArray) -> FloatArray:
    """Lane changes that each lane of each road of each route leads to, weighed; infinite where it does not lead on.

    Returns
    -------
    (.,) one entry a lane, roads of a route in order, as in the simulation's route table
    """
    lanes = np.diff(network.road_lane_start)
    return np.asarray(
        _weigh(
            route_start, route_roads, int(lanes[route_roads].sum()), network.road_lane_start, network.road_length_m,
            network.lane_link_start, network.lane_links, network.link_to_lane, network.link_changes_lane,
        )
    )  # fmt: skip


def best_first_lanes(network: RoadNetwork, route: IntArray) -> IntArray:
    """Lanes of the route's first road that lead on with the fewest changes, from the left."""
    costs = lane_costs(network, np.array([0, len(route)], np.int32), np.ascontiguousarray(route))
    first, past = network.road_lane_start[route[0] : route[0] + 2]
    own = costs[: past - first]
    return (first + np.flatnonzero(own <= own.min() + SAME_COST)).astype(np.int32)


@njit(cache=True)
def _weigh(
    route_start, route_roads, n_entries, road_lanes, road_length, lane_link_start, lane_links, link_to, changes_lane
):
    cost = np.full(n_entries, np.inf)
    end_entry = 0
    for route in range(len(route_start) - 1):
        first, past = route_start[route], route_start[route + 1]
        for j in range(first, past):
            end_entry += road_lanes[route_roads[j] + 1] - road_lanes[route_roads[j]]
        entry = end_entry
        for j in range(past - 1, first - 1, -1):
            road = route_roads[j]
            n_lanes = road_lanes[road + 1] - road_lanes[road]
            ahead = entry  # entries of the next road
            entry -= n_lanes
            if j == past - 1:
                cost[entry : entry + n_lanes] = 0.0
                continue
            following = route_roads[j + 1]
            for lane in range(n_lanes):
                for e in range(lane_link_start[road_lanes[road] + lane], lane_link_start[road_lanes[road] + lane + 1]):
                    link = lane_links[e]
                    onto = link_to[link] - road_lanes[following]
                    if 0 <= onto < road_lanes[following + 1] - road_lanes[following]:
                        one = link_cost(cost[ahead + onto], changes_lane[link], road_length[following])
                        cost[entry + lane] = min(cost[entry + lane], one)
    return cost


@njit(cache=True)
def link_cost(onward, changes_lane, length_m):
    """Cost of a link onto a road [lane changes]: its own and what the lane leads to."""
    own = 1.0 + ROOM_M / length_m if changes_lane else 0.0
    return own + math.exp(-length_m / SIGHT_M) * onward


@njit(cache=True)
def leads_to(lane, road, lane_link_start, lane_links, link_to, lane_road):
    """Whether a link leads from the lane to the road."""
    for k in range(lane_link_start[lane], lane_link_start[lane + 1]):
        if lane_road[link_to[lane_links[k]]] == road:
            return True
    return False
