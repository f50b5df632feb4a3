"""Who passed the end of a drivable: to the next one on the route, or out of the network."""

from __future__ import annotations

from intergreen.envs.simulation.compile import inlined, kernel
from intergreen.envs.simulation.natural import natural
from intergreen.envs.simulation.slots import append_slot, leave_unused, length_of, move_slot, wake_all
from intergreen.envs.simulation.state import FINISHED, FINISHED_RELEASE, FINISHED_TIME, NEVER, OVERLAPS, RED_ENTRIES
from intergreen.envs.simulation.visits import note_approach_entry, note_approach_exit

GONE = -1


@inlined
def move_on(net, routes, loops, trips, state, step, new_position, new_speed, n_leaving):
    """Take everybody who passed the end of a drivable to the next one, or out of the network."""
    n_movers = 0
    for entry in range(n_leaving):
        n_movers = _take_out(
            net, routes, loops, trips, state, step, new_position, new_speed, natural(state.leaving[entry]), n_movers
        )
    n_lanes = natural(net.lane_index.shape[0])
    for m in range(n_movers):
        drivable = natural(state.mover_target[m])
        vehicle = natural(state.mover[m])
        slot = append_slot(net, state, drivable, new_position, new_speed)
        if slot < 0:
            return
        if state.arrival_step[drivable] != step:
            state.arrival_step[drivable] = step
            state.arrival_base[drivable] = slot
        # those who arrive in the same second line up by position; at the same point the later trip is ahead, as in
        # the one such pair that CityFlow's reference runs hold (it leaves the order to its memory layout)
        while slot > state.arrival_base[drivable] and (
            new_position[slot - 1] < state.mover_position[m]
            or (new_position[slot - 1] == state.mover_position[m] and state.vehicle[slot - 1] < vehicle)
        ):
            move_slot(state, new_position, new_speed, slot - 1, slot)
            slot -= 1
        new_position[slot] = state.mover_position[m]
        new_speed[slot] = state.mover_speed[m]
        state.vehicle[slot] = vehicle
        state.waited[slot] = state.mover_waited[m]
        if drivable < n_lanes:
            state.next_link[slot] = routes.next_link[state.row[vehicle] + net.lane_index[drivable]]
            state.entered_link[vehicle] = NEVER
        else:
            state.next_link[slot] = drivable - n_lanes
            state.entered_link[vehicle] = step
        _count_overlaps(net, trips, state, new_position, drivable, slot)


@inlined
def _count_overlaps(net, trips, state, new_position, drivable, slot):
    """Note whether the arrival in `slot` overlaps the vehicle ahead, and correct what was noted for the one behind."""
    first = natural(state.head[drivable])
    if slot > first:
        state.tally[OVERLAPS] += _overlap(net, trips, state, new_position, slot - 1, slot)
    behind = slot + 1
    if behind < first + state.n_inside[drivable]:
        state.tally[OVERLAPS] += _overlap(net, trips, state, new_position, slot, behind)
        if slot > first:
            state.tally[OVERLAPS] -= _overlap(net, trips, state, new_position, slot - 1, behind)


@inlined
def _overlap(net, trips, state, new_position, ahead, behind):
    return new_position[ahead] - length_of(net, trips, natural(state.vehicle[ahead])) < new_position[behind]


@inlined
def _take_out(net, routes, loops, trips, state, step, new_position, new_speed, drivable, n_movers):
    """Move the leavers of `drivable` to the movers' list; returns its new length."""
    length = net.length[drivable]
    first = natural(state.head[drivable])
    count = state.n_inside[drivable]
    if count == 0:  # the last one was taken out when a lane change ended
        return n_movers
    in_order = 0  # leavers at the front; overlapping streams can leave out of order
    while in_order < count and new_position[first + in_order] > length:
        n_movers = _route_on(
            net, routes, loops, trips, state, step, new_position, new_speed, drivable, first + in_order, n_movers
        )
        in_order += 1
    first += in_order
    count -= in_order
    kept = first
    for slot in range(first, first + count):
        if new_position[slot] > length:
            n_movers = _route_on(
                net, routes, loops, trips, state, step, new_position, new_speed, drivable, slot, n_movers
            )
            continue
        if kept != slot:
            move_slot(state, new_position, new_speed, slot, kept)
            wake_all(net, state, drivable)
        kept += 1
    state.head[drivable] = first
    state.n_inside[drivable] = kept - first
    if kept == first:
        leave_unused(net, state, drivable)
    return n_movers


@kernel
def _route_on(net, routes, loops, trips, state, step, new_position, new_speed, drivable, slot, n_movers):
    """Follow the route from the end of `drivable` to where the vehicle in `slot` now is; note it as a mover."""
    n_lanes = natural(net.lane_index.shape[0])
    tally = state.tally
    vehicle = natural(state.vehicle[slot])
    position = new_position[slot]
    waited = state.waited[slot]
    link = state.next_link[slot]
    present = drivable
    while position > net.length[present]:
        position -= net.length[present]
        if present < n_lanes:
            note_approach_exit(net, loops, state, present, vehicle, link, waited, step)
            waited = 0
            if link < 0:
                present = GONE
                break
            if state.green[natural(net.link_movement[link])] == 0:
                tally[RED_ENTRIES] += 1
            present = n_lanes + link
        else:
            link = present - n_lanes
            present = natural(net.link_to[link])
            state.row[vehicle] += net.lane_width[net.link_from[link]]
            link = routes.next_link[natural(state.row[vehicle] + net.lane_index[present])]
            note_approach_entry(net, loops, state, present, vehicle, step)
    state.previous[vehicle] = drivable
    if present == GONE:
        state.done[vehicle] = 1
        tally[FINISHED] += 1
        tally[FINISHED_TIME] += step - trips.release[vehicle]
        tally[FINISHED_RELEASE] += trips.release[vehicle]
        return n_movers
    state.mover[n_movers] = vehicle
    state.mover_target[n_movers] = present
    state.mover_position[n_movers] = position
    state.mover_speed[n_movers] = new_speed[slot]
    state.mover_waited[n_movers] = waited
    return n_movers + 1
