"""Rewards against slow twins: the vehicles looked at one by one, second by second, as the module's table has it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intergreen.envs.choices import start_phase
from intergreen.envs.core import TrafficCore
from intergreen.envs.episodes import Episodes
from intergreen.envs.errors import InputError
from intergreen.envs.layout import make_layout
from intergreen.envs.reward import BACKLOG_PERIODS, REWARDS, make_reward, neighbour_mixing
from intergreen.envs.scenario import load_scenario
from intergreen.envs.signals import FixedClearance, make_plan

SECONDS, CLEARANCE, PERIODS = 10, FixedClearance(5), 24
PERIODS_COMPARED = (5, 15, 23)


def started(scenario, plan):
    core = TrafficCore(scenario.network, plan, scenario.demand)
    core.reset([scenario.trips(0, horizon_s=SECONDS * PERIODS)], [0], start_phase(plan, 1))
    return core


def wanted_in(plan, period):
    """The first choice for a long time, so that queues reach out of the network; then others."""
    return plan.choices[None, :, 0 if period < 20 else period % 2].copy()


class Watcher:
    """Sums up one period of a core, vehicle by vehicle; `lanes` (L,) vehicle-seconds for each of queue and delays."""

    def __init__(self, core, scenario):
        self.core, self.network, self.types = core, scenario.network, scenario.demand.types
        self.entered = set()
        self.outside = 0
        self.backlog, self.people = np.zeros(self.network.n_lanes), np.zeros(self.network.n_lanes)

    def watch(self, wanted):
        sums = {name: np.zeros(self.network.n_lanes) for name in ("queue", "delay", "person-delay")}
        backlog, people = -self.backlog, -self.people
        fastest = max(kind.max_speed_mps for kind in self.types)
        trips = self.core.engine.trips
        for _ in range(SECONDS):
            self.core.run(wanted, 1)
            now = self.core.positions()
            self.entered |= set(now.trip.tolist())
            delay = np.zeros(self.network.n_lanes)
            for trip, lane, speed in zip(now.trip, now.drivable, now.speed, strict=True):
                if lane < self.network.n_lanes:
                    lacking = 1 - speed / min(self.network.lane_speed_limit_mps[lane], fastest)
                    sums["queue"][lane] += speed < 0.1
                    delay[lane] += lacking
                    sums["person-delay"][lane] += max(lacking, 0.0) * self.types[trips.kind[0, trip]].occupancy
            sums["delay"] += np.maximum(delay, 0.0)  # of a lane: who comes in too fast makes up for who is slow
        due = np.flatnonzero(trips.release[0] < self.core.time_s).tolist()
        waiting_outside = [trip for trip in due if trip not in self.entered]
        self.outside += len(waiting_outside)
        self.backlog, self.people = np.zeros_like(backlog), np.zeros_like(people)
        for trip in waiting_outside:
            lane = trips.start_lane[0, trip]
            self.backlog[lane] += 1
            self.people[lane] += self.types[trips.kind[0, trip]].occupancy
        sums["pressure"] = sums["queue"].copy()
        sums["queue"] += BACKLOG_PERIODS * SECONDS * (backlog + self.backlog)
        sums["delay"] += BACKLOG_PERIODS * SECONDS * (backlog + self.backlog)
        sums["person-delay"] += BACKLOG_PERIODS * SECONDS * (people + self.people)
        return sums


def twin(name, network, junction, sums):
    """The reward of the signal at `junction`."""
    incoming = np.isin(network.lane_road, np.flatnonzero(network.road_to == junction))
    outgoing = np.isin(network.lane_road, np.flatnonzero(network.road_from == junction))
    if name == "pressure":
        return -abs(sums["pressure"][incoming].mean() - sums["pressure"][outgoing].mean()) / SECONDS / 10
    return -sums[name][incoming].mean() / SECONDS / 10


@pytest.mark.parametrize("scenario_name", ["single", "town"])
def test_every_reward_is_what_its_line_in_the_table_says(scenario_name):
    scenario = load_scenario(scenario_name)
    network, plan = scenario.network, make_plan(scenario.network, timing=CLEARANCE)
    layout = make_layout(network, plan)
    watcher = Watcher(started(scenario, plan), scenario)
    cores = {name: started(scenario, plan) for name in REWARDS}
    told = {name: core.senses(layout, make_reward(name, network, plan)) for name, core in cores.items()}
    for period in range(PERIODS):
        wanted = wanted_in(plan, period)
        sums = watcher.watch(wanted)
        for name, core in cores.items():
            core.run(wanted, SECONDS, told[name])
            if period in PERIODS_COMPARED:
                expected = [twin(name, network, junction, sums) for junction in plan.intersection]
                assert told[name].reward[0] == pytest.approx(expected, abs=2e-6), (name, period)
                assert min(expected) < 0
    if scenario_name == "town":
        assert watcher.outside > 0, "nobody waited outside: that part of the table was not tested"
        assert len({kind.occupancy for kind in scenario.demand.types}) > 1


def rewards(scenario, spec, **settings):
    """(periods, I) under the same random choices."""
    episodes = Episodes(scenario, reward=spec, **settings)
    episodes.reset([np.random.default_rng(1)])
    random = np.random.default_rng(2)
    return np.array([episodes.step(random.integers(0, 4, (1, 2)))[1][0] for _ in range(25)])


def test_weighted_reward_is_the_weighted_sum(pair):
    parts = {name: rewards(pair, name) for name in REWARDS}
    weights = {"delay": 1.0, "pressure": 0.2, "queue": -0.5}
    expected = sum(weight * parts[name] for name, weight in weights.items())
    assert rewards(pair, weights) == pytest.approx(expected, abs=1e-6)
    assert len({part.sum() for part in parts.values()}) >= 3


@pytest.mark.parametrize("name", REWARDS)
def test_rewards_are_a_few_units_and_what_is_given_back_was_taken_before(pair, name):
    told = rewards(pair, name)
    assert told.cumsum(axis=0).max() <= 1e-6
    assert -10 < told.mean() < -0.01
    assert np.abs(told).max() < 40


def test_neighbours_share_is_added(pair):
    own = rewards(pair, "queue")
    shared = rewards(pair, "queue", neighbour_share=0.5)
    assert shared == pytest.approx(own + 0.5 * own[:, ::-1], abs=1e-6)  # two signals, each the other's neighbour


@given(share=st.floats(0.01, 2.0))
def test_mixing_adds_the_mean_of_those_joined_by_a_road(share):
    network = load_scenario("town").network
    plan = make_plan(network)
    mixing = neighbour_mixing(network, plan, share)
    told = np.random.default_rng(0).normal(size=plan.n_signals)
    for i, junction in enumerate(plan.intersection):
        joined = {
            int(other)
            for here, other in ((network.road_from, network.road_to), (network.road_to, network.road_from))
            for other in other[here == junction]
        } - {int(junction)}
        neighbours = [k for k, other in enumerate(plan.intersection) if other in joined]
        assert neighbours
        assert (told @ mixing)[i] == pytest.approx(told[i] + share * told[neighbours].mean())


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("speed", "reward: name: no reward is called 'speed'; use one of queue, delay, person-delay, pressure"),
        ("presure", "reward: name: no reward is called 'presure'; did you mean 'pressure'? use one of "),
        ({"queue": float("nan")}, "reward: queue: has weight nan; give a finite number"),
        ({"queue": "much"}, "reward: queue: has weight 'much'; give a finite number"),
        ({"queue": 0.0}, "reward: weights: are all zero; give a weight to one of "),
        (
            {"delay": -1.0, "queue": 0.0},
            "reward: weights: are all below zero, which rewards what is meant to be less; ",
        ),
    ],
)
def test_wrong_reward_is_one_line(pair, spec, message):
    with pytest.raises(InputError) as caught:
        Episodes(pair, reward=spec)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_reward_that_is_no_number_is_one_line_that_says_where_and_when(pair):
    episodes = Episodes(pair)
    episodes.reset([np.random.default_rng(0)])
    episodes._senses.reward_table.weight[0] = np.nan
    with pytest.raises(FloatingPointError) as caught:
        episodes.step(np.zeros((1, 2), np.int32))
    assert str(caught.value) == "pair: the reward of signal 0 in copy 0 is nan at second 10"


@pytest.mark.parametrize("name", REWARDS)
def test_backlog_counts_for_as_many_periods_as_asked(pair, name):
    without, once, twice = (rewards(pair, name, backlog_periods=periods) for periods in (0, 20, 40))
    assert rewards(pair, name) == pytest.approx(once)
    assert twice - once == pytest.approx(once - without, abs=1e-5)
    assert (np.abs(once - without).max() > 0.1) == (name != "pressure")
