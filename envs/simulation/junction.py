"""Who goes first where lane links cross: the foe at a crossing, and whether a driver must yield to it.

Everything here reads the old state of the step. A crossing is looked up only when a driver could still stop
for it and the other link is *hot*: somebody is on it, about to enter it, or has not cleared its end.
"""

from __future__ import annotations

from typing import NamedTuple

from intergreen.envs.simulation.compile import inlined, kernel
from intergreen.envs.simulation.driving import (
    brake_distance,
    can_yield,
    krauss_brake_distance,
    krauss_is_free,
    krauss_speed,
    reach_steps,
    reach_time,
    stop_before_speed,
)
from intergreen.envs.simulation.natural import natural
from intergreen.envs.simulation.room import STANDING_BELOW_MPS, has_no_room
from intergreen.envs.simulation.slots import length_of, type_of
from intergreen.envs.simulation.state import LANES_IN_USE, LINKS_IN_USE
from intergreen.envs.simulation.statics import (
    HALF_PER_DECEL,
    HEADWAY,
    KRAUSS,
    LENGTH,
    MAX_DECEL,
    MAX_SPEED,
    USUAL_ACCEL,
    USUAL_DECEL,
)

GAP_S = 1.0  # SUMO's JM_TIMEGAP_MINOR


class Moment(NamedTuple):
    """One replica as a step finds it."""

    position: object  # (S,) float64, m
    speed: object  # (S,) float64, m/s
    step: int


@inlined
def mark_hot_links(net, state, moment):
    """Set the bit of every link whose vehicles can matter to somebody at one of its crossings."""
    n_lanes = natural(net.lane_index.shape[0])
    position = moment.position
    for entry in range(n_lanes, n_lanes + state.tally[LINKS_IN_USE]):
        link = natural(state.in_use[entry] - n_lanes)
        state.hot[natural(net.mask_word[link])] |= net.mask_bit[link]
    for entry in range(state.tally[LANES_IN_USE]):
        lane = natural(state.in_use[entry])
        first = natural(state.head[lane])
        link = state.next_link[first]
        if link >= 0 and state.green[natural(net.link_movement[link])] != 0:
            if net.length[lane] - position[first] <= net.notify_reach:
                state.hot[natural(net.mask_word[link])] |= net.mask_bit[link]
        last = natural(first + state.n_inside[lane] - 1)
        if position[last] < net.longest:
            link = state.previous[natural(state.vehicle[last])] - n_lanes
            if link >= 0:
                state.hot[natural(net.mask_word[link])] |= net.mask_bit[link]


@inlined
def unmark_hot_links(net, state):
    """Unset all bits again, before anybody moves on; where few drivables are in use, only theirs."""
    n_lanes = natural(net.lane_index.shape[0])
    n_words = state.hot.shape[0]
    if 8 * (state.tally[LANES_IN_USE] + state.tally[LINKS_IN_USE]) > n_words:
        for word in range(n_words):
            state.hot[word] = 0
        return
    for entry in range(n_lanes, n_lanes + state.tally[LINKS_IN_USE]):
        state.hot[net.mask_word[state.in_use[entry] - n_lanes]] = 0
    for entry in range(state.tally[LANES_IN_USE]):
        first = state.head[state.in_use[entry]]
        last = first + state.n_inside[state.in_use[entry]] - 1
        link = state.next_link[first]
        if link >= 0:
            state.hot[net.mask_word[link]] = 0
        link = state.previous[state.vehicle[last]] - n_lanes
        if link >= 0:
            state.hot[net.mask_word[link]] = 0


@inlined
def hot_foes(net, state, link):
    """The bits of the hot links that cross `link`; of all words of the mask together, so that bits may be ambiguous."""
    first = natural(net.mask_first[link])
    base = link * net.mask_words
    hot = net.foe_mask[base] & state.hot[first]
    for word in range(1, net.mask_words):
        hot |= net.foe_mask[base + word] & state.hot[first + word]
    return hot


