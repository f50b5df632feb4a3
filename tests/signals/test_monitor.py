"""The monitor raises every fault in the tick that shows it and not one tick sooner; a twin works from full histories.

A display is written as one word per channel, a letter per tick: R red, Y yellow, G green, A red and amber, - dark,
X red with green, Z yellow with green.
"""

import ast
from itertools import groupby, pairwise
from pathlib import Path

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba.extending import register_jitable

from intergreen.envs.compiled_bits import compile_bits
from intergreen.envs.signals import monitor
from intergreen.envs.signals.aspects import DARK, GREEN, RED, RED_AMBER, YELLOW
from intergreen.envs.signals.monitor import (
    FAULT_NAMES,
    Fault,
    SignalMonitor,
    faults,
    make_memory,
    replica_rows,
    watch,
)
from intergreen.envs.signals.monitor_card import Channels, make_card

LAMPS = {"R": RED, "Y": YELLOW, "G": GREEN, "A": RED_AMBER, "-": DARK, "X": RED | GREEN, "Z": YELLOW | GREEN}
kernel = numba.njit(error_model="numpy", _nrt=False)  # as the batched core compiles it
compile_bits()
for _helper in monitor.HELPERS:
    register_jitable(_nrt=False, error_model="numpy")(_helper)
compiled_watch, compiled_rows = kernel(watch), kernel(replica_rows)


@kernel
def watch_all(rows, calls, card, state, b):
    """Replica `b` sees all rows (ticks, columns)."""
    mine = compiled_rows(state, b)
    for t in range(rows.shape[0]):
        compiled_watch(rows[t], calls[t], card, mine)


def rows_of(words):
    """Words of one length, one per channel, as rows (ticks, channels)."""
    return np.array([[LAMPS[letter] for letter in word] for word in words], np.uint8).T.copy()


# Three channels: 0 conflicts with 1 and with 2, which may go together.
TOGETHER = np.array([[1, 0, 0], [0, 1, 1], [0, 1, 1]], bool)


def signal(columns=(0, 1, 2), **changes):
    standard = {
        "permissive": TOGETHER,
        "intergreen_s": np.full((3, 3), 5.0),
        "yellow_s": 3.0,
        "min_green_s": 5.0,
        "red_revert_s": 7.0,
        "longest_wait_s": 10.0,
        "longest_yellow_s": 6.0,
        "red_amber_s": 1.0,
    }
    return Channels(columns, **{**standard, **changes})


def watched(card, rows, calls=None, compile=False):
    """The state (one replica) after all rows."""
    state = make_memory(card)
    calls = np.zeros_like(rows) if calls is None else calls
    if compile:
        watch_all(rows, calls, card, state, 0)
    else:
        for aspects, waiting in zip(rows, calls, strict=True):
            watch(aspects, waiting, card, replica_rows(state, 0))
    return state


def latched(card, rows, calls=None, compile=False):
    """(fault's name, tick, channels) of the only signal, or None."""
    found = [(one.fault, one.tick, one.channels) for one in faults(card, watched(card, rows, calls, compile))]
    return found[0] if found else None


