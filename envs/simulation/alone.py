"""Every trip alone in the network, all movements green: how fast it could have been driven if nobody else were there.

The trips are driven one after another in one replica; each is released when the one before has arrived, and who would
only repeat an earlier trip is not driven again. Nobody dawdles: what is left to chance would make one trip slower here
than it may be in a run. What is noted is what the engine's own totals say, up to the age at which the horizon would
have cut the trip.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from intergreen.envs.simulation.compile import kernel
from intergreen.envs.simulation.engine import Engine
from intergreen.envs.simulation.state import (
    APPROACH_TIME,
    APPROACH_VEHICLES,
    FINISHED,
    FINISHED_TIME,
    LANES_IN_USE,
    LOOP_TIME,
    N_TRIPS,
    NEVER,
    RELEASED,
    STEP,
    STOPS,
    UPDATES,
    replica_state,
    replica_trips,
)
from intergreen.envs.simulation.statics import DAWDLE, N_COLUMNS
from intergreen.envs.simulation.step import advance_one_second
from intergreen.envs.simulation.visits import time_of_open_visits

if TYPE_CHECKING:
    from intergreen.envs.arrays import ByteArray, FloatArray, IntArray
    from intergreen.envs.demand import Demand, Trips
    from intergreen.envs.network import RoadNetwork

_LONGEST_S = 1_000_000  # of one trip


class AloneTrips(NamedTuple):
    """(N,) of every trip, driven alone; seconds up to the horizon."""

    travel_s: IntArray  # finish - release, or horizon - release
    whole_travel_s: IntArray  # finish - release, however late
    finished: ByteArray  # 1: before the horizon
    approached: ByteArray  # 1: has been on an approach lane
    approach_s: IntArray
    approach_literature_s: IntArray  # first seen to last missed per signal: charges the way round between visits
    approach_span_s: (
        IntArray  # first seen to last seen or missed: who is back at a signal is charged the way round already
    )
    inside_s: IntArray  # in the network
    stops: IntArray
    time_loss_s: FloatArray
    distance_m: FloatArray


def drive_alone(network: RoadNetwork, demand: Demand, trips: Trips, *, horizon_s: int) -> AloneTrips:
    """Drive every trip alone; the seconds after `horizon_s` do not count."""
    engine = Engine(network, demand)
    engine.reset([trips], [0])
    n = len(trips)
    out = _room(n)
    engine.green[:] = 1
    engine.statics.types.reshape(-1, N_COLUMNS)[:, DAWDLE] = 0.0
    engine.state.tally[:, N_TRIPS] = n
    engine.trips.release[:] = NEVER
    cut_s = horizon_s - trips.release_s
    like = _first_alike(trips, engine.trips.pace[0])
    arguments = engine.statics, engine.routes, engine.loops, engine.trips, engine.state, cut_s, like, out
    stuck = _drive_all(*arguments, n)
    if stuck >= 0:
        raise RuntimeError(f"trip {stuck} of {network.name} does not arrive although it is alone")
    return out


def _room(n: int) -> AloneTrips:
    def ints() -> IntArray:
        return np.zeros(n, np.int32)

    def flags() -> ByteArray:
        return np.zeros(n, np.uint8)

    return AloneTrips(
        ints(), ints(), flags(), flags(), ints(), ints(), ints(), ints(), ints(), np.zeros(n), np.zeros(n)
    )


def _first_alike(trips: Trips, pace: FloatArray) -> IntArray:
    """(N,) the first trip of the same vehicle type and pace that takes the same route from the same lane: it drives
    alike."""
    rows = np.stack([trips.route, trips.type, trips.start_lane, pace])
    _, first, group = np.unique(rows, axis=1, return_index=True, return_inverse=True)
    return first[group.reshape(-1)].astype(np.int32)


@kernel
def _drive_all(net, routes, loops, trips, state, cut_s, like, out, n):
    """Drive trips 0..n-1 one after another; returns -1, or the trip that does not arrive."""
    mine, my_trips = replica_state(state, 0), replica_trips(trips, 0)
    tally = mine.tally
    for trip in range(n):
        first = like[trip]
        if first < trip and out.finished[first] != 0 and cut_s[trip] > out.whole_travel_s[first]:
            _copy(first, trip, out)
            tally[RELEASED] += 1
            continue
        begun_s = tally[STEP]
        my_trips.release[trip] = begun_s
        finished, finished_time = tally[FINISHED], tally[FINISHED_TIME]
        approached, approach_time, loop_time = tally[APPROACH_VEHICLES], tally[APPROACH_TIME], tally[LOOP_TIME]
        updates, stops, distance = tally[UPDATES], tally[STOPS], mine.distance[0]
        loss = mine.time_loss.sum()
        noted = False
        while tally[FINISHED] == finished:
            age_s = tally[STEP] - begun_s
            if age_s == cut_s[trip]:
                out.travel_s[trip] = age_s
                out.approach_literature_s[trip] = -time_of_open_visits(net, loops, state, 0)
                out.approach_span_s[trip] = _way_round_now(net, loops, mine)
                noted = True
                _note(trip, tally, mine, approached, approach_time, loop_time, updates, stops, distance, loss, out)
            if age_s > _LONGEST_S:
                return trip
            advance_one_second(net, routes, loops, my_trips, mine, None)
        out.whole_travel_s[trip] = tally[FINISHED_TIME] - finished_time
        if not noted:
            out.travel_s[trip] = out.whole_travel_s[trip]
            out.finished[trip] = 1
            _note(trip, tally, mine, approached, approach_time, loop_time, updates, stops, distance, loss, out)
    return -1


@kernel
def _copy(source, target, out):
    """Note of one trip what was noted of another."""
    out.travel_s[target] = out.travel_s[source]
    out.whole_travel_s[target] = out.whole_travel_s[source]
    out.finished[target] = out.finished[source]
    out.approached[target] = out.approached[source]
    out.approach_s[target] = out.approach_s[source]
    out.approach_literature_s[target] = out.approach_literature_s[source]
    out.approach_span_s[target] = out.approach_span_s[source]
    out.inside_s[target] = out.inside_s[source]
    out.stops[target] = out.stops[source]
    out.time_loss_s[target] = out.time_loss_s[source]
    out.distance_m[target] = out.distance_m[source]


@kernel
def _note(trip, tally, state, approached, approach_time, loop_time, updates, stops, distance, loss, out):
    """What has happened since these readings of the totals."""
    out.approached[trip] = tally[APPROACH_VEHICLES] - approached
    out.approach_s[trip] = tally[APPROACH_TIME] - approach_time
    out.approach_literature_s[trip] += out.approach_s[trip] + tally[LOOP_TIME] - loop_time
    out.approach_span_s[trip] += out.approach_s[trip] + tally[LOOP_TIME] - loop_time
    out.inside_s[trip] = tally[UPDATES] - updates
    out.stops[trip] = tally[STOPS] - stops
    out.distance_m[trip] = state.distance[0] - distance
    out.time_loss_s[trip] = state.time_loss.sum() - loss


@kernel
def _way_round_now(net, loops, state):
    """Seconds between visits of whoever is before a signal again now."""
    seconds = 0
    for entry in range(state.tally[LANES_IN_USE]):
        lane = state.in_use[entry]
        if net.lane_approach[lane] == 0 or state.n_inside[lane] == 0 or loops.n_slots == 0:
            continue
        vehicle = state.vehicle[state.head[lane]]
        loop = loops.enter_slot[state.row[vehicle]]
        if loop >= 0:
            at = vehicle * loops.n_slots + loop
            seconds += state.loop_entered[at] - state.loop_left[at]
    return seconds
