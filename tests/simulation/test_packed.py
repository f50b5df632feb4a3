"""Arguments handed over as one pointer: inside the kernel they are the caller's own arrays and numbers."""

from __future__ import annotations

import gc
import weakref
from typing import NamedTuple

import numpy as np
import pytest
from numba import int64, typeof
from numba.core.errors import TypingError

from intergreen.envs.simulation.compile import kernel
from intergreen.envs.simulation.packed import Packed, PackedType, opened


class Table(NamedTuple):
    weights: np.ndarray  # (3,)
    rows: np.ndarray  # (2, 3)
    n: int
    scale: float
    extra: np.ndarray | None


class SameNames(NamedTuple):
    rows: np.ndarray
    weights: np.ndarray


def run(compiled, arguments, *numbers):
    code = compiled.compile((PackedType(typeof(arguments)), *[int64] * len(numbers)))
    packed = Packed(arguments)
    code(packed, *numbers)
    return packed


@kernel
def _tell(packed, b):
    out, table = opened(packed)
    row = table.rows[b]
    for k in range(3):
        out[k] = table.scale * table.weights[k] * row[k] + table.n
    out[3] = row.shape[0]


@kernel
def _write(packed, b):
    counts, flags = opened(packed)
    counts[b, 1] += 5
    flags[b] = True


@kernel
def _write_weights(packed):
    (table,) = opened(packed)
    table.weights[0] = 1.0


@kernel
def _sum(packed):
    out, values = opened(packed)
    out[0] = 0.0
    for k in range(values.shape[0]):
        out[0] += values[k]


WEIGHTS, ROWS = np.array([0.5, 2.0, -4.0]), np.arange(6, dtype=np.int32).reshape(2, 3)
TABLE = Table(WEIGHTS, ROWS, -7, 0.25, None)


@pytest.mark.parametrize("b", [0, 1])
def test_kernel_reads_what_the_caller_sees(b):
    out = np.zeros(4)
    run(_tell, (out, TABLE), b)
    assert out.tolist() == [*(0.25 * WEIGHTS * ROWS[b] - 7), 3.0]


def test_kernel_writes_to_the_callers_arrays_and_nowhere_else():
    counts, flags = np.zeros((3, 4), np.int32), np.zeros(3, np.bool_)
    run(_write, (counts, flags), 2)
    assert np.argwhere(counts == 5).tolist() == [[2, 1]]
    assert counts.sum() == 5
    assert flags.tolist() == [False, False, True]


def test_what_is_written_to_an_array_after_packing_is_read():
    out, values = np.zeros(1), np.ones(3)
    packed = run(_sum, (out, values))
    values[1] = 10.0
    code = _sum.compile((PackedType(typeof((out, values))),))
    code(packed)
    assert out[0] == 12.0


@pytest.mark.parametrize(
    "values",
    [
        np.arange(10.0)[::3],
        np.arange(10.0)[::-2],
        np.arange(12.0).reshape(3, 4)[:, 1],
        np.arange(4, dtype=np.float32),
        np.arange(-3, 3, dtype=np.int8),
        np.zeros(0),
        np.broadcast_to(1.5, 4),
    ],
    ids=["every third", "backwards", "column", "float32", "int8", "empty", "one for all"],
)
def test_any_array_that_numba_takes_may_be_packed(values):
    out = np.zeros(1)
    run(_sum, (out, values))
    assert out[0] == values.sum()


def test_kernel_that_writes_to_a_read_only_array_does_not_compile():
    weights = WEIGHTS.copy()
    weights.setflags(write=False)
    with pytest.raises(TypingError, match="readonly"):
        run(_write_weights, (TABLE._replace(weights=weights),))


def test_packed_arrays_live_as_long_as_somebody_has_their_addresses():
    values = np.ones(3)
    packed, gone = Packed((np.zeros(1), values)), weakref.ref(values)
    del values
    gc.collect()
    assert gone() is not None
    del packed
    gc.collect()
    assert gone() is None


def test_types_are_told_apart_by_all_that_machine_code_depends_on():
    others = [
        (ROWS, WEIGHTS),
        SameNames(ROWS, WEIGHTS),
        (ROWS, WEIGHTS[::2]),
        (ROWS, WEIGHTS.astype(np.float32)),
        (ROWS, np.broadcast_to(1.0, 3)),
        (ROWS, None),
    ]
    assert len({PackedType(typeof(one)) for one in others}) == len(others)
    assert PackedType(typeof((ROWS, WEIGHTS))) == PackedType(typeof((ROWS.copy(), WEIGHTS + 1)))


@pytest.mark.parametrize("wrong", ["text", [1, 2], {}, 1j])
def test_nothing_else_is_packed(wrong):
    with pytest.raises(TypeError, match=type(wrong).__name__):
        Packed((WEIGHTS, (wrong,)))
