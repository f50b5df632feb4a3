"""The Gymnasium face: what its standard checkers ask, and what an episode promises."""

import functools
import pickle
import re
import subprocess
import sys
import warnings
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from sb3_contrib import MaskablePPO
from stable_baselines3.common.env_checker import check_env as check_sb3_env

from intergreen.envs.episodes import Episodes, training_trips
from intergreen.envs.errors import InputError
from intergreen.envs.gym_vector_env import TrafficSignalVectorEnv
from intergreen.envs.observation import LONGEST_GREEN_S
from intergreen.envs.parallel_env import TrafficParallelEnv
from intergreen.envs.protocol import Protocol
from intergreen.envs.registration import SCENARIO_OF_ID
from intergreen.envs.signals import FieldTiming, FixedClearance
from intergreen.envs.signals.presets import PROFILES
from intergreen.envs.traffic_env import TrafficSignalEnv
from intergreen.envs.vector_env import TrafficVecEnv

IDS = [name for name in SCENARIO_OF_ID if name != "City1024-v0"]


def rollout(env, *, seed, steps=30, action_seed=1):
    """Observations, rewards and infos of random actions; `seed` None goes on to the next episode."""
    observation, info = env.reset(seed=seed)
    env.action_space.seed(action_seed)
    observations, rewards, infos = [observation], [], [info]
    for _ in range(steps):
        observation, reward, _, _, info = env.step(env.action_space.sample())
        observations.append(observation)
        rewards.append(reward)
        infos.append(info)
    return np.array(observations), rewards, infos


@pytest.mark.parametrize("name", IDS)
def test_registered_environment_passes_gymnasiums_checker_without_a_warning(name):
    env = gym.make(f"intergreen.envs:{name}", horizon_s=100)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped)
    env.close()


@pytest.mark.parametrize("name", IDS)
def test_registered_environment_passes_stable_baselines_checker_without_a_warning(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_sb3_env(gym.make(f"intergreen.envs:{name}", horizon_s=100).unwrapped)


def test_importing_the_package_registers_every_id_and_loads_no_simulator():
    script = (
        "import sys, intergreen.envs, gymnasium; "
        "print(sum(i.endswith('-v0') and 'intergreen' in str(s.entry_point) for i, s in gymnasium.registry.items())); "
        "print('numba' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(len(SCENARIO_OF_ID)), "False"]


def test_same_seed_repeats_the_episode_exactly(pair):
    first, again = (rollout(TrafficSignalEnv(pair), seed=7) for _ in range(2))
    assert np.array_equal(first[0], again[0])
    assert first[1:] == again[1:]


def test_seed_of_numpys_is_that_of_pythons(pair):
    plain, numpys = (rollout(TrafficSignalEnv(pair), seed=seed) for seed in (7, np.int64(7)))
    assert np.array_equal(plain[0], numpys[0])


def test_other_seed_is_another_episode(pair):
    assert not np.array_equal(rollout(TrafficSignalEnv(pair), seed=7)[0], rollout(TrafficSignalEnv(pair), seed=8)[0])


def test_reset_without_a_seed_goes_on_to_other_traffic_the_same_after_the_same_seed(pair):
    env = TrafficSignalEnv(pair)
    first, second = rollout(env, seed=7), rollout(env, seed=None)
    env.reset(seed=7)
    assert not np.array_equal(first[0], second[0])
    assert np.array_equal(second[0], rollout(env, seed=None)[0])


@pytest.mark.parametrize(("horizon_s", "decisions"), [(50, 5), (55, 6)])
def test_horizon_truncates_and_never_terminates(pair, horizon_s, decisions):
    env = TrafficSignalEnv(pair, horizon_s=horizon_s)
    env.reset(seed=0)
    ends = [env.step(env.action_space.sample())[2:4] for _ in range(decisions)]
    assert ends == [(False, False)] * (decisions - 1) + [(False, True)]


def test_info_holds_the_time_and_at_the_end_the_travel_time(pair):
    env = TrafficSignalEnv(pair)
    _, _, infos = rollout(env, seed=7)
    assert [info["time_s"] for info in infos] == list(range(0, 310, 10))
    assert [set(info) for info in infos[:-1]] == [{"time_s"}] * 30
    assert infos[-1]["average_travel_time_s"] == env.episodes.average_travel_time_s()[0]
    assert 10.0 < infos[-1]["average_travel_time_s"] < 300.0


def test_last_observation_is_the_end_of_the_episode_and_stays_as_it_was_told(pair):
    env = TrafficSignalEnv(pair, horizon_s=100)
    observations, _, _ = rollout(env, seed=7, steps=10)
    assert np.array_equal(observations[-1], env.episodes._senses.observation.reshape(-1))
    last = observations[-1].copy()
    first, _ = env.reset()
    assert not np.array_equal(first, last)
    assert np.array_equal(observations[-1], last)


def test_no_step_without_an_episode(pair):
    env = TrafficSignalEnv(pair, horizon_s=20)
    with pytest.raises(gym.error.ResetNeeded, match="call reset"):
        env.step([0, 0])
    env.reset(seed=0)
    env.step([0, 0])
    env.step([0, 0])
    with pytest.raises(gym.error.ResetNeeded, match="call reset"):
        env.step([0, 0])
    env.reset()
    assert env.step([0, 0])[-1]["time_s"] == 10


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ([0], "for 2 signals, got shape"),
        ([0.0, float("nan")], "whole numbers"),
        ([0, -1], "signal 1 has the choices 0 to 3, got -1"),
        ([4, 0], "signal 0 has the choices 0 to 3, got 4"),
    ],
    ids=str,
)
def test_wrong_action_is_one_line_and_leaves_the_episode_as_it_was(pair, action, message):
    env, other = (TrafficSignalEnv(pair) for _ in range(2))
    env.reset(seed=0)
    other.reset(seed=0)
    with pytest.raises(ValueError, match=message):
        env.step(action)
    assert np.array_equal(env.step([1, 2])[0], other.step([1, 2])[0])


