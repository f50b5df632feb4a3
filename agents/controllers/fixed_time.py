"""Fixed time: the network's own program, each phase for its own duration, phase 0 first.

The clock is CityFlow's: once a second the remaining time falls by one, and while none remains the next phase adds
its duration. The literature shows the program as it stands, with the clearance phases that it has or has not; field
timing puts its own clearance between its greens.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from intergreen.envs.errors import InputError
from intergreen.envs.signals.state import NO_PHASE

if TYPE_CHECKING:
    from intergreen.agents.controllers.base import LaneCounts, Setup
    from intergreen.envs.arrays import BoolArray, FloatArray, IntArray
    from intergreen.envs.signals import SignalStatus

_NO_SIGNAL_S = 3600  # without signals nothing ever changes; any long time will do


class FixedTime:
    """The network's own signal program."""

    name = "fixed-time"
    interval_s: int | None = 1
    own_clearance = True

    def start(self, setup: Setup) -> IntArray:
        _check_programs(setup)
        self._n_replicas = setup.n_replicas
        self._n_phases = setup.plan.n_phases
        self._offset = setup.plan.phase_offset
        self._may_show = setup.plan.rules.may_show != 0
        self._duration_s = setup.network.phase_duration_s
        self._elapsed_s = setup.network.programme_elapsed_s[setup.plan.intersection]
        self._rewind()
        return self._for_all_replicas()

    def decide(self, counts: LaneCounts, signals: SignalStatus, time_s: int) -> IntArray:
        if time_s < self._time_s:
            self._rewind()
        while self._time_s < time_s:
            self._tick()
        return self._for_all_replicas()

    def seconds_until_change(self, time_s: int) -> int:
        """Seconds until some signal's clock runs out; `time_s` must be the second of the last decision."""
        if time_s != self._time_s:
            raise ValueError(f"the clock stands at {self._time_s} s, not at {time_s} s: decide first")
        if not self._remain_s.size:
            return _NO_SIGNAL_S
        return max(1, math.ceil(self._remain_s.min()))

    def _rewind(self) -> None:
        self._time_s = 0
        self._current = np.zeros(len(self._n_phases), dtype=np.int32)
        # A first phase of 0 s still shows in second 0: the clock moves only after a step.
        self._remain_s: FloatArray = self._duration_s[self._offset] - self._elapsed_s
        self._turn_on((self._remain_s <= 0.0) & (self._elapsed_s > 0.0))

    def _tick(self) -> None:
        self._time_s += 1
        self._remain_s -= 1.0
        self._turn_on(self._remain_s <= 0.0)

    def _turn_on(self, due: BoolArray) -> None:
        while due.any():
            self._current[due] = (self._current[due] + 1) % self._n_phases[due]
            self._remain_s[due] += self._duration_s[self._offset[due] + self._current[due]]
            due = self._remain_s <= 0.0

    def _for_all_replicas(self) -> IntArray:
        """A phase that is not shown, as the programme's own clearances are not under field timing: the present one."""
        wanted = np.where(self._may_show[self._offset + self._current], self._current, NO_PHASE)
        return np.tile(wanted.astype(np.int32), (self._n_replicas, 1))


def _check_programs(setup: Setup) -> None:
    """A program without any duration would turn for ever within one second."""
    network, plan = setup.network, setup.plan
    for i, j in enumerate(plan.intersection):
        offset = plan.phase_offset[i]
        total_s = float(network.phase_duration_s[offset : offset + plan.n_phases[i]].sum())
        if total_s <= 0.0:
            where = f"intersection '{network.intersection_ids[j]}'"
            problem = f"its program lasts {total_s:g} s in all"
            raise InputError(network.name, where, problem, "give its phases a time above 0")
