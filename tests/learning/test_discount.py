"""A discount by time gives the returns of its definition, at the horizon as well."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback

from intergreen.agents.learning.budget import Budget
from intergreen.agents.learning.discount import TimedDiscount, by_time
from intergreen.agents.learning.model import adjustments, make_model
from intergreen.agents.learning.recipe import make_recipe
from intergreen.envs.episodes import Episodes
from intergreen.envs.observation import DEFAULT_FEATURES
from intergreen.envs.scenario import load_scenario
from intergreen.envs.vector_env import TrafficVecEnv

STEPS, HORIZON_S = 12, 120
GAMMA, GAE_LAMBDA, DECISION_S = 0.95, 0.9, 10.0
PPO = {"n_steps": STEPS, "gamma": GAMMA, "gae_lambda": GAE_LAMBDA, "decision_s": DECISION_S}


def recipe(**ppo):
    return make_recipe("test", {"scenario": "single", "steps": 100, "width": 8, "ppo": {**PPO, **ppo}})


def returns_by_hand(rewards, values, starts, last_values, dones, gamma, gae_lambda):
    """Each return as a sum over all later decisions of its own episode: two loops, nothing carried along."""
    steps, slots = rewards.shape
    later = np.vstack([values[1:], last_values])
    goes_on = 1.0 - np.vstack([starts[1:], dones])
    returns = np.zeros((steps, slots))
    for slot in range(slots):
        for t in range(steps):
            total, left = 0.0, 1.0
            for k in range(t, steps):
                error = rewards[k, slot] + gamma[slot] * later[k, slot] * goes_on[k, slot] - values[k, slot]
                total += left * error
                left *= gamma[slot] * gae_lambda[slot] * goes_on[k, slot]
            returns[t, slot] = total + values[t, slot]
    return returns


def test_every_slot_has_the_returns_of_its_own_discount():
    random, slots = np.random.default_rng(0), 5
    interval_s = np.array([30, 15, 10, 5, 5])
    gamma, gae_lambda = (by_time(share, interval_s, DECISION_S) for share in (GAMMA, GAE_LAMBDA))
    buffer = RolloutBuffer(STEPS, spaces.Box(0, 1, (1,)), spaces.Discrete(2), device="cpu", n_envs=slots)
    buffer.gamma, buffer.gae_lambda = gamma, gae_lambda
    buffer.rewards, buffer.values = random.normal(size=(2, STEPS, slots)).astype(np.float32)
    buffer.episode_starts = (random.random((STEPS, slots)) < 0.2).astype(np.float32)
    last_values, dones = random.normal(size=slots).astype(np.float32), random.random(slots) < 0.4
    buffer.compute_returns_and_advantage(torch.from_numpy(last_values), dones)
    expected = returns_by_hand(
        buffer.rewards, buffer.values, buffer.episode_starts, last_values, dones, gamma, gae_lambda
    )
    assert buffer.returns == pytest.approx(expected, abs=1e-5)


def test_two_decisions_of_5_s_discount_like_one_of_10_s():
    long, short = by_time(GAMMA, np.array([10, 5]), DECISION_S)
    assert long == pytest.approx(GAMMA)
    assert short**2 == pytest.approx(long)


class Told(BaseCallback):
    """What the environment told, before the learner adds anything to it."""

    def __init__(self):
        super().__init__()
        self.rewards, self.ends, self.buffer = [], [], None

    def _on_step(self):
        self.rewards.append(self.locals["rewards"].copy())
        infos = self.locals["infos"]
        self.ends.append({slot: infos[slot]["terminal_observation"] for slot in np.flatnonzero(self.locals["dones"])})
        return len(self.rewards) <= STEPS  # the second rollout is given up: the first stays to be looked at

    def _on_rollout_end(self):
        self.buffer = self.model.rollout_buffer.rewards.copy()
        with torch.no_grad():
            self.expected = [
                {s: self.model.policy.predict_values(torch.from_numpy(last[None])).item() for s, last in ends.items()}
                for ends in self.ends
            ]


def mixed_worlds():
    """One intersection under decisions of 30 s and of 5 s."""
    network = load_scenario("single")
    plans = ("literature-30-5", "literature-5-2")
    return TrafficVecEnv(
        [Episodes(network, protocol=name, horizon_s=HORIZON_S, features=DEFAULT_FEATURES, choices=8) for name in plans]
    )


def test_what_is_expected_after_the_horizon_is_discounted_by_time_too():
    env, budget = mixed_worlds(), Budget(minutes=None, steps=1000)
    assert env.interval_s.tolist() == [30, 5]
    model = make_model(env, recipe(), budget)
    env.seed(0)
    told = Told()
    model.learn(1000, callback=[told, *adjustments(env, recipe(), budget, model)])
    gamma = by_time(GAMMA, env.interval_s, DECISION_S)
    assert [t for t, ends in enumerate(told.ends[:STEPS]) if 0 in ends] == [3, 7, 11]
    for t in range(STEPS):
        expected = told.rewards[t].copy()
        for slot, value in told.expected[t].items():
            assert value != 0.0
            expected[slot] += gamma[slot] * value
        assert told.buffer[t] == pytest.approx(expected, abs=1e-6)


def test_nothing_is_adjusted_that_the_recipe_does_not_ask_for():
    env, budget = mixed_worlds(), Budget(minutes=None, steps=1000)
    model = make_model(env, recipe(), budget)
    assert adjustments(env, recipe(decision_s=None), budget, model) == []
    assert [type(one) for one in adjustments(env, recipe(), budget, model)] == [TimedDiscount]


def test_where_an_episode_ends_in_a_lock_nothing_was_added_that_had_to_be_put_right():
    slots, value = 3, 10.0
    gamma = by_time(GAMMA, np.array([5, 5, 5]), DECISION_S)
    callback = TimedDiscount(recipe().ppo, np.array([5, 5, 5]), DECISION_S)
    policy = SimpleNamespace(predict_values=lambda last: torch.full((len(last), 1), value))
    callback.model = SimpleNamespace(policy=policy, gamma=GAMMA)
    infos = [{"terminal_observation": np.zeros(4, np.float32), "TimeLimit.truncated": cut} for cut in (True, False)]
    callback.locals = {"dones": np.array([True, True, False]), "infos": [*infos, {}], "rewards": np.zeros(slots)}
    callback._on_step()
    assert callback.locals["rewards"] == pytest.approx([(gamma[0] - GAMMA) * value, 0.0, 0.0])
