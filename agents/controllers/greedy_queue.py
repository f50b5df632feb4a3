"""Greedy: serve the phase on whose lanes most vehicles wait; keep the present one where it is among the best.

Longest queue first, after Wunderlich, Liu, Elhanany and Urbanik (2008), "A novel signal-scheduling algorithm with
quality-of-service provisioning for an isolated intersection", IEEE Transactions on Intelligent Transportation Systems
9(3), in the form that RESCO's benchmark (Ault and Sharon, 2021) calls greedy: phases, not single movements, compete.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from intergreen.agents.controllers.signal_lanes import shown_or_wanted, signal_lanes

if TYPE_CHECKING:
    from intergreen.agents.controllers.base import LaneCounts, Setup
    from intergreen.envs.arrays import IntArray
    from intergreen.envs.signals import SignalStatus


class GreedyQueue:
    """Every lane counts once in a phase that opens a way from it."""

    name = "greedy-queue"
    interval_s: int | None = None
    own_clearance = False

    def start(self, setup: Setup) -> IntArray:
        self._choices = setup.plan.choices
        self._lanes = signal_lanes(setup.network, setup.plan)
        self._wanted: IntArray = np.tile(setup.plan.choices[:, 0], (setup.n_replicas, 1))
        return self._wanted

    def decide(self, counts: LaneCounts, signals: SignalStatus, time_s: int) -> IntArray:
        present = shown_or_wanted(signals.phase, signals.green_s, self._wanted)
        queue = np.einsum("bik,ick->bic", self._lanes.at(counts.waiting), self._lanes.serves)
        is_present = self._choices == present[:, :, None]
        ours = np.where(is_present, queue, -1.0).max(axis=2, initial=-1.0)
        best = self._choices[np.arange(len(self._choices)), queue.argmax(axis=2)]
        keep = is_present.any(axis=2) & (ours >= queue.max(axis=2, initial=0.0))
        self._wanted = np.where(keep, present, best)
        return self._wanted
