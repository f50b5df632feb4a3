"""How long environment and learner take: run with `pytest tests/benchmarks --benchmark-enable`; never a pass or fail.

`intergreen benchmark --environment` reports decisions and samples per second, and whose the seconds are.
"""

from __future__ import annotations

import numpy as np
import pytest

from intergreen.agents.evaluation.policy_speed import make_learner, random_episode_s
from intergreen.agents.learning.recipe import read_recipe
from intergreen.envs.scenario import load_scenario
from intergreen.envs.vector_env import TrafficVecEnv

STEPS = 30


@pytest.mark.parametrize(("replicas", "threads"), [(8, 1), (8, 2), (16, 2)])
def test_environment_speed(benchmark, replicas, threads):
    env = TrafficVecEnv("grid4x4", replicas=replicas, threads=threads, protocol="literature-10-5")
    random_episode_s(env, 1)  # compiled before it is timed
    benchmark(random_episode_s, env, STEPS)
    benchmark.extra_info["decisions"] = STEPS * env.num_envs
    assert env.worlds[0].time_s == 10 * STEPS
    env.close()


def test_rollout_and_update_speed(benchmark):
    recipe = read_recipe("quick")
    model = make_learner(recipe, load_scenario("grid4x4"), threads=2, horizon_s=None)
    env = model.get_env()
    samples = recipe.ppo.n_steps * env.num_envs
    model.learn(samples)  # compiled before it is timed

    def rollout_and_update():
        model.learn(samples, reset_num_timesteps=False)

    before = np.concatenate([p.detach().numpy().ravel() for p in model.policy.parameters()])
    benchmark(rollout_and_update)
    benchmark.extra_info["samples"] = samples
    after = np.concatenate([p.detach().numpy().ravel() for p in model.policy.parameters()])
    assert model.num_timesteps >= 2 * samples
    assert not np.array_equal(before, after)
    env.close()
