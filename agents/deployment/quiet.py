"""Signals whose detectors all tell of nobody, at once, where there usually is traffic: a cable is cut, not a road.

A lane that is silent by itself may wait long to be judged (`silent.py`); all approaches of a signal, or all signals of
a network, do not empty together from one moment to the next, and for two minutes. Where traffic ends by itself it
grows less before, and whoever was there last was one of few.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from intergreen.agents.deployment.detectors import Detectors
    from intergreen.envs.arrays import BoolArray, Float32Array, IntArray

QUIET_S, QUIET_LOOKS = 120, 8
USUAL_VEH = 3.0  # on all these lanes together, on average while there was anybody: below, it may be night
SUDDEN_SHARE = 0.5  # of the usual traffic: so much was there in the last minute, where a cable was cut
_LATELY_S = 60
_LEARNED_FROM = 200  # decisions that the average looks back on


class QuietSignals:
    """Remembers of B replicas × I signals how much traffic is usual, and since when nobody has been there."""

    def __init__(self, n_replicas: int, detectors: Detectors, interval_s: int) -> None:
        self._lane, n_signals = detectors.lane, len(detectors.number)
        self._signals, self._first = np.unique(detectors.signal, return_index=True)
        self._interval_s, self._quiet_s = interval_s, max(QUIET_S, QUIET_LOOKS * interval_s)
        shape = (n_replicas, n_signals + 1)  # the last column is the whole network
        self._usual, self._looks = np.zeros(shape), np.zeros(shape)
        self._now, self._lately = np.zeros(shape), np.zeros(shape)  # the last minute's mean; as somebody was last there
        self._empty_s = np.zeros(shape, np.int32)

    def judge(self, vehicles: IntArray | Float32Array) -> BoolArray:
        """(B, I) is every lane silent that leads to the signal, or to any signal? vehicles (B, L), 0 where a reading is
        not believed."""
        total = np.zeros(self._usual.shape)
        total[:, self._signals] = np.add.reduceat(vehicles.take(self._lane, axis=1), self._first, axis=1)
        total[:, -1] = total[:, :-1].sum(axis=1)
        somebody = total > 0
        self._empty_s = np.where(somebody, 0, self._empty_s + self._interval_s)
        self._looks = np.minimum(self._looks + somebody, _LEARNED_FROM)
        self._usual += np.where(somebody, (total - self._usual) / np.maximum(self._looks, 1), 0.0)
        share = np.maximum(self._interval_s / _LATELY_S, 1.0 / np.maximum(self._looks, 1))
        self._now += np.minimum(share, 1.0) * (total - self._now)
        self._lately = np.where(somebody, self._now, self._lately)
        was_sudden = self._lately >= SUDDEN_SHARE * self._usual
        quiet = (self._empty_s >= self._quiet_s) & (self._usual >= USUAL_VEH) & was_sudden
        never = (self._empty_s[:, -1:] >= self._quiet_s) & (
            self._looks[:, -1:] == 0
        )  # no detector has proved itself yet
        return np.asarray(quiet[:, :-1] | quiet[:, -1:] | never)
