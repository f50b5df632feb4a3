"""The PettingZoo face: what its standard checkers ask, and that its agents are the signals of the Gymnasium face."""

import functools
import warnings

import numpy as np
import pytest
from gymnasium.error import ResetNeeded

from intergreen.envs.parallel_env import TrafficParallelEnv
from intergreen.envs.traffic_env import TrafficSignalEnv

with warnings.catch_warnings():
    # PettingZoo's tests import its own games in a way that PettingZoo has deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    from pettingzoo.test import parallel_api_test, parallel_seed_test

SCENARIOS = ["single", "grid4x4", "town"]


def actions_of(env, steps, seed=4):
    random = np.random.default_rng(seed)
    for _ in range(steps):
        yield {agent: int(random.integers(env.action_space(agent).n)) for agent in env.possible_agents}


def rollout(env, steps=10):
    """What each step answered: observations, rewards, terminations, truncations, infos."""
    return [env.step(actions) for actions in actions_of(env, steps)]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_environment_passes_pettingzoos_tests_without_a_warning(scenario):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parallel_api_test(TrafficParallelEnv(scenario, horizon_s=100), num_cycles=20)
        parallel_seed_test(functools.partial(TrafficParallelEnv, scenario, horizon_s=100), num_cycles=20)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_agents_are_the_signals_of_the_gymnasium_environment(scenario):
    env, single = (make(scenario, horizon_s=100, reward="delay") for make in (TrafficParallelEnv, TrafficSignalEnv))
    seen, _ = env.reset(seed=3)
    together, _ = single.reset(seed=3)
    network, plan = env.episodes.scenario.network, env.episodes.plan
    assert env.agents == [network.intersection_ids[j] for j in plan.intersection]
    assert np.array_equal(np.concatenate([seen[agent] for agent in env.agents]), together)
    for actions in actions_of(env, 10):
        agents = list(env.agents)
        observations, rewards, terminated, truncated, infos = env.step(actions)
        observation, reward, _, is_over, info = single.step(np.squeeze(list(actions.values())))
        assert list(observations) == list(rewards) == agents
        assert np.array_equal(np.concatenate(list(observations.values())), observation)
        assert np.array_equal(env.state(), observation)
        assert np.mean(list(rewards.values())) == pytest.approx(reward)
        assert set(terminated.values()) == {False}
        assert set(truncated.values()) == {is_over}
        for agent in agents:
            mask = infos[agent].pop("action_mask")
            assert infos[agent] == info
            assert mask.tolist() == [1] * env.action_space(agent).n
            assert env.observation_space(agent).contains(observations[agent])
    assert env.agents == []


def test_action_mask_fits_the_agents_space(pair):
    env = TrafficParallelEnv(pair, choices=9)
    _, infos = env.reset(seed=0)
    for agent in env.agents:
        assert env.action_space(agent).sample(infos[agent]["action_mask"]) in range(4)


def test_without_a_seed_the_next_episode_differs_and_is_the_same_after_the_same_seed(pair):
    env = TrafficParallelEnv(pair, horizon_s=100)
    episodes = []
    for seed in (7, None, np.int64(7), None):
        env.reset(seed=seed)
        episodes.append(np.array([[*step[0].values()] for step in rollout(env)]))
    assert not np.array_equal(episodes[0], episodes[1])
    assert np.array_equal(episodes[0], episodes[2])
    assert np.array_equal(episodes[1], episodes[3])


def test_two_environments_without_any_seed_differ(pair):
    observed = []
    for _ in range(2):
        env = TrafficParallelEnv(pair, horizon_s=100)
        env.reset()
        observed.append([step[0] for step in rollout(env)])
    assert any(
        not np.array_equal(one[agent], other[agent])
        for one, other in zip(*observed, strict=True)
        for agent in env.possible_agents
    )


def test_observations_that_were_told_stay_as_they_were(pair):
    env = TrafficParallelEnv(pair, horizon_s=100)
    env.reset(seed=0)
    kept = [step[0] for step in rollout(env)]
    copies = [{agent: values.copy() for agent, values in step.items()} for step in kept]
    env.reset()
    rollout(env)
    for one, other in zip(kept, copies, strict=True):
        assert all(np.array_equal(one[agent], other[agent]) for agent in one)


@pytest.mark.parametrize("change", ["missing", "unknown", "too high", "no number", "two"])
def test_wrong_actions_are_one_line(pair, change):
    env = TrafficParallelEnv(pair)
    env.reset(seed=0)
    first, second = env.agents
    actions, message = {
        "missing": ({first: 0}, f"need an action for every agent, agent '{second}' has none"),
        "unknown": ({first: 0, second: 0, "nobody": 0}, "there is no agent 'nobody', got an action for it"),
        "too high": ({first: 0, second: 4}, f"agent '{second}' has the choices 0 to 3, got 4"),
        "no number": ({first: 0, second: 0.5}, rf"need a whole number for agent '{second}', got shape \(\) of float64"),
        "two": ({first: [0, 1], second: 0}, rf"need a whole number for agent '{first}', got shape \(2,\) of int64"),
    }[change]
    with pytest.raises(ValueError, match=f"^{message}$"):
        env.step(actions)


def test_actions_may_have_an_axis_of_length_one_and_not_all_of_them_need_it(pair):
    env, other = TrafficParallelEnv(pair), TrafficParallelEnv(pair)
    first, second = env.reset(seed=0)[0]
    other.reset(seed=0)
    one = env.step({first: np.array([2]), second: 1})
    two = other.step({first: 2, second: np.int64(1)})
    assert all(np.array_equal(one[0][agent], two[0][agent]) for agent in (first, second))
    assert one[1:3] == two[1:3]


def test_no_step_without_an_episode(pair):
    env = TrafficParallelEnv(pair, horizon_s=100)
    for _ in range(2):
        with pytest.raises(ResetNeeded, match="call reset"):
            env.step(dict.fromkeys(env.possible_agents, 0))
        env.reset(seed=0)
        rollout(env)


def test_rendering_is_that_of_the_gymnasium_environment(pair):
    env, single = (make(pair, render_mode="rgb_array") for make in (TrafficParallelEnv, TrafficSignalEnv))
    env.reset(seed=1)
    single.reset(seed=1)
    for _ in range(5):
        env.step(dict.fromkeys(env.agents, 0))
        single.step([0, 0])
    assert np.array_equal(env.render(), single.render())
    env.close()
