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
from intergreen.envs.signals.changes import changes_of_all
from intergreen.envs.signals.conflicts import check_all_phases
from intergreen.envs.signals.pairs import greens_of, pairs_of
from intergreen.envs.signals.profiles import whole_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from intergreen.envs.arrays import BoolArray, ByteArray, IntArray
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.signals.pairs import Greens, Pairs
    from intergreen.envs.signals.profiles import TimingProfile


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
    overdue: IntArray  # (I,) seconds that a call must have lasted at least to come before any wish; 0: none ever does
    turn_start: IntArray  # (I + 1,)
    turns: IntArray  # (T,) local phases, ascending, that serve everybody: calls that are overdue get these
    call_limit: IntArray  # (T,) calls come before a change that is wished for once, for any k, k turns have had one for
    # the k-th of these; before a green that goes on, one `service` later
    service: IntArray  # (I,) from green to green at most: a least green and the change after it
    movement_start: IntArray  # (J + 1,)
    phase_movement_start: IntArray  # (P + 1,)
    phase_movements: IntArray

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy's arrays are read-only too: whatever is compiled for them is not compiled again for the copy's."""
        return _read_only, tuple(self)


def _read_only(*values: Any) -> Rules:
    return Rules(*map(_frozen, values))


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
    """Timing from a profile; nobody who calls waits longer than its `longest_wait_s` for green."""

    profile: TimingProfile

    def __post_init__(self) -> None:
        longest_s = self.profile.longest_wait_s
        if longest_s != int(longest_s) or longest_s < 1:
            raise ValueError(f"need a longest wait of whole seconds, 1 or more, got {longest_s}")

    @property
    def longest_wait_s(self) -> int:
        """The profile's."""
        return int(self.profile.longest_wait_s)


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
    pairs = pairs_of(network, network.signalled)
    check_all_phases(network, pairs)
    greens = greens_of(network, pairs)
    if isinstance(timing, FieldTiming):
        times = _field_times(network, pairs, greens, choices, timing)
    else:
        times = _same_times(pairs, greens, clearance, timing.seconds if isinstance(timing, FixedClearance) else 0)
    sizes = greens.n_phases * (greens.n_phases + 1)
    return Rules(
        intersection=_ints(network.signalled),
        n_phases=_ints(greens.n_phases),
        phase_offset=_ints(network.phase_start[network.signalled]),
        clearance_phase=_ints(times.clearance_phase),
        may_show=_frozen(_placed(times.may_show, greens.phase, network.n_phases).astype(np.uint8)),
        transition_start=_ints(np.cumsum(sizes) - sizes),
        transition=_ints(times.transition),
        min_green=_ints(_placed(times.min_green, greens.phase, network.n_phases)),
        max_green=_ints(_placed(times.max_green, greens.phase, network.n_phases)),
        yellow=_ints(_placed(times.yellow, pairs.movement, network.n_movements)),
        red_amber=_ints(times.red_amber),
        overdue=_ints(times.overdue),
        turn_start=_ints(np.concatenate(([0], np.cumsum([len(turns) for turns in times.turns])))),
        turns=_ints([phase for turns in times.turns for phase in turns]),
        call_limit=_ints([seconds for limits in times.call_limit for seconds in limits]),
        service=_ints(times.service),
        movement_start=network.movement_start,
        phase_movement_start=network.phase_movement_start,
        phase_movements=network.phase_movements,
    )


class _Times(NamedTuple):
    """Of I signals with P phases and n movements in all, one signal after the other."""

    clearance_phase: IntArray  # (I,)
    may_show: BoolArray  # (P,)
    transition: IntArray
    min_green: IntArray  # (P,)
    max_green: IntArray  # (P,)
    yellow: IntArray  # (n,)
    red_amber: IntArray  # (I,)
    overdue: IntArray  # (I,)
    turns: Sequence[Sequence[int]]
    call_limit: Sequence[Sequence[int]]
    service: IntArray  # (I,)


