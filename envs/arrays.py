"""Array types for signatures (shapes and units stand in the docstrings), and records whose arrays are read-only."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.float64]
Float32Array: TypeAlias = NDArray[np.float32]
IntArray: TypeAlias = NDArray[np.int32]
BoolArray: TypeAlias = NDArray[np.bool_]
ByteArray: TypeAlias = NDArray[np.uint8]

_CACHE_LINE = 64  # bytes
FROM_START = (
    0x7FFFFFFF  # `n & FROM_START` is n, where n is an index: compiled code need not ask if it counts from the end
)


def ranges(first: IntArray, sizes: IntArray) -> IntArray:
    """first[0], first[0] + 1, ... (sizes[0] of them), first[1], ...; int32."""
    ends = np.cumsum(sizes)
    total = int(ends[-1]) if len(ends) else 0
    return (np.arange(total) + np.repeat(first - (ends - sizes), sizes)).astype(np.int32)


class ReadOnlyRecord:
    """Base of frozen dataclasses that hold arrays: they are read-only, in an unpickled copy too."""

    __slots__ = ()

    def __post_init__(self) -> None:
        for value in self._values():
            for array in value if isinstance(value, tuple) else (value,):
                if isinstance(array, np.ndarray):
                    array.setflags(write=False)

    def __reduce__(self) -> tuple[Any, ...]:  # through the constructor, so that a copy's arrays are read-only again
        return type(self), self._values()

    def _values(self) -> tuple[Any, ...]:
        return tuple(getattr(self, field.name) for field in fields(self))  # type: ignore[arg-type]


def copy_rows(into: Sequence[Any], start: Sequence[Any], rows: IntArray) -> None:
    """Overwrite row b of every array in `into` with row `rows[b]` of its counterpart in `start`."""
    for target, source in zip(into, start, strict=True):
        np.take(source, rows, axis=0, out=target, mode="clip")  # mode "raise" would go by way of a buffer


def together(*records: Any) -> tuple[Any, ...]:
    """The named tuples, or None, with their arrays copied into one piece of memory, each at the start of a line of the
    cache: scattered over as many pages as there are of them, small ones that a kernel reads are late by more than what
    it does with them takes."""
    arrays = [value for record in records for value in record or () if isinstance(value, np.ndarray)]
    starts = np.cumsum([0] + [-(-array.nbytes // _CACHE_LINE) * _CACHE_LINE for array in arrays]).tolist()
    memory = np.empty(starts[-1] + _CACHE_LINE, np.uint8)
    memory = memory[-memory.ctypes.data % _CACHE_LINE :]
    copies = []
    for array, first in zip(arrays, starts[:-1], strict=True):
        copy = memory[first : first + array.nbytes].view(array.dtype).reshape(array.shape)
        copy[...] = array
        copy.setflags(write=array.flags.writeable)
        copies.append(copy)
    each = iter(copies)
    return tuple(
        record and record._make(next(each) if isinstance(value, np.ndarray) else value for value in record)
        for record in records
    )


def memory_of(array: Any) -> Any:
    """The array's own memory: plain Python reads and writes it four times as fast as entries of an array."""
    return memoryview(array)
