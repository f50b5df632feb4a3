"""Who matters where lane links cross.

A link is *hot* while somebody is on it, about to enter it, or has not cleared its end: only its crossings count.
"""

from __future__ import annotations

import numpy as np

from intergreen.envs.simulation.compile import inlined
from intergreen.envs.simulation.natural import natural
from intergreen.envs.simulation.slots import length_of
from intergreen.envs.simulation.state import LANES_IN_USE, LINKS_IN_USE

AT_ITS_PLACE_M = 0.05  # within so much of where it waits a driver waits there


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
    if net.look_beyond != 0 or 8 * (state.tally[LANES_IN_USE] + state.tally[LINKS_IN_USE]) > n_words:
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
def find_leaver(net, state, trips, moment, link, at):
    """Slot of the last vehicle of the end lane if it came over `link` and its tail has not cleared `at` metres of it;
    -1 if not."""
    n_lanes = natural(net.lane_index.shape[0])
    lane = natural(net.link_to[link])
    if state.n_inside[lane] > 0:
        slot = natural(state.head[lane] + state.n_inside[lane] - 1)
        vehicle = natural(state.vehicle[slot])
        if state.previous[vehicle] == n_lanes + link:
            rest = net.length[n_lanes + link] - at
            if rest + (moment.position[slot] - length_of(net, trips, vehicle)) < 0.0:
                return slot
    return -1


@inlined
def find_foe(net, state, trips, moment, link, at, follows):
    """The vehicle that matters at the crossing `at` metres along `link`: its slot (-1 none) and signed distance [m].

    In this order: the last vehicle of the end lane while its tail has not cleared the crossing, the foremost
    vehicle on the link whose tail has not, the first vehicle of the start lane if it has green for this link, whoever
    has been announced there (`sight`).

    follows : whoever is on the end lane does not count: one looks who drives onto that lane too, and follows it there
    """
    n_lanes = natural(net.lane_index.shape[0])
    position = moment.position
    if not follows:
        slot = find_leaver(net, state, trips, moment, link, at)
        if slot >= 0:
            return natural(slot), -(position[natural(slot)] + (net.length[n_lanes + link] - at))
    first = natural(state.head[n_lanes + link])
    for slot in range(first, first + state.n_inside[n_lanes + link]):
        past = position[slot] - at
        if not (past > 0.0 and past - length_of(net, trips, natural(state.vehicle[slot])) > 0.0):
            return slot, at - position[slot]
    return find_coming(net, state, moment, link, at)


@inlined
def find_entering(net, state, moment, link, at):
    """The same of those who come; whoever is on the link before where it may wait inside, or there, is one of them."""
    n_lanes = natural(net.lane_index.shape[0])
    first = natural(state.head[n_lanes + link])
    for slot in range(first, first + state.n_inside[n_lanes + link]):
        if moment.position[slot] < net.link_inside[link] + AT_ITS_PLACE_M < np.inf:
            return slot, at - moment.position[slot]
    return find_coming(net, state, moment, link, at)


@inlined
def find_coming(net, state, moment, link, at):
    """The same of those who are not on `link` yet: the first vehicle of the start lane if it has green for this link,
    whoever has been announced there."""
    position = moment.position
    lane = natural(net.link_from[link])
    if state.n_inside[lane] > 0:
        slot = natural(state.head[lane])
        if state.next_link[slot] == link and state.green[natural(net.link_movement[link])] != 0:
            return slot, net.length[lane] - position[slot] + at
    if net.look_beyond != 0 and state.seen_step[link] == moment.step:
        return state.seen_slot[link], state.seen_m[link] + at
    return -1, 0.0
