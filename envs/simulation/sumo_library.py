"""libsumo, loaded without a word, and heard where it has something to say."""

from __future__ import annotations

import io
import os
import tempfile
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


_has_run = False  # of the process, as libsumo is


def load_libsumo() -> Any:
    """The module.

    Where pyarrow is installed too, it prints that another version of it might not go with it: in the middle of the JSON
    that we write there. Both are used here in one process, and it reads no file in pyarrow's formats for us.
    """
    with redirect_stdout(io.StringIO()):
        import libsumo
    return libsumo


def start_libsumo(arguments: list[str]) -> None:
    """Begin a simulation in this process."""
    global _has_run
    _has_run = True
    load_libsumo().start(["sumo", *arguments])


def has_run_here() -> bool:
    """Whether this process has had a simulation: the next one would not be the same every time.

    SUMO goes through some of its vehicles by where they lie in memory. In a process that has just begun they lie in the
    order of their making; in one that has given memory back they do not, and the same seed drives another hour:
    cologne1 under one policy took 43.6 s or 42.8, as it came (SUMO 1.28, `close` and `start` as well as `load`).
    """
    return _has_run or bool(load_libsumo().isLoaded())


@contextmanager
def heard_errors() -> Iterator[list[str]]:
    """What libsumo writes to the process's error stream meanwhile: its exceptions say no more than "Process Error".

    The list is filled when an exception leaves the block; else everything goes where it was meant to go.
    """
    said: list[str] = []
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield said
        except BaseException:
            file.seek(0)
            said += file.read().decode(errors="replace").splitlines()
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
        file.seek(0)
        os.write(2, file.read())
