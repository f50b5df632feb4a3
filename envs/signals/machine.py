"""The shield of one signal as a function: from a state and what comes from outside to the state a second later.

Many copies of the signal are advanced in one call, as if each stood at an intersection of its own; so the compiled
shield goes through a million steps in a second, and the plain one gives the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from intergreen.envs.signals import shield
from intergreen.envs.signals.aspects import GREEN, RED
from intergreen.envs.signals.rules import Rules
from intergreen.envs.signals.state import NEVER, NO_NEWS, NO_PHASE, NOT_SHOWN, SignalState, blank_state

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from intergreen.envs.arrays import BoolArray, ByteArray, IntArray

EVERYBODY = -2  # as a caller
NONSENSE = (-7, 1 << 20)  # beside the first number that is no phase
BATCH = 4096  # copies of the signal that one call of the shield advances
PHASE, TARGET, LEFT, GREEN_S, DUE, DISPLAYED, FIRST_ASPECT = range(7)  # columns of a state
_CLOCKS = ("time", "red_since", "call_since")


class ClockError(Exception):
    """The shield counts seconds wrongly."""


class Input(NamedTuple):
    """What comes from outside in one second."""

    wish: int
    caller: int = -1  # movement of the signal that calls, -1 nobody, EVERYBODY
    is_overdue: bool = False
    other: int = -1  # a second one, overdue too, though a second less
    gone: bool = False  # all have called for as long, and have ceased to
    ages: tuple[int, ...] = ()  # in place of all these: seconds for which each movement has been called, -1 nobody


class Machine:
    """The shield of one signal as a function from states and inputs to states, many at a time.

    request, tick : the functions of `shield`, plain or compiled
    """

    def __init__(
        self,
        rules: Rules,
        *,
        request: Callable[..., None] = shield.request,
        tick: Callable[..., None] = shield.tick,
        batch: int = BATCH,
    ) -> None:
        self.rules = rules
        self.n_movements = int(rules.movement_start[1])
        self.highest_green_s = int(max(rules.min_green.max(), rules.max_green.max())) + 1
        self._request, self._tick = request, tick
        self._batch = batch
        # Late enough for a call that is a second older than any that may wait.
        self._now = 1 + int(max(rules.call_limit, default=0) + rules.service[0])
        self._many: Rules | None = None

    def states(self) -> IntArray:
        """(s, w): before the first second, with nobody's wish known, and with every phase that may come first."""
        dark = np.full(FIRST_ASPECT + self.n_movements, RED, np.int32)
        dark[DISPLAYED] = NOT_SHOWN
        rows = []
        for phase in (NO_PHASE, *np.flatnonzero(self.rules.may_show).tolist()):
            state = blank_state((1, 1), self.n_movements)
            shield.start(np.array([[phase]], np.int32), self.rules, state)
            row = dark.copy()
            begun = state.phase, state.target, state.left, state.green_s, state.due
            row[:DISPLAYED] = [int(values[0, 0]) for values in begun]
            rows.append(row)
        return np.array(rows)

    def step(self, states: IntArray, inputs: Sequence[Input]) -> IntArray:
        """(s, k, w): every state one second later under every input.

        Raises
        ------
        ClockError
            If the shield does not count the second as it should.
        """
        n_states, n_inputs, width = len(states), len(inputs), states.shape[1]
        before = np.repeat(states, n_inputs, axis=0)
        wishes = np.tile(np.array([one.wish for one in inputs], np.int32), n_states)
        calls = np.zeros((n_inputs, self.n_movements), np.uint8)
        call_since = np.full((n_inputs, self.n_movements), -1, np.int32)
        is_looked_at = np.array([bool(one.ages) for one in inputs])
        for k, one in enumerate(inputs):
            for caller, since in ((one.other, 1), (one.caller, 0 if one.is_overdue else -1)):
                if caller != -1:
                    which_m = slice(None) if caller == EVERYBODY else caller
                    calls[k, which_m] = 1
                    call_since[k, which_m] = since
            if one.gone:
                call_since[k] = 0
            if one.ages:
                ages = np.array(one.ages)
                calls[k], call_since[k] = ages >= 0, np.where(ages >= 0, self._now - ages, -1)
        after = np.empty_like(before)
        copies = min(self._batch, len(before))
        if self._many is None or len(self._many.n_phases) != copies + 1:
            self._many = repeated(self.rules, copies)
        for first in range(0, len(before), copies):
            rows = np.arange(first, first + copies) % len(before)  # the last batch is filled up from the beginning
            which = rows % n_inputs
            state = self._loaded(before[rows], call_since[which], is_looked_at[which])
            called = np.append(np.zeros(self.n_movements, np.uint8), calls[which])
            counted = state._replace(**{name: getattr(state, name).copy() for name in _CLOCKS})
            self._request(np.append(np.int32(NO_PHASE), wishes[rows]), self._many, state)
            self._tick(self._many, state, called, np.zeros(len(called), np.uint8))
            self._check_clocks(counted, state, called)
            least, rests = self._passed_over(state)
            if ((state.least > least) & (state.phase >= 0))[1:].any() or (state.rests > rests)[1:].any():
                raise ClockError("a signal is passed over although it may change")
            after[rows, PHASE], after[rows, TARGET] = state.phase[1:], state.target[1:]
            after[rows, LEFT] = state.left[1:]
            after[rows, GREEN_S] = np.minimum(state.green_s[1:], self.highest_green_s)
            after[rows, DUE], after[rows, DISPLAYED] = state.due[1:], state.displayed[1:]
            after[rows, FIRST_ASPECT:] = state.aspects.reshape(copies + 1, -1)[1:]
        return after.reshape(n_states, n_inputs, width)

    def _loaded(self, before: IntArray, call_since: IntArray, is_looked_at: BoolArray) -> SignalState:
        """The copies in these states (c, w), called since (c, m), behind the decoy.

        `SignalState.call_due` is as late as the shield may keep it; where a signal `is_looked_at` (c,), as early.
        """
        copies = len(before) + 1
        state = blank_state((copies,), copies * self.n_movements)
        state.phase[1:], state.target[1:], state.left[1:] = before[:, PHASE], before[:, TARGET], before[:, LEFT]
        state.displayed[1:], state.green_s[1:] = before[:, DISPLAYED], before[:, GREEN_S]
        state.due[1:] = before[:, DUE]
        state.time[:] = self._now
        aspects = before[:, FIRST_ASPECT:]
        is_green = aspects == GREEN
        state.aspects.reshape(copies, -1)[1:] = aspects
        state.red_since.reshape(copies, -1)[1:] = np.where(is_green, -1, 0)
        state.call_since.reshape(copies, -1)[1:] = np.where(is_green, -1, call_since)
        state.call_due[:] = self._call_due(state.call_since.reshape(copies, -1))
        state.call_due[1:][is_looked_at] = 0
        state.least[:], state.rests[:] = self._passed_over(state)
        is_heard = (state.red_since >= 0) & bool(self.rules.overdue[0])
        state.news[:] = np.where(is_heard, state.call_since < 0, NO_NEWS)
        return state

    def _call_due(self, call_since: IntArray) -> IntArray:
        """(c,) the first second in which calls since (c, m) may come before a change, one that begins now included."""
        limits = np.asarray(self.rules.call_limit, np.int32)
        lasting = np.where(call_since >= 0, call_since, NEVER)
        movements, starts = self.rules.phase_movements, self.rules.phase_movement_start
        its = [movements[starts[phase] : starts[phase + 1]] for phase in self.rules.turns]
        since = [lasting[:, of_turn].min(axis=1, initial=NEVER) for of_turn in its]
        if not since:
            return np.full(len(call_since), NEVER, np.int32)
        in_order = np.sort(np.stack(since, axis=1), axis=1)
        due = np.where(in_order < NEVER, in_order + limits, NEVER).min(axis=1)
        return np.minimum(due, self._now + limits.min()).astype(np.int32)

    def _passed_over(self, state: SignalState) -> tuple[IntArray, IntArray]:
        """`least` and `rests` of every copy, as far as the shield may go in passing over signals."""
        phase = np.maximum(state.phase, 0) % len(self.rules.min_green)  # of the decoy any number will do
        least, longest = self.rules.min_green[phase], self.rules.max_green[phase]
        is_served = served_by(self.rules).any(axis=0)
        calls = (state.call_since >= 0).reshape(len(phase), -1)
        nobody = ~(calls & is_served).any(axis=1) & bool(self.rules.overdue[0])
        is_shown = (state.phase >= 0) & (state.target < 0) & (state.left == 0)
        rests = is_shown & (longest > 0) & (state.green_s > longest) & nobody
        return np.where(state.phase >= 0, least, 0), rests.astype(np.int32)

    def _check_clocks(self, before: SignalState, after: SignalState, called: ByteArray) -> None:
        """Which second it is, and since when each movement has had red and been called for: these are inputs of a step,
        so what the shield makes of them is checked here, for every step."""
        now = int(before.time[0])
        is_green = after.aspects == GREEN
        red_since = np.where(is_green, -1, np.where(before.red_since < 0, now, before.red_since))
        lasts = (called != 0) & ~is_green
        call_since = np.where(lasts, np.where(before.call_since < 0, now, before.call_since), -1)
        if after.time[0] != now + 1:
            raise ClockError(f"second {now + 1} counts as {after.time[0]}")
        if not np.array_equal(after.red_since, red_since):
            raise ClockError("the beginning of a red is not kept")
        if not self.rules.overdue[0]:
            return
        if not np.array_equal(after.call_since, call_since):
            raise ClockError("the beginning of a call is not kept")
        if not np.array_equal(after.news, np.where(is_green, NO_NEWS, call_since < 0)):
            raise ClockError("whose call would begin or end is not kept")
        if not (after.call_due <= self._call_due(call_since.reshape(len(after.phase), -1)))[1:].all():
            raise ClockError("a call is due before the signal is looked at")


