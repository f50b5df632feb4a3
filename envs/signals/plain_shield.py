"""The shield of many signals in a second, where nothing is compiled. NumPy only.

No second set of rules: `shield.request` and `shield.tick` decide here too. But by whole arrays it is
found at which signals nothing can happen, there only clocks go on, and the others are handed to the shield one by one,
as memory that plain Python reads four times as fast as entries of arrays. A test holds all of it equal to the shield.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from intergreen.envs.arrays import memory_of
from intergreen.envs.signals import shield
from intergreen.envs.signals.aspects import GREEN, YELLOW
from intergreen.envs.signals.rules import Rules
from intergreen.envs.signals.shield import N_INTERVENTIONS, SignalState

if TYPE_CHECKING:
    from intergreen.envs.arrays import BoolArray, ByteArray, IntArray

_BY_SIGNAL = ("intersection", "n_phases", "phase_offset", "clearance_phase", "transition_start", "red_amber", "overdue")
_STATE_BY_SIGNAL = ("phase", "target", "left", "displayed", "green_s", "wish", "oldest_call")


class PlainShield:
    """The shield of one replica with I signals; state: its rows, changed in place by all methods."""

    def __init__(self, rules: Rules, state: SignalState) -> None:
        self._rules, self._state = rules, state
        self._clock = [0]  # the second that the copies of one signal are told
        self._every = Rules(*(np.asarray(values).tolist() for values in rules)), _memory(state)
        self._single = [self._one(i) for i in range(len(rules.n_phases))]
        self._green = np.zeros(len(state.aspects), np.uint8)
        first, past = rules.movement_start[rules.intersection], rules.movement_start[rules.intersection + 1]
        self._hearing = np.flatnonzero((rules.overdue > 0) & (past > first))  # signals whose calls have clocks
        sizes = (past - first)[self._hearing]
        self._starts = np.cumsum(sizes) - sizes
        steps = np.arange(sizes.sum()) - np.repeat(self._starts, sizes)
        self._heard = (np.repeat(first[self._hearing], sizes) + steps).astype(np.int32)  # (H,) their movements
        self._signal_of_movement = np.full(len(state.aspects), -1, np.int32)
        for i, (start, end) in enumerate(zip(first.tolist(), past.tolist(), strict=True)):
            self._signal_of_movement[start:end] = i

    def request(self, wanted: IntArray) -> None:
        """Take the wanted local phases (I,): `shield.request`."""
        rules, state = self._every
        shield.request(wanted.tolist(), rules, state)

    def tick(self, calls: ByteArray) -> None:
        """Show one second: `shield.tick`."""
        state, now = self._state, int(self._state.time[0])
        goes_on = self._goes_on()
        busy = self._may_change(calls) & ~goes_on
        heard, green = memory_of(calls), memory_of(self._green)
        for i in np.flatnonzero(busy).tolist():
            self._clock[0] = now
            shield.tick(*self._single[i], heard, green)
        state.left[goes_on] -= 1
        state.green_s[~(busy | goes_on)] += 1
        self._hear(calls, now)
        state.time[0] = now + 1

    def _may_change(self, calls: ByteArray) -> BoolArray:
        """(I,) False where the display stays as it is for certain, and nothing but clocks goes on."""
        rules, state = self._rules, self._state
        phase, wish = state.phase, state.wish
        rests = (state.left == 0) & (state.target < 0) & (phase >= 0) & (state.displayed == phase)
        shown = rules.phase_offset + np.maximum(phase, 0)
        longest = rules.max_green[shown]
        may_end = state.green_s >= rules.min_green[shown]
        is_asked = (wish >= 0) & (wish != phase)
        is_asked |= (rules.overdue > 0) & (state.time[0] - state.oldest_call >= rules.overdue)
        at_longest = rests & may_end & ~is_asked & (longest > 0) & (state.green_s >= longest)
        if at_longest.any():
            is_asked |= at_longest & self._somebody_waits(calls)
        changes: BoolArray = ~rests | (may_end & is_asked)
        return changes

    def _goes_on(self) -> BoolArray:
        """(I,) True where a transition shows what it showed a second ago, for certain: no yellow ends, no green is
        announced."""
        rules, state = self._rules, self._state
        begun = (state.left > rules.red_amber) & (state.target >= 0) & (state.displayed == rules.clearance_phase)
        if not begun.any():
            return begun
        row = rules.transition_start + (state.phase + 1) * rules.n_phases
        shown_s = rules.transition[np.where(begun, row + state.target, 0)] - state.left
        begun &= shown_s > 0
        ends = np.zeros(len(begun) + 1, np.bool_)  # the last for movements of no signal
        yellow = np.flatnonzero(state.aspects == YELLOW)
        signal = self._signal_of_movement[yellow]
        ends[signal[shown_s[signal] >= rules.yellow[yellow]]] = True
        goes_on: BoolArray = begun & ~ends[:-1]
        return goes_on

    def _somebody_waits(self, calls: ByteArray) -> BoolArray:
        """(I,) does anybody call for a movement that has no green?"""
        waits = np.zeros(len(self._state.phase) + 1, np.bool_)  # the last for movements of no signal
        waits[self._signal_of_movement[(calls != 0) & (self._state.aspects != GREEN)]] = True
        return waits[:-1]

    def _hear(self, calls: ByteArray, now: int) -> None:
        """Calls that begin, and the oldest of every signal; once more for those that `tick` has heard."""
        state, which = self._state, self._heard
        if len(which) == 0:
            return
        since = state.call_since[which]
        begins = (since < 0) & (calls[which] != 0) & (state.red_since[which] >= 0)
        since[begins] = now
        state.call_since[which] = since
        state.oldest_call[self._hearing] = np.minimum.reduceat(np.where(since < 0, now, since), self._starts)

    def _one(self, i: int) -> tuple[Rules, SignalState]:
        """Rules and state of signal `i` alone; movements and phases keep the numbers of the network."""
        rules, state = self._every
        one = slice(i, i + 1)
        mine = {name: getattr(rules, name)[one] for name in _BY_SIGNAL}
        its = {name: getattr(state, name)[one] for name in _STATE_BY_SIGNAL}
        its["interventions"] = state.interventions[i * N_INTERVENTIONS : (i + 1) * N_INTERVENTIONS]
        its["time"] = self._clock
        return rules._replace(turn_start=rules.turn_start[i : i + 2], **mine), state._replace(**its)


def _memory(state: SignalState) -> Any:
    return SignalState(*(memory_of(values) for values in state))
