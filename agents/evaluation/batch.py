"""One batch of replicas of an evaluation, from the first decision to the horizon.

The cost counts the simulation alone: what is compiled is compiled before, and neither loading nor deciding is in it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from intergreen.agents.controllers.base import (
    CLEARANCE,
    Controller,
    Foresighted,
    Setup,
    Timetable,
    near_distance_m,
)
from intergreen.agents.evaluation.answers import checked_answer, checked_beginning, checked_period
from intergreen.agents.evaluation.metrics import metrics_of, series_row
from intergreen.envs.detector_faults import FaultyDetectors
from intergreen.envs.locks import WATCHED_S, all_stand, few_arrive
from intergreen.envs.simulators import NATIVE, Simulator, engine_core, make_core

if TYPE_CHECKING:
    from intergreen.agents.evaluation.onlooker import Onlooker
    from intergreen.agents.progress import Progress
    from intergreen.envs.arrays import BoolArray, FloatArray, IntArray
    from intergreen.envs.core import Core
    from intergreen.envs.demand import Trips
    from intergreen.envs.fault_kinds import DetectorFault
    from intergreen.envs.protocol import Protocol
    from intergreen.envs.scenario import Scenario
    from intergreen.envs.signals import SignalPlan
    from intergreen.envs.signals.monitor import FaultReport
    from intergreen.envs.simulation.sumo_world import SumoSettings

SERIES_STEP_S = 300


@dataclass(slots=True)
class Cost:
    """CPU and wall seconds spent inside the simulator."""

    cpu_s: float = 0.0
    wall_s: float = 0.0


@dataclass(slots=True)
class BatchRecord:
    """What a batch of replicas gave: metrics (B,), series rows (T of them, (B,) each), vehicle updates, the monitor's
    faults, the shield's interventions by reason, what only this simulator's drivers do, which replicas (B,) have locked
    at the horizon."""

    metrics: dict[str, FloatArray]
    series_t: list[int]
    series: list[dict[str, FloatArray]]
    vehicle_updates: int
    faults: list[FaultReport]
    interventions: IntArray
    incidents: dict[str, int]
    locked: BoolArray


class Workshop:
    """What is dear to make and the same for every seed of a cell, kept from one `evaluate` to the next."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[object, Any]] = {}

    def kept(self, name: str, key: object, make: Callable[[], Any]) -> Any:
        """What was made for an equal key the last time, or else a new one."""
        if name not in self._kept or self._kept[name][0] != key:
            self._kept[name] = key, make()
        return self._kept[name][1]


