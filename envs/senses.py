"""What agents learn from: observations and rewards of all replicas, made where the traffic is simulated.

From lane counts of anywhere else, `observe_all`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np

from intergreen.envs import observation, reward
from intergreen.envs.compiled_signals import replica_signals, tell_granted, tell_overruled, tell_red_s
from intergreen.envs.layout import arrival_bounds_m
from intergreen.envs.observation import N_BINS
from intergreen.envs.reward import PERSON_DELAY
from intergreen.envs.simulation import Counts, LaneSums
from intergreen.envs.simulation.compile import inlined, kernel
from intergreen.envs.simulation.counts import add_lane_second, add_outside, count_replica
from intergreen.envs.simulation.packed import opened
from intergreen.envs.simulation.state import replica_state, replica_trips
from intergreen.envs.simulation.turns import take_turn
from intergreen.envs.usable import usable_whole

if TYPE_CHECKING:
    from collections.abc import Iterator

    from intergreen.envs.arrays import Float32Array, FloatArray, IntArray
    from intergreen.envs.layout import ObservationLayout
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.observation import Table
    from intergreen.envs.readings import Readings
    from intergreen.envs.reward import RewardTable
    from intergreen.envs.signals.plan import SignalPlan
    from intergreen.envs.signals.state import SignalStatus


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


def observe_all(counts: Counts, signals: SignalStatus, interval_s: int, layout: ObservationLayout) -> Float32Array:
    """Observations (B, I, size) from lane counts: `observation.observe`, compiled, for all replicas."""
    out = np.empty((*signals.phase.shape, layout.blocks.size), np.float32)
    seen = counts.waiting, counts.vehicles, counts.arriving
    _observe_replicas(*seen, *_told(signals), interval_s, layout.table, out)
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
    _observe_replicas(*seen, *_told(signals), interval_s, senses.observation_table, senses.observation)


def _told(signals: SignalStatus) -> Iterator[np.ndarray]:
    told = (signals.phase, signals.green_s, signals.red_s, signals.granted)
    return (np.ascontiguousarray(values) for values in told)


_observe = kernel(observation.observe)
_reward_of = kernel(reward.reward_of)

# Code for what is None is left out where it is a parameter: so what a period may lack is handed over by itself.


@inlined
def begin_sums(senses, period, b):
    if senses is not None:
        sums = replica_sums(senses, b)
        for lane in range(sums.queue.shape[0]):
            sums.queue[lane] = 0.0
            sums.delay[lane] = 0.0
            sums.person_delay[lane] = 0.0
            sums.backlog[lane] = 0.0
            sums.person_backlog[lane] = 0.0
        add_outside(period.net, replica_trips(period.trips, b), replica_state(period.state, b), -1, sums)


@inlined
def sum_up(senses, net, trips, state, b):
    if senses is not None:
        weighs_persons = senses.reward_table.weight[PERSON_DELAY] != 0.0
        add_lane_second(net, trips, state, weighs_persons, replica_sums(senses, b))


@inlined
def sense_period(senses, period, b, seconds):
    if senses is not None:
        net, rules, shown, calls = period.net, period.rules, period.shown, period.calls
        sums = replica_sums(senses, b)
        add_outside(net, replica_trips(period.trips, b), replica_state(period.state, b), 1, sums)
        for i in range(shown.phase.shape[1]):
            senses.reward[b, i] = _reward_of(i, seconds, sums, senses.reward_table)
        sense_replica(net, period.state, rules, shown, calls, period.granted, period.red_s, senses, seconds, b)


@inlined
def replica_sums(senses, b):
    every = senses.sums
    return LaneSums(every.queue[b], every.delay[b], every.person_delay[b], every.backlog[b], every.person_backlog[b])


@kernel
def tell(packed, interval_s):
    """Fill what a `SignalStatus` tells."""
    _tell_replicas(*opened(packed), interval_s)


@inlined
def _tell_replicas(turns, rules, shown, calls, granted, red_s, overruled, interval_s):
    b = take_turn(turns, calls.shape[0])
    while b < calls.shape[0]:
        _tell_replica(rules, shown, calls, granted, red_s, interval_s, b)
        tell_overruled(shown.interventions[b], overruled[b])
        b = take_turn(turns, calls.shape[0])


@kernel
def _tell_replica(rules, shown, calls, granted, red_s, interval_s, b):
    signals = replica_signals(shown, b)
    tell_granted(rules, signals, calls[b], interval_s, granted[b])
    tell_red_s(signals, red_s[b])


@kernel
def sense(packed, interval_s):
    """Observations as all replicas are now."""
    _sense_replicas(*opened(packed), interval_s)


@inlined
def _sense_replicas(turns, net, state, rules, shown, calls, granted, red_s, senses, interval_s):
    b = take_turn(turns, state.tally.shape[0])
    while b < state.tally.shape[0]:
        sense_replica(net, state, rules, shown, calls, granted, red_s, senses, interval_s, b)
        b = take_turn(turns, state.tally.shape[0])


@kernel
def sense_replica(net, state, rules, shown, calls, granted, red_s, senses, interval_s, b):
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
def _observe_replicas(waiting, vehicles, arriving, phase, green_s, red_s, granted, interval_s, table, out):
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
