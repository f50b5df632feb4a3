"""Volumes of movements against a count of trips, route by route."""

from itertools import pairwise

import numpy as np
import pytest

from intergreen.envs.demand.volumes import movement_volumes, released_vehicles
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
    np.testing.assert_allclose(scenario.flows_vph(), counted(scenario, scenario.trips(0)))
    assert released_vehicles(scenario.demand, scenario.horizon_s).sum() == len(scenario.trips(0))


def test_expected_flows_of_a_drawn_demand_are_the_mean_of_its_draws():
    scenario = load_scenario("single")
    mean = np.mean([counted(scenario, scenario.trips(seed)) for seed in range(40)], axis=0)
    expected = scenario.flows_vph()
    np.testing.assert_allclose(mean, expected, atol=4 * np.sqrt(expected.max() / 40))
