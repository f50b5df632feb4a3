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
every conflict with a turn in it is permitted (`are_open`).

Formulas are those of one pair; they are asked for many intersections at once, see `pairs`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from intergreen.envs.arrays import ranges
from intergreen.envs.errors import InputError
from intergreen.envs.network.road_network import STRAIGHT, TURN_LEFT, TURN_RIGHT
from intergreen.envs.signals.pairs import conflicting, counts_of, greens_of, pairs_of, stated_conflicts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from intergreen.envs.arrays import BoolArray, FloatArray, IntArray
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.signals.pairs import Greens, Pairs

# Approaches whose headings differ by 180 degrees, more or less by this much, face each other. Atlanta's bends make it
# 27; two streets that cross at 60 degrees or more, as design guides want them, stay apart.
OPPOSITE_WITHIN_DEG = 30.0
# Where the file's own phases say so. In three of RESCO's eight street networks it is up to 51 (Ingolstadt, Cologne).
OPPOSITE_IF_SHOWN_WITHIN_DEG = 55.0
_KINDS = {TURN_RIGHT: "right turn", TURN_LEFT: "left turn", STRAIGHT: "straight"}


def permissive_matrix(network: RoadNetwork, j: int) -> BoolArray:
    """(m, m): may the two movements of intersection `j` be green together? Symmetric, True on the diagonal."""
    pairs = pairs_of(network, [j])
    return np.asarray(pairs.matrix(permissive(network, pairs), 0), np.bool_)


def permitted_conflicts(network: RoadNetwork, j: int) -> BoolArray:
    """(m, m): do the two conflict, and may be green together because one yields? Symmetric; rules in the module."""
    pairs = pairs_of(network, [j])
    return np.asarray(pairs.matrix(permitted(network, pairs, conflicting(network, pairs)), 0), np.bool_)


def is_open_junction(network: RoadNetwork, j: int) -> bool:
    """Whether the signal of `j` never makes anybody wait for anybody else, see `are_open`."""
    pairs = pairs_of(network, [j])
    return bool(are_open(network, pairs, conflicting(network, pairs))[0])


def permissive(network: RoadNetwork, pairs: Pairs) -> BoolArray:
    """(N,): may the two be green together?"""
    conflicts = conflicting(network, pairs)
    return ~conflicts | permitted(network, pairs, conflicts) | (pairs.row == pairs.column)


def permitted(network: RoadNetwork, pairs: Pairs, conflicts: BoolArray) -> BoolArray:
    """(N,): do the two conflict, and may be green together because one yields?"""
    one_stream = _one_stream(network, pairs)
    if len(network.conflict_permitted) > 0:
        return conflicts & (_stated(network, pairs) | one_stream)
    turn = network.movement_turn[pairs.movement]
    exit_road = network.movement_to_road[pairs.movement]
    merge = exit_road[pairs.row] == exit_road[pairs.column]
    greens = greens_of(network, pairs)
    together = shown_together(pairs, greens)
    opposite = _opposite(network, pairs, together)
    right_yields = (turn == TURN_RIGHT)[pairs.row] | (turn == TURN_RIGHT)[pairs.column]
    left_yields = _either(pairs, turn == TURN_LEFT, turn == STRAIGHT) & opposite
    lefts_cross = _both(pairs, turn == TURN_LEFT) & opposite & ~merge
    start = network.movement_from_road[pairs.movement]
    one_approach = (start[pairs.row] == start[pairs.column]) & together
    by_turns = right_yields | left_yields | lefts_cross | one_stream | one_approach
    wherever_one_turns = ~_both(pairs, turn == STRAIGHT) | one_stream
    is_open = pairs.of_pairs(are_open(network, pairs, conflicts))
    return conflicts & np.where(is_open, wherever_one_turns, by_turns)


