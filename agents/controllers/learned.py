"""A trained run as a controller: NumPy alone, the best choice of every signal at each decision, on any network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from intergreen.agents.controllers.policy_network import PolicyNetwork, read_network
from intergreen.agents.controllers.run_folder import BEST, POLICY, features_in, observation_columns, read_run
from intergreen.envs.core import observe_all
from intergreen.envs.episodes import chosen_phases, start_phase
from intergreen.envs.errors import InputError
from intergreen.envs.layout import make_layout

if TYPE_CHECKING:
    from intergreen.agents.controllers.base import LaneCounts, Setup
    from intergreen.envs.arrays import BoolArray, IntArray
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.signals import SignalPlan
    from intergreen.envs.simulation import Counts


class PolicyController:
    """A policy that sees `features`; begins in the first choice, as its training did."""

    interval_s: int | None = None
    own_clearance = False

    def __init__(self, name: str, network: PolicyNetwork, features: Sequence[str]) -> None:
        self.name = name
        self._network = network
        self._features = tuple(features)

    def start(self, setup: Setup) -> IntArray:
        if setup.plan.n_signals == 0:
            return np.empty((setup.n_replicas, 0), dtype=np.int32)
        self._plan = setup.plan
        self._protocol = setup.protocol
        self._layout = make_layout(setup.network, setup.plan, features=self._features)
        begin = start_phase(setup.plan, setup.n_replicas)
        self._clock = SignalClock(setup, begin)
        return begin

    def decide(self, counts: LaneCounts, phase: IntArray, time_s: int) -> IntArray:
        if phase.shape[1] == 0:
            return phase
        clock = self._clock
        clock.update(phase, time_s)
        timing = self._protocol.interval_s, self._protocol.clearance_s
        observation = observe_all(cast("Counts", counts), phase, clock.green_s, clock.red_s, *timing, self._layout)
        return chosen_phases(self._plan, self._network.best_choices(observation, self._layout.blocks))


class SignalClock:
    """Seconds of every present green and of every movement's red, from the phases alone.

    Controllers are told the phases that they see on the street and the time, not what the signals count inside. At a
    decision that is enough: a phase that was not there at the last one began after the clearance that was asked for
    then, any other has been green since; a movement that the present phase does not serve has been red since the
    decision at which it was last served.
    """

    def __init__(self, setup: Setup, start: IntArray) -> None:
        self._clearance_s = setup.protocol.clearance_s
        self._start = start
        self._serves = _movements_served(setup.network, setup.plan)
        self._restart()

    def update(self, phase: IntArray, time_s: int) -> None:
        """Bring `green_s` (B, I) and `red_s` (B, M) to the decision at `time_s`; called once at every decision."""
        if time_s == 0 or time_s < self._time_s:
            self._restart()  # another run
        passed_s = np.int32(time_s - self._time_s)
        self.green_s = np.where(phase == self._phase, self.green_s + passed_s, passed_s - np.int32(self._clearance_s))
        served = self._serves[np.arange(phase.shape[1]), phase].any(axis=1)  # (B, M); phase -1 serves nobody
        self.red_s = np.where(served, np.int32(0), self.red_s + passed_s)
        self._phase, self._time_s = phase.copy(), time_s

    def _restart(self) -> None:
        self._time_s, self._phase = 0, self._start
        self.green_s: IntArray = np.zeros_like(self._start)
        self.red_s: IntArray = np.zeros((len(self._start), self._serves.shape[2]), np.int32)


def _movements_served(network: RoadNetwork, plan: SignalPlan) -> BoolArray:
    """(I, P + 1, M): which movements of the network have green in each local phase; the last row is for phase -1."""
    serves = np.zeros((plan.n_signals, int(plan.n_phases.max(initial=0)) + 1, network.n_movements), np.bool_)
    for i, j in enumerate(plan.intersection):
        matrix = network.phase_matrix(int(j))
        first = network.movement_start[j]
        serves[i, : len(matrix), first : first + matrix.shape[1]] = matrix
    return serves


def load_policy_controller(folder: Path, *, best: bool = False) -> PolicyController:
    """The controller of a run folder: its last policy, or the best in the evaluations so far.

    Raises
    ------
    InputError
        If a file is missing or broken, of another observation layout, or the files do not belong together.
    """
    features = features_in(read_run(folder), folder)
    path = folder / (BEST if best else POLICY)
    network = read_network(path)
    movement, signal = observation_columns(features)
    if (network.movement_columns, network.signal_columns) != (len(movement), len(signal)):
        given = f"{network.movement_columns} values of a movement and {network.signal_columns} of a signal"
        problem = f"takes {given}, the features of run.json have {len(movement)} and {len(signal)}"
        raise InputError(path, "", problem, "use the files of one run")
    name = folder.resolve().name
    return PolicyController(f"{name}:best" if best else name, network, features)
