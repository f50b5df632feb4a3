"""Trips whose time has come: into the waiting line of their first lane, and from its head into the network."""

from __future__ import annotations

import numpy as np

from intergreen.envs.simulation.compile import inlined, kernel
from intergreen.envs.simulation.driving import (
    KRAUSS_EPS_M,
    krauss_brake_distance,
    krauss_slowing_speed,
    krauss_speed,
)
from intergreen.envs.simulation.lanes_beside import IS_BEST
from intergreen.envs.simulation.leader import find_leader
from intergreen.envs.simulation.natural import natural
from intergreen.envs.simulation.rear_gaps import is_clear_behind
from intergreen.envs.simulation.slots import append_slot, length_of, type_of
from intergreen.envs.simulation.state import ENTERED, LANES_WAITED_FOR, N_TRIPS, NEVER, RELEASE_TIME, RELEASED
from intergreen.envs.simulation.statics import (
    DEPART_SPEED,
    HALF_PER_DECEL,
    HEADWAY,
    LENGTH,
    MAX_DECEL,
    MAX_SPEED,
    MIN_GAP,
    N_COLUMNS,
)
from intergreen.envs.simulation.visits import note_approach_entry

BEHIND_LINE_M = 0.1  # SUMO's POSITION_EPS


@inlined
def release_trips(net, routes, trips, state, moment):
    """Put the trips whose time has come at the end of their lane's waiting line."""
    tally = state.tally
    while tally[RELEASED] < tally[N_TRIPS] and trips.release[tally[RELEASED]] <= moment.step:
        trip = tally[RELEASED]
        if net.look_beyond != 0:
            trips.start_lane[trip] = _emptiest(net, routes, trips, state, moment, trip)
        lane = trips.start_lane[trip]
        if state.line_first[lane] < 0:
            state.line_first[lane] = trip
            state.waited_for[tally[LANES_WAITED_FOR]] = lane
            tally[LANES_WAITED_FOR] += 1
        else:
            state.behind[state.line_last[lane]] = trip
        state.line_last[lane] = trip
        tally[RELEASE_TIME] += moment.step
        tally[RELEASED] += 1


@inlined
def _emptiest(net, routes, trips, state, moment, trip):
    """The lane with the fewest vehicles of those that `trip` may start on and nobody waits for, one with room for it
    before others, the rightmost of equals (SUMO's `departLane="best"`); its own where all are waited for."""
    best = own = trips.start_lane[trip]
    fewest, has_room = NEVER, False
    me = type_of(net, trips, trip)
    first = own - net.lane_index[own]
    for index in range(net.lane_width[own] - 1, -1, -1):
        lane = natural(first + index)
        if routes.beside[trips.first_row[trip] + index] & IS_BEST != 0 and state.line_first[lane] < 0:
            fits = _has_room(net, trips, state, moment, lane, me)
            if (fits and not has_room) or (fits == has_room and state.n_inside[lane] < fewest):
                best, fewest, has_room = lane, state.n_inside[lane], fits
    return best


@inlined
def _start_m(net, lane, me):
    """Where the front bumper is of one who begins: at the line as CityFlow's, or the rear one is just behind it, as
    SUMO's (`departPos="base"`, `MSBaseVehicle::basePos`)."""
    return 0.0 if net.look_beyond == 0 else min(net.types[me + LENGTH] + BEHIND_LINE_M, net.length[lane])


@inlined
def _has_room(net, trips, state, moment, lane, me):
    """Whether `lane` is open and one of type `me` that begins there would keep its gap to the last vehicle on it."""
    if state.closed[lane] != 0 or state.n_inside[lane] == 0:
        return state.closed[lane] == 0
    last = natural(natural(state.head[lane]) + state.n_inside[lane] - 1)
    tail = length_of(net, trips, state.vehicle[last])
    return moment.position[last] > _start_m(net, lane, me) + tail + net.types[me + MIN_GAP]


@kernel
def _depart_speed(net, routes, trips, state, moment, lane, me, trip):
    """The speed [m/s] with which `trip` may begin on `lane`: its type's, not above the limit; -1 if that is not safe.

    Of who begins as fast as is safe it is lowered for who is ahead and, where the lane's end is nearer than it takes to
    stand, for a junction that is not open or bends (`MSLane::isInsertionSuccess`). So it is on such a short lane for
    all: before a bend or a stream that goes first their speed would never be safe, and they would hold up who follows.
    """
    limit = state.limit[lane] * (trips.pace[trip] if net.paced != 0 else 1.0)
    speed = min(net.types[me + DEPART_SPEED], net.types[me + MAX_SPEED], limit)
    safe = _safe_at_start(net, routes, trips, state, moment, lane, me, trip, speed)
    is_lowered = net.types[me + DEPART_SPEED] == np.inf or not _can_stand(net, lane, me, speed)
    return safe if safe >= speed - KRAUSS_EPS_M or is_lowered else -1.0


