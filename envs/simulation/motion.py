"""New speed and position of everybody, from the old ones: the pass where the time goes.

Vehicles of a lane are neighbours in memory, so the leader is simply the slot before. Only the first of a drivable
looks further (`leader`), and only those near a stop line look at the junction (`junction`).
"""

from __future__ import annotations

from intergreen.envs.simulation.ahead import fetch_ahead
from intergreen.envs.simulation.compile import inlined, kernel
from intergreen.envs.simulation.driving import (
    KRAUSS_EPS_M,
    brake_distance,
    chance,
    headway_speed,
    krauss_is_free,
    krauss_slowing_speed,
    krauss_speed,
    no_collision_speed,
)
from intergreen.envs.simulation.foes import hot_foes
from intergreen.envs.simulation.junction import can_stop, crossing_speed, leaves_free, stopping_speed
from intergreen.envs.simulation.leader import find_beside, find_leader
from intergreen.envs.simulation.natural import natural
from intergreen.envs.simulation.room import has_no_room
from intergreen.envs.simulation.sight import is_red
from intergreen.envs.simulation.slots import MANY_LANES, type_of
from intergreen.envs.simulation.state import LANES_IN_USE, LINKS_IN_USE, MAX_QUEUE, QUEUE_TIME, STOPS, UPDATES
from intergreen.envs.simulation.statics import (
    DAWDLE,
    FOLLOW_CUT,
    HALF_PER_DECEL,
    HEADWAY,
    KRAUSS,
    LENGTH,
    MAX_ACCEL,
    MAX_DECEL,
    MAX_SPEED,
    MIN_GAP,
    N_COLUMNS,
    SAME_DECEL,
    STAY,
    STOP_GAP,
    USUAL_DECEL,
    ZONE,
)

HALTED_BELOW_MPS = 0.1
NOBODY = -1
UNKNOWN = -1
LANES_AHEAD = 8  # whose vehicles are fetched meanwhile, where there are many lanes


@inlined
def drive_links(net, routes, trips, state, moment, new_position, new_speed, hide_entrants):
    """New speed and position of everybody inside junctions; returns how many drivables are listed as left."""
    n_lanes = natural(net.lane_index.shape[0])
    several = net.types.shape[0] > N_COLUMNS
    mixed = several or net.paced != 0
    n_leaving = 0
    kind, pace = 0, 1.0
    for entry in range(n_lanes, n_lanes + state.tally[LINKS_IN_USE]):
        drivable = natural(state.in_use[entry])
        link = natural(drivable - n_lanes)
        length = net.length[drivable]
        first = natural(state.head[drivable])
        count = state.n_inside[drivable]
        leavers = 0
        driven = 0.0
        for slot in range(first, first + count):
            vehicle = natural(state.vehicle[slot])
            if several:
                kind = natural(trips.kind[vehicle])
            if mixed:
                pace = trips.pace[vehicle]
            me = kind * N_COLUMNS
            position = moment.position[slot]
            speed = moment.speed[slot]
            cap = net.types[me + MAX_SPEED]
            limit = state.limit[drivable] * pace
            cap = limit if limit < cap else cap
            faster = speed + net.types[me + MAX_ACCEL]
            cap = faster if faster < cap else cap
            if slot > first:
                ahead = slot - 1
                leader = type_of(net, trips, natural(state.vehicle[ahead]))
                gap = moment.position[ahead] - net.types[leader + LENGTH] - position
            elif _may_follow(net, me, length - position, cap):
                ahead, gap = find_leader(
                    net, routes, trips, state, moment, vehicle, drivable, length - position, link, hide_entrants
                )
            else:
                ahead, gap = NOBODY, 0.0
            if ahead >= 0:
                leader = type_of(net, trips, natural(state.vehicle[ahead]))
                cap = _following_speed(net, me, leader, moment.speed[ahead], speed, gap, cap)
            if net.look_beyond != 0 and slot == first:
                ahead, gap = find_beside(net, trips, state, moment, link, position)
                if ahead >= 0:
                    leader = type_of(net, trips, natural(state.vehicle[ahead]))
                    cap = _following_speed(net, me, leader, moment.speed[ahead], speed, gap, cap)
            cap = crossing_speed(net, state, trips, moment, slot, me, link, position, cap)
            if net.look_beyond != 0 and slot == first:
                cap = _speed_beyond(net, routes, trips, state, moment, slot, me, link, -position, cap)
            moved = _drive_on(net, trips, state, moment, me, speed, cap, slot, new_speed)
            new_position[slot] = moved + position
            driven += moved
            if mixed:
                state.time_loss[kind] += 1.0 - moved / min(net.types[me + MAX_SPEED], net.base_limit[drivable] * pace)
            state.tally[STOPS] += (new_speed[slot] < HALTED_BELOW_MPS) & (speed >= HALTED_BELOW_MPS)
            if net.look_beyond != 0 and new_speed[slot] >= HALTED_BELOW_MPS:
                state.moved_at[vehicle] = moment.step
            leavers += new_position[slot] > length
        state.tally[UPDATES] += count
        state.distance[0] += driven
        if not mixed:
            state.time_loss[0] += count - driven / min(net.types[MAX_SPEED], net.base_limit[drivable])
        if leavers > 0:
            state.leaving[n_leaving] = drivable
            n_leaving += 1
    return n_leaving


