"""Scenarios that nobody has trained on or planned for: more or less traffic, other destinations, closed lanes.

A plan made from volumes (`Scenario.flows_vph`) keeps those of the scenario as it was: they are a survey of other days.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from intergreen.envs.demand.routes import RouteCollector, Router
from intergreen.envs.errors import InputError
from intergreen.envs.network.closed_lanes import close_some_lanes

if TYPE_CHECKING:
    from intergreen.envs.demand import Demand
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.scenario import Scenario

HIGHEST_LEVEL = 10.0
CLOSED_SHARE = 0.1  # of the roads that have a lane to lose


def at_level(scenario: Scenario, level: float) -> Scenario:
    """The scenario with `level` times as many trips on average, and a name that says so; itself at level 1.

    Trips that are drawn are drawn in that number; of a fixed demand, trips are left out or driven twice, the second
    time up to a minute apart, by the run's seed.

    Raises
    ------
    ValueError
        If the level is not above 0 and at most `HIGHEST_LEVEL`.
    """
    if not (math.isfinite(level) and 0.0 < level <= HIGHEST_LEVEL):
        raise ValueError(f"need a level above 0 and at most {HIGHEST_LEVEL:g}, got {level}")
    if level == 1.0:
        return scenario
    return replace(scenario, name=f"{scenario.name} demand x{level:g}", level=scenario.level * level)


def with_varied_trips(scenario: Scenario) -> Scenario:
    """The scenario with other trips of the same kind for every seed, and a name that says so; itself where trips are
    drawn anyhow.

    Of a fixed demand one trip in ten is left out, as many others are driven twice, and all leave up to two minutes
    earlier or later. A single run on trips of a file says little of what a method would do on another day.
    """
    if not scenario.fixed_demand or scenario.varied:
        return scenario
    return replace(scenario, name=f"{scenario.name} varied", varied=True)


def with_other_destinations(scenario: Scenario, seed: int) -> Scenario:
    """The scenario with its flows' destinations dealt out anew, and a name that says so.

    Every flow keeps its origin and its times; as many flows as before go to each destination, but for those that would
    find no way or turn round where they came from, which keep their route. All take the shortest way.
    """
    demand = _dealt_out(scenario.network, scenario.demand, seed)
    survey = scenario.flows_vph() if scenario.survey_vph is None else scenario.survey_vph
    return replace(scenario, name=f"{scenario.name} od-mix {seed}", demand=demand, survey_vph=survey)


def with_closed_lanes(scenario: Scenario, seed: int) -> Scenario:
    """The scenario with a lane closed on one road in ten of those that have two or more, and a name that says so.

    Everybody drives where they drove, on the lanes that are left.

    Raises
    ------
    InputError
        If no lane of the network can be closed.
    """
    try:
        network = close_some_lanes(scenario.network, seed, CLOSED_SHARE)
    except ValueError as error:
        raise InputError(scenario.name, "closed lanes", str(error), "leave them open") from None
    return replace(scenario, name=f"{scenario.name} closed-lanes {seed}", network=network)


def _dealt_out(network: RoadNetwork, demand: Demand, seed: int) -> Demand:
    first = demand.route_roads[demand.route_start[:-1]][demand.flow_route]
    last = demand.route_roads[demand.route_start[1:] - 1][demand.flow_route]
    other = np.random.default_rng(seed).permutation(last)
    router, table, known = Router(network), RouteCollector(), dict[tuple[int, int], int | None]()
    route = np.empty(demand.n_flows, np.int32)
    for f in np.argsort(first, kind="stable").tolist():  # by origin: the router remembers the ways from the last ones
        pair = int(first[f]), int(other[f])
        if pair not in known:
            known[pair] = _way(network, router, table, pair)
        way = known[pair]
        route[f] = table.add(tuple(demand.route(int(demand.flow_route[f])).tolist())) if way is None else way
    route_start, route_roads = table.arrays()
    return replace(demand, route_start=route_start, route_roads=route_roads, flow_route=route)


def _way(network: RoadNetwork, router: Router, table: RouteCollector, pair: tuple[int, int]) -> int | None:
    origin, destination = pair
    if origin == destination or network.road_from[origin] == network.road_to[destination]:
        return None
    roads = router.complete((origin, destination))
    return None if roads is None else table.add(roads)
