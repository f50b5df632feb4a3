"""What changes while a network is simulated: one row per replica, structure of arrays.

Vehicles on a drivable occupy a contiguous run of slots, front vehicle first. The run starts at `head` inside the
drivable's stretch, which has room for twice the capacity: leaving moves the head, arriving extends the run, and
when the end of the stretch is met the run is copied back to its beginning.
Positions and speeds exist twice: a step reads one copy and writes the other, so the order of lanes cannot matter.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from intergreen.envs.arrays import ByteArray, FloatArray, IntArray
from intergreen.envs.simulation.compile import kernel
from intergreen.envs.simulation.statics import N_COLUMNS, Statics

# columns of `tally`, int64
(
    STEP,  # seconds simulated; even: the copies _a of position and speed are current
    N_TRIPS,
    RELEASED,  # trips whose departure time has come
    ENTERED,
    FINISHED,
    LANES_IN_USE,
    LINKS_IN_USE,
    LANES_WAITED_FOR,
    ERROR_DRIVABLE,  # -1, or the drivable that overflowed
    FINISHED_TIME,  # s, sum over finished trips of finish - release
    FINISHED_RELEASE,  # s, sum of their release times
    RELEASE_TIME,  # s, sum of the release times of all released trips
    UPDATES,  # vehicle updates = vehicle-seconds in the network
    STOPS,
    RED_ENTRIES,
    OVERLAPS,
    QUEUE_TIME,  # halted vehicle-seconds on approach lanes
    MAX_QUEUE,  # longest queue on one lane
    ON_APPROACH,  # vehicles on approach lanes now
    APPROACH_TIME,  # vehicle-seconds on approach lanes
    APPROACH_VEHICLES,
    LOOP_TIME,  # s, time outside approaches that the literature's metric charges to repeated visits
) = range(22)
N_TALLIES = 22

# what a driver keeps in `wishes`
GAIN, KEEP_RIGHT, SPEED_AHEAD = range(3)  # of speed, on the left > 0 > on the right; s of free road there; m/s
N_WISHES = 3

NEVER = 1 << 30  # later than any step: the link entry time of a vehicle on a lane
WAIT_BINS = 64  # per movement, see wait_bin


class State(NamedTuple):
    """B replicas, S slots, D drivables, L lanes, N trips, M movements, T vehicle types. Inside a kernel: one row."""

    position_a: FloatArray  # (B, S) m from the start of the drivable to the front bumper
    speed_a: FloatArray  # (B, S) m/s
    position_b: FloatArray
    speed_b: FloatArray
    vehicle: IntArray  # (B, S) trip index
    next_link: IntArray  # (B, S) on a lane: the link to take, -1 at the end of the route
    waited: IntArray  # (B, S) s halted on the present lane
    head: IntArray  # (B, D) slot of the first vehicle
    n_inside: IntArray  # (B, D) vehicles
    in_use: IntArray  # (B, D) the drivables with vehicles: lanes from 0, links from L
    in_use_at: IntArray  # (B, D) where a drivable stands in that list
    row: IntArray  # (B, N) entry of the route table for the vehicle's road
    previous: IntArray  # (B, N) drivable before the present one, -1 none
    entered_link: IntArray  # (B, N) step, NEVER on a lane
    blocker: IntArray  # (B, 2 N) the vehicle yielded to, by parity of the step
    blocked_at: IntArray  # (B, 2 N) the step at which it was noted
    done: ByteArray  # (B, N) 1 once the trip has ended
    approached: ByteArray  # (B, N) 1 once on an approach lane
    behind: IntArray  # (B, N) next trip in the same waiting line
    line_first: IntArray  # (B, L) first trip waiting to enter a lane, -1 none
    line_last: IntArray  # (B, L)
    waited_for: IntArray  # (B, L) the lanes with a waiting line
    entry_step: IntArray  # (B, L) last step at which a trip entered there
    arrival_step: IntArray  # (B, D) last step at which vehicles arrived from upstream
    arrival_base: IntArray  # (B, D) slot of the first of them
    asleep_first: IntArray  # (B, L) slots whose drivers stand at a red or behind one who stands, ...
    asleep_past: IntArray  # (B, L) ... and are the same in both copies
    lane_halted: IntArray  # (B, L) halted vehicles at the end of the last second, -1 where somebody left in it
    lane_speed: FloatArray  # (B, L) m/s, sum of all speeds then
    limit: FloatArray  # (B, D) m/s
    closed: ByteArray  # (B, L) 1 where nobody may enter
    green: ByteArray  # (B, M) 1 where a movement has green
    hot: NDArray[np.uint64]  # (B, J W) links on which somebody is near or on a crossing
    moved_at: IntArray  # (B, N) last step in which a driver of SUMO's did not stand
    wishes: FloatArray  # (B, N N_WISHES) of drivers of SUMO's, for the lanes beside, see `lc2013`; B x 1 in CityFlow's
    seen_step: IntArray  # (B, K) last step at which somebody was announced at a link, see `sight`; B x 1 in CityFlow's
    seen_slot: IntArray  # (B, K) who, ...
    seen_m: FloatArray  # (B, K) ... and how far before it
    leaving: IntArray  # (B, D) scratch: drivables that somebody leaves in this step
    mover: IntArray  # (B, N) scratch: who changes drivable, ...
    mover_target: IntArray  # (B, N) ... where to,
    mover_waited: IntArray  # (B, N)
    mover_position: FloatArray  # (B, N)
    mover_speed: FloatArray  # (B, N)
    loop_left: IntArray  # (B, N loops) step at which an intersection was left that the route visits again
    loop_entered: IntArray  # (B, N loops) step at which it was entered again
    tally: NDArray[np.int64]  # (B, N_TALLIES)
    distance: FloatArray  # (B, 1) m driven
    time_loss: FloatArray  # (B, T) s lost in the network, by vehicle type
    outside_wait: FloatArray  # (B, T) s waited to enter, by vehicle type, of those that entered
    wait_count: IntArray  # (B, M * WAIT_BINS) vehicles by seconds halted on their approach lane
    wait_max: IntArray  # (B, M) s


class TripRows(NamedTuple):
    """The trips of every replica; inside a kernel: one row."""

    release: IntArray  # (B, N) s, ascending
    first_row: IntArray  # (B, N) entry of the route table
    start_lane: IntArray  # (B, N)
    kind: IntArray  # (B, N) vehicle type
    priority: IntArray  # (B, N) unique, decides ties
    pace: FloatArray  # (B, N) share of a speed limit that the driver takes


class Loops(NamedTuple):
    """Routes that pass an intersection twice, by entry of the route table; -1 nearly everywhere."""

    leave_slot: IntArray
    enter_slot: IntArray
    n_slots: int


def allocate(statics: Statics, *, replicas: int, trips: int, movements: int, hot_words: int, loops: int) -> State:
    """An empty network of `replicas` copies with room for `trips` trips each."""
    n_lanes, n_drivables = len(statics.lane_index), len(statics.length)
    n_slots, n_types = int(statics.slot_start[-1]), len(statics.types) // N_COLUMNS
    n_seen = n_drivables - n_lanes if statics.look_beyond else 1

    def ints(width: int, fill: int = 0) -> IntArray:
        # zeros are not written: the system hands out pages of them as they are touched
        return np.full((replicas, width), fill, np.int32) if fill else np.zeros((replicas, width), np.int32)

    def floats(width: int) -> FloatArray:
        return np.zeros((replicas, width))

    state = State(
        position_a=floats(n_slots),
        speed_a=floats(n_slots),
        position_b=floats(n_slots),
        speed_b=floats(n_slots),
        vehicle=ints(n_slots),
        next_link=ints(n_slots),
        waited=ints(n_slots),
        head=np.tile(statics.slot_start[:-1], (replicas, 1)),
        n_inside=ints(n_drivables),
        in_use=ints(n_drivables),
        in_use_at=ints(n_drivables),
        row=ints(trips),
        previous=ints(trips, -1),
        entered_link=ints(trips, NEVER),
        blocker=ints(2 * trips, -1),
        blocked_at=ints(2 * trips, -1),
        done=np.zeros((replicas, trips), np.uint8),
        approached=np.zeros((replicas, trips), np.uint8),
        behind=ints(trips, -1),
        line_first=ints(n_lanes, -1),
        line_last=ints(n_lanes, -1),
        waited_for=ints(n_lanes),
        entry_step=ints(n_lanes, -1),
        arrival_step=ints(n_drivables, -1),
        arrival_base=ints(n_drivables),
        asleep_first=ints(n_lanes),
        asleep_past=ints(n_lanes),
        lane_halted=ints(n_lanes),
        lane_speed=floats(n_lanes),
        limit=np.tile(statics.base_limit, (replicas, 1)),
        closed=np.zeros((replicas, n_lanes), np.uint8),
        green=np.zeros((replicas, movements), np.uint8),
        hot=np.zeros((replicas, max(1, hot_words)), np.uint64),
        moved_at=ints(trips),
        wishes=floats(N_WISHES * trips if statics.look_beyond else 1),
        seen_step=ints(n_seen, -1),
        seen_slot=ints(n_seen),
        seen_m=floats(n_seen),
        leaving=ints(n_drivables),
        mover=ints(trips),
        mover_target=ints(trips),
        mover_waited=ints(trips),
        mover_position=floats(trips),
        mover_speed=floats(trips),
        loop_left=ints(max(1, trips * loops)),
        loop_entered=ints(max(1, trips * loops)),
        tally=np.zeros((replicas, N_TALLIES), np.int64),
        distance=floats(1),
        time_loss=floats(n_types),
        outside_wait=floats(n_types),
        wait_count=ints(movements * WAIT_BINS),
        wait_max=ints(movements),
    )
    state.tally[:, ERROR_DRIVABLE] = -1
    return state


@kernel
def replica_state(state, b):
    """Row `b` of every array of a `State`."""
    return State(
        state.position_a[b],
        state.speed_a[b],
        state.position_b[b],
        state.speed_b[b],
        state.vehicle[b],
        state.next_link[b],
        state.waited[b],
        state.head[b],
        state.n_inside[b],
        state.in_use[b],
        state.in_use_at[b],
        state.row[b],
        state.previous[b],
        state.entered_link[b],
        state.blocker[b],
        state.blocked_at[b],
        state.done[b],
        state.approached[b],
        state.behind[b],
        state.line_first[b],
        state.line_last[b],
        state.waited_for[b],
        state.entry_step[b],
        state.arrival_step[b],
        state.arrival_base[b],
        state.asleep_first[b],
        state.asleep_past[b],
        state.lane_halted[b],
        state.lane_speed[b],
        state.limit[b],
        state.closed[b],
        state.green[b],
        state.hot[b],
        state.moved_at[b],
        state.wishes[b],
        state.seen_step[b],
        state.seen_slot[b],
        state.seen_m[b],
        state.leaving[b],
        state.mover[b],
        state.mover_target[b],
        state.mover_waited[b],
        state.mover_position[b],
        state.mover_speed[b],
        state.loop_left[b],
        state.loop_entered[b],
        state.tally[b],
        state.distance[b],
        state.time_loss[b],
        state.outside_wait[b],
        state.wait_count[b],
        state.wait_max[b],
    )


@kernel
def replica_trips(trips, b):
    """Row `b` of every array of a `TripRows`."""
    return TripRows(
        trips.release[b], trips.first_row[b], trips.start_lane[b], trips.kind[b], trips.priority[b], trips.pace[b]
    )
