"""Webster and coordinated: fixed-time plans for known volumes, each signal's own or all in step; see `programme` and
`coordination`. The volumes are the scenario's expected ones."""

from __future__ import annotations

from operator import is_not
from typing import TYPE_CHECKING

import numpy as np

from intergreen.agents.controllers.coordination import coordinated_programme
from intergreen.agents.controllers.programme import Programme, own_programme, webster_programme

if TYPE_CHECKING:
    from intergreen.agents.controllers.base import LaneCounts, Setup
    from intergreen.envs.arrays import IntArray
    from intergreen.envs.signals import SignalStatus

_NO_SIGNAL_S = 3600  # without signals nothing ever changes; any long time will do


class Webster:
    """Cycle and splits by Webster (1958) from the volumes of the setup; without volumes, the network's own plan."""

    name = "webster"
    interval_s: int | None = 1
    own_clearance = False
    _made_for: tuple[object, ...] = ()

    def start(self, setup: Setup) -> IntArray:
        self._n_replicas = setup.n_replicas
        inputs = setup.network, setup.plan, setup.flows_vph
        if len(self._made_for) != len(inputs) or any(map(is_not, self._made_for, inputs)):  # a seed changes none
            self._programme, self._made_for = self._plan(setup), inputs
        return np.tile(self._programme.wanted(0), (setup.n_replicas, 1))

    def decide(self, counts: LaneCounts, signals: SignalStatus, time_s: int) -> IntArray:
        return np.tile(self._programme.wanted(time_s), (self._n_replicas, 1))

    def seconds_until_change(self, time_s: int) -> int:
        """Seconds until some signal is to change."""
        return int(self._programme.seconds_until_change(time_s).min(initial=_NO_SIGNAL_S))

    def _plan(self, setup: Setup) -> Programme:
        return fixed_programme(setup)


class Coordinated(Webster):
    """One cycle for all, and offsets by free-flow travel times; without volumes, the network's own plan."""

    name = "coordinated"

    def _plan(self, setup: Setup) -> Programme:
        if setup.flows_vph is None:
            return own_programme(setup.network, setup.plan)
        return coordinated_programme(setup.network, setup.plan, setup.flows_vph)


def fixed_programme(setup: Setup) -> Programme:
    """The best plan that can be made without looking at traffic."""
    if setup.flows_vph is None:
        return own_programme(setup.network, setup.plan)
    return webster_programme(setup.network, setup.plan, setup.flows_vph)
