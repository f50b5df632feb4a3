"""What detectors would report: vehicles per lane, how many stand, how fast, and where on the lane."""

from __future__ import annotations

from typing import NamedTuple

from intergreen.envs.arrays import FloatArray, IntArray
from intergreen.envs.simulation.compile import inlined, kernel
from intergreen.envs.simulation.lane_change import SHADOW
from intergreen.envs.simulation.motion import HALTED_BELOW_MPS, UNKNOWN
from intergreen.envs.simulation.natural import natural
from intergreen.envs.simulation.state import LANES_IN_USE, LANES_WAITED_FOR, STEP, replica_state
from intergreen.envs.simulation.statics import N_COLUMNS, OCCUPANCY


class Counts(NamedTuple):
    """Lane counts of B replicas and L lanes at one moment; who crosses a cut of the street before a stop line counts on
    the lane behind it."""

    vehicles: IntArray  # (B, L)
    waiting: IntArray  # (B, L) slower than 0.1 m/s
    near: IntArray  # (B, L) moving, within the near distance of the stop line
    arriving: IntArray  # (B, L, bins) moving, by distance from the stop line
    mean_speed: FloatArray  # (B, L) m/s, 0 on an empty lane


class LaneSums(NamedTuple):
    """What the seconds of a period brought to the lanes that lead to signals, (B, L) each; other lanes stay 0."""

    queue: FloatArray  # vehicle-seconds slower than 0.1 m/s
    delay: FloatArray  # vehicle-seconds, each times the share of the lane's free speed that the vehicle lacks
    person_delay: FloatArray  # the same, times the people in the vehicle
    backlog: FloatArray  # by how many more vehicles wait outside to enter the lane
    person_backlog: FloatArray  # and by how many more people


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
def count_lanes(net, state, near_m, bounds_m, vehicles, waiting, near, arriving, mean_speed):
    """Fill the arrays of `Counts`, all overwritten; near_m (L,) m, bounds_m (L, bins) m."""
    for b in range(state.tally.shape[0]):
        count_replica(net, replica_state(state, b), bounds_m, waiting[b], vehicles[b], arriving[b])
        even = state.tally[b, STEP] & 1 == 0
        position = state.position_a[b] if even else state.position_b[b]
        speed = state.speed_a[b] if even else state.speed_b[b]
        for lane in range(net.lane_index.shape[0]):
            first = state.head[b, lane]
            count = state.n_inside[b, lane]
            moving_near = 0
            total = 0.0
            for slot in range(first, first + count):
                total += speed[slot]
                if speed[slot] >= HALTED_BELOW_MPS and net.length[lane] - position[slot] <= near_m[lane]:
                    moving_near += 1
            near[b, lane] = moving_near
            mean_speed[b, lane] = total / count if count > 0 else 0.0
        for entry in range(net.over_cuts.shape[0]):
            drivable, lane = _over_cut(net, entry)
            for slot in range(state.head[b, drivable], state.head[b, drivable] + state.n_inside[b, drivable]):
                distance = net.length[drivable] - position[slot] + net.length[lane]
                near[b, lane] += (speed[slot] >= HALTED_BELOW_MPS) & (distance <= near_m[lane])


