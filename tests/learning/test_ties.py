"""Choices that are as good: whatever scores them, and in whatever order it adds up, it takes the same."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from stable_baselines3 import PPO

from intergreen.agents.controllers.policy_network import seen_in
from intergreen.agents.controllers.ties import CLOSE, EQUAL, FORBIDDEN, best_choices
from intergreen.agents.learning.model import network_of
from intergreen.agents.learning.network import SignalNetwork
from intergreen.agents.learning.policies import SignalPolicy
from intergreen.envs.observation import Blocks
from intergreen.envs.traffic_env import TrafficSignalEnv

BLOCKS = Blocks(movements=6, movement_columns=5, choices=4, signal_columns=2)


def never(some):
    raise AssertionError(f"asked about {some}")


def test_scores_that_are_apart_are_not_looked_at_again():
    scores = np.array([[1.0, 3.0, 2.0], [FORBIDDEN, -7.0, FORBIDDEN]], np.float32)
    assert best_choices(scores, never).tolist() == [1, 1]


def test_close_scores_are_decided_in_64_bits_and_equal_ones_by_their_order():
    near = np.float32(1.0 - CLOSE / 2)
    scores = np.array([[near, 1.0, 0.0], [5.0, 0.0, 0.0], [1.0, near, near]], np.float32)
    asked = []

    def exactly(some):
        asked.append(some.tolist())
        return np.array([[1.0 + 2 * EQUAL, 1.0, 9.0], [1.0 - EQUAL / 2, 1.0, 1.0]])

    assert best_choices(scores, exactly).tolist() == [2, 0, 0]
    assert asked == [[0, 2]]


def test_what_is_forbidden_stays_so_in_64_bits():
    scores = np.array([[FORBIDDEN, 1.0, 1.0]], np.float32)
    assert best_choices(scores, lambda some: np.array([[2.0, 1.0, 1.0]])).tolist() == [1]


def alike_observations(seed, n=40):
    """Signals whose choices serve movements that are alike: the last choice as good as another."""
    random = np.random.default_rng(seed)
    movements = np.concatenate([np.ones((n, 6, 1)), random.random((n, 6, 4))], axis=2)
    movements[:, 3:] = movements[:, :3]
    serves = np.zeros((n, 4, 6))
    serves[:, 0, :2] = serves[:, 1, 2] = serves[:, 2, 3:5] = serves[:, 3, 5] = 1.0
    choices = np.zeros((n, 4, 2))
    choices[:, :, 1] = 1.0
    parts = (movements, choices, random.random((n, 2)), serves)
    return np.concatenate([part.reshape(n, -1) for part in parts], axis=1).astype(np.float32)


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), shift=st.permutations(range(6)))
def test_of_two_choices_that_are_as_good_the_first_wins_in_whatever_order_movements_stand(random_network, seed, shift):
    network = random_network(seed, movement_columns=5, signal_columns=2)
    seen = alike_observations(seed)
    exact = network.exact_scores(seen_in(seen, BLOCKS))
    assert exact[:, :2] == pytest.approx(exact[:, 2:], rel=1e-12, abs=1e-10)
    first = (exact[:, 1] > exact[:, 0]).astype(int)
    trained = SignalNetwork(BLOCKS, width=network.width)
    state = {name: torch.from_numpy(array) for name, array in network.arrays.items()}
    assert not trained.load_state_dict(state, strict=False).unexpected_keys
    other = seen.copy()
    other[:, : BLOCKS.choices_at] = seen[:, : BLOCKS.choices_at].reshape(-1, 6, 5)[:, shift].reshape(-1, 30)
    other[:, BLOCKS.serves_at :] = seen[:, BLOCKS.serves_at :].reshape(-1, 4, 6)[:, :, shift].reshape(-1, 24)
    for observations in (seen, other):
        assert network.best_choices(observations, BLOCKS).tolist() == first.tolist()
        assert trained.best_choices(torch.from_numpy(observations)).tolist() == first.tolist()


def test_the_network_of_a_learner_chooses_as_the_learner_predicts_signal_by_signal():
    """Also where it decides for all signals of a town at once, some of which lack the last choice."""
    env = TrafficSignalEnv("town", horizon_s=600)
    model = PPO(SignalPolicy, env, n_steps=8, batch_size=8, seed=0, device="cpu")
    network, space = network_of(model), env.observation_space
    seen, _ = env.reset(seed=0)
    shown = set()
    for _ in range(20):
        action, _ = model.predict(seen, deterministic=True)
        expected = network.best_choices(seen.reshape(space.signals, -1), space.blocks)
        assert np.array_equal(action, expected)
        shown.add(tuple(action))
        seen, *_ = env.step(action)
    assert len(shown) > 1


def test_masks_of_a_learner_forbid_the_best(random_network):
    network = random_network(0, movement_columns=5, signal_columns=2)
    trained = SignalNetwork(BLOCKS, width=network.width)
    trained.load_state_dict({name: torch.from_numpy(array) for name, array in network.arrays.items()}, strict=False)
    seen = torch.from_numpy(alike_observations(1))
    best = trained.best_choices(seen)
    masks = torch.ones(len(seen), 4, dtype=torch.bool)
    masks[torch.arange(len(seen)), best] = False
    assert trained.best_choices(seen, masks).tolist() == (best + 2).tolist()  # the other that is as good