def test_reward_is_the_mean_of_the_signals_rewards(pair):
    env = TrafficSignalEnv(pair, reward="delay")
    _, rewards, _ = rollout(env, seed=7)
    assert rewards[-1] == pytest.approx(env.episodes._senses.reward.mean())
    assert rewards[-1] < 0


def test_reward_that_is_no_number_is_one_line(pair):
    env = TrafficSignalEnv(pair)
    env.reset(seed=0)
    env.episodes._senses.reward_table.weight[0] = np.nan
    with pytest.raises(FloatingPointError, match=r"^pair: the reward of signal 0 in copy 0 is nan at second 10$"):
        env.step([0, 0])


def test_masks_are_those_of_all_signals_one_after_the_other():
    env = TrafficSignalEnv("town", horizon_s=20)
    assert len(set(env.action_space.nvec)) > 1
    assert env.action_masks().tolist() == [True] * int(env.action_space.nvec.sum())
    assert TrafficSignalEnv("single").action_masks().tolist() == [True] * 4


def test_green_that_lasts_is_no_longer_allowed_while_others_wait():
    env = TrafficSignalEnv("single")
    env.reset(seed=0)
    interval_s = env.episodes.protocol.interval_s
    for decision in range(1, 20):
        env.step(0)
        overdue = decision * interval_s >= LONGEST_GREEN_S
        assert env.action_masks().tolist() == [not overdue, True, True, True]
    env.step(1)
    assert env.action_masks().all()


def test_some_choice_is_allowed_while_a_least_green_outlasts_the_longest_one():
    longer = {
        f"{rule}_green_{kind}_s": seconds
        for rule, kinds, seconds in (("min", ("through", "turn"), 130.0), ("max", ("left", "through", "fast"), 300.0))
        for kind in kinds
    }
    profile = replace(PROFILES["us-mutcd"], name="slow", longest_wait_s=1500.0, **longer)
    env = TrafficSignalEnv("single", protocol=Protocol("slow-5", 5, FieldTiming(profile)), horizon_s=400)
    env.reset(seed=0)
    asked = []
    for _ in range(80):
        asked.append(env.action_masks().tolist())
        env.step(0)
    assert all(any(mask) for mask in asked)
    assert [True, False, False, False] in asked
    assert any(not mask[0] for mask in asked)


def test_room_that_is_not_used_changes_no_action_and_no_mask(pair):
    env, wide = TrafficSignalEnv(pair), TrafficSignalEnv(pair, movements=20, choices=9)
    assert wide.action_space == env.action_space
    assert np.array_equal(wide.action_masks(), env.action_masks())
    assert rollout(wide, seed=3)[1] == rollout(env, seed=3)[1]


def test_maskable_ppo_takes_the_environment(pair):
    model = MaskablePPO("MlpPolicy", TrafficSignalEnv(pair, horizon_s=50), n_steps=16, batch_size=16, seed=0)
    model.learn(16)
    assert model.num_timesteps == 16


