"""Trials: how a controller does on trips that nobody trains on and nobody compares controllers with.

Trips are drawn by seeds from 900,000 on: trainings draw theirs above 1,000,000, people evaluate with small numbers. A
fixed demand is varied as for training, so that its own trips choose no policy. Generated worlds to be tried on are the
same for every training, and none that any is trained on. Decides and simulates, no more; tables are made by
`agents/evaluation`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from intergreen.agents.controllers.base import Setup, near_distance_m
from intergreen.envs.detector_faults import FaultyDetectors
from intergreen.envs.episodes import training_trips
from intergreen.envs.errors import InputError
from intergreen.envs.fault_file import detector_faults
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.simulators import NATIVE, make_core

if TYPE_CHECKING:
    from intergreen.agents.controllers.base import Controller
    from intergreen.envs.fault_file import FaultSpec
    from intergreen.envs.scenario import Scenario

FIRST_SEED = 900_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """Mean travel time by scenario, in seconds."""

    travel_time_s: dict[str, float]

    @property
    def mean_s(self) -> float:
        """Mean over the scenarios."""
        return sum(self.travel_time_s.values()) / len(self.travel_time_s)

    def share_of(self, other: Verdict) -> float:
        """Mean over the scenarios of this travel time divided by the other's: below 1 is better than the other."""
        shares = [seconds / max(other.travel_time_s[name], 1.0) for name, seconds in self.travel_time_s.items()]
        return sum(shares) / len(shares)

    def beside(self, max_pressure: Verdict) -> dict[str, Any]:
        """What `run.json` says of a policy that reaches this."""
        return {
            "average_travel_time_s": self.mean_s,
            "share_of_max_pressure": self.share_of(max_pressure),
            "by_scenario": self.travel_time_s,
        }


@dataclass(frozen=True, slots=True)
class Subject:
    """What is simulated in a trial: a scenario under a protocol's timing, with that share of its demand."""

    name: str
    scenario: Scenario
    protocol: str
    level: float = 1.0


class Trials:
    """The same runs for every controller that is tried.

    Parameters
    ----------
    seeds : how many runs of each subject
    horizon_s : None: each scenario's own
    threads : over which the runs are spread; the figures do not depend on it
    simulator : a name of `intergreen.envs.simulators`
    faults : of detectors: controllers are tried on what failing ones tell

    Raises
    ------
    InputError
        If nobody departs in any run of a subject.
    """

    def __init__(
        self,
        subjects: Sequence[Subject],
        *,
        seeds: int,
        horizon_s: int | None = None,
        threads: int = 1,
        simulator: str = NATIVE,
        faults: FaultSpec = (),
    ) -> None:
        self._trials = [_Trial(one, seeds, horizon_s, threads, simulator, faults) for one in subjects]

    def of(self, controller: Controller) -> Verdict:
        """What the controller reaches."""
        return Verdict({trial.name: trial.travel_time_s(controller) for trial in self._trials})

    def close(self) -> None:
        """End the threads."""
        for trial in self._trials:
            trial.core.close()


class _Trial:
    """One subject, all seeds side by side."""

    def __init__(
        self,
        subject: Subject,
        seeds: int,
        horizon_s: int | None,
        threads: int,
        simulator: str,
        faults: FaultSpec,
    ) -> None:
        self.name = subject.name
        self.scenario = scenario = subject.scenario
        self._protocol = protocol_by_name(subject.protocol)
        self._plan = self._protocol.plan(scenario.network)
        self._horizon_s = horizon_s or scenario.horizon_s
        self._seeds = range(FIRST_SEED, FIRST_SEED + seeds)
        level = subject.level
        self._trips = [training_trips(scenario, seed, self._horizon_s, scale=level) for seed in self._seeds]
        if not any(len(trips) for trips in self._trips):
            problem = f"nobody departs before {self._horizon_s} s"
            mend = "judge for longer (evaluation: horizon_s), or let flows begin earlier"
            raise InputError(scenario.name, "demand", problem, mend)
        self.core = make_core(
            simulator,
            scenario,
            self._plan,
            replicas=seeds,
            threads=threads,
            lane_change=self._protocol.lane_change,
        )
        self.core.near_m = near_distance_m(scenario.network, self._protocol.interval_s)
        self._faults = detector_faults(faults, scenario.network)

    def travel_time_s(self, controller: Controller) -> float:
        """Mean over the seeds of the mean over all vehicles released, waiting outside included."""
        core, protocol = self.core, self._protocol
        begin = controller.start(Setup(self.scenario.network, self._plan, protocol, len(self._seeds)))
        core.reset(self._trips, self._seeds, begin)
        detectors = FaultyDetectors(
            self._faults, len(self._seeds), self.scenario.network, self._seeds, interval_s=protocol.interval_s
        )
        while core.time_s < self._horizon_s:
            counts = detectors.read(core.counts(), core.time_s) if self._faults else core.counts()
            wanted = controller.decide(counts, core.signals(protocol.interval_s), core.time_s)
            core.run(wanted, min(protocol.interval_s, self._horizon_s - core.time_s))
        totals = core.totals()
        return float(np.mean(totals.sum_travel_time_s / np.maximum(totals.released, 1)))
