"""The embedded scenarios: what they promise, and how their trips follow the seed."""

import pickle

import numpy as np
import pytest

from intergreen.agents.controllers import controller_by_name
from intergreen.agents.evaluation.run import evaluate
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import EMBEDDED, load_scenario, scenario_names

SMALL = [name for name in EMBEDDED if name != "city1024"]
SIGNALS = {"single": 1, "arterial6": 6, "grid4x4": 16, "town": 16, "city1024": 1024}


@pytest.fixture(scope="module")
def embedded():
    return {name: load_scenario(name) for name in EMBEDDED}


@pytest.mark.parametrize("name", EMBEDDED)
def test_embedded_scenario_has_its_signals_and_a_known_protocol(embedded, name):
    scenario = embedded[name]
    assert scenario.name == name
    assert len(scenario.network.signalled) == SIGNALS[name]
    assert protocol_by_name(scenario.default_protocol).name == "literature-10-5"
    assert scenario.horizon_s == 3600


def test_town_has_three_four_and_five_legs_and_roads_of_many_kinds(embedded):
    network = embedded["town"].network
    legs = np.bincount(network.road_to, minlength=network.n_intersections)[~network.is_virtual]
    assert set(legs.tolist()) == {3, 4, 5}
    assert len(set(np.diff(network.road_lane_start).tolist())) >= 2
    assert np.ptp(network.road_length_m) > 50.0


@pytest.mark.parametrize("name", SMALL)
def test_each_seed_draws_its_own_trips_and_the_same_ones_again(embedded, name):
    scenario = embedded[name]
    first, again, other = scenario.trips(3), scenario.trips(3), scenario.trips(4)
    assert all(
        np.array_equal(getattr(first, f), getattr(again, f)) for f in ("release_s", "route", "type", "start_lane")
    )
    assert not np.array_equal(first.release_s, other.release_s)


@pytest.mark.parametrize("name", SMALL)
def test_drawn_trips_are_in_order_before_the_horizon_on_lanes_of_their_first_road(embedded, name):
    scenario = embedded[name]
    trips = scenario.trips(0, horizon_s=1000)
    assert (np.diff(trips.release_s) >= 0).all()
    assert trips.release_s.min() >= 0
    assert trips.release_s.max() < 1000
    first_road = scenario.demand.route_roads[scenario.demand.route_start[trips.route]]
    assert (scenario.network.lane_road[trips.start_lane] == first_road).all()


def test_shorter_horizon_gives_the_beginning_of_the_same_trips(embedded):
    whole, half = embedded["grid4x4"].trips(0), embedded["grid4x4"].trips(0, horizon_s=1800)
    assert 0 < len(half) < len(whole)
    assert np.array_equal(half.release_s, whole.release_s[whole.release_s < 1800])
    assert np.array_equal(half.route, whole.route[: len(half)])


def test_longer_horizon_gives_more_trips_at_the_same_rate(embedded):
    once, twice = (
        np.mean([len(embedded["grid4x4"].trips(seed, horizon_s=horizon_s)) for seed in range(5)])
        for horizon_s in (3600, 7200)
    )
    assert twice == pytest.approx(2 * once, rel=0.05)  # 5 draws of about 9,500: a standard error of 0.5 %


def test_scenario_survives_pickling_with_the_same_trips(embedded):
    copy = pickle.loads(pickle.dumps(embedded["single"]))
    assert np.array_equal(copy.trips(0).route, embedded["single"].trips(0).route)


@pytest.mark.parametrize("name", SMALL)
def test_fixed_time_just_fails_where_max_pressure_copes(embedded, name):
    """Outside, the queue grows under the network's own program; max-pressure lets nearly everybody in."""
    protocol = protocol_by_name("literature-10-5")
    fixed, pressure = (
        evaluate(embedded[name], controller_by_name(controller), protocol, seeds=[0, 1, 2, 3])
        for controller in ("fixed-time", "max-pressure")
    )
    outside = np.mean(fixed["series"]["waiting_outside_veh"], axis=1)
    assert outside[-1] > outside[len(outside) // 2] + 5
    assert outside[-1] > 20
    assert np.mean(pressure["series"]["waiting_outside_veh"], axis=1)[-1] < 10
    assert pressure["metrics"]["average_travel_time_s"]["mean"] < fixed["metrics"]["average_travel_time_s"]["mean"]


def test_city_has_ten_thousand_vehicles_on_the_road(embedded):
    result = evaluate(
        embedded["city1024"],
        controller_by_name("max-pressure"),
        protocol_by_name("literature-10-5"),
        seeds=[0],
        horizon_s=1200,
    )
    assert result["series"]["running_veh"][-1][0] >= 10_000


def test_names_without_benchmark_data_are_the_embedded_ones(monkeypatch):
    monkeypatch.delenv("INTERGREEN_DATA", raising=False)
    monkeypatch.setattr("intergreen.envs.benchmarks.find_spec", lambda package: None)
    assert scenario_names() == EMBEDDED