@inlined
def drive_lanes(net, routes, trips, state, changes, moment, new_position, new_speed, hide_entrants, n_leaving):
    """New speed and position of everybody on lanes; returns how many drivables are listed as left."""
    several = net.types.shape[0] > N_COLUMNS
    mixed = several or net.paced != 0
    kind, pace = 0, 1.0
    in_use = state.tally[LANES_IN_USE]
    for entry in range(in_use):
        lane = natural(state.in_use[entry])
        if in_use > MANY_LANES and entry + LANES_AHEAD < in_use:
            _fetch_vehicles(state, moment, new_position, new_speed, state.in_use[entry + LANES_AHEAD])
        length = net.length[lane]
        lane_limit = state.limit[lane]
        first = natural(state.head[lane])
        count = state.n_inside[lane]
        leavers = 0
        queue = 0
        stops = 0
        driven = 0.0
        speed_sum = 0.0
        ahead_position = 0.0
        ahead_speed = 0.0
        leader = 0
        asleep, awake = _sleepers(net, state, moment, lane)
        standing, longest_first, longest_past = NOBODY, 0, 0
        past = natural(first + count)
        slot = first
        while slot < past:
            if several:
                kind = natural(trips.kind[natural(state.vehicle[slot])])
            me = kind * N_COLUMNS
            position = moment.position[slot]
            rest = length - position
            if asleep == slot and slot < awake:
                gap = ahead_position - net.types[leader + LENGTH] - position
                if slot > first:
                    sleeps_on = ahead_speed == 0.0 and _cannot_close_up(net, me, leader, gap)
                else:
                    sleeps_on = _waits_at_red(net, state, me, slot, rest)
                if sleeps_on:
                    for sleeper in range(slot, awake):
                        state.waited[sleeper] += 1
                    if mixed:
                        for sleeper in range(slot, awake):
                            kind = natural(trips.kind[natural(state.vehicle[sleeper])])
                            state.time_loss[kind] += 1.0
                    queue += awake - slot
                    standing = slot if standing == NOBODY else standing
                    ahead_position = moment.position[awake - 1]
                    leader = kind * N_COLUMNS
                    slot = awake
                    continue
                asleep += 1
            speed = moment.speed[slot]
            gap = ahead_position - net.types[leader + LENGTH] - position
            if speed == 0.0 and ahead_speed == 0.0:
                if slot > first:
                    stands_on = _must_stand(net, state, me, leader, slot, rest, gap)
                else:
                    stands_on = _waits_at_red(net, state, me, slot, rest)
                if stands_on:
                    new_speed[slot] = 0.0
                    new_position[slot] = position
                    queue += 1
                    state.waited[slot] += 1
                    if mixed:
                        state.time_loss[kind] += 1.0
                    standing = slot if standing == NOBODY else standing
                    ahead_position = position
                    leader = me
                    slot += 1
                    continue
            limit = lane_limit
            if mixed:
                pace = trips.pace[natural(state.vehicle[slot])]
                limit *= pace
            cap = net.types[me + MAX_SPEED]
            cap = limit if limit < cap else cap
            faster = speed + net.types[me + MAX_ACCEL]
            cap = faster if faster < cap else cap
            if slot > first:
                cap = _following_speed(net, me, leader, ahead_speed, speed, gap, cap)
            elif _may_follow(net, me, rest, cap):
                viewer = hide_entrants
                if state.entry_step[lane] == moment.step and count == 1:
                    viewer = max(viewer, lane)
                vehicle, link = natural(state.vehicle[slot]), state.next_link[slot]
                ahead, gap = find_leader(net, routes, trips, state, moment, vehicle, lane, rest, link, viewer)
                if ahead >= 0:
                    beyond = type_of(net, trips, natural(state.vehicle[ahead]))
                    cap = _following_speed(net, me, beyond, moment.speed[ahead], speed, gap, cap)
            if rest <= net.types[me + ZONE] and state.next_link[slot] >= 0:
                link = natural(state.next_link[slot])
                cap = _approach_speed(net, state, trips, moment, slot, me, link, rest, cap)
                if net.look_beyond != 0 and slot == first:
                    cap = _speed_beyond(net, routes, trips, state, moment, slot, me, link, rest, cap)
            if changes is not None:
                if changes.asked_step[natural(state.vehicle[slot])] == moment.step:
                    cap = min(cap, changes.cap[natural(state.vehicle[slot])])
            moved = _drive_on(net, trips, state, moment, me, speed, cap, slot, new_speed)
            new_position[slot] = moved + position
            driven += moved
            if mixed:
                state.time_loss[kind] += 1.0 - moved / min(net.types[me + MAX_SPEED], net.base_limit[lane] * pace)
            speed_sum += new_speed[slot]
            halted = new_speed[slot] < HALTED_BELOW_MPS
            queue += halted
            stops += halted & (speed >= HALTED_BELOW_MPS)
            state.waited[slot] += halted
            if net.look_beyond != 0 and not halted:
                state.moved_at[natural(state.vehicle[slot])] = moment.step
            leavers += new_position[slot] > length
            if standing != NOBODY:
                if slot - standing > longest_past - longest_first:
                    longest_first, longest_past = standing, slot
                standing = NOBODY
            ahead_position = position
            ahead_speed = speed
            leader = me
            slot += 1
        if standing != NOBODY and past - standing > longest_past - longest_first:
            longest_first, longest_past = standing, past
        if changes is None:  # a lane change may take anybody out of any slot
            state.asleep_first[lane] = longest_first
            state.asleep_past[lane] = longest_past
        state.lane_halted[lane] = queue if leavers == 0 and changes is None else UNKNOWN
        state.lane_speed[lane] = speed_sum
        tally = state.tally
        tally[UPDATES] += count
        tally[STOPS] += stops
        state.distance[0] += driven
        if not mixed:
            state.time_loss[0] += count - driven / min(net.types[MAX_SPEED], net.base_limit[lane])
        if net.lane_queues[lane] != 0:
            tally[QUEUE_TIME] += queue
            if queue > tally[MAX_QUEUE]:
                tally[MAX_QUEUE] = queue
        if leavers > 0:
            state.leaving[n_leaving] = lane
            n_leaving += 1
    return n_leaving


