"""What share of a speed limit each driver takes, as SUMO's drivers differ in it.

It goes with the trip and with nothing else: who drives a trip is the same person in every run, alone or among others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from intergreen.envs.arrays import FloatArray, IntArray
    from intergreen.envs.demand import VehicleType

LIMITS = (0.2, 2.0)  # where SUMO cuts its factors


def draw_paces(types: Sequence[VehicleType], kind: IntArray) -> FloatArray:
    """(N,) of N trips of the types `kind`; 1 where a type's drivers keep to the limit."""
    if all(one.speed_factor == 1.0 and one.speed_deviation == 0.0 for one in types):
        return np.ones(len(kind))
    mean = np.array([one.speed_factor for one in types])[kind]
    deviation = np.array([one.speed_deviation for one in types])[kind]
    drawn = np.random.default_rng(0).standard_normal(len(kind))
    paces: FloatArray = np.clip(mean + deviation * drawn, *LIMITS)
    return paces
