"""The `VecEnv`: every slot is what the single environment would have shown, and episodes end as SB3 expects."""

import copy
import pickle
import threading

import numpy as np
import pytest
from gymnasium.error import ResetNeeded

from intergreen.envs.episodes import Episodes
from intergreen.envs.traffic_env import TrafficSignalEnv
from intergreen.envs.vector_env import TrafficVecEnv

REPLICAS = 3


def actions_of(steps, seed=4):
    return np.random.default_rng(seed).integers(0, 4, (steps, REPLICAS, 2))


def rollout(env, actions):
    """Observations, rewards and dones, stacked over time."""
    steps = [env.step(action.reshape(-1))[:3] for action in actions]
    return [np.array(column) for column in zip(*steps, strict=True)]


def test_slots_are_the_signals_of_single_environments_also_after_the_horizon(pair):
    env = TrafficVecEnv(pair, replicas=REPLICAS, horizon_s=100)
    env.seed(20)
    first = env.reset()
    actions = actions_of(15)  # ten decisions to the horizon, five of the next episode
    observations, rewards, _ = rollout(env, actions)
    for b in range(REPLICAS):
        single = TrafficSignalEnv(pair, horizon_s=100)
        observation, _ = single.reset(seed=20 + b)
        assert np.array_equal(first[2 * b : 2 * b + 2].reshape(-1), observation)
        for t, action in enumerate(actions[:, b]):
            observation, reward, _, truncated, _ = single.step(action)
            assert rewards[t, 2 * b : 2 * b + 2].mean() == pytest.approx(reward, abs=1e-6)
            if truncated:
                observation, _ = single.reset()
            assert np.array_equal(observations[t, 2 * b : 2 * b + 2].reshape(-1), observation)


def test_same_seed_same_numbers_with_one_thread_or_two(pair):
    runs = []
    for threads in (1, 2):
        env = TrafficVecEnv(pair, replicas=REPLICAS, threads=threads)
        env.seed(3)
        env.reset()
        runs.append(rollout(env, actions_of(40)))
    for one, other in zip(*runs, strict=True):
        assert np.array_equal(one, other)


def test_without_a_seed_two_environments_differ(pair):
    runs = []
    for _ in range(2):
        env = TrafficVecEnv(pair, replicas=REPLICAS)
        env.reset()
        runs.append(rollout(env, actions_of(20)))
    assert not np.array_equal(runs[0][0], runs[1][0])


def test_horizon_is_a_truncation_with_the_last_observation_and_nothing_is_told_before(pair):
    env = TrafficVecEnv(pair, replicas=REPLICAS, horizon_s=100)
    env.seed(0)
    env.reset()
    total = np.zeros(env.num_envs)
    for action in actions_of(9):
        _, rewards, dones, infos = env.step(action.reshape(-1))
        total += rewards
        assert not dones.any()
        assert not any(infos)
    observation, rewards, dones, infos = env.step(np.zeros(env.num_envs, int))
    total += rewards
    assert dones.all()
    assert all(info["TimeLimit.truncated"] for info in infos)
    assert [info["episode"]["r"] for info in infos] == pytest.approx(total.tolist(), abs=1e-4)
    assert {info["episode"]["l"] for info in infos} == {10}
    last = np.array([info["terminal_observation"] for info in infos])
    assert last.any(axis=1).all()
    assert not np.array_equal(last, observation)
    assert not env.step(np.zeros(env.num_envs, int))[2].any()


def test_copies_drive_different_traffic(pair):
    env = TrafficVecEnv(pair, replicas=REPLICAS)
    env.seed(0)
    env.reset()
    observations, _, _ = rollout(env, np.ones((20, REPLICAS, 2), int))
    by_copy = observations.reshape(20, REPLICAS, -1)
    assert not np.array_equal(by_copy[:, 0], by_copy[:, 1])


def test_masks_are_what_each_signal_can_be_asked_for():
    env = TrafficVecEnv("town", replicas=2, horizon_s=20)
    plan = env.worlds[0].plan
    expected = np.tile(np.arange(plan.choices.shape[1]) < plan.n_choices[:, None], (2, 1))
    assert plan.n_choices.min() < plan.n_choices.max()
    assert np.array_equal(np.stack(env.env_method("action_masks")), expected)
    assert env.has_attr("action_masks")


