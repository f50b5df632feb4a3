"""The shield: the state machine that shows only what the timing rules allow, second by second, whatever is wanted.

Plain functions on the rows of one replica: NumPy and lists run them as they are, `numba.njit` compiles them unchanged.
They know the phases of a signal by number and nothing of traffic, policies or environments. One order of calls makes a
second: `request` where a decision is due, then `tick`. Most seconds change nothing at most signals: `may_change` tells
from a few numbers which, and only the others come to `change`. Who asks for one is not heard before the least green
has been shown, and a green that lasts beyond its longest since nobody has called is left alone until somebody does.

A wish stands until the next request. A change begins as soon as the least green has been shown; it shows yellow and red
in full, and a movement that both phases serve stays green throughout. Before any wish come calls, as late as all can
still be met in time: if a change begins that is wished for, then with k phases to serve the last one is green after it
and k more changes and least greens, so none is begun once the k-th oldest call of all turns has lasted for
`Rules.call_limit` of k; and while the present green goes on, one change and least green less lie ahead. From then on
the oldest call is served first, until there is time again (earliest deadline first, Liu and Layland 1973). And a phase
ends at its longest green while others wait. A call lasts as long as somebody calls: who leaves and comes again begins
anew, as at detectors without memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from intergreen.envs.arrays import FROM_START
from intergreen.envs.signals.aspects import GREEN, RED, RED_AMBER, YELLOW
from intergreen.envs.signals.bits import WIDTH, alike, lowest
from intergreen.envs.signals.state import (
    ALWAYS,
    DELAYED,
    FORCED_GREEN,
    FORCED_WAIT,
    N_INTERVENTIONS,
    NEVER,
    NO_NEWS,
    NO_PHASE,
    NOT_SHOWN,
    REFUSED,
)

if TYPE_CHECKING:
    from intergreen.envs.arrays import ByteArray, IntArray
    from intergreen.envs.signals.rules import Rules
    from intergreen.envs.signals.state import SignalState

_STAYS = 8  # marks a movement while its signal is painted


def start(phase: IntArray, rules: Rules, state: SignalState) -> None:
    """Begin with the local phases (B, I), -1: wait for the first wish. All red first where the rules say so."""
    for i in range(phase.shape[1]):
        for b in range(phase.shape[0]):
            one = phase[b, i]
            if not 0 <= one < rules.n_phases[i] or rules.may_show[rules.phase_offset[i] + one] == 0:
                one = NO_PHASE
            seconds = 0 if one < 0 else transition_s(i, NO_PHASE, one, rules)
            if rules.overdue[i] > 0 and seconds > 0:
                state.target[b, i], state.left[b, i] = one, seconds
            else:
                state.phase[b, i] = one


def request(wanted: IntArray, rules: Rules, state: SignalState) -> None:
    """Take the wanted local phases (I,) of one decision; -1 and whatever may not be shown mean: the present one.

    While a signal with a clearance phase clears, a new wish changes what follows and never when.
    """
    for i in range(len(wanted)):
        one = wanted[i]
        state.wish[i] = NO_PHASE
        if one == NO_PHASE:
            continue
        if not 0 <= one < rules.n_phases[i] or one != int(one) or rules.may_show[rules.phase_offset[i] + int(one)] == 0:
            state.interventions[i * N_INTERVENTIONS + REFUSED] += 1
            continue
        wish, phase = int(one), state.phase[i]
        state.wish[i] = wish
        if state.target[i] >= 0:
            if rules.clearance_phase[i] >= 0:
                state.target[i] = wish
                state.due[i] = ALWAYS
        elif phase != wish and not may_end(i, rules, state):
            state.interventions[i * N_INTERVENTIONS + DELAYED] += 1


def tick(rules: Rules, state: SignalState, calls: ByteArray, green: ByteArray) -> None:
    """Show one second: `aspects` and `green` (M,), 1 for green, of every movement at a signal.

    calls  (M,) 1 where somebody waits at the stop line, else 0; read only where `Rules` knows a longest green or wait
    """
    hear(rules, state, calls)
    any_may = False
    for i in range(len(state.phase)):
        any_may |= may_change(i, rules, state)
    if any_may:
        for i in range(len(state.phase)):
            if may_change(i, rules, state):
                change(i, rules, state, calls, green)
    for i in range(len(state.phase)):
        clears = state.left[i] > 0
        state.left[i] -= clears
        state.green_s[i] += (not clears) & (state.phase[i] >= 0)
    state.time[0] += 1


def may_change(i: int, rules: Rules, state: SignalState) -> bool:
    """False: signal `i` shows for certain what it showed before. Branches would cost more than all the rest."""
    is_due = (state.green_s[i] - state.left[i] >= state.due[i]) & (state.rests[i] == 0)
    is_overdue = (rules.overdue[i] > 0) & (state.time[0] - rules.service[i] >= state.call_due[i])
    is_asked = is_overdue | ((state.wish[i] >= 0) & (state.wish[i] != state.phase[i]))
    return is_due | (is_asked & (state.left[i] == 0) & (state.green_s[i] >= state.least[i]))


def change(i: int, rules: Rules, state: SignalState, calls: ByteArray, green: ByteArray) -> None:
    """Let signal `i` begin or end a phase or a part of a transition, if it is time."""
    if state.left[i] == 0:
        if state.target[i] >= 0:
            state.phase[i] = state.target[i]
            state.target[i] = NO_PHASE
            state.green_s[i] = 0
            state.displayed[i] = NOT_SHOWN  # the phase may be the one that was shown as clearance
        elif state.wish[i] != state.phase[i] or minds_calls(i, rules, state):
            following = next_phase(i, rules, state, calls)
            if following >= 0:
                seconds = transition_s(i, state.phase[i], following, rules)
                if seconds > 0:
                    state.target[i] = following
                    state.left[i] = seconds
                else:
                    state.phase[i] = following
                state.green_s[i] = 0
    j = rules.intersection[i]
    first, past = rules.movement_start[j] & FROM_START, rules.movement_start[j + 1] & FROM_START
    if state.left[i] > 0 or state.phase[i] < 0:
        now = rules.clearance_phase[i]
        left, repainted = paint_transition(i, rules, state)
        state.due[i] = -left
    else:
        now = state.phase[i]
        longest = rules.max_green[rules.phase_offset[i] + now]
        state.due[i] = longest if longest > 0 else NEVER
        state.least[i] = rules.min_green[rules.phase_offset[i] + now]
        repainted = state.displayed[i] != now
        if repainted:
            for m in range(first, past):
                state.aspects[m] = RED
            shown = rules.phase_offset[i] + now
            for k in range(rules.phase_movement_start[shown], rules.phase_movement_start[shown + 1]):
                state.aspects[rules.phase_movements[k]] = GREEN
    state.displayed[i] = now
    if repainted:
        note_greens(first, past, rules.overdue[i] > 0, state, calls, green)
    is_late = state.left[i] == 0 and state.phase[i] >= 0 and is_at_longest_green(i, 0, rules, state)
    state.rests[i] = is_late and rules.overdue[i] > 0  # whoever calls now does not end it, whoever begins to is heard


def note_greens(
    first: int, past: int, minds_calls: bool, state: SignalState, calls: ByteArray, green: ByteArray
) -> None:
    """Note who of these movements gets green now and who loses it; a call of the latter begins at once."""
    now = state.time[0]
    for k in range(first, past):
        m = k & FROM_START
        if state.aspects[m] == GREEN:
            green[m] = 1
            state.red_since[m] = -1
            state.call_since[m] = -1
            state.news[m] = NO_NEWS
        else:
            green[m] = 0
            if state.red_since[m] < 0:
                state.red_since[m] = now
                state.news[m] = 1 if minds_calls else NO_NEWS
                note_call(m, state, calls)


def hear(rules: Rules, state: SignalState, calls: ByteArray) -> None:
    """Note the calls that begin or end in this second; where somebody calls the longest green ends."""
    if len(calls) < WIDTH:
        for m in range(len(calls)):
            hear_one(m, rules, state, calls)
        return
    for part in range(0, len(calls), WIDTH):
        first = min(part, len(calls) - WIDTH)  # the last part begins in the one before
        news = alike(calls, state.news, first)
        while news != 0:
            hear_one(first + lowest(news), rules, state, calls)
            news &= news - 1


def hear_one(m: int, rules: Rules, state: SignalState, calls: ByteArray) -> None:
    """The same for one movement."""
    if note_call(m, state, calls):
        state.rests[signal_of(m, rules)] = 0


def note_call(m: int, state: SignalState, calls: ByteArray) -> bool:
    """Does a call for the movement begin or end in this second? Then it has done so."""
    is_news = calls[m] == state.news[m]
    if is_news:
        state.call_since[m] = state.time[0] if calls[m] != 0 else -1
        state.news[m] = 1 - calls[m]
    return is_news


def signal_of(m: int, rules: Rules) -> int:
    """The signal of a movement that has one; they stand in the order of their movements."""
    i, past = 0, len(rules.intersection)
    while past - i > 1:
        middle = (i + past) // 2
        if rules.movement_start[rules.intersection[middle]] <= m:
            i = middle
        else:
            past = middle
    return i


def red_seconds(state: SignalState, out: IntArray) -> None:
    """Write to `out` (M,) the seconds for which each movement has been without green."""
    for m in range(len(out)):
        out[m] = 0 if state.red_since[m] < 0 else state.time[0] - state.red_since[m]


def overruled(interventions: IntArray, out: IntArray) -> None:
    """Write to `out` (I,) how often each signal's wish was overruled, for whatever reason."""
    for i in range(len(out)):
        out[i] = 0
        for reason in range(N_INTERVENTIONS):
            out[i] += interventions[i * N_INTERVENTIONS + reason]


