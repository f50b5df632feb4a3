"""The slots of a drivable: a contiguous run of vehicles, front first, that grows at its tail."""

from __future__ import annotations

from intergreen.envs.simulation.compile import inlined
from intergreen.envs.simulation.natural import natural
from intergreen.envs.simulation.state import ERROR_DRIVABLE, LANES_IN_USE, LINKS_IN_USE
from intergreen.envs.simulation.statics import LENGTH, N_COLUMNS

MANY_LANES = 1000  # with fewer in use all that a step touches stays in the cache, in any order


@inlined
def length_of(net, trips, vehicle):
    """Length of a vehicle [m]."""
    return net.types[type_of(net, trips, vehicle) + LENGTH]


@inlined
def type_of(net, trips, vehicle):
    """Where the columns of the vehicle's type begin; who drives is looked up only where there are several types."""
    return 0 if net.types.shape[0] == N_COLUMNS else natural(trips.kind[vehicle]) * N_COLUMNS


@inlined
def append_slot(net, state, drivable, position, speed):
    """A new last slot of `drivable`, -1 when it is full; `position` and `speed` are kept along with the rest."""
    count = state.n_inside[drivable]
    if count == net.capacity[drivable]:
        state.tally[ERROR_DRIVABLE] = drivable
        return -1
    start = net.slot_start[drivable]
    if count == 0:
        take_into_use(net, state, drivable)
        state.head[drivable] = start
    slot = natural(state.head[drivable]) + count
    if slot == net.slot_start[drivable + 1]:
        shift = natural(state.head[drivable]) - start
        for s in range(start, start + count):
            move_slot(state, position, speed, s + shift, s)
        state.head[drivable] = start
        wake_all(net, state, drivable)
        if state.arrival_step[drivable] >= 0:
            state.arrival_base[drivable] -= shift
        slot = start + count
    state.n_inside[drivable] = count + 1
    return slot


@inlined
def wake_all(net, state, drivable):
    """Look at everybody on `drivable` again: slots were moved, in one of the two copies of positions and speeds."""
    if drivable < net.lane_index.shape[0]:
        state.asleep_past[drivable] = state.asleep_first[drivable]


@inlined
def take_into_use(net, state, drivable):
    """List a drivable that had nobody among those in use."""
    n_lanes = net.lane_index.shape[0]
    if drivable < n_lanes:
        at = state.tally[LANES_IN_USE]
        state.tally[LANES_IN_USE] += 1
    else:
        at = n_lanes + state.tally[LINKS_IN_USE]
        state.tally[LINKS_IN_USE] += 1
    state.in_use[at] = drivable
    state.in_use_at[drivable] = at


@inlined
def leave_unused(net, state, drivable):
    """Take a drivable that has nobody left off the list of those in use."""
    n_lanes = net.lane_index.shape[0]
    if drivable < n_lanes:
        state.tally[LANES_IN_USE] -= 1
        last = state.tally[LANES_IN_USE]
    else:
        state.tally[LINKS_IN_USE] -= 1
        last = n_lanes + state.tally[LINKS_IN_USE]
    at = natural(state.in_use_at[drivable])
    moved = state.in_use[last]
    state.in_use[at] = moved
    state.in_use_at[moved] = at


@inlined
def list_in_order(net, state):
    """List the drivables in use by their numbers, as they lie in memory; using and leaving them mixes the list up."""
    n_lanes = net.lane_index.shape[0]
    at = 0
    for drivable in range(net.length.shape[0]):
        if drivable == n_lanes:
            at = n_lanes
        if state.n_inside[drivable] > 0:
            state.in_use[at] = drivable
            state.in_use_at[drivable] = at
            at += 1


@inlined
def move_slot(state, position, speed, source, target):
    """Copy the vehicle in slot `source` to slot `target`."""
    position[target] = position[source]
    speed[target] = speed[source]
    state.vehicle[target] = state.vehicle[source]
    state.next_link[target] = state.next_link[source]
    state.waited[target] = state.waited[source]


@inlined
def remove_slot(net, state, drivable, slot, position, speed):
    """Take one vehicle out of the run; those behind close up."""
    last = natural(state.head[drivable]) + state.n_inside[drivable] - 1
    for s in range(slot, last):
        move_slot(state, position, speed, s + 1, s)
    state.n_inside[drivable] -= 1
    if state.n_inside[drivable] == 0:
        leave_unused(net, state, drivable)
