"""A simulation in SUMO in a process of its own, spoken to through a pipe: libsumo holds one simulation per process.

The process ends when its parent does, because the pipe ends then. What goes through the pipe comes from this program
alone.
"""

from __future__ import annotations

from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from intergreen.envs.simulation.sumo_nursery import exit_status, fork_worker, leave
from intergreen.envs.simulation.sumo_run import SumoRun

if TYPE_CHECKING:
    from intergreen.envs.simulation.sumo_world import SumoWorld

_GONE = (EOFError, ConnectionError, OSError)


class WorkerGone(RuntimeError):
    """The process of a simulation has ended, or was killed, before its run did."""


class Worker:
    """A `SumoRun` elsewhere: `send` a method's name and arguments, then `receive` what it returned."""

    def __init__(self, world: SumoWorld) -> None:
        self._pipe, theirs = Pipe()
        self.pid = fork_worker(theirs.fileno())
        theirs.close()
        self._status: int | None = None  # once it has ended
        self.cpu_s = 0.0
        self._send(world)

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
        self._end()

    def leave(self) -> None:
        """Let the process end, and wait for nothing."""
        self._pipe.close()
        if self._status is None:
            leave(self.pid)

    def _send(self, value: Any) -> None:
        try:
            self._pipe.send(value)
        except _GONE:
            raise self._gone() from None

    def _end(self) -> int:
        if self._status is None:
            self._status = exit_status(self.pid)
        return self._status

    def _gone(self) -> WorkerGone:
        status = self._end()
        how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
        return WorkerGone(f"the process {self.pid} that ran SUMO {how}")


def serve_run(fd: int) -> None:
    """Answer until the pipe ends."""
    pipe = Connection(fd)
    run = None
    try:
        run = SumoRun(pipe.recv())
        while True:
            method, arguments = pipe.recv()
            pipe.send(_answer(run, method, arguments))
    except _GONE:
        pass
    except KeyboardInterrupt:  # of the whole group of processes; the parent tells of it
        pass
    finally:
        if run is not None:
            run.close()


def _answer(run: Any, method: str, arguments: tuple[Any, ...]) -> tuple[bool, Any, float]:
    try:
        answer = getattr(run, method)(*arguments)
    except Exception as error:  # whatever it is, it is the parent's to tell
        return False, f"{type(error).__name__}: {error}" if type(error) is not RuntimeError else str(error), run.cpu_s
    return True, answer, run.cpu_s
