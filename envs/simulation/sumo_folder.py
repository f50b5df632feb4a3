"""A folder for the files of a simulation, gone with whoever owns it."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path


class ScratchFolder:
    """A new folder, removed by `remove`, or when nothing holds this object any more.

    below : the folder that it lies in, and goes with where nobody is left to remove it; None: that for temporary files
    """

    def __init__(self, below: Path | None = None) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="intergreen-sumo-", dir=below))
        self._finalizer = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)

    @property
    def is_there(self) -> bool:
        return self._finalizer.alive

    def remove(self) -> None:
        self._finalizer()
