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
from intergreen.envs.signals.aspects import DARK, GREEN, RED, RED_AMBER, YELLOW
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
_N_FAULTS = len(Fault)
_AT_ONCE, _FEW = 32, 8  # channels compared together


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
    seen: ByteArray  # (N,) last aspect
    called: ByteArray  # (N,) last call while the green lamp was not lit
    stage: ByteArray  # (N,) UNSEEN, STOP_STAGE, YELLOW_STAGE, GREEN_STAGE


class MonitorMemory(NamedTuple):
    """The states of B replicas in few arrays, so that a compiled caller is handed few; see `MonitorState`."""

    signals: IntArray  # (B, 8, I) tick to n_faults
    channels: IntArray  # (B, 8, N) shown_since to call_due
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
    channels = np.array([0, -1, -1, -1, NEVER, 0, NEVER, NEVER], np.int32)
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
    n_signals = card.channel_start.shape[0] - 1
    t = state.tick[0]
    state.tick[0] = t + 1
    i = 0
    while i < n_signals:  # what changes is looked for in whole rows
        past_i, column = card.row_past[i], card.first_column[i]
        start, past = card.channel_start[i] & FROM_START, card.channel_start[past_i] & FROM_START
        i = past_i
        n_parts = (past - start) // _AT_ONCE if column >= 0 else 0
        if n_parts > 0:
            whole = n_parts * _AT_ONCE
            lamps, waiting = aspects[column : column + whole], calls[column : column + whole]
            seen, called = state.seen[start : start + whole], state.called[start : start + whole]
            for part in range(n_parts):
                if any_changes(part * _AT_ONCE, _AT_ONCE, lamps, waiting, seen, called):
                    for few in range(part * _AT_ONCE, part * _AT_ONCE + _AT_ONCE, _FEW):
                        if any_changes(few, _FEW, lamps, waiting, seen, called):
                            for c in range(few, few + _FEW):
                                if (lamps[c] != seen[c]) | ((waiting[c] != called[c]) & (lamps[c] & GREEN == 0)):
                                    notice(start + c, t, lamps[c], waiting[c], card, state)
        for n in range(start + n_parts * _AT_ONCE, past):
            aspect, calling = aspects[card.channel[n]], calls[card.channel[n]]
            if aspect != state.seen[n] or (calling != state.called[n] and aspect & GREEN == 0):
                notice(n, t, aspect, calling, card, state)

    total = 0
    for i in range(n_signals):
        if t < state.next_check[i]:
            continue
        start, past = card.channel_start[i] & FROM_START, card.channel_start[i + 1] & FROM_START
        matrix_start = card.matrix_start[i] & FROM_START
        wake = NEVER
        n_new, worst, first, second = 0, _N_FAULTS, -1, -1
        way_began, green_began = False, False
        for n in range(start, past):
            found = 0  # bits by the number of the fault
            m = card.channel[n] & FROM_START
            aspect, before = aspects[m], state.seen[n]
            if t >= state.call_due[n]:
                found |= 1 << _CYCLE_FAIL
                state.call_due[n] = NEVER
            wake = min(wake, state.call_due[n])
            if aspect == before and found == 0 and (aspect == RED) | (aspect == GREEN):
                continue  # as most channels: nothing began, and no such display is ever too long
            state_before = state.stage[n]
            stage = state_before
            is_dual = aspect == RED_AMBER or aspect > GREEN
            if aspect != before:
                way_began |= (aspect & GREEN or aspect == YELLOW) and not (before & GREEN or before == YELLOW)
                lit_until = state.shown_since[n] if before == DARK else t
                state.shown_since[n] = t

                was_dual = before == RED_AMBER or before > GREEN
                if is_dual and not was_dual:
                    state.dual_since[n] = t
                    state.dual_due[n] = t + card.dual_ticks - 1
                    if aspect == RED_AMBER:
                        state.dual_due[n] += card.red_amber[i]
                elif is_dual and state.dual_due[n] != NEVER:  # not red and amber alone: no longer excused
                    state.dual_due[n] = state.dual_since[n] + card.dual_ticks - 1
                elif not is_dual:
                    announced_nothing = was_dual and state.dual_due[n] != NEVER and aspect != GREEN
                    if announced_nothing and t - state.dual_since[n] >= card.dual_ticks:
                        found |= 1 << _DUAL
                    state.dual_due[n] = NEVER

                if aspect & GREEN:
                    stage = GREEN_STAGE
                elif aspect == YELLOW:
                    stage = YELLOW_STAGE
                elif aspect != DARK:
                    stage = STOP_STAGE
            if stage != state_before:
                since = state.stage_since[n]
                if state_before == GREEN_STAGE:
                    state.green_end[n] = lit_until
                    if since >= 0 and lit_until - since < card.green[n]:
                        found |= 1 << _SHORT_GREEN
                    if stage == STOP_STAGE:
                        state.way_end[n] = lit_until
                        if card.yellow[n] > 0:
                            found |= 1 << _SKIPPED_YELLOW
                elif state_before == YELLOW_STAGE:
                    state.way_end[n] = lit_until
                    state.yellow_due[n] = NEVER
                    if since >= 0 and lit_until - since < card.yellow[n]:
                        found |= 1 << _SHORT_YELLOW
                if stage == GREEN_STAGE and state_before != UNSEEN:
                    green_began = True
                    if state.way_end[n] >= 0 and t - state.way_end[n] < card.red_revert[n]:
                        found |= 1 << _RED_REVERT
                elif stage == YELLOW_STAGE and card.longest_yellow[n] > 0:
                    state.yellow_due[n] = t + card.longest_yellow[n]
                state.stage[n] = stage
                state.stage_since[n] = -1 if state_before == UNSEEN else t

            # What lasts too long is raised in one tick, and the monitor wakes for that tick.
            if aspect == DARK:
                dark_due = state.shown_since[n] + card.red_fail_ticks - 1
                if t == dark_due:
                    found |= 1 << _RED_FAIL
                elif t < dark_due:
                    wake = min(wake, dark_due)
            if t >= state.dual_due[n]:
                found |= 1 << _DUAL
                state.dual_due[n] = NEVER
            wake = min(wake, state.dual_due[n])
            if aspect == YELLOW:
                if t >= state.yellow_due[n]:
                    found |= 1 << _LONG_YELLOW
                    state.yellow_due[n] = NEVER
                wake = min(wake, state.yellow_due[n])
            state.seen[n] = aspect

            if found:
                for fault in range(1, _N_FAULTS):
                    if found >> fault & 1:
                        n_new += 1
                        if fault < worst:
                            worst, first, second = fault, m, -1

        if green_began:
            for k in range(start, past):
                if state.stage[k] != GREEN_STAGE or state.stage_since[k] != t:
                    continue
                for n in range(start, past):
                    pair = matrix_start + (n - start) * (past - start) + k - start
                    if card.permissive[pair]:
                        continue
                    ended = state.green_end[n]
                    if state.stage[n] == GREEN_STAGE and state.stage_since[n] < t:  # it has not ended
                        ended = state.shown_since[n] if state.seen[n] == DARK else t
                    if ended >= 0 and t - ended < card.clearance[pair]:
                        n_new += 1
                        if worst > _CLEARANCE:
                            worst, first, second = _CLEARANCE, card.channel[n], card.channel[k]

        if way_began or state.conflict_since[i] >= 0:
            one, other = -1, -1
            for n in range(start, past):
                lamps = state.seen[n]
                if one >= 0 or not (lamps & GREEN or lamps == YELLOW):
                    continue
                for k in range(n + 1, past):
                    lamps = state.seen[k]
                    pair = matrix_start + (n - start) * (past - start) + k - start
                    if one < 0 and not card.permissive[pair] and (lamps & GREEN or lamps == YELLOW):
                        one, other = card.channel[n], card.channel[k]
            if one < 0:
                state.conflict_since[i] = -1
            else:
                if state.conflict_since[i] < 0:
                    state.conflict_since[i] = t
                conflict_due = state.conflict_since[i] + card.conflict_ticks - 1
                if t == conflict_due:
                    n_new += 1
                    worst, first, second = _CONFLICT, one, other
                elif t < conflict_due:
                    wake = min(wake, conflict_due)

        state.next_check[i] = wake
        if n_new > 0:
            total += n_new
            state.n_faults[i] += n_new
            if state.fault[i] == 0:
                state.fault[i] = worst
                state.fault_tick[i] = t
                state.fault_first[i] = first
                state.fault_second[i] = second
    return total


def any_changes(first: int, n: int, lamps: ByteArray, waiting: ByteArray, seen: ByteArray, called: ByteArray) -> bool:
    """Does a lamp of `n` channels change, or a call of one without green? Without branches 32 take hardly longer than
    one."""
    changes = False
    for k in range(n):
        c = np.uint64(first + k)  # unsigned: nothing in the loop asks whether an index counts from the end
        changes |= (lamps[c] != seen[c]) | ((waiting[c] != called[c]) & (lamps[c] & GREEN == 0))
    return changes


def notice(n: int, t: int, aspect: int, calling: int, card: MonitorCard, state: MonitorState) -> None:
    """Have the signal of channel `n` looked at: now if its lamps have changed, and when a new call is too old."""
    i, before, called = card.signal[n] & FROM_START, state.seen[n], state.called[n]
    waited, waits = called != 0 and before & GREEN == 0, calling != 0 and aspect & GREEN == 0
    if waits != waited:
        longest = card.longest_wait[n]
        state.call_due[n] = t + longest if waits and longest > 0 else NEVER
        state.next_check[i] = min(state.next_check[i], state.call_due[n])
    if aspect != before:
        state.next_check[i] = t
    state.called[n] = calling


HELPERS = (any_changes, notice)


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
