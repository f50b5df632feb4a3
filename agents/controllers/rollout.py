"""Rollout: the oracle. It tries every phase in copies of the simulation itself and keeps what loses the least time.

For each signal in turn: every phase for one decision, then advanced max-pressure at all signals for `look_ahead_s`;
the phase with the least delay of everybody at the end is kept, and the signals are gone through again while anything
changes. That is agent-by-agent rollout after Bertsekas (2021), "Multiagent reinforcement learning: rollout and policy
iteration", IEEE/CAA Journal of Automatica Sinica 8(2), with advanced max-pressure as its base policy.

It is an ORACLE, no controller for a street: its copies know the trips that are still to come and everybody's route.
What it reaches is a ceiling for rules and policies, although not a bound: one decision is optimised, not the plan.

Signals that are not neighbours are tried in one call, each against the same wishes of the rest. Their best phases
are then taken together, or only the best of them where together they do worse.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from intergreen.agents.controllers.advanced_max_pressure import AdvancedMaxPressure
from intergreen.envs.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from intergreen.agents.controllers.base import LaneCounts, Setup
    from intergreen.envs.arrays import ByteArray, FloatArray, IntArray
    from intergreen.envs.core import TrafficCore
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.signals import SignalPlan, SignalStatus

_COPY_BYTES = 4e8  # of simulator state in all copies together
_GAIN_S = 1e-6  # less is no gain: sums in another order differ by as much


@dataclass(frozen=True, slots=True)
class RolloutSettings:
    """How far and how often it looks."""

    look_ahead_s: int = 120  # behind the decision that is tried
    sweeps: int = 3  # at most, over all signals

    def __post_init__(self) -> None:
        if self.look_ahead_s < 0 or self.sweeps < 1:
            raise ValueError(f"need look_ahead_s >= 0 and sweeps >= 1, got {self}")


class Rollout:
    """Advanced max-pressure, improved by trying."""

    name = "rollout"
    interval_s: int | None = None
    own_clearance = False

    def __init__(self, settings: RolloutSettings | None = None) -> None:
        self._settings = settings or RolloutSettings()
        self._rule = AdvancedMaxPressure()
        self._core: TrafficCore | None = None

    def start(self, setup: Setup) -> IntArray:
        self._core = None
        self._plan = setup.plan
        self._interval_s = setup.protocol.interval_s
        self._groups = groups_apart(setup.network, setup.plan)
        return self._rule.start(setup)

    def look_into(self, core: TrafficCore) -> None:
        """Decide for the replicas of this core, by copies of them."""
        self._core = core
        most = max((int((self._plan.n_choices[group] - 1).sum()) for group in self._groups), default=0) + 1
        state_bytes = sum(array.nbytes for array in core.engine.state) / core.n_replicas
        self._copies = core.fork(int(np.clip(_COPY_BYTES / state_bytes, 1, most)))
        self._one = core.fork(1)

    def decide(self, counts: LaneCounts, signals: SignalStatus, time_s: int) -> IntArray:
        if self._core is None:
            problem = f"{self.name} is an oracle and needs the simulation to look into"
            raise InputError("command line", "--controller", problem, "name it in evaluate or compare only")
        wanted = self._rule.decide(self._core.counts(), signals, time_s).copy()
        granted = signals.granted.copy()  # a view of the core's own
        for b in range(len(wanted)):
            self._improve(b, wanted[b], granted[b])
        return wanted

    def _improve(self, b: int, wanted: IntArray, granted: ByteArray) -> None:
        """Better the wishes (I,) of replica `b`, in place."""
        for _ in range(self._settings.sweeps):
            before = wanted.copy()
            for group in self._groups:
                self._improve_group(b, wanted, granted, group)
            if (wanted == before).all() or len(self._groups) == 1:
                return

    def _improve_group(self, b: int, wanted: IntArray, granted: ByteArray, group: IntArray) -> None:
        trials = self._trials(wanted, granted, group)
        if not trials:
            return
        wishes = np.tile(wanted, (1 + len(trials), 1))
        for k, (i, phase) in enumerate(trials):
            wishes[1 + k, i] = phase
        delay_s = self._delays(b, wishes)
        best: dict[int, int] = {}
        for k, (i, _) in enumerate(trials):
            if delay_s[1 + k] < delay_s[best.get(i, 0)] - _GAIN_S:
                best[i] = 1 + k
        if not best:
            return
        single = min(best.values(), key=lambda k: delay_s[k])
        together = wanted.copy()
        for i, k in best.items():
            together[i] = wishes[k, i]
        alone = len(best) == 1
        wanted[:] = together if alone or self._delays(b, together[None])[0] < delay_s[single] else wishes[single]

    def _trials(self, wanted: IntArray, granted: ByteArray, group: IntArray) -> list[tuple[int, int]]:
        """Signals and other phases that a wish would lead to."""
        plan = self._plan
        return [
            (i, phase)
            for i in group.tolist()
            for phase in plan.choices[i, : plan.n_choices[i]].tolist()
            if phase != wanted[i] and granted[plan.phase_offset[i] + phase]
        ]

    def _delays(self, b: int, wishes: IntArray) -> FloatArray:
        """(K,) delay of all in replica `b` after each of the wishes (K, I), and advanced max-pressure behind it."""
        copies = self._one if len(wishes) == 1 else self._copies
        n = copies.n_replicas
        delay_s = np.empty(len(wishes))
        for first in range(0, len(wishes), n):
            part = wishes[first : first + n]
            padded = np.concatenate([part, np.tile(part[:1], (n - len(part), 1))])
            delay_s[first : first + n] = self._look_ahead(copies, b, padded)[: len(part)]
        return delay_s

    def _look_ahead(self, copies: TrafficCore, b: int, wishes: IntArray) -> FloatArray:
        assert self._core is not None
        copies.copy_from(self._core, np.full(copies.n_replicas, b))
        copies.run(wishes, self._interval_s)
        left_s = self._settings.look_ahead_s
        while left_s > 0:
            wanted = self._rule.decide(copies.counts(), copies.signals(self._interval_s), copies.time_s)
            copies.run(wanted, min(left_s, self._interval_s))
            left_s -= self._interval_s
        return copies.delay_s()


def groups_apart(network: RoadNetwork, plan: SignalPlan) -> list[IntArray]:
    """Signals in groups of which no two are neighbours, the fewest that taking the signals in turn finds."""
    signal = {int(j): i for i, j in enumerate(plan.intersection)}
    neighbours: list[set[int]] = [set() for _ in range(plan.n_signals)]
    for start, end in zip(network.road_from.tolist(), network.road_to.tolist(), strict=True):
        if start in signal and end in signal and start != end:
            neighbours[signal[start]].add(signal[end])
            neighbours[signal[end]].add(signal[start])
    colour = _colours(neighbours)
    return [np.flatnonzero(colour == one).astype(np.int32) for one in range(int(colour.max(initial=-1)) + 1)]


def _colours(neighbours: Sequence[set[int]]) -> IntArray:
    colour = np.full(len(neighbours), -1, np.int32)
    for i in sorted(range(len(neighbours)), key=lambda i: (-len(neighbours[i]), i)):
        taken = {int(colour[other]) for other in neighbours[i]}
        colour[i] = next(one for one in range(len(neighbours)) if one not in taken)
    return colour