BARE = {"intergreen_s": 0, "yellow_s": 0, "min_green_s": 0, "red_revert_s": 0}
# fault, tick, channels: the display with the fault and the one a tick safer; the third channel stays red
CASES = {
    "green in green": ("conflict", 5, (0, 1), ["RGGGGGR", "RRRRRGG"], ["RGGGGGR", "RRRRRRG"]),
    "green in yellow": ("conflict", 4, (0, 1), ["RGGYYRR", "RRRRGGG"], ["RGGYYRR", "RRRRRGG"]),
    "yellow in green": ("conflict", 4, (0, 1), ["RRRRYYR", "GGGGGRR"], ["RRRRRYY", "GGGGGRR"]),
    "green from the first tick": ("conflict", 0, (0, 1), ["GG", "GG"], ["GG", "RR"]),
    "dark": ("red fail", 3, (1,), ["RRRR", "RRR-"], ["RRRR", "RRRR"]),
    "dark from the first tick": ("red fail", 0, (0,), ["-R", "RR"], ["RR", "RR"]),
    "short yellow": ("short yellow", 8, (0,), ["RGGGGGYYRR", "RRRRRRRRRR"], ["RGGGGGYYYR", "RRRRRRRRRR"]),
    "yellow back to green": ("short yellow", 8, (0,), ["RGGGGGYYGG", "RRRRRRRRRR"], ["RGGGGGYYYY", "RRRRRRRRRR"]),
    "no yellow": ("skipped yellow", 6, (1,), ["RRRRRRR", "RGGGGGR"], ["RRRRRRRRRR", "RGGGGGYYYR"]),
    "red and amber for yellow": ("skipped yellow", 6, (0,), ["RGGGGGAG", "RRRRRRRR"], ["RGGGGGYY", "RRRRRRRR"]),
    "clearance": (
        "yellow plus red clearance",
        10,
        (0, 1),
        ["RGGGGGYYYRR", "RRRRRRRRRRG"],
        ["RGGGGGYYYRRR", "RRRRRRRRRRRG"],
    ),
    "clearance after a first green": (
        "yellow plus red clearance",
        5,
        (1, 0),
        ["RRRRRG", "GYYYRR"],
        ["RRRRRRG", "GYYYRRR"],
    ),
    "red with green": ("dual indication", 3, (0,), ["RRRX", "RRRR"], ["RRRG", "RRRR"]),
    "yellow with green": ("dual indication", 6, (0,), ["RGGGGGZY", "RRRRRRRR"], ["RGGGGGGY", "RRRRRRRR"]),
    "long red and amber": ("dual indication", 3, (0,), ["RRAAG", "RRRRR"], ["RRRAG", "RRRRR"]),
    "red and amber without green": ("dual indication", 3, (1,), ["RRRR", "RRAR"], ["RRRR", "RRAG"]),
    "short green": ("short green", 5, (0,), ["RGGGGYYYR", "RRRRRRRRR"], ["RGGGGGYYYR", "RRRRRRRRRR"]),
    "long yellow": ("long yellow", 7, (0,), ["GYYYYYYY", "RRRRRRRR"], ["GYYYYYYR", "RRRRRRRR"]),
    "long yellow from the start": ("long yellow", 6, (1,), ["RRRRRRR", "YYYYYYY"], ["RRRRRRR", "YYYYYYR"]),
    "red revert": ("red revert", 10, (0,), ["GYYYRRRRRRG", "RRRRRRRRRRR"], ["GYYYRRRRRRRG", "RRRRRRRRRRRR"]),
    "red revert from yellow": ("red revert", 4, (0,), ["GYYYG", "RRRRR"], ["GYYYY", "RRRRR"]),
}


@pytest.mark.parametrize("compile", [False, True], ids=["numpy", "numba"])
@pytest.mark.parametrize("columns", [(0, 1, 2), (3, 0, 5)], ids=["consecutive", "scattered"])
@pytest.mark.parametrize("case", CASES)
def test_fault_is_raised_in_its_tick_and_not_by_the_display_one_tick_safer(case, columns, compile):
    fault, tick, channels, faulty, safe = CASES[case]
    card = make_card([signal(columns, **(BARE if fault == "conflict" else {}))])

    def display(words):
        rows = np.full((len(words[0]), 6), RED, np.uint8)
        rows[:, columns] = rows_of([*words, "R" * len(words[0])])
        return rows

    assert latched(card, display(safe), compile=compile) is None
    assert latched(card, display(faulty), compile=compile) == (fault, tick, tuple(columns[c] for c in channels))


def one_call(n_ticks, from_tick, past_tick, channel=1):
    calls = np.zeros((n_ticks, 3), np.uint8)
    calls[from_tick:past_tick, channel] = 1
    return calls


