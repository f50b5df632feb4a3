"""Which lane link a vehicle takes: fixed by its route and its lane, so computed once per route.

CityFlow's rule: of the links to the next road whose end lane leads on to the road after it, the one whose
end lane is nearest the own lane index, the first on ties. As long as there are such, only those count that lead on to
the end of the route: CityFlow's vehicles may leave in the middle of it. In networks from SUMO, whose drivers look
farther ahead, it is the link that leads to the fewest lane changes (`intergreen.envs.demand.lanes`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from intergreen.envs.arrays import ByteArray, FloatArray, IntArray
from intergreen.envs.demand import Demand
from intergreen.envs.demand.lanes import SAME_COST, lane_costs, leads_to, link_cost
from intergreen.envs.network import RoadNetwork
from intergreen.envs.simulation.lanes_beside import find_lanes_beside, find_reach

NO_LINK = -1


class RouteTable(NamedTuple):
    """For each route, for each of its roads, for each lane of that road: the link to take (-1: the trip ends)."""

    row_start: IntArray  # (N,) entry of each route's first road
    next_link: IntArray  # (.,) one entry a lane, roads of a route in order
    beside: ByteArray  # (.,) what the lanes beside are worth, see `lanes_beside`; in SUMO's networks, else one entry
    reach_m: IntArray  # (.,) how far the lane leads on; as `beside`


def build_route_table(network: RoadNetwork, demand: Demand) -> RouteTable:
    """The links taken on every route of `demand`."""
    lanes = np.diff(network.road_lane_start)
    entries = np.concatenate([[0], np.cumsum(lanes[demand.route_roads])])
    row_start = entries[demand.route_start[:-1]].astype(np.int32)
    if network.conventions == "sumo":
        cost = lane_costs(network, demand.route_start, demand.route_roads)
        beside, reach_m = find_lanes_beside(network, demand, cost), find_reach(network, demand, len(cost))
        return RouteTable(row_start, _by_changes(network, demand, cost), beside, reach_m)
    next_link = _choose_links(
        demand.route_start,
        demand.route_roads,
        np.isfinite(lane_costs(network, demand.route_start, demand.route_roads)),
        network.road_lane_start,
        network.lane_link_start,
        network.lane_links,
        network.link_to_lane,
        network.lane_road,
        network.lane_index,
    )
    return RouteTable(row_start, next_link, np.zeros(1, np.uint8), np.zeros(1, np.int32))


def _by_changes(network: RoadNetwork, demand: Demand, cost: FloatArray) -> IntArray:
    return np.asarray(
        _cheapest_links(
            demand.route_start, demand.route_roads, cost, network.road_lane_start, network.road_length_m,
            network.lane_link_start, network.lane_links, network.link_to_lane, network.link_changes_lane,
        )
    )  # fmt: skip


@njit(cache=True)
def _choose_links(
    route_start, route_roads, leads_on, road_lanes, lane_link_start, lane_links, link_to, lane_road, lane_index
):
    """(.,) int32 link per route, road and lane; -1 on the last road and where no link leads on.

    leads_on  (.,) whether the route can be driven to its end from there
    """
    out = np.full(len(leads_on), NO_LINK, np.int32)
    entry = 0
    for route in range(route_start.shape[0] - 1):
        for j in range(route_start[route], route_start[route + 1]):
            left = route_start[route + 1] - j - 1  # roads still to come
            first, past = road_lanes[route_roads[j]], road_lanes[route_roads[j] + 1]
            ahead = entry + past - first  # entry of the next road's first lane
            for lane in range(first, past):
                nearest, to_the_end = 1 << 30, False
                if left > 0:
                    for e in range(lane_link_start[lane], lane_link_start[lane + 1]):
                        link = lane_links[e]
                        end = link_to[link]
                        if lane_road[end] != route_roads[j + 1]:
                            continue
                        if left > 1 and not leads_to(
                            end, route_roads[j + 2], lane_link_start, lane_links, link_to, lane_road
                        ):
                            continue
                        away = abs(lane_index[end] - lane_index[lane])
                        is_whole = leads_on[ahead + end - road_lanes[route_roads[j + 1]]]
                        if (is_whole and not to_the_end) or (is_whole == to_the_end and away < nearest):
                            nearest, to_the_end = away, is_whole
                            out[entry] = link
                entry += 1
    return out


@njit(cache=True)
def _cheapest_links(
    route_start, route_roads, cost, road_lanes, road_length, lane_link_start, lane_links, link_to, changes_lane
):
    """The same with the links that cost the fewest lane changes; equally good ones are taken in turn by the routes."""
    out = np.full(len(cost), NO_LINK, np.int32)
    entry = 0
    for route in range(route_start.shape[0] - 1):
        for j in range(route_start[route], route_start[route + 1]):
            road = route_roads[j]
            first, past = road_lanes[road], road_lanes[road + 1]
            ahead = entry + past - first
            if j + 1 < route_start[route + 1]:
                onto, beyond = road_lanes[route_roads[j + 1]], road_lanes[route_roads[j + 1] + 1]
                length = road_length[route_roads[j + 1]]
                for lane in range(first, past):
                    limit = cost[entry + lane - first] + SAME_COST
                    links = lane_links[lane_link_start[lane] : lane_link_start[lane + 1]]
                    onward = cost[ahead : ahead + beyond - onto]
                    good, _ = _good_links(links, onward, onto, limit, length, link_to, changes_lane, -1)
                    if good > 0:
                        turn = route % good
                        _, link = _good_links(links, onward, onto, limit, length, link_to, changes_lane, turn)
                        out[entry + lane - first] = link
            entry = ahead
    return out


@njit(cache=True)
def _good_links(links, onward, onto, limit, length, link_to, changes_lane, turn):
    """How many of the links cost no more than the limit, and the one whose turn it is."""
    good, chosen = 0, NO_LINK
    for link in links:
        lane = link_to[link] - onto
        if 0 <= lane < len(onward):
            cost = link_cost(onward[lane], changes_lane[link], length)
            if cost < np.inf and cost <= limit:
                if good == turn:
                    chosen = link
                good += 1
    return good, chosen
