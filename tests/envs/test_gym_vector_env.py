"""Gymnasium's vector face: slot by slot what Gymnasium makes of single environments, and how it is made."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import vector as wrappers

from intergreen.envs.gym_vector_env import TrafficSignalVectorEnv
from intergreen.envs.traffic_env import TrafficSignalEnv

COPIES = 3


def side_by_side(scenario, mode=AutoresetMode.SAME_STEP, **settings):
    """The same copies, simulated together and by Gymnasium one by one."""
    together = TrafficSignalVectorEnv(scenario, num_envs=COPIES, autoreset_mode=mode, **settings)
    one_by_one = SyncVectorEnv([lambda: TrafficSignalEnv(scenario, **settings)] * COPIES, autoreset_mode=mode)
    return together, one_by_one


@pytest.mark.parametrize("scenario", ["single", "grid4x4", "town"])
def test_spaces_and_answers_are_those_of_gymnasiums_own_vector_of_single_environments(scenario):
    together, one_by_one = side_by_side(scenario, horizon_s=50, reward="delay")
    assert together.single_observation_space == one_by_one.single_observation_space
    assert together.single_action_space == one_by_one.single_action_space
    assert together.observation_space == one_by_one.observation_space
    assert together.action_space == one_by_one.action_space
    assert together.metadata["autoreset_mode"] == one_by_one.metadata["autoreset_mode"]
    assert data_equivalence(together.reset(seed=20), one_by_one.reset(seed=20))
    together.action_space.seed(1)
    for t in range(12):  # two ends, and some steps beyond
        actions = together.action_space.sample()
        told, expected = together.step(actions), one_by_one.step(actions)
        assert data_equivalence(told[:4], expected[:4])
        infos, expected_infos = told[4], expected[4]
        assert infos.keys() == expected_infos.keys()
        assert ("final_obs" in infos) == ((t + 1) % 5 == 0)
        for b, last in enumerate(infos.pop("final_obs", [])):
            assert np.array_equal(last, expected_infos["final_obs"][b])
        expected_infos.pop("final_obs", None)
        assert data_equivalence(infos, expected_infos)
    together.close()
    one_by_one.close()


def test_next_episode_can_begin_in_the_step_after_as_gymnasium_has_it(pair):
    together, one_by_one = side_by_side(pair, AutoresetMode.NEXT_STEP, horizon_s=50)
    assert together.metadata["autoreset_mode"] == one_by_one.metadata["autoreset_mode"]
    assert data_equivalence(together.reset(seed=20), one_by_one.reset(seed=20))
    together.action_space.seed(1)
    for t in range(14):
        actions = together.action_space.sample()
        told, expected = together.step(actions), one_by_one.step(actions)
        assert data_equivalence(told, expected)
        assert told[3].all() == ((t + 1) % 6 == 5)
    assert TrafficSignalVectorEnv.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP


def test_gymnasiums_wrappers_of_vectors_take_it():
    env = gym.make_vec("intergreen.envs:Single-v0", num_envs=2, horizon_s=30, autoreset_mode="NextStep")
    env = wrappers.RecordEpisodeStatistics(wrappers.NormalizeReward(wrappers.NormalizeObservation(env)))
    env.reset(seed=0)
    infos = [env.step(np.zeros(2, int))[4] for _ in range(4)]
    assert ["episode" in one for one in infos] == [False, False, True, False]
    assert infos[2]["episode"]["l"].tolist() == [3, 3]


@pytest.mark.parametrize("mode", [AutoresetMode.DISABLED, "sometimes"])
def test_other_ways_to_begin_again_are_refused(mode):
    with pytest.raises(ValueError, match=r"SAME_STEP or NEXT_STEP|sometimes"):
        TrafficSignalVectorEnv("single", autoreset_mode=mode)


def test_seeds_one_for_each_copy_or_counted_up_from_one(pair):
    env = TrafficSignalVectorEnv(pair, num_envs=COPIES, horizon_s=50)

    def observed(seed):
        env.reset(seed=seed)
        return np.array([env.step(np.zeros((COPIES, 2), int))[0] for _ in range(20)])

    counted = observed(8)
    assert np.array_equal(counted, observed([8, 9, 10]))
    assert np.array_equal(counted, observed(np.arange(8, 11)))
    assert np.array_equal(counted[:, ::-1], observed([10, 9, 8]))
    assert not np.array_equal(counted, observed(None))
    with pytest.raises(ValueError, match="need a seed for each of 3 copies, got 2"):
        env.reset(seed=[1, 2])


def test_without_any_seed_two_environments_and_two_copies_differ(pair):
    last = []
    for _ in range(2):
        env = TrafficSignalVectorEnv(pair, num_envs=2)
        env.reset()
        last += [*[env.step(np.zeros((2, 2), int))[0] for _ in range(10)][-1]]
    assert len({observation.tobytes() for observation in last}) == 4


def test_threads_do_not_change_the_numbers(pair):
    runs = []
    for threads in (1, 2):
        env = TrafficSignalVectorEnv(pair, num_envs=COPIES, threads=threads)
        env.reset(seed=0)
        runs.append([env.step(np.ones((COPIES, 2), int))[:2] for _ in range(20)])
        env.close()
    assert data_equivalence(*runs)


def test_make_vec_simulates_the_copies_together():
    env = gym.make_vec("intergreen.envs:Grid4x4-v0", num_envs=4, vectorization_mode="vector_entry_point", horizon_s=100)
    assert isinstance(env.unwrapped, TrafficSignalVectorEnv)
    observations, _ = env.reset(seed=0)
    assert env.observation_space.contains(observations)
    assert type(gym.make_vec("intergreen.envs:Grid4x4-v0", num_envs=2)) is TrafficSignalVectorEnv
    env.close()


def test_wrong_actions_and_a_step_without_an_episode_are_one_line(pair):
    env = TrafficSignalVectorEnv(pair, num_envs=COPIES)
    with pytest.raises(gym.error.ResetNeeded, match="call reset"):
        env.step(np.zeros((COPIES, 2), int))
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"for 2 signals in 3 copies, got shape \(2, 3\)"):
        env.step(np.zeros((2, COPIES), int))
    with pytest.raises(ValueError, match="signal 1 has the choices 0 to 3, got 9"):
        env.step([[0, 0], [0, 9], [0, 0]])


def test_partial_resets_are_refused(pair):
    env = TrafficSignalVectorEnv(pair, num_envs=COPIES)
    with pytest.raises(ValueError, match="the copies begin together"):
        env.reset(options={"reset_mask": np.array([True, False, False])})


def test_masks_are_those_of_each_copy():
    env = TrafficSignalVectorEnv("town", num_envs=COPIES)
    assert env.action_masks().shape == (COPIES, int(env.single_action_space.nvec.sum()))
    assert env.action_masks().all()


def test_pictures_are_those_of_each_copy(pair):
    env = TrafficSignalVectorEnv(pair, num_envs=2, render_mode="rgb_array")
    env.reset(seed=4)
    single = TrafficSignalEnv(pair, render_mode="rgb_array")
    single.reset(seed=5)
    for _ in range(5):
        env.step([[0, 1], [2, 3]])
        single.step([2, 3])
    pictures = env.render()
    assert np.array_equal(pictures[1], single.render())
    assert not np.array_equal(pictures[0], pictures[1])
    assert TrafficSignalVectorEnv(pair, num_envs=2).render() is None
    with pytest.raises(ValueError, match="there is no render_mode 'human'; use one of rgb_array, or None"):
        TrafficSignalVectorEnv(pair, render_mode="human")
