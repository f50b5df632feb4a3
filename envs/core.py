"""The batched core: signals and traffic of many copies of one network, a decision period at a time, compiled.

Everything that acts on a network, an agent or a baseline, does so through `TrafficCore`: phases wanted in,
lane counts out. One call runs all seconds of the period for all replicas without returning to Python.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy as copy_of
from typing import NamedTuple, Protocol, cast

import numpy as np
from numba.extending import register_jitable

from intergreen.envs import observation, reward
from intergreen.envs.arrays import ByteArray, Float32Array, FloatArray, IntArray, copy_rows, together
from intergreen.envs.compiled_bits import compile_bits
from intergreen.envs.demand import Demand, Trips
from intergreen.envs.layout import ObservationLayout, arrival_bounds_m
from intergreen.envs.network import RoadNetwork
from intergreen.envs.network.approaches import AT_STOP_LINE_M, approach_lanes, stop_line_ahead_m
from intergreen.envs.observation import N_BINS, Table
from intergreen.envs.readings import Readings
from intergreen.envs.reward import PERSON_DELAY, RewardTable
from intergreen.envs.signals import monitor, shield
from intergreen.envs.signals.aspects import GREEN
from intergreen.envs.signals.card import program_card
from intergreen.envs.signals.monitor import FaultReport, MonitorMemory
from intergreen.envs.signals.monitor_card import MonitorCard
from intergreen.envs.signals.plan import SignalPlan
from intergreen.envs.signals.rules import Rules
from intergreen.envs.signals.shield import SignalState, SignalStatus, signal_state
from intergreen.envs.simulation import Counts, Engine, LaneSums, Positions, Totals
from intergreen.envs.simulation.compile import apart, inlined, kernel
from intergreen.envs.simulation.counts import add_lane_second, add_outside, count_replica
from intergreen.envs.simulation.lane_change import Changes, replica_changes
from intergreen.envs.simulation.packed import opened
from intergreen.envs.simulation.routes import RouteTable
from intergreen.envs.simulation.state import LANES_IN_USE, STEP, Loops, State, TripRows, replica_state, replica_trips
from intergreen.envs.simulation.statics import Statics
from intergreen.envs.simulation.step import advance_one_second
from intergreen.envs.simulation.turns import take_turn
from intergreen.envs.usable import usable_whole

_NONSENSE = -2
_INT32 = np.dtype(np.int32)
_AT_ONCE_S = 16  # noted before the monitor looks: its code and memory are fetched once for all of them


class Detectors(NamedTuple):
    """For every lane that a movement at a signal starts from, or that ends just before it: who has arrived at the stop
    line calls for the movement."""

    start: IntArray  # (L + 1,)
    movement: IntArray  # (C,) of lane l those from start[l] to start[l + 1]
    from_m: FloatArray  # (L,) m from the beginning of the lane where one has arrived; never where nobody may call


class Notes(NamedTuple):
    """Of the last seconds of B replicas, until somebody looks: scratch of a period."""

    aspects: ByteArray  # (B, seconds, M) what was shown
    calls: ByteArray  # (B, seconds, M) who called
    arrived: IntArray  # (B, L) lanes whose first vehicle is at the stop line


class Senses(NamedTuple):
    """What an agent learns from, of B replicas: filled at the end of a period, all overwritten."""

    observation_table: Table
    reward_table: RewardTable
    bounds_m: FloatArray  # (L, bins)
    waiting: IntArray  # (B, L)
    vehicles: IntArray  # (B, L)
    arriving: IntArray  # (B, L, bins)
    sums: LaneSums  # (B, L)
    observation: Float32Array  # (B, I, size)
    reward: Float32Array  # (B, I)


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
        self._detectors = _detectors(network, plan) if plan.hears_calls else None
        self._calls = np.zeros((replicas, network.n_movements), np.uint8)
        self._granted = np.zeros((replicas, network.n_phases), np.uint8)
        self._red_s = np.zeros((replicas, network.n_movements), np.int32)
        self._overruled: IntArray = np.zeros((replicas, plan.n_signals), np.int32)
        self._wanted: IntArray = np.zeros((replicas, plan.n_signals), np.int32)
        self._notes = _notes(network, replicas)
        self._rules = plan.rules
        self._card = program_card(network, plan.timing) if monitored else None
        self._new_signals()
        self._period: Period | None = None

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
        self._wanted[...] = checked_wishes(wanted, self._wanted.shape)
        if self._period is None or self._period.senses is not senses:
            self._period = self._make_period(senses)
        run_period = _run_period if self._detectors is None else _run_period_with_calls
        self.engine.share_out(run_period, (self._period,), seconds)

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
        delayed = self.interventions[:, :, shield.DELAYED].copy()
        self.run(self._shown.wish.copy(), seconds)
        self.interventions[:, :, shield.DELAYED] = delayed

    def fork(self, replicas: int) -> TrafficCore:
        """A core with room for `replicas` copies of this one's, for `copy_from`: to look ahead. Nobody watches it."""
        other = copy_of(self)
        other.n_replicas = replicas
        other.engine = self.engine.fork(replicas)
        other._calls, other._granted, other._red_s, other._overruled, other._wanted = (
            np.zeros((replicas, rows.shape[1]), rows.dtype)
            for rows in (self._calls, self._granted, self._red_s, self._overruled, self._wanted)
        )
        other._notes = _notes(self.network, replicas)
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
        engine.share_out(_sense, arguments, interval_s)

    def signals(self, interval_s: int) -> SignalStatus:
        """What the signals show and would grant within `interval_s`; the caller's own, to keep or to write to."""
        rules, shown = self._rules, self._shown
        told = self._calls, self._granted, self._red_s, self._overruled
        self.engine.share_out(_tell, (rules, shown, *told), interval_s)
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
        """(B, I, 4) how often the shield overruled a wish so far, by `shield.INTERVENTIONS`."""
        return self._shown.interventions.reshape(self.n_replicas, self.plan.n_signals, shield.N_INTERVENTIONS)

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


