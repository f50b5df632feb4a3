"""A simulation in SUMO in a process of its own, spoken to through a pipe: libsumo holds one simulation per process.

`python -m intergreen.envs.simulation.sumo_worker FD` is that process. It ends when its parent does, because the pipe
ends then. What goes through the pipe comes from this program alone.
"""

from __future__ import annotations

import subprocess
import sys
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from intergreen.envs.simulation.sumo_world import SumoWorld

_GONE = (EOFError, ConnectionError, OSError)
_LONGEST_END_S = 5.0


class WorkerGone(RuntimeError):
    """The process of a simulation has ended, or was killed, before its run did."""


class Worker:
    """A `SumoRun` elsewhere: `send` a method's name and arguments, then `receive` what it returned."""

    def __init__(self, world: SumoWorld) -> None:
        self._pipe, theirs = Pipe()
        command = [sys.executable, "-m", "intergreen.envs.simulation.sumo_worker", str(theirs.fileno())]
        self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        theirs.close()
        self.cpu_s = 0.0
        self._send(world)

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, method: str, *arguments: Any) -> None:
        """Ask; the answer must be received before the next question."""
        self._send((method, arguments))

    def receive(self) -> Any:
        """The answer to the last question.

        Raises
        ------
        WorkerGone
            If the process has ended.
        RuntimeError
            With the words of whatever went wrong there.
        """
        try:
            fine, answer, self.cpu_s = self._pipe.recv()
        except _GONE:
            raise self._gone() from None
        if not fine:
            raise RuntimeError(answer)
        return answer

    def close(self) -> None:
        """End the process; killed if it does not end by itself."""
        self._pipe.close()
        try:
            self._process.wait(_LONGEST_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _send(self, value: Any) -> None:
        try:
            self._pipe.send(value)
        except _GONE:
            raise self._gone() from None

    def _gone(self) -> WorkerGone:
        status = self._process.wait(_LONGEST_END_S)
        how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
        return WorkerGone(f"the process {self.pid} that ran SUMO {how}")


def main(fd: int) -> None:
    """Answer until the pipe ends."""
    from intergreen.envs.simulation.sumo_run import SumoRun

    pipe = Connection(fd)
    try:
        run = SumoRun(pipe.recv())
        while True:
            method, arguments = pipe.recv()
            pipe.send(_answer(run, method, arguments))
    except _GONE:
        return
    except KeyboardInterrupt:  # of the whole group of processes; the parent tells of it
        return


def _answer(run: Any, method: str, arguments: tuple[Any, ...]) -> tuple[bool, Any, float]:
    try:
        answer = getattr(run, method)(*arguments)
    except Exception as error:  # whatever it is, it is the parent's to tell
        return False, f"{type(error).__name__}: {error}" if type(error) is not RuntimeError else str(error), run.cpu_s
    return True, answer, run.cpu_s


if __name__ == "__main__":
    main(int(sys.argv[1]))
