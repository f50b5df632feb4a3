"""Calls of kernels that look at their arguments once and not each time.

Numba works out the types of all arguments in every call, and takes each of their arrays apart. For the two hundred
arrays of a network and its signals either takes as long as a second's simulation. Here the types are looked at once,
and the arrays are handed over as they were packed then.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import is_
from typing import Any, NamedTuple

import numpy as np
from numba import int64, typeof

from intergreen.envs.simulation.compile_notice import compile_notice
from intergreen.envs.simulation.packed import Packed, PackedType
from intergreen.envs.simulation.turns import new_turns


class Call(NamedTuple):
    """A kernel's machine code and what it takes before its whole numbers."""

    code: Callable[..., None]
    packed: Packed


class KernelCalls:
    """Kernels with the arguments that they were last called with.

    The same objects have the same types and stay where they are: a named tuple cannot change, nor does an array become
    one of another kind. Other objects, as after a reset, are packed anew and compared by what decides their types; only
    a new kind is Numba's to look at. Before its arguments every kernel is handed `turns`.
    """

    def __init__(self, n_replicas: int) -> None:
        self.turns = new_turns(n_replicas)
        self._n_replicas = n_replicas
        self._last: dict[Callable[..., None], tuple[tuple[Any, ...], Call]] = {}
        self._code: dict[tuple[Any, ...], Callable[..., None]] = {}

    def __reduce__(self) -> tuple[type[KernelCalls], tuple[int]]:
        return KernelCalls, (self._n_replicas,)  # machine code and addresses belong to their process: a copy looks anew

    def call(self, kernel: Any, arguments: tuple[Any, ...], n_numbers: int) -> Call:
        """What runs `kernel(packed, *numbers)` for turns and these arguments, arrays and named tuples of them, and so
        many whole numbers."""
        if kernel in self._last:
            known, call = self._last[kernel]
            if arguments is known or (len(arguments) == len(known) and all(map(is_, arguments, known))):
                return call
        key = (kernel, n_numbers, *map(_kind, arguments))
        if key not in self._code:
            with compile_notice():
                self._code[key] = kernel.compile((PackedType(typeof((self.turns, *arguments))), *[int64] * n_numbers))
        call = Call(self._code[key], Packed((self.turns, *arguments)))
        self._last[kernel] = arguments, call
        return call


def _kind(value: Any) -> Any:
    """Equal for values that have one Numba type."""
    if isinstance(value, np.ndarray):
        return value.dtype, value.ndim, value.flags.num
    if isinstance(value, tuple):
        return (type(value), *map(_kind, value))
    return type(value)
