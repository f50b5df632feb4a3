"""What detectors would report: vehicles per lane, how many stand, how fast, and where on the lane."""

from __future__ import annotations

from typing import NamedTuple

from intergreen.envs.arrays import FloatArray, IntArray
from intergreen.envs.simulation.compile import kernel
from intergreen.envs.simulation.lane_change import SHADOW
from intergreen.envs.simulation.motion import HALTED_BELOW_MPS
from intergreen.envs.simulation.state import LANES_IN_USE, LANES_WAITED_FOR, STEP


class Counts(NamedTuple):
    """Lane counts of B replicas and L lanes at one moment."""

    vehicles: IntArray  # (B, L)
    waiting: IntArray  # (B, L) slower than 0.1 m/s
    near: IntArray  # (B, L) moving, within the near distance of the stop line
    mean_speed: FloatArray  # (B, L) m/s, 0 on an empty lane


class LinkCounts(NamedTuple):
    """Counts on the K lane links of B replicas at one moment."""

    vehicles: IntArray  # (B, K)
    waiting: IntArray  # (B, K) slower than 0.1 m/s
    mean_speed: FloatArray  # (B, K) m/s, 0 on an empty link


class Positions(NamedTuple):
    """Where the n vehicles of one replica are."""

    trip: IntArray  # (n,) trip index
    drivable: IntArray  # (n,) lane 0..L-1, or L + lane link
    distance: FloatArray  # (n,) m from the start of the drivable
    speed: FloatArray  # (n,) m/s


@kernel
def count_lanes(net, state, near_m, vehicles, waiting, near, mean_speed):
    """Fill the (B, L) arrays of `Counts`, all overwritten; near_m (L,) m."""
    for b in range(state.tally.shape[0]):
        even = state.tally[b, STEP] & 1 == 0
        position = state.position_a[b] if even else state.position_b[b]
        speed = state.speed_a[b] if even else state.speed_b[b]
        for lane in range(net.lane_index.shape[0]):
            first = state.head[b, lane]
            count = state.n_inside[b, lane]
            halted = 0
            moving_near = 0
            total = 0.0
            for slot in range(first, first + count):
                total += speed[slot]
                if speed[slot] < HALTED_BELOW_MPS:
                    halted += 1
                elif net.length[lane] - position[slot] <= near_m[lane]:
                    moving_near += 1
            vehicles[b, lane] = count
            waiting[b, lane] = halted
            near[b, lane] = moving_near
            mean_speed[b, lane] = total / count if count > 0 else 0.0


@kernel
def count_links(net, state, vehicles, waiting, mean_speed):
    """Fill the (B, K) arrays of `LinkCounts`, all overwritten."""
    n_lanes = net.lane_index.shape[0]
    for b in range(vehicles.shape[0]):
        speed = state.speed_a[b] if state.tally[b, STEP] & 1 == 0 else state.speed_b[b]
        for link in range(vehicles.shape[1]):
            first = state.head[b, n_lanes + link]
            count = state.n_inside[b, n_lanes + link]
            halted = 0
            total = 0.0
            for slot in range(first, first + count):
                total += speed[slot]
                halted += speed[slot] < HALTED_BELOW_MPS
            vehicles[b, link] = count
            waiting[b, link] = halted
            mean_speed[b, link] = total / count if count > 0 else 0.0


@kernel
def count_queues(net, state, queues):
    """Waiting vehicles by the movement they will make: queues (B, M), overwritten."""
    for b in range(queues.shape[0]):
        speed = state.speed_a[b] if state.tally[b, STEP] & 1 == 0 else state.speed_b[b]
        for movement in range(queues.shape[1]):
            queues[b, movement] = 0
        for entry in range(state.tally[b, LANES_IN_USE]):
            lane = state.in_use[b, entry]
            for slot in range(state.head[b, lane], state.head[b, lane] + state.n_inside[b, lane]):
                link = state.next_link[b, slot]
                if link >= 0 and speed[slot] < HALTED_BELOW_MPS:
                    queues[b, net.link_movement[link]] += 1


@kernel
def count_segments(net, state, n_segments, out):
    """Vehicles per equal segment of each lane, the first at the stop line: out (B, L, n_segments), overwritten."""
    out[:] = 0
    for b in range(state.tally.shape[0]):
        position = state.position_a[b] if state.tally[b, STEP] & 1 == 0 else state.position_b[b]
        for lane in range(net.lane_index.shape[0]):
            length = net.length[lane]
            for slot in range(state.head[b, lane], state.head[b, lane] + state.n_inside[b, lane]):
                segment = int((length - position[slot]) / length * n_segments)
                out[b, lane, min(max(segment, 0), n_segments - 1)] += 1


@kernel
def sum_motion(net, state, changes, inside, halted, speed_sum, distance_sum):
    """Per replica: vehicles inside, those halted on lanes, sum of speeds [m/s] and of distances on the drivable [m].

    All overwritten. A vehicle that changes lanes counts once, without its shadow; `changes` None: nobody does.
    """
    n_lanes = net.lane_index.shape[0]
    for b in range(state.tally.shape[0]):
        even = state.tally[b, STEP] & 1 == 0
        position = state.position_a[b] if even else state.position_b[b]
        speed = state.speed_a[b] if even else state.speed_b[b]
        inside[b] = 0
        halted[b] = 0
        speed_sum[b] = 0.0
        distance_sum[b] = 0.0
        for drivable in range(net.length.shape[0]):
            for slot in range(state.head[b, drivable], state.head[b, drivable] + state.n_inside[b, drivable]):
                if changes is not None:
                    if changes.role[b, state.vehicle[b, slot]] == SHADOW:
                        continue
                inside[b] += 1
                halted[b] += (drivable < n_lanes) & (speed[slot] < HALTED_BELOW_MPS)
                speed_sum[b] += speed[slot]
                distance_sum[b] += position[slot]


@kernel
def copy_positions(net, state, b, trip, drivable, distance, speed_out):
    """Fill the arrays of `Positions` for replica `b`; returns how many vehicles there are."""
    even = state.tally[b, STEP] & 1 == 0
    position = state.position_a[b] if even else state.position_b[b]
    speed = state.speed_a[b] if even else state.speed_b[b]
    n = 0
    for d in range(net.length.shape[0]):
        for slot in range(state.head[b, d], state.head[b, d] + state.n_inside[b, d]):
            trip[n] = state.vehicle[b, slot]
            drivable[n] = d
            distance[n] = position[slot]
            speed_out[n] = speed[slot]
            n += 1
    return n


@kernel
def add_waits_outside(trips, state, seconds):
    """Add the seconds that everybody outside has waited so far, by vehicle type: seconds (B, T), in place."""
    for b in range(seconds.shape[0]):
        now = state.tally[b, STEP]
        for entry in range(state.tally[b, LANES_WAITED_FOR]):
            trip = state.line_first[b, state.waited_for[b, entry]]
            while trip >= 0:
                seconds[b, trips.kind[b, trip]] += now - trips.release[b, trip]
                trip = state.behind[b, trip]


@kernel
def wait_now(net, state, b, movement, seconds):
    """Movement and seconds halted of everybody still on an approach lane of replica `b`; returns how many."""
    n = 0
    for entry in range(state.tally[b, LANES_IN_USE]):
        lane = state.in_use[b, entry]
        if net.lane_approach[lane] == 0:
            continue
        for slot in range(state.head[b, lane], state.head[b, lane] + state.n_inside[b, lane]):
            if state.next_link[b, slot] >= 0:
                movement[n] = net.link_movement[state.next_link[b, slot]]
                seconds[n] = state.waited[b, slot]
                n += 1
    return n
