"""The shield of many signals in a second, where nothing is compiled. NumPy only.

No second set of rules: `shield.request` and `shield.change` decide here too. But by whole arrays it is found at which
signals nothing can happen, there only clocks go on; elsewhere what the shield did in the same situation is looked up
(`remembered.py`); and signals at their longest green are handed to the shield one by one, as memory that plain Python
reads four times as fast as entries of arrays. A test holds all of it equal to the shield.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from intergreen.envs.arrays import memory_of
from intergreen.envs.signals import shield
from intergreen.envs.signals.aspects import GREEN, YELLOW
from intergreen.envs.signals.remembered import Remembered, Situations
from intergreen.envs.signals.rules import Rules
from intergreen.envs.signals.state import DELAYED, FORCED_WAIT, N_INTERVENTIONS, NEVER, NO_PHASE, SignalState
from intergreen.envs.signals.turns import calls_in_turn, make_turns, overdue_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from intergreen.envs.arrays import BoolArray, ByteArray, IntArray

_BY_SIGNAL = (
    "intersection",
    "n_phases",
    "phase_offset",
    "clearance_phase",
    "transition_start",
    "red_amber",
    "overdue",
    "service",
)
_STATE_BY_SIGNAL = ("phase", "target", "left", "displayed", "green_s", "due", "wish", "call_due")


class PlainShield:
    """The shield of one replica with I signals; state: its rows, changed in place by all methods and by nobody else."""

    def __init__(self, rules: Rules, state: SignalState) -> None:
        self._rules, self._state = rules, state
        self._every = Rules(*(np.asarray(values).tolist() for values in rules)), _memory(state)
        self._single: dict[int, tuple[Rules, SignalState]] = {}  # of those that had to be asked by themselves
        self._green = np.zeros(len(state.aspects), np.uint8)
        first, past = rules.movement_start[rules.intersection], rules.movement_start[rules.intersection + 1]
        self._first, self._past = first.tolist(), past.tolist()
        self._movements, self._signal, self._place = _owned(first, past - first)
        self._turns = make_turns(rules, len(state.aspects))
        self._heard = self._movements[rules.overdue[self._signal] > 0]  # (H,) movements whose calls have clocks
        self._remembered = Remembered(rules)
        self._display = np.array([self._shown(i) for i in range(len(first))], np.int32)  # (I,) see `Remembered`

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy reads memory of its own, and remembers anew."""
        return type(self), (self._rules, self._state)

    def request(self, wanted: IntArray) -> None:
        """Take the wanted local phases (I,): `shield.request`."""
        rules, state = self._rules, self._state
        if wanted.dtype.kind not in "iu":  # whatever it is
            shield.request(wanted.tolist(), *self._every)
            return
        is_phase = (wanted >= 0) & (wanted < rules.n_phases)
        is_phase &= rules.may_show[rules.phase_offset + np.where(is_phase, wanted, 0)] != 0
        is_noted = is_phase & ((state.target < 0) | (rules.clearance_phase < 0))
        state.wish[is_noted] = wanted[is_noted]
        delayed = is_noted & (state.target < 0) & (state.phase != wanted) & ~self._may_end()
        state.interventions[np.flatnonzero(delayed) * N_INTERVENTIONS + DELAYED] += 1
        for i in np.flatnonzero(~is_noted).tolist():
            shield.request([int(wanted[i])], *self._alone(i))  # type: ignore[arg-type]

    def tick(self, calls: ByteArray) -> None:
        """Show one second: `shield.tick`."""
        state, now = self._state, int(self._state.time[0])
        self._hear(calls, now)
        may_end = self._may_end()
        settles = (state.left == 0) & (state.target < 0)  # a wish or a call may end what is shown, or be the first
        at_longest = settles & may_end & self._at_longest(calls)
        ends = may_end & (state.wish >= 0) & (state.wish != state.phase)
        callers = self._overdue(settles & may_end & ~at_longest, now - np.where(ends, 0, self._rules.service))
        rests = settles & (state.phase >= 0) & (state.displayed == state.phase)
        goes_on = self._goes_on()
        busy = (~(rests & ~ends) | (callers != 0)) & ~(at_longest | goes_on)
        one_by_one = at_longest
        if not self._remembered.has_room:
            one_by_one, busy = at_longest | busy, np.zeros_like(busy)
        heard, green = memory_of(calls), memory_of(self._green)
        for i in np.flatnonzero(one_by_one).tolist():
            shield.change(i, *self._every, heard, green)
            self._display[i] = self._shown(i)
        goes_on |= one_by_one & ((state.left > 0) | (state.phase < 0))
        state.left[goes_on & (state.left > 0)] -= 1
        state.green_s[~(busy | goes_on)] += 1
        situations = self._situations(settles, may_end)
        for which, who in ((busy & (callers == 0), None), (busy & (callers != 0), callers)):
            if which.any():
                self._look_up(np.flatnonzero(which), situations, who)
        self._paint(busy, calls, now)
        state.time[0] = now + 1

    def _may_end(self) -> BoolArray:
        """(I,) has the present green, if there is one, been shown for long enough?"""
        rules, state = self._rules, self._state
        shown = rules.phase_offset + np.maximum(state.phase, 0)
        may_end: BoolArray = (state.phase < 0) | (state.green_s >= rules.min_green[shown])
        return may_end

    def _goes_on(self) -> BoolArray:
        """(I,) True where a transition shows what it showed a second ago, for certain: no yellow ends, no green is
        announced. It could be looked up, too, and would be a situation of its own in every second."""
        rules, state = self._rules, self._state
        begun = (state.left > rules.red_amber) & (state.target >= 0) & (state.displayed == rules.clearance_phase)
        if not begun.any():
            return begun
        row = rules.transition_start + (state.phase + 1) * rules.n_phases
        shown_s = rules.transition[np.where(begun, row + state.target, 0)] - state.left
        begun &= shown_s > 0
        yellow = np.flatnonzero(state.aspects[self._movements] == YELLOW)
        signal = self._signal[yellow]
        ends = shown_s[signal] >= rules.yellow[self._movements[yellow]]
        begun[signal[ends]] = False
        return begun

    def _at_longest(self, calls: ByteArray) -> BoolArray:
        """(I,) has the present green been shown for as long as it may, while others call and no wish ends it?"""
        rules, state = self._rules, self._state
        longest = rules.max_green[rules.phase_offset + np.maximum(state.phase, 0)]
        at_longest = (state.phase >= 0) & (longest > 0) & (state.green_s >= longest)
        at_longest &= (state.wish < 0) | (state.wish == state.phase)
        if at_longest.any():
            waits = np.zeros(len(at_longest), np.bool_)
            which = self._movements
            waits[self._signal[(calls[which] != 0) & (state.aspects[which] != GREEN)]] = True
            at_longest &= waits
        return at_longest

    def _overdue(self, settled: BoolArray, now: IntArray) -> NDArray[np.int64]:
        """(I,) whose calls are the oldest where these come before any wish, bits by their places; 0 elsewhere.

        1 for whoever it is where nothing is looked up: places may be more than there are bits.
        now (I,): the second as far as calls are concerned, which have longer where a green goes on
        """
        rules, state = self._rules, self._state
        callers = np.zeros(len(settled), np.int64)
        which = np.flatnonzero(settled & (rules.overdue > 0) & (now >= state.call_due))
        if not len(which):
            return callers
        since = calls_in_turn(self._turns, which, state.call_since)
        due = overdue_at(self._turns, which, since)
        state.call_due[which] = np.minimum(due, state.time[0] + rules.overdue[which])
        oldest = np.full(len(settled), NEVER, np.int32)  # of those whose time has come
        oldest[which] = np.where(due <= now[which], since.min(axis=1, initial=NEVER), NEVER)
        its = oldest[self._signal] < NEVER
        signal, place = self._signal[its], self._place[its]
        waits = state.call_since[self._movements[its]] == oldest[signal]
        if self._remembered.has_room:
            np.bitwise_or.at(callers, signal[waits], np.int64(1) << place[waits])
        else:
            callers[signal[waits]] = 1
        return callers

    def _situations(self, settles: BoolArray, may_end: BoolArray) -> Situations:
        state = self._state
        wish = np.where(settles & may_end, state.wish, NO_PHASE).astype(np.int32)
        return Situations(
            self._display, state.phase, state.target, state.left, state.displayed, wish, may_end | ~settles
        )

    def _look_up(self, i: NDArray[Any], situations: Situations, callers: NDArray[np.int64] | None) -> None:
        """Go on at the signals `i` as the shield did in the same situation, but for lamps and clocks of movements."""
        state, kind = self._state, self._remembered.kind[i]
        now = Situations(*(values[i] for values in situations))
        if callers is None:
            after = self._remembered.next_second(kind, now)
        else:
            after = self._remembered.next_called(kind, now, callers[i])
            state.interventions[i * N_INTERVENTIONS + FORCED_WAIT] += after.forced
        self._display[i] = after.display
        state.phase[i], state.target[i], state.left[i] = after.phase, after.target, after.left
        state.displayed[i] = after.displayed
        state.green_s[i] = state.green_s[i] * after.keeps + after.adds

    def _paint(self, busy: BoolArray, calls: ByteArray, now: int) -> None:
        """The lamps of the displays that the signals `busy` have come to, and the clocks of those who lose green."""
        state, its = self._state, busy[self._signal]
        movements, signal, place = self._movements[its], self._signal[its], self._place[its]
        aspects = self._remembered.aspects[self._display[signal], place]
        state.aspects[movements] = aspects
        is_green = aspects == GREEN
        red_since = state.red_since[movements]
        state.red_since[movements] = np.where(is_green, -1, np.where(red_since < 0, now, red_since))
        state.call_since[movements[is_green]] = -1
        ends = ~is_green & (red_since < 0) & (self._rules.overdue[signal] > 0) & (calls[movements] != 0)
        state.call_since[movements[ends]] = now

    def _hear(self, calls: ByteArray, now: int) -> None:
        """Note the calls that begin or end in this second."""
        state, which = self._state, self._heard
        if len(which) == 0:
            return
        since = state.call_since[which]
        lasts = (calls[which] != 0) & (state.red_since[which] >= 0)
        state.call_since[which] = np.where(lasts, np.where(since < 0, now, since), -1)

    def _shown(self, i: int) -> int:
        """The number of what signal `i` shows."""
        aspects = self._state.aspects[self._first[i] : self._past[i]]
        return self._remembered.display(int(self._remembered.kind[i]), aspects.tobytes())

    def _alone(self, i: int) -> tuple[Rules, SignalState]:
        """Rules and state of signal `i` alone; movements and phases keep the numbers of the network."""
        if i not in self._single:
            self._single[i] = self._one(i)
        return self._single[i]

    def _one(self, i: int) -> tuple[Rules, SignalState]:
        rules, state = self._every
        one = slice(i, i + 1)
        mine = {name: getattr(rules, name)[one] for name in _BY_SIGNAL}
        its = {name: getattr(state, name)[one] for name in _STATE_BY_SIGNAL}
        its["interventions"] = state.interventions[i * N_INTERVENTIONS : (i + 1) * N_INTERVENTIONS]
        return rules._replace(turn_start=rules.turn_start[i : i + 2], **mine), state._replace(**its)


def _memory(state: SignalState) -> Any:
    return SignalState(*(memory_of(values) for values in state))


def _owned(first: IntArray, sizes: IntArray) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """The movements of all signals, one signal after the other; the signal of each, and its place there."""
    signal = np.repeat(np.arange(len(sizes)), sizes)
    place = np.arange(len(signal)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return first[signal] + place, signal, place
