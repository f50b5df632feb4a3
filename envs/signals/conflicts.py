"""Who may be green together: the permissive matrix of an intersection, from its geometry and the kinds of turn.

Two movements whose paths cross or merge may share a green only where one of them is a turn that yields; by the right
of way of the engine and of the networks' files, straight goes before left, and left before right. Phases are checked
against that matrix. Movements and phases are numbered within the intersection, as in `network.conflict_matrix`.

The rules, for movements that conflict:

right turn    yields to everybody, so it may be green with anybody (the literature keeps it green in every phase)
left turn     yields to the straight movement that comes from the opposite approach, crossing or merging
left, left    from opposite approaches may cross; they may not merge, since neither yields
a bend        approaches that meet at a wider angle than opposite ones do face each other all the same where a phase of
              the file has a left turn of the one with a stream of the other: that is for whoever drew it to know
one stream    two movements from one road to one other road are one stream written in two, and change lanes as any does
one approach  movements from one road may go together where a phase of the file has both: one signal face is for all of
              them, and where their paths cross as drawn (no width between the lanes' ends, lanes that serve every turn)
              drivers sort it out as they do on their way there
all others    never: straight against straight, and left against anything straight or left of a cross street

Networks whose source says who yields to whom (SUMO) go by that, pair by pair, instead of by the kinds of turn.

At an *open junction* the signal never tells anybody to wait for anybody else: every movement has green in its only
phase, next to which there is at most a clearance. There the right of way is that of a junction without a signal and
every conflict with a turn in it is permitted (`is_open_junction`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from intergreen.envs.errors import InputError
from intergreen.envs.network.road_network import STRAIGHT, TURN_LEFT, TURN_RIGHT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from intergreen.envs.arrays import BoolArray, FloatArray
    from intergreen.envs.network import RoadNetwork

# Approaches whose headings differ by 180 degrees, more or less by this much, face each other. Atlanta's bends make it
# 27; two streets that cross at 60 degrees or more, as design guides want them, stay apart.
OPPOSITE_WITHIN_DEG = 30.0
# Where the file's own phases say so. In three of RESCO's eight street networks it is up to 51 (Ingolstadt, Cologne).
OPPOSITE_IF_SHOWN_WITHIN_DEG = 55.0
_KINDS = {TURN_RIGHT: "right turn", TURN_LEFT: "left turn", STRAIGHT: "straight"}


def permissive_matrix(network: RoadNetwork, j: int) -> BoolArray:
    """(m, m): may the two movements of intersection `j` be green together? Symmetric, True on the diagonal."""
    return ~network.conflict_matrix(j) | permitted_conflicts(network, j) | np.eye(_n_movements(network, j), dtype=bool)


def permitted_conflicts(network: RoadNetwork, j: int) -> BoolArray:
    """(m, m): do the two conflict, and may be green together because one yields? Symmetric; rules in the module."""
    conflicts = network.conflict_matrix(j)
    if len(network.conflict_permitted) > 0:
        return conflicts & (_stated(network, j) | _one_stream(network, j))
    turn = network.movement_turn[network.movements_of(j)]
    both_straight = _both(turn == STRAIGHT, turn == STRAIGHT)
    if is_open_junction(network, j):
        return conflicts & ~(both_straight & ~_one_stream(network, j))
    opposite = _opposite(network, j)
    exit_road = network.movement_to_road[network.movements_of(j)]
    merge = exit_road[:, None] == exit_road
    right_yields = _either(turn == TURN_RIGHT, np.ones_like(turn, dtype=bool))
    left_yields = _either(turn == TURN_LEFT, turn == STRAIGHT) & opposite
    lefts_cross = _both(turn == TURN_LEFT, turn == TURN_LEFT) & opposite & ~merge
    start = network.movement_from_road[network.movements_of(j)]
    one_approach = (start[:, None] == start) & _shown_together(network, j)
    return conflicts & (right_yields | left_yields | lefts_cross | _one_stream(network, j) | one_approach)


def is_open_junction(network: RoadNetwork, j: int) -> bool:
    """Whether the signal of `j` never makes anybody wait for anybody else.

    One phase gives green to every movement, the others to right turns at most, and no two straight movements conflict.
    Nothing is decided there, and the signal protects nobody. The rule looks at all phases of the intersection, so that
    a phase of all greens slipped in among others is not taken for one.
    """
    greens = network.phase_matrix(j)
    turn = network.movement_turn[network.movements_of(j)]
    open_phases = greens.all(axis=1)
    crossing = network.conflict_matrix(j) & _both(turn == STRAIGHT, turn == STRAIGHT) & ~_one_stream(network, j)
    return bool(open_phases.any() and not greens[~open_phases][:, turn != TURN_RIGHT].any() and not crossing.any())


def check_phases(network: RoadNetwork, j: int, phases: Sequence[int] | None = None) -> None:
    """Refuse phases that give green to two movements that must not have it together, or that leave one without.

    Every movement with a path needs green in one of the phases, even one that conflicts with nobody: where a signal
    has phases, what is in none of them stays red. An intersection without phases has no signal, and passes.

    Parameters
    ----------
    phases : local phases that will be shown; all of them where none are given

    Raises
    ------
    InputError
        With the intersection, the phase and the movements.
    ValueError
        If there is no such phase.
    """
    greens = network.phase_matrix(j)
    if len(greens) == 0:
        return
    shown = range(len(greens)) if phases is None else [int(p) for p in phases]
    unknown = [p for p in shown if not 0 <= p < len(greens)]
    if unknown:
        raise ValueError(f"intersection {network.intersection_ids[j]} has phases 0 to {len(greens) - 1}, not {unknown}")
    _check_pairs(network, j, shown, greens)
    _check_served(network, j, shown, greens)


def _check_pairs(network: RoadNetwork, j: int, shown: Sequence[int], greens: BoolArray) -> None:
    refused = ~permissive_matrix(network, j)
    for p in shown:
        for a, b in np.argwhere(np.triu(refused & _both(greens[p], greens[p])))[:1].tolist():
            roads = network.movement_to_road[network.movement_start[j] + np.array([a, b])]
            meet = "merge" if roads[0] == roads[1] else "cross"
            raise InputError(
                network.name, f"intersection {network.intersection_ids[j]}, phase {p}",
                f"green together for {_name(network, j, a)} and {_name(network, j, b)}, whose paths {meet}"
                " and of which neither is a turn that yields to the other",
                "take one of them out of the phase",
            )  # fmt: skip


def _check_served(network: RoadNetwork, j: int, shown: Sequence[int], greens: BoolArray) -> None:
    start = network.movement_link_start[network.movement_start[j] : network.movement_start[j + 1] + 1]
    needs_green = np.diff(start) > 0
    served = greens[list(shown)].any(axis=0)
    for m in np.flatnonzero(needs_green & ~served)[:1].tolist():
        among = "no phase gives" if len(shown) == len(greens) else f"none of the phases {_listed(shown)} gives"
        raise InputError(
            network.name, f"intersection {network.intersection_ids[j]}",
            f"{among} green to {_name(network, j, m)}, which would stay red for ever",
            "add it to a phase, or take the movement out of the network",
        )  # fmt: skip


def _stated(network: RoadNetwork, j: int) -> BoolArray:
    """(m, m): does the network's source say that one of the two yields wherever both have green?"""
    first, past = network.movement_start[j : j + 2]
    rows = np.repeat(np.arange(past - first), np.diff(network.conflict_start[first : past + 1]))
    pairs = slice(*network.conflict_start[[first, past]].tolist())
    stated = np.zeros((past - first, past - first), np.bool_)
    stated[rows, network.conflict_with[pairs] - first] = network.conflict_permitted[pairs]
    return stated


