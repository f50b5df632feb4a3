"""Lane changes along a road in networks from SUMO: the model LC2013, but what it asks of others.

Erdmann (2015), "SUMO's lane-changing model", and `MSLCM_LC2013::_wantsChange`. A driver goes to the lane beside where
its route needs that soon, where the road to the right is free, and where it would be faster; what it would gain adds up
from second to second, and tips over sooner to the left than to the right. A lane that leads on less well is taken only
while there is way enough left to come back. Who finds no secure gap keeps its lane: nobody makes room for others. A
lane that those beside it do not lead on to is taken on the link onto its road (`routes`).
"""

from __future__ import annotations

from typing import NamedTuple

from intergreen.envs.simulation.compile import inlined, kernel
from intergreen.envs.simulation.driving import krauss_is_free, krauss_speed
from intergreen.envs.simulation.lanes_beside import (
    LEFT,
    LEFT_IS_BETTER,
    LEFT_IS_WORSE,
    RIGHT,
    RIGHT_IS_BETTER,
    RIGHT_IS_WORSE,
)
from intergreen.envs.simulation.natural import natural
from intergreen.envs.simulation.rear_gaps import is_clear_behind, secure_gap
from intergreen.envs.simulation.slots import append_slot, length_of, move_slot, remove_slot, type_of, wake_all
from intergreen.envs.simulation.state import GAIN, KEEP_RIGHT, LANES_IN_USE, N_WISHES, SPEED_AHEAD
from intergreen.envs.simulation.statics import (
    FOLLOW_CUT,
    HALF_PER_DECEL,
    HEADWAY,
    LENGTH,
    MAX_DECEL,
    MAX_SPEED,
    MIN_GAP,
)

LEFT_AT, RIGHT_AT = 0.2, 2.0  # gains at which a driver changes
GAIN_OF_MPS = 10.0  # RELGAIN_NORMALIZATION_MIN_SPEED
FORGETS = 0.5  # of a gain, each second in which there is none
GAIN_FOR_S = 20.0  # mySpeedGainRemainTime: a lane that ends sooner is not taken to be faster
LOOK_S = 10.0  # LOOK_FORWARD: so far ahead a lane that the route needs is minded, ...
LOOK_LEFT = 2.0  # myLookaheadLeft: ... and twice as far to the left
MEMORY = 0.9  # LOOK_AHEAD_SPEED_MEMORY, a second
FREE_S = 7.0  # how long the right must be free for each m/s, ...
KEEP_RIGHT_S = 5.0  # KEEP_RIGHT_TIME: ... for so many seconds on end


class Driver(NamedTuple):
    """Who is looked at."""

    kind: int  # where the columns of its type begin
    position: float  # m
    speed: float  # m/s
    pace: float  # share of a speed limit
    wanted: float  # m/s, on an empty road
    here: float  # m/s, that is safe on its lane
    room_m: float  # that it takes in a queue
    jam_m: float  # that those on its lane would take
    look_m: float  # ahead


@kernel
def change_lanes(net, routes, trips, state, moment):
    """Move everybody who wants it, and finds room there, to the lane beside."""
    for entry in range(state.tally[LANES_IN_USE] - 1, -1, -1):  # lanes that come into use, or fall empty, are behind
        lane = natural(state.in_use[entry])
        if net.lane_width[lane] > 1:
            _change_from(net, routes, trips, state, moment, lane)


@inlined
def _change_from(net, routes, trips, state, moment, lane):
    """The same for those of one lane, from the front."""
    index = net.lane_index[lane]
    ahead_left, ahead_right = 0, 0  # how many on the lane beside are ahead of who is looked at
    slot = natural(state.head[lane])
    while slot < natural(state.head[lane]) + state.n_inside[lane]:
        vehicle = natural(state.vehicle[slot])
        row = natural(state.row[vehicle] + index)
        beside = routes.beside[row]
        if beside & (LEFT | RIGHT) == 0 or moment.position[slot] <= length_of(net, trips, vehicle):
            slot += 1
            continue
        wishes = natural(vehicle * N_WISHES)
        driver = _driver(net, trips, state, moment, lane, slot, vehicle, wishes)
        gain = state.wishes[wishes + GAIN]
        goal, ahead = -1, 0
        if beside & RIGHT != 0:  # SUMO's drivers look to the right first
            goes, ahead_right, gain = _wants_right(
                net, routes, trips, state, moment, driver, lane, row, beside, ahead_right, gain, wishes
            )
            if goes:
                goal, ahead = lane + 1, ahead_right
        if beside & LEFT != 0 and (driver.here < driver.wanted or beside & LEFT_IS_BETTER != 0):
            goes, ahead_left, gain = _wants_left(
                net, routes, trips, state, moment, driver, lane, row, beside, ahead_left, gain
            )
            if goes and goal < 0:
                goal, ahead = lane - 1, ahead_left
        state.wishes[wishes + GAIN] = gain
        if goal >= 0 and _finds_room(net, trips, state, moment, driver, natural(goal), ahead):
            state.wishes[wishes + GAIN] = 0.0
            state.wishes[wishes + KEEP_RIGHT] = 0.0
            _move_beside(net, routes, state, moment, lane, slot, natural(goal), ahead)
        else:
            slot += 1


