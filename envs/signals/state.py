"""What the shield remembers of every signal, and the words in which it speaks of phases and of wishes overruled."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from intergreen.envs.signals.aspects import GREEN, RED

if TYPE_CHECKING:
    from intergreen.envs.arrays import ByteArray, IntArray
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.signals.plan import SignalPlan

NO_PHASE = -1
BOTH_GREEN = -1  # displayed: a transition without a clearance phase, green only where both phases have green
NOT_SHOWN = -2  # displayed: nothing yet; differs from every display, so that the first tick paints every signal
FORCED_WAIT, FORCED_GREEN, DELAYED, REFUSED = 0, 1, 2, 3  # columns of `interventions`
N_INTERVENTIONS = 4
INTERVENTIONS = ("overdue call", "maximum green", "minimum green", "no such phase")
ALWAYS, NEVER = -(1 << 30), 1 << 30  # when a signal is due
NO_NEWS = 2  # no call is that


class SignalState(NamedTuple):
    """B replicas, I signals, M movements of the network; inside a kernel: one row. int32, aspects uint8."""

    phase: IntArray  # (B, I) local phase last shown as green; -1 none yet
    target: IntArray  # (B, I) local phase that the present transition leads to; -1 none
    left: IntArray  # (B, I) seconds of the transition still to show
    displayed: IntArray  # (B, I) what was on display in the last second: a local phase, BOTH_GREEN or NOT_SHOWN
    green_s: IntArray  # (B, I) seconds for which the present green has been shown; 0 during a transition
    due: IntArray  # (B, I) at which green_s - left the signal comes to `change` even if nobody asks it to
    least: IntArray  # (B, I) green_s before which nobody who asks changes anything
    rests: IntArray  # (B, I) 1 at the longest green, which goes on since nobody calls: `due` waits for a call
    wish: IntArray  # (B, I) local phase wanted; -1: the present one
    time: IntArray  # (B, 1) seconds shown
    red_since: IntArray  # (B, M) the second in which the movement lost green; -1 it has green
    call_since: IntArray  # (B, M) the second in which the call for it began that still lasts; -1 none, or it has green
    news: ByteArray  # (B, M) the call that would be news: 1 where nobody calls, 0 where somebody does; NO_NEWS: none
    call_due: IntArray  # (B, I) before that second no call comes before a change; before a green, a service later
    aspects: ByteArray  # (B, M) lamps lit in the last second, see `aspects`
    interventions: IntArray  # (B, I * N_INTERVENTIONS) how often a wish was overruled, by reason


class SignalStatus(NamedTuple):
    """What whoever decides is told of the signals, beside their counts."""

    phase: IntArray  # (B, I) local phase last shown as green; -1 none yet
    green_s: IntArray  # (B, I) seconds for which it has been shown; 0 during a transition
    red_s: IntArray  # (B, M) seconds since each movement had green
    granted: ByteArray  # (B, P) 1 for every phase of the network that a wish would lead to now
    overruled: IntArray  # (B, I) wishes overruled so far


def signal_state(plan: SignalPlan, network: RoadNetwork, replicas: int) -> SignalState:
    """Nothing shown yet; movements that no signal controls keep the green that `standing_greens` gives them."""
    state = blank_state((replicas, plan.n_signals), network.n_movements)
    open_now = standing_greens(network, plan) == 1
    state.aspects[:, open_now] = GREEN
    state.red_since[:, open_now] = -1
    state.news[:] = NO_NEWS
    for i in np.flatnonzero(plan.rules.overdue).tolist():
        first, past = network.movement_start[plan.intersection[i] :][:2]
        state.news[:, first:past] = 1
    return state


def blank_state(signals: tuple[int, ...], n_movements: int) -> SignalState:
    """Nothing shown yet, by (I,) or (B, I) signals with so many movements in all: all red, nobody calls."""

    def filled(value: int, width: int) -> IntArray:
        return np.full((*signals[:-1], width), value, np.int32)

    n = signals[-1]
    return SignalState(
        phase=filled(NO_PHASE, n),
        target=filled(NO_PHASE, n),
        left=filled(0, n),
        displayed=filled(NOT_SHOWN, n),
        green_s=filled(0, n),
        due=filled(ALWAYS, n),
        least=filled(0, n),
        rests=filled(0, n),
        wish=filled(NO_PHASE, n),
        time=filled(0, 1),
        red_since=filled(0, n_movements),
        call_since=filled(-1, n_movements),
        news=filled(1, n_movements).astype(np.uint8),
        call_due=filled(0, n),
        aspects=filled(RED, n_movements).astype(np.uint8),
        interventions=filled(0, n * N_INTERVENTIONS),
    )


def replica_state(state: SignalState, b: int) -> SignalState:
    """The rows of replica `b`: what `request`, `tick` and `granted` take."""
    return SignalState(
        state.phase[b],
        state.target[b],
        state.left[b],
        state.displayed[b],
        state.green_s[b],
        state.due[b],
        state.least[b],
        state.rests[b],
        state.wish[b],
        state.time[b],
        state.red_since[b],
        state.call_since[b],
        state.news[b],
        state.call_due[b],
        state.aspects[b],
        state.interventions[b],
    )


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