def are_open(network: RoadNetwork, pairs: Pairs, conflicts: BoolArray) -> BoolArray:
    """(I,): does the signal never make anybody wait for anybody else?

    One phase gives green to every movement, the others to right turns at most, and no two straight movements conflict.
    Nothing is decided there, and the signal protects nobody. The rule looks at all phases of the intersection, so that
    a phase of all greens slipped in among others is not taken for one.
    """
    greens = greens_of(network, pairs)
    turn = network.movement_turn[pairs.movement]
    width = np.diff(greens.start)
    shows_all = counts_of(greens.is_green, greens.start) == width
    lets_go = greens.is_green & (turn != TURN_RIGHT)[greens.movement] & ~np.repeat(shows_all, width)
    crossing = conflicts & _both(pairs, turn == STRAIGHT) & ~_one_stream(network, pairs)
    phase_start = np.concatenate(([0], np.cumsum(greens.n_phases)))
    n_all, n_others = counts_of(shows_all, phase_start), counts_of(lets_go, greens.start[phase_start])
    return (n_all > 0) & (n_others == 0) & (counts_of(crossing, pairs.matrix_start) == 0)


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
    pairs = pairs_of(network, [j])
    greens = greens_of(network, pairs)
    n = len(greens.phase)
    shown = range(n) if phases is None else [int(p) for p in phases]
    unknown = [p for p in shown if not 0 <= p < n]
    if unknown and n:
        raise ValueError(f"intersection {network.intersection_ids[j]} has phases 0 to {n - 1}, not {unknown}")
    _refuse_first(network, pairs, greens, permissive(network, pairs), shown=np.isin(np.arange(n), shown))


def check_all_phases(network: RoadNetwork, pairs: Pairs) -> None:
    """`check_phases` for every intersection of the pairs: the first that is wrong is refused."""
    greens = greens_of(network, pairs)
    _refuse_first(network, pairs, greens, permissive(network, pairs), shown=np.ones(len(greens.phase), np.bool_))


def _refuse_first(network: RoadNetwork, pairs: Pairs, greens: Greens, may: BoolArray, *, shown: BoolArray) -> None:
    """Both checks of the first intersection where one of them fails; shown (P,)."""
    start = pairs.start
    is_green = greens.is_green & np.repeat(shown, np.diff(greens.start))
    clashing, unserved = _clashes(pairs, greens, is_green, may), _unserved(network, pairs, greens, is_green)
    places = [int(np.searchsorted(start, found[0], side="right")) - 1 for found in (clashing, unserved) if found]
    if not places:
        return
    i = min(places)
    where = f"intersection {network.intersection_ids[pairs.intersection[i]]}"
    first_phase = int(greens.n_phases[:i].sum())
    if clashing and clashing[0] < start[i + 1]:
        a, b, p = clashing
        roads = network.movement_to_road[pairs.movement[[a, b]]]
        meet = "merge" if roads[0] == roads[1] else "cross"
        raise InputError(
            network.name, f"{where}, phase {p - first_phase}",
            f"green together for {_name(network, pairs.movement[a])} and {_name(network, pairs.movement[b])},"
            f" whose paths {meet} and of which neither is a turn that yields to the other",
            "take one of them out of the phase",
        )  # fmt: skip
    among = np.flatnonzero(shown[first_phase : first_phase + greens.n_phases[i]]).tolist()
    none = "no phase gives" if len(among) == greens.n_phases[i] else f"none of the phases {_listed(among)} gives"
    raise InputError(
        network.name, where,
        f"{none} green to {_name(network, pairs.movement[unserved[0]])}, which would stay red for ever",
        "add it to a phase, or take the movement out of the network",
    )  # fmt: skip


def _clashes(pairs: Pairs, greens: Greens, is_green: BoolArray, may: BoolArray) -> tuple[int, ...]:
    """The first two movements that have green together and may not, and the phase; as they are numbered there."""
    first, second, n_greens = _green_together(greens, is_green)
    clashing = np.flatnonzero(~may[pairs.at(first, second)] & (first < second))[:1]
    if not len(clashing):
        return ()
    phase = np.searchsorted(np.cumsum(n_greens * n_greens), clashing[0], side="right")
    return int(first[clashing[0]]), int(second[clashing[0]]), int(phase)