def test_one_signal_is_a_discrete_action():
    env = TrafficSignalEnv("single", horizon_s=20)
    assert isinstance(env.action_space, gym.spaces.Discrete)
    assert env.observation_space.shape == (len(env.feature_names),)


def test_wanted_phase_is_shown_in_the_next_observation(pair):
    env = TrafficSignalEnv(pair)
    env.reset(seed=0)
    current = [env.feature_names.index(f"choice_{c}.current") for c in range(4)]
    for wanted in ([1, 2], [3, 0]):
        observation, *_ = env.step(np.array(wanted))
        shown = observation.reshape(2, -1)[:, current]
        assert shown.tolist() == np.eye(4)[wanted].tolist()


def test_fixed_demand_is_varied_for_training_unless_exact_trips_are_asked_for(fixed_pair):
    own = fixed_pair.trips(3, horizon_s=300)
    varied = training_trips(fixed_pair, 3, 300)
    assert len(varied) == pytest.approx(len(own), rel=0.3)
    assert not np.array_equal(varied.release_s, own.release_s)
    assert not np.array_equal(varied.release_s, training_trips(fixed_pair, 4, 300).release_s)
    assert np.array_equal(training_trips(fixed_pair, 3, 300, exact=True).release_s, own.release_s)


def test_exact_trips_are_the_same_in_every_episode(fixed_pair):
    env = TrafficSignalEnv(fixed_pair, exact_trips=True)
    travel_times = [rollout(env, seed=seed)[2][-1]["average_travel_time_s"] for seed in (1, 2)]
    varied = TrafficSignalEnv(fixed_pair)
    other = [rollout(varied, seed=seed)[2][-1]["average_travel_time_s"] for seed in (1, 2)]
    assert travel_times[0] == pytest.approx(travel_times[1], rel=0.05)
    assert other[0] != other[1]


def test_environment_pickles_in_the_middle_of_an_episode(pair):
    env = TrafficSignalEnv(pair)
    rollout(env, seed=7, steps=5)
    copy = pickle.loads(pickle.dumps(env))
    action = np.array([2, 1])
    for one, other in zip(env.step(action), copy.step(action), strict=True):
        assert np.array_equal(one, other)


def test_environments_run_in_spawned_processes_as_here(pair_file):
    make = functools.partial(TrafficSignalEnv, str(pair_file))
    workers = gym.vector.AsyncVectorEnv([make, make], context="spawn")
    try:
        workers.reset(seed=[7, 8])
        actions = np.array([[1, 2], [3, 0]])
        observations, rewards, *_ = workers.step(actions)
    finally:
        workers.close()
    for k, seed in enumerate((7, 8)):
        env = make()
        env.reset(seed=seed)
        observation, reward, *_ = env.step(actions[k])
        assert np.array_equal(observations[k], observation)
        assert rewards[k] == reward


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"demand_scale": (1.5, 0.5)}, "demand_scale: is (1.5, 0.5); give (lowest, highest), 0 < lowest <= highest"),
        ({"demand_scale": (-1.0, 1.0)}, "demand_scale: is (-1.0, 1.0); give (lowest, highest)"),
        ({"demand_scale": 1.5}, "demand_scale: is 1.5; give (lowest, highest)"),
        ({"demand_scale": (0.5, float("inf"))}, "demand_scale: is (0.5, inf); give (lowest, highest)"),
        ({"neighbour_share": float("nan")}, "neighbour_share: is nan; give a finite number, 0 or more"),
        ({"neighbour_share": "half"}, "neighbour_share: is 'half'; give a finite number, 0 or more"),
        ({"horizon_s": 0}, "need whole seconds >= 1 as horizon_s, got 0"),
        ({"horizon_s": 7.5}, "need whole seconds >= 1 as horizon_s, got 7.5"),
        ({"features": "queue"}, "features: are one text, 'queue'; write a list, ['queue']"),
        ({"features": None}, "features: are None; write a list of queue, arriving, "),
        ({"features": []}, "features: are none; name one or more of queue, arriving, "),
        ({"features": 5}, "features: are 5; write a list of queue, arriving, "),
        ({"protocol": 5}, "protocol: is 5; give a name, such as 'literature-10-5', a Protocol, or None"),
        ({"protocol": ""}, "no protocol is called ''; use one of literature-30-5, "),
        ({"reward": None}, "reward: is None; give one of queue, delay, person-delay, pressure, or names with weights"),
        ({"faults": 5}, "faults: are 5; name a list or file, give faults, or leave it out"),
        ({"exact_trips": "no"}, "exact_trips: is 'no'; give True or False"),
        ({"end_locked": "no"}, "end_locked: is 'no'; give True or False"),
        ({"backlog_periods": -1}, "backlog_periods: is -1; give a finite number, 0 or more"),
        ({"backlog_periods": "long"}, "backlog_periods: is 'long'; give a finite number, 0 or more"),
        ({"movements": 0}, "movements: is 0; give a whole number, 1 or more"),
        ({"choices": 8.0}, "choices: is 8.0; give a whole number, 1 or more"),
        ({"simulator": None}, "no simulator is called None; use native or sumo"),
    ],
)
def test_setting_that_cannot_be_is_one_line(pair, settings, message):
    with pytest.raises(ValueError, match=re.escape(message)) as refused:
        TrafficSignalEnv(pair, **settings)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("face", [TrafficSignalEnv, TrafficSignalVectorEnv, TrafficParallelEnv, TrafficVecEnv])
