"""Which lane link a vehicle takes: fixed by its route and its lane, so computed once per route.

CityFlow's rule: of the links to the next road whose end lane leads on to the road after it, the one whose
end lane is nearest the own lane index, the first on ties. In networks from SUMO, whose drivers change lanes, the
lanes that may be taken are spread evenly over the lanes they are reached from.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from intergreen.envs.arrays import IntArray
from intergreen.envs.demand import Demand
from intergreen.envs.network import RoadNetwork

NO_LINK = -1


class RouteTable(NamedTuple):
    """For each route, for each of its roads, for each lane of that road: the link to take (-1: the trip ends)."""

    row_start: IntArray  # (N,) entry of each route's first road
    next_link: IntArray  # (.,) one entry a lane, roads of a route in order


def build_route_table(network: RoadNetwork, demand: Demand) -> RouteTable:
    """The links taken on every route of `demand`."""
    lanes = np.diff(network.road_lane_start)
    entries = np.concatenate([[0], np.cumsum(lanes[demand.route_roads])])
    row_start = entries[demand.route_start[:-1]].astype(np.int32)
    choose_links = _spread_links if network.conventions == "sumo" else _choose_links
    next_link = choose_links(
        demand.route_start,
        demand.route_roads,
        int(entries[-1]),
        network.road_lane_start,
        network.lane_link_start,
        network.lane_links,
        network.link_to_lane,
        network.lane_road,
        network.lane_index,
    )
    return RouteTable(row_start, next_link)


@njit(cache=True)
def _choose_links(
    route_start, route_roads, n_entries, road_lanes, lane_link_start, lane_links, link_to, lane_road, lane_index
):
    """(n_entries,) int32 link per route, road and lane; -1 on the last road and where no link leads on."""
    out = np.full(n_entries, NO_LINK, np.int32)
    entry = 0
    for route in range(route_start.shape[0] - 1):
        for j in range(route_start[route], route_start[route + 1]):
            left = route_start[route + 1] - j - 1  # roads still to come
            for lane in range(road_lanes[route_roads[j]], road_lanes[route_roads[j] + 1]):
                nearest = 1 << 30
                if left > 0:
                    for e in range(lane_link_start[lane], lane_link_start[lane + 1]):
                        link = lane_links[e]
                        end = link_to[link]
                        if lane_road[end] != route_roads[j + 1]:
                            continue
                        if left > 1 and not _leads_to(
                            end, route_roads[j + 2], lane_link_start, lane_links, link_to, lane_road
                        ):
                            continue
                        away = abs(lane_index[end] - lane_index[lane])
                        if away < nearest:
                            nearest = away
                            out[entry] = link
                entry += 1
    return out


@njit(cache=True)
def _spread_links(
    route_start, route_roads, n_entries, road_lanes, lane_link_start, lane_links, link_to, lane_road, lane_index
):
    """The same, with the lanes that lead on dealt out evenly, from the left, to the lanes with links to them.

    Where one lane has several of them, routes take them in turn by their number.
    """
    out = np.full(n_entries, NO_LINK, np.int32)
    entry = 0
    for route in range(route_start.shape[0] - 1):
        for j in range(route_start[route], route_start[route + 1]):
            left = route_start[route + 1] - j - 1  # roads still to come
            first, past = road_lanes[route_roads[j]], road_lanes[route_roads[j] + 1]
            if left > 0:
                following = route_roads[j + 1]
                after = route_roads[j + 2] if left > 1 else -1
                feeders = 0
                for lane in range(first, past):
                    feeders += _reaches(lane, following, after, lane_link_start, lane_links, link_to, lane_road)
                feeder = 0
                for lane in range(first, past):
                    if not _reaches(lane, following, after, lane_link_start, lane_links, link_to, lane_road):
                        continue
                    out[entry + lane - first] = _dealt(
                        lane, feeder, feeders, following, after, route,
                        road_lanes, lane_link_start, lane_links, link_to, lane_road,
                    )  # fmt: skip
                    feeder += 1
            entry += past - first
    return out


@njit(cache=True)
def _dealt(
    lane, feeder, feeders, following, after, turn, road_lanes, lane_link_start, lane_links, link_to, lane_road
):
    """The link of `lane`, the number `feeder` of `feeders`, to its share of the lanes of `following` that lead on."""
    usable = 0
    for end in range(road_lanes[following], road_lanes[following + 1]):
        usable += after < 0 or _leads_to(end, after, lane_link_start, lane_links, link_to, lane_road)
    lowest = feeder * usable // feeders
    share = max(1, ((feeder + 1) * usable + feeders - 1) // feeders - lowest)
    wanted = lowest + turn % share
    best, best_away = NO_LINK, 1 << 30
    for e in range(lane_link_start[lane], lane_link_start[lane + 1]):
        end = link_to[lane_links[e]]
        if lane_road[end] != following:
            continue
        if after >= 0 and not _leads_to(end, after, lane_link_start, lane_links, link_to, lane_road):
            continue
        rank = 0
        for other in range(road_lanes[following], end):
            rank += after < 0 or _leads_to(other, after, lane_link_start, lane_links, link_to, lane_road)
        if abs(rank - wanted) < best_away:
            best, best_away = lane_links[e], abs(rank - wanted)
    return best


@njit(cache=True)
def _reaches(lane, road, after, lane_link_start, lane_links, link_to, lane_road):
    """Has the lane a link to a lane of `road` that leads on to the road `after` (-1: to any)?"""
    for e in range(lane_link_start[lane], lane_link_start[lane + 1]):
        end = link_to[lane_links[e]]
        if lane_road[end] == road:
            if after < 0 or _leads_to(end, after, lane_link_start, lane_links, link_to, lane_road):
                return True
    return False


@njit(cache=True)
def _leads_to(lane, road, lane_link_start, lane_links, link_to, lane_road):
    for e in range(lane_link_start[lane], lane_link_start[lane + 1]):
        if lane_road[link_to[lane_links[e]]] == road:
            return True
    return False
