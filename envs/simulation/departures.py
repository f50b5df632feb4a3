"""Trips whose time has come: into the waiting line of their first lane, and from its head into the network."""

from __future__ import annotations

from intergreen.envs.simulation.compile import inlined
from intergreen.envs.simulation.lanes_beside import IS_BEST
from intergreen.envs.simulation.natural import natural
from intergreen.envs.simulation.slots import append_slot, length_of
from intergreen.envs.simulation.state import ENTERED, LANES_WAITED_FOR, N_TRIPS, NEVER, RELEASE_TIME, RELEASED
from intergreen.envs.simulation.statics import MIN_GAP, N_COLUMNS
from intergreen.envs.simulation.visits import note_approach_entry


@inlined
def release_trips(net, routes, trips, state, step):
    """Put the trips whose time has come at the end of their lane's waiting line."""
    tally = state.tally
    while tally[RELEASED] < tally[N_TRIPS] and trips.release[tally[RELEASED]] <= step:
        trip = tally[RELEASED]
        if net.look_beyond != 0:
            trips.start_lane[trip] = _emptiest(net, routes, trips, state, trip)
        lane = trips.start_lane[trip]
        if state.line_first[lane] < 0:
            state.line_first[lane] = trip
            state.waited_for[tally[LANES_WAITED_FOR]] = lane
            tally[LANES_WAITED_FOR] += 1
        else:
            state.behind[state.line_last[lane]] = trip
        state.line_last[lane] = trip
        tally[RELEASE_TIME] += step
        tally[RELEASED] += 1


@inlined
def _emptiest(net, routes, trips, state, trip):
    """The lane with the fewest vehicles among those that `trip` may start on; its own where others are no emptier."""
    best = trips.start_lane[trip]
    fewest = state.n_inside[best]
    first = best - net.lane_index[best]
    for index in range(net.lane_width[best]):
        lane = first + index
        if routes.beside[trips.first_row[trip] + index] & IS_BEST != 0 and state.n_inside[lane] < fewest:
            if state.line_first[lane] < 0:
                best, fewest = lane, state.n_inside[lane]
    return best


@inlined
def enter_network(net, routes, loops, trips, state, moment):
    """Let the head of each waiting line in, if the lane has room."""
    tally = state.tally
    entry = 0
    while entry < tally[LANES_WAITED_FOR]:
        lane = natural(state.waited_for[entry])
        trip = state.line_first[lane]
        kind = natural(trips.kind[trip])
        last = natural(state.head[lane]) + state.n_inside[lane] - 1
        free = state.closed[lane] == 0
        if free and state.n_inside[lane] > 0:
            tail = length_of(net, trips, state.vehicle[last])
            free = moment.position[last] > tail + net.types[kind * N_COLUMNS + MIN_GAP]
        if free:
            slot = append_slot(net, state, lane, moment.position, moment.speed)
            if slot < 0:
                return
            moment.position[slot] = 0.0
            moment.speed[slot] = 0.0
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
