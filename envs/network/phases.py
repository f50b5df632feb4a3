"""Phases for generated networks, made from the conflicts: opposing movements together, right turns always.

Phase 0 is the clearance (right turns only). The next ones, four at most, serve every movement; for a junction of four
legs they come out as the literature's: E-W straight, N-S straight, E-W left, N-S left. Then one phase per approach.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise

import numpy as np

from intergreen.envs.arrays import BoolArray, FloatArray
from intergreen.envs.network.geometry import starts
from intergreen.envs.network.road_network import STRAIGHT, TURN_LEFT, TURN_RIGHT, RoadNetwork

MOST_COVERING = 4  # what the literature's protocols choose from: phases 1 to 4
MOST_PHASES = 9

Phase = tuple[int, ...]  # movements, numbered within the intersection


@dataclass(frozen=True, slots=True)
class Timing:
    """Durations of the network's own programme, in seconds."""

    clearance_s: float = 5.0
    green_s: float = 30.0

    def __post_init__(self) -> None:
        if not (0 <= self.clearance_s < float("inf") and 0 < self.green_s < float("inf")):
            raise ValueError(f"need clearance_s >= 0 and green_s > 0, got {self.clearance_s} and {self.green_s}")


LITERATURE_TIMING = Timing()


@dataclass(frozen=True, slots=True, eq=False)
class _Junction:
    """What phases depend on, movements numbered within the intersection."""

    turn: tuple[int, ...]
    approach: tuple[int, ...]  # incoming road
    exit: tuple[int, ...]  # outgoing road
    heading_deg: tuple[float, ...]  # of the approach
    conflicts: BoolArray  # (m, m)
    lanes: tuple[frozenset[int], ...]  # the lanes it starts from
    gone: frozenset[int] = frozenset()  # movements that get no phase

    def unit(self, movement: int) -> list[int]:
        """The movement and those that must have green with it, as they start from the same lane.

        A lane whose first vehicle is shown red blocks everybody behind it, green or not.
        """
        unit = [movement]
        for other in self.served:
            shares = any(self.lanes[other] & self.lanes[m] for m in unit)
            if other != movement and shares and not self.conflicts[other, unit].any():
                unit.append(other)
        return unit

    @property
    def served(self) -> list[int]:
        """Movements that need a phase, straight ones first; right turns are always open."""
        movements = [m for m, turn in enumerate(self.turn) if turn != TURN_RIGHT and m not in self.gone]
        return sorted(movements, key=lambda m: (self.turn[m] != STRAIGHT, m))


def with_phases(network: RoadNetwork, timing: Timing) -> RoadNetwork:
    """The network with phases at every intersection where movements other than right turns conflict."""
    per_place = [_phases(junction) for junction in _junctions(network)]
    durations = [timing.clearance_s if k == 0 else timing.green_s for phases in per_place for k in range(len(phases))]
    greens = [
        int(first) + movement
        for first, phases in zip(network.movement_start, per_place, strict=False)
        for phase in phases
        for movement in phase
    ]
    return replace(
        network,
        phase_start=starts([len(phases) for phases in per_place]),
        phase_duration_s=np.array(durations, np.float64),
        phase_movement_start=starts([len(phase) for phases in per_place for phase in phases]),
        phase_movements=np.array(greens, np.int32),
    )


def banned_movements(network: RoadNetwork) -> dict[int, set[int]]:
    """Movements per intersection that four phases cannot serve and nobody needs: usually left turns at five legs."""
    banned = {place: _banned(junction) for place, junction in enumerate(_junctions(network))}
    return {place: movements for place, movements in banned.items() if movements}


def _banned(junction: _Junction) -> set[int]:
    """The least that has to go so that four phases serve the rest; empty where nothing has to go, or nothing can."""
    lefts = _shared_lefts(junction)
    best: set[int] | None = None
    for gone in (set(some) for size in range(len(lefts) + 1) for some in combinations(lefts, size)):
        if best is not None and len(gone) >= len(best):
            break
        covering = _covering(replace(junction, gone=frozenset(gone)))
        banned = set(junction.served) - {m for phase in covering[:MOST_COVERING] for m in phase}
        if _all_reached(junction, banned) and (best is None or len(banned) < len(best)):
            best = banned
    return best or set()


