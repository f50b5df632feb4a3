"""Changing lanes to pass a queue: CityFlow's gap-seeking rule, used only where a run asks for it.

A driver whose gap has grown small looks for a neighbour lane that serves the route too and offers a longer one.
The change takes seconds: a *shadow* is put on the target lane and both drive as one until the sideways way is done;
then the original is taken out and the shadow is the vehicle. Original and shadow are the two numbers n and n + N of
one trip, N trips a replica, so every array by vehicle has 2 N entries. A shadow that reaches the stop line is given
up. (CityFlow counts it as a finished vehicle; that is a defect and not repeated.)
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from intergreen.envs.arrays import ByteArray, FloatArray, IntArray
from intergreen.envs.simulation.compile import inlined, kernel
from intergreen.envs.simulation.driving import brake_distance, no_collision_speed
from intergreen.envs.simulation.leader import find_leader
from intergreen.envs.simulation.motion import HALTED_BELOW_MPS
from intergreen.envs.simulation.slots import append_slot, length_of, move_slot, remove_slot
from intergreen.envs.simulation.state import LANES_IN_USE, LINKS_IN_USE, NEVER, QUEUE_TIME, STOPS, UPDATES
from intergreen.envs.simulation.statics import LENGTH, MAX_DECEL, MAX_SPEED, N_COLUMNS

NO_CHANGE_BEFORE_M = 30.0  # of the lane's end
FIRST_CHANGE_S = 3
SIDEWAYS_SHARE = 0.2  # sideways speed as a share of the speed, ...
SIDEWAYS_MPS = 1.0  # ... and its lower bound
ALONE, ORIGINAL, SHADOW = range(3)
NO_CAP = 1e9


class Changes(NamedTuple):
    """Who is changing lanes; V = 2 N vehicle numbers. Inside a kernel: one row."""

    width: FloatArray  # (L,) m, of the lanes
    gap: FloatArray  # (B, V) m to the leader; keeps its value while there is none, as in CityFlow
    role: ByteArray  # (B, V) ALONE, ORIGINAL, SHADOW
    goal: IntArray  # (B, V) target lane of an original
    offset: FloatArray  # (B, V) m moved sideways
    changing: IntArray  # (B, V) the originals
    n_changing: IntArray  # (B, 1)
    planner: IntArray  # (B, V) scratch: who wants to change, ...
    planner_lane: IntArray  # (B, V) ... from where
    planner_goal: IntArray  # (B, V) ... to where
    asked_step: IntArray  # (B, V) step at which somebody asked for room
    asked_priority: IntArray  # (B, V) that somebody's priority
    cap: FloatArray  # (B, V) m/s, the speed that gives room, at asked_step


def allocate_changes(width_m: FloatArray, *, replicas: int, vehicles: int) -> Changes:
    """Nobody changing; `width_m` (L,) of the lanes, `vehicles` numbers a replica."""

    def ints(columns: int, fill: int = 0) -> IntArray:
        return np.full((replicas, columns), fill, np.int32)

    return Changes(
        width=np.tile(width_m, (replicas, 1)),
        gap=np.zeros((replicas, vehicles)),
        role=np.zeros((replicas, vehicles), np.uint8),
        goal=ints(vehicles, -1),
        offset=np.zeros((replicas, vehicles)),
        changing=ints(vehicles),
        n_changing=ints(1),
        planner=ints(vehicles),
        planner_lane=ints(vehicles),
        planner_goal=ints(vehicles),
        asked_step=ints(vehicles, -1),
        asked_priority=ints(vehicles),
        cap=np.zeros((replicas, vehicles)),
    )


@kernel
def replica_changes(changes, b):
    """Row `b` of every array of `Changes`."""
    return Changes(
        changes.width[b],
        changes.gap[b],
        changes.role[b],
        changes.goal[b],
        changes.offset[b],
        changes.changing[b],
        changes.n_changing[b],
        changes.planner[b],
        changes.planner_lane[b],
        changes.planner_goal[b],
        changes.asked_step[b],
        changes.asked_priority[b],
        changes.cap[b],
    )


# --- planning, before anybody drives ---------------------------------------------------------------------------


@kernel
def plan_changes(net, routes, trips, state, changes, moment):
    """Find who wants to change, ask their new neighbours for room, and put shadows where there is enough."""
    n_lanes = net.lane_index.shape[0]
    for entry in range(n_lanes, n_lanes + state.tally[LINKS_IN_USE]):
        _refresh_gaps(net, routes, trips, state, changes, moment, state.in_use[entry])
    n_planners = 0
    for entry in range(state.tally[LANES_IN_USE]):
        lane = state.in_use[entry]
        _refresh_gaps(net, routes, trips, state, changes, moment, lane)
        for slot in range(state.head[lane], state.head[lane] + state.n_inside[lane]):
            vehicle = state.vehicle[slot]
            goal = -1
            if changes.role[vehicle] == ORIGINAL:
                goal = changes.goal[vehicle]
            elif changes.role[vehicle] == ALONE and moment.step >= FIRST_CHANGE_S:
                goal = _better_lane(net, routes, trips, state, changes, moment, lane, slot)
            if goal >= 0:
                changes.planner[n_planners] = vehicle
                changes.planner_lane[n_planners] = lane
                changes.planner_goal[n_planners] = goal
                n_planners += 1
    for p in range(n_planners):
        _try_change(
            net,
            routes,
            trips,
            state,
            changes,
            moment,
            changes.planner[p],
            changes.planner_lane[p],
            changes.planner_goal[p],
        )


@kernel
def _refresh_gaps(net, routes, trips, state, changes, moment, drivable):
    first = state.head[drivable]
    for slot in range(first, first + state.n_inside[drivable]):
        vehicle = state.vehicle[slot]
        if slot > first:
            ahead = slot - 1
            length = length_of(net, trips, state.vehicle[ahead])
            changes.gap[vehicle] = moment.position[ahead] - length - moment.position[slot]
        else:
            rest = net.length[drivable] - moment.position[slot]
            ahead, gap = find_leader(
                net, routes, trips, state, moment, vehicle, drivable, rest, state.next_link[slot], -1
            )
            if ahead >= 0:
                changes.gap[vehicle] = gap


@kernel
def _better_lane(net, routes, trips, state, changes, moment, lane, slot):
    """The neighbour lane with a gap longer by more than a vehicle, -1 if there is none or no wish to change."""
    vehicle = state.vehicle[slot]
    me = trips.kind[vehicle] * N_COLUMNS
    length = net.types[me + LENGTH]
    gap = changes.gap[vehicle]
    if net.length[lane] - moment.position[slot] < NO_CHANGE_BEFORE_M:
        return -1
    if gap > 2.0 * length + 4.0 * net.types[me + MAX_SPEED] or gap < 1.5 * length:
        return -1
    best = -1
    best_gap = gap + length
    for side in (1, -1):  # the outer lane first
        index = net.lane_index[lane] + side
        if index < 0 or index >= net.lane_width[lane]:
            continue
        if state.next_link[slot] >= 0 and routes.next_link[state.row[vehicle] + index] < 0:
            continue
        offered = _gap_on(net, trips, state, moment, lane + side, moment.position[slot])
        if offered > best_gap:
            best_gap = offered
            best = lane + side
    return best


@inlined
def _first_behind(state, moment, lane, position):
    """Slot of the first vehicle of `lane` behind `position`; one past the last if there is none."""
    slot = state.head[lane]
    past = slot + state.n_inside[lane]
    while slot < past and moment.position[slot] >= position:
        slot += 1
    return slot


@inlined
def _gap_on(net, trips, state, moment, lane, position):
    slot = _first_behind(state, moment, lane, position) - 1
    if slot < state.head[lane] or state.n_inside[lane] == 0:
        return net.length[lane] - position
    return moment.position[slot] - position - length_of(net, trips, state.vehicle[slot])


@kernel
def _try_change(net, routes, trips, state, changes, moment, vehicle, lane, goal):
    """Ask the vehicles around the gap on `goal` for room, and begin the change where there is room already."""
    slot = state.head[lane]
    while state.vehicle[slot] != vehicle:
        slot += 1
    position = moment.position[slot]
    me = trips.kind[vehicle] * N_COLUMNS
    follower_slot = _first_behind(state, moment, goal, position)
    gap_ahead = _room_ahead(net, trips, state, changes, moment, vehicle, lane, goal, position, follower_slot - 1)
    gap_behind = NO_CAP
    needed_behind = 0.0
    if state.n_inside[goal] > 0 and follower_slot < state.head[goal] + state.n_inside[goal]:
        follower = state.vehicle[follower_slot]
        it = trips.kind[follower] * N_COLUMNS
        gap_behind = position - moment.position[follower_slot] - net.types[me + LENGTH]
        speed = moment.speed[follower_slot]
        needed_behind = brake_distance(speed, net.types[it + MAX_DECEL])
        cap = no_collision_speed(
            moment.speed[slot],
            net.types[me + MAX_DECEL],
            speed,
            net.types[it + MAX_DECEL],
            gap_behind - needed_behind,
            0.0,
        )
        # too fast to give room: let it pass
        _ask(trips, changes, moment, follower, vehicle, cap if cap >= 0.0 else NO_CAP)
    if changes.role[vehicle] != ALONE or changes.asked_step[vehicle] == moment.step:
        return
    braking = brake_distance(moment.speed[slot], net.types[me + MAX_DECEL])
    if gap_ahead >= braking and gap_behind >= needed_behind:
        _insert_shadow(net, routes, trips, state, changes, moment, vehicle, slot, goal, follower_slot)


@kernel
def _room_ahead(net, trips, state, changes, moment, vehicle, lane, goal, position, leader_slot):
    """Gap to the vehicle ahead on `goal`, or on a link that leaves it [m]; the one ahead is asked for room."""
    if state.n_inside[goal] > 0 and leader_slot >= state.head[goal]:
        leader = state.vehicle[leader_slot]
        _ask(trips, changes, moment, leader, vehicle, NO_CAP)
        return moment.position[leader_slot] - position - length_of(net, trips, leader)
    n_lanes = net.lane_index.shape[0]
    rest = net.length[lane] - position
    room = rest
    nearest = NO_CAP
    leader = -1
    for entry in range(net.lane_link_start[goal], net.lane_link_start[goal + 1]):
        link = n_lanes + net.lane_links[entry]
        if state.n_inside[link] == 0:
            continue
        last = state.head[link] + state.n_inside[link] - 1
        if moment.position[last] + rest < nearest:
            nearest = moment.position[last] + rest
            length = length_of(net, trips, state.vehicle[last])
            if nearest < length:
                leader = state.vehicle[last]
                room = rest - (length - nearest)
    if leader >= 0:
        _ask(trips, changes, moment, leader, vehicle, NO_CAP)
    return room


@inlined
def _ask(trips, changes, moment, vehicle, asker, cap):
    """Have `vehicle` give room to `asker`, unless it is changing itself or somebody's priority stands against it."""
    if changes.role[vehicle] == ORIGINAL:
        return
    priority = trips.priority[asker]
    if changes.asked_step[vehicle] == moment.step and changes.asked_priority[vehicle] >= priority:
        return
    if changes.role[vehicle] == ALONE and moment.step >= FIRST_CHANGE_S and trips.priority[vehicle] >= priority:
        return
    changes.asked_step[vehicle] = moment.step
    changes.asked_priority[vehicle] = priority
    changes.cap[vehicle] = cap