def granted(rules: Rules, state: SignalState, calls: ByteArray, interval_s: int, out: ByteArray) -> None:
    """Write to `out` (P,) 1 for every phase of a signal that a wish for it would make, or keep, its next green.

    Its transition begins within `interval_s`, or it lasts so long, if nobody begins or ceases to call meanwhile.
    """
    for i in range(len(state.phase)):
        offset, phase, target = rules.phase_offset[i], state.phase[i], state.target[i]
        rest_s = 0 if phase < 0 else max(0, rules.min_green[offset + phase] - state.green_s[i])
        only = NO_PHASE
        if target >= 0:
            only = NO_PHASE if rules.clearance_phase[i] >= 0 else target
        elif rest_s >= interval_s:
            only = phase
        else:
            only = overdue_phase(i, rest_s, rules, state, calls)
        for p in range(rules.n_phases[i]):
            allowed = rules.may_show[offset + p] != 0 and (only < 0 or p == only)
            out[offset + p] = 1 if allowed else 0
        if target < 0 and phase >= 0 and rest_s < interval_s:
            must_end = overdue_phase(i, interval_s - 1 - rules.service[i], rules, state, calls) >= 0
            if is_at_longest_green(i, interval_s - 1, rules, state):
                must_end = must_end or waiting_phase(i, 0, rules, state, calls) >= 0
            out[offset + phase] = 1 if rules.may_show[offset + phase] != 0 and not must_end else 0


