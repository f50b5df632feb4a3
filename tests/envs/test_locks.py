"""Episodes that end where traffic has locked: found when it is so, never else, and charged to the copy that has."""

from types import SimpleNamespace

import numpy as np
import pytest

from intergreen.envs.episode_state import episode_state, restore_episodes
from intergreen.envs.gym_vector_env import TrafficSignalVectorEnv
from intergreen.envs.locks import CHARGED_S, WATCHED_S, LockWatch
from intergreen.envs.parallel_env import TrafficParallelEnv
from intergreen.envs.traffic_env import TrafficSignalEnv
from intergreen.envs.vector_env import TrafficVecEnv

INTERVAL_S = 10
CROWD = (4.0, 4.0)  # far more than the grid can carry: four times its demand
LONG_S = 7200


def watched(released_per_s, finished_per_s, *, standing, on_lanes=100, seconds=400):
    """The first second in which a lock is seen, or None, with so many setting out and arriving."""
    watch = LockWatch(1, INTERVAL_S)
    senses = SimpleNamespace(vehicles=np.full((1, 1), on_lanes), waiting=np.full((1, 1), standing))
    for now in range(INTERVAL_S, seconds, INTERVAL_S):
        passed = np.array([[int(50 + released_per_s * now), int(finished_per_s * now)]])
        core = SimpleNamespace(time_s=now, passed=lambda passed=passed: passed)
        if watch.locked(core, senses)[0]:
            return now
    return None


def test_lock_is_seen_as_soon_as_there_is_enough_to_look_back_at():
    assert watched(1.0, 0.0, standing=95) == INTERVAL_S + WATCHED_S


@pytest.mark.parametrize(
    ("released_per_s", "finished_per_s", "standing", "on_lanes"),
    [
        (1.0, 0.3, 95, 100),  # more than a quarter of as many arrive
        (1.0, 0.0, 80, 100),  # one in five drives
        (1.0, 0.0, 15, 15),  # hardly anybody is there
        (0.0, 0.1, 95, 100),  # nobody sets out, and they drain
    ],
)
def test_traffic_that_moves_is_not_locked(released_per_s, finished_per_s, standing, on_lanes):
    assert watched(released_per_s, finished_per_s, standing=standing, on_lanes=on_lanes) is None


def test_who_has_arrived_nearly_all_has_not_locked():
    watch = LockWatch(1, INTERVAL_S)
    senses = SimpleNamespace(vehicles=np.full((1, 1), 25), waiting=np.full((1, 1), 25))
    cores = [SimpleNamespace(time_s=now, passed=lambda: np.array([[500, 475]])) for now in range(10, 600, 10)]
    assert not any(watch.locked(core, senses)[0] for core in cores)


def test_what_an_earlier_episode_has_seen_is_forgotten():
    watch = LockWatch(1, INTERVAL_S)
    senses = SimpleNamespace(vehicles=np.full((1, 1), 100), waiting=np.full((1, 1), 100))
    still = [SimpleNamespace(time_s=now, passed=lambda: np.array([[500, 0]])) for now in range(10, 200, 10)]
    assert [watch.locked(core, senses)[0] for core in still] == [False] * 18 + [True]
    watch.begin()
    assert not watch.locked(still[0], senses)[0]


def until_the_end(env, action):
    """The last step, and all rewards."""
    rewards = []
    while True:
        step = env.step(action)
        rewards.append(step[1])
        if step[2] or step[3]:
            return step, rewards


def test_locked_grid_terminates_and_pays_a_quarter_of_an_hour_of_its_last_reward():
    env = TrafficSignalEnv("grid4x4", demand_scale=CROWD, horizon_s=LONG_S, end_locked=True)
    env.reset(seed=0)
    keep = np.zeros(16, np.int64)
    (_, _, terminated, truncated, info), rewards = until_the_end(env, keep)
    assert terminated
    assert not truncated
    assert info["time_s"] < LONG_S

    plain = TrafficSignalEnv("grid4x4", demand_scale=CROWD, horizon_s=LONG_S)
    plain.reset(seed=0)
    same = [plain.step(keep)[1] for _ in rewards]
    assert rewards[:-1] == same[:-1]
    assert rewards[-1] == pytest.approx(same[-1] * (1.0 + CHARGED_S / INTERVAL_S), rel=1e-6)


def test_grid_that_flows_ends_at_its_horizon():
    env = TrafficSignalEnv("grid4x4", horizon_s=1200, end_locked=True)
    env.reset(seed=0)
    done, k = False, 0
    while not done:
        *_, terminated, done, _ = env.step(np.full(16, k // 3 % 4))
        assert not terminated
        k += 1


@pytest.fixture
def second_copy_locks(monkeypatch):
    """After three periods, whatever the traffic is."""

    def locked(self, core, senses):
        return np.array([False, core.time_s == 3 * INTERVAL_S])[-len(senses.vehicles) :]

    monkeypatch.setattr(LockWatch, "locked", locked)


@pytest.mark.usefixtures("second_copy_locks")
def test_copies_end_together_but_only_the_locked_one_terminates_and_pays(pair):
    env, plain = (TrafficVecEnv(pair, replicas=2, reward="delay", end_locked=ends) for ends in (True, False))
    for one in (env, plain):
        one.seed(1)
        one.reset()
    actions = np.zeros(4, np.int64)
    for _ in range(2):
        assert not env.step(actions)[2].any()
        plain.step(actions)
    _, reward, done, infos = env.step(actions)
    _, expected, *_ = plain.step(actions)
    assert done.all()
    assert [info["TimeLimit.truncated"] for info in infos] == [True, True, False, False]
    assert [info["episode"]["l"] for info in infos] == [3] * 4
    assert np.array_equal(reward[:2], expected[:2])
    assert (expected[2:] < 0).any()
    assert reward[2:] == pytest.approx(expected[2:] * (1.0 + CHARGED_S / INTERVAL_S), rel=1e-6)
    assert not env.step(actions)[2].any()  # the next episode


@pytest.mark.usefixtures("second_copy_locks")
def test_other_faces_say_the_same(pair):
    copies = TrafficSignalVectorEnv(pair, num_envs=2, end_locked=True)
    copies.reset(seed=0)
    steps = [copies.step(np.zeros((2, 2), np.int64)) for _ in range(3)]
    assert [step[2].tolist() for step in steps] == [[False, False]] * 2 + [[False, True]]
    assert [step[3].tolist() for step in steps] == [[False, False]] * 2 + [[True, False]]
    agents = TrafficParallelEnv(pair, end_locked=True)
    agents.reset(seed=0)
    everybody = dict.fromkeys(agents.agents, 0)
    *_, terminated, truncated, _ = [agents.step(everybody) for _ in range(3)][-1]
    assert terminated == dict.fromkeys(everybody, True)
    assert truncated == dict.fromkeys(everybody, False)
    assert agents.agents == []


def test_restored_episode_locks_when_the_stored_one_does():
    def make():
        return TrafficVecEnv("grid4x4", replicas=1, demand_scale=CROWD, horizon_s=LONG_S, end_locked=True)

    env, other = make(), make()
    env.seed(0)
    other.seed(9)
    env.reset()
    other.reset()
    keep = np.zeros(16, np.int64)
    for _ in range(100):
        env.step(keep)
    restore_episodes(other, episode_state(env))
    for _ in range(20):
        step, same = env.step(keep), other.step(keep)
        assert np.array_equal(step[1], same[1])
        assert np.array_equal(step[2], same[2])
        if step[2].any():
            return
    pytest.fail("the grid has not locked")
