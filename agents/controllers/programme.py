"""Fixed-time programmes: phases in turn, each for its seconds, for ever. Made from volumes, or the network's own.

`webster_programme` is Webster (1958), Road Research Technical Paper 39: the cycle of least delay and splits in
proportion to the critical flow ratios. Needs no detector once it is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from intergreen.agents.controllers.critical_ratios import CriticalRatios
from intergreen.envs.signals.changes import phases_in_turn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from intergreen.envs.arrays import FloatArray, IntArray
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.signals import SignalPlan

START_UP_S = 2.0  # of green lost at its start; HCM 6th ed., ch. 19
LEAST_GREEN_S = 5
CYCLE_S = (30.0, 120.0)  # shortest and longest; beyond, pedestrians and side streets wait too long
_HIGHEST_RATIO = 0.95  # of flow to saturation, all phases together: Webster's cycle has no end at 1


@dataclass(frozen=True, slots=True, eq=False)
class Programme:
    """A plan for I signals, each of at most K phases a cycle.

    phase    (I, K) local phase to ask for
    end_s    (I, K) whole seconds into the cycle until which it is asked for; the last is the cycle, repeated to K
    offset_s (I,) seconds after the start of the clock at which a cycle begins
    """

    phase: IntArray
    end_s: IntArray
    offset_s: IntArray | int = 0

    @property
    def cycle_s(self) -> IntArray:
        """(I,) seconds of one cycle."""
        return self.end_s[:, -1]

    def wanted(self, time_s: int) -> IntArray:
        """(I,) the phase to ask for now."""
        turn = (self._into_s(time_s)[:, None] >= self.end_s).sum(axis=1)
        wanted: IntArray = self.phase[np.arange(len(self.phase)), turn]
        return wanted

    def seconds_until_change(self, time_s: int) -> IntArray:
        """(I,) whole seconds, at least 1, for which `wanted` stays what it is."""
        into_s = self._into_s(time_s)[:, None]
        left: IntArray = np.where(self.end_s > into_s, self.end_s - into_s, np.iinfo(np.int32).max).min(axis=1)
        return left

    def _into_s(self, time_s: int) -> IntArray:
        into: IntArray = ((np.int64(time_s) - self.offset_s) % self.cycle_s).astype(np.int32)
        return into


class Share(NamedTuple):
    """What decides how one signal's cycle is shared out among the p phases in turn."""

    turns: list[int]  # local phases
    critical: FloatArray  # (p,) flow ratios, see `critical_ratios`
    lost_s: FloatArray  # (p,) before each phase, in which nobody goes
    least_s: IntArray  # (p,) of green

    @property
    def cycle_s(self) -> float:
        """Webster's."""
        return webster_cycle_s(float(self.lost_s.sum()), self.critical)


def webster_programme(network: RoadNetwork, plan: SignalPlan, flows_vph: FloatArray) -> Programme:
    """Cycle and splits for flows (M,) in veh/h of every movement."""
    shares = cycle_shares(network, plan, flows_vph)
    return programme_of([(share.turns, slots_s(share, share.cycle_s)) for share in shares])


def cycle_shares(network: RoadNetwork, plan: SignalPlan, flows_vph: FloatArray) -> list[Share]:
    """Of every signal, for flows (M,) in veh/h of every movement."""
    ratios = CriticalRatios(network, flows_vph)
    shares = []
    for i, j in enumerate(plan.intersection.tolist()):
        choices = plan.choices[i, : plan.n_choices[i]].tolist()
        serves = network.phase_matrix(j)
        turns = phases_in_turn(serves, choices) or choices[:1]
        critical = ratios.of(j, turns)
        least_s = [max(LEAST_GREEN_S, int(plan.rules.min_green[plan.phase_offset[i] + p])) for p in turns]
        lost_s = transition_before_s(plan, i, turns) + START_UP_S
        shares.append(Share(turns, critical, lost_s, np.array(least_s)))
    return shares


def own_programme(network: RoadNetwork, plan: SignalPlan) -> Programme:
    """The network's own programme, each of its phases that may be chosen longer by the clearance before it."""
    rows = []
    for i in range(plan.n_signals):
        duration_s = network.phase_duration_s[plan.phase_offset[i] + plan.choices[i, : plan.n_choices[i]]]
        timed = np.flatnonzero(duration_s > 0.0)
        timed = timed if len(timed) else np.arange(plan.n_choices[i])
        turns = plan.choices[i, timed].tolist()
        green_s = np.maximum(np.round(duration_s[timed]), LEAST_GREEN_S)
        rows.append((turns, green_s + transition_before_s(plan, i, turns)))
    return programme_of(rows)


def webster_cycle_s(lost_s: float, critical: FloatArray) -> float:
    """The cycle of least delay, (1.5 L + 5) / (1 - Y), within `CYCLE_S`.

    >>> webster_cycle_s(10.0, np.array([0.3, 0.2]))
    40.0
    """
    total = min(float(critical.sum()), _HIGHEST_RATIO)
    return float(np.clip((1.5 * lost_s + 5.0) / (1.0 - total), *CYCLE_S))


def slots_s(share: Share, cycle_s: float) -> FloatArray:
    """(p,) whole seconds of each phase, its clearance included; longer than the cycle where the least greens are."""
    green_s = max(cycle_s - float(share.lost_s.sum()), float(share.least_s.sum()))
    slots: FloatArray = np.round(share.lost_s + np.maximum(split_of(share) * green_s, share.least_s))
    return slots


def split_of(share: Share) -> FloatArray:
    """(p,) each phase's part of the green, by the critical ratios."""
    total = float(share.critical.sum())
    return share.critical / total if total > 0.0 else np.full(len(share.critical), 1.0 / len(share.critical))


def transition_before_s(plan: SignalPlan, i: int, turns: Sequence[int]) -> FloatArray:
    """(p,) seconds between the green before and each phase's own, in this turn."""
    n, first = int(plan.n_phases[i]), int(plan.rules.transition_start[i])
    now, before = np.array(turns), np.array([turns[-1], *turns[:-1]])
    transition = plan.rules.transition[first + (before + 1) * n + now]
    seconds: FloatArray = transition * (before != now) * 1.0
    return seconds


def programme_of(rows: Sequence[tuple[Sequence[int], FloatArray]]) -> Programme:
    """Of every signal, its phases in turn and their whole seconds."""
    widest = max((len(turns) for turns, _ in rows), default=1)
    phase = np.zeros((len(rows), widest), np.int32)
    end_s = np.zeros((len(rows), widest), np.int32)
    for i, (turns, slots_s) in enumerate(rows):
        phase[i], end_s[i] = turns[-1], int(slots_s.sum())
        phase[i, : len(turns)], end_s[i, : len(turns)] = turns, np.cumsum(slots_s)
    return Programme(phase, end_s)