def next_phase(i: int, rules: Rules, state: SignalState, calls: ByteArray) -> int:
    """The local phase that signal `i` changes to now, -1 if it stays."""
    phase, wish = state.phase[i], state.wish[i]
    if not may_end(i, rules, state):
        return NO_PHASE
    goes_on = wish < 0 or wish == phase
    must_end = goes_on and phase >= 0 and is_at_longest_green(i, 0, rules, state)
    forced = overdue_phase(i, -rules.service[i] if goes_on and not must_end else 0, rules, state, calls)
    if forced >= 0:
        if forced != wish:
            state.interventions[i * N_INTERVENTIONS + FORCED_WAIT] += 1
        return forced
    if must_end:
        forced = waiting_phase(i, 0, rules, state, calls)
        if forced >= 0:
            state.interventions[i * N_INTERVENTIONS + FORCED_GREEN] += 1
            return forced
    return NO_PHASE if wish == phase else wish


def may_end(i: int, rules: Rules, state: SignalState) -> bool:
    """Has signal `i`, which is in no transition, shown its present phase for as long as it must?"""
    phase = state.phase[i]
    return phase < 0 or state.green_s[i] >= rules.min_green[rules.phase_offset[i] + phase]


def minds_calls(i: int, rules: Rules, state: SignalState) -> bool:
    """Can a call end the present green of signal `i`, or give it its first?"""
    phase = state.phase[i]
    return rules.overdue[i] > 0 or (phase >= 0 and rules.max_green[rules.phase_offset[i] + phase] > 0)


