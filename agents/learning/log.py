"""The log of a run: one row per update, as CSV and for TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter

from intergreen.agents.controllers.run_folder import TENSORBOARD, read_log, write_log

Number = int | float


class TrainingLog:
    """Rows by steps. A run that goes on keeps the rows up to its checkpoint; TensorBoard hides the later ones."""

    def __init__(self, folder: Path, *, steps: int) -> None:
        self._folder = folder
        self._rows: list[dict[str, Any]] = read_log(folder, up_to_steps=steps)
        self._events = SummaryWriter(str(folder / TENSORBOARD), purge_step=steps + 1)

    def add(self, row: Mapping[str, Number]) -> None:
        """One row; `steps` says when."""
        self._rows.append(dict(row))
        for name, value in row.items():
            if name != "steps":
                self._events.add_scalar(name, value, int(row["steps"]))

    def save(self) -> None:
        """Write what has been added."""
        write_log(self._folder, self._rows)
        self._events.flush()

    def close(self) -> None:
        """Let go of the file that TensorBoard reads."""
        self._events.close()
