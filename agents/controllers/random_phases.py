"""Random: any of the choices at every decision, each as likely. What a policy that has learned nothing does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from intergreen.agents.controllers.base import LaneCounts, Setup
    from intergreen.envs.arrays import IntArray
    from intergreen.envs.signals import SignalStatus


class RandomPhases:
    """Draws from each replica's own seed: what a replica is shown does not depend on who else is in the batch."""

    name = "random"
    interval_s: int | None = None
    own_clearance = False

    def start(self, setup: Setup) -> IntArray:
        self._choices, self._n_choices = setup.plan.choices, setup.plan.n_choices
        self._random = [np.random.default_rng([seed, b"random"[0]]) for seed in setup.replica_seeds]
        return self._draw()

    def decide(self, counts: LaneCounts, signals: SignalStatus, time_s: int) -> IntArray:
        return self._draw()

    def _draw(self) -> IntArray:
        turn = np.array([random.integers(0, self._n_choices) for random in self._random])
        drawn: IntArray = self._choices[np.arange(len(self._choices)), turn]
        return drawn
