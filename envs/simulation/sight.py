"""Who is seen coming to a junction though it is not the first on the lane before it: in networks from SUMO.

There a street is cut into short roads, and a driver who gives way sees who comes over the cuts and through a green
signal. In SUMO drivers announce themselves at every link that they could reach before they could stand.
"""

from __future__ import annotations

from intergreen.envs.simulation.compile import inlined, kernel
from intergreen.envs.simulation.driving import STOP_HEADWAY_S, krauss_brake_distance
from intergreen.envs.simulation.natural import natural
from intergreen.envs.simulation.room import STANDING_BELOW_MPS
from intergreen.envs.simulation.slots import type_of
from intergreen.envs.simulation.state import LANES_IN_USE, LINKS_IN_USE
from intergreen.envs.simulation.statics import HEADWAY, MAX_ACCEL, MAX_DECEL, MAX_SPEED

UNKNOWN = -1.0


@kernel
def announce(net, routes, trips, state, moment):
    """Note on every link whom others give way to there: who is next to come of all that are not first before it."""
    n_lanes = natural(net.lane_index.shape[0])
    for entry in range(state.tally[LANES_IN_USE]):
        lane = natural(state.in_use[entry])
        first = natural(state.head[lane])
        link = state.next_link[first]
        if link < 0:
            continue
        if net.lane_link_start[lane + 1] - net.lane_link_start[lane] > 1 and not is_red(net, state, lane):
            _announce_behind(net, state, moment, lane, first, link)
        if state.green[natural(net.link_movement[link])] != 0:
            rest = net.length[lane] - moment.position[first]
            _announce_beyond(net, routes, trips, state, moment, first, natural(link), rest)
    for entry in range(n_lanes, n_lanes + state.tally[LINKS_IN_USE]):
        drivable = natural(state.in_use[entry])
        first = natural(state.head[drivable])
        link = natural(drivable - n_lanes)
        lane = natural(net.link_to[link])
        if state.n_inside[lane] == 0:  # else the one there is nearer
            _announce_beyond(net, routes, trips, state, moment, first, link, -moment.position[first])


@inlined
def _announce_behind(net, state, moment, lane, first, link):
    """Whoever drives behind the first of a lane, to another link than that."""
    for slot in range(first + 1, first + state.n_inside[lane]):
        rest = net.length[lane] - moment.position[slot]
        if rest > net.widest_zone:
            return
        other = state.next_link[slot]
        if other >= 0 and other != link and moment.speed[slot] >= STANDING_BELOW_MPS:
            _note(net, state, moment, natural(other), slot, rest)


@inlined
def _announce_beyond(net, routes, trips, state, moment, slot, link, rest):
    """The driver in `slot`, `rest` metres before `link`, at the links behind it that it may reach before it stands."""
    n_lanes = natural(net.lane_index.shape[0])
    row = natural(state.row[natural(state.vehicle[slot])])
    sight = UNKNOWN
    while state.green[natural(net.link_movement[link])] != 0:
        if net.link_asks_gap[link] != 0 and rest > 0.0:  # it may have to wait there
            return
        lane = natural(net.link_to[link])
        rest += net.length[n_lanes + link] + net.length[lane]
        if rest > net.widest_sight or state.n_inside[lane] > 0:
            return
        row += natural(net.lane_width[natural(net.link_from[link])])
        onward = routes.next_link[row + net.lane_index[lane]]
        if onward < 0:
            return
        if sight == UNKNOWN:
            sight = _sight(net, trips, state, moment, slot)
        if rest > sight:
            return
        link = natural(onward)
        _note(net, state, moment, link, slot, rest)


@inlined
def _sight(net, trips, state, moment, slot):
    """How far a driver may come before it stands [m], if it accelerates in the next second."""
    me = type_of(net, trips, natural(state.vehicle[slot]))
    speed = min(moment.speed[slot] + net.types[me + MAX_ACCEL], net.types[me + MAX_SPEED])
    return speed * (1.0 + max(STOP_HEADWAY_S, net.types[me + HEADWAY])) + krauss_brake_distance(
        speed, net.types[me + MAX_DECEL]
    )


@inlined
def _note(net, state, moment, link, slot, rest):
    """Note a driver `rest` metres before `link`, if it has green, somebody gives way there, and nobody is nearer."""
    if net.link_is_asked[link] == 0 or state.green[natural(net.link_movement[link])] == 0:
        return
    if state.seen_step[link] != moment.step or rest < state.seen_m[link]:
        state.seen_step[link] = moment.step
        state.seen_slot[link] = slot
        state.seen_m[link] = rest
        state.hot[natural(net.mask_word[link])] |= net.mask_bit[link]


@inlined
def is_red(net, state, lane):
    """Whether no movement from `lane` has green."""
    movement = net.lane_movement[lane]
    if movement >= 0:
        return state.green[movement] == 0
    any_green = 0
    for entry in range(natural(net.lane_link_start[lane]), net.lane_link_start[lane + 1]):
        any_green |= state.green[natural(net.link_movement[natural(net.lane_links[entry])])]
    return any_green == 0
