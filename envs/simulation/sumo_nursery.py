"""Processes for simulations in SUMO, each forked from one that has all loaded and has never simulated.

To load Python, NumPy and libsumo takes a second of processor time, to fork a hundredth; and no simulation may begin
where another one was (`sumo_library.has_run_here`). The process that forks is `sumo_forks`; it and all that it has
forked end when whoever asked does, because sockets and pipes end then.
"""

from __future__ import annotations

import atexit
import os
import socket
import subprocess
import sys
import threading

LONGEST_END_S = 5.0
NUMBER_BYTES = 8
UNKNOWN = 255  # status of a process whose nursery is gone itself
_lock = threading.Lock()
_ours: tuple[int, _Nursery] | None = None  # by the process that has it: a fork must not speak through its parent's


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
            return UNKNOWN


def _nursery() -> _Nursery:
    global _ours
    if _ours is None or _ours[0] != os.getpid() or not _ours[1].is_there:
        _ours = os.getpid(), _Nursery()
        atexit.register(_ours[1].close)
    return _ours[1]


class _Nursery:
    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        command = [sys.executable, "-m", "intergreen.envs.simulation.sumo_forks", str(theirs.fileno())]
        self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        theirs.close()

    @property
    def is_there(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        self._socket.close()
        if self._process.poll() is None:
            self._process.wait(LONGEST_END_S)

    def ask(self, fds: list[int], number: int = 0) -> int:
        try:
            socket.send_fds(self._socket, [written(number)], fds)
            answer = self._socket.recv(NUMBER_BYTES)
        except OSError:
            answer = b""
        if len(answer) < NUMBER_BYTES:
            self._socket.close()
            status = self._process.wait(LONGEST_END_S)
            raise NurseryGone(f"the process {self._process.pid} that starts SUMO's ended with status {status}")
        return int.from_bytes(answer, "little", signed=True)


def written(number: int) -> bytes:
    return number.to_bytes(NUMBER_BYTES, "little", signed=True)
