"""Every cell of a comparison for every seed, shared out among processes; what is in a store is not run again.

A task is one seed of one cell, so a number depends neither on how many workers there are nor on which of them ran it,
a failure costs one seed, and a run that is killed has lost no more than the seeds it was at.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from intergreen.agents.controllers.registry import is_own
from intergreen.agents.deployment.names import decider_by_name
from intergreen.agents.evaluation import parts
from intergreen.agents.evaluation.provenance import policy_fingerprint, sumo_identity
from intergreen.agents.evaluation.run import versions
from intergreen.agents.evaluation.store import ResultStore, RowKey, Table, TableKey, opened
from intergreen.agents.evaluation.workers import Task, outcomes
from intergreen.envs.files import json_text
from intergreen.envs.scenario_fingerprint import scenario_fingerprint
from intergreen.envs.simulators import SUMO

if TYPE_CHECKING:
    from intergreen.agents.evaluation.compare import Cell
    from intergreen.agents.evaluation.workers import Outcome
    from intergreen.agents.progress import Progress

SAVE_EVERY_S = 1.0  # what a killed run may have to do again

Result = dict[str, Any]


@dataclass(slots=True)
class _CellWork:
    """A cell with what is known of it so far."""

    cell: Cell
    controller: str
    horizon_s: int
    done: dict[int, Result] = field(default_factory=dict)  # by seed
    failed: dict[int, str] = field(default_factory=dict)
    table: Table | None = None
    policy: str = ""

    def keep(self, outcome: Outcome) -> bool:
        """Take over what a worker says of a seed; was it a result?"""
        seed = outcome.task.seed
        if outcome.result is None:
            self.failed[seed] = outcome.why
            return False
        self.done[seed] = outcome.result
        if self.table is not None:
            self.table.rows[RowKey(self.controller, self.policy, seed)] = outcome.result
        return True

    def result(self, seeds: Sequence[int]) -> Result:
        """One `evaluate --json` object; its `seeds` are those that came to their end, `failed` says why others did
        not."""
        known = [self.done[seed] for seed in seeds if seed in self.done]
        whole = parts.joined(known) if known else parts.nothing(self._stated())
        failed = [{"seed": seed, "why": self.failed[seed]} for seed in seeds if seed in self.failed]
        return self.cell.titled({**whole, "failed": failed})

    def _stated(self) -> Result:
        return {
            "scenario": self.cell.scenario.name,
            "controller": self.controller,
            "protocol": self.cell.protocol.name,
            "simulator": self.cell.simulator,
            "horizon_s": self.horizon_s,
            "faults": [fault.stated() for fault in self.cell.faults],
            "versions": versions(),
        }


def run_grid(
    cells: Sequence[Cell],
    *,
    seeds: Sequence[int],
    workers: int = 1,
    horizon_s: int | None = None,
    store: Path | None = None,
    progress: Progress | None = None,
) -> list[Result]:
    """One `evaluate --json` object for each cell, in their order, with a key `failed` beside the others.

    Parameters
    ----------
    workers : processes; 1 runs everything in this one
    horizon_s : None for each scenario's own
    store : folder of finished runs, read before and added to as runs end; None: nothing is kept. Controllers of one's
        own always run

    Raises
    ------
    InputError
        If the store cannot be used. A run that fails raises nothing.
    """
    with opened(store) if store is not None else nullcontext() as opened_store:
        works = [_work(cell, horizon_s, opened_store) for cell in cells]
        _take_from_tables(works, seeds)
        tasks = _tasks(works, seeds)
        saver, weight, done = _Saver(), sum(task.weight for task in tasks), 0.0
        try:
            for outcome in outcomes(cells, tasks, workers=workers):
                work = works[outcome.task.cell]
                if work.keep(outcome) and work.table is not None:
                    saver.changed(work.table)
                done += outcome.task.weight
                if progress is not None:
                    progress(
                        done / weight,
                        f"{work.cell.scenario.name} {work.cell.controller_title} seed {outcome.task.seed}",
                    )
        finally:
            saver.save()
    return [work.result(seeds) for work in works]


class _Saver:
    """Writes tables that have changed, not more often than every `SAVE_EVERY_S`."""

    def __init__(self) -> None:
        self._changed: list[Table] = []
        self._saved_s = monotonic()

    def changed(self, table: Table) -> None:
        if not any(one is table for one in self._changed):
            self._changed.append(table)
        if monotonic() - self._saved_s >= SAVE_EVERY_S:
            self.save()

    def save(self) -> None:
        while self._changed:
            self._changed[-1].save()
            self._changed.pop()
        self._saved_s = monotonic()


def _work(cell: Cell, horizon_s: int | None, store: ResultStore | None) -> _CellWork:
    horizon_s = cell.scenario.horizon_s if horizon_s is None else horizon_s
    work = _CellWork(cell, decider_by_name(cell.controller_name).name, horizon_s)
    if store is not None and not is_own(cell.controller_name):  # nobody knows what its numbers depend on
        key = TableKey(
            scenario=cell.scenario.name,
            demand=scenario_fingerprint(cell.scenario),
            protocol=cell.protocol.name,
            simulator=_simulator_stated(cell),
            horizon_s=horizon_s,
            faults=json_text([fault.stated() for fault in cell.faults]),
        )
        work.table = store.table(key)
        work.policy = policy_fingerprint(cell.controller_name)
    return work


def _simulator_stated(cell: Cell) -> str:
    """The simulator's name, its settings where they are not the usual ones, and of SUMO what it is and reads."""
    settings = "" if cell.sumo is None else f" {json_text(cell.sumo._asdict())}"
    identity = f" {sumo_identity(cell.scenario)}" if cell.simulator == SUMO else ""
    return f"{cell.simulator}{settings}{identity}"


def _take_from_tables(works: Sequence[_CellWork], seeds: Sequence[int]) -> None:
    for work in works:
        for seed in seeds:
            found = work.table and work.table.rows.get(RowKey(work.controller, work.policy, seed))
            if found:
                work.done[seed] = found


def _tasks(works: Sequence[_CellWork], seeds: Sequence[int]) -> list[Task]:
    """What is left to do, the largest networks first, so that no worker is left alone with one at the end."""
    tasks = [
        Task(number, seed, work.horizon_s, work.cell.scenario.network.n_lanes * work.horizon_s)
        for number, work in enumerate(works)
        for seed in seeds
        if seed not in work.done
    ]
    return sorted(tasks, key=lambda task: -task.weight)  # stable: cells and seeds stay in their order