def every_input(machine: Machine) -> list[Input]:
    """Every wish, sense or nonsense, with nobody calling, anybody whom a phase may serve, everybody; overdue or not;
    and with everybody just gone who was."""
    rules = machine.rules
    n = len(rules.min_green)
    served = np.flatnonzero(served_by(rules).any(axis=0)).tolist()
    wishes = (NO_PHASE, *range(n), n, *NONSENSE)
    callers = [(-1, False), *((m, late) for m in (*served, EVERYBODY) for late in (False, True))]
    called = [Input(wish, caller, late) for caller, late in callers for wish in wishes]
    return called + [Input(wish, gone=True) for wish in wishes]


def served_by(rules: Rules) -> BoolArray:
    """(p, m): which phases of the single signal that may be shown give green to which movement."""
    served = np.zeros((len(rules.min_green), rules.movement_start[1]), np.bool_)
    for phase in np.flatnonzero(rules.may_show):
        first, past = rules.phase_movement_start[phase : phase + 2]
        served[phase, rules.phase_movements[first:past]] = True
    return served


def single(rules: Rules, i: int) -> Rules:
    """The rules of signal `i` alone, as if it were a network of its own."""
    j, n = rules.intersection[i], int(rules.n_phases[i])
    first, past = rules.movement_start[j : j + 2]
    phases = slice(rules.phase_offset[i], rules.phase_offset[i] + n)
    starts = rules.phase_movement_start[phases.start : phases.stop + 1]
    table = slice(rules.transition_start[i], rules.transition_start[i] + n * (n + 1))
    turns = slice(rules.turn_start[i], rules.turn_start[i + 1])
    zero = np.zeros(1, np.int32)
    return Rules(
        intersection=zero,
        n_phases=np.array([n], np.int32),
        phase_offset=zero,
        clearance_phase=rules.clearance_phase[i : i + 1],
        may_show=rules.may_show[phases],
        transition_start=zero,
        transition=rules.transition[table],
        min_green=rules.min_green[phases],
        max_green=rules.max_green[phases],
        yellow=rules.yellow[first:past],
        red_amber=rules.red_amber[i : i + 1],
        overdue=rules.overdue[i : i + 1],
        turn_start=np.array([0, turns.stop - turns.start], np.int32),
        turns=rules.turns[turns],
        call_limit=rules.call_limit[turns],
        service=rules.service[i : i + 1],
        movement_start=np.array([0, past - first], np.int32),
        phase_movement_start=(starts - starts[0]).astype(np.int32),
        phase_movements=(rules.phase_movements[starts[0] : starts[-1]] - first).astype(np.int32),
    )