def is_at_longest_green(i: int, ahead_s: int, rules: Rules, state: SignalState) -> bool:
    """In so many seconds, will signal `i` have shown its present phase for as long as it may while others wait?"""
    longest = rules.max_green[rules.phase_offset[i] + state.phase[i]]
    return 0 < longest <= state.green_s[i] + ahead_s


def may_be_overdue(i: int, ahead_s: int, rules: Rules, state: SignalState) -> bool:
    """In so many seconds, may calls of signal `i` come before a change?"""
    return rules.overdue[i] > 0 and state.time[0] + ahead_s >= state.call_due[i]


def overdue_phase(i: int, ahead_s: int, rules: Rules, state: SignalState, calls: ByteArray) -> int:
    """The phase that the oldest call must have in so many seconds; -1 if no call comes before a change then.

    Notes when that is to be asked again: a call that begins later has a limit later than any of the least.
    """
    if not may_be_overdue(i, ahead_s, rules, state):
        return NO_PHASE
    due, oldest = overdue_at(i, state.time[0] + ahead_s, rules, state)
    state.call_due[i] = min(due, state.time[0] + rules.overdue[i])
    if due > state.time[0] + ahead_s:
        return NO_PHASE
    return waiting_phase(i, state.time[0] - oldest, rules, state, calls)


def overdue_at(i: int, at: int, rules: Rules, state: SignalState) -> tuple[int, int]:
    """The second from which on calls of signal `i` come before a change, if none begins or ends, and in which the
    oldest began; NEVER if none lasts. Of the first no more than that it is later, if it is later than `at`.

    With k turns that have had a call for as long as this one or longer, it is the k-th limit that counts.
    """
    oldest = oldest_call(i, rules, state)
    if oldest + rules.overdue[i] > at:  # as at most times
        return min(oldest + rules.overdue[i], NEVER), oldest
    first, past = rules.turn_start[i], rules.turn_start[i + 1]
    soonest = NEVER
    for t in range(first, past):
        since = call_of(i, rules.turns[t], rules, state)
        due = since + rules.overdue[i]
        if due <= at:
            k = first - 1
            for other in range(first, past):
                k += call_of(i, rules.turns[other], rules, state) <= since
            due = since + rules.call_limit[k]
        soonest = min(soonest, due)
    return soonest, oldest


def oldest_call(i: int, rules: Rules, state: SignalState) -> int:
    """The second in which the oldest call of signal `i` began that still lasts; NEVER: none."""
    j, oldest = rules.intersection[i], NEVER
    for k in range(rules.movement_start[j], rules.movement_start[j + 1]):
        since = state.call_since[np.uint64(k)]
        oldest = min(oldest, since if since >= 0 else NEVER)
    return oldest


def call_of(i: int, phase: int, rules: Rules, state: SignalState) -> int:
    """The second in which the oldest call began that local phase `phase` of signal `i` would serve; NEVER: none."""
    shown, oldest = rules.phase_offset[i] + phase, NEVER
    for k in range(rules.phase_movement_start[shown], rules.phase_movement_start[shown + 1]):
        since = state.call_since[rules.phase_movements[k]]
        oldest = min(oldest, since if since >= 0 else NEVER)
    return oldest


