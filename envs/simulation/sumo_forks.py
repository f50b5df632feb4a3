"""`python -m intergreen.envs.simulation.sumo_forks FD`: the process that `sumo_nursery` asks for others."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time

from intergreen.envs.simulation.sumo_library import load_libsumo
from intergreen.envs.simulation.sumo_nursery import LONGEST_END_S, NUMBER_BYTES, UNKNOWN, written
from intergreen.envs.simulation.sumo_worker import serve_run

_forked: set[int] = set()  # by this process, and not asked about yet


def main(fd: int) -> None:
    """Fork and tell of those that have ended, until the socket ends."""
    interrupted = signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the whole group; the workers end by it
    with socket.socket(fileno=fd) as asker:
        while True:
            message, fds, _, _ = socket.recv_fds(asker, NUMBER_BYTES, 1)
            if not message:
                return
            if not fds:
                asker.send(written(_status_of(int.from_bytes(message, "little", signed=True))))
                continue
            pid = os.fork()
            if pid == 0:
                asker.close()
                signal.signal(signal.SIGINT, interrupted)
                _serve(fds[0])
            os.close(fds[0])
            _forked.add(pid)
            asker.send(written(pid))


def _serve(fd: int) -> None:
    status = 1
    try:
        serve_run(fd)
        status = 0
    finally:
        os._exit(status)  # what stands above in this stack is the parent's


def _status_of(pid: int) -> int:
    deadline = time.monotonic() + LONGEST_END_S
    if pid not in _forked:
        return UNKNOWN
    _forked.remove(pid)
    while (ended := os.waitpid(pid, os.WNOHANG)) == (0, 0):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            ended = os.waitpid(pid, 0)
            break
        time.sleep(0.002)
    return os.waitstatus_to_exitcode(ended[1])


if __name__ == "__main__":
    load_libsumo()
    main(int(sys.argv[1]))