@pytest.mark.parametrize("compile", [False, True], ids=["numpy", "numba"])
def test_call_unserved_beyond_the_longest_wait_is_a_cycle_fail(compile):
    card = make_card([signal()])
    red = ["R" * 20] * 3
    served = ["R" * 20, "R" * 12 + "G" * 8, "R" * 20]
    assert latched(card, rows_of(red), one_call(20, 2, 20), compile) == ("cycle fail", 12, (1,))
    assert latched(card, rows_of(served), one_call(20, 2, 20), compile) is None
    assert latched(card, rows_of(red), one_call(20, 2, 12), compile) is None  # gone in time
    assert latched(card, rows_of(red), one_call(20, 0, 20), compile) == ("cycle fail", 10, (1,))


def test_call_that_still_waits_after_its_green_waits_anew():
    card = make_card([signal()])
    rows = rows_of(["R" * 30, "RRRR" + "GGGGGYYY" + "R" * 18, "R" * 30])
    assert latched(card, rows, one_call(30, 0, 30)) == ("cycle fail", 19, (1,))  # green ends at 9


def test_wait_without_a_limit_is_not_watched():
    card = make_card([signal(longest_wait_s=[0.0, 0.0, 4.0])])
    rows = rows_of(["R" * 30] * 3)
    assert latched(card, rows, one_call(30, 0, 30)) is None
    assert latched(card, rows, one_call(30, 0, 30, channel=2)) == ("cycle fail", 4, (2,))


def test_every_fault_of_the_table_has_its_display_here():
    shown = {case[0] for case in CASES.values()} | {"cycle fail", "none"}
    assert shown == set(FAULT_NAMES.values())
    assert list(FAULT_NAMES) == list(Fault)


def test_permissive_pair_may_be_green_together_and_needs_no_clearance():
    card = make_card([signal()])
    assert latched(card, rows_of(["R" * 14, "RGGGGGYYYRRRRR", "RRRRGGGGGGYYYR"])) is None


def test_clearance_holds_from_row_to_column_only():
    intergreen = np.full((3, 3), 3.0)
    intergreen[0, 1] = 6.0
    card = make_card([signal(intergreen_s=intergreen)])
    there = rows_of(["GYYYRRRRRR", "RRRRRRGGGG", "R" * 10])
    back = rows_of(["RRRRRRGGGG", "GYYYRRRRRR", "R" * 10])
    assert latched(card, there) == ("yellow plus red clearance", 6, (0, 1))
    assert latched(card, back) is None


def test_card_without_yellow_lets_green_end_at_once():
    card = make_card([signal(yellow_s=0.0, intergreen_s=np.full((3, 3), 2.0))])
    assert latched(card, rows_of(["RGGGGGRRRR", "RRRRRRRRGG", "R" * 10])) is None
    assert latched(card, rows_of(["RGGGGGRRRR", "RRRRRRRGGG", "R" * 10])) == ("yellow plus red clearance", 7, (0, 1))


def test_literature_change_without_any_clearance_is_no_fault_on_a_card_that_asks_for_none():
    card = make_card([signal(yellow_s=0, intergreen_s=0, min_green_s=0, red_revert_s=0)])
    assert latched(card, rows_of(["GRGR", "RGRG", "RGRG"])) is None


def test_green_that_began_before_watching_has_no_length():
    assert latched(make_card([signal()]), rows_of(["GYYYR", "RRRRR", "RRRRR"])) is None


def test_yellow_that_began_before_watching_has_no_length():
    assert latched(make_card([signal()]), rows_of(["YRRRR", "RRRRR", "RRRRR"])) is None


def test_first_displays_need_no_clearance():
    assert latched(make_card([signal()]), rows_of(["RRRRR", "GGGGG", "GGGGG"])) is None


def test_first_fault_stays_latched_and_later_ones_are_counted():
    card = make_card([signal()])
    rows = rows_of(["RGGGGYYYRR", "RRRRRRRRRR", "RRRRRRRR--"])
    state = watched(card, rows)
    assert [(one.fault, one.tick, one.channels) for one in faults(card, state)] == [("short green", 5, (0,))]
    assert replica_rows(state, 0).n_faults.tolist() == [2]  # dark for two ticks: raised once
    for _ in range(50):
        watch(np.full(3, RED, np.uint8), np.zeros(3, np.uint8), card, replica_rows(state, 0))
    assert faults(card, state)[0].tick == 5


