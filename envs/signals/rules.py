"""Timing rules of one network's signals as the shield reads them: flat arrays in whole seconds.

Three ways to get them. `FixedClearance` is what the literature's benchmarks do: so many seconds of clearance between
two greens and nothing else. `OwnClearance` shows a programme as it stands, which brings its clearances as phases of its
own. `FieldTiming` computes yellow, intergreen, least and longest green for every movement from a profile, and serves
every call in time.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from intergreen.envs.errors import InputError
from intergreen.envs.signals import profiles
from intergreen.envs.signals.alike import first_alike
from intergreen.envs.signals.conflicts import check_phases
from intergreen.envs.signals.profiles import whole_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from intergreen.envs.arrays import BoolArray, ByteArray, IntArray
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.signals.profiles import TimingProfile

_LONG_AGO_S = 10_000


class Rules(NamedTuple):
    """I signals; phases and movements by their number in the network. Seconds; 0 switches a rule off.

    A transition lasts from the end of the old phase's green to the beginning of the new one's. Those of signal i begin
    at `transition_start[i]`: row 0 from all red at the start, row p + 1 from local phase p, one column for each phase.
    """

    intersection: IntArray  # (I,)
    n_phases: IntArray  # (I,)
    phase_offset: IntArray  # (I,) network's number of local phase 0
    clearance_phase: IntArray  # (I,) local phase shown in every transition; -1: what both phases have stays green
    may_show: ByteArray  # (P,) 1: may be asked for
    transition_start: IntArray  # (I,)
    transition: IntArray
    min_green: IntArray  # (P,)
    max_green: IntArray  # (P,) while a call waits that the phase does not serve
    yellow: IntArray  # (M,)
    red_amber: IntArray  # (I,) before green
    overdue: IntArray  # (I,) seconds after which a call is served before any wish
    turn_start: IntArray  # (I + 1,)
    turns: IntArray  # local phases, ascending, that serve everybody: calls that are overdue get theirs in turn
    movement_start: IntArray  # (J + 1,)
    phase_movement_start: IntArray  # (P + 1,)
    phase_movements: IntArray


@dataclass(frozen=True, slots=True)
class FixedClearance:
    """The literature's timing: the same clearance between any two greens, no other rule."""

    seconds: int = 5

    def __post_init__(self) -> None:
        if self.seconds != int(self.seconds) or self.seconds < 0:
            raise ValueError(f"need a clearance of whole seconds, 0 or more, got {self.seconds}")


@dataclass(frozen=True, slots=True)
class OwnClearance:
    """A programme is shown as it stands."""


@dataclass(frozen=True, slots=True)
class FieldTiming:
    """Timing from a profile; nobody who calls waits longer than `longest_wait_s` for green."""

    profile: TimingProfile
    longest_wait_s: int = 120

    def __post_init__(self) -> None:
        if self.longest_wait_s != int(self.longest_wait_s) or self.longest_wait_s < 1:
            raise ValueError(f"need a longest wait of whole seconds, 1 or more, got {self.longest_wait_s}")


Timing = FixedClearance | OwnClearance | FieldTiming


def make_rules(
    network: RoadNetwork, choices: Sequence[Sequence[int]], clearance: Sequence[int], timing: Timing
) -> Rules:
    """Rules for the signalled intersections, which have these choices and clearance phases (-1: none).

    Raises
    ------
    InputError
        If a signal cannot be made safe: a phase gives green to movements that conflict, no phase serves a movement, or
        not everybody can be served within the longest wait.
    """
    kinds = first_alike(network, network.signalled.tolist())
    for j in dict.fromkeys(kinds):
        check_phases(network, j)
    made: dict[tuple[int, tuple[int, ...], int], _SignalRules] = {}
    signals = []
    for kind, local, between in zip(kinds, choices, clearance, strict=True):
        key = kind, tuple(local), between
        if key not in made:
            made[key] = _signal_rules(network, *key, timing)
        signals.append(made[key])
    n_phases = [len(one.min_green) for one in signals]
    sizes = [len(one.transition) for one in signals]
    by_phase = np.zeros((3, network.n_phases), np.int32)
    yellow = np.zeros(network.n_movements, np.int32)
    for j, one in zip(network.signalled, signals, strict=True):
        first = network.phase_start[j]
        by_phase[:, first : first + len(one.min_green)] = one.may_show, one.min_green, one.max_green
        yellow[network.movement_start[j] : network.movement_start[j + 1]] = one.yellow
    return Rules(
        intersection=_ints(network.signalled),
        n_phases=_ints(n_phases),
        phase_offset=_ints(network.phase_start[network.signalled]),
        clearance_phase=_ints([one.clearance_phase for one in signals]),
        may_show=_frozen(by_phase[0].astype(np.uint8)),
        transition_start=_ints(np.concatenate(([0], np.cumsum(sizes)))[:-1]),
        transition=_ints([seconds for one in signals for seconds in one.transition]),
        min_green=_ints(by_phase[1]),
        max_green=_ints(by_phase[2]),
        yellow=_ints(yellow),
        red_amber=_ints([one.red_amber for one in signals]),
        overdue=_ints([one.overdue for one in signals]),
        turn_start=_ints(np.concatenate(([0], np.cumsum([len(one.turns) for one in signals])))),
        turns=_ints([phase for one in signals for phase in one.turns]),
        movement_start=network.movement_start,
        phase_movement_start=network.phase_movement_start,
        phase_movements=network.phase_movements,
    )


@dataclass(frozen=True, slots=True)
class _SignalRules:
    """Of one signal; phases local, movements numbered within the intersection."""

    clearance_phase: int
    may_show: Sequence[int]
    transition: Sequence[int]
    min_green: Sequence[int]
    max_green: Sequence[int]
    yellow: Sequence[int]
    red_amber: int
    overdue: int
    turns: Sequence[int]