def _green_together(greens: Greens, is_green: BoolArray) -> tuple[IntArray, IntArray, IntArray]:
    """All ordered pairs that are green in one phase, phase by phase, and how many are green in each (P,)."""
    n_greens = counts_of(is_green, greens.start)
    together = greens.movement[is_green]
    first = np.repeat(together, np.repeat(n_greens, n_greens))
    second = together[ranges(np.repeat(np.cumsum(n_greens) - n_greens, n_greens), np.repeat(n_greens, n_greens))]
    return first, second, n_greens


def shown_together(pairs: Pairs, greens: Greens) -> BoolArray:
    """(N,): has a phase of the file both?"""
    first, second, _ = _green_together(greens, greens.is_green)
    together = np.zeros(len(pairs.row), np.bool_)
    together[pairs.at(first, second)] = True
    return together


def _unserved(network: RoadNetwork, pairs: Pairs, greens: Greens, is_green: BoolArray) -> tuple[int, ...]:
    """The first movement that has a path and, where there are phases, no green in any."""
    n = len(pairs.movement)
    has_path = network.movement_link_start[pairs.movement + 1] > network.movement_link_start[pairs.movement]
    is_served = np.bincount(greens.movement[is_green], minlength=n) > 0
    has_phases = np.repeat(greens.n_phases > 0, pairs.size)
    return tuple(np.flatnonzero(has_path & has_phases & ~is_served)[:1].tolist())


def _stated(network: RoadNetwork, pairs: Pairs) -> BoolArray:
    """(N,): does the network's source say that one of the two yields wherever both have green?"""
    entry, at = stated_conflicts(network, pairs)
    stated = np.zeros(len(pairs.row), np.bool_)
    stated[at] = network.conflict_permitted[entry]
    return stated


def _opposite(network: RoadNetwork, pairs: Pairs, shown_together: BoolArray) -> BoolArray:
    """(N,): do the two come from approaches that face each other?"""
    heading = headings_deg(network, pairs.movement)
    apart = np.abs((heading[pairs.row] - heading[pairs.column] + 180.0) % 360.0 - 180.0)  # 0 to 180
    is_bent = shown_together & (apart >= 180.0 - OPPOSITE_IF_SHOWN_WITHIN_DEG)
    opposite: BoolArray = (apart >= 180.0 - OPPOSITE_WITHIN_DEG) | is_bent
    return opposite


def headings_deg(network: RoadNetwork, movements: IntArray) -> FloatArray:
    """(m,) where each movement's approach heads at the stop line, from the last stretch of its road's first lane."""
    lane = network.road_lane_start[network.movement_from_road[movements]]
    last_point = network.lane_point_start[lane + 1] - 1
    step = network.lane_points[last_point] - network.lane_points[last_point - 1]
    return np.asarray(np.degrees(np.arctan2(step[:, 1], step[:, 0])), np.float64)


def _one_stream(network: RoadNetwork, pairs: Pairs) -> BoolArray:
    """(N,): do the two go from one road to one other road?"""
    start, end = (a[pairs.movement] for a in (network.movement_from_road, network.movement_to_road))
    same: BoolArray = (start[pairs.row] == start[pairs.column]) & (end[pairs.row] == end[pairs.column])
    return same


def _both(pairs: Pairs, is_one: BoolArray) -> BoolArray:
    """(N,): are both of the pair of that kind?"""
    both: BoolArray = is_one[pairs.row] & is_one[pairs.column]
    return both


def _either(pairs: Pairs, is_one: BoolArray, is_other: BoolArray) -> BoolArray:
    """(N,): is one of the pair the one thing and its partner the other?"""
    row, column = pairs.row, pairs.column
    either: BoolArray = (is_one[row] & is_other[column]) | (is_other[row] & is_one[column])
    return either


def _name(network: RoadNetwork, m: int) -> str:
    return f"{network.movement_name(m)} ({_KINDS[int(network.movement_turn[m])]})"


def _listed(phases: Sequence[int]) -> str:
    return ", ".join(map(str, phases))
