"""Several controllers on several scenarios under the same rules, by name: what the command line asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from intergreen.agents.controllers import Setup
from intergreen.agents.deployment.names import decider_by_name
from intergreen.agents.evaluation.run import evaluate
from intergreen.agents.progress import Progress, part_of
from intergreen.envs.errors import InputError
from intergreen.envs.protocol import Protocol, protocol_by_name
from intergreen.envs.scenario import Scenario, load_scenario
from intergreen.envs.verification import refuse_unsafe


@dataclass(frozen=True, slots=True)
class Cell:
    """One run of a comparison: who drives, who decides, under which rules."""

    scenario: Scenario
    controller_name: str
    protocol: Protocol


def comparison_cells(
    scenario_names: Sequence[str],
    controller_names: Sequence[str],
    *,
    protocol_name: str | None = None,
    drop_invalid_routes: bool = False,
) -> list[Cell]:
    """Every scenario × controller, in this order; all names are resolved and all files read here, before any run.

    Parameters
    ----------
    protocol_name : None for each scenario's own protocol

    Raises
    ------
    InputError
        If a name or a file is wrong, two share a name, a policy does not fit a network, or a signal is not safe.
    """
    common = None if protocol_name is None else protocol_by_name(protocol_name)
    _refuse_equal_names("--controllers", controller_names, [decider_by_name(name).name for name in controller_names])
    scenarios = [load_scenario(name, drop_invalid_routes=drop_invalid_routes) for name in scenario_names]
    _refuse_equal_names("SCENARIO", scenario_names, [scenario.name for scenario in scenarios])
    cells = [
        Cell(scenario, name, common or protocol_by_name(scenario.default_protocol))
        for scenario in scenarios
        for name in controller_names
    ]
    for cell in {(one.scenario.name, one.protocol.name): one for one in cells}.values():
        refuse_unsafe(cell.scenario.network, cell.protocol.plan(cell.scenario.network))
    for cell in cells:
        _check_fit(cell)
    return cells


def _refuse_equal_names(option: str, given: Sequence[str], names: Sequence[str]) -> None:
    """Two that are called alike could not be told apart in a table."""
    for k, name in enumerate(names):
        if name in names[:k]:
            problem = f"{given[names.index(name)]!r} and {given[k]!r} are both called {name!r}"
            raise InputError("command line", option, problem, "rename one, or run them one by one")


def _check_fit(cell: Cell) -> None:
    """Let the controller look at the network, so that a policy made for another one is refused before any run."""
    plan = cell.protocol.plan(cell.scenario.network)
    decider_by_name(cell.controller_name).start(Setup(cell.scenario.network, plan, cell.protocol, n_replicas=1))


def run_cells(
    cells: Sequence[Cell],
    *,
    seeds: Sequence[int],
    threads: int = 1,
    horizon_s: int | None = None,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """One `evaluate --json` object per cell; `horizon_s` None for each scenario's own."""
    return [
        evaluate(
            cell.scenario,
            decider_by_name(cell.controller_name),
            cell.protocol,
            seeds=seeds,
            threads=threads,
            horizon_s=horizon_s,
            progress=part_of(progress, number, len(cells), f"{cell.scenario.name} {cell.controller_name}"),
        )
        for number, cell in enumerate(cells)
    ]
