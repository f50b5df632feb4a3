"""What nobody has planned for: as much traffic as its level says, to other places, with lanes closed."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from intergreen.agents.cli import main
from intergreen.agents.controllers import controller_by_name
from intergreen.agents.evaluation.run import evaluate
from intergreen.envs.demand import Profile
from intergreen.envs.episodes import training_trips
from intergreen.envs.errors import InputError
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import load_scenario
from intergreen.envs.scenario_fingerprint import scenario_fingerprint
from intergreen.envs.unseen import at_level, with_closed_lanes, with_other_destinations, with_varied_trips

EMBEDDED = ("single", "arterial6", "grid4x4", "town")


def mean_trips(scenario, n=20):
    return np.mean([len(scenario.trips(seed)) for seed in range(n)])


@pytest.mark.parametrize("level", [0.5, 0.75, 1.25, 1.5])
@pytest.mark.parametrize("name", ["single", "town"])
def test_a_level_is_the_factor_on_the_drawn_trips(name, level):
    scenario = load_scenario(name)
    # Poisson: 20 runs of 2,500 trips have a mean that is right to 0.5 %, three standard errors 1.4 %
    assert mean_trips(at_level(scenario, level)) == pytest.approx(level * mean_trips(scenario), rel=0.02)


@pytest.mark.parametrize("level", [0.5, 1.0, 1.5])
def test_even_trips_follow_each_other_at_even_intervals_and_are_as_many(level):
    drawn = load_scenario("single")
    scenario = at_level(replace(drawn, evenly=True, profile=Profile()), level)
    expected = level * np.bincount(drawn.demand.flow_route, minlength=drawn.demand.n_routes)
    begun = []
    for seed in range(12):
        trips = scenario.trips(seed)
        assert (np.diff(trips.release_s) >= 0).all()
        for route in range(drawn.demand.n_routes):
            release_s = trips.release_s[trips.route == route]
            assert abs(len(release_s) - expected[route]) < 1.0
            gap_s = 3600.0 / expected[route]
            assert (np.abs(np.diff(release_s) - gap_s) <= 1.0).all()
            assert release_s[0] < gap_s
        first = [trips.release_s[trips.route == route][0] * expected[route] / 3600.0 for route in (0, 1)]
        begun.append(abs(first[0] - first[1]) < 0.1)
    assert {True, False} == set(begun)  # of all routes the same share of an interval, or each another


def test_trips_of_a_fixed_demand_cannot_be_even():
    with pytest.raises(ValueError, match=r"a fixed demand has trips of its own: leave out evenly, or draw them"):
        replace(load_scenario("single"), evenly=True, fixed_demand=True)


def test_even_trips_follow_the_profile_and_the_seed():
    scenario = replace(load_scenario("single"), evenly=True, profile=Profile((0.0, 1800.0), (1.0, 3.0)))
    trips = scenario.trips(0)
    assert np.mean(trips.release_s < 1800) == pytest.approx(0.25, abs=0.02)
    assert same(trips, scenario.trips(0))
    assert not same(trips, scenario.trips(1))
    assert len(training_trips(scenario, 0, 3600, scale=0.5)) == pytest.approx(0.5 * len(trips), rel=0.02)


@pytest.mark.parametrize("level", [0.5, 1.5])
def test_a_level_is_the_factor_on_fixed_trips(benchmark_data, level):
    scenario = load_scenario("cityflow/hangzhou_4x4")
    trips = at_level(scenario, level).trips(0)
    assert len(trips) == pytest.approx(level * len(scenario.trips(0)), rel=0.03)
    assert (np.diff(trips.release_s) >= 0).all()
    assert trips.release_s.max() < 3600


def test_level_1_is_the_scenario_itself():
    scenario = load_scenario("single")
    assert at_level(scenario, 1.0) is scenario


@pytest.mark.parametrize("level", [0.0, -1.0, float("nan"), 11.0])
def test_a_level_that_is_none_is_refused(level):
    with pytest.raises(ValueError, match="need a level above 0 and at most 10"):
        at_level(load_scenario("single"), level)


def same(first, second):
    return len(first) == len(second) and np.array_equal(first.release_s, second.release_s)


def test_varied_trips_are_other_ones_of_the_same_kind_for_every_seed(benchmark_data):
    fixed = load_scenario("cityflow/hangzhou_4x4")
    scenario = with_varied_trips(fixed)
    days = [scenario.trips(seed) for seed in range(20)]
    assert same(fixed.trips(0), fixed.trips(1))
    assert not any(same(one, other) for one, other in pairwise([fixed.trips(0), *days]))
    assert same(scenario.trips(3), days[3])
    assert np.mean([len(one) for one in days]) == pytest.approx(len(fixed.trips(0)), rel=0.01)
    before = np.bincount(fixed.trips(0).route, minlength=fixed.demand.n_routes)
    after = np.mean([np.bincount(one.route, minlength=fixed.demand.n_routes) for one in days], axis=0)
    assert np.corrcoef(before, after)[0, 1] > 0.99
    # a quarter of an hour has as many as before, but for those who leave two minutes earlier or later
    quarters = [np.histogram(one.release_s, 4, (0, 3600))[0] for one in (fixed.trips(0), *days)]
    assert np.mean(quarters[1:], axis=0) == pytest.approx(quarters[0], rel=0.05)
    assert scenario.flows_vph().tolist() == fixed.flows_vph().tolist()


def test_varied_trips_have_a_level_too(benchmark_data):
    scenario = with_varied_trips(load_scenario("cityflow/hangzhou_4x4"))
    assert mean_trips(at_level(scenario, 0.5), 5) == pytest.approx(0.5 * mean_trips(scenario, 5), rel=0.02)
    assert at_level(scenario, 0.5).name == "cityflow/hangzhou_4x4 varied demand x0.5"


def test_trips_that_are_varied_are_not_varied_again_to_train_on(benchmark_data):
    scenario = with_varied_trips(load_scenario("cityflow/syn_1x1_800"))
    assert same(training_trips(scenario, 1_000_000, 3600), scenario.trips(1_000_000, horizon_s=3600))
    assert not same(training_trips(scenario, 1_000_000, 3600), training_trips(scenario, 1_000_001, 3600))


def test_trips_that_are_drawn_anyhow_stay(benchmark_data):
    assert with_varied_trips(load_scenario("single")).name == "single"
    once = with_varied_trips(load_scenario("cityflow/syn_1x1_800"))
    assert with_varied_trips(once) is once
    assert scenario_fingerprint(once) != scenario_fingerprint(load_scenario("cityflow/syn_1x1_800"))


def test_runs_on_varied_trips_differ_by_seed_and_are_told_apart(benchmark_data, capsys):
    name = "cityflow/syn_1x1_800"
    arguments = ["--seeds", "0-2", "--horizon", "600", "--json", "-"]
    assert main(["compare", name, "--controllers", "max-pressure", "--vary-trips", *arguments]) == 0
    (varied,) = json.loads(capsys.readouterr().out)
    assert varied["scenario"] == f"{name} varied"
    assert len(set(varied["metrics"]["average_travel_time_s"]["per_seed"])) == 3
    assert main(["evaluate", name, "--controller", "max-pressure", *arguments]) == 0
    fixed = json.loads(capsys.readouterr().out)
    assert len(set(fixed["metrics"]["average_travel_time_s"]["per_seed"])) == 1
    transfer = ["transfer", "max-pressure", name, "--protocols", "literature-10-5", "--vary-trips", "--seeds", "0-1"]
    assert main([*transfer, "--json", "-"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["scenario"] == f"{name} varied"
    assert row["policy"] == row["max-pressure"]
    assert main([*transfer[:3], "--vary-trips", "--simulator", "sumo"]) == 2
    assert "--vary-trips: does not go with --simulator sumo" in capsys.readouterr().err


@pytest.mark.parametrize("name", EMBEDDED)
def test_other_destinations_keep_origins_times_and_how_many_go_where(name):
    before = load_scenario(name)
    after = with_other_destinations(before, 1)
    old, new = before.demand, after.demand
    assert new.n_flows == old.n_flows
    ends = []
    for demand in (old, new):
        routes = [demand.route(n) for n in demand.flow_route.tolist()]
        ends.append(([int(r[0]) for r in routes], [int(r[-1]) for r in routes]))
    assert ends[0][0] == ends[1][0]
    assert ends[0][1] != ends[1][1]
    n_roads = before.network.n_roads
    moved = np.abs(np.bincount(ends[0][1], minlength=n_roads) - np.bincount(ends[1][1], minlength=n_roads)).sum() / 2
    # At one crossing a quarter would turn round and keeps its route.
    assert moved < 0.2 * old.n_flows
    starts = before.network.movement_from_road, before.network.movement_to_road
    there = set(zip(*(values.tolist() for values in starts), strict=True))
    for n in range(new.n_routes):
        route = new.route(n).tolist()
        assert all(pair in there for pair in pairwise(route))
    assert len(after.trips(0)) > 0


def test_plans_are_made_from_the_volumes_of_other_days():
    scenario = load_scenario("arterial6")
    for other in (at_level(scenario, 1.5), with_other_destinations(scenario, 3), with_closed_lanes(scenario, 3)):
        assert other.flows_vph().tolist() == scenario.flows_vph().tolist()
    assert at_level(with_other_destinations(scenario, 3), 0.5).name == "arterial6 od-mix 3 demand x0.5"


def test_unseen_demands_are_told_apart():
    scenario = load_scenario("single")
    others = [scenario, at_level(scenario, 0.5), with_other_destinations(scenario, 0), with_closed_lanes(scenario, 0)]
    assert len({scenario_fingerprint(one) for one in others}) == 4
    assert len({one.name for one in others}) == 4


@pytest.mark.parametrize("name", EMBEDDED)
def test_on_closed_lanes_the_same_trips_take_longer_and_signals_stay_safe(name):
    before = load_scenario(name)
    after = with_closed_lanes(before, 1)
    assert np.array_equal(after.trips(0).release_s, before.trips(0).release_s)
    protocol = protocol_by_name("resco-10-5")  # all phases; of the literature's few a closed lane may make more
    runs = [evaluate(one, controller_by_name("max-pressure"), protocol, seeds=[0, 1]) for one in (before, after)]
    delays = [run["metrics"]["average_travel_time_s"]["mean"] for run in runs]
    assert delays[1] > delays[0]
    assert runs[1]["safety"]["monitor_faults"] == 0


def test_closed_lanes_on_a_network_from_sumo_are_refused_in_one_line():
    scenario = load_scenario("single")
    other = replace(scenario, network=replace(scenario.network, conventions="sumo"))
    with pytest.raises(InputError, match="single: closed lanes: lanes of networks from SUMO cannot be closed"):
        with_closed_lanes(other, 0)


def test_compare_runs_every_level_in_a_table_of_its_own(capsys):
    arguments = ["compare", "single", "--controllers", "webster,max-pressure", "--seeds", "0-1", "--horizon", "300"]
    assert main([*arguments, "--demand-level", "0.5,1,1.5", "--od-mix", "2", "--json", "-"]) == 0
    results = json.loads(capsys.readouterr().out)
    names = ["single od-mix 2 demand x0.5", "single od-mix 2", "single od-mix 2 demand x1.5"]
    assert list(dict.fromkeys(result["scenario"] for result in results)) == names
    throughput = [
        result["metrics"]["throughput_veh"]["mean"] for result in results if result["controller"] == "webster"
    ]
    assert throughput[0] < throughput[1] < throughput[2]


@pytest.mark.parametrize("text", ["0", "x", "0.5,0.5", "", "99"])
def test_wrong_levels_are_refused_in_one_line(text, capsys):
    assert main(["compare", "single", "--controllers", "webster", "--demand-level", text]) == 2
    assert "--demand-level: cannot read" in capsys.readouterr().err
