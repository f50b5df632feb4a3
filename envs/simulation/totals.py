"""The sums that metrics are made of, per replica, at one moment."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from intergreen.envs.arrays import FloatArray
from intergreen.envs.simulation import state as columns
from intergreen.envs.simulation.counts import add_waits_outside, sum_motion, wait_now
from intergreen.envs.simulation.lane_change import Changes
from intergreen.envs.simulation.state import WAIT_BINS, Loops, State, TripRows
from intergreen.envs.simulation.statics import N_COLUMNS, OCCUPANCY, Statics
from intergreen.envs.simulation.visits import WAIT_BIN_START_S, time_of_open_visits


class Totals(NamedTuple):
    """(B,) arrays: what has happened in each replica so far. Sums over vehicles unless said otherwise."""

    released: np.ndarray  # trips whose departure time has come
    entered: np.ndarray
    finished: np.ndarray
    running: np.ndarray  # in the network now
    waiting_outside: np.ndarray  # released, not entered yet
    halted: np.ndarray  # on lanes, slower than 0.1 m/s, now
    sum_travel_time_s: np.ndarray  # finished: finish - release; the others: now - release
    total_distance_m: np.ndarray
    total_time_s: np.ndarray  # vehicle-seconds in the network
    approach_vehicles: np.ndarray  # have been on an approach lane of a signal
    approach_time_s: np.ndarray  # vehicle-seconds on approach lanes
    approach_time_literature_s: np.ndarray  # first seen to last missed per signal: charges the way round between visits
    time_loss_s: np.ndarray  # against free flow, in the network
    outside_wait_s: np.ndarray  # waiting to enter
    person_delay_s: np.ndarray  # (time loss + outside wait) * occupancy
    persons: np.ndarray  # in all released vehicles
    stops: np.ndarray
    queue_time_veh_s: np.ndarray  # halted vehicle-seconds on approach lanes
    max_queue_veh: np.ndarray  # longest queue on one lane so far
    max_wait_s: np.ndarray  # most seconds that a vehicle stood on its approach lane, all halts added
    p95_wait_s: np.ndarray  # 95th percentile of the same, of the movement where that is longest
    red_entries: np.ndarray  # entered a junction without green: could no longer stop
    overlaps: np.ndarray  # arrivals that overlapped the vehicle ahead where streams merge
    vehicle_updates: np.ndarray
    sum_speed: np.ndarray  # m/s, of everybody in the network now
    sum_distance_on_drivable: np.ndarray  # m


def read_totals(
    statics: Statics, loops: Loops, trips: TripRows, state: State, changes: Changes | None = None
) -> Totals:
    """The totals of every replica now."""
    tally = state.tally
    n_replicas = len(tally)
    now = tally[:, columns.STEP]
    released, entered, finished = (tally[:, c] for c in (columns.RELEASED, columns.ENTERED, columns.FINISHED))
    still_released = tally[:, columns.RELEASE_TIME] - tally[:, columns.FINISHED_RELEASE]
    inside, halted = np.zeros(n_replicas, np.int32), np.zeros(n_replicas, np.int64)
    speed_sum, distance_sum = np.zeros(n_replicas), np.zeros(n_replicas)
    sum_motion(statics, state, changes, inside, halted, speed_sum, distance_sum)
    outside = _outside_wait_by_type(trips, state)
    occupancy = statics.types.reshape(-1, N_COLUMNS)[:, OCCUPANCY]
    left_out = np.array([time_of_open_visits(statics, loops, state, b) for b in range(n_replicas)])
    waits = [movement_waits(statics, state, b) for b in range(n_replicas)]
    return Totals(
        released=released.copy(),
        entered=entered.copy(),
        finished=finished.copy(),
        running=inside,
        waiting_outside=released - entered,
        halted=halted,
        sum_travel_time_s=tally[:, columns.FINISHED_TIME] + (released - finished) * now - still_released,
        total_distance_m=state.distance[:, 0].copy(),
        total_time_s=tally[:, columns.UPDATES].copy(),
        approach_vehicles=tally[:, columns.APPROACH_VEHICLES].copy(),
        approach_time_s=tally[:, columns.APPROACH_TIME].copy(),
        approach_time_literature_s=tally[:, columns.APPROACH_TIME] + tally[:, columns.LOOP_TIME] - left_out,
        time_loss_s=state.time_loss.sum(axis=1),
        outside_wait_s=outside.sum(axis=1),
        # no matrix product: its last digit depends on how many replicas there are
        person_delay_s=((state.time_loss + outside) * occupancy).sum(axis=1),
        persons=_persons(trips, tally, occupancy),
        stops=tally[:, columns.STOPS].copy(),
        queue_time_veh_s=tally[:, columns.QUEUE_TIME].copy(),
        max_queue_veh=tally[:, columns.MAX_QUEUE].copy(),
        max_wait_s=np.array([w[0].max(initial=0) for w in waits]),
        p95_wait_s=np.array([w[1].max(initial=0) for w in waits]),
        red_entries=tally[:, columns.RED_ENTRIES].copy(),
        overlaps=tally[:, columns.OVERLAPS].copy(),
        vehicle_updates=tally[:, columns.UPDATES].copy(),
        sum_speed=speed_sum,
        sum_distance_on_drivable=distance_sum,
    )


def lost_seconds(trips: TripRows, state: State) -> FloatArray:
    """(B,) against free flow so far, of everybody: in the network and waiting to enter."""
    lost: FloatArray = state.time_loss.sum(axis=1) + _outside_wait_by_type(trips, state).sum(axis=1)
    return lost


def movement_waits(statics: Statics, state: State, b: int) -> tuple[FloatArray, FloatArray]:
    """Most and 95th-percentile seconds stood on the approach lane by movement, both (M,), in replica `b`.

    Who still waits counts with the seconds so far. The percentile is read from bins, see `visits.wait_bin`.
    """
    longest = state.wait_max[b].astype(np.float64)
    counts = state.wait_count[b].reshape(-1, WAIT_BINS).astype(np.int64)
    room = int(state.n_inside[b].sum())
    movement, seconds = np.zeros(room, np.int32), np.zeros(room, np.int32)
    n = wait_now(statics, state, b, movement, seconds)
    np.maximum.at(longest, movement[:n], seconds[:n])
    np.add.at(counts, (movement[:n], np.searchsorted(WAIT_BIN_START_S, seconds[:n], side="right") - 1), 1)
    total = counts.sum(axis=1)
    reached = counts.cumsum(axis=1) >= np.ceil(0.95 * total)[:, None]
    p95 = np.where(total > 0, WAIT_BIN_START_S[reached.argmax(axis=1)], 0.0)
    return longest, p95


def _persons(trips: TripRows, tally: np.ndarray, occupancy: FloatArray) -> FloatArray:
    return np.array([occupancy[kind[:n]].sum() for kind, n in zip(trips.kind, tally[:, columns.RELEASED], strict=True)])


def _outside_wait_by_type(trips: TripRows, state: State) -> FloatArray:
    """(B, T) seconds waited to enter, those still waiting included."""
    out = state.outside_wait.copy()
    add_waits_outside(trips, state, out)
    return out
