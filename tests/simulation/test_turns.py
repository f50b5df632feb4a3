"""Replicas that threads take turns at: each is taken once, whoever takes it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from intergreen.envs.simulation.compile import kernel
from intergreen.envs.simulation.turns import new_turns, take_turn


@kernel
def _mark_all(turns, thread, taken_by, times):
    b = take_turn(turns, taken_by.shape[0])
    while b < taken_by.shape[0]:
        taken_by[b] = thread
        times[b] += 1
        b = take_turn(turns, taken_by.shape[0])


@pytest.mark.parametrize("threads", [1, 4])
def test_every_replica_is_taken_once(threads):
    n = 200_000
    turns, taken_by, times = new_turns(n), np.full(n, -1, np.int32), np.zeros(n, np.int32)
    _mark_all(new_turns(1), 0, taken_by[:1], times[:1].copy())  # compiled before the threads begin
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(_mark_all, turns, thread, taken_by, times) for thread in range(threads)]:
            done.result()
    assert (times == 1).all()
    assert turns[0] == len(times) + threads
    assert set(np.unique(taken_by).tolist()) <= set(range(threads))


@kernel
def _take_all(turns, order):
    for k in range(order.shape[0]):
        order[k] = take_turn(turns, order.shape[0])


@pytest.mark.parametrize("n", [1, 2, 3, 6, 7, 8, 15, 16, 24, 30, 48, 60, 64, 97, 128, 420])
def test_replicas_of_turns_that_come_together_are_no_neighbours(n):
    order = np.empty(n, np.int64)
    _take_all(new_turns(n), order)
    assert sorted(order.tolist()) == list(range(n))
    if n >= 5 and n != 6:  # of 6, every step that passes all of them leads to a neighbour
        assert np.abs(np.diff(order)).min() > 1