@inlined
def _driver(net, trips, state, moment, lane, slot, vehicle, wishes):
    me = type_of(net, trips, vehicle)
    position, speed, pace = moment.position[slot], moment.speed[slot], trips.pace[vehicle]
    wanted = min(net.types[me + MAX_SPEED], state.limit[lane] * pace)
    here = wanted
    if slot > natural(state.head[lane]):
        here = _speed_behind(net, trips, state, moment, me, slot - 1, position, wanted)
    remembered = max(speed, MEMORY * state.wishes[wishes + SPEED_AHEAD] + (1.0 - MEMORY) * speed)
    state.wishes[wishes + SPEED_AHEAD] = remembered
    room_m = net.types[me + LENGTH] + net.types[me + MIN_GAP]
    jam_m = state.n_inside[lane] * room_m
    return Driver(me, position, speed, pace, wanted, here, room_m, jam_m, LOOK_S * remembered)


@inlined
def _wants_right(net, routes, trips, state, moment, driver, lane, row, beside, ahead, gain, wishes):
    """Whether a driver wants to the right; and how many are ahead there, where `ahead` were, and the gain by now."""
    near_m = driver.look_m + 2.0 * driver.room_m
    jam_m = state.n_inside[lane + 1] * driver.room_m
    rest_m = routes.reach_m[row + 1] - driver.position
    if beside & RIGHT_IS_WORSE != 0 and rest_m - max(jam_m, driver.jam_m) < 2.0 * near_m:
        return False, ahead, gain
    ahead = _count_ahead(state, moment, lane + 1, driver.position, ahead)
    if driver.here < driver.wanted:
        gained = _gain(net, trips, state, moment, driver, lane + 1, ahead)
        if gained >= 0.0:
            gain -= gained
        elif gain < 0.0:
            gain *= FORGETS
    state.wishes[wishes + KEEP_RIGHT] += _free_share(net, trips, state, moment, driver, lane + 1, ahead, rest_m)
    is_needed = beside & RIGHT_IS_BETTER != 0 and routes.reach_m[row] - driver.position - jam_m < near_m
    is_faster = gain < -RIGHT_AT and (beside & RIGHT_IS_WORSE == 0 or rest_m > GAIN_FOR_S * driver.speed)
    return is_needed or is_faster or state.wishes[wishes + KEEP_RIGHT] > KEEP_RIGHT_S, ahead, gain


@inlined
def _wants_left(net, routes, trips, state, moment, driver, lane, row, beside, ahead, gain):
    """The same to the left."""
    near_m = LOOK_LEFT * driver.look_m + 2.0 * driver.room_m
    jam_m = state.n_inside[lane - 1] * driver.room_m
    rest_m = routes.reach_m[row - 1] - driver.position
    if beside & LEFT_IS_WORSE != 0 and rest_m - max(jam_m, driver.jam_m) < 2.0 * near_m:
        return False, ahead, gain
    ahead = _count_ahead(state, moment, lane - 1, driver.position, ahead)
    gained = 0.0
    if driver.here < driver.wanted:
        gained = _gain(net, trips, state, moment, driver, lane - 1, ahead)
        if gained >= 0.0:
            gain += gained
        elif gain > 0.0:
            gain *= FORGETS
    is_needed = beside & LEFT_IS_BETTER != 0 and routes.reach_m[row] - driver.position - jam_m < near_m
    is_faster = gain > LEFT_AT and gained > 0.0 and (beside & LEFT_IS_WORSE == 0 or rest_m > GAIN_FOR_S * driver.speed)
    return is_needed or is_faster, ahead, gain


@inlined
def _count_ahead(state, moment, lane, position, ahead):
    """How many on `lane` are not behind `position`, where `ahead` are known to be."""
    first, count = natural(state.head[lane]), state.n_inside[lane]
    ahead = min(ahead, count)
    while ahead < count and moment.position[first + ahead] >= position:
        ahead += 1
    return ahead


@inlined
def _gain(net, trips, state, moment, driver, lane, ahead):
    """What share of its speed there a driver would gain on `lane` behind the `ahead` who are ahead; -1 if it loses."""
    there = min(net.types[driver.kind + MAX_SPEED], state.limit[lane] * driver.pace)
    if ahead > 0:
        leader = natural(state.head[lane]) + ahead - 1
        there = _speed_behind(net, trips, state, moment, driver.kind, leader, driver.position, there)
    return (there - driver.here) / max(there, GAIN_OF_MPS) if there >= driver.here else -1.0


