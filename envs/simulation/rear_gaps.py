"""Whether who comes from behind can brake in time for one that appears on a lane, by a change or a departure."""

from __future__ import annotations

from intergreen.envs.simulation.compile import inlined, kernel
from intergreen.envs.simulation.driving import krauss_brake_distance
from intergreen.envs.simulation.natural import natural
from intergreen.envs.simulation.slots import type_of
from intergreen.envs.simulation.statics import HEADWAY, MAX_DECEL, MIN_GAP


@inlined
def secure_gap(net, me, speed, leader, leader_speed):
    """Gap [m] beyond the least one at which a driver can stand in time (`MSCFModel::getSecureGap`)."""
    decel = net.types[me + MAX_DECEL]
    needed = krauss_brake_distance(speed, decel) + speed * net.types[me + HEADWAY]
    return max(0.0, needed - krauss_brake_distance(leader_speed, max(decel, net.types[leader + MAX_DECEL])))


@kernel
def is_clear_behind(net, trips, state, moment, lane, rear_m, kind, speed):
    """Whether all who come through the junction onto `lane` have a secure gap to one that nobody follows there.

    rear_m : its rear bumper's place on the lane
    """
    n_lanes = natural(net.lane_index.shape[0])
    for entry in range(natural(net.lane_into_start[lane]), net.lane_into_start[lane + 1]):
        link = natural(net.lane_into[entry])
        slot, gap = natural(state.head[n_lanes + link]), rear_m + net.length[n_lanes + link]
        if state.n_inside[n_lanes + link] == 0:
            before = natural(net.link_from[link])
            slot = natural(state.head[before])
            gap += net.length[before]
            if state.n_inside[before] == 0 or state.next_link[slot] != link:
                continue
        its = type_of(net, trips, natural(state.vehicle[slot]))
        gap -= moment.position[slot] + net.types[its + MIN_GAP]
        if gap < secure_gap(net, its, moment.speed[slot], kind, speed):
            return False
    return True