def _signal_rules(network: RoadNetwork, j: int, choices: Sequence[int], between: int, timing: Timing) -> _SignalRules:
    n = int(network.phase_start[j + 1] - network.phase_start[j])
    n_movements = int(network.movement_start[j + 1] - network.movement_start[j])
    if isinstance(timing, FieldTiming):
        return _field_rules(network, j, choices, timing)
    seconds = timing.seconds if isinstance(timing, FixedClearance) else 0
    none = [0] * n
    yellow = [seconds] * n_movements
    return _SignalRules(between, [1] * n, [seconds] * (n * (n + 1)), none, none, yellow, 0, 0, [])


def _field_rules(network: RoadNetwork, j: int, choices: Sequence[int], timing: FieldTiming) -> _SignalRules:
    profile = timing.profile
    serves = network.phase_matrix(j)
    yellow = whole_seconds(profiles.yellow_s(profile, network, j))
    intergreen = whole_seconds(profiles.conflict_intergreen_s(profile, network, j))
    least, longest = (
        whole_seconds(profiles.min_green_s(profile, network, j)),
        whole_seconds(profiles.max_green_s(profile, network, j)),
    )
    n = len(serves)
    min_green = [int(max(least[phase], default=0)) for phase in serves]
    between = _transitions(serves, choices, yellow + ceil(profile.red_revert_s), intergreen, np.array(min_green))
    begins = (serves[None, :, :] & ~serves[:, None, :]).any(axis=2)
    between = np.maximum(between, np.where(begins, ceil(profile.red_amber_s), 0))
    transition = [ceil(profile.startup_red_s)] * n + between.reshape(-1).tolist()
    max_green = [max(int(max(longest[phase], default=0)), low) for phase, low in zip(serves, min_green, strict=True)]
    turns = phases_in_turn(serves, choices)
    overdue = timing.longest_wait_s - _slowest_service(transition, min_green, choices, turns)
    if overdue < 1:
        problem = f"serving {len(turns)} phases in turn takes {timing.longest_wait_s - overdue} s"
        mend = "give it fewer phases, or, in Python, FieldTiming a longer longest_wait_s"
        raise InputError(network.name, f"intersection '{network.intersection_ids[j]}'", problem, mend)
    may_show = [int(phase in choices) for phase in range(n)]
    red_amber = ceil(profile.red_amber_s)
    return _SignalRules(-1, may_show, transition, min_green, max_green, yellow.tolist(), red_amber, overdue, turns)


def _transitions(
    serves: BoolArray, choices: Sequence[int], way: IntArray, intergreen: IntArray, min_green: IntArray
) -> IntArray:
    """(p, p) seconds from the end of each phase's green to the beginning of each other's.

    Long enough for the yellow of all that ends and a red after it (`way`), so that whatever ended may begin again; for
    every intergreen of a pair of which one ends and one begins; and, along any way through the choices, for those of
    pairs of which one ended some phases ago and the other begins only now.
    """
    old, new = serves[:, None, :], serves[None, :, :]
    ends, begins = old & ~new, new & ~old
    seconds = np.where(ends, way, 0).max(axis=2)
    pairs = ends[:, :, :, None] & begins[:, :, None, :]
    seconds = np.maximum(seconds, np.where(pairs, intergreen, 0).max(axis=(2, 3)))
    chosen = np.zeros(len(serves), np.bool_)
    chosen[list(choices)] = True
    steps = chosen[:, None] & chosen & ~np.eye(len(serves), dtype=np.bool_)
    ended_s = np.full(serves.shape, _LONG_AGO_S)  # when a phase begins, since the end of what it does not serve
    while True:
        since = np.where(old, 0, ended_s[:, None, :] + min_green[:, None, None]) + seconds[:, :, None]
        arrived = np.where(steps[:, :, None] & ~new, since, _LONG_AGO_S).min(axis=0)
        left = intergreen - (ended_s + min_green[:, None])[:, None, :, None]  # of each pair, in each old phase
        owed = np.where(begins[:, :, None, :] & ~old[:, :, :, None], left, 0).max(axis=(2, 3))
        longer = np.where(steps, np.maximum(seconds, owed), seconds)
        if np.array_equal(arrived, ended_s) and np.array_equal(longer, seconds):
            return seconds
        ended_s, seconds = arrived, longer


def phases_in_turn(serves: BoolArray, choices: Sequence[int]) -> list[int]:
    """Few of the choices that together serve every movement that any choice serves; ascending."""
    unserved = serves[list(choices)].any(axis=0)
    turns: list[int] = []
    while unserved.any():
        best = max(choices, key=lambda phase: (int((serves[phase] & unserved).sum()), -phase))
        turns.append(best)
        unserved &= ~serves[best]
    return sorted(turns)


def _slowest_service(
    transition: Sequence[int], min_green: Sequence[int], choices: Sequence[int], turns: Sequence[int]
) -> int:
    """A bound on the seconds from the moment a call is overdue to its green: the transition that has just begun, the
    least green of what it leads to, and all the others in turn first."""
    n = len(min_green)
    change = max((transition[(old + 1) * n + new] for old in choices for new in choices if old != new), default=0)
    green = max((min_green[phase] for phase in choices), default=0)
    return (change + green) * len(turns) + max(change, transition[0]) + 1


def _ints(values: Any) -> IntArray:
    return _frozen(np.array(values, np.int32).reshape(-1))


def _frozen(array: Any) -> Any:
    array.setflags(write=False)
    return array
