"""Actions, one index of a choice for each signal: checked as the environments are given them, and as phases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from intergreen.envs.arrays import IntArray
    from intergreen.envs.signals import SignalPlan


def checked_choices(action: Any, n_choices: IntArray, replicas: int = 1) -> IntArray:
    """The action as (B, I) int32, for B replicas of I signals that have `n_choices` (I,).

    An axis of length 1 may be left out.

    Raises
    ------
    ValueError
        If it has another shape, holds anything but whole numbers, or an index that its signal does not have.
    """
    array = np.asarray(action)
    n_signals = len(n_choices)
    if array.dtype.kind not in "iu" or _without_ones(array.shape) != _without_ones((replicas, n_signals)):
        copies = f" in {replicas} copies" if replicas > 1 else ""
        need = f"need an action of whole numbers for {n_signals} signals{copies}"
        raise ValueError(f"{need}, got shape {array.shape} of {array.dtype}")
    choice = array.reshape(replicas, n_signals)
    is_there = (choice >= 0) & (choice < n_choices)
    if not is_there.all():
        b, i = np.argwhere(~is_there)[0]
        raise ValueError(f"signal {i} has the choices 0 to {n_choices[i] - 1}, got {choice[b, i]}")
    return choice.astype(np.int32)


def start_phase(plan: SignalPlan, replicas: int) -> IntArray:
    """(B, I) local phase that every signal shows at t = 0: its first choice."""
    return np.tile(plan.choices[:, 0], (replicas, 1))


def chosen_phases(plan: SignalPlan, choice: IntArray) -> IntArray:
    """Local phases (B, I) of the choices (B, I) >= 0; -1, which keeps the present phase, where there is none."""
    there = choice < plan.choices.shape[1]
    phases: IntArray = np.where(there, plan.choices[np.arange(plan.n_signals), np.where(there, choice, 0)], -1)
    return phases


def _without_ones(shape: tuple[int, ...]) -> list[int]:
    return [length for length in shape if length != 1]