def test_choice_that_a_signal_does_not_have_keeps_its_phase():
    env = TrafficVecEnv("town", replicas=1, horizon_s=40)
    env.seed(0)
    before = env.reset()
    world = env.worlds[0]
    narrow = int(world.plan.n_choices.argmin())
    assert world.plan.n_choices[narrow] < env.action_space.n
    after = env.step(np.full(env.num_envs, env.action_space.n - 1))[0]
    choices = slice(env.blocks.choices_at, env.blocks.signal_at)
    assert np.array_equal(before[narrow, choices], after[narrow, choices])


def worlds(*scenarios, replicas=2):
    """Episodes of several networks with the same room."""
    return [
        Episodes(scenario, replicas=replicas, horizon_s=horizon_s, movements=18, choices=5)
        for scenario, horizon_s in scenarios
    ]


def test_slots_of_several_networks_are_those_of_each_alone_and_each_ends_at_its_own_horizon(pair):
    both = TrafficVecEnv(worlds((pair, 50), ("single", 70)))
    both.seed(5)
    alone = [TrafficVecEnv(worlds((pair, 50))), TrafficVecEnv(worlds(("single", 70)))]
    for env, first in zip(alone, (5, 7), strict=True):
        env.seed(first)
    assert np.array_equal(both.reset(), np.concatenate([env.reset() for env in alone]))
    ends = set()
    for t, action in enumerate(np.random.default_rng(0).integers(0, 4, (16, 6))):
        told = both.step(action)
        expected = [env.step(part) for env, part in zip(alone, (action[:4], action[4:]), strict=True)]
        for k in range(3):
            assert np.array_equal(told[k], np.concatenate([one[k] for one in expected]))
        ends |= {(t + 1, slot) for slot in np.flatnonzero(told[2])}
    assert {t for t, slot in ends if slot < 4} == {5, 10, 15}
    assert {t for t, slot in ends if slot >= 4} == {7, 14}


def test_networks_by_name_get_room_for_the_widest_signal_and_are_what_they_are_with_it(pair):
    named = TrafficVecEnv([pair, "single", "town"], replicas=2, horizon_s=50)
    room = {"movements": named.blocks.movements, "choices": named.blocks.choices}
    prepared = TrafficVecEnv([Episodes(one, replicas=2, horizon_s=50, **room) for one in (pair, "single", "town")])
    assert named.num_envs == prepared.num_envs == 2 * (2 + 1 + 16)
    widest = TrafficVecEnv("town", replicas=1, horizon_s=50).blocks
    assert room["movements"] >= widest.movements
    assert room["choices"] >= widest.choices
    for env in (named, prepared):
        env.seed(3)
    assert np.array_equal(named.reset(), prepared.reset())
    keep = np.zeros(named.num_envs, int)
    assert np.array_equal(named.step(keep)[0], prepared.step(keep)[0])


def test_networks_without_the_same_room_are_refused(pair):
    with pytest.raises(ValueError, match="same features and room"):
        TrafficVecEnv([Episodes(pair), Episodes("town")])


def test_networks_with_other_features_are_refused(pair):
    with pytest.raises(ValueError, match="same features and room in all worlds, got 2 kinds"):
        TrafficVecEnv([Episodes(pair), Episodes(pair, features=("queue",))])


def test_infos_at_the_horizon_of_one_network_are_for_its_slots_alone(pair):
    env = TrafficVecEnv(worlds((pair, 50), ("single", 70)))
    env.seed(0)
    env.reset()
    told = [env.step(np.ones(env.num_envs, int))[3] for _ in range(7)]
    ends = {t + 1: [slot for slot, info in enumerate(infos) if info] for t, infos in enumerate(told) if any(infos)}
    assert ends == {5: [0, 1, 2, 3], 7: [4, 5]}
    lasts = [info["average_travel_time_s"] for info in told[4][:4]]
    assert lasts[0] == lasts[1] != lasts[2] == lasts[3]  # of the copy that the slot belongs to


def test_seeds_count_the_copies_over_all_networks(pair):
    env = TrafficVecEnv(worlds((pair, 50), ("single", 50)))
    assert env.seed(40) == [40, 40, 41, 41, 42, 43]