def test_conflict_is_latched_before_the_clearance_that_fails_with_it():
    card = make_card([signal()])
    state = watched(card, rows_of(["GYYYR", "RRGGG", "RRRRR"]))
    assert [one.fault for one in faults(card, state)] == ["conflict"]
    assert replica_rows(state, 0).n_faults[0] == 2


def test_reports_come_by_time_with_replica_signal_and_columns():
    card = make_card([signal((0, 1, 2)), signal((5, 4, 3))])
    state = make_memory(card, replicas=2)
    calm = np.full((8, 6), RED, np.uint8)
    first, second = calm.copy(), calm.copy()
    first[6, 4] = DARK
    second[2, 5], second[4, 0] = DARK, DARK
    for b, rows in enumerate((first, second)):
        watch_all(rows, np.zeros_like(rows), card, state, b)
    found = [(one.tick, one.replica, one.signal, one.channels) for one in faults(card, state)]
    assert found == [(2, 1, 1, (5,)), (4, 1, 0, (0,)), (6, 0, 1, (4,))]


TENTHS = make_card([signal()], tick_s=0.1)


def tenths(*runs):
    """Words from (letter, tenths of a second) per channel."""
    return rows_of(["".join(letter * n for letter, n in channel) for channel in runs])


@pytest.mark.parametrize("compile", [False, True], ids=["numpy", "numba"])
@pytest.mark.parametrize(
    ("letter", "tolerated", "fault"), [("G", 4, "conflict"), ("-", 7, "red fail"), ("X", 9, "dual indication")]
)
def test_fault_in_tenths_of_a_second_must_persist(letter, tolerated, fault, compile):
    card = make_card([signal(min_green_s=0, yellow_s=0, intergreen_s=0, red_revert_s=0)], tick_s=0.1)
    calm, other = [("R", 60)], [("G", 60)] if letter == "G" else [("R", 60)]

    def with_blink(ticks):
        return tenths(other, [("R", 20), (letter, ticks), ("R", 40 - ticks)], calm)

    assert latched(card, with_blink(tolerated), compile=compile) is None
    expected = (fault, 20 + tolerated, (0, 1) if letter == "G" else (1,))
    assert latched(card, with_blink(tolerated + 1), compile=compile) == expected


@pytest.mark.parametrize(("yellow", "expected"), [(30, None), (29, ("short yellow", 89, (0,)))])
def test_yellow_of_three_seconds_has_thirty_tenths(yellow, expected):
    assert TENTHS.yellow.tolist() == [30, 30, 30]
    rows = tenths([("R", 10), ("G", 50), ("Y", yellow), ("R", 60 - yellow)], [("R", 120)], [("R", 120)])
    assert latched(TENTHS, rows) == expected


def test_blink_does_not_end_a_green_and_does_not_lengthen_a_yellow():
    calm = [("R", 130)]
    blink_in_green = [("R", 10), ("G", 20), ("-", 7), ("G", 23), ("Y", 30), ("R", 40)]
    blink_in_yellow = [("R", 10), ("G", 50), ("Y", 10), ("-", 5), ("Y", 15), ("R", 40)]
    blink_after_yellow = [("R", 10), ("G", 50), ("Y", 27), ("-", 3), ("R", 40)]
    assert latched(TENTHS, tenths(blink_in_green, calm, calm)) is None
    assert latched(TENTHS, tenths(blink_in_yellow, calm, calm)) is None
    assert latched(TENTHS, tenths(blink_after_yellow, calm, calm)) == ("short yellow", 90, (0,))


def test_report_gives_the_second_of_the_tick():
    rows = tenths([("R", 3), ("-", 8)], [("R", 11)], [("R", 11)])
    (report,) = faults(TENTHS, watched(TENTHS, rows))
    assert (report.tick, report.second) == (10, 1.0)


