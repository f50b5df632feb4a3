"""A simulator of one's own behind `SteppedSimulator`: here the engine, asked second by second as a foreign one."""

import re

import numpy as np
import pytest

from intergreen.agents.controllers.max_pressure import MaxPressure
from intergreen.agents.evaluation.run import evaluate
from intergreen.envs.errors import InputError
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.signals.aspects import GREEN
from intergreen.envs.simulation import Engine
from intergreen.envs.simulators import make_core
from intergreen.envs.stepped_core import SteppedCore
from intergreen.envs.traffic_env import TrafficSignalEnv


class Foreign:
    """Vehicles of the engine, lamps that show what they are told, and nobody who senses calls or adds up lanes."""

    worker_cpu_s = 0.0

    def __init__(self, network, demand, replicas):
        self.engine = Engine(network, demand, replicas=replicas)
        self.n_replicas = replicas
        self.displayed, self.calls = (np.zeros((replicas, network.n_movements), np.uint8) for _ in range(2))
        self.is_closed = False

    @property
    def time_s(self):
        return self.engine.time_s

    def reset(self, trips, seeds):
        self.engine.reset(trips, seeds)
        self.displayed[:] = 0

    def advance(self, seconds, aspects):
        self.engine.green[:] = aspects == GREEN
        self.engine.advance(seconds)
        self.displayed[:] = aspects

    def counts(self, near_m, bounds_m):
        return self.engine.counts(near_m, bounds_m)

    def take_lane_sums(self, sums):
        sums.queue[:], sums.delay[:], sums.person_delay[:] = self.counts(*self._anywhere()).waiting, 0.0, 0.0

    def waiting_outside(self):
        lanes = self.engine.network.n_lanes
        return [(np.zeros(lanes, np.int32), np.zeros(lanes))] * self.n_replicas

    def totals(self):
        return self.engine.totals()

    def incidents(self):
        return {"horns": np.full(self.n_replicas, 2, np.int32)}

    def positions(self, replica=0):
        return self.engine.positions(replica)

    def close(self):
        self.is_closed = True
        self.engine.close()

    def _anywhere(self):
        return np.zeros(self.engine.network.n_lanes), np.zeros((self.engine.network.n_lanes, 1))


def my_streets(scenario, plan, *, replicas=1, lane_change=False, monitored=False):
    simulator = Foreign(scenario.network, scenario.demand, replicas)
    return SteppedCore(scenario.network, plan, simulator, monitored=monitored)


def test_what_is_measured_in_a_simulator_of_ones_own_is_what_it_does(pair):
    rules = protocol_by_name("literature-10-5")
    native, own = (evaluate(pair, MaxPressure(), rules, seeds=[0, 1], **way) for way in ({}, {"simulator": my_streets}))
    assert own["metrics"] == native["metrics"]
    assert own["series"] == native["series"]
    assert (native["simulator"], own["simulator"]) == ("native", "my_streets")
    assert own["safety"] == native["safety"] | {"horns": 4}
    assert own["safety"]["monitor_faults"] == 0


def test_environment_shows_what_a_simulator_of_ones_own_tells(pair):
    native, own = (TrafficSignalEnv(pair, **way) for way in ({}, {"simulator": my_streets}))
    assert np.array_equal(own.reset(seed=3)[0], native.reset(seed=3)[0])
    rewards = []
    for t in range(30):
        seen, reward, _, truncated, info = own.step([t // 2 % 4, t % 4])
        expected = native.step([t // 2 % 4, t % 4])
        assert np.array_equal(seen, expected[0])
        assert (truncated, info) == (expected[3], expected[4])
        rewards.append(reward)
    assert min(rewards) < 0.0
    simulator = own.episodes.core.simulator
    own.close()
    assert simulator.is_closed


@pytest.mark.parametrize("name", ["vehicles", "waiting", "near", "arriving"])
def test_count_below_0_names_it_and_the_lane(pair, name, monkeypatch):
    honest = Foreign.counts

    def told(self, near_m, bounds_m):
        counts = honest(self, near_m, bounds_m)
        if self.time_s >= 20:
            getattr(counts, name)[0, 5] = -3
        return counts

    monkeypatch.setattr(Foreign, "counts", told)
    lane = pair.network.lane_name(5)
    words = f"the simulator tells -3 in `{name}` on lane {lane} in replica 0 at second 20; need counts from 0"
    with pytest.raises(ValueError, match=re.escape(words)):
        evaluate(pair, MaxPressure(), protocol_by_name("literature-10-5"), seeds=[0], simulator=my_streets)


@pytest.mark.parametrize("seconds", [0, -1, 2.5, True, None])
@pytest.mark.parametrize("simulator", ["native", my_streets])
def test_period_of_no_whole_seconds_is_refused(pair, simulator, seconds):
    core = make_core(simulator, pair, protocol_by_name("literature-10-5").plan(pair.network))
    wanted = np.zeros((1, 2), np.int32)
    core.reset([pair.trips(0)], [0], wanted)
    for run in (lambda: core.run(wanted, seconds), lambda: core.go_on(seconds)):
        with pytest.raises(ValueError, match="need whole seconds >= 1 as seconds, got"):
            run()
    core.run(wanted, np.int64(3))
    core.go_on(2.0)
    assert core.time_s == 5
    core.close()


def test_what_only_the_engine_can_do_names_the_other_simulator(pair):
    with pytest.raises(InputError, match="pair: simulator: stepped cannot be drawn; use native"):
        TrafficSignalEnv(pair, simulator=my_streets, render_mode="rgb_array")
