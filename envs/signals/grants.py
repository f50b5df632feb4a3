"""What the shield would grant, for many signals at once: `shield.granted` by whole arrays, where nothing is compiled.

It tells who decides what a wish would lead to, and decides nothing itself. A test holds it equal to `shield.granted`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from intergreen.envs.signals.aspects import GREEN
from intergreen.envs.signals.state import NEVER, NO_PHASE
from intergreen.envs.signals.turns import NO_TURN, calls_in_turn, make_turns, overdue_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from intergreen.envs.arrays import BoolArray, ByteArray, IntArray
    from intergreen.envs.signals.rules import Rules
    from intergreen.envs.signals.state import SignalState
    from intergreen.envs.signals.turns import Turns

_LATER = 1 << 20  # in turn: a phase below the present one comes when all above it have had theirs


class Grants(NamedTuple):
    """What of the rules of I signals does not change; P phases of the network."""

    rules: Rules
    signal: NDArray[np.intp]  # (P,) of each phase of the network; I where it has none
    local: IntArray  # (P,) its number there
    may_show: BoolArray  # (P,) False where it has none
    turns: Turns


def make_grants(rules: Rules, n_phases: int, n_movements: int) -> Grants:
    """What `granted_phases` needs, made once for the rules of a network's signals."""
    counts: IntArray = rules.n_phases
    its_signal = np.repeat(np.arange(len(counts)), counts)
    its_local = (np.arange(len(its_signal)) - np.repeat(np.cumsum(counts) - counts, counts)).astype(np.int32)
    at = rules.phase_offset[its_signal] + its_local
    signal, local = np.full(n_phases, len(counts), np.intp), np.zeros(n_phases, np.int32)
    signal[at], local[at] = its_signal, its_local
    may_show = np.zeros(n_phases, np.bool_)
    may_show[at] = rules.may_show[at] != 0
    return Grants(rules, signal, local, may_show, make_turns(rules, n_movements))


def granted_phases(grants: Grants, state: SignalState, calls: ByteArray, interval_s: int) -> ByteArray:
    """(P,) what `shield.granted` writes; state: the rows of one replica."""
    g, rules = grants, grants.rules
    phase, target = state.phase, state.target
    shown = rules.phase_offset + np.maximum(phase, 0)
    rest_s = np.where(phase < 0, 0, np.maximum(0, rules.min_green[shown] - state.green_s))
    may_end = (target < 0) & (rest_s < interval_s)
    stays = np.where((target < 0) & ~may_end, phase, NO_PHASE)
    only = np.where((target >= 0) & (rules.clearance_phase < 0), target, stays)
    overdue = np.flatnonzero(may_end & _may_be_overdue(rest_s, rules, state))
    only[overdue] = _overdue_phase(overdue, rest_s[overdue], calls, g, state)
    its_only = np.append(only, np.int32(NO_PHASE)).take(g.signal)
    may_be_granted = its_only < 0
    may_be_granted |= g.local == its_only
    may_be_granted &= g.may_show
    granted: ByteArray = may_be_granted.view(np.uint8)
    ends = may_end & (phase >= 0)
    must_end = _must_end(ends, shown, interval_s, calls, g, state)
    granted[shown[ends]] = (rules.may_show[shown] != 0)[ends] & ~must_end[ends]
    return granted


def _must_end(
    ends: BoolArray, shown: IntArray, interval_s: int, calls: ByteArray, g: Grants, state: SignalState
) -> BoolArray:
    """(I,) will a call, overdue or at the longest green, end the present phase within the interval?"""
    rules, ahead_s = g.rules, interval_s - 1
    must_end = np.zeros(len(ends), np.bool_)
    goes_on_s = ahead_s - rules.service
    overdue = np.flatnonzero(ends & _may_be_overdue(goes_on_s, rules, state))
    must_end[overdue] = _overdue_phase(overdue, goes_on_s[overdue], calls, g, state) >= 0
    longest = rules.max_green[shown]
    at_longest = np.flatnonzero(ends & (longest > 0) & (state.green_s + ahead_s >= longest))
    must_end[at_longest] |= _in_turn(at_longest, np.zeros(len(at_longest), np.int32), calls, g, state) >= 0
    return must_end


def _may_be_overdue(ahead_s: IntArray, rules: Rules, state: SignalState) -> BoolArray:
    may_be: BoolArray = (rules.overdue > 0) & (state.time[0] + ahead_s >= state.call_due)
    return may_be


def _overdue_phase(
    which: NDArray[np.intp], ahead_s: IntArray, calls: ByteArray, g: Grants, state: SignalState
) -> IntArray:
    """(n,) of the signals `which`, `shield.overdue_phase`."""
    since = calls_in_turn(g.turns, which, state.call_since)
    is_overdue = overdue_at(g.turns, which, since) <= state.time[0] + ahead_s
    its_phase = _in_turn(which, state.time[0] - since.min(axis=1, initial=NEVER), calls, g, state)
    return np.where(is_overdue, its_phase, np.int32(NO_PHASE))


def _in_turn(which: NDArray[np.intp], call_s: IntArray, calls: ByteArray, g: Grants, state: SignalState) -> IntArray:
    """(n,) the first phase in turn after the present one that serves a call of `call_s` (n,) or more; -1 none.

    which : (n,) signals
    """
    if len(which) == 0:
        return np.empty(0, np.int32)
    movement = g.turns.movement[which]  # (n, m)
    calling = np.append((calls != 0) & (state.aspects != GREEN), False)[movement]  # nobody calls where there is none
    since = np.append(state.call_since, -1)[movement]
    waits = calling & ((call_s[:, None] <= 0) | ((since >= 0) & (state.time[0] - since >= call_s[:, None])))
    serves = (g.turns.serves[which] & waits[:, None]).any(axis=2)
    phase = g.turns.phase[which]
    order = np.where(phase <= state.phase[which, None], phase + _LATER, phase)
    order = np.where(serves, order, NO_TURN)
    first = order.min(axis=1, initial=NO_TURN)
    return np.where(first == NO_TURN, NO_PHASE, first % _LATER).astype(np.int32)
