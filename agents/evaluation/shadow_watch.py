"""The shadow itself: at every decision of the protocol a policy is asked what it would show, and nobody listens.

The policy gets the same lane counts as the controller in charge, and the signals as they are. Where both are timed by
the same rules, these are the shield's own words. Where a network's programme is shown as it stands (`fixed-time` under
the literature's timing), the policy is asked as the protocol would ask it: the phase is the one that the programme last
showed as green, also where that is no choice of the policy's; during the programme's own clearance its green time is 0;
and every phase would be granted, because the literature's timing would grant it. What the shield overruled is never
held against the policy: those wishes were another's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

import numpy as np

from intergreen.agents.controllers.base import Setup
from intergreen.agents.controllers.programme import START_UP_S
from intergreen.agents.evaluation.answers import checked_answer
from intergreen.agents.evaluation.run import break_policy
from intergreen.agents.evaluation.served import Served, phase_lanes, served_of
from intergreen.envs.detector_faults import FaultyDetectors
from intergreen.envs.fault_kinds import DetectorFault, PolicyFault
from intergreen.envs.signals import OwnClearance
from intergreen.envs.signals.state import SignalStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from intergreen.agents.controllers.base import Controller
    from intergreen.agents.deployment.ladder import RungChange
    from intergreen.envs import protocol as timing
    from intergreen.envs.arrays import FloatArray, IntArray
    from intergreen.envs.core import Core
    from intergreen.envs.fault_kinds import Fault
    from intergreen.envs.scenario import Scenario
    from intergreen.envs.signals import SignalPlan


class Watched(NamedTuple):
    """A batch seen by the shadow: T decisions, B replicas, I signals."""

    seeds: tuple[int, ...]
    second: IntArray  # (T,)
    present: IntArray  # (T, B, I) phase last shown as green
    shown: Served  # by the controller in charge
    wanted: Served  # by the policy
    rung: IntArray | None  # (T, B, I) of the policy's ladder, None where it has none
    rung_changes: tuple[RungChange, ...]
    vehicles: IntArray  # (B,) released by the horizon


@runtime_checkable
class HasLadder(Protocol):
    """A controller with rungs to fall back to."""

    @property
    def rung(self) -> IntArray: ...
    @property
    def log(self) -> list[RungChange]: ...


class Shadow:
    """Asks `policy` beside a run in which a controller shows `plan_in_charge`; `watched` holds a record per batch.

    The policy sees what detectors tell, which have `faults` as those of the controller in charge; waiting vehicles are
    counted as they are.
    """

    def __init__(
        self,
        scenario: Scenario,
        policy: Controller,
        protocol: timing.Protocol,
        plan_in_charge: SignalPlan,
        faults: Sequence[Fault] = (),
    ) -> None:
        network = scenario.network
        self._broken = [fault for fault in faults if isinstance(fault, DetectorFault)]
        break_policy(policy, [fault for fault in faults if isinstance(fault, PolicyFault)])
        self.watched: list[Watched] = []
        self._scenario, self._policy, self._protocol = scenario, policy, protocol
        self._in_charge = plan_in_charge
        self._plan = protocol.plan(network)
        self._asked = protocol.plan(network, own_clearance=policy.own_clearance)
        self._lanes = phase_lanes(network, self._plan)

    def start(self, core: Core, seeds: Sequence[int]) -> None:
        """Begin with everybody on the first rung and nothing seen."""
        network, flows_vph = self._scenario.network, self._scenario.flows_vph()
        setup = Setup(network, self._asked, self._protocol, len(seeds), int(seeds[0]), flows_vph)
        self._policy.start(setup)
        every_s = self._protocol.interval_s
        self._detectors = (
            FaultyDetectors(self._broken, len(seeds), network, seeds, interval_s=every_s) if self._broken else None
        )
        self._seeds = tuple(int(seed) for seed in seeds)
        self._last_green = core.phase.copy()
        self._glances: list[_Glance] = []

    def look(self, core: Core, wanted: IntArray) -> None:
        """Ask the policy, and note its wish beside that of the controller in charge."""
        counts, signals = core.counts(), self._told(core)
        seen = counts if self._detectors is None else self._detectors.read(counts, core.time_s)
        answer = self._policy.decide(seen, signals, core.time_s)
        wish = checked_answer(answer, wanted.shape, self._policy.name, core.time_s)
        rung = self._policy.rung.copy() if isinstance(self._policy, HasLadder) else None
        self._glances.append(
            _Glance(
                second=core.time_s,
                waiting=counts.waiting.copy(),
                near=counts.near.copy(),
                present=signals.phase.copy(),
                shown=_valid(wanted, signals.phase, self._in_charge),
                wanted=_valid(wish, signals.phase, self._asked),
                rung=rung,
            )
        )

    def end(self, core: Core) -> None:
        """Close the batch's record."""
        seen = self._glances
        present = np.array([one.present for one in seen])
        shown, wanted = (
            self._served(_without_clearance(np.array(phases), present, plan), present)
            for phases, plan in (
                ([one.shown for one in seen], self._in_charge),
                ([one.wanted for one in seen], self._asked),
            )
        )
        self.watched.append(
            Watched(
                seeds=self._seeds,
                second=np.array([one.second for one in seen], np.int32),
                present=present,
                shown=shown,
                wanted=wanted,
                rung=None if seen[0].rung is None else np.array([one.rung for one in seen]),
                rung_changes=tuple(self._policy.log) if isinstance(self._policy, HasLadder) else (),
                vehicles=np.asarray(core.totals().released, np.int32),
            )
        )

    def _told(self, core: Core) -> SignalStatus:
        """The signals as the policy is told of them."""
        signals = core.signals(self._protocol.interval_s)
        unblamed = np.zeros_like(signals.overruled)
        if not isinstance(self._in_charge.timing, OwnClearance) or isinstance(self._asked.timing, OwnClearance):
            return signals._replace(overruled=unblamed)
        clearing = (signals.phase == self._in_charge.clearance_phase) & (self._in_charge.clearance_phase >= 0)
        self._last_green = np.where(clearing, self._last_green, signals.phase).astype(np.int32)
        return SignalStatus(
            phase=self._last_green.copy(),
            green_s=np.where(clearing, 0, signals.green_s).astype(np.int32),
            red_s=signals.red_s,
            granted=np.tile(self._plan.rules.may_show, (core.n_replicas, 1)),
            overruled=unblamed,
        )

    def _served(self, phase: IntArray, present: IntArray) -> Served:
        green_s = self._green_s(phase, np.concatenate([present[:1], phase[:-1]]))
        sums = [
            served_of(mine, one.waiting, one.near, green, self._lanes)
            for mine, one, green in zip(phase, self._glances, green_s, strict=True)
        ]
        return Served(phase, np.array([one[0] for one in sums]), np.array([one[1] for one in sums]))

    def _green_s(self, phase: IntArray, before: IntArray) -> FloatArray:
        """(T, B, I) seconds of the slot in which a queue would move, if `before` is what this side asked for one
        decision earlier: a change costs the protocol's own transition and the start-up."""
        rules, n = self._plan.rules, self._plan.n_phases
        row = rules.transition_start + (before + 1) * n
        lost_s = rules.transition[np.where(phase >= 0, row + phase, 0)] + START_UP_S
        slot_s = self._protocol.interval_s
        green_s: FloatArray = np.where(phase == before, slot_s, np.maximum(0.0, slot_s - lost_s))
        return green_s


