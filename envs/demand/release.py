"""Flows to trips: CityFlow's release clock, second by second, and the choice of the first lane."""

import numpy as np
from numba import njit

from intergreen.envs.arrays import IntArray
from intergreen.envs.demand.demand import Demand, Trips, check_vehicles
from intergreen.envs.demand.lanes import best_first_lanes
from intergreen.envs.demand.routes import first_lanes
from intergreen.envs.network.road_network import RoadNetwork


def release_trips(network: RoadNetwork, demand: Demand, *, horizon_s: int, seed: int) -> Trips:
    """Trips with ``release_s < horizon_s``.

    A vehicle starts on a random lane among those of its first road with a link to the second: the only thing the
    seed decides here.
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
    lane = np.empty(len(route), np.int32)
    choices: dict[tuple[int, ...], IntArray] = {}
    order = np.argsort(route, kind="stable")
    bounds = np.searchsorted(route[order], np.arange(demand.n_routes + 1))
    for n in np.unique(route):
        key = _beginning(network, demand.route(n))
        if key not in choices:
            choices[key] = _first_lanes(network, key)
        lanes, trips = choices[key], order[bounds[n] : bounds[n + 1]]
        lane[trips] = lanes[(draw[trips] * len(lanes)).astype(np.intp)]
    return lane


def _beginning(network: RoadNetwork, route: IntArray) -> tuple[int, ...]:
    """The part of a route that decides where it may start: drivers of networks from SUMO look farther ahead."""
    return tuple(route.tolist() if network.conventions == "sumo" else route[:2].tolist())


def _first_lanes(network: RoadNetwork, roads: tuple[int, ...]) -> IntArray:
    if network.conventions == "sumo":
        return best_first_lanes(network, np.array(roads, np.int32))
    return first_lanes(network, roads[0], roads[1])