@inlined
def add_queues_over_cuts(net, state, new_speed):
    """Add who stands on the way over a cut of the street before a stop line to the queue of the lane behind it."""
    for entry in range(net.over_cuts.shape[0]):
        drivable = natural(net.lane_index.shape[0] + net.over_cuts[entry])
        first = natural(state.head[drivable])
        queue = 0
        for slot in range(first, first + state.n_inside[drivable]):
            queue += new_speed[slot] < HALTED_BELOW_MPS
        if queue > 0:
            state.tally[QUEUE_TIME] += queue
            on_lane = state.lane_halted[natural(net.link_to[net.over_cuts[entry]])]
            state.tally[MAX_QUEUE] = max(state.tally[MAX_QUEUE], queue + max(on_lane, 0))


@inlined
def _fetch_vehicles(state, moment, new_position, new_speed, lane):
    """Have the first vehicles of `lane` at hand when their turn comes."""
    slot = state.head[lane]
    fetch_ahead(moment.position, slot)
    fetch_ahead(moment.speed, slot)
    fetch_ahead(state.vehicle, slot)
    fetch_ahead(state.next_link, slot)
    fetch_ahead(state.waited, slot)
    fetch_ahead(new_position, slot)
    fetch_ahead(new_speed, slot)


@kernel
def _speed_beyond(net, routes, trips, state, moment, slot, me, link, rest, cap):
    """`cap` [m/s], lowered for the junctions within sight behind `link`, which begins `rest` metres ahead."""
    n_lanes = natural(net.lane_index.shape[0])
    row = natural(state.row[natural(state.vehicle[slot])])
    while True:
        lane = natural(net.link_to[link])
        rest += net.length[n_lanes + link] + net.length[lane]
        if rest > net.types[me + ZONE]:
            return cap
        row += natural(net.lane_width[natural(net.link_from[link])])
        link = routes.next_link[row + net.lane_index[lane]]
        if link < 0:
            return cap
        cap = _approach_speed(net, state, trips, moment, slot, me, link, rest, cap)


