"""Who goes first where lane links cross: whether a driver must yield to the foe at a crossing.

Everything here reads the old state of the step. A crossing is looked up only when a driver could still stop
for it and the other link is hot, see `foes`.
"""

from __future__ import annotations

from typing import NamedTuple

from intergreen.envs.simulation.compile import inlined, kernel
from intergreen.envs.simulation.driving import (
    STOP_HEADWAY_S,
    brake_distance,
    can_yield,
    krauss_brake_distance,
    krauss_is_free,
    krauss_speed,
    reach_steps,
    stop_before_speed,
)
from intergreen.envs.simulation.foes import find_coming, find_entering, find_foe, hot_foes
from intergreen.envs.simulation.gaps import SEEN_M, has_gap
from intergreen.envs.simulation.natural import natural
from intergreen.envs.simulation.room import STANDING_BELOW_MPS
from intergreen.envs.simulation.slots import type_of
from intergreen.envs.simulation.statics import (
    BY_FILE,
    FOLLOWS,
    HALF_PER_DECEL,
    HEADWAY,
    KRAUSS,
    LENGTH,
    MAX_DECEL,
    MAX_SPEED,
    MIN_GAP,
    PASSES_BY,
    USUAL_ACCEL,
    USUAL_DECEL,
)


class Moment(NamedTuple):
    """One replica as a step finds it."""

    position: object  # (S,) float64, m
    speed: object  # (S,) float64, m/s
    step: int


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
        decel = net.types[me + MAX_DECEL]
        if krauss_is_free(distance, 0.0, 0.0, decel, net.types[me + HALF_PER_DECEL], STOP_HEADWAY_S, cap):
            return cap
        wanted = krauss_speed(distance, 0.0, 1.0, decel, STOP_HEADWAY_S)
    else:
        wanted = stop_before_speed(distance, speed, net.types[me + USUAL_ACCEL], net.types[me + USUAL_DECEL])
    return wanted if wanted < cap else cap


@inlined
def leaves_free(net, me, distance, cap):
    """Whether all that stands `distance` metres ahead or farther surely lets one of SUMO's drivers drive at `cap`."""
    if net.types[me + KRAUSS] == 0.0:
        return False
    decel, half = net.types[me + MAX_DECEL], net.types[me + HALF_PER_DECEL]
    return krauss_is_free(distance, 0.0, 0.0, decel, half, max(STOP_HEADWAY_S, net.types[me + HEADWAY]), cap)


@inlined
def can_stop(net, me, speed, distance):
    """Whether a driver can stand `distance` metres ahead."""
    if net.types[me + KRAUSS] != 0.0:  # mostly told without a division: by the speed that it may keep without headway
        if krauss_is_free(distance, 0.0, 0.0, net.types[me + MAX_DECEL], net.types[me + HALF_PER_DECEL], 0.0, speed):
            return True
    return not braking_distance(net, me, speed) > distance


