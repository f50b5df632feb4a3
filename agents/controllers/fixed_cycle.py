"""Fixed cycle: the choices of every signal in turn, each for the same time, clearance included."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from intergreen.agents.controllers.base import CLEARANCE

if TYPE_CHECKING:
    from intergreen.agents.controllers.base import LaneCounts, Setup
    from intergreen.envs.arrays import IntArray
    from intergreen.envs.signals import SignalStatus

SLOT_S = 25  # the slot of the reference runs, the clearance at its start included


class FixedCycle:
    """Choices in turn, each for the whole decisions that cover `slot_s` seconds; a clearance comes first."""

    name = "fixed-cycle"
    interval_s: int | None = None
    own_clearance = False

    def __init__(self, *, slot_s: int = SLOT_S) -> None:
        if slot_s <= 0:
            raise ValueError(f"need slot_s > 0, got {slot_s}")
        self._slot_s = slot_s

    def start(self, setup: Setup) -> IntArray:
        interval_s = setup.protocol.interval_s
        self._held_s = interval_s * math.ceil(self._slot_s / interval_s)
        self._plan = setup.plan
        return np.full((setup.n_replicas, setup.plan.n_signals), CLEARANCE, dtype=np.int32)

    def decide(self, counts: LaneCounts, signals: SignalStatus, time_s: int) -> IntArray:
        turn = (time_s // self._held_s) % self._plan.n_choices
        wanted = self._plan.choices[np.arange(self._plan.n_signals), turn]
        return np.tile(wanted, (len(signals.phase), 1))
