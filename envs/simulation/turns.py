"""Replicas one after another, each to the thread that is free: some are jammed and take twice as long as others.

Who simulates which replica differs from run to run; what comes of it does not, because replicas share nothing but
lines of the processor's cache, where the rows of neighbours meet. Two threads that write to one line wait for each
other all the time, so those whose turns come together are taken far apart.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import types
from numba.extending import intrinsic

from intergreen.envs.simulation.compile import inlined

if TYPE_CHECKING:
    from numpy.typing import NDArray


GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0  # of a circle: a step that leaves those of few turns far apart


def new_turns(n_replicas: int) -> NDArray[np.int64]:
    """(2,) turns taken so far, which are set to 0 before the threads begin, and from one replica to the next."""
    return np.array([0, _stride(n_replicas)], np.int64)


@inlined
def take_turn(turns, n_replicas):
    """A replica that nobody has taken, in place; `n_replicas` once there are no more."""
    turn = _fetch_and_add(turns, 1)
    return turn * turns[1] % n_replicas if turn < n_replicas else n_replicas


def _stride(n: int) -> int:
    """The number nearest to the golden section of n that passes all n before it comes back."""
    return min((k for k in range(1, n + 1) if math.gcd(k, n) == 1), key=lambda k: abs(k - n * GOLDEN))


@intrinsic
def _fetch_and_add(_: Any, counter: Any, amount: Any) -> Any:
    """The first entry of `counter`, to which `amount` is added before any other thread reads it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        return builder.atomic_rmw("add", array.data, arguments[1], "monotonic")

    return types.int64(counter, types.int64), generate