@inlined
def goes_first(
    net, state, trips, moment, vehicle, speed, me, link, distance, foe, foe_link, foe_distance, crossing, cap
):
    """Whether `vehicle`, `distance` [m] before the crossing, may go before the vehicle in slot `foe`.

    crossing : its number among the crossings of `link`
    cap : m/s, its next speed if it does
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
        stood_s = moment.step - 1 - state.moved_at[vehicle]
        return has_gap(
            net, state, trips, moment, cap, stood_s, me, link, distance, foe, them, foe_link, foe_distance, crossing
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
    speed = moment.speed[slot]
    if net.link_asks_gap[link] != 0 and not leaves_free(net, me, net.link_wait_m[link] - from_start, cap):
        cap = _speed_until_seen(net, state, speed, me, link, from_start, cap)
    hot = hot_foes(net, state, link)
    if hot == 0:
        return cap
    braking = braking_distance(net, me, speed)
    for crossing in range(natural(net.crossing_start[link]), net.crossing_start[link + 1]):
        if hot & net.crossing_bit[crossing] == 0:
            continue
        distance = net.crossing_distance[crossing] - from_start
        rest = distance - net.crossing_setback[crossing]
        by_file = net.crossing_asks_gap[crossing] == BY_FILE
        follows = by_file and net.crossing_inside[crossing] == FOLLOWS
        if not (braking < rest or (follows and distance > 0.0)):  # too near to yield there, or past it
            continue
        foe_link = natural(net.crossing_foe[crossing])
        if net.mask_words > 1 and state.hot[natural(net.mask_word[foe_link])] & net.mask_bit[foe_link] == 0:
            continue
        at = net.crossing_foe_distance[crossing]
        if follows and distance > 0.0:
            cap = _speed_behind_merging(net, state, trips, moment, slot, me, from_start, distance, foe_link, at, cap)
            if not braking < rest:
                continue
        if by_file and rest > SEEN_M:  # ready to stop anyway
            continue
        if follows:
            foe, foe_distance = find_coming(net, state, moment, foe_link, at)
        elif by_file and net.crossing_inside[crossing] == PASSES_BY:
            foe, foe_distance = find_entering(net, state, moment, foe_link, at)
        else:
            merges = net.crossing_asks_gap[crossing] != 0 and net.link_to[foe_link] == net.link_to[link]
            foe, foe_distance = find_foe(net, state, trips, moment, foe_link, at, merges)
        if foe < 0:
            continue
        vehicle = natural(state.vehicle[slot])
        if goes_first(
            net, state, trips, moment, vehicle, speed, me, link, distance, foe, foe_link, foe_distance, crossing, cap
        ):
            continue
        other = natural(state.vehicle[foe])
        if in_deadlock(state, other, moment.step):
            continue
        _note_blocker(state, vehicle, other, moment.step)
        return stopping_speed(net, me, rest, speed, cap)
    return cap


@inlined
def _note_blocker(state, vehicle, other, step):
    """Note that `vehicle` yields to `other`."""
    entry = 2 * vehicle + (step & 1)
    state.blocker[entry] = other
    state.blocked_at[entry] = step


@kernel
def _speed_behind_merging(net, state, trips, moment, slot, me, from_start, distance, foe_link, foe_distance, cap):
    """`cap` [m/s], lowered for whoever is on `foe_link`, which leads onto the same lane `distance` metres ahead, and
    `foe_distance` metres along that link: one waits at the stop line until it can follow (`MSLink::getLeaderInfo`).
    Who stands there and waits for others who wait for one lets one by.

    from_start : m from the start of the own link to the vehicle, negative on the lane before it
    """
    n_lanes = natural(net.lane_index.shape[0])
    vehicle = natural(state.vehicle[slot])
    decel, tau = net.types[me + MAX_DECEL], net.types[me + HEADWAY]
    first = natural(state.head[n_lanes + foe_link])
    for foe in range(first, first + state.n_inside[n_lanes + foe_link]):
        other = natural(state.vehicle[foe])
        them = type_of(net, trips, other)
        front_m = foe_distance - moment.position[foe]
        if from_start > 0.0 and front_m >= distance:  # both are inside, and the other behind
            continue
        tail_m = front_m + net.types[them + LENGTH]
        gap = distance - net.types[me + MIN_GAP] - tail_m
        if gap >= 0.0:
            safe = krauss_speed(gap, moment.speed[foe], max(decel, net.types[them + MAX_DECEL]), decel, tau)
        else:
            safe = krauss_speed(-from_start, 0.0, 1.0, decel, STOP_HEADWAY_S)
        if safe < cap:
            if moment.speed[foe] < STANDING_BELOW_MPS:
                if in_deadlock(state, other, moment.step):
                    continue
                _note_blocker(state, vehicle, other, moment.step)
            cap = safe
    return cap


@kernel
def _speed_until_seen(net, state, speed, me, link, from_start, cap):
    """`cap` [m/s], lowered where a driver comes to a place where it may have to wait: until it sees everybody it is
    ready to stop there, whoever comes (`MSVehicle::processLinkApproaches`)."""
    braking = braking_distance(net, me, speed)
    for crossing in range(natural(net.crossing_start[link]), net.crossing_start[link + 1]):
        if net.crossing_asks_gap[crossing] == BY_FILE:
            rest = net.crossing_distance[crossing] - from_start - net.crossing_setback[crossing]
            if rest > SEEN_M and braking < rest:
                if state.green[natural(net.link_movement[natural(net.crossing_foe[crossing])])] != 0:
                    cap = stopping_speed(net, me, rest, speed, cap)
    return cap
