"""What is noted when a vehicle enters or leaves an approach lane of a signal: time, loops, and how long it stood."""

from __future__ import annotations

from intergreen.envs.simulation.compile import inlined
from intergreen.envs.simulation.state import APPROACH_VEHICLES, LOOP_TIME, ON_APPROACH, WAIT_BINS


@inlined
def note_approach_entry(net, loops, state, lane, vehicle, step):
    if net.lane_approach[lane] == 0:
        return
    state.tally[ON_APPROACH] += 1
    if state.approached[vehicle] == 0:
        state.approached[vehicle] = 1
        state.tally[APPROACH_VEHICLES] += 1
    if loops.n_slots > 0:
        loop = loops.enter_slot[state.row[vehicle]]
        if loop >= 0:
            state.tally[LOOP_TIME] += step - state.loop_left[vehicle * loops.n_slots + loop]


@inlined
def note_approach_exit(net, loops, state, lane, vehicle, link, waited, step):
    if net.lane_approach[lane] == 0:
        return
    state.tally[ON_APPROACH] -= 1
    if loops.n_slots > 0:
        loop = loops.leave_slot[state.row[vehicle]]
        if loop >= 0:
            state.loop_left[vehicle * loops.n_slots + loop] = step
    if link >= 0:
        movement = net.link_movement[link]
        state.wait_count[movement * WAIT_BINS + wait_bin(waited)] += 1
        if waited > state.wait_max[movement]:
            state.wait_max[movement] = waited


@inlined
def wait_bin(waited):
    """Histogram bin of a wait [s]: 2 s wide to a minute, 20 s to ten minutes, then 10 minutes."""
    if waited < 60:
        return waited // 2
    if waited < 600:
        return 30 + (waited - 60) // 20
    return min(WAIT_BINS - 1, 57 + (waited - 600) // 600)
