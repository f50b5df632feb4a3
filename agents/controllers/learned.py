"""A trained run as a controller: NumPy alone, the best choice of every signal at each decision."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from intergreen.agents.controllers.policy_weights import PolicyWeights, read_weights
from intergreen.agents.controllers.run_folder import POLICY, PolicyShape, read_run, shape_in, shape_of
from intergreen.envs.episodes import chosen_phases, start_phase
from intergreen.envs.errors import InputError
from intergreen.envs.observation import legal_choices, make_layout, observe

if TYPE_CHECKING:
    from intergreen.agents.controllers.base import LaneCounts, Setup
    from intergreen.envs.arrays import BoolArray, Float32Array, IntArray


class PolicyController:
    """The policy of the run in `folder`; begins in the first choice, as its training did."""

    interval_s: int | None = None
    own_clearance = False

    def __init__(self, folder: Path, weights: PolicyWeights, shape: PolicyShape) -> None:
        self.name = folder.resolve().name
        self._folder = folder
        self._weights = weights
        self._shape = shape

    def start(self, setup: Setup) -> IntArray:
        if setup.plan.n_signals == 0:
            return np.empty((setup.n_replicas, 0), dtype=np.int32)
        self._plan = setup.plan
        self._layout = make_layout(setup.network, setup.plan)
        self._legal = legal_choices(self._layout)
        self._refuse_other_shape(setup.network.name)
        return start_phase(setup.plan, setup.n_replicas)

    def decide(self, counts: LaneCounts, phase: IntArray, time_s: int) -> IntArray:
        if phase.shape[1] == 0:
            return phase
        choice = best_choices(self._weights, observe(counts.waiting, phase, self._layout), self._legal)
        return chosen_phases(self._plan, choice)

    def _refuse_other_shape(self, network: str) -> None:
        needed = shape_of(self._layout)
        if needed != self._shape:
            problem = f"this policy was made for signals of {self._shape}; here ({network}) they have {needed}"
            mend = "train on this network and protocol, or run it on its own"
            raise InputError(self._folder, "observation", problem, mend)


def best_choices(weights: PolicyWeights, observation: Float32Array, legal: BoolArray) -> IntArray:
    """(B, I) the legal choice with the highest score, the first of equals.

    observation  (B, I, F)
    legal        (I, C)
    """
    scores = np.where(legal, weights.scores(observation), -np.inf)
    best: IntArray = scores.argmax(axis=-1).astype(np.int32)
    return best


def load_policy_controller(folder: Path) -> PolicyController:
    """The controller of a run folder.

    Raises
    ------
    InputError
        If a file is missing or broken, or the two files do not belong together.
    """
    shape = shape_in(read_run(folder), folder)
    weights = read_weights(folder / POLICY)
    if (weights.n_features, weights.n_choices) != (shape.movements + shape.phases, shape.choices):
        problem = f"has {weights.n_features} inputs and {weights.n_choices} outputs, run.json speaks of {shape}"
        raise InputError(folder / POLICY, "", problem, "use the two files of one run")
    return PolicyController(folder, weights, shape)
