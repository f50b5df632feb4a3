"""Other phases for a generated network than those it came with: as the literature has them, as cities do, and worse.

Only the phases change; every movement that had green keeps a phase with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from intergreen.envs.network import STRAIGHT, TURN_LEFT, TURN_RIGHT

if TYPE_CHECKING:
    from intergreen.envs.arrays import IntArray
    from intergreen.envs.network import RoadNetwork

PHASE_S = 30.0  # in the network's own programme, which nobody follows here
RIGHT_TURNS_WAIT = 0.35  # of the networks: right turns have red with their approach, as outside of CityFlow's files
_FOUR_LEGS = 9  # phases of a generated junction with four approaches: clearance, four of two movements, four of one


def draw_phases(network: RoadNetwork, random: np.random.Generator) -> RoadNetwork:
    """Of one of our own generators' networks: mostly as generated; or without a phase that serves as clearance, with
    left turns permitted in two phases, or with left turns that have green apart from the traffic on their lanes; and
    with all of these, right turns that wait or not."""
    network = _other_phases(network, random)
    if random.random() < RIGHT_TURNS_WAIT:
        network = with_phases(network, partial(right_turns_wait, network))
    return network


def _other_phases(network: RoadNetwork, random: np.random.Generator) -> RoadNetwork:
    kind = random.random()
    if kind < 0.55:
        return network
    if kind < 0.7:
        return with_phases(network, lambda phases: phases[1:])
    if kind < 0.85:
        return with_phases(network, permitted_left)
    return with_phases(network, partial(lefts_apart, network))


def permitted_left(phases: list[set[int]]) -> list[set[int]]:
    """The literature's four phases as two: straight on and left of opposing approaches together."""
    if len(phases) != _FOUR_LEGS:
        return phases
    return [phases[0], phases[1] | phases[3], phases[2] | phases[4]]


def lefts_apart(network: RoadNetwork, phases: list[set[int]]) -> list[set[int]]:
    """No phase for left turns and straight traffic at once, though they may share lanes: whoever is first has to leave
    before the other phase helps anybody behind."""
    turn = network.movement_turn
    parted: list[set[int]] = []
    for phase in phases:
        straight, left = ({m for m in phase if turn[m] == kind} for kind in (STRAIGHT, TURN_LEFT))
        parted += [phase - left, phase - straight] if straight and left else [phase]
    kept = [
        phase
        for k, phase in enumerate(parted)
        if not any(phase < other for other in parted) and phase not in parted[:k]
    ]
    return kept if len(kept) > 1 else phases


def right_turns_wait(network: RoadNetwork, phases: list[set[int]]) -> list[set[int]]:
    """Right turns green only with the straight stream beside them, or whatever else leaves their road."""
    road, turn = network.movement_from_road, network.movement_turn
    served = sorted(set().union(*phases))
    beside = {m: {n for n in served if road[n] == road[m] and turn[n] != TURN_RIGHT} for m in served}
    straight = {m: {n for n in beside[m] if turn[n] == STRAIGHT} for m in served}

    def waits(m: int, phase: set[int]) -> bool:
        company = straight[m] or beside[m]
        return turn[m] == TURN_RIGHT and bool(company) and not company & phase

    kept = [{m for m in phase if not waits(m, phase)} for phase in phases]
    shown = [phase for phase in kept if phase]
    return shown if len(shown) > 1 else phases


def with_phases(network: RoadNetwork, change: Callable[[list[set[int]]], list[set[int]]]) -> RoadNetwork:
    """The network with the phases that `change` makes of each intersection's; every phase is a set of movements."""
    counts, greens = [], []
    for j in range(network.n_intersections):
        first = int(network.movement_start[j])
        phases = [set((np.flatnonzero(row) + first).tolist()) for row in network.phase_matrix(j)]
        changed = change(phases) if len(phases) > 1 else phases
        counts.append(len(changed))
        greens += [sorted(phase) for phase in changed]
    return replace(
        network,
        phase_start=_starts(counts),
        phase_duration_s=np.full(len(greens), PHASE_S),
        phase_movement_start=_starts([len(phase) for phase in greens]),
        phase_movements=np.array([m for phase in greens for m in phase], np.int32),
    )


def _starts(counts: Sequence[int]) -> IntArray:
    return np.concatenate(([0], np.cumsum(counts))).astype(np.int32)
