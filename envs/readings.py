"""Readings: what detectors tell of every lane, and how old that is. What controllers see where detectors may fail.

A count from a simulator is a whole number of this second. A reading from a street may be missing, late, or nonsense: so
these are floats, NaN is possible, and each lane has an age. Whoever decides by readings has to judge them first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from intergreen.envs.arrays import FloatArray, IntArray
    from intergreen.envs.simulation import Counts


class Readings(NamedTuple):
    """Of B replicas × L lanes, float64; the same names as the simulator's counts."""

    vehicles: FloatArray  # (B, L)
    waiting: FloatArray  # (B, L) slower than 0.1 m/s
    near: FloatArray  # (B, L) moving, within reach of the stop line until the next decision
    arriving: FloatArray  # (B, L, bins) moving, by distance from the stop line
    mean_speed: FloatArray  # (B, L) m/s, 0 on an empty lane
    age_s: IntArray  # (B, L) seconds since the lane was read


def readings_of(counts: Counts) -> Readings:
    """The counts of this second, as detectors without fault read them."""
    return Readings(
        vehicles=counts.vehicles.astype(np.float64),
        waiting=counts.waiting.astype(np.float64),
        near=counts.near.astype(np.float64),
        arriving=counts.arriving.astype(np.float64),
        mean_speed=counts.mean_speed.astype(np.float64),
        age_s=np.zeros(counts.vehicles.shape, np.int32),
    )
