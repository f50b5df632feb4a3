"""Replicas one after another, each to the thread that is free: some are jammed and take twice as long as others.

Who simulates which replica differs from run to run; what comes of it does not, because replicas share nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numba import types
from numba.extending import intrinsic

from intergreen.envs.simulation.compile import inlined

if TYPE_CHECKING:
    from numpy.typing import NDArray


def new_turns() -> NDArray[np.int64]:
    """(1,) the next replica that nobody has taken; set to 0 before the threads begin."""
    return np.zeros(1, np.int64)


@inlined
def take_turn(turns):
    """The next replica that nobody has taken, in place; there are no more once it is no replica's number."""
    return _fetch_and_add(turns, 1)


@intrinsic
def _fetch_and_add(_: Any, counter: Any, amount: Any) -> Any:
    """The first entry of `counter`, to which `amount` is added before any other thread reads it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        return builder.atomic_rmw("add", array.data, arguments[1], "monotonic")

    return types.int64(counter, types.int64), generate
