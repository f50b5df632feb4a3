"""The state machine that times the clearance between two phases, second by second.

Plain functions on the rows of one replica: NumPy runs them as they are, `numba.njit` compiles them unchanged. They
know the phases of a signal by number and nothing of traffic, policies or environments. One order of calls makes a
second: `request` where a decision is due, `show`, then `green_movements` where `show` says that a display changed.

State of one replica, each (I,) int32, over the I controlled signals:

phase           local phase last shown as green; -1 none yet
target          local phase that waits for the clearance to end; -1 none
clearance_left  seconds of clearance still to show; above 0 only while a target waits
displayed       what drivers saw in the last second: a local phase, or BOTH_GREEN
green_s         seconds for which the present green has been shown; 0 during a clearance
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from intergreen.envs.arrays import ByteArray, IntArray
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.signals.plan import SignalPlan

NO_PHASE = -1
BOTH_GREEN = -1  # displayed: clearance at a signal without a clearance phase, green only where both phases have green
NOT_SHOWN = -2  # displayed: nothing yet; differs from every display, so that the first `show` always reports a change


def request(
    wanted: IntArray,
    clearance_s: int,
    n_phases: IntArray,
    clearance_phase: IntArray,
    phase: IntArray,
    target: IntArray,
    clearance_left: IntArray,
    green_s: IntArray,
) -> None:
    """Take the wanted phases of one decision; the state changes in place.

    A phase that is green already stays. Any other phase waits for a full clearance of `clearance_s` seconds (0:
    green at once). While a clearance runs, a new request changes what follows it and never its length. A number
    that is no phase of the signal changes nothing.

    A signal without a clearance phase keeps the target its clearance began with: a movement left green because that
    target has it too would otherwise be cut off without its own clearance.
    """
    for i in range(wanted.shape[0]):
        phase_wanted = wanted[i]
        if phase_wanted < 0 or phase_wanted >= n_phases[i]:
            continue
        if target[i] >= 0:
            if clearance_phase[i] >= 0:
                target[i] = phase_wanted
        elif phase_wanted != phase[i]:
            if clearance_s > 0:
                target[i] = phase_wanted
                clearance_left[i] = clearance_s
            else:
                phase[i] = phase_wanted
                green_s[i] = 0


def show(
    clearance_phase: IntArray,
    phase: IntArray,
    target: IntArray,
    clearance_left: IntArray,
    displayed: IntArray,
    green_s: IntArray,
) -> bool:
    """Show one second: `displayed` is overwritten, the clearance counts down. Returns whether any display changed.

    A signal that no request has reached yet (`phase` and `target` both -1) shows its clearance, uncounted.
    """
    changed = False
    for i in range(phase.shape[0]):
        if clearance_left[i] > 0:
            clearance_left[i] -= 1
            green_s[i] = 0
            now = clearance_phase[i]
        else:
            if target[i] >= 0:
                phase[i] = target[i]
                target[i] = NO_PHASE
            if phase[i] >= 0:
                green_s[i] += 1
            now = phase[i] if phase[i] >= 0 else clearance_phase[i]
        if displayed[i] != now:
            displayed[i] = now
            changed = True
    return changed


def green_movements(
    intersection: IntArray,
    phase_offset: IntArray,
    phase: IntArray,
    target: IntArray,
    displayed: IntArray,
    movement_start: IntArray,
    phase_movement_start: IntArray,
    phase_movements: IntArray,
    movement_green: ByteArray,
) -> None:
    """Write 1 (green) or 0 (red) to `movement_green` (M,) at the controlled intersections; the rest keeps its value.

    `standing_greens` gives the row to begin with; it holds the intersections that are never rewritten.
    """
    for i in range(intersection.shape[0]):
        first, past = movement_start[intersection[i]], movement_start[intersection[i] + 1]
        for m in range(first, past):
            movement_green[m] = 0
        if displayed[i] >= 0:
            shown = phase_offset[i] + displayed[i]
            for k in range(phase_movement_start[shown], phase_movement_start[shown + 1]):
                movement_green[phase_movements[k]] = 1
        elif phase[i] >= 0 and target[i] >= 0:
            old, new = phase_offset[i] + phase[i], phase_offset[i] + target[i]
            for k in range(phase_movement_start[old], phase_movement_start[old + 1]):
                for n in range(phase_movement_start[new], phase_movement_start[new + 1]):
                    if phase_movements[k] == phase_movements[n]:
                        movement_green[phase_movements[k]] = 1


def standing_greens(network: RoadNetwork, plan: SignalPlan) -> ByteArray:
    """Movement row (M,) to begin with: no phases, all open; phases but no control, the first phase; controlled, red."""
    green = np.zeros(network.n_movements, dtype=np.uint8)
    n_phases = np.diff(network.phase_start)
    open_movements = n_phases[network.movement_intersection] == 0
    green[open_movements] = 1
    uncontrolled = np.setdiff1d(np.flatnonzero(n_phases > 0), plan.intersection)
    for first_phase in network.phase_start[uncontrolled]:
        start, past = network.phase_movement_start[first_phase], network.phase_movement_start[first_phase + 1]
        green[network.phase_movements[start:past]] = 1
    return green
