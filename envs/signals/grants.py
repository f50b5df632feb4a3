"""What the shield would grant, many signals at once: `shield.granted` by whole arrays, where nothing is compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from intergreen.envs.signals import shield
from intergreen.envs.signals.shield import NO_PHASE

if TYPE_CHECKING:
    from intergreen.envs.arrays import ByteArray, IntArray
    from intergreen.envs.signals.rules import Rules
    from intergreen.envs.signals.shield import SignalState


def granted_phases(rules: Rules, state: SignalState, calls: ByteArray, interval_s: int, n_phases: int) -> ByteArray:
    """(P,) what `shield.granted` writes; state: the rows of one replica.

    Signals at which a call may soon be overdue or a green at its longest are asked one by one; all others are alike.
    """
    offset, phase, target = rules.phase_offset, state.phase, state.target
    shown = offset + np.maximum(phase, 0)
    rest_s = np.where(phase < 0, 0, np.maximum(0, rules.min_green[shown] - state.green_s))
    in_transition = (target >= 0) & (rules.clearance_phase < 0)
    only = np.where(in_transition, target, np.where((target < 0) & (rest_s >= interval_s), phase, NO_PHASE))
    signal_of_phase = np.full(n_phases, -1, np.int32)
    counts: IntArray = rules.n_phases
    signal = np.repeat(np.arange(len(counts)), counts)
    local = np.arange(len(signal)) - np.repeat(np.cumsum(counts) - counts, counts)
    at = offset[signal] + local
    signal_of_phase[at] = signal
    granted = np.zeros(n_phases, np.uint8)
    allowed = (only[signal] < 0) | (local == only[signal])
    granted[at] = (rules.may_show[at] != 0) & allowed
    soon_overdue = (rules.overdue > 0) & (state.time[0] + interval_s + rest_s - state.oldest_call >= rules.overdue)
    longest = rules.max_green[shown]
    soon_longest = (phase >= 0) & (longest > 0) & (state.green_s + interval_s > longest)
    for i in np.flatnonzero(soon_overdue | soon_longest).tolist():
        granted[offset[i] : offset[i] + counts[i]] = _of_one(i, rules, state, calls, interval_s)
    return granted


def _of_one(i: int, rules: Rules, state: SignalState, calls: ByteArray, interval_s: int) -> ByteArray:
    """(p,) of signal `i`, by `shield.granted` itself."""
    one = slice(i, i + 1)
    mine = rules._replace(
        intersection=rules.intersection[one],
        n_phases=rules.n_phases[one],
        phase_offset=rules.phase_offset[one],
        clearance_phase=rules.clearance_phase[one],
        overdue=rules.overdue[one],
        turn_start=rules.turn_start[i : i + 2],
    )
    its = state._replace(
        phase=state.phase[one],
        target=state.target[one],
        green_s=state.green_s[one],
        oldest_call=state.oldest_call[one],
    )
    out = np.zeros(int(rules.phase_offset[i] + rules.n_phases[i]), np.uint8)
    shield.granted(mine, its, calls, interval_s, out)
    return out[rules.phase_offset[i] :]
