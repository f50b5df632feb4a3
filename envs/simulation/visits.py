"""What is noted when a vehicle enters or leaves an approach lane of a signal: time, loops, and how long it stood."""

from __future__ import annotations

import numpy as np

from intergreen.envs.simulation.compile import inlined, kernel
from intergreen.envs.simulation.natural import natural
from intergreen.envs.simulation.state import APPROACH_VEHICLES, LANES_IN_USE, LOOP_TIME, ON_APPROACH, STEP, WAIT_BINS


@inlined
def note_approach_entry(net, loops, state, lane, vehicle, step):
    """Note that `vehicle` came onto `lane`, if that is an approach of a signal."""
    if net.lane_approach[lane] == 0:
        return
    state.tally[ON_APPROACH] += 1
    if state.approached[vehicle] == 0:
        state.approached[vehicle] = 1
        state.tally[APPROACH_VEHICLES] += 1
    if loops.n_slots > 0:
        loop = loops.enter_slot[natural(state.row[vehicle])]
        if loop >= 0:
            state.loop_entered[vehicle * loops.n_slots + loop] = step


@inlined
def note_approach_exit(net, loops, state, lane, vehicle, link, waited, step):
    """Note that `vehicle` left approach `lane` for `link` (-1: its trip ends) after standing `waited` seconds."""
    if net.lane_approach[lane] == 0:
        return
    state.tally[ON_APPROACH] -= 1
    if loops.n_slots > 0:
        loop = loops.enter_slot[natural(state.row[vehicle])]
        if loop >= 0:
            at = vehicle * loops.n_slots + loop
            state.tally[LOOP_TIME] += state.loop_entered[at] - state.loop_left[at]
        loop = loops.leave_slot[natural(state.row[vehicle])]
        if loop >= 0:
            state.loop_left[vehicle * loops.n_slots + loop] = step
    if link >= 0:
        movement = natural(net.link_movement[link])
        state.wait_count[movement * WAIT_BINS + wait_bin(waited)] += 1
        if waited > state.wait_max[movement]:
            state.wait_max[movement] = waited


@kernel
def time_of_open_visits(net, loops, state, b):
    """Vehicle-seconds on approach lanes that the literature's approach time leaves out in replica `b`.

    It is read from the second a vehicle is first seen to the second it is first missed. Who is still there has not
    been missed: a second less for a first visit, and the whole visit where the signal was passed before.
    """
    now = state.tally[b, STEP]
    left_out = 0
    for entry in range(state.tally[b, LANES_IN_USE]):
        lane = state.in_use[b, entry]
        if net.lane_approach[lane] == 0:
            continue
        for slot in range(state.head[b, lane], state.head[b, lane] + state.n_inside[b, lane]):
            vehicle = state.vehicle[b, slot]
            loop = loops.enter_slot[state.row[b, vehicle]] if loops.n_slots > 0 else -1
            left_out += now - state.loop_entered[b, vehicle * loops.n_slots + loop] if loop >= 0 else 1
    return left_out


@inlined
def wait_bin(waited):
    """Histogram bin of a wait [s]: 2 s wide to a minute, 20 s to ten minutes, then 10 minutes."""
    if waited < 60:
        return waited // 2
    if waited < 600:
        return 30 + (waited - 60) // 20
    return min(WAIT_BINS - 1, 57 + (waited - 600) // 600)


# the shortest wait of each bin, s
WAIT_BIN_START_S = np.array([*range(0, 60, 2), *range(60, 600, 20), *range(600, 600 * 8, 600)], np.float64)
assert len(WAIT_BIN_START_S) == WAIT_BINS
