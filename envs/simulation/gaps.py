"""Which gap in a stream that goes first SUMO's drivers take: `MSLink::opened`, `blockedByFoe`, `unsafeMergeSpeeds`.

They tell when they will arrive at the junction and have left it, and when the other will, from the speeds that both
will drive at in the next second: whole seconds at the new speed, then a steady acceleration.
"""

from __future__ import annotations

import math

from intergreen.envs.simulation.compile import inlined, kernel
from intergreen.envs.simulation.driving import krauss_brake_distance, krauss_speed, minimal_arrival_time, speed_after
from intergreen.envs.simulation.foes import find_leaver
from intergreen.envs.simulation.natural import natural
from intergreen.envs.simulation.room import STANDING_BELOW_MPS, has_no_room
from intergreen.envs.simulation.slots import length_of, type_of
from intergreen.envs.simulation.statics import HEADWAY, LENGTH, MAX_DECEL, MAX_SPEED, MIN_GAP, USUAL_ACCEL

GAP_S = 1.0  # SUMO's JM_TIMEGAP_MINOR
IMPATIENT_S = 180.0  # SUMO's option --time-to-impatience; its help says 300
STOPPED_S = 30.0  # later comes who could stop, as SUMO tells it
SEEN_M = 4.5  # before where they may have to wait they see all others: SUMO's default of a link's visibility


@kernel
def has_gap(net, state, trips, moment, speed, stood_s, me, link, distance, foe, them, foe_link, foe_distance, crossing):
    """Whether the gap before a foe with the right of way is one that SUMO's drivers take.

    They want to have left the junction `GAP_S` before the foe comes to it, and where both drive onto one lane that it
    need not brake hard; or that it has left before they come. The longer they have stood, the more they expect the foe
    to brake. It does not count where it would not or cannot drive on although it has the right of way. Behind one whose
    tail is still in the junction they drive onto its lane only before a foe that could stand (seen of SUMO 1.28).

    speed : m/s, at which they will drive in the next second
    stood_s : s, since they stand
    """
    n_lanes = natural(net.lane_index.shape[0])
    theirs = foe_distance - net.crossing_foe_distance[crossing]  # m before the foe's link
    if theirs <= 0.0:
        return foe_distance + net.types[them + LENGTH] < 0.0
    if has_no_room(net, state, trips, moment, them, foe_link):
        return True
    if moment.speed[foe] < STANDING_BELOW_MPS and _is_held(net, state, trips, moment, foe_link, crossing):
        return True
    merge = net.link_to[link] == net.link_to[foe_link]
    mine = distance - net.crossing_setback[crossing]  # m before where they wait
    length = net.length[n_lanes + link] - (net.crossing_distance[crossing] - net.crossing_setback[crossing])
    arrival_s, leaving_s, arrival, leaving = _passage(net, me, link, speed, mine, length)
    their_speed, is_free = _coming_speed(net, state, trips, moment, foe, them, foe_link, theirs)
    their_arrival_s, their_leaving_s, their_arrival, their_leaving = _passage(
        net, them, foe_link, their_speed, theirs, net.length[n_lanes + foe_link]
    )
    if not is_free:
        their_arrival, their_arrival_s = their_speed, theirs / max(their_speed, STANDING_BELOW_MPS)
        their_leaving_s = their_arrival_s + (net.length[n_lanes + foe_link] + net.types[them + LENGTH]) / max(
            0.5 * (their_speed + their_leaving), STANDING_BELOW_MPS
        )
    decel, their_decel = net.types[me + MAX_DECEL], net.types[them + MAX_DECEL]
    if their_leaving_s < arrival_s:
        if not merge:
            return True
        return arrival_s - their_leaving_s >= GAP_S and their_leaving**2 * decel > arrival**2 * their_decel
    coming = _braking_arrival(theirs, their_speed, their_arrival, their_decel, net.types[them + HEADWAY])
    if stood_s > 0 and arrival_s < their_arrival_s:
        impatience = min(stood_s / IMPATIENT_S, 1.0)
        delay_s, coming = _braked(theirs, arrival_s, their_arrival_s, their_decel * impatience, coming)
        their_arrival_s += impatience * delay_s
    if their_arrival_s <= leaving_s + GAP_S:
        return False
    if not merge or coming == 0.0:
        return True
    if find_leaver(net, state, trips, moment, foe_link, net.crossing_foe_distance[crossing]) >= 0:
        return False
    return leaving * leaving * their_decel > coming * coming * decel