@kernel
def _insert_shadow(net, routes, trips, state, changes, moment, vehicle, slot, goal, before):
    """Put the shadow of `vehicle` on lane `goal`, ahead of slot `before`."""
    position, speed, waited = moment.position[slot], moment.speed[slot], state.waited[slot]
    behind = state.n_inside[goal] - (before - state.head[goal]) if state.n_inside[goal] > 0 else 0
    new = append_slot(net, state, goal, moment.position, moment.speed)
    if new < 0:
        return
    for _ in range(behind):
        move_slot(state, moment.position, moment.speed, new - 1, new)
        new -= 1
    shadow = _twin(trips, vehicle)
    moment.position[new] = position
    moment.speed[new] = speed
    state.vehicle[new] = shadow
    state.waited[new] = waited
    state.row[shadow] = state.row[vehicle]
    state.next_link[new] = routes.next_link[state.row[vehicle] + net.lane_index[goal]]
    state.previous[shadow] = state.previous[vehicle]
    state.entered_link[shadow] = NEVER
    state.done[shadow] = 0
    state.approached[shadow] = state.approached[vehicle]
    n_loops = state.loop_left.shape[0] // state.row.shape[0]
    for loop in range(n_loops):
        state.loop_left[shadow * n_loops + loop] = state.loop_left[vehicle * n_loops + loop]
        state.loop_entered[shadow * n_loops + loop] = state.loop_entered[vehicle * n_loops + loop]
    changes.gap[shadow] = changes.gap[vehicle]
    changes.role[vehicle] = ORIGINAL
    changes.role[shadow] = SHADOW
    changes.goal[vehicle] = goal
    changes.offset[vehicle] = 0.0
    changes.changing[changes.n_changing[0]] = vehicle
    changes.n_changing[0] += 1