@dataclass(slots=True)
class Marks:
    """Rows of the series collected while a batch runs, and who has set out and arrived by then, (B, 2)."""

    t: list[int] = field(default_factory=list)
    rows: list[dict[str, FloatArray]] = field(default_factory=list)
    passed: list[IntArray] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class BatchRun:
    """What all batches of an evaluation share.

    cost    of all of them; grows
    broken  faults of detectors: the controller sees readings
    """

    scenario: Scenario
    controller: Controller
    protocol: Protocol
    plan: SignalPlan
    horizon_s: int
    threads: int
    cost: Cost
    broken: Sequence[DetectorFault]
    onlooker: Onlooker | None
    look_every_s: int
    workshop: Workshop
    simulator: Simulator
    sumo: SumoSettings | None

    def batch(self, seeds: Sequence[int], trips: Sequence[Trips], first: int, progress: Progress | None) -> BatchRecord:
        """Run one batch of replicas, `first` the first of them all, to the horizon."""
        core = self._core(trips, seeds)
        try:
            return self._driven(core, seeds, trips, first, progress)
        finally:
            if self.simulator != NATIVE:  # the native one is kept in the workshop
                core.close()

    def _driven(
        self, core: Core, seeds: Sequence[int], trips: Sequence[Trips], first: int, progress: Progress | None
    ) -> BatchRecord:
        self._begin(core, seeds, trips)
        detectors = self._detectors(seeds) if self.broken else None
        marks = Marks()
        decide_at, look_at, wanted = 0, self.horizon_s, core.phase
        if self.onlooker is not None:
            look_at = 0
            self.onlooker.start(core, seeds)
        while core.time_s < self.horizon_s:
            now = core.time_s
            due = now == decide_at
            if due:
                seen = core.counts() if detectors is None else detectors.read(core.counts(), now)
                answer = self.controller.decide(seen, core.signals(self.protocol.interval_s), now)
                wanted = checked_answer(answer, wanted.shape, self.controller.name, now)
                decide_at = now + self._period_s(now)
            if self.onlooker is not None and now == look_at:
                self.onlooker.look(core, wanted)
                look_at = min(now + self.look_every_s, self.horizon_s)
            mark = min((now // SERIES_STEP_S + 1) * SERIES_STEP_S, self.horizon_s)
            self._advance(core, wanted if due else None, min(decide_at, look_at, mark) - now)
            if core.time_s == mark:
                marks.t.append(mark)
                marks.rows.append(series_row(core.totals()))
                marks.passed.append(core.passed())
                if progress is not None:
                    progress(mark / self.horizon_s, f"{mark} of {self.horizon_s} s")
        if self.onlooker is not None:
            self.onlooker.end(core)
        return self._record(core, marks, first)

    def _begin(self, core: Core, seeds: Sequence[int], trips: Sequence[Trips]) -> None:
        """Reset the core to the phases that the controller starts with."""
        core.near_m = near_distance_m(self.scenario.network, self.protocol.interval_s)
        setup = Setup(
            self.scenario.network,
            self.plan,
            self.protocol,
            len(seeds),
            int(seeds[0]),
            self._flows_vph(),
            tuple(int(seed) for seed in seeds),
        )
        begun = checked_beginning(self.controller.start(setup), core.phase.shape, self.plan, self.controller.name)
        core.reset(trips, seeds, begun)
        if isinstance(self.controller, Foresighted):
            self.controller.look_into(engine_core(core, self.scenario.name, f"be copied for {self.controller.name}"))

    def _record(self, core: Core, marks: Marks, first: int) -> BatchRecord:
        """What the core tells at the horizon; the monitor's faults count the replicas of all batches."""
        totals = core.totals()
        metrics = metrics_of(totals, horizon_s=self.horizon_s)
        updates = int(np.nansum(totals.vehicle_updates))  # NaN: a simulator that does not tell
        faults = [replace(one, replica=one.replica + first) for one in core.faults()]
        incidents = {name: int(values.sum()) for name, values in core.incidents().items()}
        self.cost.cpu_s += core.cpu_elsewhere_s
        interventions, locked = core.interventions.sum(axis=(0, 1)), self._locked(core, marks)
        return BatchRecord(metrics, marks.t, marks.rows, updates, faults, interventions, incidents, locked)

    def _locked(self, core: Core, marks: Marks) -> BoolArray:
        """(B,) which replicas have locked at the horizon."""
        earlier = [passed for t, passed in zip(marks.t, marks.passed, strict=True) if t <= self.horizon_s - WATCHED_S]
        if not earlier:
            return np.zeros(core.n_replicas, np.bool_)
        counts = core.counts()
        return few_arrive(earlier[-1], marks.passed[-1]) & all_stand(counts.vehicles, counts.waiting)

    def _core(self, trips: Sequence[Trips], seeds: Sequence[int]) -> Core:
        """The core, to be reset."""

        def make() -> Core:
            core = make_core(
                self.simulator,
                self.scenario,
                self.plan,
                replicas=len(seeds),
                threads=self.threads,
                lane_change=self.protocol.lane_change,
                monitored=True,
                sumo=self.sumo,
            )
            if self.simulator == NATIVE:
                _compile(core, trips, seeds)
            return core

        if self.simulator != NATIVE:
            return make()
        key = self.scenario, self.protocol, self.controller.own_clearance, len(seeds), self.threads
        kept: Core = self.workshop.kept("core", key, make)
        return kept

    def _flows_vph(self) -> FloatArray:
        flows: FloatArray = self.workshop.kept("flows", self.scenario, self.scenario.flows_vph)
        return flows

    def _detectors(self, seeds: Sequence[int]) -> FaultyDetectors:
        interval_s = self.controller.interval_s or self.protocol.interval_s
        return FaultyDetectors(self.broken, len(seeds), self.scenario.network, seeds, interval_s=interval_s)

    def _period_s(self, now: int) -> int:
        if isinstance(self.controller, Timetable):
            return checked_period(self.controller.seconds_until_change(now), self.controller.name, now)
        return self.controller.interval_s or self.protocol.interval_s

    def _advance(self, core: Core, wanted: IntArray | None, seconds: int) -> None:
        """Simulate; `wanted` None: in a period that has begun."""
        cpu, wall = time.process_time(), time.perf_counter()
        if wanted is None:
            core.go_on(seconds)
        else:
            core.run(wanted, seconds)
        self.cost.cpu_s += time.process_time() - cpu
        self.cost.wall_s += time.perf_counter() - wall


def _compile(core: Core, trips: Sequence[Trips], seeds: Sequence[int]) -> None:
    """One second that the next reset forgets, so that compiling is not counted as simulating."""
    core.reset(trips, seeds, np.full_like(core.phase, CLEARANCE))
    core.run(np.zeros_like(core.phase), 1)
