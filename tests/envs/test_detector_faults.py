"""Detectors that fail: what every kind is, and that a fault touches only its own lanes, seconds and replicas."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intergreen.envs.broken_detectors import HUGE, neighbour_lanes
from intergreen.envs.detector_faults import FaultyDetectors, failing_lanes, lane_numbers
from intergreen.envs.errors import InputError
from intergreen.envs.fault_kinds import (
    DETECTOR_KINDS,
    Dead,
    Delay,
    Drop,
    Freeze,
    Huge,
    Infinite,
    Negative,
    Noise,
    NotANumber,
    Stick,
    WrongLane,
)
from intergreen.envs.network import GridSpec, generate_grid
from intergreen.envs.readings import Readings, readings_of
from intergreen.envs.simulation import Counts

NETWORK = generate_grid(GridSpec(rows=1, columns=2, lanes=3))
L = NETWORK.n_lanes
NEEDED = {Noise: {"sd": 0.4, "undercount": 0.05}, Delay: {"seconds": 25}}
seeds = st.integers(0, 2**32 - 1)
kinds = st.sampled_from(DETECTOR_KINDS)
shares = st.floats(0.0, 1.0)


def fault_of(kind, **where):
    return kind(**NEEDED.get(kind, {}), **where)


def counts_at(time_s, seeds=(0,), most=12):
    """Counts as a simulator may give them: who moves is on the lane, and in at most one bin."""
    parts = []
    for seed in seeds:
        random = np.random.default_rng([seed, time_s, 77])
        waiting, moving = random.integers(0, most, size=(2, L))
        arriving = random.multinomial(moving, [0.3, 0.2, 0.2, 0.1, 0.1, 0.1])[:, :5]
        speed = np.where(waiting + moving > 0, random.uniform(0.0, 13.0, L), 0.0)
        parts.append((waiting + moving, waiting, random.integers(0, moving + 1), arriving, speed))
    vehicles, waiting, near, arriving, speed = (np.array(values) for values in zip(*parts, strict=True))
    return Counts(*(values.astype(np.int32) for values in (vehicles, waiting, near, arriving)), speed)


def detectors(*faults, seeds=(0,)):
    return FaultyDetectors(faults, len(seeds), NETWORK, seeds)


def read_all(*faults, seeds=(0,), until_s=100, step_s=10):
    """What the detectors tell at every decision."""
    mine = detectors(*faults, seeds=seeds)
    return [mine.read(counts_at(t, seeds), t) for t in range(0, until_s, step_s)]


def assert_same(one, other, lanes=slice(None)):
    for a, b in zip(one, other, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a[:, lanes], b[:, lanes])


def true_at(time_s, seeds=(0,)):
    return readings_of(counts_at(time_s, seeds))


def all_values(readings):
    return np.concatenate([values.reshape(len(values), -1) for values in readings[:5]], axis=1)


# ---------------------------------------------------------------- laws


def test_without_faults_detectors_tell_the_counts():
    for t, told in zip(range(0, 100, 10), read_all(seeds=(3, 4)), strict=True):
        assert_same(told, true_at(t, (3, 4)))
        for values, counted in zip(told[:5], counts_at(t, (3, 4)), strict=True):
            np.testing.assert_array_equal(values, counted)
        assert not told.age_s.any()


@given(kind=kinds, seed=seeds, share=shares, begin_s=st.integers(0, 60), lasts_s=st.integers(1, 60))
def test_fault_touches_only_its_lanes_and_its_time(kind, seed, share, begin_s, lasts_s):
    fault = fault_of(kind, share=share, begin_s=begin_s, end_s=begin_s + lasts_s)
    others = ~failing_lanes(fault, NETWORK, [seed])[0]
    for t, told in zip(range(0, 100, 10), read_all(fault, seeds=(seed,)), strict=True):
        inside = begin_s <= t < begin_s + lasts_s
        assert_same(told, true_at(t, (seed,)), others if inside else slice(None))


@given(kind=kinds, seed=seeds, share=shares)
def test_share_is_that_many_detectors_rounded_up(kind, seed, share):
    n_failing = failing_lanes(fault_of(kind, share=share), NETWORK, [seed]).sum()
    assert share * L - 1e-5 <= n_failing < share * L + 1.0
    assert (n_failing == 0) == (round(share * L, 6) == 0)


def test_whole_shares_are_not_rounded_up():
    assert [failing_lanes(Dead(share=n / L), NETWORK, [0]).sum() for n in range(L + 1)] == list(range(L + 1))


@given(kind=kinds, seed=seeds, share=st.tuples(shares, shares))
def test_detectors_of_a_smaller_share_are_among_those_of_a_larger_one(kind, seed, share):
    fewer, more = (failing_lanes(fault_of(kind, share=one), NETWORK, [seed]) for one in sorted(share))
    assert (more | ~fewer).all()


def test_seeds_fall_on_different_detectors_and_reach_them_all():
    drawn = failing_lanes(Dead(share=0.5), NETWORK, range(20))
    assert len({row.tobytes() for row in drawn}) == 20
    assert drawn.any(axis=0).all()


def hit(*faults, seed=0):
    """Lanes on which each of the constant faults, all different, shows; the last of a lane hides those before."""
    told = read_all(*faults, seeds=(seed,), until_s=10)[0].vehicles[0]
    return [set(np.flatnonzero(told == value).tolist()) for value in (-1.0, np.inf, HUGE)]


@given(seed=seeds)
def test_kinds_compare_on_the_same_detectors_and_together_fall_on_others(seed):
    negative, infinite = Negative(share=0.3), Infinite(share=0.3)
    alone = hit(negative, seed=seed)[0]
    assert hit(infinite, seed=seed)[1] == hit(Huge(share=0.3), seed=seed)[2] == alone
    over, under = hit(negative, infinite, seed=seed)[:2]
    assert alone == over | (alone & under)
    assert under != alone  # equal once in 10^10 seeds


@given(seed=seeds, share=st.tuples(shares, shares))
def test_equal_kinds_of_one_list_are_nested(seed, share):
    fewer, more = sorted(share)
    mine = detectors(Stick(share=more, waiting_veh=99), Stick(share=fewer, waiting_veh=98), seeds=(seed,))
    told = mine.read(counts_at(0), 0).vehicles
    assert (told == 98).sum() == failing_lanes(Dead(share=fewer), NETWORK, [seed]).sum()
    assert (told >= 98).sum() == failing_lanes(Dead(share=more), NETWORK, [seed]).sum()


@given(kind=kinds, other=kinds, seed=seeds)
def test_same_seed_gives_the_same_readings_in_any_batch_and_after_a_reset(kind, other, seed):
    faults = fault_of(kind, share=0.5, begin_s=20), fault_of(other, share=0.4, begin_s=30, end_s=70)
    alone = read_all(*faults, seeds=(seed,))
    batch = (1, seed, 2)
    mine = detectors(*faults, seeds=batch)
    for _ in range(2):
        for t, expected in zip(range(0, 100, 10), alone, strict=True):
            told = mine.read(counts_at(t, batch), t)
            assert_same(Readings(*(values[1:2] for values in told)), expected)
        mine.reset()


def test_reset_with_other_seeds_begins_another_run():
    fault, mine = Noise(share=0.5, sd=0.5), detectors(Noise(share=0.5, sd=0.5), seeds=(0,))
    mine.read(counts_at(0), 0)
    mine.reset([5])
    fresh = detectors(fault, seeds=(5,))
    assert_same(mine.read(counts_at(10), 10), fresh.read(counts_at(10), 10))


@given(kind=kinds, asked=st.sets(st.integers(1, 99)))
def test_being_asked_between_readings_changes_none_and_makes_them_older(kind, asked):
    fault, times = fault_of(kind, share=0.5, begin_s=35, end_s=75), set(range(0, 100, 10))
    mine = FaultyDetectors([fault], 1, NETWORK, [0], interval_s=10)
    told = {t: mine.read(counts_at(t), t) for t in sorted(times | asked)}
    for t, expected in zip(range(0, 100, 10), read_all(fault), strict=True):
        assert_same(told[t], expected)
    for t in asked - times:
        assert_same(told[t], told[t // 10 * 10]._replace(age_s=told[t // 10 * 10].age_s + np.int32(t % 10)))


def test_faults_are_applied_in_their_order():
    told = read_all(Dead(share=1.0), Stick(share=1.0, waiting_veh=3))[-1]
    assert (told.vehicles == 3).all()
    told = read_all(Stick(share=1.0, waiting_veh=3), Dead(share=1.0))[-1]
    assert (told.vehicles == 0).all()
    late_then_silent = read_all(Delay(share=1.0, seconds=20), Drop(share=1.0, begin_s=50))
    for t, told in zip(range(0, 100, 10), late_then_silent, strict=True):
        assert (told.age_s == (t if t < 20 else 20 if t < 50 else t - 20)).all()


@pytest.mark.parametrize("first", DETECTOR_KINDS, ids=lambda kind: kind.kind)
@pytest.mark.parametrize("second", DETECTOR_KINDS, ids=lambda kind: kind.kind)
def test_no_two_kinds_together_warn_or_change_a_shape(first, second):
    for told in read_all(fault_of(first, share=1.0, begin_s=20), fault_of(second, share=1.0, begin_s=10), until_s=60):
        for values, true in zip(told, true_at(0), strict=True):
            assert (values.shape, values.dtype) == (true.shape, true.dtype)
        assert (told.age_s >= 0).all()


@pytest.mark.parametrize("kind", DETECTOR_KINDS, ids=lambda kind: kind.kind)
def test_counts_and_earlier_readings_are_never_written_to(kind):
    mine, counts = detectors(fault_of(kind, share=1.0, begin_s=10)), counts_at(0)
    for values in counts:
        values.setflags(write=False)
    first = mine.read(counts, 0)
    before = Readings(*(values.copy() for values in first))
    for t in range(10, 60, 10):
        mine.read(counts_at(t), t)
    assert_same(first, before)


# ---------------------------------------------------------------- what every kind is


def test_dropped_reading_stays_and_grows_old():
    for t, told in zip(range(0, 100, 10), read_all(Drop(share=1.0, begin_s=35)), strict=True):
        expected = true_at(min(t, 30))
        assert_same(told, expected._replace(age_s=np.full_like(expected.age_s, max(0, t - 30))))


def test_frozen_reading_stays_and_looks_fresh():
    for t, told in zip(range(0, 100, 10), read_all(Freeze(share=1.0, begin_s=35)), strict=True):
        assert_same(told, true_at(min(t, 30)))


def test_detector_silent_from_the_start_has_told_nothing_and_a_frozen_one_its_first_reading():
    for t, told in zip(range(0, 100, 10), read_all(Drop(share=1.0)), strict=True):
        assert np.isnan(all_values(told)).all()
        assert (told.age_s == t).all()
    for told in read_all(Freeze(share=1.0)):
        assert_same(told, true_at(0))


def test_silent_detector_speaks_again_when_the_fault_is_over():
    told = read_all(Drop(share=1.0, begin_s=20, end_s=60))
    assert_same(told[5], true_at(10)._replace(age_s=np.full((1, L), 40, np.int32)))
    assert_same(told[6], true_at(60))


@pytest.mark.parametrize(
    ("kind", "value"), [(Dead, 0.0), (NotANumber, np.nan), (Infinite, np.inf), (Negative, -1.0), (Huge, HUGE)]
)
def test_nonsense_is_one_value_everywhere_with_a_fresh_age(kind, value):
    for told in read_all(Delay(share=1.0, seconds=30), fault_of(kind, share=1.0)):
        np.testing.assert_array_equal(all_values(told), value)
        assert not told.age_s.any()


def test_stuck_detector_sees_a_constant_queue():
    for told in read_all(Stick(share=1.0, waiting_veh=7)):
        assert (told.vehicles == 7).all()
        assert (told.waiting == 7).all()
        assert not any(values.any() for values in told[2:])


@given(seconds=st.integers(1, 60), step_s=st.integers(1, 15))
def test_delayed_reading_is_the_newest_that_is_old_enough_and_tells_its_age(seconds, step_s):
    told = read_all(Delay(share=1.0, seconds=seconds), until_s=100, step_s=step_s)
    times = range(0, 100, step_s)
    for t, one in zip(times, told, strict=True):
        old = [s for s in times if s <= t - seconds]
        if old:
            expected = true_at(old[-1])
            assert_same(one, expected._replace(age_s=np.full_like(expected.age_s, t - old[-1])))
        else:
            assert np.isnan(all_values(one)).all()
            assert (one.age_s == t).all()


def test_delay_that_begins_later_shows_what_was_read_before_it():
    told = read_all(Delay(share=1.0, seconds=30, begin_s=50))
    assert_same(told[5], true_at(20)._replace(age_s=np.full((1, L), 30, np.int32)))


@given(seed=seeds, sd=st.floats(0.0, 3.0), undercount=st.floats(0.0, 1.0))
def test_noisy_counts_are_whole_numbers_that_fit_together(seed, sd, undercount):
    for told in read_all(Noise(share=1.0, sd=sd, undercount=undercount), seeds=(seed,), until_s=40):
        counted = np.concatenate([values.reshape(-1) for values in told[:4]])
        assert (counted >= 0).all()
        assert (counted == np.floor(counted)).all()
        assert (told.waiting <= told.vehicles).all()
        assert (told.near <= told.vehicles - told.waiting).all()
        assert (told.arriving.sum(axis=2) <= told.vehicles - told.waiting).all()
        assert not told.mean_speed[told.vehicles == 0].any()
        assert not told.age_s.any()


@given(seed=seeds)
def test_noise_of_no_size_changes_nothing(seed):
    for t, told in zip(range(0, 100, 10), read_all(Noise(share=1.0, sd=0.0), seeds=(seed,)), strict=True):
        assert_same(told, true_at(t, (seed,)))


def test_noise_has_its_standard_deviation_is_right_on_average_and_new_at_every_reading():
    mine, counts = detectors(Noise(share=1.0, sd=0.3)), counts_at(0)
    counts.vehicles[:], counts.waiting[:] = 40, 20
    told = np.array([mine.read(counts, t).vehicles[0] for t in range(2000)])  # 2000 x L independent readings
    error = told / 40.0 - 1.0
    assert error.mean() == pytest.approx(0.0, abs=0.01)
    assert error.std() == pytest.approx(0.3, rel=0.02)
    assert abs(np.corrcoef(error[:-1].ravel(), error[1:].ravel())[0, 1]) < 0.02
    assert abs(np.corrcoef(error[:, 0], error[:, 1])[0, 1]) < 0.1


def test_single_vehicle_is_missed_or_doubled_as_often():
    mine, counts = detectors(Noise(share=1.0, sd=0.2)), counts_at(0)
    counts.vehicles[:], counts.waiting[:], counts.near[:], counts.arriving[:] = 1, 1, 0, 0
    told = np.array([mine.read(counts, t).vehicles[0] for t in range(1000)])
    assert told.mean() == pytest.approx(1.0, abs=0.01)
    assert 0.05 < (told == 0).mean() < 0.11  # E max(0, -0.2 z) = 0.2 / sqrt(2 pi) = 0.08


def test_undercount_grows_with_the_queue():
    mine, counts = detectors(Noise(share=1.0, sd=0.0, undercount=0.02)), counts_at(0)
    mean = {}
    for queue in (0, 10, 50):
        counts.vehicles[:], counts.waiting[:] = queue + 5, queue
        mean[queue] = np.mean([mine.read(counts, t).waiting.mean() for t in range(500)])
    assert mean[0] == 0.0
    assert mean[10] == pytest.approx(10 / 1.2, rel=0.01)
    assert mean[50] == pytest.approx(50 / 2.0, rel=0.01)


def test_equal_noises_err_independently():
    both = read_all(Noise(share=1.0, sd=0.5), Noise(share=1.0, sd=0.5))
    once = read_all(Noise(share=1.0, sd=0.5))
    factor = [(b.vehicles / np.maximum(o.vehicles, 1))[o.vehicles > 4] for b, o in zip(both, once, strict=True)]
    true = [t.vehicles for t in map(true_at, range(0, 100, 10))]
    first = [(o.vehicles / np.maximum(t, 1))[o.vehicles > 4] for o, t in zip(once, true, strict=True)]
    assert abs(np.corrcoef(np.concatenate(factor), np.concatenate(first))[0, 1]) < 0.5


def test_wrong_lane_is_a_neighbour_on_the_same_road():
    source = neighbour_lanes(NETWORK)
    assert (NETWORK.lane_road[source] == NETWORK.lane_road).all()
    assert (np.abs(source - np.arange(L)) == 1).all()
    for t, told in zip(range(0, 100, 10), read_all(WrongLane(share=1.0)), strict=True):
        assert_same(told, Readings(*(values[:, source] for values in true_at(t))))


def test_lane_alone_on_its_road_is_its_own_neighbour():
    narrow = generate_grid(GridSpec(rows=1, columns=1, lanes=1))
    assert neighbour_lanes(narrow).tolist() == list(range(narrow.n_lanes))


# ---------------------------------------------------------------- where


def test_named_lanes_fail_in_every_replica():
    names = [NETWORK.lane_name(lane) for lane in (4, 0, 7)]
    fails = failing_lanes(Dead(lanes=tuple(names)), NETWORK, [0, 1])
    assert [np.flatnonzero(row).tolist() for row in fails] == [[0, 4, 7]] * 2
    assert lane_numbers(names, NETWORK).tolist() == [4, 0, 7]


def test_unknown_lane_is_refused_with_the_nearest_name():
    name = NETWORK.lane_name(4)
    with pytest.raises(InputError, match=rf"has no lane '{name[:-2]}_9'; did you mean"):
        detectors(Dead(lanes=(f"{name[:-2]}_9",)))


@pytest.mark.parametrize(
    ("kind", "settings", "words"),
    [
        (Dead, {}, "either share or lanes"),
        (Dead, {"share": 0.1, "lanes": ("a_0",)}, "either share or lanes"),
        (Dead, {"share": 1.1}, "share between 0 and 1"),
        (Dead, {"share": float("nan")}, "share between 0 and 1"),
        (Dead, {"share": 0.1, "begin_s": -1}, "begin_s >= 0"),
        (Dead, {"share": 0.1, "begin_s": 5, "end_s": 5}, "end_s > begin_s"),
        (Stick, {"share": 0.1, "waiting_veh": -1}, "waiting_veh >= 0"),
        (Noise, {"share": 0.1, "sd": float("inf")}, "finite sd >= 0"),
        (Noise, {"share": 0.1, "sd": 0.1, "undercount": -0.1}, "finite undercount >= 0"),
        (Delay, {"share": 0.1, "seconds": 0}, "seconds > 0"),
    ],
)
def test_impossible_faults_are_refused(kind, settings, words):
    with pytest.raises(ValueError, match=words):
        kind(**settings)


def test_faults_are_plain_data():
    fault = Noise(lanes=("a_0",), sd=0.3, begin_s=5)
    assert dataclasses.replace(fault, sd=0.4).sd == 0.4
    assert fault.stated() == {
        "kind": "noise", "begin_s": 5, "end_s": None, "share": None, "lanes": ["a_0"], "sd": 0.3, "undercount": 0.0,
    }  # fmt: skip


def test_each_replica_needs_a_seed():
    with pytest.raises(ValueError, match="seeds for 2 replicas, got 1"):
        FaultyDetectors([], 2, NETWORK, [0])
