"""Flows to trips: CityFlow's release clock, second by second, and the choice of the first lane."""

import numpy as np
from numba import njit

from intergreen.envs.arrays import FloatArray, IntArray
from intergreen.envs.demand.demand import Demand, Trips, check_vehicles
from intergreen.envs.demand.lanes import best_first_lanes, lane_costs, leads_to
from intergreen.envs.network.road_network import RoadNetwork


def release_trips(network: RoadNetwork, demand: Demand, *, horizon_s: int, seed: int) -> Trips:
    """Trips with ``release_s < horizon_s``.

    A vehicle starts on a random lane among those of its first road from which its route can be driven to its end,
    where there is none, among those with a link to the second road: the only thing the seed decides here.
    """
    flow, release_s = release_times(demand, horizon_s)
    order = np.argsort(release_s, kind="stable")
    flow, release_s = flow[order], release_s[order]
    route = demand.flow_route[flow]
    lane = choose_start_lanes(network, demand, route, np.random.default_rng(seed))
    return Trips(release_s, route, demand.flow_type[flow], lane)


def release_times(demand: Demand, horizon_s: int) -> tuple[IntArray, IntArray]:
    """Flow and second of every release before the horizon, flow by flow."""
    clock = (demand.flow_start_s, demand.flow_end_s, demand.flow_interval_s, horizon_s)
    n = run_clocks(np.empty(0, np.int32), np.empty(0, np.int32), *clock)
    check_vehicles(n)
    flow, release_s = np.empty(n, np.int32), np.empty(n, np.int32)
    run_clocks(flow, release_s, *clock)
    return flow, release_s


@njit(cache=True)
def run_clocks(flow, release_s, start_s, end_s, interval_s, horizon_s):
    """Releases of all flows into flow, release_s (overwritten as far as they reach); returns how many there are.

    The clock holds ``interval`` at first and gains 1 s each second: sums of float64, so fractions drift as in CityFlow.
    """
    n = 0
    for f in range(len(start_s)):
        clock_s = interval_s[f]
        for t in range(max(0, int(np.ceil(min(start_s[f], horizon_s)))), horizon_s):
            if end_s[f] != -1.0 and t > end_s[f]:
                break
            while clock_s >= interval_s[f]:
                if n < len(flow):
                    flow[n], release_s[n] = f, t
                n += 1
                clock_s -= interval_s[f]
            clock_s += 1.0
    return n


def choose_start_lanes(network: RoadNetwork, demand: Demand, route: IntArray, random: np.random.Generator) -> IntArray:
    """A first lane for every trip, (N,) int32; ``route`` (N,) is the trips' route."""
    draw = random.random(len(route))
    if network.conventions == "sumo":
        return _among_best_lanes(network, demand, route, draw)
    lane = np.empty(len(route), np.int32)
    leads_on = np.isfinite(lane_costs(network, demand.route_start, demand.route_roads))
    entries = np.concatenate(([0], np.cumsum(np.diff(network.road_lane_start)[demand.route_roads])))
    whole = leads_on, entries[demand.route_start[:-1]]
    roads = demand.route_start, demand.route_roads, network.road_lane_start
    links = network.lane_link_start, network.lane_links, network.link_to_lane, network.lane_road
    _among_fitting_lanes(route, draw, *whole, *roads, *links, lane)
    return lane


def _among_best_lanes(network: RoadNetwork, demand: Demand, route: IntArray, draw: FloatArray) -> IntArray:
    """Drivers of networks from SUMO look along their whole route."""
    lane = np.empty(len(route), np.int32)
    choices: dict[bytes, IntArray] = {}
    order = np.argsort(route, kind="stable")
    bounds = np.searchsorted(route[order], np.arange(demand.n_routes + 1))
    for n in np.unique(route):
        roads = demand.route(n)
        if roads.tobytes() not in choices:
            choices[roads.tobytes()] = best_first_lanes(network, roads)
        lanes, trips = choices[roads.tobytes()], order[bounds[n] : bounds[n + 1]]
        lane[trips] = lanes[(draw[trips] * len(lanes)).astype(np.intp)]
    return lane


@njit(cache=True)
def _among_fitting_lanes(
    route, draw, leads_on, entry, route_start, route_roads, road_lanes, lane_link_start, lane_links, link_to, lane_road,
    lane,
):  # fmt: skip
    """Lane (N,), overwritten: one of the first road's that lead to the end, by draw (N,) from the left.

    leads_on  (.,) whether the route can be driven to its end, one entry a lane of its roads
    entry     (routes,) that of each route's first lane
    """
    for n in range(len(route)):
        road, following = route_roads[route_start[route[n]]], route_roads[route_start[route[n]] + 1]
        first, past = road_lanes[road], road_lanes[road + 1]
        fits = leads_on[entry[route[n]] : entry[route[n]] + past - first]
        fitting = np.sum(fits)
        is_whole = fitting > 0
        if not is_whole:
            for one in range(first, past):
                fitting += leads_to(one, following, lane_link_start, lane_links, link_to, lane_road)
        skip = int(draw[n] * fitting)
        for one in range(first, past):
            if fits[one - first] or (
                not is_whole and leads_to(one, following, lane_link_start, lane_links, link_to, lane_road)
            ):
                if skip == 0:
                    lane[n] = one
                    break
                skip -= 1