@kernel
def count_replica(net, state, bounds_m, waiting, vehicles, arriving):
    """Counts of one replica: waiting (L,), vehicles (L,), arriving (L, bins); all overwritten.

    bounds_m  (L, bins) m from the stop line, ascending; a moving vehicle counts in the first bin that it is within
    """
    even = state.tally[STEP] & 1 == 0
    position = state.position_a if even else state.position_b
    speed = state.speed_a if even else state.speed_b
    for lane in range(waiting.shape[0]):
        count = state.n_inside[lane]
        vehicles[lane] = count
        halted = 0
        for bin_ in range(bounds_m.shape[1]):
            arriving[lane, bin_] = 0
        bin_ = 0  # the front vehicle comes first, so distances ascend
        asleep, awake = state.asleep_first[lane], natural(state.asleep_past[lane])
        slot = natural(state.head[lane])
        past = slot + count
        while slot < past:
            if slot == asleep and asleep < awake:
                halted += awake - asleep
                slot = awake
                continue
            if speed[slot] < HALTED_BELOW_MPS:
                halted += 1
            else:
                distance = net.length[lane] - position[slot]
                while bin_ < bounds_m.shape[1] and distance > bounds_m[lane, bin_]:
                    bin_ += 1
                if bin_ < bounds_m.shape[1]:
                    arriving[lane, bin_] += 1
            slot += 1
        waiting[lane] = halted
    for entry in range(net.over_cuts.shape[0]):
        drivable, lane = _over_cut(net, entry)
        first = natural(state.head[drivable])
        vehicles[lane] += state.n_inside[drivable]
        for slot in range(first, first + state.n_inside[drivable]):
            if speed[slot] < HALTED_BELOW_MPS:
                waiting[lane] += 1
                continue
            distance = net.length[drivable] - position[slot] + net.length[lane]
            bin_ = 0
            while bin_ < bounds_m.shape[1] and distance > bounds_m[lane, bin_]:
                bin_ += 1
            if bin_ < bounds_m.shape[1]:
                arriving[lane, bin_] += 1


@inlined
def _over_cut(net, entry):
    """The drivable of a link over a cut, and the lane that it leads to."""
    link = net.over_cuts[entry]
    return natural(net.lane_index.shape[0] + link), natural(net.link_to[link])


@inlined
def add_lane_second(net, trips, state, with_persons, sums):
    """Add the last second of one replica to its `LaneSums`; `person_delay` only `with_persons`, which costs more."""
    speed = state.speed_a if state.tally[STEP] & 1 == 0 else state.speed_b
    for entry in range(state.tally[LANES_IN_USE]):
        lane = natural(state.in_use[entry])
        if net.lane_queues[lane] == 0:
            continue
        free = min(net.base_limit[lane], net.fastest)
        first, count = natural(state.head[lane]), state.n_inside[lane]
        halted, total = state.lane_halted[lane], state.lane_speed[lane]
        if halted == UNKNOWN or state.arrival_step[lane] == state.tally[STEP] - 1:
            halted, total = 0, 0.0
            for slot in range(first, first + count):
                halted += speed[slot] < HALTED_BELOW_MPS
                total += speed[slot]
        sums.queue[lane] += halted
        sums.delay[lane] += max(0.0, count - total / free)
        if with_persons:
            for slot in range(first, first + count):
                people = net.types[trips.kind[state.vehicle[slot]] * N_COLUMNS + OCCUPANCY]
                sums.person_delay[lane] += people * max(0.0, 1.0 - speed[slot] / free)
    for entry in range(net.over_cuts.shape[0]):
        drivable, lane = _over_cut(net, entry)
        free = min(net.base_limit[lane], net.fastest)
        first = natural(state.head[drivable])
        for slot in range(first, first + state.n_inside[drivable]):
            lacks = max(0.0, 1.0 - speed[slot] / free)
            sums.queue[lane] += speed[slot] < HALTED_BELOW_MPS
            sums.delay[lane] += lacks
            if with_persons:
                sums.person_delay[lane] += net.types[trips.kind[state.vehicle[slot]] * N_COLUMNS + OCCUPANCY] * lacks


@kernel
def add_outside(net, trips, state, times, sums):
    """Add `times` (-1 before a period, 1 after it) those who wait outside one replica now to the backlogs."""
    for entry in range(state.tally[LANES_WAITED_FOR]):
        lane = state.waited_for[entry]
        if net.lane_queues[lane] == 0:
            continue
        trip = state.line_first[lane]
        while trip >= 0:
            sums.backlog[lane] += times
            sums.person_backlog[lane] += times * net.types[trips.kind[trip] * N_COLUMNS + OCCUPANCY]
            trip = state.behind[trip]


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
