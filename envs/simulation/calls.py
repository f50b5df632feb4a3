"""Calls of kernels that do not look at their arguments' types each time.

Numba works out the types of all arguments in every call. For the hundred arrays of a network that takes ten times as
long as handing them over, and on a small network as long as a second's simulation. Here they are looked at once.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import is_
from typing import Any

import numpy as np
from numba import int64, typeof


class KernelCalls:
    """The machine code of kernels for the arguments that they were last called with.

    The same objects have the same types: a named tuple cannot change, nor does an array become one of another kind.
    Other objects, as after a reset, are compared by what decides their types; only a new kind is Numba's to look at.
    """

    def __init__(self) -> None:
        self._last: dict[Callable[..., None], tuple[tuple[Any, ...], Callable[..., None]]] = {}
        self._code: dict[tuple[Any, ...], Callable[..., None]] = {}

    def __reduce__(self) -> tuple[type[KernelCalls], tuple[()]]:
        return KernelCalls, ()  # machine code belongs to its process: a copy looks anew

    def code(self, kernel: Any, arguments: tuple[Any, ...], n_numbers: int) -> Callable[..., None]:
        """What runs `kernel` for these arguments, arrays and named tuples of them, and so many whole numbers."""
        if kernel in self._last:
            known, code = self._last[kernel]
            if all(map(is_, arguments, known)):
                return code
        key = (kernel, n_numbers, *map(_kind, arguments))
        if key not in self._code:
            self._code[key] = kernel.compile((*map(typeof, arguments), *[int64] * n_numbers))
        self._last[kernel] = arguments, self._code[key]
        return self._code[key]


def _kind(value: Any) -> Any:
    """Equal for values that have one Numba type."""
    if isinstance(value, np.ndarray):
        return value.dtype, value.ndim, value.flags.num
    if isinstance(value, tuple):
        return (type(value), *map(_kind, value))
    return type(value)