def _same_times(pairs: Pairs, greens: Greens, clearance: Sequence[int], seconds: int) -> _Times:
    n, none = len(greens.phase), np.zeros(len(pairs.intersection), np.int32)
    n_transitions = int((greens.n_phases * (greens.n_phases + 1)).sum())
    return _Times(
        clearance_phase=np.asarray(clearance, np.int32),
        may_show=np.ones(n, np.bool_),
        transition=np.full(n_transitions, seconds, np.int32),
        min_green=np.zeros(n, np.int32),
        max_green=np.zeros(n, np.int32),
        yellow=np.full(len(pairs.movement), seconds, np.int32),
        red_amber=none,
        overdue=none,
        turns=[[] for _ in none],
        call_limit=[[] for _ in none],
        service=none,
    )


def _field_times(
    network: RoadNetwork, pairs: Pairs, greens: Greens, choices: Sequence[Sequence[int]], timing: FieldTiming
) -> _Times:
    profile = timing.profile
    yellow = whole_seconds(profiles.yellow_s(profile, network, pairs))
    min_green = _longest_of_phase(greens, whole_seconds(profiles.min_green_s(profile, network, pairs)))
    max_green = _longest_of_phase(greens, whole_seconds(profiles.max_green_s(profile, network, pairs)))
    chosen = _chosen(greens, choices)
    changes = changes_of_all(
        pairs,
        greens,
        chosen,
        way_s=yellow + ceil(profile.red_revert_s),
        intergreen_s=whole_seconds(profiles.conflict_intergreen_s(profile, network, pairs)),
        min_green_s=min_green,
        profile=profile,
    )
    limits = [timing.longest_wait_s - one.services_s for one in changes]
    overdue = np.array([min(some.tolist(), default=timing.longest_wait_s) for some in limits], np.int32)
    for i in np.flatnonzero(overdue < 1)[:1].tolist():
        problem = f"serving {len(changes[i].turns)} phases in turn takes {changes[i].services_s[-1]} s"
        mend = "give it fewer phases, take another protocol, or, in Python, a FieldTiming with a longer longest_wait_s"
        raise InputError(
            network.name, f"intersection '{network.intersection_ids[pairs.intersection[i]]}'", problem, mend
        )
    return _Times(
        clearance_phase=np.full(len(changes), -1, np.int32),
        may_show=chosen,
        transition=np.concatenate([np.zeros(0, np.int32), *(one.transition for one in changes)]),
        min_green=min_green,
        max_green=np.maximum(max_green, min_green),
        yellow=yellow,
        red_amber=np.full(len(changes), ceil(profile.red_amber_s), np.int32),
        overdue=overdue,
        turns=[one.turns for one in changes],
        call_limit=[some.tolist() for some in limits],
        service=np.array([one.service_s.max(initial=0) for one in changes], np.int32),
    )


def _longest_of_phase(greens: Greens, seconds: IntArray) -> IntArray:
    """(P,) the most of the movements (n,) that have green; 0 where none has."""
    if not len(greens.phase):
        return np.zeros(0, np.int32)
    of_greens = np.where(greens.is_green, seconds[greens.movement], 0)
    return np.asarray(np.maximum.reduceat(of_greens, greens.start[:-1]), np.int32)


def _chosen(greens: Greens, choices: Sequence[Sequence[int]]) -> BoolArray:
    first = np.cumsum(greens.n_phases) - greens.n_phases
    counts = [len(local) for local in choices]
    chosen = np.zeros(len(greens.phase), np.bool_)
    chosen[np.repeat(first, counts) + np.array([phase for local in choices for phase in local], np.int32)] = True
    return chosen


def _placed(values: IntArray | BoolArray, at: IntArray, size: int) -> IntArray:
    placed = np.zeros(size, np.int32)
    placed[at] = values
    return placed


def _ints(values: Any) -> IntArray:
    return _frozen(np.array(values, np.int32).reshape(-1))


def _frozen(array: Any) -> Any:
    array.setflags(write=False)
    return array
