"""A scenario that goes wrong for two of its seeds; in a module of its own, so that workers can import it."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from typing import TYPE_CHECKING

from intergreen.envs.errors import CapacityError
from intergreen.envs.scenario import Scenario

if TYPE_CHECKING:
    from intergreen.agents.evaluation.compare import Cell

RAISES, KILLS = 1, 2  # seeds


class Breaking(Scenario):
    """Has no trips for one seed, and kills the process that asks for those of another."""

    __slots__ = ()

    def trips(self, seed, *, horizon_s=None):
        if seed == RAISES:
            raise CapacityError("lane x is full")
        if seed == KILLS:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().trips(seed, horizon_s=horizon_s)


def breaking(cell: Cell) -> Cell:
    """The cell with a scenario that breaks."""
    fields = {name: getattr(cell.scenario, name) for name in Scenario.__dataclass_fields__}
    return replace(cell, scenario=Breaking(**fields))
