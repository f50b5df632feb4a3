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
LONGEST_ANSWER_S = 120.0  # to load libsumo and to fork, on a machine that has much else to do
NUMBER_BYTES = 8
UNKNOWN = 255  # status of a process whose nursery is gone itself
_lock = threading.Lock()
_left: list[int] = []  # processes whose pipes were closed where nobody could wait for them
_ours: tuple[int, _Nursery] | None = None  # by the process that has it: a fork must not speak through its parent's


class NurseryGone(RuntimeError):
    """The process that forks the others has ended."""


def fork_worker(fd: int) -> int:
    """The number of a new process that answers through the pipe `fd`."""
    with _lock:
        while _left:
            _status_of(_left.pop())
        return _nursery().ask([fd])


def exit_status(pid: int) -> int:
    """Of a process that ends or has ended, minus the signal if one ended it; killed if it does not end by itself."""
    with _lock:
        return _status_of(pid)


def leave(pid: int) -> None:
    """Let a process end without waiting for it; the next `fork_worker` looks after it.

    For the collector, which calls anywhere: also in the middle of what holds the lock.
    """
    _left.append(pid)


def _status_of(pid: int) -> int:
    if not _has_nursery():
        return UNKNOWN
    try:
        return _nursery().ask([], pid)
    except NurseryGone:
        return UNKNOWN


def _has_nursery() -> bool:
    return _ours is not None and _ours[0] == os.getpid() and _ours[1].is_there


def _nursery() -> _Nursery:
    global _ours
    if _ours is None or not _has_nursery():
        _ours = os.getpid(), _Nursery()
        atexit.register(_ours[1].close)
    return _ours[1]


class _Nursery:
    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        self._socket.settimeout(LONGEST_ANSWER_S)
        command = [sys.executable, "-m", "intergreen.envs.simulation.sumo_forks", str(theirs.fileno())]
        self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        theirs.close()

    @property
    def is_there(self) -> bool:
        return self._socket.fileno() >= 0 and self._process.poll() is None

    def close(self) -> int:
        """End the process, killed if it does not end by itself; its status."""
        self._socket.close()
        try:
            return self._process.wait(LONGEST_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def ask(self, fds: list[int], number: int = 0) -> int:
        try:
            socket.send_fds(self._socket, [written(number)], fds)
            answer = self._socket.recv(NUMBER_BYTES)
        except OSError:
            answer = b""
        except BaseException:  # interrupted: the answer to this question would be taken for the next one's
            self._socket.close()
            raise
        if len(answer) < NUMBER_BYTES:
            status = self.close()
            raise NurseryGone(f"the process {self._process.pid} that starts SUMO's ended with status {status}")
        return int.from_bytes(answer, "little", signed=True)


def written(number: int) -> bytes:
    return number.to_bytes(NUMBER_BYTES, "little", signed=True)