def _shared_lefts(junction: _Junction) -> list[int]:
    """Left turns from lanes that serve others too: without them, opposite approaches fit one phase."""
    return [m for m in junction.served if junction.turn[m] == TURN_LEFT and len(junction.unit(m)) > 1]


def _all_reached(junction: _Junction, without: set[int]) -> bool:
    kept = [m for m in range(len(junction.turn)) if m not in without]
    approaches, exits = {junction.approach[m] for m in kept}, {junction.exit[m] for m in kept}
    return approaches == set(junction.approach) and exits == set(junction.exit)


def _junctions(network: RoadNetwork) -> list[_Junction]:
    headings = _arrival_headings_deg(network)
    bounds = network.movement_start.tolist()
    junctions = []
    for place, (first, last) in enumerate(pairwise(bounds)):
        approach = tuple(network.movement_from_road[first:last].tolist())
        junctions.append(
            _Junction(
                turn=tuple(network.movement_turn[first:last].tolist()),
                approach=approach,
                exit=tuple(network.movement_to_road[first:last].tolist()),
                heading_deg=tuple(float(headings[road]) for road in approach),
                conflicts=network.conflict_matrix(place),
                lanes=tuple(frozenset(network.start_lanes(movement).tolist()) for movement in range(first, last)),
            )
        )
    return junctions


def _arrival_headings_deg(network: RoadNetwork) -> FloatArray:
    """Where each road heads at its end [degrees in [0, 360)], from its first lane."""
    last_point = network.lane_point_start[network.road_lane_start[:-1] + 1] - 1
    step = network.lane_points[last_point] - network.lane_points[last_point - 1]
    return (np.round(np.degrees(np.arctan2(step[:, 1], step[:, 0])), 6) % 360.0).astype(np.float64)


def _phases(junction: _Junction) -> list[Phase]:
    covering = _covering(junction)
    if len(covering) < 2:
        return []  # nothing to decide: no signal needed
    rights = [m for m, turn in enumerate(junction.turn) if turn == TURN_RIGHT]
    phases = [(), *covering, *_per_approach(junction)]
    with_rights = (tuple(sorted((*phase, *rights))) for phase in phases)
    return list(dict.fromkeys(with_rights))[: max(MOST_PHASES, len(covering) + 1)]


def _covering(junction: _Junction) -> list[Phase]:
    """Few phases that serve every movement, each as full as conflicts allow."""
    waiting = junction.served
    covering: list[Phase] = []
    while waiting:
        phase = _grown(junction, waiting[0], waiting)
        phase = _grown(junction, phase[0], junction.served, phase)
        covering.append(tuple(phase))
        waiting = [m for m in waiting if m not in phase]
    return covering


def _grown(junction: _Junction, seed: int, candidates: Sequence[int], phase: Sequence[int] = ()) -> list[int]:
    """The phase with all candidates that fit, those most like the seed's opposite first."""

    def unlikeness(movement: int) -> tuple[bool, float, int]:
        turned = (junction.heading_deg[movement] - junction.heading_deg[seed]) % 360.0
        return junction.turn[movement] != junction.turn[seed], abs(turned - 180.0), movement

    grown = list(phase) or junction.unit(seed)
    for movement in sorted(candidates, key=unlikeness):
        unit = [m for m in junction.unit(movement) if m not in grown]
        if movement not in grown and not junction.conflicts[np.ix_(unit, grown)].any():
            grown += unit
    return grown


def _per_approach(junction: _Junction) -> list[Phase]:
    """All of one approach at a time, opposite approaches after each other."""
    phases = []
    first_of = {road: m for m, road in reversed(list(enumerate(junction.approach)))}
    for road in sorted(first_of, key=lambda r: _axis(junction.heading_deg[first_of[r]])):
        own = [m for m in junction.served if junction.approach[m] == road]
        if own:
            phases.append(tuple(_grown(junction, own[0], own)))
    return phases


def _axis(heading_deg: float) -> tuple[float, float]:
    return heading_deg % 180.0, heading_deg
