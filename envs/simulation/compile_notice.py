"""Saying that the engine is being compiled, which takes minutes the first time on a machine."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

NOTICE_AFTER_S = 3.0  # a filled cache loads faster than this
_TEXT = "compiling the engine: one to three minutes, once on this machine for every kind of run"
_lock = threading.Lock()
_said: list[str] = []  # at most once a process


@contextmanager
def compile_notice() -> Iterator[None]:
    """Say so on stderr, once, if what is done meanwhile takes longer than loading from the cache would."""
    timer = threading.Timer(NOTICE_AFTER_S, _say)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _say() -> None:
    with _lock:
        if not _said:
            _said.append(_TEXT)
            print(_TEXT, file=sys.stderr, flush=True)
