"""A trained run as a controller: NumPy alone, the best choice of every signal at each decision, on any network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from intergreen.agents.controllers.near_signals import NearSignals
from intergreen.agents.controllers.observed import ObservedController
from intergreen.agents.controllers.parted_lanes import PartedLanes
from intergreen.agents.controllers.policy_network import PolicyNetwork, read_network
from intergreen.agents.controllers.run_folder import BEST, POLICY, features_in, observation_columns, read_run
from intergreen.envs.errors import InputError

if TYPE_CHECKING:
    from intergreen.agents.controllers.base import LaneCounts, Setup
    from intergreen.envs.arrays import Float32Array, IntArray
    from intergreen.envs.observation import Blocks
    from intergreen.envs.signals import SignalStatus


class Chooser(Protocol):
    """A policy's network, or several that choose together."""

    def best_choices(self, observation: Float32Array, blocks: Blocks, /) -> IntArray:
        """(...) choices for observations (..., size)."""


class PolicyController(ObservedController):
    """A policy that sees `features`; who closes a shared lane goes first (`PartedLanes`), and signals close together do
    not lock (`NearSignals`)."""

    def __init__(self, name: str, network: Chooser, features: Sequence[str]) -> None:
        super().__init__(name, lambda seen, _: network.best_choices(seen, self._layout.blocks), features=features)

    def start(self, setup: Setup) -> IntArray:
        self._parted = PartedLanes(setup.network, setup.plan)
        self._near = NearSignals(setup.network, setup.plan)
        return super().start(setup)

    def decide(self, counts: LaneCounts, signals: SignalStatus, time_s: int) -> IntArray:
        """The phases of the best choices, or of who closes a lane or would lock."""
        best = super().decide(counts, signals, time_s)
        wished = self._parted.first(best, counts.waiting, signals.red_s, signals.granted)
        return self._near.apart(wished, counts.vehicles, signals, time_s)


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