@inlined
def _coming_speed(net, state, trips, moment, foe, them, foe_link, theirs):
    """Speed [m/s] of a foe in the next second, and whether it then accelerates: not behind others."""
    n_lanes = natural(net.lane_index.shape[0])
    speed = moment.speed[foe]
    if foe != state.head[natural(net.link_from[foe_link])]:  # who is ahead of it drives elsewhere, or is not here yet
        return speed, False
    faster = min(speed + net.types[them + USUAL_ACCEL], _limit(net, them, foe_link))
    ahead, gap = n_lanes + foe_link, theirs
    if state.n_inside[ahead] == 0:
        ahead, gap = natural(net.link_to[foe_link]), theirs + net.length[n_lanes + foe_link]
        if state.n_inside[ahead] == 0:
            return faster, True
    last = natural(state.head[ahead] + state.n_inside[ahead] - 1)
    leader = type_of(net, trips, natural(state.vehicle[last]))
    gap += moment.position[last] - net.types[leader + LENGTH] - net.types[them + MIN_GAP]
    decel, tau = net.types[them + MAX_DECEL], net.types[them + HEADWAY]
    safe = krauss_speed(gap, moment.speed[last], max(decel, net.types[leader + MAX_DECEL]), decel, tau)
    return min(faster, safe), faster <= safe


@inlined
def _passage(net, kind, link, speed, distance, length):
    """When a vehicle arrives at a link `distance` metres ahead and has left it again [s], and how fast [m/s]."""
    accel = net.types[kind + USUAL_ACCEL]
    arrival = min(speed_after(distance, speed, accel), max(speed, _limit(net, kind, link)))
    arrival_s = minimal_arrival_time(distance, speed, arrival, accel)
    leaving = min(speed_after(length, arrival, accel), net.link_entry_speed[link], net.types[kind + MAX_SPEED])
    leaving_s = arrival_s + (length + net.types[kind + LENGTH]) / max(0.5 * (arrival + leaving), 0.001)
    return arrival_s, leaving_s, arrival, leaving


@inlined
def _braked(distance, since_s, arrival_s, decel, arrival):
    """How much later [s], and how fast [m/s], a foe arrives that brakes from the second after `since_s` on, from its
    mean speed: `MSLink::computeFoeArrivalTimeBraking`; as it would where it is there in the same second."""
    if math.floor(since_s) == math.floor(arrival_s):
        return 0.0, arrival
    speed = distance / arrival_s
    since_s = math.ceil(since_s)
    ahead = distance - speed * (since_s - 1.0)
    if 0.5 * speed * speed <= decel * ahead:
        return STOPPED_S, 0.0
    braking_s = arrival_s - since_s
    slowed = speed - braking_s * decel
    root = slowed * slowed - decel * decel * braking_s * braking_s
    if root < 0.0:  # it neither stops nor can be told; SUMO takes it for a conflict
        return -arrival_s / decel, arrival
    more_s = (slowed - math.sqrt(root)) / decel
    return more_s, speed - (braking_s + more_s) * decel


@inlined
def _limit(net, kind, link):
    """The highest speed before a link [m/s]."""
    return min(net.base_limit[natural(net.link_from[link])], net.types[kind + MAX_SPEED])


@inlined
def _braking_arrival(distance, speed, arrival, decel, tau):
    """How fast [m/s] whoever begins to brake now arrives: `MSCFModel::getMinimalArrivalSpeedEuler`."""
    if distance >= krauss_brake_distance(speed, decel) + speed * tau:
        return 0.0
    if distance < speed:
        return arrival
    squared = speed * speed - 2.0 * decel * (distance - speed)
    return min(math.sqrt(squared) if squared >= 0.0 else decel, arrival)


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
