"""A trained run as a controller: NumPy alone, the best choice of every signal at each decision, on any network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np

from intergreen.agents.controllers.policy_network import PolicyNetwork, read_network
from intergreen.agents.controllers.run_folder import BEST, POLICY, features_in, observation_columns, read_run
from intergreen.envs.choices import chosen_phases, start_phase
from intergreen.envs.core import observe_all, whole_counts
from intergreen.envs.errors import InputError
from intergreen.envs.layout import make_layout

if TYPE_CHECKING:
    from intergreen.agents.controllers.base import LaneCounts, Setup
    from intergreen.envs.arrays import Float32Array, IntArray
    from intergreen.envs.observation import Blocks
    from intergreen.envs.readings import Readings
    from intergreen.envs.signals import SignalStatus
    from intergreen.envs.simulation import Counts


class Chooser(Protocol):
    """A policy's network, or several that choose together."""

    def best_choices(self, observation: Float32Array, blocks: Blocks, /) -> IntArray:
        """(...) choices for observations (..., size)."""


class PolicyController:
    """A policy that sees `features`; begins in the first choice, as its training did."""

    interval_s: int | None = None
    own_clearance = False

    def __init__(self, name: str, network: Chooser, features: Sequence[str]) -> None:
        self.name = name
        self._network = network
        self._features = tuple(features)

    def start(self, setup: Setup) -> IntArray:
        if setup.plan.n_signals == 0:
            return np.empty((setup.n_replicas, 0), dtype=np.int32)
        self._plan = setup.plan
        self._protocol = setup.protocol
        self._layout = make_layout(setup.network, setup.plan, features=self._features)
        return start_phase(setup.plan, setup.n_replicas)

    def decide(self, counts: LaneCounts, signals: SignalStatus, time_s: int) -> IntArray:
        if signals.phase.shape[1] == 0:
            return signals.phase
        observation = observe_all(
            whole_counts(cast("Counts | Readings", counts)), signals, self._protocol.interval_s, self._layout
        )
        return chosen_phases(self._plan, self._network.best_choices(observation, self._layout.blocks))


def load_policy_controller(folder: Path, *, best: bool = False) -> PolicyController:
    """The controller of a run folder: its last policy, or the best in the evaluations so far.

    Raises
    ------
    InputError
        As `read_policy` does.
    """
    network, features = read_policy(folder, best=best)
    name = folder.resolve().name
    return PolicyController(f"{name}:best" if best else name, network, features)


def read_policy(folder: Path, *, best: bool = False) -> tuple[PolicyNetwork, tuple[str, ...]]:
    """The last policy of a run folder, or the best in the evaluations so far, and the features that it sees.

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
    return network, features
