"""Volumes of movements against a count of trips, route by route."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from intergreen.envs.demand.volumes import busy_s, movement_volumes, released_vehicles
from intergreen.envs.scenario import load_scenario


def counted(scenario, trips):
    """(M,) vehicles over each movement, one by one."""
    network, volume = scenario.network, np.zeros(scenario.network.n_movements)
    pairs = zip(network.movement_from_road.tolist(), network.movement_to_road.tolist(), strict=True)
    movement = {pair: m for m, pair in enumerate(pairs)}
    for route in trips.route:
        roads = scenario.demand.route(int(route)).tolist()
        for pair in pairwise(roads):
            volume[movement[pair]] += 1
    return volume


@pytest.mark.parametrize("name", ["single", "arterial6", "town"])
def test_volumes_are_those_of_the_routes(name):
    scenario = load_scenario(name)
    trips = scenario.trips(3)
    per_flow = np.zeros(scenario.demand.n_flows)
    of_route = {int(route): f for f, route in enumerate(scenario.demand.flow_route)}
    for route in trips.route:
        per_flow[of_route[int(route)]] += 1
    found = movement_volumes(scenario.network, scenario.demand, per_flow)
    np.testing.assert_allclose(found, counted(scenario, trips))


@pytest.mark.parametrize("name", ["hangzhou_1x1_bc-tyc", "syn_1x1_800", "atlanta_1x5"])
def test_expected_flows_of_a_fixed_demand_are_its_own_trips(benchmark_data, name):
    scenario = load_scenario(benchmark_data / "cityflow" / name, drop_invalid_routes=True)
    trips = scenario.trips(0)
    seconds = trips.release_s.max() - trips.release_s.min()  # atlanta_1x5 sends all its vehicles in 15 of 60 minutes
    np.testing.assert_allclose(scenario.flows_vph(), counted(scenario, trips) * 3600.0 / seconds, rtol=0.02)
    assert released_vehicles(scenario.demand, scenario.horizon_s).sum() == len(scenario.trips(0))


def test_a_burst_is_counted_for_a_quarter_of_an_hour():
    scenario = replace(load_scenario("single"), fixed_demand=True)
    demand = scenario.demand
    soon = np.full(demand.n_flows, 7.0)
    burst = replace(scenario, demand=replace(demand, flow_start_s=soon, flow_end_s=soon))
    vehicles = released_vehicles(burst.demand, burst.horizon_s)
    assert busy_s(burst.demand, vehicles) == 0.0
    np.testing.assert_allclose(burst.flows_vph(), movement_volumes(burst.network, burst.demand, vehicles) * 4.0)


def test_expected_flows_of_a_drawn_demand_are_the_mean_of_its_draws():
    scenario = load_scenario("single")
    mean = np.mean([counted(scenario, scenario.trips(seed)) for seed in range(40)], axis=0)
    expected = scenario.flows_vph()
    np.testing.assert_allclose(mean, expected, atol=4 * np.sqrt(expected.max() / 40))
