"""Several controllers on several scenarios under the same rules, by name: what the command line asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from intergreen.agents.controllers import controller_by_name
from intergreen.agents.evaluation.run import evaluate
from intergreen.agents.progress import Progress, part_of
from intergreen.envs.protocol import Protocol, protocol_by_name
from intergreen.envs.scenario import Scenario, load_scenario


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
        If a name or a file is wrong.
    """
    common = None if protocol_name is None else protocol_by_name(protocol_name)
    for name in controller_names:
        controller_by_name(name)
    cells = []
    for scenario_name in scenario_names:
        scenario = load_scenario(scenario_name, drop_invalid_routes=drop_invalid_routes)
        protocol = common or protocol_by_name(scenario.default_protocol)
        cells += [Cell(scenario, name, protocol) for name in controller_names]
    return cells


def run_cells(
    cells: Sequence[Cell],
    *,
    seeds: Sequence[int],
    threads: int = 1,
    horizon_s: int | None = None,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """One `evaluate --json` object per cell; `horizon_s` None for each protocol's own."""
    return [
        evaluate(
            cell.scenario,
            controller_by_name(cell.controller_name),
            cell.protocol,
            seeds=seeds,
            threads=threads,
            horizon_s=horizon_s,
            progress=part_of(progress, number, len(cells), f"{cell.scenario.name} {cell.controller_name}"),
        )
        for number, cell in enumerate(cells)
    ]