def waiting_phase(i: int, call_s: int, rules: Rules, state: SignalState, calls: ByteArray) -> int:
    """In turn after the present phase, the first that serves a call of `call_s` seconds or more; -1 if none waits."""
    j = rules.intersection[i]
    anybody = False
    for k in range(rules.movement_start[j], rules.movement_start[j + 1]):
        m = np.uint64(k)  # unsigned: no index is asked if it counts from the end
        anybody |= waits(m, call_s, state, calls)  # type: ignore[arg-type]
    if not anybody:
        return NO_PHASE
    first, past = rules.turn_start[i], rules.turn_start[i + 1]
    start = first
    while start < past and rules.turns[start] <= state.phase[i]:
        start += 1
    for step in range(past - first):
        phase = rules.turns[first + (start - first + step) % (past - first)]
        shown = rules.phase_offset[i] + phase
        for k in range(rules.phase_movement_start[shown], rules.phase_movement_start[shown + 1]):
            if waits(rules.phase_movements[k], call_s, state, calls):
                return phase
    return NO_PHASE


def waits(m: int, call_s: int, state: SignalState, calls: ByteArray) -> bool:
    """Does somebody call for the movement, which has no green, and has for `call_s` seconds or more?"""
    since = state.call_since[m]
    is_old = (call_s <= 0) | ((since >= 0) & (state.time[0] - since >= call_s))
    return (calls[m] != 0) & (state.aspects[m] != GREEN) & is_old


def transition_s(i: int, old: int, new: int, rules: Rules) -> int:
    """Seconds from the end of green of local phase `old`, -1 none, to the beginning of `new`."""
    return rules.transition[rules.transition_start[i] + (old + 1) * rules.n_phases[i] + new]


def paint_transition(i: int, rules: Rules, state: SignalState) -> tuple[int, bool]:
    """Write the aspects of a second between two phases; before the first wish, red.

    Returns how much of the transition is left when the signal next shows something else, and whether it is painted anew
    so that others may have green than before.
    """
    j, offset, start, movements = (
        rules.intersection[i],
        rules.phase_offset[i],
        rules.phase_movement_start,
        rules.phase_movements,
    )
    old, new = state.phase[i], state.target[i]
    seconds = transition_s(i, old, new, rules) if new >= 0 else 0
    shown_s = seconds - state.left[i]
    begins = state.displayed[i] != rules.clearance_phase[i] or shown_s == 0
    if begins:
        paint_ends(i, rules, state)
    announces = state.left[i] <= rules.red_amber[i]
    if new >= 0 and rules.clearance_phase[i] < 0 and (begins or announces):
        for k in range(start[offset + new], start[offset + new + 1]):
            m = movements[k]
            if state.aspects[m] == YELLOW:
                state.aspects[m] = _STAYS
            elif state.aspects[m] == RED and announces:
                state.aspects[m] = RED_AMBER
    left = rules.red_amber[i] if rules.red_amber[i] < state.left[i] else 0
    for k in range(rules.movement_start[j], rules.movement_start[j + 1]):
        m = k & FROM_START
        if state.aspects[m] == YELLOW and shown_s >= rules.yellow[m]:
            state.aspects[m] = RED
        elif state.aspects[m] == _STAYS:
            state.aspects[m] = GREEN
        if state.aspects[m] == YELLOW:
            left = max(left, seconds - rules.yellow[m])
    return left if new >= 0 else NEVER, begins  # until the first wish, which may come at any time


def paint_ends(i: int, rules: Rules, state: SignalState) -> None:
    """Write yellow where the old phase had green and red elsewhere, and mark what the clearance phase keeps."""
    j = rules.intersection[i]
    for m in range(rules.movement_start[j], rules.movement_start[j + 1]):
        state.aspects[m] = RED
    old, new, between = state.phase[i], state.target[i], rules.clearance_phase[i]
    offset, start, movements = rules.phase_offset[i], rules.phase_movement_start, rules.phase_movements
    if old >= 0 and new >= 0:
        for k in range(start[offset + old], start[offset + old + 1]):
            state.aspects[movements[k]] = YELLOW
    if between >= 0:
        for k in range(start[offset + between], start[offset + between + 1]):
            state.aspects[movements[k]] = _STAYS


HELPERS = (
    waits,
    minds_calls,
    is_at_longest_green,
    next_phase,
    may_be_overdue,
    call_of,
    oldest_call,
    overdue_at,
    overdue_phase,
    waiting_phase,
    transition_s,
    paint_transition,
    paint_ends,
    may_end,
    may_change,
    change,
    note_greens,
    note_call,
    signal_of,
    hear_one,
    hear,
)
