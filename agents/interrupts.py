"""Ctrl-C that is not lost while the engine compiles.

Most of that time is spent in LLVM, which calls Python back when it is done: there the interrupt is raised first, where
Python can do no more than print and forget it. What follows is an error of Numba's, or nothing at all.
"""

from __future__ import annotations

import _thread
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

_AGAIN_AFTER_S = 0.05  # long enough for whoever calls back to be left


@contextmanager
def kept_interrupts() -> Iterator[None]:
    """Within, an interrupt that Python forgets comes again; an error that it leaves behind is that interrupt.

    For the main thread, which is where interrupts come.
    """
    waiting: list[threading.Timer] = []
    told_before = sys.unraisablehook

    def tell(unraisable: UnraisableHookArgs) -> None:
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            told_before(unraisable)
            return
        waiting.append(threading.Timer(_AGAIN_AFTER_S, _thread.interrupt_main))
        waiting[-1].daemon = True
        waiting[-1].start()

    sys.unraisablehook = tell
    try:
        yield
    except Exception as error:
        if not waiting:
            raise
        raise KeyboardInterrupt from error
    finally:
        sys.unraisablehook = told_before
        for timer in waiting:
            timer.cancel()
