"""Policies written by hand, and observations out of the air, for whoever learns from observations alone."""

import numpy as np
import torch

from intergreen.agents.controllers.policy_network import PolicyNetwork, actor_shapes
from intergreen.agents.controllers.run_folder import observation_columns
from intergreen.agents.learning.passes import prepare_inputs, room_for_inputs
from intergreen.envs.observation import DEFAULT_FEATURES, Blocks

BLOCKS = Blocks(movements=6, movement_columns=5, choices=4, signal_columns=2)


def policy_of(*, queue, current):
    """Scores each choice by the queues that it serves, and by whether it is green now."""
    movement, signal = observation_columns(DEFAULT_FEATURES)
    arrays = {name: np.zeros(size, np.float32) for name, size in actor_shapes(8, len(movement), len(signal)).items()}
    arrays["movement.weight"][0, movement.index("queue")] = 1.0
    arrays["served.weight"][0, 0] = queue
    arrays["choice.weight"][0, 0] = current
    arrays["own.weight"][0, 0] = arrays["score.weight"][0, 0] = 1.0
    return PolicyNetwork(arrays)


def observations(n, seed):
    """Random ones; some choices are not allowed."""
    random = np.random.default_rng(seed)
    movements = random.uniform(0, 1, (n, BLOCKS.movements, BLOCKS.movement_columns))
    movements[:, :, 0] = 1.0
    flags = random.integers(0, 2, (n, BLOCKS.choices, 2))
    flags[:, 0, 1] = 1
    signal = random.uniform(0, 1, (n, BLOCKS.signal_columns))
    serves = random.integers(0, 2, (n, BLOCKS.choices * BLOCKS.movements))
    parts = (movements.reshape(n, -1), flags.reshape(n, -1), signal, serves)
    return torch.from_numpy(np.concatenate(parts, axis=1).astype(np.float32))


def prepared(seen):
    inputs = room_for_inputs(len(seen), BLOCKS, seen)
    prepare_inputs(seen, BLOCKS, inputs)
    return inputs
