"""A place for compiled kernels where Numba would find none: a read-only installation and no home, as in containers.

Numba keeps them beside the sources, else in the user's cache folder, and otherwise raises an error on import. What it
keeps it unpickles, so the place is a new folder that nobody else can write to, and goes when the process ends.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

VARIABLE = "NUMBA_CACHE_DIR"


def find_room_for_kernels(installed: Path) -> None:
    """Set NUMBA_CACHE_DIR to a temporary folder where neither `installed` nor the user's cache can be written to."""
    if os.environ.get(VARIABLE) or _is_writable(installed) or _can_be_made(_user_cache()):
        return
    folder = tempfile.mkdtemp(prefix="intergreen-kernels-")
    atexit.register(_remove, folder, os.getpid())
    os.environ[VARIABLE] = folder  # worker processes inherit it
    if "numba" in sys.modules:  # it has read its environment already
        sys.modules["numba"].config.CACHE_DIR = folder


def _is_writable(installed: Path) -> bool:
    kept = installed / "__pycache__"
    return os.access(kept if kept.is_dir() else installed, os.W_OK | os.X_OK)


def _can_be_made(folder: Path) -> bool:
    """As Numba finds out: by making the folder and a file in it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _user_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()) / "numba"


def _remove(folder: str, owner: int) -> None:
    """A forked worker ends before the process that made the folder, which still needs it."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)
