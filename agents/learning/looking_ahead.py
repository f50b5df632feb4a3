"""Looking ahead: what each choice would have saved at a moment of the traffic, found in copies of the simulation.

Every choice of one signal is tried for one decision, then all signals do what the policy thinks best. What is counted
is the delay of everybody who drives near the signal until the end, or waits to enter there, so that neighbours and the
minutes to come have a say; who is far away counts less (`nearness.py`). All copies have the same trips to come and the
same drivers: what is left between them is what the choice did.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import numpy as np

from intergreen.agents.learning.nearness import nearness
from intergreen.envs.choices import chosen_phases
from intergreen.envs.reward import make_reward

if TYPE_CHECKING:
    from intergreen.envs.arrays import BoolArray, Float32Array, FloatArray, IntArray
    from intergreen.envs.core import TrafficCore
    from intergreen.envs.episodes import Episodes

Best = Callable[["Float32Array"], "IntArray"]
"""Observations (n, size) in, the choices (n,) that the policy thinks best out."""
_LEAST_DELAYED = 0.5  # vehicles at a signal: where fewer lose time, a gain is no better for being a large share of it


class LookAhead:
    """Looks ahead in one scenario's episodes.

    Parameters
    ----------
    seconds : behind the decision that is tried, rounded to whole decisions, two at least
    """

    def __init__(self, world: Episodes, best: Best, *, seconds: int) -> None:
        self._world, self._best = world, best
        self._interval_s = world.protocol.interval_s
        self._decisions = max(2, round(seconds / self._interval_s))
        self._reward = make_reward("delay", world.scenario.network, world.plan)
        self._near = nearness(world.scenario.network, world.plan)

    def gains(self, b: int, best: IntArray, allowed: BoolArray, signals: IntArray) -> FloatArray:
        """What each choice saves against the best, (K, C), for K signals of copy `b`; 0 for what is not allowed.

        In units of what the signal's traffic loses in one decision, on average over all signals and the time looked
        ahead. The copy itself goes on as if nobody had looked.

        best     (I,) what the policy would choose now
        allowed  (I, C)
        signals  (K,) whose choices are tried, each alone
        """
        trials = [(k, i, c) for k, i in enumerate(signals) for c in np.flatnonzero(allowed[i]) if c != best[i]]
        choices = np.tile(best, (1 + len(trials), 1))
        for row, (_, i, c) in enumerate(trials, start=1):
            choices[row, i] = c
        lost_s = self._lost_s(b, choices)
        gain_s = np.zeros((len(signals), allowed.shape[1]))
        for row, (k, i, c) in enumerate(trials, start=1):
            gain_s[k, c] = self._near[i] @ (lost_s[0] - lost_s[row])
        decisions = (1 + self._decisions) * len(best)
        unit_s = max(lost_s[0].sum() / decisions, _LEAST_DELAYED * self._interval_s)
        return gain_s / unit_s

    def _lost_s(self, b: int, choices: IntArray) -> FloatArray:
        """(R, L) seconds lost from now on, on each lane or waiting to enter it, after each of the choices (R, I)."""
        core = cast("TrafficCore", self._world.core)
        copies, plan = core.fork(len(choices)), self._world.plan
        copies.copy_from(core, np.full(len(choices), b))
        senses = copies.senses(self._world.layout, self._reward)
        size = self._world.layout.blocks.size
        lost_s = np.zeros(senses.sums.delay.shape)
        for left in range(self._decisions, -1, -1):
            copies.run(chosen_phases(plan, choices), self._interval_s, senses)
            lost_s += senses.sums.delay
            lost_s += senses.sums.backlog * (left * self._interval_s)  # who begins to wait, if for the rest
            if left:
                choices = self._best(senses.observation.reshape(-1, size)).reshape(choices.shape)
        copies.close()
        return lost_s
