"""Replicas that threads take turns at: each is taken once, whoever takes it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from intergreen.envs.simulation.compile import kernel
from intergreen.envs.simulation.turns import new_turns, take_turn


@kernel
def _mark_all(turns, thread, taken_by, times):
    b = take_turn(turns)
    while b < taken_by.shape[0]:
        taken_by[b] = thread
        times[b] += 1
        b = take_turn(turns)


@pytest.mark.parametrize("threads", [1, 4])
def test_every_replica_is_taken_once(threads):
    turns, taken_by, times = new_turns(), np.full(200_000, -1, np.int32), np.zeros(200_000, np.int32)
    _mark_all(new_turns(), 0, taken_by[:0], times[:0])  # compiled before the threads begin
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(_mark_all, turns, thread, taken_by, times) for thread in range(threads)]:
            done.result()
    assert (times == 1).all()
    assert turns[0] == len(times) + threads
    assert set(np.unique(taken_by).tolist()) <= set(range(threads))