def make_senses(
    network: RoadNetwork, plan: SignalPlan, replicas: int, layout: ObservationLayout, rewards: RewardTable
) -> Senses:
    """Room for what agents learn from."""
    shape = (replicas, network.n_lanes)
    return Senses(
        observation_table=layout.table,
        reward_table=rewards,
        bounds_m=arrival_bounds_m(network),
        waiting=np.zeros(shape, np.int32),
        vehicles=np.zeros(shape, np.int32),
        arriving=np.zeros((*shape, N_BINS), np.int32),
        sums=LaneSums(*(np.zeros(shape) for _ in LaneSums._fields)),
        observation=np.zeros((replicas, plan.n_signals, layout.blocks.size), np.float32),
        reward=np.zeros((replicas, plan.n_signals), np.float32),
    )


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
    if type(wanted) is np.ndarray and wanted.dtype is _INT32 and wanted.shape == expected:
        return wanted  # as whoever knows gives them, in every period
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


def compiled_shield() -> dict[str, Callable[..., None]]:
    """`request` and `tick` of `intergreen.envs.signals.shield` as the core runs them."""
    return {"request": _request, "tick": _tick}


def _detectors(network: RoadNetwork, plan: SignalPlan) -> Detectors:
    at_signal = np.flatnonzero(np.isin(network.movement_intersection, plan.intersection)).tolist()
    pairs = [(lane, m) for m in at_signal for lane in approach_lanes(network, m, reach_m=AT_STOP_LINE_M).tolist()]
    lane, movement = np.array(sorted(pairs), np.int32).reshape(-1, 2).T.copy()
    start = np.searchsorted(lane, np.arange(network.n_lanes + 1)).astype(np.int32)
    within_m = AT_STOP_LINE_M - stop_line_ahead_m(network, reach_m=AT_STOP_LINE_M)
    from_m = _least_position_m(network.lane_length_m, within_m)
    from_m[np.diff(start) == 0] = np.inf
    return Detectors(start, movement, from_m)


def _least_position_m(length_m: FloatArray, within_m: FloatArray) -> FloatArray:
    """(L,) the least float whose distance to the end of the lane is no more than so much, as floats are subtracted."""
    position_m = length_m - within_m
    while (is_beyond := length_m - position_m > within_m).any():
        position_m = np.where(is_beyond, np.nextafter(position_m, np.inf), position_m)
    while (is_within := length_m - (before_m := np.nextafter(position_m, -np.inf)) <= within_m).any():
        position_m = np.where(is_within, before_m, position_m)
    return position_m


def _notes(network: RoadNetwork, replicas: int) -> Notes:
    rows = replicas, _AT_ONCE_S, network.n_movements
    return Notes(np.zeros(rows, np.uint8), np.zeros(rows, np.uint8), np.zeros((replicas, network.n_lanes), np.int32))


compile_bits()
for _helper in shield.HELPERS + monitor.HELPERS:
    register_jitable(_nrt=False, error_model="numpy", forceinline=True)(_helper)
