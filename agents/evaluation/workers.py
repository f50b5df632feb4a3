"""Tasks of a comparison done by processes that share nothing; one that dies takes its own task with it and no other.

Each worker keeps what a cell needs from one seed to the next, and is given seeds of the cell it is at while there are
any.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any

from intergreen.agents.controllers.own import failure_of_own
from intergreen.agents.deployment.names import decider_by_name
from intergreen.agents.evaluation.batch import Workshop
from intergreen.agents.evaluation.compare import Cell
from intergreen.agents.evaluation.run import evaluate
from intergreen.envs.errors import one_line

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

    from intergreen.envs.scenario import Scenario

LONGEST_END_S = 5.0


@dataclass(frozen=True, slots=True)
class Task:
    """One seed of the cell with that number; `weight` is about how long it takes, in any unit."""

    cell: int
    seed: int
    horizon_s: int
    weight: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a task: a result, or None and why."""

    task: Task
    result: dict[str, Any] | None
    why: str = ""


def outcomes(cells: Sequence[Cell], tasks: Sequence[Task], *, workers: int = 1) -> Iterator[Outcome]:
    """What becomes of every task, in the order in which they end."""
    if workers <= 1:
        bench = _Bench()
        for task in tasks:
            yield bench.done(cells[task.cell], task)
        return
    with _Crew(cells, min(workers, len(tasks))) as crew:
        yield from crew.outcomes(tasks)


class _Bench:
    """Where one process works: a controller, and what is kept of a scenario between its seeds."""

    def __init__(self) -> None:
        self._cell: Cell | None = None
        self._workshop = Workshop()

    def done(self, cell: Cell, task: Task) -> Outcome:
        try:
            if self._cell is not cell:
                self._take_up(cell)
            result = evaluate(
                cell.scenario,
                self._controller,
                cell.protocol,
                seeds=[task.seed],
                horizon_s=task.horizon_s,
                faults=cell.faults,
                simulator=cell.simulator,
                sumo=cell.sumo,
                workshop=self._workshop,
            )
        except Exception as error:  # whatever it is, it is this seed's: the others go on
            self._cell, self._workshop = None, Workshop()  # nothing half-done is used again
            return Outcome(task, None, _words(error))
        return Outcome(task, result)

    def _take_up(self, cell: Cell) -> None:
        if self._cell is None or self._cell.scenario is not cell.scenario:
            self._workshop = Workshop()
        self._controller = decider_by_name(cell.controller_name)
        self._cell = cell


def _words(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "not enough memory"
    own = failure_of_own(error)
    if own is not None:
        return one_line(own)
    return one_line(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)


class _Worker:
    """A process, the pipe to it, and the task it is at."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(target=_serve, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()  # so that the pipe ends when the process does
        self.task: Task | None = None
        self.number: int | None = None  # of the cell that it is at
        self._scenario: Scenario | None = None  # that it has

    def give(self, task: Task, cell: Cell) -> None:
        """Send the task, and of the cell what the worker does not have yet."""
        new = None
        if self.number != task.cell:
            scenario = None if self._scenario is cell.scenario else cell.scenario
            names = cell.controller_name, cell.controller_title
            new = scenario, *names, cell.protocol, cell.faults, cell.simulator, cell.sumo
        self.task, self.number, self._scenario = task, task.cell, cell.scenario
        with suppress(OSError):  # one that has died meanwhile is found out when its outcome is taken
            self.pipe.send((task, new))

    def take(self) -> Outcome:
        """What became of the task; where the process has died, that."""
        task, self.task = self.task, None
        assert task is not None
        try:
            outcome: Outcome = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join(LONGEST_END_S)
            self.end()
            return Outcome(task, None, _end_of(self.process.exitcode))
        return outcome

    @property
    def is_alive(self) -> bool:
        return self.process.is_alive()

    def end(self) -> None:
        """End the process; killed where it hears no SIGTERM, as whoever started us may have left it ignored."""
        self.pipe.close()
        self.process.terminate()
        self.process.join(LONGEST_END_S)
        if self.is_alive:
            self.process.kill()
            self.process.join()


class _Crew:
    """Several workers, each with a task as long as there are any."""

    def __init__(self, cells: Sequence[Cell], n_workers: int) -> None:
        self._cells = cells
        self._workers = [_Worker() for _ in range(n_workers)]

    def __enter__(self) -> _Crew:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.end()

    def outcomes(self, tasks: Sequence[Task]) -> Iterator[Outcome]:
        waiting = list(tasks)
        for worker in self._workers:
            self._give_next(worker, waiting)
        while any(worker.task is not None for worker in self._workers):
            busy = {worker.pipe: number for number, worker in enumerate(self._workers) if worker.task is not None}
            for pipe in wait(list(busy)):
                number = busy[pipe]  # type: ignore[index]
                outcome = self._workers[number].take()
                if outcome.result is None and not self._workers[number].is_alive:
                    self._workers[number].end()
                    self._workers[number] = _Worker()
                self._give_next(self._workers[number], waiting)
                yield outcome

    def _give_next(self, worker: _Worker, waiting: list[Task]) -> None:
        """A seed of the cell the worker is at, or one of a cell that nobody is at, or any; nothing if none is left."""
        if not waiting:
            return
        others = {one.number for one in self._workers if one is not worker and one.task is not None}
        mine = (k for k, task in enumerate(waiting) if task.cell == worker.number)
        free = (k for k, task in enumerate(waiting) if task.cell not in others)
        task = waiting.pop(next(mine, next(free, 0)))
        worker.give(task, self._cells[task.cell])


def _end_of(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"the worker was killed by signal {signal.Signals(-exit_code).name}"
    return f"the worker ended with status {exit_code}"


def _serve(pipe: Connection) -> None:
    """What a worker does until its pipe ends, as it does when the one who started it is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started it decides when to stop
    bench, cells = _Bench(), list[Cell]()
    with suppress(EOFError, OSError):
        while True:
            task, new = pipe.recv()
            if new is not None:
                scenario, *rest = new
                cells = [Cell(scenario or cells[0].scenario, *rest)]
            pipe.send(bench.done(cells[0], task))