class _Glance(NamedTuple):
    """What one look told."""

    second: int
    waiting: IntArray  # (B, L)
    near: IntArray  # (B, L)
    present: IntArray  # (B, I)
    shown: IntArray  # (B, I)
    wanted: IntArray  # (B, I)
    rung: IntArray | None  # (B, I)


def _valid(wish: IntArray, present: IntArray, plan: SignalPlan) -> IntArray:
    """The wishes (B, I); the present phase where a wish is no phase that may be shown, as the shield would have it."""
    wish = np.asarray(wish)
    there = (wish >= 0) & (wish < plan.n_phases)
    local = np.where(there, wish, 0).astype(np.int32)
    allowed = there & (plan.rules.may_show[plan.phase_offset + local] != 0)
    return np.where(allowed, local, present).astype(np.int32)


def _without_clearance(phase: IntArray, present: IntArray, plan: SignalPlan) -> IntArray:
    """Phases (T, B, I) in which a programme's own clearance is the phase that it leads to: the next one asked for, and
    at the end of the run, where none follows, the present one."""
    if not isinstance(plan.timing, OwnClearance):
        return phase
    n = len(phase)
    real = (phase != plan.clearance_phase) | (plan.clearance_phase < 0)
    index = np.where(real, np.arange(n)[:, None, None], n)
    following = np.minimum.accumulate(index[::-1], axis=0)[::-1]
    led_to = np.take_along_axis(phase, np.minimum(following, n - 1), axis=0)
    return np.where(following < n, led_to, present).astype(np.int32)
