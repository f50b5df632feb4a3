"""Rows compared many entries at a time: as entry by entry, and compiled as not."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from signals.test_monitor import compiled_rows, compiled_watch

from intergreen.envs.arrays import together
from intergreen.envs.signals import bits
from intergreen.envs.signals.aspects import GREEN, RED, YELLOW
from intergreen.envs.signals.monitor import MonitorState, make_memory, replica_rows, watch
from intergreen.envs.signals.monitor_card import Channels, make_card
from intergreen.envs.simulation.compile import kernel

compiled_alike, compiled_lit, compiled_lowest = (
    kernel(function)
    for function in (
        lambda one, other, first: bits.alike(one, other, first),
        lambda row, lamp, first: bits.lit(row, lamp, first),
        lambda some: bits.lowest(some),
    )
)


@kernel
def watch_one(lamps, calls, card, memory):
    return compiled_watch(lamps, calls, card, compiled_rows(memory, 0))


seeds = st.integers(0, 2**32 - 1)


@given(seed=seeds, n=st.integers(bits.WIDTH, 3 * bits.WIDTH))
def test_compiled_bits_are_those_of_each_entry(seed, n):
    random = np.random.default_rng(seed)
    one, other = random.integers(0, 8, (2, n)).astype(np.uint8)
    other = np.where(random.random(n) < 0.5, one, other)
    first, lamp = int(random.integers(0, n - bits.WIDTH + 1)), int(random.integers(1, 8))
    mine = slice(first, first + bits.WIDTH)
    for told, expected in (
        (bits.alike(one, other, first), one[mine] == other[mine]),
        (bits.lit(one, lamp, first), one[mine] & lamp != 0),
    ):
        assert [told >> k & 1 for k in range(bits.WIDTH)] == expected.astype(int).tolist()
        assert told <= bits.ALL
    assert compiled_alike(one, other, first) == bits.alike(one, other, first)
    assert compiled_lit(one, lamp, first) == bits.lit(one, lamp, first)


@given(some=st.integers(1, bits.ALL))
def test_lowest_bit(some):
    lowest = bits.lowest(some)
    assert some >> lowest & 1 == 1
    assert some % (1 << lowest) == 0
    assert compiled_lowest(some) == lowest


def wide_card(random, sizes):
    """Signals of so many channels in consecutive columns."""
    signals, first = [], 0
    for n in sizes:
        may = random.random((n, n)) < 0.8
        signals.append(
            Channels(
                columns=np.arange(first, first + n),
                permissive=may & may.T | np.eye(n, dtype=np.bool_),
                intergreen_s=random.integers(0, 5, (n, n)).astype(float),
                yellow_s=2.0,
                min_green_s=2.0,
                red_revert_s=1.0,
                longest_wait_s=9.0,
                longest_yellow_s=4.0,
            )
        )
        first += n
    return make_card(signals)


@given(seed=seeds, sizes=st.lists(st.integers(1, 50), min_size=1, max_size=4), changing=st.sampled_from([0.01, 0.1]))
def test_rows_of_any_width_are_watched_as_channel_by_channel(seed, sizes, changing):
    random = np.random.default_rng(seed)
    card = wide_card(random, sizes)
    scattered = card._replace(first_column=np.full(len(sizes), -1, np.int32), row_past=np.arange(1, len(sizes) + 1))
    n = sum(sizes)
    lamps, calls = np.full(n, RED, np.uint8), np.zeros(n, np.uint8)
    states = [replica_rows(make_memory(one), 0) for one in (card, scattered)]
    fast = make_memory(card)
    total = 0
    for _ in range(30):
        turns = random.random(n) < changing
        lamps = np.where(turns, random.choice([RED, YELLOW, GREEN, RED + YELLOW, 0], n), lamps).astype(np.uint8)
        calls ^= (random.random(n) < changing).astype(np.uint8)
        found = [watch(lamps, calls, one, state) for one, state in zip((card, scattered), states, strict=True)]
        assert found[0] == found[1] == watch_one(lamps, calls, card, fast)
        total += found[0]
        for name, wide, narrow, compiled in zip(MonitorState._fields, *states, replica_rows(fast, 0), strict=True):
            if name != "changed":  # scratch
                assert wide.tolist() == narrow.tolist() == compiled.tolist(), name
    assert total > 0 or n * changing < 1


def test_arrays_put_together_are_as_they_were():
    card = make_card([Channels([0, 1], np.eye(2, dtype=np.bool_), np.zeros((2, 2)), [1.0, 2.0])])
    memory = make_memory(card)
    card.yellow.setflags(write=False)
    mine, nothing, its = together(card, None, memory)
    assert nothing is None
    assert (type(mine), type(its)) == (type(card), type(memory))
    for copies, originals in ((mine, card), (its, memory)):
        for copy, original in zip(copies, originals, strict=True):
            assert type(copy) is type(original)
            assert np.array_equal(copy, original)
            if isinstance(original, np.ndarray):
                assert copy.dtype == original.dtype
                assert copy.ctypes.data % 64 == 0
                assert copy.flags.c_contiguous
                assert copy.flags.writeable == original.flags.writeable
                assert not np.shares_memory(copy, original)
