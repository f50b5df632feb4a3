"""Environments with SUMO as the simulator: the same spaces, what they see is made of SUMO's counts, and they learn."""

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from simulation.sumo_scenarios import NEEDS_SUMO

from intergreen.envs.errors import InputError
from intergreen.envs.reward import REWARDS
from intergreen.envs.traffic_env import TrafficSignalEnv
from intergreen.envs.vector_env import TrafficVecEnv

pytestmark = NEEDS_SUMO
SETTINGS = {"scenario": "single", "horizon_s": 100, "simulator": "sumo"}


@pytest.fixture
def env():
    made = TrafficSignalEnv(**SETTINGS)
    yield made
    made.close()


def rollout(env, seed, steps=8):
    seen = [env.reset(seed=seed)[0]]
    rewards = []
    actions = np.random.default_rng(0)
    for _ in range(steps):
        observation, reward, *_ = env.step(int(actions.integers(env.action_space.n)))
        seen.append(observation)
        rewards.append(reward)
    return np.array(seen), np.array(rewards)


@pytest.mark.filterwarnings("ignore:.*render.*:UserWarning")
def test_gymnasiums_checker_passes(env):
    check_env(env, skip_render_check=True)


def test_the_same_seed_gives_the_same_episode_in_this_process_and_in_another(env):
    beside = TrafficSignalEnv(**SETTINGS)
    try:
        one, other = rollout(env, 3), rollout(beside, 3)
        assert beside.episodes.core.simulator.worker_pids
        assert np.array_equal(one[0], other[0])
        assert np.array_equal(one[1], other[1])
        assert not np.array_equal(rollout(env, 4)[0], one[0])
    finally:
        beside.close()


def test_spaces_and_first_observation_are_those_of_the_native_engine(env):
    native = TrafficSignalEnv(scenario="single", horizon_s=100)
    assert env.observation_space == native.observation_space
    assert env.action_space == native.action_space
    assert np.array_equal(env.reset(seed=1)[0], native.reset(seed=1)[0])
    for _ in range(5):
        env.step(0)
        native.step(0)
    one, other = env.episodes.core.totals(), native.episodes.core.totals()
    assert one.released == other.released
    native.close()


@pytest.mark.parametrize("reward", REWARDS)
def test_rewards_are_made_of_what_stands_on_sumos_lanes(reward):
    env = TrafficSignalEnv(**SETTINGS, reward=reward)
    try:
        env.reset(seed=0)
        rewards = [env.step(0)[1] for _ in range(6)]
        core = env.episodes.core
        assert (core.counts().waiting > 0).any()
        assert rewards[0] == pytest.approx(0.0, abs=0.3)
        assert rewards[-1] < rewards[0]
    finally:
        env.close()


def test_queue_reward_is_the_mean_queue_of_the_incoming_lanes():
    env = TrafficSignalEnv(**SETTINGS)
    try:
        env.reset(seed=0)
        core, senses = env.episodes.core, env.episodes._senses
        for _ in range(4):
            env.step(0)
        before = core.totals().queue_time_veh_s[0]
        _, reward, *_ = env.step(0)
        outside = senses.sums.backlog[0].sum()
        n_incoming = len(senses.reward_table.incoming)
        queued = core.totals().queue_time_veh_s[0] - before
        expected = -(queued + senses.reward_table.backlog_periods * 10 * outside) / n_incoming / 10 / 10.0
        assert queued > 0
        assert reward == pytest.approx(expected)
    finally:
        env.close()


def test_what_is_told_of_the_signals_is_the_callers_own():
    env = TrafficSignalEnv(**SETTINGS)
    try:
        env.reset(seed=0)
        env.step(1)
        told = env.episodes.core.signals(10)
        kept = [values.copy() for values in told]
        for values in told:
            values[:] = 3
        for now, then in zip(env.episodes.core.signals(10), kept, strict=True):
            np.testing.assert_array_equal(now, then)
    finally:
        env.close()


def test_copies_run_side_by_side_and_a_policy_learns_from_them():
    from stable_baselines3 import PPO

    from intergreen.agents.learning.policies import SignalPolicy

    env = TrafficVecEnv(**SETTINGS, replicas=2)
    try:
        model = PPO(SignalPolicy, env, n_steps=10, batch_size=20, seed=0).learn(40)
        assert model.num_timesteps == 40
        actions, _ = model.predict(env.reset())
        assert actions.shape == (2,)
    finally:
        env.close()
    assert not env.worlds[0].core.simulator.worker_pids


def test_what_only_the_engine_can_do_is_refused_by_name():
    with pytest.raises(InputError, match="single: simulator: sumo cannot be drawn; use native"):
        TrafficSignalEnv(**SETTINGS, render_mode="rgb_array")
    with pytest.raises(InputError, match="no simulator is called 'vissim'"):
        TrafficSignalEnv("single", simulator="vissim")