@inlined
def _twin(trips, vehicle):
    half = trips.release.shape[0] // 2
    return vehicle + half if vehicle < half else vehicle - half


# --- settling, after everybody has driven ----------------------------------------------------------------------


@kernel
def settle_changes(net, trips, state, changes, moment, new_position, new_speed):
    """Keep each original and its shadow together, then end the changes that are done or have to be given up."""
    for entry in range(changes.n_changing[0]):  # before anybody is taken out: old and new position share a slot
        vehicle = changes.changing[entry]
        goal = changes.goal[vehicle]
        at = _find(state, goal, _twin(trips, vehicle))
        lane = _lane_beside(net, state, goal, vehicle)
        mine = _find(state, lane, vehicle)
        _drive_as_one(net, trips, state, moment, new_position, new_speed, lane, mine, goal, at)
    entry = 0
    while entry < changes.n_changing[0]:
        vehicle = changes.changing[entry]
        shadow = _twin(trips, vehicle)
        goal = changes.goal[vehicle]
        at = _find(state, goal, shadow)
        lane = _lane_beside(net, state, goal, vehicle)
        mine = _find(state, lane, vehicle)
        done = True
        if new_position[at] > net.length[goal] or new_position[mine] > net.length[lane]:
            remove_slot(net, state, goal, at, new_position, new_speed)
            state.done[shadow] = 1
        else:
            sideways = SIDEWAYS_SHARE * new_speed[mine]
            changes.offset[vehicle] += sideways if sideways > SIDEWAYS_MPS else SIDEWAYS_MPS
            if changes.offset[vehicle] >= (changes.width[goal] + changes.width[lane]) / 2.0:
                remove_slot(net, state, lane, mine, new_position, new_speed)
                state.done[vehicle] = 1
            else:
                done = False
        if done:
            changes.role[vehicle] = ALONE
            changes.role[shadow] = ALONE
            changes.n_changing[0] -= 1
            changes.changing[entry] = changes.changing[changes.n_changing[0]]
        else:
            entry += 1


