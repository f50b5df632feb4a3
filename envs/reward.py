"""Rewards by name: from lane counts to one number per signal and decision. Pure functions on arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from intergreen.envs.errors import InputError, shown
from intergreen.envs.observation import ObservationLayout, on_lanes

if TYPE_CHECKING:
    from intergreen.envs.arrays import Float32Array, IntArray

REWARD_SCALE_VEH = 40.0  # per lane, as in the observation: rewards stay between 0 and about -1 on any network

Reward = Callable[["IntArray", ObservationLayout], "Float32Array"]


def queue_reward(waiting: IntArray, layout: ObservationLayout) -> Float32Array:
    """Minus the mean queue of a signal's incoming lanes at the end of the period, in units of 40 vehicles: (B, I).

    waiting  (B, L) vehicles slower than 0.1 m/s
    """
    lanes = np.count_nonzero(layout.approach_lanes >= 0, axis=1)  # (I,)
    queue_veh = on_lanes(waiting, layout.approach_lanes)  # (B, I)
    return np.asarray(-queue_veh / (REWARD_SCALE_VEH * lanes), dtype=np.float32)


REWARDS: dict[str, Reward] = {"queue": queue_reward}


def reward_by_name(name: str) -> Reward:
    """The reward of that name; InputError lists the known ones."""
    if name not in REWARDS:
        raise InputError("reward", "name", f"no reward is called {shown(name)}", f"use one of {', '.join(REWARDS)}")
    return REWARDS[name]