@inlined
def find_foe(net, state, trips, moment, link, at):
    """The vehicle that matters at the crossing `at` metres along `link`: its slot (-1 none) and signed distance [m].

    In this order: the last vehicle of the end lane while its tail has not cleared the crossing, the foremost
    vehicle on the link whose tail has not, the first vehicle of the start lane if it has green for this link.
    """
    n_lanes = natural(net.lane_index.shape[0])
    position = moment.position
    lane = natural(net.link_to[link])
    if state.n_inside[lane] > 0:
        slot = natural(state.head[lane] + state.n_inside[lane] - 1)
        vehicle = natural(state.vehicle[slot])
        if state.previous[vehicle] == n_lanes + link:
            rest = net.length[n_lanes + link] - at
            if rest + (position[slot] - length_of(net, trips, vehicle)) < 0.0:
                return slot, -(position[slot] + rest)
    first = natural(state.head[n_lanes + link])
    for slot in range(first, first + state.n_inside[n_lanes + link]):
        past = position[slot] - at
        if not (past > 0.0 and past - length_of(net, trips, natural(state.vehicle[slot])) > 0.0):
            return slot, at - position[slot]
    lane = natural(net.link_from[link])
    if state.n_inside[lane] > 0:
        slot = natural(state.head[lane])
        if state.next_link[slot] == link and state.green[natural(net.link_movement[link])] != 0:
            return slot, net.length[lane] - position[slot] + at
    return -1, 0.0


@inlined
def blocker_of(state, vehicle, step):
    """The vehicle that `vehicle` yielded to in the step before, -1 if none or gone."""
    entry = 2 * vehicle + ((step - 1) & 1)
    if state.blocked_at[entry] != step - 1:
        return -1
    blocker = state.blocker[entry]
    return -1 if state.done[blocker] != 0 else blocker


@kernel
def in_deadlock(state, vehicle, step):
    """Whether following who yields to whom from `vehicle` runs into a circle."""
    slow = fast = vehicle
    while True:
        fast = blocker_of(state, fast, step)
        if fast < 0:
            return False
        fast = blocker_of(state, fast, step)
        slow = blocker_of(state, slow, step)
        if slow == fast:
            return slow >= 0
        if fast < 0:
            return False


@inlined
def braking_distance(net, me, speed):
    """Distance to a stand [m]."""
    if net.types[me + KRAUSS] != 0.0:
        return krauss_brake_distance(speed, net.types[me + MAX_DECEL])
    return brake_distance(speed, net.types[me + MAX_DECEL])


@inlined
def stopping_speed(net, me, distance, speed, cap):
    """`cap` [m/s], lowered for a driver who will stand `distance` metres ahead."""
    if net.types[me + KRAUSS] != 0.0:
        decel, tau = net.types[me + MAX_DECEL], net.types[me + HEADWAY]
        if krauss_is_free(distance, 0.0, 0.0, decel, net.types[me + HALF_PER_DECEL], tau, cap):
            return cap
        wanted = krauss_speed(distance, 0.0, 1.0, decel, tau)
    else:
        wanted = stop_before_speed(distance, speed, net.types[me + USUAL_ACCEL], net.types[me + USUAL_DECEL])
    return wanted if wanted < cap else cap


@inlined
def has_gap(net, state, trips, moment, speed, me, link, distance, foe, them, foe_link, foe_distance, crossing):
    """Whether the gap before a foe with the right of way is one that SUMO's drivers take (`MSLink::blockedByFoe`).

    They want to have left the junction `GAP_S` before the foe comes to it, and where both drive onto one lane not to be
    slower there; or that it has left before they come. A foe counts from where it begins to look at the junction, and
    not where it would not or cannot drive on although it has the right of way.
    """
    n_lanes = natural(net.lane_index.shape[0])
    their_speed = moment.speed[foe]
    theirs = foe_distance - net.crossing_foe_distance[crossing]  # m before the foe's link
    if theirs <= 0.0:
        return foe_distance + net.types[them + LENGTH] < 0.0
    accel, their_accel = net.types[me + USUAL_ACCEL], net.types[them + USUAL_ACCEL]
    next_speed = min(their_speed + their_accel, net.types[them + MAX_SPEED])
    if theirs > next_speed * (1.0 + net.types[them + HEADWAY]) + brake_distance(
        next_speed, net.types[them + MAX_DECEL]
    ):
        return True
    if has_no_room(net, state, trips, moment, them, foe_link):
        return True
    if their_speed < STANDING_BELOW_MPS and _is_held(net, state, trips, moment, foe_link, crossing):
        return True
    target = min(net.link_entry_speed[link], net.types[me + MAX_SPEED])
    their_target = min(net.link_entry_speed[foe_link], net.types[them + MAX_SPEED])
    mine = distance - net.crossing_distance[crossing]
    way = mine + net.length[n_lanes + link] + net.types[me + LENGTH]
    their_way = theirs + net.length[n_lanes + foe_link] + net.types[them + LENGTH]
    arrival_s = reach_time(max(mine, 0.0), speed, target, accel)
    merge = net.link_to[link] == net.link_to[foe_link]
    if reach_time(their_way, their_speed, their_target, their_accel) + (GAP_S if merge else 0.0) < arrival_s:
        return True
    if reach_time(theirs, their_speed, their_target, their_accel) <= reach_time(way, speed, target, accel) + GAP_S:
        return False
    if not merge:
        return True
    leaving = min(target * target, speed * speed + 2.0 * accel * way)  # (m/s)^2
    coming = min(their_target * their_target, their_speed * their_speed + 2.0 * their_accel * theirs)
    return leaving * net.types[them + MAX_DECEL] > coming * net.types[me + MAX_DECEL]


