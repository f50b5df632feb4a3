"""One process at a time writes a run's folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from intergreen.envs.errors import InputError

LOCK = ".lock"


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Nobody else writes the run in `folder` meanwhile; the system takes the lock back from a process that is killed.

    Raises
    ------
    InputError
        If another process writes it now.
    """
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        mend = "wait until it ends, or name another folder with --out"
        raise InputError(folder, "", "another process writes this run now", mend) from None
    try:
        yield
    finally:
        lock.release()
