"""Trajectories on request: where everybody is and what every signal shows, second by second, in one file.

A recording is a NumPy `.npz` without pickles:

second, trip, drivable   (n,) int32, one row per vehicle and second; drivable: lane 0..L-1, or L + lane link
distance_m, speed_mps    (n,) float32
time_s                   (T,) int32, the seconds recorded
phase                    (T, I) int32, local phase on display after the second; -1: a clearance without a phase
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from intergreen.envs.arrays import IntArray
from intergreen.envs.core import Core
from intergreen.envs.files import replacing


class Recording:
    """Collects the seconds of one replica of a core; see the module for what is kept."""

    def __init__(self, replica: int = 0) -> None:
        self._replica = replica
        self._time_s: list[int] = []
        self._phase: list[IntArray] = []
        self._columns: dict[str, list[np.ndarray]] = {
            name: [] for name in ("second", "trip", "drivable", "distance_m", "speed_mps")
        }

    def run(self, core: Core, wanted: IntArray, seconds: int) -> None:
        """`core.run` with a note after every second; the traffic is the same as without."""
        for _ in range(seconds):
            core.run(wanted, 1)
            self.note(core)

    def note(self, core: Core) -> None:
        """Note where everybody is now."""
        now = core.positions(self._replica)
        self._time_s.append(core.time_s)
        self._phase.append(core.displayed[self._replica].copy())
        self._columns["second"].append(np.full(len(now.trip), core.time_s, np.int32))
        self._columns["trip"].append(now.trip)
        self._columns["drivable"].append(now.drivable)
        self._columns["distance_m"].append(now.distance.astype(np.float32))
        self._columns["speed_mps"].append(now.speed.astype(np.float32))

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays of the file so far."""
        n_signals = len(self._phase[0]) if self._phase else 0
        columns = {name: np.concatenate(parts) if parts else np.zeros(0) for name, parts in self._columns.items()}
        phase = np.array(self._phase, np.int32).reshape(len(self._phase), n_signals)
        return columns | {"time_s": np.array(self._time_s, np.int32), "phase": phase}

    def save(self, path: Path) -> None:
        """Write the recording; a run that is killed leaves the old file or the new one."""
        with replacing(path) as temporary:
            np.savez_compressed(temporary, **self.arrays())  # type: ignore[arg-type]
