"""Free flow: not a rule but a bound. Each trip alone on the roads and everything green; nobody can do better.

`evaluate` and `compare` take it by name, like a controller, so that it stands in the same tables; see
`intergreen.agents.evaluation.free_flow`. It cannot be asked for a phase.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from intergreen.envs.errors import InputError

if TYPE_CHECKING:
    from intergreen.agents.controllers.base import LaneCounts, Setup
    from intergreen.envs.arrays import IntArray
    from intergreen.envs.signals import SignalStatus


class FreeFlow:
    """Stands for the bound wherever a controller is named."""

    name = "free-flow"
    interval_s: int | None = None
    own_clearance = False

    def start(self, setup: Setup) -> IntArray:
        return np.tile(setup.plan.choices[:, 0], (setup.n_replicas, 1))

    def decide(self, counts: LaneCounts, signals: SignalStatus, time_s: int) -> IntArray:
        problem = f"{self.name} is a bound and decides nothing"
        raise InputError("command line", "--controller", problem, "name it in evaluate or compare only")