def repeated(one: Rules, copies: int) -> Rules:
    """So many signals like the single one, at so many intersections, behind a decoy.

    The decoy has other phases and other times: who reads the first signal's numbers for another's shows them. And
    behind the phases of each copy stands one that nobody may see, all green: who counts one too far shows that.
    """
    k = np.arange(copies, dtype=np.int32)
    n_phases, n_movements = len(one.min_green) + 1, int(one.movement_start[1])
    everything = np.arange(n_movements, dtype=np.int32)
    phase_movements = np.append(one.phase_movements, everything)
    phase_starts = np.append(one.phase_movement_start, len(phase_movements))
    transition = np.append(one.transition, np.zeros(n_phases, np.int32))
    short = [1] * max(6, len(transition))  # the decoy's, more than it needs

    def after(decoy: Sequence[int], values: Any) -> Any:
        return np.append(np.array(decoy, values.dtype), np.tile(values, copies))

    def spread(decoy: Sequence[int], values: IntArray, step: int, base: int) -> IntArray:
        """`values` once for every copy, from `base` on, `step` more each time."""
        every = np.tile(values, copies) + np.repeat(k * step, len(values)) + base
        return np.append(np.array(decoy), every).astype(np.int32)

    def starts(decoy: Sequence[int], values: IntArray, step: int, base: int) -> IntArray:
        return np.append(spread(decoy, values[:-1], step, base), base + copies * step).astype(np.int32)

    zero = np.zeros(1, np.int32)
    return Rules(
        intersection=np.arange(copies + 1, dtype=np.int32),
        n_phases=after([2], one.n_phases),
        phase_offset=spread([0], zero, n_phases, 2),
        clearance_phase=after([-1], one.clearance_phase),
        may_show=after([1, 1], np.append(one.may_show, np.uint8(1))),
        transition_start=spread([0], zero, len(transition), len(short)),
        transition=after(short, transition),
        min_green=after([1, 1], np.append(one.min_green, np.int32(0))),
        max_green=after([0, 0], np.append(one.max_green, np.int32(0))),
        yellow=after([1] * n_movements, one.yellow),
        red_amber=after([0], one.red_amber),
        overdue=after([1], one.overdue),
        turn_start=starts([0], one.turn_start, len(one.turns), 2),
        turns=after([0, 1], one.turns),
        call_limit=after([2, 1], one.call_limit),
        service=after([1], one.service),
        movement_start=starts([0], one.movement_start, n_movements, n_movements),
        phase_movement_start=starts([0, 1], phase_starts, len(phase_movements), n_movements),
        phase_movements=spread(everything.tolist(), phase_movements, n_movements, n_movements),
    )