@inlined
def _approach_speed(net, state, trips, moment, slot, me, link, rest, cap):
    """`cap` [m/s], lowered for the signal, a full end lane, the turn and the crossings `rest` metres ahead."""
    speed = moment.speed[slot]
    entry = net.link_entry_speed[link]
    if net.paced != 0:
        entry *= trips.pace[natural(state.vehicle[slot])]
    stopped = state.green[natural(net.link_movement[link])] == 0
    if not stopped:
        first_stop = rest + min(net.link_wait_m[link], -net.types[me + STOP_GAP])
        if cap <= entry and leaves_free(net, me, first_stop, cap) and hot_foes(net, state, link) == 0:
            return cap  # whoever has room or comes: there is time enough to stop
        stopped = state.closed[natural(net.link_to[link])] != 0 or has_no_room(net, state, trips, moment, me, link)
    if stopped and can_stop(net, me, speed, rest):
        return stopping_speed(net, me, rest - net.types[me + STOP_GAP], speed, cap)
    if cap > entry:
        if net.look_beyond == 0:
            cap = entry
        else:  # CityFlow's cars drive half of what they brake farther
            way = rest if net.types[me + KRAUSS] != 0.0 else rest - 0.5 * (cap - entry)
            cap = krauss_slowing_speed(way, entry, net.types[me + MAX_DECEL], net.types[me + HALF_PER_DECEL], cap)
    return crossing_speed(net, state, trips, moment, slot, me, link, -rest, cap)


@inlined
def _drive_on(net, trips, state, moment, me, speed, wanted, slot, new_speed):
    """Store the next speed and return the distance driven [m]; a driver who would stop within the second stands."""
    if net.types[me + KRAUSS] != 0.0:
        return _dawdle_on(net, trips, state, moment, me, speed, wanted, slot, new_speed)
    lowest = speed - net.types[me + MAX_DECEL]
    v = lowest if lowest > wanted else wanted
    if v < 0.0:
        new_speed[slot] = 0.0
        return brake_distance(speed, net.types[me + MAX_DECEL])
    new_speed[slot] = v
    return (speed + v) * 0.5


