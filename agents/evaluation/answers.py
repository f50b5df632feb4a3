"""Whether a controller's answer is a phase for every signal: asked before anybody looks at it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from intergreen.agents.controllers.base import CLEARANCE
from intergreen.envs.core import checked_wishes
from intergreen.envs.errors import AnswerError

if TYPE_CHECKING:
    from intergreen.envs.arrays import IntArray
    from intergreen.envs.signals.plan import SignalPlan


def checked_answer(answer: object, shape: tuple[int, ...], name: str, time_s: int) -> IntArray:
    """The wanted phases, `shape` (B, I) int32, of what the controller `name` decided; a number may still be no phase.

    Raises
    ------
    AnswerError
        If it is something else than a number for every signal of every replica.
    """
    if answer is None:  # a forgotten return; to a core, None stands for a decision that is still in force
        raise AnswerError(f"{name} decided nothing at {time_s} s: its decide returned None")
    wanted = _numbers(answer, shape, f"{name} decided", f"at {time_s} s")
    return checked_wishes(wanted, (shape[0], shape[1]))


def checked_beginning(answer: object, shape: tuple[int, ...], plan: SignalPlan, name: str) -> IntArray:
    """The phases to begin with, `shape` (B, I) int32, of what the controller `name` returned from `start`.

    Raises
    ------
    AnswerError
        If it is something else than the number of a phase, or -1 for a clearance, for every signal of every replica.
    """
    if answer is None:
        raise AnswerError(f"{name} begins with nothing: its start returned None")
    begun = _numbers(answer, shape, f"{name} begins with", "in its start")
    is_phase = (begun == np.floor(begun)) & (begun >= CLEARANCE) & (begun < plan.n_phases)
    if not is_phase.all():
        _, signal = (int(at[0]) for at in np.nonzero(~is_phase))
        there = f"signal {signal} has 0 to {plan.n_phases[signal] - 1}, and {CLEARANCE} is a clearance"
        raise AnswerError(f"{name} begins with phase {begun[~is_phase][0]:g}, which is none; {there}")
    return begun.astype(np.int32)


def _numbers(answer: object, shape: tuple[int, ...], does: str, when: str) -> np.ndarray:
    try:
        found = np.asarray(answer)
    except ValueError:  # rows of different lengths
        raise AnswerError(f"{does} {type(answer).__name__} of no shape {when}, not {shape}") from None
    if found.dtype.kind not in "biuf" or found.shape != shape:
        what = f"{found.shape} of {found.dtype}" if found.shape else f"{answer!r}"
        raise AnswerError(f"{does} {what} {when}; need numbers of phases, {shape} replicas and signals")
    return found


def checked_period(answer: object, name: str, time_s: int) -> int:
    """The seconds for which the decision of `time_s` stands, as the controller `name` says.

    Raises
    ------
    AnswerError
        If they are no whole number of at least 1: the run would never end.
    """
    if not isinstance(answer, int | np.integer) or isinstance(answer, bool) or answer < 1:
        problem = f"{name} said {answer!r} in seconds_until_change at {time_s} s"
        raise AnswerError(f"{problem}; need whole seconds, 1 or more")
    return int(answer)
