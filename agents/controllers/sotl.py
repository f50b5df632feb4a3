"""SOTL: self-organising traffic lights. Who sees red adds up vehicle-seconds; at a threshold the light changes.

Cools, Gershenson and D'Hooghe (2008), "Self-organizing traffic lights: a realistic simulation", in Advances in Applied
Self-Organizing Systems (sotl-platoon, first in Gershenson, 2005): a counter kappa adds up, second by second, the
vehicles that approach a red light within a distance rho; at kappa >= theta the light changes, but not before its
least green, nor while a platoon of fewer than mu vehicles is within a short distance omega of the green light.

The papers have two phases. With more of them, as here, each phase has its own counter, over the lanes for which it
opens a way that the present one has not; the highest counter is served, and begins again. Vehicles within rho are
those that wait and those that can reach the stop line before the next decision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from intergreen.agents.controllers.signal_lanes import shown_or_wanted, signal_lanes

if TYPE_CHECKING:
    from intergreen.agents.controllers.base import LaneCounts, Setup
    from intergreen.envs.arrays import BoolArray, FloatArray, IntArray
    from intergreen.envs.signals import SignalStatus


@dataclass(frozen=True, slots=True)
class SotlSettings:
    """Thresholds of the rule."""

    # kappa at which the light changes: of 50, 100, ..., 1600 the best on single, grid4x4 and town, seeds 1000 and 1001
    theta_veh_s: float = 400.0
    min_green_s: int = 5
    mu_veh: int = 3  # fewer than this near the green light are not cut off; more are: a long platoon can be split

    def __post_init__(self) -> None:
        if not (self.theta_veh_s > 0 and self.min_green_s >= 0 and self.mu_veh >= 0):
            raise ValueError(f"need theta_veh_s > 0, min_green_s >= 0 and mu_veh >= 0, got {self}")


class Sotl:
    """omega is the nearest of the arrival bins, 2.5 s at the speed limit: 28 m at 40 km/h."""

    name = "sotl"
    interval_s: int | None = None
    own_clearance = False

    def __init__(self, settings: SotlSettings | None = None) -> None:
        self._settings = settings or SotlSettings()

    def start(self, setup: Setup) -> IntArray:
        plan = setup.plan
        self._choices = plan.choices
        self._lanes = signal_lanes(setup.network, plan)
        self._kappa: FloatArray = np.zeros((setup.n_replicas, *plan.choices.shape))
        self._counted_s = 0
        self._wanted: IntArray = np.tile(plan.choices[:, 0], (setup.n_replicas, 1))
        return self._wanted

    def decide(self, counts: LaneCounts, signals: SignalStatus, time_s: int) -> IntArray:
        present = shown_or_wanted(signals.phase, signals.green_s, self._wanted)
        choice = self._lanes.choice_of(present)
        self._count(counts, choice, time_s)
        may_end = (signals.green_s >= self._settings.min_green_s) & ~self._platoon_nears(counts, choice)
        change = may_end & (self._kappa.max(axis=2, initial=0.0) >= self._settings.theta_veh_s)
        best = self._choices[np.arange(len(self._choices)), self._kappa.argmax(axis=2)]
        self._wanted = np.where(change | (present < 0), best, present)
        return self._wanted

    def _count(self, counts: LaneCounts, choice: IntArray, time_s: int) -> None:
        """Add what came since the last decision; the present phase begins from 0."""
        red = self._lanes.opened(choice)
        approaching = self._lanes.at(counts.waiting) + self._lanes.at(counts.near)
        seconds = max(0, time_s - self._counted_s)
        self._counted_s = time_s
        self._kappa += np.einsum("bik,bick->bic", approaching, red) * seconds
        self._kappa[np.arange(self._kappa.shape[2]) == choice[:, :, None]] = 0.0

    def _platoon_nears(self, counts: LaneCounts, choice: IntArray) -> BoolArray:
        """(B, I) somebody, but fewer than mu, is about to cross the green light."""
        crossing = (self._lanes.at(counts.arriving[:, :, 0]) * self._lanes.served(choice)).sum(axis=2)
        nears: BoolArray = (crossing > 0) & (crossing < self._settings.mu_veh)
        return nears
