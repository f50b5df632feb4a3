"""Environments whose policies see what failing detectors tell: the same readings as in an evaluation, true rewards."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from intergreen.envs.detector_faults import FaultyDetectors
from intergreen.envs.episode_state import episode_state, restore_episodes
from intergreen.envs.errors import InputError
from intergreen.envs.fault_kinds import Dead, Noise, Stick
from intergreen.envs.gym_vector_env import TrafficSignalVectorEnv
from intergreen.envs.senses import observe_all, whole_counts
from intergreen.envs.traffic_env import TrafficSignalEnv

ALL_DEAD = (Dead(share=1.0),)
SETTINGS = {"scenario": "single", "horizon_s": 600}
FEW_STEPS = 12


def driven(env, steps=FEW_STEPS):
    """Observations and rewards under the first and the second choice in turn."""
    seen = [env.reset(seed=5)[0]]
    rewards = []
    for k in range(steps):
        observation, reward, *_ = env.step(k % 2)
        seen.append(observation)
        rewards.append(reward)
    return np.array(seen), np.array(rewards)


def test_dead_detectors_show_empty_lanes_and_leave_rewards_true():
    seen, rewards = driven(TrafficSignalEnv(**SETTINGS, faults=ALL_DEAD))
    true, true_rewards = driven(TrafficSignalEnv(**SETTINGS))
    assert rewards.tolist() == true_rewards.tolist()
    assert rewards.min() < 0.0
    assert not np.array_equal(seen, true)
    empty = TrafficSignalEnv(**SETTINGS, faults=ALL_DEAD)
    queues = [k for k, name in enumerate(empty.feature_names) if "queue" in name]
    assert queues
    assert seen.reshape(len(seen), -1, len(empty.feature_names))[..., queues].max() == 0.0
    assert true.reshape(len(true), -1, len(empty.feature_names))[..., queues].max() > 0.0


def test_detectors_that_never_fail_show_what_none_show():
    seen, _ = driven(TrafficSignalEnv(**SETTINGS, faults=(Dead(share=0.0),)))
    true, _ = driven(TrafficSignalEnv(**SETTINGS))
    assert seen.tolist() == true.tolist()


def test_what_is_seen_is_what_an_evaluation_would_show():
    """The twin: readings of the same core by detectors of its own, made into an observation by hand."""
    faults = (Noise(share=0.5, sd=0.4), Stick(share=0.2, begin_s=100))
    env = TrafficSignalEnv(**SETTINGS, faults=faults)
    observation, _ = env.reset(seed=3)
    episodes = env.episodes
    interval_s, core = episodes.protocol.interval_s, episodes.core
    twin = FaultyDetectors(faults, 1, core.network, episodes.detector_seeds.tolist(), interval_s=interval_s)
    for k in range(FEW_STEPS):
        told = whole_counts(twin.read(core.counts(), episodes.time_s))
        by_hand = observe_all(told, core.signals(interval_s), interval_s, episodes.layout)
        assert observation.tolist() == by_hand.reshape(-1).tolist()
        observation, *_ = env.step(k % 2)


def test_which_detectors_fail_changes_from_episode_to_episode():
    env = TrafficSignalEnv(**SETTINGS, faults="dead-10")
    env.reset(seed=1)
    first = env.episodes.detector_seeds.tolist()
    env.reset()
    assert env.episodes.detector_seeds.tolist() != first


def test_same_seed_gives_the_same_noise():
    one, two = (driven(TrafficSignalEnv(**SETTINGS, faults=(Noise(share=1.0, sd=0.5),)))[0] for _ in range(2))
    assert one.tolist() == two.tolist()


def test_copies_show_what_single_environments_show():
    faults = (Noise(share=0.5, sd=0.4),)
    vector = TrafficSignalVectorEnv("single", num_envs=2, horizon_s=600, faults=faults)
    together = [vector.reset(seed=5)[0]] + [vector.step(np.array([k % 2] * 2))[0] for k in range(FEW_STEPS)]
    alone, _ = driven(TrafficSignalEnv(**SETTINGS, faults=faults))
    assert np.array(together)[:, 0].tolist() == alone.tolist()


@pytest.mark.filterwarnings("ignore:.*alternative.*render")
def test_checkers_pass_with_faults():
    check_env(gym.make("intergreen.envs:Single-v0", horizon_s=200, faults="nan-100").unwrapped, skip_render_check=True)


def test_pettingzoo_accepts_faults():
    pytest.importorskip("pettingzoo")
    from intergreen.envs.parallel_env import TrafficParallelEnv

    env = TrafficParallelEnv("arterial6", horizon_s=100, faults="stick-10")
    observations, _ = env.reset(seed=0)
    plain, _ = TrafficParallelEnv("arterial6", horizon_s=100).reset(seed=0)
    assert observations.keys() == plain.keys()
    env.step(dict.fromkeys(env.agents, 0))


def test_sb3_accepts_faults_and_goes_on_with_the_same_failing_detectors():
    pytest.importorskip("stable_baselines3")
    from intergreen.envs.vector_env import TrafficVecEnv

    def make():
        return TrafficVecEnv("arterial6", replicas=2, horizon_s=400, faults=(Dead(share=0.3),))

    env, other = make(), make()
    env.seed(4)
    env.reset()
    actions = np.zeros(env.num_envs, np.int64)
    for _ in range(5):
        env.step(actions)
    other.reset()
    restore_episodes(other, episode_state(env))
    assert env.step(actions)[0].tolist() == other.step(actions)[0].tolist()


@pytest.mark.parametrize(
    ("faults", "words"),
    [
        ("policy-raises", "is a fault of the policy, and an environment has none"),
        ("dead-11", "no file or list of faults"),
        (["dead-10"], "faults: has 'dead-10' in its list; name one list or file, or give faults"),
        ((Dead(lanes=("nowhere_0",)),), "the network has no lane"),
    ],
)
def test_wrong_faults_are_refused_in_one_line(faults, words):
    with pytest.raises(InputError, match=words):
        TrafficSignalEnv(**SETTINGS, faults=faults)


def test_a_recipe_names_its_faults():
    from intergreen.agents.learning.recipe import make_recipe

    assert make_recipe("r", {"scenario": "single", "steps": 10, "faults": "dead-10"}).faults == "dead-10"
    with pytest.raises(InputError, match=r"r: faults: no file or list"):
        make_recipe("r", {"scenario": "single", "steps": 10, "faults": "dead-12"})