@pytest.mark.parametrize(
    ("tick_s", "tolerances"), [(1.0, (1, 1, 1)), (0.5, (1, 2, 2)), (0.1, (5, 8, 10)), (2.0, (1, 1, 1))]
)
def test_tolerances_follow_the_tick_and_never_vanish(tick_s, tolerances):
    card = make_card([signal()], tick_s=tick_s)
    assert (card.conflict_ticks, card.red_fail_ticks, card.dual_ticks) == tolerances


@pytest.mark.parametrize(("seconds", "ticks"), [(0.3, 3), (0.25, 3), (0.24, 2), (2.95, 30), (1.1, 11)])
def test_seconds_go_to_the_nearest_tick_halves_up(seconds, ticks):
    assert make_card([signal(yellow_s=seconds)], tick_s=0.1).yellow.tolist() == [ticks] * 3


# The slow twin: every question is asked of the full history, from the definitions.


def stage_runs(aspects):
    """Stages of one channel as [stage, start, past, lit_until]; past None: still running. Dark ticks belong to the
    stage before them but do not count as lit at its end."""
    found = []
    for t, aspect in enumerate(aspects):
        if aspect == DARK:
            continue
        stage = "green" if aspect & GREEN else "yellow" if aspect == YELLOW else "stop"
        if found and found[-1][0] == stage:
            found[-1][3] = t + 1
        else:
            if found:
                found[-1][2] = t
            found.append([stage, t, None, t + 1])
    return found


def true_runs(flags):
    """(start, past) of every stretch of true flags."""
    t = 0
    for flag, group in groupby(flags):
        length = len(list(group))
        if flag:
            yield t, t + length
        t += length


def two_lamps_fault(aspects, start, past, card, red_amber):
    """The tick at which a stretch with two lamps becomes a fault, or None."""
    strict = start + card.dual_ticks - 1
    excused = strict + red_amber
    other = next((t for t in range(start, past) if aspects[t] != RED_AMBER), None)
    if other is None:
        if excused < past:
            return excused
        ends_badly = past < len(aspects) and aspects[past] != GREEN
        return past if ends_badly and past - start >= card.dual_ticks else None
    if other > start and excused < other:
        return excused
    return max(strict, other) if max(strict, other) < past else None


