"""Who drives ahead of the first vehicle of a lane or lane link: the search along its route."""

from __future__ import annotations

from intergreen.envs.simulation.compile import inlined, kernel
from intergreen.envs.simulation.foes import find_leaver
from intergreen.envs.simulation.natural import natural
from intergreen.envs.simulation.room import STANDING_BELOW_MPS
from intergreen.envs.simulation.slots import length_of, type_of
from intergreen.envs.simulation.statics import ZONE


@inlined
def _last_seen(state, lane, step, viewer):
    """Slot of the last vehicle of `lane`, -1 if none, without one that entered in this very step.

    `viewer` is the lane of a driver who entered in this step too (lanes enter in order), else -1.
    """
    count = state.n_inside[lane]
    if count > 0 and state.entry_step[lane] == step and lane >= viewer:
        count -= 1
    return state.head[lane] + count - 1 if count > 0 else -1


@inlined
def _last_tail(net, trips, state, moment, drivable):
    """Who has driven off an empty link last and has its rear bumper on it still: its slot, -1 nobody, and where [m]."""
    length = net.length[drivable]
    link = natural(drivable - net.lane_index.shape[0])
    last = find_leaver(net, state, trips, moment, link, length)
    if last < 0:
        return -1, 0.0
    return last, length + moment.position[last] - length_of(net, trips, natural(state.vehicle[last]))


@kernel
def find_beside(net, trips, state, moment, link, place):
    """Who drives ahead on another link of the same lane, of one `place` metres along `link`, and has not parted from
    it: the slot (-1 none) and the gap to it [m]. Whoever stands there, to turn, is passed by: they could lock."""
    n_lanes = natural(net.lane_index.shape[0])
    lane, parting = natural(net.link_from[link]), natural(net.parts_start[link])
    best, best_gap = -1, 0.0
    for entry in range(natural(net.lane_link_start[lane]), net.lane_link_start[lane + 1]):
        sibling = n_lanes + natural(net.lane_links[entry])
        if _leads_elsewhere(net, natural(net.lane_links[entry]), link):
            ahead, tail_m = _last_ahead(net, trips, state, moment, sibling, place)
            if ahead >= 0 and tail_m < net.parts_m[parting] and moment.speed[ahead] >= STANDING_BELOW_MPS:
                if best < 0 or tail_m - place < best_gap:
                    best, best_gap = ahead, tail_m - place
        parting += 1
    return best, best_gap


@inlined
def _leads_elsewhere(net, link, other):
    """Whether two links lead to different roads."""
    lane, beside = natural(net.link_to[link]), natural(net.link_to[other])
    return lane - net.lane_index[lane] != beside - net.lane_index[beside]


@inlined
def _last_ahead(net, trips, state, moment, drivable, place):
    """The last who is farther than `place` on a link, or whose tail still is on it: its slot, -1 nobody, and where its
    rear bumper is [m]."""
    first = natural(state.head[drivable])
    for slot in range(first + state.n_inside[drivable] - 1, first - 1, -1):
        if moment.position[slot] > place:
            return slot, moment.position[slot] - length_of(net, trips, natural(state.vehicle[slot]))
    return _last_tail(net, trips, state, moment, drivable)


@kernel
def find_leader(net, routes, trips, state, moment, vehicle, drivable, rest, link, viewer):
    """Leader of the first vehicle of `drivable`: its slot (-1 none) and the gap to it [m].

    Links that leave the same lane overlap until they part, so the nearest last vehicle of all of them counts.

    rest : m to the end of the drivable
    link : the next link, -1 none; on a link, the link itself
    viewer : see `_last_seen`
    """
    if link < 0:
        return -1, 0.0
    n_lanes = natural(net.lane_index.shape[0])
    on_link = drivable >= n_lanes
    look = net.types[type_of(net, trips, vehicle) + ZONE]
    row = natural(state.row[vehicle])
    position = moment.position
    while True:
        if not on_link:
            lane = natural(net.link_from[link])
            best = -1
            best_gap = 0.0
            parting = natural(net.parts_start[link])
            for entry in range(natural(net.lane_link_start[lane]), net.lane_link_start[lane + 1]):
                sibling = n_lanes + natural(net.lane_links[entry])
                if state.n_inside[sibling] > 0:
                    last = natural(state.head[sibling] + state.n_inside[sibling] - 1)
                    length = length_of(net, trips, natural(state.vehicle[last]))
                    gap = rest + position[last] - length
                    is_beside = position[last] - length < net.parts_m[parting]
                    if is_beside and (best < 0 or gap < best_gap):
                        best = last
                        best_gap = gap
                elif net.look_beyond != 0 and sibling != n_lanes + link:
                    last, tail_m = _last_tail(net, trips, state, moment, sibling)
                    if last >= 0 and tail_m < net.parts_m[parting] and (best < 0 or rest + tail_m < best_gap):
                        best = last
                        best_gap = rest + tail_m
                parting += 1
            if best >= 0:
                return best, best_gap
            rest += net.length[n_lanes + link]
            if rest > look:
                return -1, 0.0
        on_link = False
        row += natural(net.lane_width[natural(net.link_from[link])])
        lane = natural(net.link_to[link])
        last = _last_seen(state, lane, moment.step, viewer)
        if last >= 0:
            return last, rest + position[last] - length_of(net, trips, natural(state.vehicle[last]))
        rest += net.length[lane]
        if rest > look:
            return -1, 0.0
        link = routes.next_link[row + net.lane_index[lane]]
        if link < 0:
            return -1, 0.0