@inlined
def _is_held(net, state, trips, moment, foe_link, crossing):
    """Whether whoever is about to drive onto `foe_link` stands behind one from the same lane.

    Who waits on another link with its tail before the crossing lets nobody by. Two turns across each other would wait
    for ever, each for whoever stands behind the other.
    """
    n_lanes = natural(net.lane_index.shape[0])
    lane = natural(net.link_from[foe_link])
    for entry in range(natural(net.lane_link_start[lane]), net.lane_link_start[lane + 1]):
        sibling = n_lanes + natural(net.lane_links[entry])
        if state.n_inside[sibling] > 0:
            last = natural(state.head[sibling] + state.n_inside[sibling] - 1)
            tail = moment.position[last] - length_of(net, trips, natural(state.vehicle[last]))
            if moment.speed[last] < STANDING_BELOW_MPS and tail < net.crossing_foe_distance[crossing]:
                return True
    return False


@inlined
def goes_first(net, state, trips, moment, vehicle, speed, me, link, distance, foe, foe_link, foe_distance, crossing):
    """Whether `vehicle`, `distance` [m] before the crossing, may go before the vehicle in slot `foe`.

    crossing : its number among the crossings of `link`
    """
    right = net.crossing_right[crossing]
    other = natural(state.vehicle[foe])
    them = type_of(net, trips, other)
    their_speed = moment.speed[foe]
    setback = net.crossing_foe_setback[crossing]
    their_braking = braking_distance(net, them, their_speed)
    if not can_yield(foe_distance, their_braking, net.types[them + LENGTH], setback):
        return False
    if right > 0:
        return True
    if net.crossing_asks_gap[crossing] != 0:
        return has_gap(
            net, state, trips, moment, speed, me, link, distance, foe, them, foe_link, foe_distance, crossing
        )
    if foe_distance <= 0.0:
        return foe_distance + net.types[them + LENGTH] < 0.0
    their_target = net.link_entry_speed[foe_link] if net.link_slows[foe_link] != 0 else net.types[them + MAX_SPEED]
    my_target = net.link_entry_speed[link] if net.link_slows[link] != 0 else net.types[me + MAX_SPEED]
    their_steps = reach_steps(foe_distance, their_speed, their_target, net.types[them + USUAL_ACCEL])
    my_steps = reach_steps(distance, speed, my_target, net.types[me + USUAL_ACCEL])
    if their_steps > my_steps:
        return True
    if right < 0 or their_steps < my_steps:
        return False
    if state.entered_link[vehicle] != state.entered_link[other]:
        return state.entered_link[vehicle] < state.entered_link[other]
    if distance != foe_distance:
        return distance < foe_distance
    return trips.priority[vehicle] > trips.priority[other]


@inlined
def crossing_speed(net, state, trips, moment, slot, me, link, from_start, cap):
    """`cap` [m/s], lowered to stop before the first crossing of `link` where the driver must yield.

    from_start : m from the start of the link to the vehicle, negative on the lane before it
    """
    hot = hot_foes(net, state, link)
    if hot == 0:
        return cap
    speed = moment.speed[slot]
    braking = braking_distance(net, me, speed)
    for crossing in range(natural(net.crossing_start[link]), net.crossing_start[link + 1]):
        if hot & net.crossing_bit[crossing] == 0:
            continue
        distance = net.crossing_distance[crossing] - from_start
        if not braking < distance - net.crossing_setback[crossing]:  # too near to yield there, or past it
            continue
        foe_link = natural(net.crossing_foe[crossing])
        if net.mask_words > 1 and state.hot[natural(net.mask_word[foe_link])] & net.mask_bit[foe_link] == 0:
            continue
        foe, foe_distance = find_foe(net, state, trips, moment, foe_link, net.crossing_foe_distance[crossing])
        if foe < 0:
            continue
        vehicle = natural(state.vehicle[slot])
        if goes_first(
            net, state, trips, moment, vehicle, speed, me, link, distance, foe, foe_link, foe_distance, crossing
        ):
            continue
        other = natural(state.vehicle[foe])
        if in_deadlock(state, other, moment.step):
            continue
        entry = 2 * vehicle + (moment.step & 1)
        state.blocker[entry] = other
        state.blocked_at[entry] = moment.step
        return stopping_speed(net, me, distance - net.crossing_setback[crossing], speed, cap)
    return cap
