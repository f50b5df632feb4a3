"""What a network's source is believed in, and where so nothing is decided or proved; by the ids of the junctions.

Shield, monitor and proof know who may go together from geometry and from what the source says. Here stands where the
source alone says so and a street would have to be looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from intergreen.envs.network.road_network import STRAIGHT
from intergreen.envs.signals.conflicts import are_open, permissive_matrix, shown_together
from intergreen.envs.signals.pairs import conflicting, counts_of, greens_of, pairs_of
from intergreen.envs.signals.rules import OwnClearance

if TYPE_CHECKING:
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.signals.plan import SignalPlan

_WORDS = {
    "changes_without_clearance": "greens that end as conflicting ones begin, as the file has it",
    "open_junctions": "conflicting movements have green together all the time, as the file has it",
    "crossing_streams": "straight movements that cross have green together, as the file says that one of them yields",
}


def junctions_believed(plan: SignalPlan, network: RoadNetwork) -> dict[str, list[str]]:
    """The ids, by what is believed.

    changes_without_clearance  signals whose own programme, shown as it stands, ends a green as a conflicting one begins
    open_junctions             a signal's only real phase is green for everybody; or conflicting movements stand green
                               for ever, because the file gives the junction a single phase
    crossing_streams           a phase has straight movements of two roads that conflict
    """
    return {
        "changes_without_clearance": _bare_changes(plan, network),
        "open_junctions": _open_junctions(plan, network),
        "crossing_streams": _crossing_streams(plan, network),
    }


def believed_lines(plan: SignalPlan, network: RoadNetwork) -> list[str]:
    """One line for everything that is believed, with the junctions where it is."""
    return [f"{', '.join(ids)}: {_WORDS[what]}" for what, ids in junctions_believed(plan, network).items() if ids]


def _open_junctions(plan: SignalPlan, network: RoadNetwork) -> list[str]:
    pairs = pairs_of(network, plan.intersection)
    found = pairs.intersection[are_open(network, pairs, conflicting(network, pairs))].tolist()
    single = np.flatnonzero((np.diff(network.phase_start) == 1) & ~network.is_virtual)
    pairs = pairs_of(network, single.tolist())
    clashes = conflicting(network, pairs) & shown_together(pairs, greens_of(network, pairs))
    found += pairs.intersection[counts_of(clashes, pairs.matrix_start) > 0].tolist()
    return [network.intersection_ids[j] for j in sorted(found)]


def _bare_changes(plan: SignalPlan, network: RoadNetwork) -> list[str]:
    if not isinstance(plan.timing, OwnClearance):
        return []
    bare = []
    for j in plan.intersection.tolist():
        now, foes = network.phase_matrix(j), ~permissive_matrix(network, j)
        following = np.roll(now, -1, axis=0)
        ends, begins = now & ~following, following & ~now
        if (ends[:, :, None] & begins[:, None, :] & foes).any():
            bare.append(network.intersection_ids[j])
    return bare


def _crossing_streams(plan: SignalPlan, network: RoadNetwork) -> list[str]:
    pairs = pairs_of(network, plan.intersection)
    straight = network.movement_turn[pairs.movement] == STRAIGHT
    start = network.movement_from_road[pairs.movement]
    crossing = straight[pairs.row] & straight[pairs.column] & (start[pairs.row] != start[pairs.column])
    if len(network.conflict_permitted) == 0 or not crossing.any():  # without a source that says so, none may
        return []
    crossing &= conflicting(network, pairs) & shown_together(pairs, greens_of(network, pairs))
    found = pairs.intersection[counts_of(crossing, pairs.matrix_start) > 0].tolist()
    return [network.intersection_ids[j] for j in found]
