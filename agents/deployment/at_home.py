"""Where a policy is at home: the ranges that training saw, and what of a network and its timing lies beyond them.

What changes with traffic is looked at in every decision. What never changes, lanes and timing, is looked at once: a
policy may well do its work beyond, and whoever binds it to such a network is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from intergreen.agents.controllers.run_folder import observation_columns
from intergreen.agents.deployment.columns import COLUMNS

if TYPE_CHECKING:
    from intergreen.agents.deployment.bundle import Bundle
    from intergreen.envs.arrays import Float32Array, FloatArray
    from intergreen.envs.observation import Blocks

STANDING = ("exists", "right", "left", "straight", "lanes", "interval", "clearance")  # of network and timing


def trusted_range(bundle: Bundle, blocks: Blocks, margin: float) -> tuple[Float32Array, Float32Array]:
    """(size,) lowest and highest of every value that the policy is trusted with: a share of the range beyond it."""
    movement, signal = observation_columns(bundle.features)
    lowest, highest = np.full(blocks.size, -np.inf), np.full(blocks.size, np.inf)
    low, high = _with_margin(bundle.envelope.movement, movement, margin)
    lowest[: blocks.choices_at], highest[: blocks.choices_at] = np.tile([low, high], blocks.movements)
    part = slice(blocks.signal_at, blocks.serves_at)
    lowest[part], highest[part] = _with_margin(bundle.envelope.signal, signal, margin)
    return lowest.astype(np.float32), highest.astype(np.float32)


def unlike_training(bundle: Bundle, observation: Float32Array, blocks: Blocks) -> list[str]:
    """What stands and lies beyond training, in words; observation (..., size) of any moment."""
    movement, signal = observation_columns(bundle.features)
    b, flat = blocks, observation.reshape(-1, blocks.size)
    movements = flat[:, : b.choices_at].reshape(-1, b.movement_columns)
    return [
        *_beyond(movements[movements[:, 0] > 0.0], movement, bundle.envelope.movement),
        *_beyond(flat[:, b.signal_at : b.serves_at], signal, bundle.envelope.signal),
    ]


def _with_margin(seen: FloatArray, columns: list[str], margin: float) -> FloatArray:
    """(2, columns), without an end for what stands."""
    slack = margin * (seen[1] - seen[0]) + 1e-6
    stands = np.isin(columns, STANDING)
    return np.stack([np.where(stands, -np.inf, seen[0] - slack), np.where(stands, np.inf, seen[1] + slack)])


def _beyond(values: Float32Array, columns: list[str], seen: FloatArray) -> list[str]:
    found = []
    for k, column in enumerate(columns):
        low, high = float(values[:, k].min(initial=np.inf)), float(values[:, k].max(initial=-np.inf))
        if column in STANDING and (low < seen[0, k] - 1e-4 or high > seen[1, k] + 1e-4):
            unit = COLUMNS[column].unit
            found.append(f"{column} {low:.2g} to {high:.2g} [{unit}], in training {seen[0, k]:.2g} to {seen[1, k]:.2g}")
    return found
