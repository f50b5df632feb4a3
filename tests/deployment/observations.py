"""Observations as no traffic makes them, but as the layout allows them."""

import numpy as np


def random_observations(random, blocks, n_signals):
    """Signals with different numbers of movements and choices; the places that they lack are 0."""
    b = blocks
    movements = random.random((n_signals, b.movements, b.movement_columns)) * random.choice([1.0, 10.0])
    exists = np.arange(b.movements) < random.integers(0, b.movements + 1, n_signals)[:, None]
    movements[:, :, 0] = 1.0
    movements *= exists[:, :, None]
    is_choice = np.arange(b.choices) < random.integers(0, b.choices + 1, n_signals)[:, None]
    flags = random.integers(0, 2, (n_signals, b.choices, 2)) * is_choice[:, :, None]
    serves = random.integers(0, 2, (n_signals, b.choices, b.movements)) * exists[:, None] * is_choice[:, :, None]
    signal = random.random((n_signals, b.signal_columns)) * 10.0
    parts = (movements, flags, signal, serves)
    return np.concatenate([part.reshape(n_signals, -1) for part in parts], axis=1).astype(np.float32)