_request = inlined(shield.request)
_tick = inlined(shield.tick)  # handing all their arrays over takes as long as most of the seconds that they watch
_watch = inlined(monitor.watch)
_replica_rows = kernel(monitor.replica_rows)
_replica_signals = kernel(shield.replica_state)
_granted = kernel(shield.granted)
_red_seconds = kernel(shield.red_seconds)
_overruled = kernel(shield.overruled)
_observe = kernel(observation.observe)
_reward_of = kernel(reward.reward_of)


@kernel
def _run_period(packed, seconds):
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
def _run_period_with_calls(packed, seconds):
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
    _request(period.wanted[b], period.rules, _replica_signals(period.shown, b))
    _begin_sums(period.senses, period, b)


@apart
def _hear_and_show_second(packed, b, t):
    """The detectors and the shield: who has arrived at a stop line, and what is shown; noted for the monitor."""
    _, period = opened(packed)
    _hear_detectors(period.detectors, replica_state(period.state, b), period.calls[b], period.notes, b, t)
    signals, green = _replica_signals(period.shown, b), period.state.green[b]
    _tick(period.rules, signals, period.calls[b], green)
    _note(signals.aspects, period.notes.aspects[b, t])


@apart
def _show_seconds(packed, b, n_seconds):
    """The shield: what the signals show; noted for traffic and monitor."""
    _, period = opened(packed)
    signals, calls, green = _replica_signals(period.shown, b), period.calls[b], period.state.green[b]
    for t in range(n_seconds):
        _tick(period.rules, signals, calls, green)
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
        _sum_up(period.senses, period.net, trips, state, b)


@apart
def _watch_seconds(packed, b, n_seconds):
    """The monitor: looks at the seconds that were noted."""
    _, period = opened(packed)
    _watch_notes(period.card, period.watched, period.notes, b, n_seconds)


@apart
def _end_period(packed, b, seconds):
    """Rewards and observations, where somebody senses."""
    _, period = opened(packed)
    _sense_period(period.senses, period, b, seconds)


# What a period may lack is handed over by itself: code for what is None is left out where it is a parameter.


@inlined
def _changes(changes, b):
    return None if changes is None else replica_changes(changes, b)


@inlined
def _hear_detectors(detectors, state, calls, notes, b, t):
    if detectors is not None:
        _detect(state, detectors, calls, notes.arrived[b])
        _note(calls, notes.calls[b, t])


@inlined
def _watch_notes(card, watched, notes, b, n_seconds):
    if card is not None:
        mine = _replica_rows(watched, b)
        for t in range(n_seconds):
            _watch(notes.aspects[b, t], notes.calls[b, t], card, mine)


@inlined
def _begin_sums(senses, period, b):
    if senses is not None:
        sums = _replica_sums(senses, b)
        for lane in range(sums.queue.shape[0]):
            sums.queue[lane] = 0.0
            sums.delay[lane] = 0.0
            sums.person_delay[lane] = 0.0
            sums.backlog[lane] = 0.0
            sums.person_backlog[lane] = 0.0
        add_outside(period.net, replica_trips(period.trips, b), replica_state(period.state, b), -1, sums)


@inlined
def _sum_up(senses, net, trips, state, b):
    if senses is not None:
        weighs_persons = senses.reward_table.weight[PERSON_DELAY] != 0.0
        add_lane_second(net, trips, state, weighs_persons, _replica_sums(senses, b))


@inlined
def _sense_period(senses, period, b, seconds):
    if senses is not None:
        net, rules, shown, calls = period.net, period.rules, period.shown, period.calls
        sums = _replica_sums(senses, b)
        add_outside(net, replica_trips(period.trips, b), replica_state(period.state, b), 1, sums)
        for i in range(shown.phase.shape[1]):
            senses.reward[b, i] = _reward_of(i, seconds, sums, senses.reward_table)
        _sense_replica(net, period.state, rules, shown, calls, period.granted, period.red_s, senses, seconds, b)


@inlined
def _replica_sums(senses, b):
    every = senses.sums
    return LaneSums(every.queue[b], every.delay[b], every.person_delay[b], every.backlog[b], every.person_backlog[b])