def twin_faults(rows, calls, card):
    """All faults of a card with one signal whose columns are 0..n-1: (tick, number, first, second)."""
    n = len(card.channel)
    ticks, width = range(len(rows)), range(n)
    allowed = card.permissive.reshape(n, n)
    clearance = card.clearance_before.reshape(n, n).T
    runs = [stage_runs(rows[:, c]) for c in width]
    found = []

    for c in width:
        lamps = [int(aspect) for aspect in rows[:, c]]
        for start, past in true_runs([aspect == DARK for aspect in lamps]):
            if past - start >= card.red_fail_ticks:
                found.append((start + card.red_fail_ticks - 1, Fault.RED_FAIL, c, -1))
        for start, past in true_runs([aspect.bit_count() > 1 for aspect in lamps]):
            at = two_lamps_fault(lamps, start, past, card, card.red_amber[0])
            if at is not None:
                found.append((at, Fault.DUAL_INDICATION, c, -1))
        for start, past in true_runs([bool(calls[t, c]) and not lamps[t] & GREEN for t in ticks]):
            if past - start > card.longest_wait[c] > 0:
                found.append((start + int(card.longest_wait[c]), Fault.CYCLE_FAIL, c, -1))
        for k, (stage, start, past, lit_until) in enumerate(runs[c]):
            if stage == "yellow" and card.longest_yellow[c] > 0:
                stretch = range(start, len(rows) if past is None else past)
                late = [t for t in stretch if lamps[t] == YELLOW and t - start >= card.longest_yellow[c]]
                found.extend((t, Fault.LONG_YELLOW, c, -1) for t in late[:1])
            if past is None:
                continue
            if k > 0 and stage == "green" and lit_until - start < card.green[c]:
                found.append((past, Fault.SHORT_GREEN, c, -1))
            if k > 0 and stage == "yellow" and lit_until - start < card.yellow[c]:
                found.append((past, Fault.SHORT_YELLOW, c, -1))
        for (before, _, _, _), (after, start, _, _) in pairwise(runs[c]):
            if (before, after) == ("green", "stop") and card.yellow[c] > 0:
                found.append((start, Fault.SKIPPED_YELLOW, c, -1))
        for k, (stage, start, _, _) in enumerate(runs[c]):
            ways = [lit_until for before, _, _, lit_until in runs[c][:k] if before != "stop"]
            if stage == "green" and ways and start - ways[-1] < card.red_revert[c]:
                found.append((start, Fault.RED_REVERT, c, -1))

    for c in width:  # starts of green, but for the first display
        for start in [run[1] for run in runs[c][1:] if run[0] == "green"]:
            for other in width:
                past_rows = stage_runs(rows[: start + 1, other])
                greens = [run for k, run in enumerate(past_rows) if run[0] == "green" and (run[1] < start or k == 0)]
                if allowed[other, c] or not greens:
                    continue
                ended = min(greens[-1][3], start)
                if start - ended < clearance[other, c]:
                    found.append((start, Fault.CLEARANCE, other, c))

    def conflict(t):
        way = [c for c in width if rows[t, c] & GREEN or rows[t, c] == YELLOW]
        return next(((a, b) for a in way for b in way if a < b and not allowed[a, b]), None)

    for start, past in true_runs([conflict(t) is not None for t in ticks]):
        at = start + card.conflict_ticks - 1
        if at < past:
            found.append((at, Fault.CONFLICT, *conflict(at)))
    return found


N_CHANNELS, N_TICKS = 3, 48
durations = st.lists(st.integers(0, 6).map(float), min_size=N_CHANNELS, max_size=N_CHANNELS)


@st.composite
def cards(draw):
    permissive = np.eye(N_CHANNELS, dtype=bool)
    for a in range(N_CHANNELS):
        for b in range(a):
            permissive[a, b] = permissive[b, a] = draw(st.booleans())
    card = make_card(
        [
            Channels(
                columns=range(N_CHANNELS),
                permissive=permissive,
                intergreen_s=[draw(durations) for _ in range(N_CHANNELS)],
                yellow_s=draw(durations),
                min_green_s=draw(durations),
                red_revert_s=draw(durations),
                longest_wait_s=draw(durations),
                longest_yellow_s=draw(durations),
                red_amber_s=draw(st.integers(0, 3)),
            )
        ]
    )
    tolerance = st.integers(1, 3)
    return card._replace(conflict_ticks=draw(tolerance), red_fail_ticks=draw(tolerance), dual_ticks=draw(tolerance))


@st.composite
def streams(draw, values):
    """(N_TICKS, N_CHANNELS): each channel in stretches, so that intervals of all lengths come up."""
    stretch = st.tuples(st.sampled_from(values), st.integers(1, 8))
    columns = []
    for _ in range(N_CHANNELS):
        runs = draw(st.lists(stretch, min_size=1, max_size=16))
        word = [value for value, length in runs for _ in range(length)]
        columns.append((word + [word[-1]] * N_TICKS)[:N_TICKS])
    return np.array(columns, np.uint8).T.copy()


# Red, yellow and green thrice: with all eight aspects alike the orderly transitions would be rare.
any_aspects = streams([RED, YELLOW, GREEN] * 3 + list(range(8)))
any_calls = streams([0, 1])


@given(rows=any_aspects, calls=any_calls, card=cards())
def test_slow_twin_finds_the_same_faults_from_the_full_history(rows, calls, card):
    expected = sorted(twin_faults(rows, calls, card), key=lambda one: one[:2])
    state = watched(card, rows, calls, compile=True)
    kept = replica_rows(state, 0)
    assert kept.n_faults[0] == len(expected)
    if expected:
        at = expected[0][:2]
        got = (kept.fault_tick[0], kept.fault[0], kept.fault_first[0], kept.fault_second[0])
        assert got in [one for one in expected if one[:2] == at]


