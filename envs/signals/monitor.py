"""The monitor: an independent second reading of what the signals display, tick by tick.

Modelled on a NEMA TS 2 malfunction management unit and on its fault names. It sees the lamps that are lit and a
"program card" given separately (which channels may go together, least times), and knows nothing of how a display came
about: no phases, no plan, no policy. Plain functions on arrays: NumPy runs them, `numba.njit` compiles them unchanged.

Words. A channel is one column of the aspects. Its *stage* is what it tells drivers: green (the green lamp is lit,
whatever else is), yellow (yellow alone), or stop (red, red and amber). A dark channel keeps its stage, so that a blink
shorter than `red_fail_ticks` does not end a green; if another stage follows, the former one ended when it went dark.
*Right of way* is green or yellow, lit now.

| fault                      | meaning                                                                                |
|----------------------------|----------------------------------------------------------------------------------------|
| conflict                   | two channels that may not go together both have right of way                           |
| red fail                   | no lamp of a channel is lit                                                            |
| short yellow               | a yellow ended too soon                                                                |
| skipped yellow             | a green ended without yellow                                                           |
| yellow plus red clearance  | too little time from the end of a green to the start of a conflicting one              |
| dual indication            | two lamps of a channel are lit; red and amber may be, for a while, if green follows    |
| short green                | a green ended too soon (ours, not NEMA's)                                              |
| long yellow                | a yellow goes on too long (ours)                                                       |
| red revert                 | a channel is green again too soon after its right of way ended                         |
| cycle fail                 | somebody has waited too long for green                                                 |

A fault is raised in the first tick that shows it and once per occurrence. The first fault of every signal is latched;
of several in one tick the one that stands first in this table. Times that began before watching are unknown and raise
nothing. Sources of names and tolerances: NEMA TS 2 as the manuals of the EDI MMU-16LE and CMU-212 and of the Reno
MMU-1600G tell it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from intergreen.envs.arrays import FROM_START
from intergreen.envs.signals.aspects import DARK, GREEN, RED_AMBER, YELLOW
from intergreen.envs.signals.bits import ALL, WIDTH, alike, lit, lowest
from intergreen.envs.signals.monitor_card import NEVER

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from intergreen.envs.arrays import ByteArray, IntArray
    from intergreen.envs.signals.monitor_card import MonitorCard


class Fault(IntEnum):
    """What the monitor can find; the lower number is latched where several are found in one tick."""

    NONE = 0
    CONFLICT = 1  # right of way on two channels that may not go together
    RED_FAIL = 2  # a dark channel
    SHORT_YELLOW = 3  # a yellow shorter than the card's
    SKIPPED_YELLOW = 4  # from green to stop without yellow
    CLEARANCE = 5  # yellow plus red clearance too short before a conflicting green
    DUAL_INDICATION = 6  # two lamps of one channel at once
    SHORT_GREEN = 7  # a green below the card's minimum
    LONG_YELLOW = 8  # a yellow beyond the card's maximum
    RED_REVERT = 9  # green again too soon after the channel's own yellow
    CYCLE_FAIL = 10  # a call waits longer than allowed


FAULT_NAMES: dict[Fault, str] = {
    Fault.NONE: "none",
    Fault.CONFLICT: "conflict",
    Fault.RED_FAIL: "red fail",
    Fault.SHORT_YELLOW: "short yellow",
    Fault.SKIPPED_YELLOW: "skipped yellow",
    Fault.CLEARANCE: "yellow plus red clearance",
    Fault.DUAL_INDICATION: "dual indication",
    Fault.SHORT_GREEN: "short green",
    Fault.LONG_YELLOW: "long yellow",
    Fault.RED_REVERT: "red revert",
    Fault.CYCLE_FAIL: "cycle fail",
}

UNSEEN, STOP_STAGE, YELLOW_STAGE, GREEN_STAGE = 0, 1, 2, 3
# Plain numbers, because a compiled function cannot mix the members of an enumeration with integers.
_CONFLICT, _RED_FAIL, _SHORT_YELLOW, _SKIPPED_YELLOW = 1, 2, 3, 4
_CLEARANCE, _DUAL, _SHORT_GREEN, _LONG_YELLOW, _RED_REVERT, _CYCLE_FAIL = 5, 6, 7, 8, 9, 10


class MonitorState(NamedTuple):
    """What `watch` keeps of one replica: rows of a `MonitorMemory`. Ticks count from 0, NEVER is a tick not to come."""

    tick: IntArray  # (I,) ticks watched, in the first entry
    next_check: IntArray  # (I,) first tick to look at a signal even if nothing changes
    conflict_since: IntArray  # (I,) -1 no conflict now
    fault: IntArray  # (I,) the latched Fault
    fault_tick: IntArray  # (I,) -1 none
    fault_first: IntArray  # (I,) columns of the channels at fault; -1 none
    fault_second: IntArray  # (I,)
    n_faults: IntArray  # (I,) all that were found, the latched one included
    shown_since: IntArray  # (N,) tick in which the last aspect began
    stage_since: IntArray  # (N,) -1 before watching
    green_end: IntArray  # (N,) first tick after the last green that is over; -1 none seen
    way_end: IntArray  # (N,) first tick after the last right of way; -1 none seen
    yellow_due: IntArray  # (N,) tick in which the present yellow is too long
    dual_since: IntArray  # (N,) tick since when two lamps have been lit
    dual_due: IntArray  # (N,) tick in which that is a fault; NEVER also once it was raised
    call_due: IntArray  # (N,) tick in which the present call has waited too long; likewise
    changed: IntArray  # (N,) scratch: the channels that change in a tick, in their order
    seen: ByteArray  # (N,) last aspect
    called: ByteArray  # (N,) last call while the green lamp was not lit
    stage: ByteArray  # (N,) UNSEEN, STOP_STAGE, YELLOW_STAGE, GREEN_STAGE


class MonitorMemory(NamedTuple):
    """The states of B replicas in few arrays, so that a compiled caller is handed few; see `MonitorState`."""

    signals: IntArray  # (B, 8, I) tick to n_faults
    channels: IntArray  # (B, 9, N) shown_since to changed
    lamps: ByteArray  # (B, 3, N) seen to stage


@dataclass(frozen=True, slots=True)
class FaultReport:
    """The latched fault of one signal."""

    replica: int
    signal: int  # index on the card
    fault: str  # one of FAULT_NAMES
    tick: int  # from 0
    second: float  # the tick's start
    channels: tuple[int, ...]  # columns; of a clearance, first the one whose green ended


def make_memory(card: MonitorCard, replicas: int = 1) -> MonitorMemory:
    """Nothing seen yet, no fault; the only way to clear a latched fault."""
    n_signals, n_channels = len(card.channel_start) - 1, len(card.channel)
    signals = np.array([0, 0, -1, Fault.NONE, -1, -1, -1, 0], np.int32)
    channels = np.array([0, -1, -1, -1, NEVER, 0, NEVER, NEVER, 0], np.int32)
    lamps = np.array([DARK, 0, UNSEEN], np.uint8)
    return MonitorMemory(
        np.tile(signals[:, None], (replicas, 1, n_signals)),
        np.tile(channels[:, None], (replicas, 1, n_channels)),
        np.tile(lamps[:, None], (replicas, 1, n_channels)),
    )


def replica_rows(memory: MonitorMemory, b: int) -> MonitorState:
    """Replica `b`: what `watch` takes."""
    signals, channels, lamps = memory.signals[b], memory.channels[b], memory.lamps[b]
    return MonitorState(
        signals[0],
        signals[1],
        signals[2],
        signals[3],
        signals[4],
        signals[5],
        signals[6],
        signals[7],
        channels[0],
        channels[1],
        channels[2],
        channels[3],
        channels[4],
        channels[5],
        channels[6],
        channels[7],
        channels[8],
        lamps[0],
        lamps[1],
        lamps[2],
    )


def watch(aspects: ByteArray, calls: ByteArray, card: MonitorCard, state: MonitorState) -> int:
    """Watch one tick of one replica; its rows of the state change in place. Returns the number of new faults.

    aspects  (M,) uint8, lamps lit, `intergreen.envs.signals.aspects`
    calls    (M,) uint8, 1 where somebody waits for green
    """
    if state.tick.shape[0] == 0:
        return 0
    t = state.tick[0]
    state.tick[0] = t + 1
    n_changed = list_changes(aspects, calls, card, state)
    found, n_begun = 0, 0
    for c in range(n_changed):
        n = state.changed[c] & FROM_START
        m = card.channel[n] & FROM_START
        before, now = state.seen[n], aspects[m]
        notice_call(n, t, now, calls[m], card, state)
        if now != before:
            found += notice_lamps(n, t, now, card, state)
        state.changed[n_begun] = n  # from here on those whose right of way begins
        n_begun += (now != before) & has_way(now) & ((now != YELLOW) | (has_way(before) == 0))
    for c in range(n_begun):
        found += check_pairs(state.changed[c] & FROM_START, t, card, state)
    if any_due(t, state):
        for i in range(state.tick.shape[0]):
            if t >= state.next_check[i]:
                found += settle(i, t, card, state)
    return found


def list_changes(aspects: ByteArray, calls: ByteArray, card: MonitorCard, state: MonitorState) -> int:
    """Write to `changed` whose lamps, or whose call without green, are others than a tick ago, and return how many."""
    n_changed, i = 0, 0
    while i < state.tick.shape[0]:
        past_i, column = card.row_past[i], card.first_column[i]
        start, past = card.channel_start[i] & FROM_START, card.channel_start[past_i] & FROM_START
        i = past_i
        if column >= 0 and past - start >= WIDTH:
            n_changed = list_wide(n_changed, column - start, start, past, aspects, calls, state)
            continue
        for n in range(start, past):
            m = card.channel[n] & FROM_START
            state.changed[n_changed] = n
            n_changed += changes(aspects[m], calls[m], state.seen[n], state.called[n])
    return n_changed


def list_wide(
    n_changed: int, shift: int, start: int, past: int, aspects: ByteArray, calls: ByteArray, state: MonitorState
) -> int:
    """The same for the channels from `start` on, `WIDTH` or more, whose columns are theirs and `shift`."""
    seen, called = state.seen[start:past], state.called[start:past]
    lamps, waiting = aspects[start + shift : past + shift], calls[start + shift : past + shift]
    size = int(past - start)
    for part in range(0, size, WIDTH):
        first = min(part, size - WIDTH)  # the last part begins in the one before
        turned = (ALL ^ alike(waiting, called, first)) & (ALL ^ lit(lamps, GREEN, first))
        found = (ALL ^ alike(lamps, seen, first)) | turned
        found = (found >> (part - first)) << (part - first)
        while found != 0:
            state.changed[n_changed & FROM_START] = start + first + lowest(found)
            n_changed += 1
            found &= found - 1
    return n_changed


def changes(lamps: int, waiting: int, seen: int, called: int) -> bool:
    """Are the lamps of a channel, or its call without green, others than a tick ago? Answered without a branch."""
    return (lamps != seen) | ((waiting != called) & (lamps & GREEN == 0))


def any_due(t: int, state: MonitorState) -> bool:
    """Is there a signal to look at although nothing changes?"""
    found = False
    for i in range(state.tick.shape[0]):
        found |= t >= state.next_check[i]
    return found


def notice_call(n: int, t: int, aspect: int, calling: int, card: MonitorCard, state: MonitorState) -> None:
    """Note when a new call of channel `n` is too old."""
    waited = (state.called[n] != 0) & (state.seen[n] & GREEN == 0)
    waits = (calling != 0) & (aspect & GREEN == 0)
    longest = card.longest_wait[n]
    due = t + longest if waits & (longest > 0) else NEVER
    due = state.call_due[n] if waits == waited else due
    state.call_due[n] = due
    state.called[n] = calling
    look_at(card.signal[n] & FROM_START, due, state)


def notice_lamps(n: int, t: int, aspect: int, card: MonitorCard, state: MonitorState) -> int:
    """Note what the lamps of channel `n`, which have changed, tell; returns the number of new faults."""
    before = state.seen[n]
    lit_until = state.shown_since[n] if before == DARK else t
    state.shown_since[n] = t
    i = card.signal[n] & FROM_START
    if aspect == RED_AMBER or aspect > GREEN or before == RED_AMBER or before > GREEN:
        note_dual(n, t, aspect, before, card, state)
        look_at(i, state.dual_due[n], state)
    state.seen[n] = aspect
    stage, found = stage_of(aspect, state.stage[n]), 0
    if stage != state.stage[n]:
        found = enter_stage(n, t, stage, lit_until, card, state)
    if aspect == YELLOW:
        look_at(i, state.yellow_due[n], state)
    elif aspect == DARK:
        look_at(i, t + card.red_fail_ticks - 1, state)
    if state.conflict_since[i] >= 0:  # it may have ended
        look_at(i, t, state)
    return found


def look_at(i: int, t: int, state: MonitorState) -> None:
    """Look at signal `i` in tick `t` at the latest. In vain, where what was to end in time has ended."""
    state.next_check[i] = min(state.next_check[i], t)


def has_way(aspect: int) -> bool:
    """Is it right of way that these lamps give?"""
    return (aspect & GREEN != 0) | (aspect == YELLOW)


def stage_of(aspect: int, before: int) -> int:
    """What the lamps tell drivers who were told `before`."""
    if aspect & GREEN:
        return GREEN_STAGE
    if aspect == YELLOW:
        return YELLOW_STAGE
    return before if aspect == DARK else STOP_STAGE


def note_dual(n: int, t: int, aspect: int, before: int, card: MonitorCard, state: MonitorState) -> None:
    """Note when two lamps of channel `n` have been lit for too long; red and amber are excused if green follows."""
    is_dual, was_dual = aspect == RED_AMBER or aspect > GREEN, before == RED_AMBER or before > GREEN
    if is_dual and not was_dual:
        state.dual_since[n] = t
        state.dual_due[n] = t + card.dual_ticks - 1
        if aspect == RED_AMBER:
            state.dual_due[n] += card.red_amber[card.signal[n]]
    elif is_dual and state.dual_due[n] != NEVER:  # not red and amber alone: no longer excused
        state.dual_due[n] = state.dual_since[n] + card.dual_ticks - 1
    elif not is_dual:
        announced_nothing = state.dual_due[n] != NEVER and aspect != GREEN
        is_late = announced_nothing and t - state.dual_since[n] >= card.dual_ticks
        state.dual_due[n] = t if is_late else NEVER


def enter_stage(n: int, t: int, stage: int, lit_until: int, card: MonitorCard, state: MonitorState) -> int:
    """Channel `n` tells drivers something else than before: has what ended lasted, may what begins begin?"""
    i, before, since, found = card.signal[n] & FROM_START, state.stage[n], state.stage_since[n], 0
    lasted = lit_until - since if since >= 0 else NEVER  # what began before watching is excused
    if before == GREEN_STAGE:
        state.green_end[n] = lit_until
        if lasted < card.green[n]:
            found += latch(_SHORT_GREEN, i, t, card.channel[n], -1, state)
        if stage == STOP_STAGE:
            state.way_end[n] = lit_until
            if card.yellow[n] > 0:
                found += latch(_SKIPPED_YELLOW, i, t, card.channel[n], -1, state)
    elif before == YELLOW_STAGE:
        state.way_end[n] = lit_until
        state.yellow_due[n] = NEVER
        if lasted < card.yellow[n]:
            found += latch(_SHORT_YELLOW, i, t, card.channel[n], -1, state)
    if stage == GREEN_STAGE and before != UNSEEN:
        if state.way_end[n] >= 0 and t - state.way_end[n] < card.red_revert[n]:
            found += latch(_RED_REVERT, i, t, card.channel[n], -1, state)
    elif stage == YELLOW_STAGE and card.longest_yellow[n] > 0:
        state.yellow_due[n] = t + card.longest_yellow[n]
    state.stage[n] = stage
    state.stage_since[n] = -1 if before == UNSEEN else t
    return found


def settle(i: int, t: int, card: MonitorCard, state: MonitorState) -> int:
    """What has lasted too long at signal `i`, and when to look at it again."""
    start, past = card.channel_start[i] & FROM_START, card.channel_start[i + 1] & FROM_START
    found, wake = 0, soonest(start, past, t, card, state)
    if wake <= t:
        for n in range(start, past):
            found += end_waits(n, t, card, state)
        wake = soonest(start, past, t + 1, card, state)
    state.next_check[i] = wake
    return found + note_conflict(i, t, card, state) if state.conflict_since[i] >= 0 else found


def check_pairs(k: int, t: int, card: MonitorCard, state: MonitorState) -> int:
    """Channel `k` has right of way from this tick on: together with another that may not, or too soon after it?"""
    i = card.signal[k] & FROM_START
    start, past = card.channel_start[i] & FROM_START, card.channel_start[i + 1] & FROM_START
    row, size = (card.matrix_start[i] & FROM_START) + (k - start) * (past - start), past - start
    in_conflict = False
    for other in range(size):  # all are read, and none by a branch: so the processor takes many at a time
        n = np.uint64(start + other)
        in_conflict |= (card.permissive[np.uint64(row + other)] == 0) & has_way(state.seen[n])
    if in_conflict:
        state.conflict_since[i] = t if state.conflict_since[i] < 0 else state.conflict_since[i]
        look_at(i, t, state)
    if state.stage_since[k] != t or state.stage[k] != GREEN_STAGE:
        return 0
    is_short = False
    for other in range(size):
        n = np.uint64(start + other)
        pair, ended = np.uint64(row + other), green_ended(n, t, state)  # type: ignore[arg-type]
        is_short |= (card.permissive[pair] == 0) & (ended >= 0) & (t - ended < card.clearance_before[pair])
    return latch_clearances(i, k, t, card, state) if is_short else 0


def note_conflict(i: int, t: int, card: MonitorCard, state: MonitorState) -> int:
    """Note whether the conflict at signal `i` goes on, and raise it once it has lasted."""
    one, other = first_conflict(i, card, state)
    if one < 0:
        state.conflict_since[i] = -1
        return 0
    due = state.conflict_since[i] + card.conflict_ticks - 1
    if t < due:
        look_at(i, due, state)
    return latch(_CONFLICT, i, t, one, other, state) if t == due else 0


def soonest(start: int, past: int, from_t: int, card: MonitorCard, state: MonitorState) -> int:
    """The first tick from `from_t` on in which something on these channels will have lasted too long."""
    wake = NEVER
    for k in range(start, past):  # all are read, and none by a branch: so the processor takes many at a time
        n = np.uint64(k)
        seen, dark_due = state.seen[n], state.shown_since[n] + card.red_fail_ticks - 1
        yellow_due = state.yellow_due[n] if seen == YELLOW else NEVER
        dark_due = dark_due if (seen == DARK) & (dark_due >= from_t) else NEVER
        wake = min(wake, min(min(state.call_due[n], state.dual_due[n]), min(yellow_due, dark_due)))
    return wake


def end_waits(n: int, t: int, card: MonitorCard, state: MonitorState) -> int:
    """Raise what has lasted too long on channel `n` in this tick, once."""
    i, column, found = card.signal[n] & FROM_START, card.channel[n], 0
    if t >= state.call_due[n]:
        state.call_due[n] = NEVER
        found += latch(_CYCLE_FAIL, i, t, column, -1, state)
    if state.seen[n] == DARK and t == state.shown_since[n] + card.red_fail_ticks - 1:
        found += latch(_RED_FAIL, i, t, column, -1, state)
    if t >= state.dual_due[n]:
        state.dual_due[n] = NEVER
        found += latch(_DUAL, i, t, column, -1, state)
    if state.seen[n] == YELLOW and t >= state.yellow_due[n]:
        state.yellow_due[n] = NEVER
        found += latch(_LONG_YELLOW, i, t, column, -1, state)
    return found


def green_ended(n: int, t: int, state: MonitorState) -> int:
    """The tick in which the last green of channel `n` ended, `t` if it goes on; -1 none seen."""
    on_until = state.shown_since[n] if state.seen[n] == DARK else t
    is_on = (state.stage[n] == GREEN_STAGE) & (state.stage_since[n] < t)
    return on_until if is_on else state.green_end[n]


def latch_clearances(i: int, k: int, t: int, card: MonitorCard, state: MonitorState) -> int:
    """Raise every clearance that is too short before the green of channel `k`."""
    start, past = card.channel_start[i] & FROM_START, card.channel_start[i + 1] & FROM_START
    row, found = (card.matrix_start[i] & FROM_START) + (k - start) * (past - start), 0
    for n in range(start, past):
        pair, ended = row + n - start, green_ended(n, t, state)
        if card.permissive[pair] == 0 and ended >= 0 and t - ended < card.clearance_before[pair]:
            found += latch(_CLEARANCE, i, t, card.channel[n], card.channel[k], state)
    return found


def first_conflict(i: int, card: MonitorCard, state: MonitorState) -> tuple[int, int]:
    """The columns of the first two channels that have right of way and may not go together; -1 where there are none."""
    start, past = card.channel_start[i] & FROM_START, card.channel_start[i + 1] & FROM_START
    for n in range(start, past):
        row = (card.matrix_start[i] & FROM_START) + (n - start) * (past - start)
        for k in range(n + 1, past):
            if has_way(state.seen[n]) & has_way(state.seen[k]) & (card.permissive[row + k - start] == 0):
                return card.channel[n], card.channel[k]
    return -1, -1


def latch(fault: int, i: int, t: int, first: int, second: int, state: MonitorState) -> int:
    """Signal `i` has a fault more, 1; its first one stands, of those in one tick the one with the lowest number."""
    state.n_faults[i] += 1
    if state.fault[i] == 0 or (state.fault_tick[i] == t and fault < state.fault[i]):
        state.fault[i] = fault
        state.fault_tick[i] = t
        state.fault_first[i] = first
        state.fault_second[i] = second
    return 1


HELPERS = (
    has_way,
    stage_of,
    latch,
    look_at,
    changes,
    list_wide,
    list_changes,
    any_due,
    note_dual,
    enter_stage,
    notice_call,
    notice_lamps,
    soonest,
    end_waits,
    green_ended,
    latch_clearances,
    check_pairs,
    first_conflict,
    note_conflict,
    settle,
)


def faults(card: MonitorCard, memory: MonitorMemory) -> list[FaultReport]:
    """The latched faults of all replicas, by time."""
    reports = []
    for b in range(len(memory.signals)):
        state = replica_rows(memory, b)
        for i in np.flatnonzero(state.fault != Fault.NONE).tolist():
            tick = int(state.fault_tick[i])
            columns = int(state.fault_first[i]), int(state.fault_second[i])
            reports.append(
                FaultReport(
                    replica=b,
                    signal=i,
                    fault=FAULT_NAMES[Fault(int(state.fault[i]))],
                    tick=tick,
                    second=round(tick * card.tick_s, 6),  # 3 ticks of 0.1 s are 0.3 s
                    channels=tuple(column for column in columns if column >= 0),
                )
            )
    return sorted(reports, key=lambda report: (report.tick, report.replica, report.signal))


class SignalMonitor:
    """One replica watched in plain NumPy, for displays from anywhere: `watch` every tick, then read `faults`."""

    def __init__(self, card: MonitorCard) -> None:
        self.card = card
        self._width = int(card.channel.max(initial=-1)) + 1
        self._memory = make_memory(card)

    def watch(self, aspects: ArrayLike, calls: ArrayLike | None = None) -> int:
        """Watch one tick: lamps (M,) and calls (M,), none if left out. Returns the number of new faults."""
        lamps = self._row(aspects, "aspects", 7)
        waiting = np.zeros_like(lamps) if calls is None else self._row(calls, "calls", 1)
        if waiting.shape != lamps.shape:
            raise ValueError(f"calls must be as many as aspects, {len(lamps)}, got {len(waiting)}")
        return int(watch(lamps, waiting, self.card, replica_rows(self._memory, 0)))

    @property
    def faults(self) -> list[FaultReport]:
        """The latched fault of each signal that has one, by time."""
        return faults(self.card, self._memory)

    @property
    def n_faults(self) -> int:
        """All faults found, those after the latched ones included."""
        return int(replica_rows(self._memory, 0).n_faults.sum())

    def _row(self, values: ArrayLike, name: str, highest: int) -> ByteArray:
        row = np.asarray(values)
        if row.ndim != 1 or len(row) < self._width:
            raise ValueError(f"{name} must be one row of {self._width} columns or more, got shape {row.shape}")
        if row.dtype.kind not in "bui" or (row.size and not 0 <= int(row.min()) <= int(row.max()) <= highest):
            raise ValueError(f"{name} must be whole numbers from 0 to {highest}, got {row}")
        return row.astype(np.uint8)
