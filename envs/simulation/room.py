"""Whether there is room behind a junction, so that nobody stands in it."""

from __future__ import annotations

from intergreen.envs.simulation.compile import inlined, kernel
from intergreen.envs.simulation.foes import find_foe, hot_foes
from intergreen.envs.simulation.natural import natural
from intergreen.envs.simulation.slots import length_of, type_of
from intergreen.envs.simulation.statics import LENGTH, MIN_GAP

ROLLING_MPS = 2.0  # a full end lane may still be entered behind a vehicle at least this fast
STANDING_BELOW_MPS = 0.1  # SUMO's haltingSpeed
_JUNCTIONS_AHEAD = 8  # full roads in a row that are looked at


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

    They will not stand where nobody does yet and the last of them drives on: it has green, lets nobody by, and finds
    room behind the next junction in its turn.
    """
    n_lanes = natural(net.lane_index.shape[0])
    for _ in range(_JUNCTIONS_AHEAD):
        lane = natural(net.link_to[link])
        count, on_link = state.n_inside[lane], state.n_inside[n_lanes + link]
        is_free = count == 0 or (count + on_link + 1) * net.most_room <= net.length[lane]
        if is_free or net.link_is_kept_clear[link] == 0:
            return False
        room, someone_stands = _room_behind(net, state, trips, moment, lane)
        first = natural(state.head[n_lanes + link])
        for slot in range(first, first + on_link):
            room -= _room_of(net, type_of(net, trips, natural(state.vehicle[slot])))
        if room >= _room_of(net, me):
            return False
        if someone_stands:
            return True
        last = natural(state.head[lane] + count - 1)
        if state.next_link[last] < 0:  # who crawls out of the network leaves no room either
            return True
        link = natural(state.next_link[last])
        if state.green[natural(net.link_movement[link])] == 0 or _yields(net, state, trips, moment, link):
            return True
        me = type_of(net, trips, natural(state.vehicle[last]))
    return False


@inlined
def _yields(net, state, trips, moment, link):
    """Whether anybody is there whom those who drive onto `link` let by."""
    if net.link_asks_gap[link] != 0 and hot_foes(net, state, link) != 0:
        for crossing in range(natural(net.crossing_start[link]), net.crossing_start[link + 1]):
            if net.crossing_right[crossing] < 0:
                at = net.crossing_foe_distance[crossing]
                foe, _ = find_foe(net, state, trips, moment, natural(net.crossing_foe[crossing]), at, False)
                if foe >= 0:
                    return True
    return False


@inlined
def _room_behind(net, state, trips, moment, lane):
    """What room [m] those leave on `lane` who stand there or drive behind, and whether anybody stands."""
    first, room = natural(state.head[lane]), 0.0
    for slot in range(first + state.n_inside[lane] - 1, first - 1, -1):  # from the last on, next to the junction
        if moment.speed[slot] < STANDING_BELOW_MPS:
            return room + moment.position[slot] - length_of(net, trips, natural(state.vehicle[slot])), True
        room -= _room_of(net, type_of(net, trips, natural(state.vehicle[slot])))
    return room + net.length[lane], False


@inlined
def _room_of(net, kind):
    """What a vehicle of a type takes in a queue [m]."""
    return net.types[kind + LENGTH] + net.types[kind + MIN_GAP]