@inlined
def _free_share(net, trips, state, moment, driver, lane, ahead, rest_m):
    """For what share of the seconds that are asked for a driver could go at the speed it wants on `lane`."""
    half = net.types[driver.kind + HALF_PER_DECEL]
    gap, its_speed, it_brakes_m = rest_m, 0.0, 0.0
    if ahead > 0:
        leader = natural(state.head[lane]) + ahead - 1
        if moment.speed[leader] < driver.wanted:
            its = type_of(net, trips, natural(state.vehicle[leader]))
            gap = moment.position[leader] - net.types[its + LENGTH] - driver.position
            gap -= net.types[driver.kind + MIN_GAP]
            if gap <= 0.0:
                return 0.0
            its_speed = moment.speed[leader]
            it_brakes_m = _brakes_within(its_speed, min(half, net.types[its + HALF_PER_DECEL]))
    needed = _brakes_within(driver.wanted, half) + driver.wanted * net.types[driver.kind + HEADWAY]
    free_m = rest_m - needed
    gap -= max(0.0, needed - it_brakes_m)
    if gap < free_m:
        free_m = gap
    else:
        its_speed = 0.0
    if free_m <= 0.0:
        return 0.0
    return min(1.0, free_m / ((driver.wanted - its_speed) * FREE_S * max(1.0, driver.speed)))


@inlined
def _brakes_within(speed, half):
    """About `krauss_brake_distance` [m], to an eighth of the deceleration; half : 0.5 / deceleration [s^2/m]"""
    return max(0.0, speed * (speed * half - 0.5))


@inlined
def _speed_behind(net, trips, state, moment, me, leader_slot, position, wanted):
    """`wanted` [m/s], lowered to what is safe behind the driver in `leader_slot`."""
    leader = type_of(net, trips, natural(state.vehicle[leader_slot]))
    gap = moment.position[leader_slot] - net.types[leader + LENGTH] - position - net.types[me + MIN_GAP]
    if gap > net.types[me + FOLLOW_CUT]:
        return wanted
    decel, half, tau = net.types[me + MAX_DECEL], net.types[me + HALF_PER_DECEL], net.types[me + HEADWAY]
    its_speed = moment.speed[leader_slot]
    if krauss_is_free(gap, its_speed, min(half, net.types[leader + HALF_PER_DECEL]), decel, half, tau, wanted):
        return wanted
    return min(wanted, krauss_speed(gap, its_speed, max(decel, net.types[leader + MAX_DECEL]), decel, tau))


@inlined
def _finds_room(net, trips, state, moment, driver, goal, ahead):
    """Whether there is a secure gap on `goal`, behind the `ahead` who are ahead there and before who follows."""
    me, position, speed = driver.kind, driver.position, driver.speed
    first, count = natural(state.head[goal]), state.n_inside[goal]
    if state.closed[goal] != 0 or position > net.length[goal] or count == net.capacity[goal]:
        return False
    if ahead > 0:
        leader = first + ahead - 1
        its = type_of(net, trips, natural(state.vehicle[leader]))
        gap = moment.position[leader] - net.types[its + LENGTH] - position - net.types[me + MIN_GAP]
        if gap < secure_gap(net, me, speed, its, moment.speed[leader]):
            return False
    if ahead == count:
        rear_m = position - net.types[me + LENGTH]
        return is_clear_behind(net, trips, state, moment, goal, rear_m, me, speed)
    its = type_of(net, trips, natural(state.vehicle[first + ahead]))
    gap = position - net.types[me + LENGTH] - moment.position[first + ahead] - net.types[its + MIN_GAP]
    return gap >= secure_gap(net, its, moment.speed[first + ahead], me, speed)


@inlined
def _move_beside(net, routes, state, moment, lane, slot, goal, ahead):
    """Take the driver in `slot` of `lane` to `goal`, behind the `ahead` who are ahead there."""
    vehicle = natural(state.vehicle[slot])
    position, speed, waited = moment.position[slot], moment.speed[slot], state.waited[slot]
    place = natural(append_slot(net, state, goal, moment.position, moment.speed))
    first_behind = natural(state.head[goal]) + ahead
    while place > first_behind:
        move_slot(state, moment.position, moment.speed, place - 1, place)
        place -= 1
    moment.position[place] = position
    moment.speed[place] = speed
    state.vehicle[place] = vehicle
    state.waited[place] = waited
    state.next_link[place] = routes.next_link[natural(state.row[vehicle] + net.lane_index[goal])]
    remove_slot(net, state, lane, slot, moment.position, moment.speed)
    wake_all(net, state, lane)
    wake_all(net, state, goal)
