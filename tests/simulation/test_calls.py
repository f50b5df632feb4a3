"""Calls of kernels whose arguments' types are looked at once: the code is always that of the arguments given."""

from __future__ import annotations

import pickle
from typing import NamedTuple

import numpy as np
import pytest

from intergreen.envs.simulation import calls
from intergreen.envs.simulation.calls import KernelCalls
from intergreen.envs.simulation.compile import inlined, kernel
from intergreen.envs.simulation.packed import opened


class Pair(NamedTuple):
    values: np.ndarray
    weights: np.ndarray


class OtherPair(NamedTuple):
    weights: np.ndarray
    values: np.ndarray


@kernel
def _add_values(packed, times):
    _add(*opened(packed), times)


@inlined
def _add(turns, pair, extra, out, times):
    turns[0] += 1
    for k in range(pair.values.shape[0]):
        out[0] += times * pair.values[k]
    if extra is not None:
        out[0] += extra[0]


VALUES, WEIGHTS = np.array([1.5, 2.0, 4.0]), np.zeros(3)
PAIR = Pair(VALUES, WEIGHTS)


@pytest.fixture
def kernel_calls():
    return KernelCalls(1)


def total(kernel_calls, pair, extra=None, times=1):
    """What the kernel adds up."""
    code, packed = kernel_calls.call(_add_values, (pair, extra, out := np.zeros(1)), 1)
    code(packed, times)
    return out[0]


@pytest.mark.parametrize(
    "other",
    [
        Pair(VALUES.astype(np.float32), WEIGHTS),
        Pair((2 * VALUES).astype(np.int64), WEIGHTS),
        Pair(np.repeat(VALUES, 2)[::2], WEIGHTS),
        Pair(np.broadcast_to(1.5, 3), WEIGHTS),
        OtherPair(VALUES, 2 * VALUES),
    ],
    ids=["float32", "int64", "strided", "read-only", "other tuple"],
)
def test_arguments_of_another_kind_get_their_own_code(kernel_calls, other):
    assert total(kernel_calls, PAIR) == 7.5
    assert total(kernel_calls, other) == np.sum(other.values)
    assert total(kernel_calls, PAIR) == 7.5


def test_argument_that_may_be_missing_has_code_for_both(kernel_calls):
    extra = np.array([1000.0])
    assert [total(kernel_calls, PAIR, one) for one in (None, extra, None)] == [7.5, 1007.5, 7.5]


def test_numbers_may_change_from_call_to_call(kernel_calls):
    assert [total(kernel_calls, PAIR, times=times) for times in (1, 2**40, np.int32(-2))] == [7.5, 7.5 * 2**40, -15.0]


def test_objects_of_a_known_kind_need_no_look_at_their_types(kernel_calls, monkeypatch):
    total(kernel_calls, PAIR)
    monkeypatch.setattr(calls, "typeof", None)
    assert total(kernel_calls, Pair(2 * VALUES, WEIGHTS)) == 15.0
    with pytest.raises(TypeError):
        total(kernel_calls, Pair(VALUES.astype(np.int16), WEIGHTS))


def test_objects_of_the_last_call_are_not_looked_at_at_all(kernel_calls, monkeypatch):
    arguments = PAIR, None, np.zeros(1)
    call = kernel_calls.call(_add_values, arguments, 1)
    monkeypatch.setattr(calls, "_kind", None)
    assert kernel_calls.call(_add_values, arguments, 1) is call
    assert kernel_calls.call(_add_values, (PAIR, None, arguments[2]), 1) is call
    for others in ((PAIR, None, np.zeros(1)), (Pair(*PAIR), None, arguments[2]), arguments[:2]):
        with pytest.raises(TypeError):
            kernel_calls.call(_add_values, others, 1)


def test_arrays_that_take_the_place_of_others_are_the_ones_used(kernel_calls):
    first, second = np.zeros(1), np.zeros(1)
    for out, times in ((first, 1), (second, 2), (first, 4)):
        code, packed = kernel_calls.call(_add_values, (PAIR, None, out), 1)
        code(packed, times)
    assert [first[0], second[0]] == [5 * 7.5, 2 * 7.5]


def test_every_kernel_is_handed_the_turns_first(kernel_calls):
    for n_calls in (1, 2, 3):
        total(kernel_calls, PAIR)
        assert kernel_calls.turns[0] == n_calls


def test_copy_by_pickling_knows_no_machine_code():
    calls = KernelCalls(1)
    calls._last[test_copy_by_pickling_knows_no_machine_code] = ((), test_copy_by_pickling_knows_no_machine_code)
    copy = pickle.loads(pickle.dumps(calls))
    assert copy._last == {}
    assert copy._code == {}