@inlined
def _dawdle_on(net, trips, state, moment, me, speed, wanted, slot, new_speed):
    """The same for SUMO's drivers, who drive the whole second at the new speed and dawdle, less where they creep."""
    if net.types[me + DAWDLE] > 0.0:
        luck = chance(trips.priority[natural(state.vehicle[slot])], moment.step)
        accel = net.types[me + MAX_ACCEL]
        if wanted < accel:
            wanted -= net.types[me + DAWDLE] * (wanted / accel) * luck
        else:
            wanted -= net.types[me + DAWDLE] * luck
    v = max(wanted, speed - net.types[me + MAX_DECEL], 0.0)
    new_speed[slot] = v
    return v


@inlined
def _sleepers(net, state, moment, lane):
    """Slots (first, past) of `lane` whose drivers go on standing if the one ahead of the first does, or its red lasts.

    Whoever could be shown green within sight is not among them: even from a stand, such drivers tell others that they
    yield to them (`crossing_speed`).
    """
    asleep, awake = natural(state.asleep_first[lane]), natural(state.asleep_past[lane])
    if asleep < awake and not is_red(net, state, lane):
        length = net.length[lane]
        while asleep < awake and length - moment.position[asleep] <= net.widest_zone:
            asleep += 1
    return asleep, awake


@inlined
def _waits_at_red(net, state, me, slot, rest):
    """Whether the first driver of a lane, who stands, stands on: at a red, too near to it to start."""
    link = state.next_link[slot]
    if link < 0 or state.green[natural(net.link_movement[link])] != 0:
        return False
    return rest <= net.types[me + STAY] and net.look_beyond == 0  # else who yields to whom beyond is still to be told


@inlined
def _must_stand(net, state, me, leader, slot, rest, gap):
    """Whether the driver in `slot`, `gap` metres behind one who stands, stands on and tells nobody anything."""
    if not _cannot_close_up(net, me, leader, gap):
        return False
    link = state.next_link[slot]
    return rest > net.types[me + ZONE] or link < 0 or state.green[natural(net.link_movement[link])] == 0


@inlined
def _cannot_close_up(net, me, leader, gap):
    """Whether the following speed of one standing behind another is at most 0; all else would only lower it."""
    if net.types[me + KRAUSS] != 0.0:
        return gap - net.types[me + MIN_GAP] <= KRAUSS_EPS_M
    return 2.0 * (gap - net.types[me + MIN_GAP]) <= net.types[leader + USUAL_DECEL]


@inlined
def _may_follow(net, me, rest, cap):
    """Whether somebody behind the end of the drivable, `rest` metres ahead, may be too near to drive at `cap`."""
    if net.types[me + KRAUSS] != 0.0:
        return not leaves_free(net, me, rest - net.longest - net.types[me + MIN_GAP], cap)
    return rest <= net.types[me + FOLLOW_CUT] + net.longest


@inlined
def _following_speed(net, me, leader, leader_speed, speed, gap, cap):
    """`cap` [m/s], lowered to what following a leader `gap` metres ahead allows."""
    if gap > net.types[me + FOLLOW_CUT]:
        return cap
    if net.types[me + KRAUSS] != 0.0:
        gap -= net.types[me + MIN_GAP]
        decel, half, tau = net.types[me + MAX_DECEL], net.types[me + HALF_PER_DECEL], net.types[me + HEADWAY]
        if krauss_is_free(gap, leader_speed, min(half, net.types[leader + HALF_PER_DECEL]), decel, half, tau, cap):
            return cap
        v = krauss_speed(gap, leader_speed, max(decel, net.types[leader + MAX_DECEL]), decel, tau)
        return v if v < cap else cap
    v = no_collision_speed(
        leader_speed, net.types[leader + USUAL_DECEL], speed, net.types[me + USUAL_DECEL], gap, net.types[me + MIN_GAP]
    )
    cap = v if v < cap else cap
    if net.types[me + SAME_DECEL] == 0.0:
        v = no_collision_speed(leader_speed, net.types[leader + MAX_DECEL], speed, net.types[me + MAX_DECEL], gap, 0.0)
        cap = v if v < cap else cap
    v = headway_speed(leader_speed, speed, gap, net.types[me + HEADWAY])
    return v if v < cap else cap