@given(rows=any_aspects, calls=any_calls, card=cards())
def test_slow_twin_finds_as_many_new_faults_in_every_tick(rows, calls, card):
    found = [tick for tick, *_ in twin_faults(rows, calls, card)]
    state = replica_rows(make_memory(card), 0)
    assert [watch(rows[t], calls[t], card, state) for t in range(N_TICKS)] == [found.count(t) for t in range(N_TICKS)]


@given(rows=any_aspects, calls=any_calls, card=cards())
def test_compiled_and_plain_watch_keep_the_same_state(rows, calls, card):
    for plain, fast in zip(watched(card, rows, calls), watched(card, rows, calls, compile=True), strict=True):
        assert plain.tolist() == fast.tolist()


@given(rows=any_aspects, calls=any_calls, card=cards(), columns=st.permutations(range(5)).map(lambda p: p[:3]))
def test_scattered_columns_are_watched_as_consecutive_ones(rows, calls, card, columns):
    scattered = card._replace(channel=np.array(columns, np.int32), first_column=np.array([-1], np.int32))
    wide_rows, wide_calls = np.full((N_TICKS, 5), 7, np.uint8), np.ones((N_TICKS, 5), np.uint8)
    wide_rows[:, columns], wide_calls[:, columns] = rows, calls
    one = latched(card, rows, calls)
    expected = one and (one[0], one[1], tuple(columns[c] for c in one[2]))
    assert latched(scattered, wide_rows, wide_calls) == expected


@given(rows=any_aspects, calls=any_calls, card=cards())
def test_every_fault_that_the_twin_finds_first_is_the_lowest_of_its_tick(rows, calls, card):
    expected = twin_faults(rows, calls, card)
    first = latched(card, rows, calls)
    if first is None:
        assert not expected
    else:
        at = min(tick for tick, *_ in expected)
        lowest = min(number for tick, number, *_ in expected if tick == at)
        assert first[:2] == (FAULT_NAMES[lowest], at)


# Users outside the engine


def test_signal_monitor_watches_tick_by_tick():
    guard = SignalMonitor(make_card([signal()]))
    assert [guard.watch([RED, RED, aspect]) for aspect in (RED, DARK, DARK, RED)] == [0, 1, 0, 0]
    assert [(one.fault, one.second, one.channels) for one in guard.faults] == [("red fail", 1.0, (2,))]
    assert guard.n_faults == 1


def test_signal_monitor_watches_calls():
    guard = SignalMonitor(make_card([signal(longest_wait_s=2.0)]))
    assert [guard.watch([RED, RED, RED], [False, True, False]) for _ in range(4)] == [0, 0, 1, 0]


def test_two_monitors_of_one_card_share_nothing():
    card = make_card([signal()])
    broken, calm = SignalMonitor(card), SignalMonitor(card)
    broken.watch([GREEN, GREEN, GREEN])
    calm.watch([RED, GREEN, GREEN])
    assert ([one.fault for one in broken.faults], calm.faults) == (["conflict"], [])


@pytest.mark.parametrize(
    ("aspects", "calls", "message"),
    [
        ([RED, RED], None, r"aspects must be one row of 3 columns or more, got shape \(2,\)"),
        ([RED, RED, 8], None, r"aspects must be whole numbers from 0 to 7, got \[1 1 8\]"),
        ([RED, RED, 1.0], None, "aspects must be whole numbers from 0 to 7"),
        ([RED, RED, -1], None, "aspects must be whole numbers from 0 to 7"),
        ([RED, RED, RED], [0, 0, 2], r"calls must be whole numbers from 0 to 1, got \[0 0 2\]"),
        ([RED, RED, RED], [0, 0, 0, 0], "calls must be as many as aspects, 3, got 4"),
    ],
)
def test_row_that_is_no_display_is_refused(aspects, calls, message):
    with pytest.raises(ValueError, match=message):
        SignalMonitor(make_card([signal()])).watch(aspects, calls)