def test_what_a_step_gave_is_not_overwritten_by_the_next(pair):
    env = TrafficVecEnv(pair, replicas=REPLICAS, horizon_s=30)
    env.seed(0)
    kept = [env.reset()]
    copies = [kept[0].copy()]
    rewards, reward_copies = [], []
    for action in actions_of(7):
        observation, reward, _, _ = env.step(action.reshape(-1))
        kept.append(observation)
        copies.append(observation.copy())
        rewards.append(reward)
        reward_copies.append(reward.copy())
    assert all(np.array_equal(one, other) for one, other in zip(kept, copies, strict=True))
    assert all(np.array_equal(one, other) for one, other in zip(rewards, reward_copies, strict=True))


def started_since(before):
    return [thread for thread in threading.enumerate() if thread not in before]


@pytest.mark.parametrize("networks", [1, 2])
def test_closing_ends_the_threads(networks, pair):
    before = threading.enumerate()
    if networks == 1:
        env = TrafficVecEnv(pair, replicas=REPLICAS, threads=2)
    else:
        env = TrafficVecEnv(worlds((pair, 50), ("single", 50)), threads=2)
    env.reset()
    env.step(np.zeros(env.num_envs, int))
    assert started_since(before)
    env.close()
    assert not started_since(before)
    env.close()  # learners and people may both do it
    observation, *_ = env.step(np.zeros(env.num_envs, int))  # goes on without them
    assert np.isfinite(observation).all()
    assert not started_since(before)


def test_reward_that_is_no_number_is_one_line(pair):
    env = TrafficVecEnv(pair, replicas=REPLICAS)
    env.reset()
    env.worlds[0]._senses.reward_table.weight[0] = np.nan
    with pytest.raises(FloatingPointError, match=r"^pair: the reward of signal 0 in copy 0 is nan at second 10$"):
        env.step(np.zeros(env.num_envs, int))


@pytest.mark.parametrize(
    "actions", [[1.0] * 6, [1] * 5, [[1]] * 6, 1, [0, 0, 0, -1, 0, 0]], ids=["floats", "few", "columns", "one", "-1"]
)
def test_actions_that_are_no_choice_for_each_slot_are_refused_before_anything_moves(pair, actions):
    env = TrafficVecEnv(pair, replicas=REPLICAS)
    env.reset()
    with pytest.raises(ValueError, match="need a choice >= 0, a whole number, for each of 6 slots, got shape"):
        env.step(np.array(actions))
    assert env.worlds[0].time_s == 0


def test_step_before_the_first_reset_is_refused(pair):
    """It simulated an empty network."""
    env = TrafficVecEnv(pair, replicas=1)
    with pytest.raises(ResetNeeded, match="call reset"):
        env.step(np.zeros(2, np.int32))
    env.reset()
    env.step(np.zeros(2, np.int32))


def test_action_beyond_the_action_space_is_refused_before_anything_moves(pair):
    env = TrafficVecEnv(pair, replicas=REPLICAS)
    env.reset()
    beyond = np.zeros(env.num_envs, int)
    beyond[2] = env.action_space.n
    with pytest.raises(ValueError, match=f"need a choice from 0 to {env.action_space.n - 1}, got {env.action_space.n}"):
        env.step(beyond)
    assert env.worlds[0].time_s == 0


@pytest.mark.parametrize("networks", [1, 2])
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_copy_with_threads_goes_on_as_the_original(networks, copied, pair):
    env = TrafficVecEnv([pair] * networks, replicas=2, threads=2)
    env.seed(3)
    env.reset()
    env.step(np.ones(env.num_envs, int))
    other = copied(env)
    here, there = (rollout_of(one) for one in (env, other))
    assert np.array_equal(here, there)
    env.close()
    other.close()


def rollout_of(env):
    return np.array([env.step(np.full(env.num_envs, t % 4))[0] for t in range(12)])


def test_scenario_may_be_a_path(pair_file):
    assert TrafficVecEnv([pair_file, str(pair_file)], replicas=1).num_envs == 4
    assert TrafficVecEnv(pair_file, replicas=1).worlds[0].scenario.name == "pair"


def test_no_scenario_at_all_is_one_line():
    with pytest.raises(ValueError, match="need at least one scenario"):
        TrafficVecEnv([])
