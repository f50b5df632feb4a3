"""Processes for simulations in SUMO, each forked from one that has all loaded and has never simulated.

To load Python, NumPy and libsumo takes a second of processor time, to fork a hundredth; and no simulation may begin
where another one was (`sumo_library.has_run_here`). `python -m intergreen.envs.simulation.sumo_nursery FD` is the
process that forks; it and all that it has forked end when whoever asked does, because sockets and pipes end then.
"""

from __future__ import annotations

import atexit
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST_END_S = 5.0
_NUMBER = 8  # bytes
_UNKNOWN = 255  # status of a process that a nursery has forked which is gone itself
_lock = threading.Lock()
_ours: tuple[int, _Nursery] | None = None  # by the process that has it: a fork must not speak through its parent's
_forked: set[int] = set()  # by this process, if it is a nursery, and not asked about yet


class NurseryGone(RuntimeError):
    """The process that forks the others has ended."""


def fork_worker(fd: int) -> int:
    """The number of a new process that answers through the pipe `fd`."""
    with _lock:
        return _nursery().ask([fd])


def exit_status(pid: int) -> int:
    """Of a process that ends or has ended, minus the signal if one ended it; killed if it does not end by itself."""
    with _lock:
        try:
            return _nursery().ask([], pid)
        except NurseryGone:
            return _UNKNOWN


def _nursery() -> _Nursery:
    global _ours
    if _ours is None or _ours[0] != os.getpid() or not _ours[1].is_there:
        _ours = os.getpid(), _Nursery()
        atexit.register(_ours[1].close)
    return _ours[1]


class _Nursery:
    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        command = [sys.executable, "-m", "intergreen.envs.simulation.sumo_nursery", str(theirs.fileno())]
        self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        theirs.close()

    @property
    def is_there(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        self._socket.close()
        if self._process.poll() is None:
            self._process.wait(_LONGEST_END_S)

    def ask(self, fds: list[int], number: int = 0) -> int:
        try:
            socket.send_fds(self._socket, [_written(number)], fds)
            answer = self._socket.recv(_NUMBER)
        except OSError:
            answer = b""
        if len(answer) < _NUMBER:
            self._socket.close()
            status = self._process.wait(_LONGEST_END_S)
            raise NurseryGone(f"the process {self._process.pid} that starts SUMO's ended with status {status}")
        return int.from_bytes(answer, "little", signed=True)


def main(fd: int, serve: Callable[[int], None]) -> None:
    """Fork and tell of those that have ended, until the socket ends."""
    interrupted = signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the whole group; the workers end by it
    with socket.socket(fileno=fd) as asker:
        while True:
            message, fds, _, _ = socket.recv_fds(asker, _NUMBER, 1)
            if not message:
                return
            if not fds:
                asker.send(_written(_status_of(int.from_bytes(message, "little", signed=True))))
                continue
            pid = os.fork()
            if pid == 0:
                asker.close()
                signal.signal(signal.SIGINT, interrupted)
                _serve(fds[0], serve)
            os.close(fds[0])
            _forked.add(pid)
            asker.send(_written(pid))


def _serve(fd: int, serve: Callable[[int], None]) -> None:
    status = 1
    try:
        serve(fd)
        status = 0
    finally:
        os._exit(status)  # what stands above in this stack is the parent's


def _status_of(pid: int) -> int:
    deadline = time.monotonic() + _LONGEST_END_S
    if pid not in _forked:
        return _UNKNOWN
    _forked.remove(pid)
    while (ended := os.waitpid(pid, os.WNOHANG)) == (0, 0):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            ended = os.waitpid(pid, 0)
            break
        time.sleep(0.002)
    return os.waitstatus_to_exitcode(ended[1])


def _written(number: int) -> bytes:
    return number.to_bytes(_NUMBER, "little", signed=True)


if __name__ == "__main__":
    from intergreen.envs.simulation.sumo_library import load_libsumo
    from intergreen.envs.simulation.sumo_worker import serve_run

    load_libsumo()
    main(int(sys.argv[1]), serve_run)