LOPSIDED, FORBIDDEN_SELF = TOGETHER.copy(), TOGETHER.copy()
LOPSIDED[0, 2] = True
FORBIDDEN_SELF[1, 1] = False


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"permissive": LOPSIDED},
            "signal 1: permissive must be symmetric, columns 3 and 5 are True one way and False",
        ),
        ({"permissive": FORBIDDEN_SELF}, "signal 1: permissive must be True on its diagonal, column 4 is False"),
        ({"permissive": np.eye(2, dtype=bool)}, r"signal 1: permissive must be a \(3, 3\) matrix"),
        ({"permissive": TOGETHER.astype(float)}, "of True and False, got .* of float64"),
        ({"intergreen_s": [1.0, 2.0, 3.0]}, r"signal 1: intergreen_s must be one number or of shape \(3, 3\)"),
        ({"yellow_s": [3.0, 3.0]}, r"signal 1: yellow_s must be one number or of shape \(3,\), got shape \(2,\)"),
        ({"yellow_s": [3.0, -1.0, 3.0]}, "signal 1: yellow_s must be from 0 to .* s, got -1"),
        ({"min_green_s": float("nan")}, "signal 1: min_green_s must be from 0 to .* s, got nan"),
        ({"red_revert_s": float("inf")}, "signal 1: red_revert_s must be from 0 to .* s, got inf"),
        ({"longest_wait_s": 1e12}, "signal 1: longest_wait_s must be from 0 to"),
        ({"longest_yellow_s": "six"}, "signal 1: longest_yellow_s must be numbers of seconds, got 'six'"),
        ({"red_amber_s": -0.5}, "signal 1: red_amber_s must be from 0 to .* s, got -0.5"),
        ({"columns": (3, 4, 4)}, r"signal 1: columns must be a list of different column numbers, got \[3, 4, 4\]"),
        ({"columns": (3, 4, -1)}, "signal 1: columns must be a list of different column numbers"),
    ],
)
def test_bad_card_is_refused_with_signal_field_and_value(changes, message):
    with pytest.raises(ValueError, match=message):
        make_card([signal(), signal(**{"columns": (3, 4, 5), **changes})])


@pytest.mark.parametrize("tick_s", [0.0, -1.0, float("nan"), float("inf")])
def test_tick_without_a_length_is_refused(tick_s):
    with pytest.raises(ValueError, match="tick_s must be a positive number of seconds"):
        make_card([signal()], tick_s=tick_s)


def test_card_without_signals_watches_nothing():
    card = make_card([])
    assert watched(card, np.zeros((3, 4), np.uint8)).signals.shape == (1, 8, 0)
    assert latched(card, np.zeros((3, 4), np.uint8)) is None


def test_monitor_knows_of_the_project_only_lamps_arrays_and_how_to_compare_them():
    tree = ast.parse(Path(monitor.__file__).read_text(encoding="utf-8"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    ours = {name for name in imported if name.split(".")[0] == "intergreen"}
    signals = {f"intergreen.envs.signals.{name}" for name in ("aspects", "bits", "monitor_card")}
    assert ours == {*signals, "intergreen.envs.arrays"}


def test_monitor_names_nothing_of_phases_plans_shields_or_policies():
    tree = ast.parse(Path(monitor.__file__).read_text(encoding="utf-8"))
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    names |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    names |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    for word in ("phase", "plan", "shield", "policy", "network"):
        assert not [name for name in names if word in name.lower()]


def test_numbers_inside_the_kernel_are_those_of_the_enumeration():
    inside = {name: value for name, value in vars(monitor).items() if name.startswith("_") and type(value) is int}
    inside["_DUAL_INDICATION"] = inside.pop("_DUAL")
    assert inside == {f"_{fault.name}": int(fault) for fault in Fault if fault is not Fault.NONE}