@inlined
def _find(state, drivable, vehicle):
    for slot in range(state.head[drivable], state.head[drivable] + state.n_inside[drivable]):
        if state.vehicle[slot] == vehicle:
            return slot
    return -1


@inlined
def _lane_beside(net, state, goal, vehicle):
    """The lane that `vehicle` changes from: the neighbour of `goal` it is still on."""
    if net.lane_index[goal] > 0 and _find(state, goal - 1, vehicle) >= 0:
        return goal - 1
    return goal + 1


@inlined
def _drive_as_one(net, trips, state, moment, new_position, new_speed, lane, mine, goal, at):
    """Give both the lower speed and the shorter way, and count their way and their halt once."""
    kind = trips.kind[state.vehicle[mine]]
    free = min(net.types[kind * N_COLUMNS + MAX_SPEED], net.base_limit[lane])
    free_beside = min(net.types[kind * N_COLUMNS + MAX_SPEED], net.base_limit[goal])
    position = min(new_position[mine], new_position[at])
    counted_twice = new_position[at] - moment.position[at]
    counted_more = new_position[mine] - position
    state.distance[0] -= counted_twice + counted_more
    state.time_loss[kind] += counted_more / free - (1.0 - counted_twice / free_beside)
    state.tally[UPDATES] -= 1
    if new_speed[mine] < HALTED_BELOW_MPS and new_speed[at] < HALTED_BELOW_MPS:
        state.tally[STOPS] -= moment.speed[at] >= HALTED_BELOW_MPS
        state.tally[QUEUE_TIME] -= net.lane_queues[lane] != 0
    speed = min(new_speed[mine], new_speed[at])
    new_position[mine] = position
    new_position[at] = position
    new_speed[mine] = speed
    new_speed[at] = speed
