"""From when on calls of many signals come before any wish: `shield.overdue_at` by whole arrays; nothing is compiled.

A test holds it equal to the shield.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from intergreen.envs.signals.state import NEVER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from intergreen.envs.arrays import BoolArray, IntArray
    from intergreen.envs.signals.rules import Rules

NO_TURN = 1 << 30


class Turns(NamedTuple):
    """Of I signals, which have at most T turns and m movements."""

    phase: IntArray  # (I, T) local, ascending, `NO_TURN` behind them
    limit: IntArray  # (I, T) `Rules.call_limit`, 0 behind them
    movement: NDArray[np.intp]  # (I, m) of the network, of which there are M; M where there is none
    serves: BoolArray  # (I, T, m) whom each turn serves


def make_turns(rules: Rules, n_movements: int) -> Turns:
    """Of all signals of a network."""
    first, past = rules.movement_start[rules.intersection], rules.movement_start[rules.intersection + 1]
    n_turns = np.diff(rules.turn_start)
    shape = len(n_turns), int(n_turns.max(initial=0))
    is_turn = np.arange(shape[1]) < n_turns[:, None]
    phase, limit = np.full(shape, NO_TURN, np.int32), np.zeros(shape, np.int32)
    phase[is_turn], limit[is_turn] = rules.turns, rules.call_limit
    width = int((past - first).max(initial=0))
    movement = first[:, None] + np.arange(width)
    movement[np.arange(width) >= (past - first)[:, None]] = n_movements
    serves = np.zeros((*shape, width), np.bool_)
    for i, k in zip(*np.nonzero(is_turn), strict=True):
        begin, end = rules.phase_movement_start[rules.phase_offset[i] + phase[i, k] :][:2].tolist()
        serves[i, k, rules.phase_movements[begin:end] - first[i]] = True
    return Turns(phase, limit, movement.astype(np.intp), serves)


def calls_in_turn(turns: Turns, which: NDArray[np.intp], call_since: IntArray) -> IntArray:
    """(n, T) the second in which the oldest call began that each turn of the signals `which` (n,) would serve; NEVER
    where there is none; call_since (M,), -1: nobody calls."""
    since = np.append(call_since, np.int32(-1))[turns.movement[which]]
    lasting = np.where(since >= 0, since, np.int32(NEVER))
    return np.where(turns.serves[which], lasting[:, None, :], np.int32(NEVER)).min(axis=2, initial=NEVER)


def overdue_at(turns: Turns, which: NDArray[np.intp], since: IntArray) -> IntArray:
    """(n,) `shield.overdue_at` of the signals `which`; since (n, T): `calls_in_turn`."""
    in_order = np.sort(since, axis=1)
    soonest: IntArray = np.where(in_order < NEVER, in_order + turns.limit[which], NEVER).min(axis=1, initial=NEVER)
    return soonest
