"""Whether there is room behind a junction, so that nobody stands in it."""

from __future__ import annotations

from intergreen.envs.simulation.compile import inlined, kernel
from intergreen.envs.simulation.natural import natural
from intergreen.envs.simulation.slots import length_of, type_of
from intergreen.envs.simulation.statics import LENGTH, MIN_GAP

ROLLING_MPS = 2.0  # a full end lane may still be entered behind a vehicle at least this fast
STANDING_BELOW_MPS = 0.1  # SUMO's haltingSpeed


@inlined
def has_no_room(net, state, trips, moment, me, link):
    """Whether the end lane of `link` is full: who drives on would stand in the junction."""
    lane = natural(net.link_to[link])
    if state.n_inside[lane] == 0:
        return False
    if net.look_beyond != 0:
        return _is_kept_clear(net, state, trips, moment, me, link)
    last = natural(state.head[lane] + state.n_inside[lane] - 1)
    tail = length_of(net, trips, natural(state.vehicle[last]))
    return moment.position[last] <= tail + net.types[me + LENGTH] and moment.speed[last] < ROLLING_MPS


@kernel
def _is_kept_clear(net, state, trips, moment, me, link):
    """Whether SUMO's driver keeps the junction clear (`MSVehicle::checkRewindLinkLanes`): where others cross its way,
    not where they only change lanes, it drives on only if everybody who is ahead on its way, on the link too, will have
    room once they stand.

    They will where nobody stands yet and the first of them may drive on.
    """
    lane, n_lanes = natural(net.link_to[link]), natural(net.lane_index.shape[0])
    count, on_link = state.n_inside[lane], state.n_inside[n_lanes + link]
    if net.link_is_kept_clear[link] == 0:
        return False
    if (count + on_link + 1) * net.most_room <= net.length[lane]:
        return False
    room = net.length[lane]
    first = natural(state.head[lane])
    for slot in range(first + count - 1, first - 1, -1):  # from the last one on, who is next to the junction
        if moment.speed[slot] < STANDING_BELOW_MPS:
            room = moment.position[slot] - length_of(net, trips, natural(state.vehicle[slot]))
            break
    else:
        slot = first - 1
        ahead = state.next_link[first]
        if ahead >= 0 and state.green[natural(net.link_movement[ahead])] != 0:
            return False
    for moving in range(slot + 1, first + count):
        room -= _room_of(net, type_of(net, trips, natural(state.vehicle[moving])))
    first = natural(state.head[n_lanes + link])
    for slot in range(first, first + on_link):
        room -= _room_of(net, type_of(net, trips, natural(state.vehicle[slot])))
    return room < _room_of(net, me)


@inlined
def _room_of(net, kind):
    """What a vehicle of a type takes in a queue [m]."""
    return net.types[kind + LENGTH] + net.types[kind + MIN_GAP]