@inlined
def _can_stand(net, lane, me, speed):
    """Whether one of type `me` that begins on `lane` at `speed` [m/s] can stand before its end."""
    rest = net.length[lane] - _start_m(net, lane, me)
    return krauss_brake_distance(speed, net.types[me + MAX_DECEL]) + net.types[me + MIN_GAP] <= rest


@kernel
def _safe_at_start(net, routes, trips, state, moment, lane, me, trip, speed):
    """`speed` [m/s], lowered to what is safe where `trip` begins on `lane`."""
    row = natural(trips.first_row[trip])
    link = routes.next_link[row + net.lane_index[lane]]
    start_m = _start_m(net, lane, me)
    if state.n_inside[lane] > 0:
        last = natural(natural(state.head[lane]) + state.n_inside[lane] - 1)
        its = type_of(net, trips, natural(state.vehicle[last]))
        gap = moment.position[last] - net.types[its + LENGTH] - start_m
        return _safe_behind(net, me, its, gap, moment.speed[last], speed)
    if link < 0 or _can_stand(net, lane, me, speed):
        return speed
    link, rest = natural(link), net.length[lane] - start_m
    if state.green[natural(net.link_movement[link])] == 0 or net.link_asks_gap[link] != 0:
        return min(speed, krauss_speed(rest, 0.0, 1.0, net.types[me + MAX_DECEL], net.types[me + HEADWAY]))
    state.row[trip] = row
    ahead, gap = find_leader(net, routes, trips, state, moment, trip, lane, rest, link, -1)
    if ahead >= 0:
        its = type_of(net, trips, natural(state.vehicle[ahead]))
        speed = _safe_behind(net, me, its, gap, moment.speed[ahead], speed)
    decel, half = net.types[me + MAX_DECEL], net.types[me + HALF_PER_DECEL]
    return krauss_slowing_speed(rest, net.link_entry_speed[link], decel, half, speed)


@inlined
def _safe_behind(net, me, leader, gap, leader_speed, speed):
    """`speed` [m/s], lowered to what is safe `gap` metres behind a leader."""
    decel, tau = net.types[me + MAX_DECEL], net.types[me + HEADWAY]
    gap -= net.types[me + MIN_GAP]
    return min(speed, krauss_speed(gap, leader_speed, max(decel, net.types[leader + MAX_DECEL]), decel, tau))


@inlined
def enter_network(net, routes, loops, trips, state, moment):
    """Let the head of each waiting line in, if the lane has room and nobody comes who could not brake."""
    tally = state.tally
    entry = 0
    while entry < tally[LANES_WAITED_FOR]:
        lane = natural(state.waited_for[entry])
        trip = state.line_first[lane]
        kind = natural(trips.kind[trip])
        me = natural(kind * N_COLUMNS)
        free = _has_room(net, trips, state, moment, lane, me)
        speed = 0.0
        if free and net.look_beyond != 0:
            if net.types[me + DEPART_SPEED] > 0.0:
                speed = _depart_speed(net, routes, trips, state, moment, lane, me, trip)
            free = speed >= 0.0 and is_clear_behind(net, trips, state, moment, lane, 0.0, me, speed)
        if free:
            slot = append_slot(net, state, lane, moment.position, moment.speed)
            if slot < 0:
                return
            moment.position[slot] = _start_m(net, lane, me)
            moment.speed[slot] = speed
            state.vehicle[slot] = trip
            state.waited[slot] = 0
            state.row[trip] = trips.first_row[trip]
            state.next_link[slot] = routes.next_link[trips.first_row[trip] + net.lane_index[lane]]
            state.previous[trip] = -1
            state.moved_at[trip] = moment.step
            state.entered_link[trip] = NEVER
            state.entry_step[lane] = moment.step
            state.outside_wait[kind] += moment.step - trips.release[trip]
            tally[ENTERED] += 1
            note_approach_entry(net, loops, state, lane, trip, moment.step)
            state.line_first[lane] = state.behind[trip]
            if state.line_first[lane] < 0:
                tally[LANES_WAITED_FOR] -= 1
                state.waited_for[entry] = state.waited_for[tally[LANES_WAITED_FOR]]
                continue
        entry += 1
