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


def draw_phases(network: RoadNetwork, random: np.random.Generator) -> RoadNetwork:
    """Of one of our own generators' networks: mostly as generated; or without a phase that serves as clearance, with
    left turns permitted in two phases, instead of the others or beside them, with left turns that have green apart from
    the traffic on their lanes, or with one approach after the other; and with all of these, right turns that wait or
    not."""
    network = _other_phases(network, random)
    if random.random() < RIGHT_TURNS_WAIT:
        network = with_phases(network, partial(right_turns_wait, network))
    return network


def draw_yielding_phases(network: RoadNetwork, random: np.random.Generator) -> RoadNetwork:
    """Of one of our own generators' networks: mostly left turns permitted in two phases; or these beside all others, or
    one approach after the other."""
    kind = random.random()
    if kind < 0.6:
        return with_phases(network, partial(permitted_left, network))
    if kind < 0.75:
        return with_phases(network, partial(permitted_beside, network))
    return with_phases(network, partial(split, network)) if kind < 0.88 else draw_phases(network, random)


def _other_phases(network: RoadNetwork, random: np.random.Generator) -> RoadNetwork:
    kind = random.random()
    if kind < 0.36:
        return network
    if kind < 0.5:
        return with_phases(network, partial(permitted_beside, network))
    if kind < 0.64:
        return with_phases(network, lambda phases: phases[1:])
    if kind < 0.78:
        return with_phases(network, partial(permitted_left, network))
    if kind < 0.9:
        return with_phases(network, partial(lefts_apart, network))
    return with_phases(network, partial(split, network))


def permitted_left(network: RoadNetwork, phases: list[set[int]]) -> list[set[int]]:
    """Approaches that face each other have green together, left turns and all, and one that faces none alone."""
    road, served = network.movement_from_road, sorted(set().union(*phases))
    always = set.intersection(*phases)
    straight = [m for m in served if network.movement_turn[m] == STRAIGHT]
    comes_from = {r: network.road_from[r] for r in road[served].tolist()}
    goes_to = {road[m]: network.road_to[network.movement_to_road[m]] for m in straight}
    greens: list[set[int]] = []
    for r in comes_from:
        facing = [q for q in comes_from if goes_to.get(r) == comes_from[q] and goes_to.get(q) == comes_from[r]]
        green = {m for m in served if road[m] in (r, *facing)} | always
        if green not in greens:
            greens.append(green)
    clearance = [phase for phase in phases if phase == always]
    return clearance + greens if len(greens) > 1 else phases


def permitted_beside(network: RoadNetwork, phases: list[set[int]]) -> list[set[int]]:
    """The phases as they are, without one that serves as clearance, and those of `permitted_left`."""
    always = set.intersection(*phases)
    every = [phase for phase in (*phases, *permitted_left(network, phases)) if phase != always]
    return [phase for k, phase in enumerate(every) if phase not in every[:k]]


def split(network: RoadNetwork, phases: list[set[int]]) -> list[set[int]]:
    """One approach after the other has green for all that it serves, without a phase that serves as clearance."""
    road, served = network.movement_from_road, sorted(set().union(*phases))
    always = set.intersection(*phases)
    roads = dict.fromkeys(road[served].tolist())
    greens = [{m for m in served if road[m] == r} | always for r in roads]
    kept = [green for k, green in enumerate(greens) if green != always and green not in greens[:k]]
    return kept if len(kept) > 1 else phases


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
