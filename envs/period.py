"""One decision period of all replicas, compiled: shield, traffic and monitor, second by second, then the senses."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from intergreen.envs.compiled_signals import replica_rows, replica_signals, request, tick, watch
from intergreen.envs.senses import begin_sums, sense_period, sum_up
from intergreen.envs.signals.aspects import GREEN
from intergreen.envs.simulation.compile import apart, inlined, kernel
from intergreen.envs.simulation.lane_change import replica_changes
from intergreen.envs.simulation.packed import opened
from intergreen.envs.simulation.state import replica_state, replica_trips
from intergreen.envs.simulation.step import advance_one_second
from intergreen.envs.simulation.turns import take_turn
from intergreen.envs.stop_lines import detect

if TYPE_CHECKING:
    from intergreen.envs.arrays import ByteArray, IntArray
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.senses import Senses
    from intergreen.envs.signals.monitor import MonitorMemory
    from intergreen.envs.signals.monitor_card import MonitorCard
    from intergreen.envs.signals.rules import Rules
    from intergreen.envs.signals.state import SignalState
    from intergreen.envs.simulation.lane_change import Changes
    from intergreen.envs.simulation.routes import RouteTable
    from intergreen.envs.simulation.state import Loops, State, TripRows
    from intergreen.envs.simulation.statics import Statics
    from intergreen.envs.stop_lines import Detectors

_AT_ONCE_S = 16  # noted before the monitor looks: its code and memory are fetched once for all of them


class Notes(NamedTuple):
    """Of the last seconds of B replicas, until somebody looks: scratch of a period."""

    aspects: ByteArray  # (B, seconds, M) what was shown
    calls: ByteArray  # (B, seconds, M) who called
    arrived: IntArray  # (B, L) lanes whose first vehicle is at the stop line


class Period(NamedTuple):
    """Everything that a period works on, of B replicas; the same object until the next reset."""

    net: Statics
    routes: RouteTable
    loops: Loops
    trips: TripRows
    state: State
    changes: Changes | None
    rules: Rules
    shown: SignalState
    detectors: Detectors | None
    calls: ByteArray
    granted: ByteArray
    red_s: IntArray
    card: MonitorCard | None
    watched: MonitorMemory | None
    notes: Notes
    wanted: IntArray
    senses: Senses | None


def make_notes(network: RoadNetwork, replicas: int) -> Notes:
    """Nothing noted yet."""
    rows = replicas, _AT_ONCE_S, network.n_movements
    return Notes(np.zeros(rows, np.uint8), np.zeros(rows, np.uint8), np.zeros((replicas, network.n_lanes), np.int32))


@kernel
def run_period(packed, seconds):
    """Signals and traffic of one decision period, replica by replica, in place; nobody's call matters to the signals.

    Shield, traffic and monitor are functions of their own that are handed one address: together in one function they
    took each other's registers, which cost as much as shield and monitor themselves.
    """
    b = _take_replica(packed)
    while b >= 0:
        _begin_period(packed, b)
        for first in range(0, seconds, _AT_ONCE_S):
            n_seconds = min(_AT_ONCE_S, seconds - first)
            _show_seconds(packed, b, n_seconds)
            _drive_seconds(packed, b, 0, n_seconds)
            _watch_seconds(packed, b, n_seconds)
        _end_period(packed, b, seconds)
        b = _take_replica(packed)


@kernel
def run_period_with_calls(packed, seconds):
    """The same where it matters to the signals who is on the roads: second by second.

    A kernel of its own since what is handed a 1 is compiled for that: with a loop, each second put all addresses aside
    for the next ones.
    """
    b = _take_replica(packed)
    while b >= 0:
        _begin_period(packed, b)
        for first in range(0, seconds, _AT_ONCE_S):
            n_seconds = min(_AT_ONCE_S, seconds - first)
            for t in range(n_seconds):
                _hear_and_show_second(packed, b, t)
                _drive_seconds(packed, b, t, 1)
            _watch_seconds(packed, b, n_seconds)
        _end_period(packed, b, seconds)
        b = _take_replica(packed)


@inlined
def _take_replica(packed):
    """A replica that no thread has simulated yet; -1 once there are no more."""
    turns, period = opened(packed)
    b = take_turn(turns, period.wanted.shape[0])
    return b if b < period.wanted.shape[0] else -1


@apart
def _begin_period(packed, b):
    """Tell the signals what is wished, and begin to sum up the lanes where somebody senses."""
    _, period = opened(packed)
    request(period.wanted[b], period.rules, replica_signals(period.shown, b))
    begin_sums(period.senses, period, b)


@apart
def _hear_and_show_second(packed, b, t):
    """The detectors and the shield: who has arrived at a stop line, and what is shown; noted for the monitor."""
    _, period = opened(packed)
    _hear_detectors(period.detectors, replica_state(period.state, b), period.calls[b], period.notes, b, t)
    signals, green = replica_signals(period.shown, b), period.state.green[b]
    tick(period.rules, signals, period.calls[b], green)
    _note(signals.aspects, period.notes.aspects[b, t])


@apart
def _show_seconds(packed, b, n_seconds):
    """The shield: what the signals show; noted for traffic and monitor."""
    _, period = opened(packed)
    signals, calls, green = replica_signals(period.shown, b), period.calls[b], period.state.green[b]
    for t in range(n_seconds):
        tick(period.rules, signals, calls, green)
        _note(signals.aspects, period.notes.aspects[b, t])


@apart
def _drive_seconds(packed, b, first, n_seconds):
    """The traffic, under the signals as noted; lanes are summed up second by second where somebody senses."""
    _, period = opened(packed)
    state, trips, changes = replica_state(period.state, b), replica_trips(period.trips, b), _changes(period.changes, b)
    for t in range(first, first + n_seconds):
        for m in range(state.green.shape[0]):
            state.green[m] = period.notes.aspects[b, t, m] == GREEN
        advance_one_second(period.net, period.routes, period.loops, trips, state, changes)
        sum_up(period.senses, period.net, trips, state, b)


@apart
def _watch_seconds(packed, b, n_seconds):
    """The monitor: looks at the seconds that were noted."""
    _, period = opened(packed)
    _watch_notes(period.card, period.watched, period.notes, b, n_seconds)


@apart
def _end_period(packed, b, seconds):
    """Rewards and observations, where somebody senses."""
    _, period = opened(packed)
    sense_period(period.senses, period, b, seconds)


# What a period may lack is handed over by itself: code for what is None is left out where it is a parameter.


@inlined
def _changes(changes, b):
    return None if changes is None else replica_changes(changes, b)


@inlined
def _hear_detectors(detectors, state, calls, notes, b, t):
    if detectors is not None:
        detect(state, detectors, calls, notes.arrived[b])
        _note(calls, notes.calls[b, t])


@inlined
def _watch_notes(card, watched, notes, b, n_seconds):
    if card is not None:
        mine = replica_rows(watched, b)
        for t in range(n_seconds):
            watch(notes.aspects[b, t], notes.calls[b, t], card, mine)


@inlined
def _note(row, into):
    for m in range(row.shape[0]):
        into[m] = row[m]