@inlined
def _detect(state, detectors, calls, arrived):
    """Who has arrived at a stop line, by movement: the first vehicle of a lane calls for all that it may want."""
    position = state.position_a if state.tally[STEP] & 1 == 0 else state.position_b
    for m in range(calls.shape[0]):
        calls[m] = 0
    n_arrived = np.uint64(0)
    for entry in range(state.tally[LANES_IN_USE]):  # without branches all lanes are fetched at the same time
        lane = np.uint32(state.in_use[entry])  # unsigned: no index is asked whether it counts from the end
        arrived[n_arrived] = lane
        n_arrived += np.uint64(position[np.uint32(state.head[lane])] >= detectors.from_m[lane])
    for entry in range(n_arrived):
        lane = np.uint32(arrived[entry])
        for k in range(np.uint32(detectors.start[lane]), np.uint32(detectors.start[lane + np.uint32(1)])):
            calls[np.uint32(detectors.movement[k])] = 1


@inlined
def _note(row, into):
    for m in range(row.shape[0]):
        into[m] = row[m]


@kernel
def _tell(packed, interval_s):
    """Fill what a `SignalStatus` tells."""
    _tell_replicas(*opened(packed), interval_s)


@inlined
def _tell_replicas(turns, rules, shown, calls, granted, red_s, overruled, interval_s):
    b = take_turn(turns, calls.shape[0])
    while b < calls.shape[0]:
        _tell_replica(rules, shown, calls, granted, red_s, interval_s, b)
        _overruled(shown.interventions[b], overruled[b])
        b = take_turn(turns, calls.shape[0])


@kernel
def _tell_replica(rules, shown, calls, granted, red_s, interval_s, b):
    signals = _replica_signals(shown, b)
    _granted(rules, signals, calls[b], interval_s, granted[b])
    _red_seconds(signals, red_s[b])


@kernel
def _sense(packed, interval_s):
    """Observations as all replicas are now."""
    _sense_replicas(*opened(packed), interval_s)


@inlined
def _sense_replicas(turns, net, state, rules, shown, calls, granted, red_s, senses, interval_s):
    b = take_turn(turns, state.tally.shape[0])
    while b < state.tally.shape[0]:
        _sense_replica(net, state, rules, shown, calls, granted, red_s, senses, interval_s, b)
        b = take_turn(turns, state.tally.shape[0])


@kernel
def _sense_replica(net, state, rules, shown, calls, granted, red_s, senses, interval_s, b):
    waiting, vehicles, arriving = senses.waiting[b], senses.vehicles[b], senses.arriving[b]
    _tell_replica(rules, shown, calls, granted, red_s, interval_s, b)
    count_replica(net, replica_state(state, b), senses.bounds_m, waiting, vehicles, arriving)
    _observe(
        waiting,
        vehicles,
        arriving,
        shown.phase[b],
        shown.green_s[b],
        red_s[b],
        granted[b],
        interval_s,
        senses.observation_table,
        senses.observation[b],
    )


@kernel
def _observe_all(waiting, vehicles, arriving, phase, green_s, red_s, granted, interval_s, table, out):
    for b in range(out.shape[0]):
        _observe(
            waiting[b],
            vehicles[b],
            arriving[b],
            phase[b],
            green_s[b],
            red_s[b],
            granted[b],
            interval_s,
            table,
            out[b],
        )


def observe_all(counts: Counts, signals: SignalStatus, interval_s: int, layout: ObservationLayout) -> Float32Array:
    """Observations (B, I, size) from lane counts: `observation.observe`, compiled, for all replicas."""
    out = np.empty((*signals.phase.shape, layout.blocks.size), np.float32)
    seen = counts.waiting, counts.vehicles, counts.arriving
    _observe_all(*seen, *_told(signals), interval_s, layout.table, out)
    return out


def whole_counts(counts: Counts | Readings) -> Counts:
    """The counts as compiled code takes them; see `usable` for what becomes of readings that cannot be true."""
    if counts.vehicles.dtype == np.int32:
        return cast("Counts", counts)
    vehicles, waiting, near = (usable_whole(values) for values in (counts.vehicles, counts.waiting, counts.near))
    return Counts(vehicles, waiting, near, usable_whole(counts.arriving), counts.mean_speed)


def observe_into(senses: Senses, signals: SignalStatus, interval_s: int) -> None:
    """Write the observations to `senses`, from the counts that stand there."""
    seen = senses.waiting, senses.vehicles, senses.arriving
    _observe_all(*seen, *_told(signals), interval_s, senses.observation_table, senses.observation)


def _told(signals: SignalStatus) -> Iterator[np.ndarray]:
    told = (signals.phase, signals.green_s, signals.red_s, signals.granted)
    return (np.ascontiguousarray(values) for values in told)