def test_unknown_setting_is_one_line_in_every_face(pair, face):
    with pytest.raises(InputError) as refused:
        face(pair, horizon_s=100, rewrad="delay")
    told = str(refused.value)
    assert told.startswith("environment: rewrad: there is no such setting; did you mean 'reward'? known settings: ")
    assert {"scenario,", "features,", "end_locked,"} <= set(told.split())
    assert "\n" not in told


@pytest.mark.parametrize("face", [TrafficSignalEnv, TrafficSignalVectorEnv, TrafficParallelEnv])
def test_copies_are_no_setting_where_the_face_counts_them_itself(pair, face):
    with pytest.raises(InputError, match=r"environment: replicas: there is no such setting; (?!.*replicas)"):
        face(pair, replicas=2)


def test_unknown_setting_is_one_line_through_gymnasium():
    with pytest.raises(InputError, match=r"^environment: rewrad: there is no such setting; did you mean 'reward'\?"):
        gym.make("intergreen.envs:Single-v0", rewrad="delay")


def test_settings_may_be_numbers_and_truths_of_numpys(pair):
    plain = {"neighbour_share": 0.5, "movements": 30, "end_locked": True, "exact_trips": False, "backlog_periods": 3}
    numpys = {name: np.array(value)[()] for name, value in plain.items()}
    ways = (plain | {"demand_scale": (0.5, 1.0)}, numpys | {"demand_scale": np.array([0.5, 1.0])})
    one, other = (rollout(TrafficSignalEnv(pair, reward={"delay": 1.0}, **way), seed=3) for way in ways)
    assert np.array_equal(one[0], other[0])
    assert one[1] == other[1]


def test_no_copies_at_all_are_one_line(pair):
    with pytest.raises(InputError, match="replicas: is 0; give a whole number, 1 or more"):
        Episodes(pair, replicas=0)


def test_what_is_no_scenario_is_one_line():
    with pytest.raises(TypeError, match="need a scenario, or its name or path, got None"):
        TrafficSignalEnv(None)


def test_scenario_may_be_a_path(pair_file):
    assert TrafficSignalEnv(pair_file).episodes.scenario.name == "pair"


def test_episode_without_anybody_is_refused(fixed_pair):
    demand = fixed_pair.demand
    late = replace(demand, flow_start_s=np.full(demand.n_flows, 60.0), flow_end_s=np.full(demand.n_flows, -1.0))
    scenario = replace(fixed_pair, demand=late)
    with pytest.raises(InputError, match="pair: demand: nobody departs before 50 s; make episodes longer"):
        TrafficSignalEnv(scenario, horizon_s=50)
    TrafficSignalEnv(scenario, horizon_s=70)


def test_protocol_of_ones_own_is_what_one_by_its_name_is(pair):
    own = Protocol("mine", interval_s=10, timing=FixedClearance(2))
    named = [rollout(TrafficSignalEnv(pair, protocol=protocol), seed=5) for protocol in (own, "literature-10-2")]
    assert np.array_equal(named[0][0], named[1][0])


def test_timing_of_ones_own_reaches_the_signals(pair):
    slow = replace(PROFILES["us-mutcd"], name="slow", shortest_yellow_s=5.0)
    env = TrafficSignalEnv(pair, protocol=Protocol("slow-5", 5, FieldTiming(slow), "literature-8"))
    assert env.episodes.plan.rules.yellow.min() == 5
