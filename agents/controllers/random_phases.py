"""Random: any of the choices at every decision, each as likely. What a policy that has learned nothing does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from intergreen.agents.controllers.base import LaneCounts, Setup
    from intergreen.envs.arrays import IntArray
    from intergreen.envs.signals import SignalStatus


class RandomPhases:
    """Drawn by each replica's own seed and the second: it does not matter who else is in the batch."""

    name = "random"
    interval_s: int | None = None
    own_clearance = False

    def start(self, setup: Setup) -> IntArray:
        self._choices, self._n_choices = setup.plan.choices, setup.plan.n_choices
        self._seeds = setup.replica_seeds
        return self._draw(0)

    def decide(self, counts: LaneCounts, signals: SignalStatus, time_s: int) -> IntArray:
        return self._draw(time_s)

    def _draw(self, time_s: int) -> IntArray:
        turn = np.array([np.random.default_rng([seed, time_s]).integers(0, self._n_choices) for seed in self._seeds])
        drawn: IntArray = self._choices[np.arange(len(self._choices)), turn]
        return drawn
