"""The batched core: signals and traffic of many copies of one network, a decision period at a time, compiled.

Everything that acts on a network, an agent or a baseline, does so through `TrafficCore`: phases wanted in,
lane counts out. One call runs all seconds of the period for all replicas without returning to Python.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from intergreen.envs import observation, reward
from intergreen.envs.arrays import ByteArray, Float32Array, FloatArray, IntArray
from intergreen.envs.demand import Demand, Trips
from intergreen.envs.layout import ObservationLayout, arrival_bounds_m
from intergreen.envs.network import RoadNetwork
from intergreen.envs.observation import N_BINS, Table
from intergreen.envs.reward import PERSON_DELAY, RewardTable
from intergreen.envs.signals import clearance
from intergreen.envs.signals.plan import SignalPlan
from intergreen.envs.simulation import Counts, Engine, LaneSums, Positions, Totals
from intergreen.envs.simulation.compile import kernel
from intergreen.envs.simulation.counts import add_lane_second, add_outside, count_replica
from intergreen.envs.simulation.lane_change import replica_changes
from intergreen.envs.simulation.state import replica_state, replica_trips
from intergreen.envs.simulation.step import advance_one_second


class Signals(NamedTuple):
    """The signal plan as the kernels want it: I signals, J intersections, P phases; see `SignalPlan`."""

    intersection: IntArray  # (I,)
    n_phases: IntArray  # (I,)
    phase_offset: IntArray  # (I,)
    clearance_phase: IntArray  # (I,)
    movement_start: IntArray  # (J + 1,)
    phase_movement_start: IntArray  # (P + 1,)
    phase_movements: IntArray


class SignalState(NamedTuple):
    """What the signals show, (B, I) int32 each; see `intergreen.envs.signals.clearance`."""

    phase: IntArray
    target: IntArray
    clearance_left: IntArray
    displayed: IntArray
    green_s: IntArray
    red_s: IntArray  # (B, M) seconds since each movement of the network had green


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


class TrafficCore:
    """B copies of one network under one signal plan.

    Parameters
    ----------
    demand : gives the routes and vehicle types that the trips of every `reset` refer to
    threads : replicas are shared out among so many threads; results do not depend on it
    lane_change : drivers change lanes to pass queues (CityFlow's `laneChange`)
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
    ) -> None:
        self.network = network
        self.plan = plan
        self.n_replicas = replicas
        self.engine = Engine(network, demand, replicas=replicas, threads=threads, lane_change=lane_change)
        self.near_m: FloatArray = np.zeros(network.n_lanes)
        self._bounds_m = arrival_bounds_m(network)
        self._signals = Signals(
            plan.intersection,
            plan.n_phases,
            plan.phase_offset,
            plan.clearance_phase,
            network.movement_start,
            network.phase_movement_start,
            network.phase_movements,
        )
        self._standing: ByteArray = clearance.standing_greens(network, plan)
        self._shown = self._dark()

    def reset(self, trips: Sequence[Trips], seeds: Sequence[int], start_phase: IntArray) -> None:
        """Begin again, with the trips of each replica and the phase (B, I) every signal shows; -1: with a clearance."""
        self.engine.reset(trips, seeds)
        self.engine.green[:] = self._standing
        self._shown = self._dark()
        self._shown.phase[:] = start_phase

    def run(self, wanted: IntArray, seconds: int, clearance_s: int, senses: Senses | None = None) -> None:
        """One decision period: ask for the local phases `wanted` (B, I), then simulate `seconds`.

        A change shows `clearance_s` seconds of clearance first. A number that is no phase keeps the present one.
        With `senses`, observations and rewards are made before it returns.
        """
        wanted = np.ascontiguousarray(wanted, np.int32)
        expected = (self.n_replicas, self.plan.n_signals)
        if wanted.shape != expected:
            raise ValueError(f"need a wanted phase for {expected} replicas and signals, got {wanted.shape}")
        engine = self.engine
        engine.share_out(
            _run_period,
            engine.statics,
            engine.routes,
            engine.loops,
            engine.trips,
            engine.state,
            engine.changes,
            self._signals,
            self._shown,
            wanted,
            seconds,
            clearance_s,
            senses,
        )

    def senses(self, layout: ObservationLayout, rewards: RewardTable) -> Senses:
        """Room for observations and rewards of every replica, to give to `run` and `observe`."""
        shape = (self.n_replicas, self.network.n_lanes)
        return Senses(
            observation_table=layout.table,
            reward_table=rewards,
            bounds_m=self._bounds_m,
            waiting=np.zeros(shape, np.int32),
            vehicles=np.zeros(shape, np.int32),
            arriving=np.zeros((*shape, N_BINS), np.int32),
            sums=LaneSums(*(np.zeros(shape) for _ in LaneSums._fields)),
            observation=np.zeros((self.n_replicas, self.plan.n_signals, layout.blocks.size), np.float32),
            reward=np.zeros((self.n_replicas, self.plan.n_signals), np.float32),
        )

    def observe(self, senses: Senses, interval_s: int, clearance_s: int) -> None:
        """Make the observations of the present moment, between periods; rewards stay as they are."""
        engine = self.engine
        engine.share_out(_sense, engine.statics, engine.state, self._shown, interval_s, clearance_s, senses)

    @property
    def time_s(self) -> int:
        """Seconds simulated since the reset."""
        return self.engine.time_s

    @property
    def phase(self) -> IntArray:
        """(B, I) local phase last shown as green, -1 before the first."""
        return self._shown.phase

    @property
    def green_s(self) -> IntArray:
        """(B, I) seconds for which the present green has been shown, 0 during a clearance."""
        return self._shown.green_s

    @property
    def red_s(self) -> IntArray:
        """(B, M) seconds since each movement of the network had green."""
        return self._shown.red_s

    @property
    def displayed(self) -> IntArray:
        """(B, I) local phase on display in the last second, -1 during a clearance that has no phase of its own,
        -2 before the first second."""
        return self._shown.displayed

    def counts(self) -> Counts:
        """Lane counts now; `near` counts within `near_m` (L,) of the stop line, `arriving` in the bins that
        observations have."""
        return self.engine.counts(self.near_m, self._bounds_m)

    def totals(self) -> Totals:
        """What has happened so far, for the metrics."""
        return self.engine.totals()

    def positions(self, replica: int = 0) -> Positions:
        """Where everybody in one replica is now."""
        return self.engine.positions(replica)

    def close(self) -> None:
        """End the threads that share out the replicas; the core cannot run on afterwards."""
        self.engine.close()

    def _dark(self) -> SignalState:
        shape = (self.n_replicas, self.plan.n_signals)
        return SignalState(
            phase=np.full(shape, clearance.NO_PHASE, np.int32),
            target=np.full(shape, clearance.NO_PHASE, np.int32),
            clearance_left=np.zeros(shape, np.int32),
            displayed=np.full(shape, clearance.NOT_SHOWN, np.int32),
            green_s=np.zeros(shape, np.int32),
            red_s=np.zeros((self.n_replicas, self.network.n_movements), np.int32),
        )