def _opposite(network: RoadNetwork, j: int) -> BoolArray:
    """(m, m): do the two come from approaches that face each other?"""
    heading = headings_deg(network, network.movements_of(j))
    apart = np.abs((heading[:, None] - heading + 180.0) % 360.0 - 180.0)  # 0 to 180
    is_bent = _shown_together(network, j) & (apart >= 180.0 - OPPOSITE_IF_SHOWN_WITHIN_DEG)
    opposite: BoolArray = (apart >= 180.0 - OPPOSITE_WITHIN_DEG) | is_bent
    return opposite


def _shown_together(network: RoadNetwork, j: int) -> BoolArray:
    """(m, m): has a phase of the file both?"""
    green = network.phase_matrix(j).astype(np.int32)
    together: BoolArray = green.T @ green > 0
    return together


def headings_deg(network: RoadNetwork, movements: slice) -> FloatArray:
    """(m,) where each movement's approach heads at the stop line, from the last stretch of its road's first lane."""
    lane = network.road_lane_start[network.movement_from_road[movements]]
    last_point = network.lane_point_start[lane + 1] - 1
    step = network.lane_points[last_point] - network.lane_points[last_point - 1]
    return np.asarray(np.degrees(np.arctan2(step[:, 1], step[:, 0])), np.float64)


def _one_stream(network: RoadNetwork, j: int) -> BoolArray:
    """(m, m): do the two go from one road to one other road?"""
    start, end = (a[network.movements_of(j)] for a in (network.movement_from_road, network.movement_to_road))
    same: BoolArray = (start[:, None] == start) & (end[:, None] == end)
    return same


def _both(one: BoolArray, other: BoolArray) -> BoolArray:
    pairs: BoolArray = one[:, None] & other
    return pairs


def _either(one: BoolArray, other: BoolArray) -> BoolArray:
    """(m, m): is one of the pair the one thing and its partner the other?"""
    return _both(one, other) | _both(other, one)


def _n_movements(network: RoadNetwork, j: int) -> int:
    return int(network.movement_start[j + 1] - network.movement_start[j])


def _name(network: RoadNetwork, j: int, movement: int) -> str:
    m = int(network.movement_start[j]) + movement
    start, end = (network.road_ids[road] for road in (network.movement_from_road[m], network.movement_to_road[m]))
    return f"{start} -> {end} ({_KINDS[int(network.movement_turn[m])]})"


def _listed(phases: Sequence[int]) -> str:
    return ", ".join(map(str, phases))
