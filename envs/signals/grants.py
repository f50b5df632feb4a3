"""What the shield would grant, for many signals at once: `shield.granted` by whole arrays, where nothing is compiled.

It tells who decides what a wish would lead to, and decides nothing itself. A test holds it equal to `shield.granted`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from intergreen.envs.signals.aspects import GREEN
from intergreen.envs.signals.shield import NO_PHASE

if TYPE_CHECKING:
    from intergreen.envs.arrays import BoolArray, ByteArray, IntArray
    from intergreen.envs.signals.rules import Rules
    from intergreen.envs.signals.shield import SignalState

_LATER = 1 << 20  # in turn: a phase below the present one comes when all above it have had theirs
_NOT_IN_TURN = 1 << 30


class Grants(NamedTuple):
    """What of the rules of I signals does not change; K phases of all of them one after the other."""

    rules: Rules
    n_phases: int  # of the network
    at: IntArray  # (K,) number in the network
    signal: IntArray  # (K,)
    local: IntArray  # (K,)
    may_show: BoolArray  # (K,)
    signal_of_movement: IntArray  # (M,) -1 none
    turns: IntArray  # (I, T) local phases that have their turn, ascending, `_NOT_IN_TURN` behind them
    turn: IntArray  # (E,) place in `turns` of every movement that a turn serves,
    served: IntArray  # (E,) and the movement


def make_grants(rules: Rules, n_phases: int, n_movements: int) -> Grants:
    """What `granted_phases` needs, made once for the rules of a network's signals."""
    counts: IntArray = rules.n_phases
    signal = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    local = (np.arange(len(signal)) - np.repeat(np.cumsum(counts) - counts, counts)).astype(np.int32)
    at = rules.phase_offset[signal] + local
    of_movement = np.full(n_movements, -1, np.int32)
    n_turns = np.diff(rules.turn_start)
    turns = np.full((len(counts), max(n_turns, default=0)), _NOT_IN_TURN, np.int32)
    turns[np.arange(turns.shape[1]) < n_turns[:, None]] = rules.turns
    turn, served = [], []
    for i, j in enumerate(rules.intersection.tolist()):
        of_movement[rules.movement_start[j] : rules.movement_start[j + 1]] = i
        for k, phase in enumerate(turns[i, : n_turns[i]].tolist()):
            first, past = rules.phase_movement_start[rules.phase_offset[i] + phase :][:2].tolist()
            served += rules.phase_movements[first:past].tolist()
            turn += [i * turns.shape[1] + k] * (past - first)
    return Grants(
        rules, n_phases, at, signal, local, rules.may_show[at] != 0, of_movement, turns,
        np.array(turn, np.int32), np.array(served, np.int32),
    )  # fmt: skip


def granted_phases(grants: Grants, state: SignalState, calls: ByteArray, interval_s: int) -> ByteArray:
    """(P,) what `shield.granted` writes; state: the rows of one replica."""
    g, rules = grants, grants.rules
    phase, target = state.phase, state.target
    shown = rules.phase_offset + np.maximum(phase, 0)
    rest_s = np.where(phase < 0, 0, np.maximum(0, rules.min_green[shown] - state.green_s))
    may_end = (target < 0) & (rest_s < interval_s)
    stays = np.where((target < 0) & ~may_end, phase, NO_PHASE)
    only = np.where((target >= 0) & (rules.clearance_phase < 0), target, stays)
    calling = np.flatnonzero((calls != 0) & (state.aspects != GREEN)).astype(np.int32)
    overdue = may_end & _is_overdue(rest_s, rules, state)
    if overdue.any():
        only = np.where(overdue, _in_turn(rules.overdue - rest_s, calling, g, state), only)
    its_only = only[g.signal]
    granted = np.zeros(g.n_phases, np.uint8)
    granted[g.at] = g.may_show & ((its_only < 0) | (g.local == its_only))
    ends = may_end & (phase >= 0)
    must_end = _must_end(ends, shown, interval_s, calling, g, state)
    granted[shown[ends]] = (rules.may_show[shown] != 0)[ends] & ~must_end[ends]
    return granted


def _must_end(
    ends: BoolArray, shown: IntArray, interval_s: int, calling: IntArray, g: Grants, state: SignalState
) -> BoolArray:
    """(I,) will a call, overdue or at the longest green, end the present phase within the interval?"""
    rules, ahead_s = g.rules, np.full(len(ends), interval_s - 1)
    must_end = np.zeros(len(ends), np.bool_)
    overdue = ends & _is_overdue(ahead_s, rules, state)
    if overdue.any():
        must_end |= overdue & (_in_turn(rules.overdue - ahead_s, calling, g, state) >= 0)
    longest = rules.max_green[shown]
    at_longest = ends & (longest > 0) & (state.green_s + ahead_s >= longest)
    if at_longest.any():
        must_end |= at_longest & (_in_turn(np.zeros_like(ahead_s), calling, g, state) >= 0)
    return must_end


def _is_overdue(ahead_s: IntArray, rules: Rules, state: SignalState) -> BoolArray:
    overdue: BoolArray = (rules.overdue > 0) & (state.time[0] + ahead_s - state.oldest_call >= rules.overdue)
    return overdue


def _in_turn(call_s: IntArray, calling: IntArray, g: Grants, state: SignalState) -> IntArray:
    """(I,) the first phase in turn after the present one that serves a call of `call_s` (I,) or more; -1 none.

    calling : movements that somebody calls for and that have no green
    """
    since, least_s = state.call_since[calling], call_s[g.signal_of_movement[calling]]
    waits = np.zeros(len(g.signal_of_movement), np.bool_)
    waits[calling[(least_s <= 0) | ((since >= 0) & (state.time[0] - since >= least_s))]] = True
    serves = np.zeros(g.turns.size, np.bool_)
    serves[g.turn[waits[g.served]]] = True
    order = np.where(g.turns <= state.phase[:, None], g.turns + _LATER, g.turns)
    order = np.where(serves.reshape(order.shape), order, _NOT_IN_TURN)
    first = order.min(axis=1, initial=_NOT_IN_TURN)
    return np.where(first == _NOT_IN_TURN, NO_PHASE, first % _LATER).astype(np.int32)