_request = kernel(clearance.request)
_show = kernel(clearance.show)
_green_movements = kernel(clearance.green_movements)
_observe = kernel(observation.observe)
_reward_of = kernel(reward.reward_of)


@kernel
def _run_period(
    net, routes, loops, trips, state, changes, signals, shown, wanted, seconds, clearance_s, senses, first, last
):
    """Signals and traffic of replicas first..last-1 for one decision period; `state` and `shown` in place.

    With `senses`, the lanes are summed up second by second and rewards and observations made at the end.
    """
    for b in range(first, last):
        mine = replica_state(state, b)
        my_trips = replica_trips(trips, b)
        my_changes = None if changes is None else replica_changes(changes, b)
        phase, target, left = shown.phase[b], shown.target[b], shown.clearance_left[b]
        displayed, green_s, red_s = shown.displayed[b], shown.green_s[b], shown.red_s[b]
        _request(wanted[b], clearance_s, signals.n_phases, signals.clearance_phase, phase, target, left, green_s)
        if senses is not None:
            every = senses.sums
            sums = LaneSums(
                every.queue[b], every.delay[b], every.person_delay[b], every.backlog[b], every.person_backlog[b]
            )
            for lane in range(sums.queue.shape[0]):
                sums.queue[lane] = 0.0
                sums.delay[lane] = 0.0
                sums.person_delay[lane] = 0.0
                sums.backlog[lane] = 0.0
                sums.person_backlog[lane] = 0.0
            add_outside(net, my_trips, mine, -1, sums)
        for _ in range(seconds):
            if _show(signals.clearance_phase, phase, target, left, displayed, green_s):
                _green_movements(
                    signals.intersection,
                    signals.phase_offset,
                    phase,
                    target,
                    displayed,
                    signals.movement_start,
                    signals.phase_movement_start,
                    signals.phase_movements,
                    mine.green,
                )
            for m in range(mine.green.shape[0]):
                red_s[m] = 0 if mine.green[m] else red_s[m] + 1
            advance_one_second(net, routes, loops, my_trips, mine, my_changes)
            if senses is not None:
                add_lane_second(net, my_trips, mine, senses.reward_table.weight[PERSON_DELAY] != 0.0, sums)
        if senses is not None:
            add_outside(net, my_trips, mine, 1, sums)
            for i in range(phase.shape[0]):
                senses.reward[b, i] = _reward_of(i, seconds, sums, senses.reward_table)
    if senses is not None:
        _sense(net, state, shown, seconds, clearance_s, senses, first, last)


@kernel
def _sense(net, state, shown, interval_s, clearance_s, senses, first, last):
    """Observations of replicas first..last-1 as they are now."""
    for b in range(first, last):
        count_replica(
            net, replica_state(state, b), senses.bounds_m, senses.waiting[b], senses.vehicles[b], senses.arriving[b]
        )
        _observe(
            senses.waiting[b],
            senses.vehicles[b],
            senses.arriving[b],
            shown.phase[b],
            shown.green_s[b],
            shown.red_s[b],
            interval_s,
            clearance_s,
            senses.observation_table,
            senses.observation[b],
        )


@kernel
def _observe_all(waiting, vehicles, arriving, phase, green_s, red_s, interval_s, clearance_s, table, out):
    for b in range(out.shape[0]):
        _observe(
            waiting[b],
            vehicles[b],
            arriving[b],
            phase[b],
            green_s[b],
            red_s[b],
            interval_s,
            clearance_s,
            table,
            out[b],
        )


def observe_all(
    counts: Counts,
    phase: IntArray,
    green_s: IntArray,
    red_s: IntArray,
    interval_s: int,
    clearance_s: int,
    layout: ObservationLayout,
) -> Float32Array:
    """Observations (B, I, size) from lane counts: `observation.observe`, compiled, for all replicas."""
    out = np.empty((*phase.shape, layout.blocks.size), np.float32)
    shown = np.ascontiguousarray(phase), np.ascontiguousarray(green_s), np.ascontiguousarray(red_s)
    lanes = counts.waiting, counts.vehicles, counts.arriving
    _observe_all(*lanes, *shown, interval_s, clearance_s, layout.table, out)
    return out
