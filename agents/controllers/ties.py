"""Which score is the highest, where 32 bits do not tell.

A signal with alike queues on two sides scores two phases alike. The last digits of such scores depend on the order in
which sums are taken, which no two libraries share: PyTorch, NumPy and ONNX Runtime would each let another side go, and
from there on simulate another hour. So scores that are close are taken again in 64 bits, by the same lines of NumPy
everywhere; there what is equal is apart by 1e-13, what is not by far more, and the first of equals wins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from intergreen.envs.arrays import Float32Array, FloatArray, IntArray

FORBIDDEN = np.float32(-1e9)  # score of a choice that is not allowed
NO_CHOICE = np.float32(-1e8)  # a score below it belongs to a choice that is not allowed
CLOSE = 3e-4  # as a share of the highest score, or of 1: 32 bits err by a third of it at most
EQUAL = 1e-9  # the same in 64 bits


def best_choices(scores: Float32Array, exactly: Callable[[NDArray[np.intp]], FloatArray]) -> IntArray:
    """(n,) the choice with the highest score, the first of equals.

    scores   (n, C), `FORBIDDEN` where a choice is not allowed
    exactly  scores (k, C) in 64 bits of some of the n signals
    """
    best: IntArray = scores.argmax(axis=1).astype(np.int32)
    close = np.flatnonzero(_highest(scores, CLOSE).sum(axis=1) > 1)
    if len(close):
        exact = np.where(scores[close] < NO_CHOICE, np.float64(FORBIDDEN), exactly(close))
        best[close] = _highest(exact, EQUAL).argmax(axis=1)
    return best


def _highest(scores: Float32Array | FloatArray, share: float) -> NDArray[np.bool_]:
    """Which are less than a share of the row's highest below it."""
    highest = scores.max(axis=1, keepdims=True)
    return scores >= highest - share * np.maximum(1.0, np.abs(highest))
