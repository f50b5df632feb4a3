"""One simulated second of one replica: enter, decide, drive, move on.

The order is CityFlow's: trips are released and enter, everybody decides on the old state, then all move at once.
"""

from __future__ import annotations

from intergreen.envs.simulation.compile import inlined
from intergreen.envs.simulation.departures import enter_network, release_trips
from intergreen.envs.simulation.foes import mark_hot_links, unmark_hot_links
from intergreen.envs.simulation.junction import Moment
from intergreen.envs.simulation.lane_change import plan_changes, settle_changes
from intergreen.envs.simulation.lc2013 import change_lanes
from intergreen.envs.simulation.motion import add_queues_over_cuts, drive_lanes, drive_links
from intergreen.envs.simulation.sight import announce
from intergreen.envs.simulation.slots import MANY_LANES, list_in_order
from intergreen.envs.simulation.state import (
    APPROACH_TIME,
    ERROR_DRIVABLE,
    LANES_IN_USE,
    NEVER,
    ON_APPROACH,
    STEP,
)
from intergreen.envs.simulation.transfer import move_on

ORDER_EVERY_S = 8


@inlined
def advance_one_second(net, routes, loops, trips, state, changes):
    """Simulate one second; `state` and `changes` in place. Without lane changing `changes` is None."""
    step = state.tally[STEP]
    if state.tally[ERROR_DRIVABLE] >= 0:
        return
    if step & 1 == 0:
        old_position, old_speed = state.position_a, state.speed_a
        new_position, new_speed = state.position_b, state.speed_b
    else:
        old_position, old_speed = state.position_b, state.speed_b
        new_position, new_speed = state.position_a, state.speed_a
    moment = Moment(old_position, old_speed, step)
    if net.look_beyond != 0 and changes is None:
        change_lanes(net, routes, trips, state, moment)
    release_trips(net, routes, trips, state, moment)
    enter_network(net, routes, loops, trips, state, moment)
    if changes is None and state.tally[LANES_IN_USE] > MANY_LANES and step % ORDER_EVERY_S == 0:
        list_in_order(net, state)
    hide_entrants = -1  # leaders were found before this second's trips entered, ...
    if changes is not None:
        plan_changes(net, routes, trips, state, changes, moment)
        hide_entrants = NEVER  # ... or, with lane changing, after the changes were planned
    mark_hot_links(net, state, moment)
    if net.look_beyond != 0:
        announce(net, routes, trips, state, moment)
    n_leaving = drive_links(net, routes, trips, state, moment, new_position, new_speed, hide_entrants)
    n_leaving = drive_lanes(
        net, routes, trips, state, changes, moment, new_position, new_speed, hide_entrants, n_leaving
    )
    add_queues_over_cuts(net, state, new_speed)
    unmark_hot_links(net, state)
    if changes is not None:
        settle_changes(net, trips, state, changes, moment, new_position, new_speed)
    move_on(net, routes, loops, trips, state, step, new_position, new_speed, n_leaving)
    state.tally[APPROACH_TIME] += state.tally[ON_APPROACH]
    state.tally[STEP] = step + 1
