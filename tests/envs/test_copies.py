"""Copies of a running core: they go on exactly as the original does."""

import numpy as np
import pytest
from signals.test_safety_runs import chosen, random_world

from intergreen.envs.core import TrafficCore
from intergreen.envs.demand import release_trips
from intergreen.envs.simulation import Totals


def begun(seed, *, lane_change, threads=1, seconds=150):
    world, random = random_world(seed, replicas=2), np.random.default_rng(seed)
    core = TrafficCore(
        world.network, world.plan, world.demand, replicas=2, threads=threads, lane_change=lane_change, monitored=True
    )
    trips = [release_trips(world.network, world.demand, horizon_s=300, seed=b) for b in range(2)]
    core.reset(trips, [0, 1], chosen(world, random))
    go_on(core, world, random, seconds)
    return core, world


def go_on(core, world, random, seconds):
    for _ in range(0, seconds, 10):
        core.run(np.broadcast_to(chosen(world, random)[:1], core.phase.shape), 10)


def all_there_is(core, b):
    """Every array that what comes next depends on, and everything that is told about it."""
    parts = (core.engine.trips, core.engine.state, core.engine.changes or (), core._shown, (core._calls,))
    arrays = [array[b] for part in parts for array in part]
    counts, totals = core.counts(), core.totals()
    return [*arrays, *(column[b] for column in (*counts, *totals)), core.delay_s()[b]]


@pytest.mark.parametrize("lane_change", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_copies_go_on_exactly_as_the_original(seed, lane_change):
    core, world = begun(seed, lane_change=lane_change)
    copies = core.fork(5)
    rows = np.array([1, 0, 1, 1, 0])
    for _ in range(2):  # copies are made anew over what they have become
        copies.copy_from(core, rows)
        for one, there in enumerate(rows):
            for ours, theirs in zip(all_there_is(copies, one), all_there_is(core, there), strict=True):
                np.testing.assert_array_equal(ours, theirs)
        go_on(copies, world, np.random.default_rng(99), 120)
    go_on(core, world, np.random.default_rng(99), 120)
    assert copies.time_s == core.time_s
    for one, there in enumerate(rows):
        for ours, theirs in zip(all_there_is(copies, one), all_there_is(core, there), strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_what_copies_do_does_not_touch_the_original():
    core, world = begun(3, lane_change=False)
    before = [array.copy() for array in all_there_is(core, 0)]
    copies = core.fork(3)
    copies.copy_from(core, np.zeros(3, np.int64))
    go_on(copies, world, np.random.default_rng(1), 100)
    for old, new in zip(before, all_there_is(core, 0), strict=True):
        np.testing.assert_array_equal(old, new)
    assert core.faults() == []
    with pytest.raises(ValueError, match="nobody has watched"):
        copies.faults()


def test_what_is_told_of_the_signals_is_the_callers_own():
    core, world = begun(3, lane_change=False)
    told = core.signals(10)
    kept = [values.copy() for values in told]
    for values in told:
        values[:] = 3
    for now, then in zip(core.signals(10), kept, strict=True):
        np.testing.assert_array_equal(now, then)
    told = core.signals(10)
    go_on(core, world, np.random.default_rng(1), 100)
    for values, then in zip(told, kept, strict=True):
        np.testing.assert_array_equal(values, then)


def test_copies_do_not_depend_on_threads():
    told = []
    for threads in (1, 2):
        core, world = begun(4, lane_change=False, threads=threads)
        copies = core.fork(4)
        copies.copy_from(core, np.array([0, 1, 0, 1]))
        go_on(copies, world, np.random.default_rng(2), 60)
        told.append(copies.totals())
        copies.close()
        core.close()
    for name, one, other in zip(Totals._fields, *told, strict=True):
        np.testing.assert_array_equal(one, other, err_msg=name)


def test_delay_is_the_totals_delay():
    core, _ = begun(2, lane_change=False)
    totals = core.totals()
    np.testing.assert_allclose(core.delay_s(), totals.time_loss_s + totals.outside_wait_s)
