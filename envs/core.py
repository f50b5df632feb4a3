"""The batched core: signals and traffic of many copies of one network, a decision period at a time, compiled.

Everything that acts on a network, an agent or a baseline, does so through `TrafficCore`: phases wanted in,
lane counts out. One call runs all seconds of the period for all replicas without returning to Python.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy as copy_of
from typing import Protocol

import numpy as np

from intergreen.envs.arrays import ByteArray, FloatArray, IntArray, copy_rows, together
from intergreen.envs.demand import Demand, Trips
from intergreen.envs.layout import ObservationLayout, arrival_bounds_m
from intergreen.envs.network import RoadNetwork
from intergreen.envs.period import Period, make_notes, run_period, run_period_with_calls
from intergreen.envs.protocol import checked_seconds
from intergreen.envs.reward import RewardTable
from intergreen.envs.senses import Senses, make_senses, sense, tell
from intergreen.envs.signals import monitor, shield
from intergreen.envs.signals.aspects import GREEN
from intergreen.envs.signals.card import program_card
from intergreen.envs.signals.monitor import FaultReport
from intergreen.envs.signals.plan import SignalPlan
from intergreen.envs.signals.state import DELAYED, N_INTERVENTIONS, SignalStatus, signal_state
from intergreen.envs.simulation import Counts, Engine, Positions, Totals
from intergreen.envs.stop_lines import stop_line_detectors

_NONSENSE = -2
_INT32 = np.dtype(np.int32)


class Core(Protocol):
    """Signals and traffic of B copies of one network, whatever simulates them; see `TrafficCore`."""

    network: RoadNetwork
    plan: SignalPlan
    n_replicas: int
    near_m: FloatArray

    def reset(self, trips: Sequence[Trips], seeds: Sequence[int], start_phase: IntArray) -> None: ...

    def run(self, wanted: IntArray, seconds: int, senses: Senses | None = None) -> None: ...

    def go_on(self, seconds: int) -> None: ...

    def senses(self, layout: ObservationLayout, rewards: RewardTable) -> Senses: ...

    def observe(self, senses: Senses, interval_s: int) -> None: ...

    def signals(self, interval_s: int) -> SignalStatus: ...

    @property
    def time_s(self) -> int: ...

    @property
    def phase(self) -> IntArray: ...

    @property
    def aspects(self) -> ByteArray: ...

    @property
    def interventions(self) -> IntArray: ...

    @property
    def displayed(self) -> IntArray: ...

    def faults(self) -> list[FaultReport]: ...

    def incidents(self) -> dict[str, IntArray]:
        """(B,) each, so far: what this simulator's drivers do that the other's cannot."""
        ...

    def counts(self) -> Counts: ...

    def totals(self) -> Totals: ...

    def passed(self) -> IntArray: ...

    def positions(self, replica: int = 0) -> Positions: ...

    @property
    def cpu_elsewhere_s(self) -> float:
        """CPU seconds taken in other processes since the reset."""
        ...

    def close(self) -> None: ...


class TrafficCore:
    """B copies of one network under one signal plan.

    Parameters
    ----------
    demand : gives the routes and vehicle types that the trips of every `reset` refer to
    threads : replicas are shared out among so many threads; results do not depend on it
    lane_change : drivers change lanes to pass queues (CityFlow's `laneChange`)
    monitored : every display is watched against the program card of network and timing
    """

    def __init__(
        self,
        network: RoadNetwork,
        plan: SignalPlan,
        demand: Demand,
        *,
        replicas: int = 1,
        threads: int = 1,
        lane_change: bool = False,
        monitored: bool = False,
    ) -> None:
        self.network = network
        self.plan = plan
        self.n_replicas = replicas
        self.engine = Engine(network, demand, replicas=replicas, threads=threads, lane_change=lane_change)
        self.near_m: FloatArray = np.zeros(network.n_lanes)
        self._bounds_m = arrival_bounds_m(network)
        self._detectors = stop_line_detectors(network, plan) if plan.hears_calls else None
        self._calls = np.zeros((replicas, network.n_movements), np.uint8)
        self._granted = np.zeros((replicas, network.n_phases), np.uint8)
        self._red_s = np.zeros((replicas, network.n_movements), np.int32)
        self._overruled: IntArray = np.zeros((replicas, plan.n_signals), np.int32)
        self._wanted: IntArray = np.zeros((replicas, plan.n_signals), np.int32)
        self._notes = make_notes(network, replicas)
        self._rules = plan.rules
        self._card = program_card(network, plan.timing) if monitored else None
        self._new_signals()
        self._period: tuple[Period] | None = None  # what the kernel is handed; the same tuple is known at once

    def reset(self, trips: Sequence[Trips], seeds: Sequence[int], start_phase: IntArray) -> None:
        """Begin again, with the trips of each replica and the phase (B, I) every signal shows; -1: with a clearance.

        Where the timing has an all-red at the start, that comes first.
        """
        start_phase = checked_start(start_phase, (self.n_replicas, self.plan.n_signals))
        self.engine.reset(trips, seeds)
        self._new_signals()
        self.engine.green[:] = self._shown.aspects == GREEN
        self._calls[:] = 0
        shield.start(start_phase, self._rules, self._shown)
        self._period = None

    def _new_signals(self) -> None:
        """Shield and monitor have seen nothing. All that they read and write every second stands together."""
        watched = None if self._card is None else monitor.make_memory(self._card, self.n_replicas)
        shown = signal_state(self.plan, self.network, self.n_replicas)
        self._rules, self._shown, self._notes, self._detectors, self._card, self._watched = together(
            self._rules, shown, self._notes, self._detectors, self._card, watched
        )

    def run(self, wanted: IntArray, seconds: int, senses: Senses | None = None) -> None:
        """One decision period: ask for the local phases `wanted` (B, I), then simulate `seconds`.

        What is shown is up to the plan's rules. A number that is no phase keeps the present one.
        With `senses`, observations and rewards are made before it returns.
        """
        if type(wanted) is not np.ndarray or wanted.dtype is not _INT32 or wanted.shape != self._wanted.shape:
            wanted = checked_wishes(wanted, self._wanted.shape)
        if type(seconds) is not int or seconds < 1:
            seconds = checked_seconds("seconds", seconds)
        self._wanted[...] = wanted
        if self._period is None or self._period[0].senses is not senses:
            self._period = (self._make_period(senses),)
        kernel = run_period if self._detectors is None else run_period_with_calls
        self.engine.share_out(kernel, self._period, seconds)

    def _make_period(self, senses: Senses | None) -> Period:
        engine = self.engine
        return Period(
            engine.statics,
            engine.routes,
            engine.loops,
            engine.trips,
            engine.state,
            engine.changes,
            self._rules,
            self._shown,
            self._detectors,
            self._calls,
            self._granted,
            self._red_s,
            self._card,
            self._watched,
            self._notes,
            self._wanted,
            senses,
        )

    def go_on(self, seconds: int) -> None:
        """Simulate `seconds` more of the period that the last `run` began: its wishes stand, and none is counted again.

        Running a period in parts gives what running it at once gives, to the last intervention.
        """
        delayed = self.interventions[:, :, DELAYED].copy()
        self.run(self._shown.wish.copy(), seconds)
        self.interventions[:, :, DELAYED] = delayed

    def fork(self, replicas: int) -> TrafficCore:
        """A core with room for `replicas` copies of this one's, for `copy_from`: to look ahead. Nobody watches it."""
        other = copy_of(self)
        other.n_replicas = replicas
        other.engine = self.engine.fork(replicas)
        other._calls, other._granted, other._red_s, other._overruled, other._wanted = (
            np.zeros((replicas, rows.shape[1]), rows.dtype)
            for rows in (self._calls, self._granted, self._red_s, self._overruled, self._wanted)
        )
        other._notes = make_notes(self.network, replicas)
        other._shown = signal_state(self.plan, self.network, replicas)
        other._card = other._watched = other._period = None
        return other

    def copy_from(self, other: TrafficCore, rows: IntArray) -> None:
        """Make every replica go on exactly as replica `rows[b]` of the core that this one was forked from."""
        self.engine.copy_from(other.engine, rows)
        copy_rows(self._shown, other._shown, rows)
        copy_rows((self._calls,), (other._calls,), rows)

    def senses(self, layout: ObservationLayout, rewards: RewardTable) -> Senses:
        """Room for observations and rewards of every replica, to give to `run` and `observe`."""
        return make_senses(self.network, self.plan, self.n_replicas, layout, rewards)

    def observe(self, senses: Senses, interval_s: int) -> None:
        """Make the observations of the present moment, between periods; rewards stay as they are."""
        engine = self.engine
        rules, shown = self._rules, self._shown
        arguments = engine.statics, engine.state, rules, shown, self._calls, self._granted, self._red_s, senses
        engine.share_out(sense, arguments, interval_s)

    def signals(self, interval_s: int) -> SignalStatus:
        """What the signals show and would grant within `interval_s`; the caller's own, to keep or to write to."""
        rules, shown = self._rules, self._shown
        told = self._calls, self._granted, self._red_s, self._overruled
        self.engine.share_out(tell, (rules, shown, *told), interval_s)
        return own_status(shown.phase, shown.green_s, self._red_s, self._granted, self._overruled)

    @property
    def time_s(self) -> int:
        """Seconds simulated since the reset."""
        return self.engine.time_s

    @property
    def phase(self) -> IntArray:
        """(B, I) local phase last shown as green, -1 before the first."""
        return self._shown.phase

    @property
    def aspects(self) -> ByteArray:
        """(B, M) lamps lit in the last second, see `intergreen.envs.signals.aspects`."""
        return self._shown.aspects

    @property
    def interventions(self) -> IntArray:
        """(B, I, 4) how often the shield overruled a wish so far, by `INTERVENTIONS`."""
        return self._shown.interventions.reshape(self.n_replicas, self.plan.n_signals, N_INTERVENTIONS)

    @property
    def displayed(self) -> IntArray:
        """(B, I) local phase on display in the last second, -1 during a clearance that has no phase of its own,
        -2 before the first second."""
        return self._shown.displayed

    def faults(self) -> list[FaultReport]:
        """The latched fault of every signal that has one, in their order; the core must be monitored."""
        if self._card is None or self._watched is None:
            raise ValueError("nobody has watched: make the core with monitored=True")
        return monitor.faults(self._card, self._watched)

    def incidents(self) -> dict[str, IntArray]:
        """None: the engine's drivers neither collide nor are put elsewhere."""
        return {}

    @property
    def cpu_elsewhere_s(self) -> float:
        """0: the engine runs in this process."""
        return 0.0

    def counts(self) -> Counts:
        """Lane counts now; `near` counts within `near_m` (L,) of the stop line, `arriving` in the bins that
        observations have."""
        return self.engine.counts(self.near_m, self._bounds_m)

    def totals(self) -> Totals:
        """What has happened so far, for the metrics."""
        return self.engine.totals()

    def passed(self) -> IntArray:
        """(B, 2) how many trips were released and how many finished so far; of the totals, what costs nothing."""
        return self.engine.passed()

    def delay_s(self) -> FloatArray:
        """(B,) seconds that everybody has lost so far, against free flow and waiting to enter."""
        return self.engine.delay_s()

    def positions(self, replica: int = 0) -> Positions:
        """Where everybody in one replica is now."""
        return self.engine.positions(replica)

    def close(self) -> None:
        """End the threads that share out the replicas; what is asked for afterwards goes on without them."""
        self.engine.close()


def own_status(*values: np.ndarray) -> SignalStatus:
    """The fields of a status as copies: whoever is told must not be able to write to what the shield remembers."""
    return SignalStatus(*(value.copy() for value in values))


def checked_start(start_phase: IntArray, expected: tuple[int, int]) -> IntArray:
    """The phases to begin with, (B, I)."""
    start_phase = np.asarray(start_phase)
    if start_phase.shape != expected or start_phase.dtype.kind not in "iu":
        raise ValueError(
            f"need a phase for {expected} replicas and signals, got {start_phase.shape} of {start_phase.dtype}"
        )
    return start_phase


def checked_wishes(wanted: IntArray, expected: tuple[int, int]) -> IntArray:
    """The wanted phases (B, I) as int32; whatever is no such number becomes one that is no phase."""
    wanted = _whole(np.asarray(wanted))
    if wanted.shape != expected:
        raise ValueError(f"need a wanted phase for {expected} replicas and signals, got {wanted.shape}")
    return wanted


def _whole(wanted: np.ndarray) -> IntArray:
    """As int32; whatever is no such number becomes one that is no phase."""
    if wanted.dtype != np.int32:
        limit = np.iinfo(np.int32).max
        fits = (wanted == np.floor(wanted)) & (wanted >= -limit) & (wanted <= limit)  # NaN is equal to nothing
        wanted = np.where(fits, wanted, _NONSENSE)
    return np.ascontiguousarray(wanted, np.int32)
