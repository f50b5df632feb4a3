"""What the shield would grant, for many signals at once: `shield.granted` by whole arrays, where nothing is compiled.

It tells who decides what a wish would lead to, and decides nothing itself. A test holds it equal to `shield.granted`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from intergreen.envs.signals.aspects import GREEN
from intergreen.envs.signals.shield import NO_PHASE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from intergreen.envs.arrays import BoolArray, ByteArray, IntArray
    from intergreen.envs.signals.rules import Rules
    from intergreen.envs.signals.shield import SignalState

_LATER = 1 << 20  # in turn: a phase below the present one comes when all above it have had theirs
_NOT_IN_TURN = 1 << 30


class Grants(NamedTuple):
    """What of the rules of I signals does not change; P phases of the network."""

    rules: Rules
    signal: NDArray[np.intp]  # (P,) of each phase of the network; I where it has none
    local: IntArray  # (P,) its number there
    may_show: BoolArray  # (P,) False where it has none
    turns: IntArray  # (I, T) local phases that have their turn, ascending, `_NOT_IN_TURN` behind them
    movement: NDArray[np.intp]  # (I, m) of each signal, M where there is none
    serves: BoolArray  # (I, T, m) whom each turn serves


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
    first, past = rules.movement_start[rules.intersection], rules.movement_start[rules.intersection + 1]
    n_turns = np.diff(rules.turn_start)
    turns = np.full((len(counts), max(n_turns, default=0)), _NOT_IN_TURN, np.int32)
    turns[np.arange(turns.shape[1]) < n_turns[:, None]] = rules.turns
    width = int((past - first).max(initial=0))
    movement = first[:, None] + np.arange(width)
    movement[np.arange(width) >= (past - first)[:, None]] = n_movements
    serves = np.zeros((*turns.shape, width), np.bool_)
    for i in range(len(counts)):
        for k, phase in enumerate(turns[i, : n_turns[i]].tolist()):
            begin, end = rules.phase_movement_start[rules.phase_offset[i] + phase :][:2].tolist()
            serves[i, k, rules.phase_movements[begin:end] - first[i]] = True
    return Grants(rules, signal, local, may_show, turns, movement.astype(np.intp), serves)


def granted_phases(grants: Grants, state: SignalState, calls: ByteArray, interval_s: int) -> ByteArray:
    """(P,) what `shield.granted` writes; state: the rows of one replica."""
    g, rules = grants, grants.rules
    phase, target = state.phase, state.target
    shown = rules.phase_offset + np.maximum(phase, 0)
    rest_s = np.where(phase < 0, 0, np.maximum(0, rules.min_green[shown] - state.green_s))
    may_end = (target < 0) & (rest_s < interval_s)
    stays = np.where((target < 0) & ~may_end, phase, NO_PHASE)
    only = np.where((target >= 0) & (rules.clearance_phase < 0), target, stays)
    overdue = np.flatnonzero(may_end & _is_overdue(rest_s, rules, state))
    only[overdue] = _in_turn(overdue, (rules.overdue - rest_s)[overdue], calls, g, state)
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
    overdue = np.flatnonzero(ends & _is_overdue(ahead_s, rules, state))
    must_end[overdue] = _in_turn(overdue, (rules.overdue - ahead_s)[overdue], calls, g, state) >= 0
    longest = rules.max_green[shown]
    at_longest = np.flatnonzero(ends & (longest > 0) & (state.green_s + ahead_s >= longest))
    must_end[at_longest] |= _in_turn(at_longest, np.zeros(len(at_longest), np.int32), calls, g, state) >= 0
    return must_end


def _is_overdue(ahead_s: IntArray | int, rules: Rules, state: SignalState) -> BoolArray:
    overdue: BoolArray = (rules.overdue > 0) & (state.time[0] + ahead_s - state.oldest_call >= rules.overdue)
    return overdue


def _in_turn(which: NDArray[np.intp], call_s: IntArray, calls: ByteArray, g: Grants, state: SignalState) -> IntArray:
    """(n,) the first phase in turn after the present one that serves a call of `call_s` (n,) or more; -1 none.

    which : (n,) signals
    """
    if len(which) == 0:
        return np.empty(0, np.int32)
    movement = g.movement[which]  # (n, m)
    calling = np.append((calls != 0) & (state.aspects != GREEN), False)[movement]  # nobody calls where there is none
    since = np.append(state.call_since, -1)[movement]
    waits = calling & ((call_s[:, None] <= 0) | ((since >= 0) & (state.time[0] - since >= call_s[:, None])))
    serves = (g.serves[which] & waits[:, None]).any(axis=2)
    turns = g.turns[which]
    order = np.where(turns <= state.phase[which, None], turns + _LATER, turns)
    order = np.where(serves, order, _NOT_IN_TURN)
    first = order.min(axis=1, initial=_NOT_IN_TURN)
    return np.where(first == _NOT_IN_TURN, NO_PHASE, first % _LATER).astype(np.int32)
