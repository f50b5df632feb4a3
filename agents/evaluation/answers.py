"""Whether a controller's answer is a phase for every signal: asked before anybody looks at it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from intergreen.envs.core import checked_wishes
from intergreen.envs.errors import AnswerError

if TYPE_CHECKING:
    from intergreen.envs.arrays import IntArray


def checked_answer(answer: object, shape: tuple[int, ...], name: str, time_s: int) -> IntArray:
    """The wanted phases, `shape` (B, I) int32, of what the controller `name` decided; a number may still be no phase.

    Raises
    ------
    AnswerError
        If it is something else than a number for every signal of every replica.
    """
    if answer is None:  # a forgotten return; to a core, None stands for a decision that is still in force
        raise AnswerError(f"{name} decided nothing at {time_s} s: its decide returned None")
    try:
        wanted = np.asarray(answer)
    except ValueError:  # rows of different lengths
        raise AnswerError(f"{name} decided {type(answer).__name__} of no shape at {time_s} s, not {shape}") from None
    if wanted.dtype.kind not in "biuf" or wanted.shape != shape:
        what = f"{wanted.shape} of {wanted.dtype}" if wanted.shape else f"{answer!r}"
        raise AnswerError(f"{name} decided {what} at {time_s} s; need numbers of phases, {shape} replicas and signals")
    return checked_wishes(wanted, (shape[0], shape[1]))


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
