"""A run on film: everything a page needs to play it back, collected by looking on at an evaluation every second."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from intergreen.agents.evaluation.metrics import series_row
from intergreen.agents.evaluation.pages.events import SignalEvents
from intergreen.agents.evaluation.pages.trajectories import Trajectories
from intergreen.envs.simulation.statics import LENGTH, N_COLUMNS
from intergreen.envs.simulators import engine_core

if TYPE_CHECKING:
    from collections.abc import Sequence

    from intergreen.envs.arrays import FloatArray, IntArray
    from intergreen.envs.core import Core

SERIES_STEP_S = 10


class Film:
    """An onlooker for an evaluation of one seed, to be told of every second."""

    trajectories: Trajectories
    signals: SignalEvents

    def __init__(self) -> None:
        self.series_t: list[int] = []
        self.series: dict[str, list[float]] = {}
        self.kind: IntArray = np.zeros(0, np.int32)
        self.vehicle_length_m: FloatArray = np.zeros(0)

    def start(self, core: Core, seeds: Sequence[int]) -> None:
        """Begin with an empty film."""
        if len(seeds) != 1:
            raise ValueError(f"a film shows one seed, got {len(seeds)}")
        self.trajectories = Trajectories(core.network)
        self.signals = SignalEvents(core)
        engine = engine_core(core, core.network.name, "be filmed").engine
        self.kind = engine.trips.kind[0].copy()
        self.vehicle_length_m = engine.statics.types.reshape(-1, N_COLUMNS)[:, LENGTH].copy()

    def look(self, core: Core, wanted: IntArray) -> None:
        """Note a second."""
        self._note(core)
        self.signals.note_wish(core.time_s, wanted[0])

    def end(self, core: Core) -> None:
        """Note the last second."""
        self._note(core)

    def _note(self, core: Core) -> None:
        self.trajectories.note(core.time_s, core.positions())
        self.signals.note(core)
        self.signals.note_queues(core.time_s, core.counts().waiting[0])
        if core.time_s % SERIES_STEP_S == 0:
            self.series_t.append(core.time_s)
            for name, value in series_row(core.totals()).items():
                self.series.setdefault(name, []).append(float(value[0]))
