"""The signal plan: for each controlled intersection, the phases a policy may want, and the rules that time them.

Knows the network's phases and nothing of traffic. The literature's grid networks number their phases
alike: phase 0 is "all red but right turns" and serves as the clearance, 1-4 are the two-movement phases, 5-8 one
approach each. A phase is named by its local number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from intergreen.envs.arrays import ReadOnlyRecord
from intergreen.envs.signals.rules import FieldTiming, FixedClearance, Rules, Timing, make_rules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from intergreen.envs.arrays import BoolArray, IntArray
    from intergreen.envs.network import RoadNetwork

Choices = Literal["literature", "literature-8", "all"]
# The literature's networks: the clearance and four two-movement phases, then four phases of one approach each.
_FAMILY_PHASES, _LARGE_FAMILY_PHASES = 5, 9


@dataclass(frozen=True, slots=True, eq=False)
class SignalPlan(ReadOnlyRecord):
    """I controlled signals of one network under one set of choices and one timing; read-only arrays.

    intersection     (I,) int32, index in the network
    n_phases         (I,) int32
    phase_offset     (I,) int32; a signal's local phase p is the network's phase phase_offset + p
    is_choice        (I, Pmax) bool, local phases a policy may want
    choices          (I, Cmax) int32, the same as ascending local phases, padded with -1
    n_choices        (I,) int32
    clearance_phase  (I,) int32, local phase shown between two others; -1: green stays where both phases have it
    timing           where the rules come from
    rules            what the shield goes by
    """

    intersection: IntArray
    n_phases: IntArray
    phase_offset: IntArray
    is_choice: BoolArray
    choices: IntArray
    n_choices: IntArray
    clearance_phase: IntArray
    timing: Timing
    rules: Rules

    @property
    def n_signals(self) -> int:
        return len(self.intersection)

    @property
    def longest_transition_s(self) -> IntArray:
        """(I,) between any two choices."""
        longest = np.zeros(self.n_signals, np.int32)
        for i, n in enumerate(self.n_phases.tolist()):
            first = self.rules.transition_start[i]
            matrix = self.rules.transition[first + n : first + n * (n + 1)].reshape(n, n)
            chosen = self.choices[i, : self.n_choices[i]]
            between = matrix[np.ix_(chosen, chosen)] * ~np.eye(len(chosen), dtype=np.bool_)
            longest[i] = between.max(initial=0)
        return longest

    @property
    def hears_calls(self) -> bool:
        """Does any rule depend on who waits?"""
        return bool(self.rules.max_green.any() or self.rules.overdue.any())


def make_plan(network: RoadNetwork, *, choices: Choices = "literature", timing: Timing | None = None) -> SignalPlan:
    """Plan for every signalled intersection of `network`; without `timing`, 5 s of clearance between any two phases.

    Where phase 0's greens are contained in every other phase, phase 0 is the clearance and the others are the choices;
    of these "literature" takes only phases 1-4 and "literature-8" phases 1-8, unless a movement has green in none of
    them, or those of a lane have it together in none but in a later one: whoever is first there would stop the others.
    Elsewhere all phases are choices. Field timing shows no clearance phase: what both phases have stays green.

    Raises
    ------
    InputError
        If a signal cannot be made safe, see `make_rules`.
    """
    timing = timing or FixedClearance()
    if choices not in get_args(Choices):
        raise ValueError(f"unknown choices {choices!r}; known: {', '.join(get_args(Choices))}")
    intersection = np.asarray(network.signalled, dtype=np.int32)
    phase_offset = network.phase_start[intersection].astype(np.int32)
    n_phases = (network.phase_start[intersection + 1] - phase_offset).astype(np.int32)
    clearance_phase = np.full(len(intersection), -1, dtype=np.int32)
    lists: list[Sequence[int]] = []
    of_signal = _greens(network, intersection)
    for i, greens in enumerate(of_signal):
        if _phase_0_is_clearance(greens):
            clearance_phase[i] = 0
            lists.append(range(1, _last_choice(network, greens, choices) + 1))
        else:
            lists.append(range(len(greens)))
    if isinstance(timing, FieldTiming):
        clearance_phase[:] = -1
        lists = [_worth_showing(greens, some) for greens, some in zip(of_signal, lists, strict=True)]
    return SignalPlan(
        intersection=intersection,
        n_phases=n_phases,
        phase_offset=phase_offset,
        is_choice=_membership(lists, int(n_phases.max(initial=0))),
        choices=_padded(lists),
        n_choices=np.array([len(c) for c in lists], dtype=np.int32),
        clearance_phase=clearance_phase,
        timing=timing,
        rules=make_rules(network, lists, clearance_phase.tolist(), timing),
    )


def _worth_showing(greens: list[set[int]], choices: Sequence[int]) -> list[int]:
    """The choices without those that are green alike, and without one that all others contain: nobody waits for it."""
    different = [p for k, p in enumerate(choices) if greens[p] not in [greens[q] for q in choices[:k]]]
    least = min(different, key=lambda p: len(greens[p]))
    others = [p for p in different if p != least]
    return others if len(others) > 1 and all(greens[least] <= greens[p] for p in others) else different


def _phase_0_is_clearance(greens: list[set[int]]) -> bool:
    return all(greens[0] <= other for other in greens[1:])


def _greens(network: RoadNetwork, intersections: IntArray) -> list[list[set[int]]]:
    """Movements with green in each phase of each intersection."""
    movements, starts = network.phase_movements.tolist(), network.phase_movement_start.tolist()
    bounds = zip(network.phase_start[intersections], network.phase_start[intersections + 1], strict=True)
    return [[set(movements[starts[p] : starts[p + 1]]) for p in range(first, past)] for first, past in bounds]


def _last_choice(network: RoadNetwork, greens: list[set[int]], choices: Choices) -> int:
    """The last of the choices 1, 2, ...: all phases where the literature's few will not do for a movement or lane."""
    few = {"literature": _FAMILY_PHASES, "literature-8": _LARGE_FAMILY_PHASES, "all": len(greens)}[choices]
    if few >= len(greens) or not _serve_alike(greens[:few], greens, _by_lane(network, set().union(*greens))):
        return len(greens) - 1
    return few - 1


def _serve_alike(some: list[set[int]], every: list[set[int]], groups: list[set[int]]) -> bool:
    """Has each group of movements green together in some of the phases, if it has in any of them all?"""
    return all(any(group <= green for green in some) for group in groups if any(group <= green for green in every))


def _by_lane(network: RoadNetwork, movements: set[int]) -> list[set[int]]:
    """The movements one by one, and those that start from the same lane."""
    groups: dict[int, set[int]] = {}
    for movement in movements:
        for lane in network.start_lanes(movement).tolist():
            groups.setdefault(lane, set()).add(movement)
    return [{movement} for movement in movements] + [group for group in groups.values() if len(group) > 1]


def _membership(lists: list[Sequence[int]], width: int) -> BoolArray:
    member = np.zeros((len(lists), width), dtype=np.bool_)
    for i, local_phases in enumerate(lists):
        member[i, list(local_phases)] = True
    return member


def _padded(lists: list[Sequence[int]]) -> IntArray:
    padded = np.full((len(lists), max((len(c) for c in lists), default=1)), -1, dtype=np.int32)
    for i, local_phases in enumerate(lists):
        padded[i, : len(local_phases)] = local_phases
    return padded
