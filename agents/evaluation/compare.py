"""Several controllers on several scenarios under the same rules, by name: what the command line asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from intergreen.agents.controllers import Setup, controller_names
from intergreen.agents.controllers.base import Breakable
from intergreen.agents.controllers.registry import bound_names, is_own
from intergreen.agents.deployment.names import decider_by_name
from intergreen.agents.evaluation.onlooker import Onlooker
from intergreen.agents.evaluation.provenance import policy_fingerprint
from intergreen.agents.evaluation.run import evaluate
from intergreen.agents.progress import Progress, part_of
from intergreen.envs.errors import InputError
from intergreen.envs.fault_file import FaultList
from intergreen.envs.fault_kinds import Fault
from intergreen.envs.protocol import Protocol, protocol_by_name
from intergreen.envs.scenario import EMBEDDED, Scenario, load_scenario
from intergreen.envs.simulation.sumo_world import SumoSettings
from intergreen.envs.simulators import NATIVE
from intergreen.envs.unseen import at_level, with_closed_lanes, with_other_destinations, with_varied_trips
from intergreen.envs.verification import refuse_unsafe

ALL_EMBEDDED = "embedded"  # stands for the embedded scenarios
ALL_CONTROLLERS = "all"  # stands for the baselines and the bound; oracles are asked for by name


@dataclass(frozen=True, slots=True)
class Cell:
    """One run of a comparison: who drives, who decides, under which rules, what fails, and what simulates it.

    controller_name   as it was typed, which finds the controller
    controller_title  what results call it, different for each controller of a comparison
    """

    scenario: Scenario
    controller_name: str
    controller_title: str
    protocol: Protocol
    faults: tuple[Fault, ...] = ()
    simulator: str = NATIVE
    sumo: SumoSettings | None = None

    def titled(self, result: dict[str, Any]) -> dict[str, Any]:
        """A result of this cell, with the controller under its title."""
        return {**result, "controller": self.controller_title}


def comparison_cells(
    scenario_names: Sequence[str],
    controller_names: Sequence[str],
    *,
    protocol_name: str | None = None,
    drop_invalid_routes: bool = False,
    faults: FaultList | None = None,
    demand_levels: Sequence[float] = (1.0,),
    vary_trips: bool = False,
    od_mix: int | None = None,
    closed_lanes: int | None = None,
    simulator: str = NATIVE,
    sumo: SumoSettings | None = None,
) -> list[Cell]:
    """Every scenario × controller, in this order; all names are resolved and all files read here, before any run.

    Parameters
    ----------
    protocol_name : None for each scenario's own protocol
    faults : what fails in every run
    demand_levels : every scenario at each of these, see `intergreen.envs.unseen`
    vary_trips : fixed trips are other ones for every seed
    od_mix : with destinations dealt out by this seed; None: with its own
    closed_lanes : with lanes closed that this seed draws; None: with all
    simulator, sumo : what simulates every run, and SUMO's settings

    Raises
    ------
    InputError
        If a name or a file is wrong, two are the same, a policy or a fault does not fit, or a signal is not safe.
    """
    common = None if protocol_name is None else protocol_by_name(protocol_name)
    titles = controller_titles(controller_names)
    scenarios = [load_scenario(name, drop_invalid_routes=drop_invalid_routes) for name in scenario_names]
    refuse_equal_names(scenario_names, [scenario.name for scenario in scenarios])
    if vary_trips:
        scenarios = [with_varied_trips(scenario) for scenario in scenarios]
    if od_mix is not None:
        scenarios = [with_other_destinations(scenario, od_mix) for scenario in scenarios]
    if closed_lanes is not None:
        scenarios = [with_closed_lanes(scenario, closed_lanes) for scenario in scenarios]
    scenarios = [at_level(scenario, level) for scenario in scenarios for level in demand_levels]
    failing = faults.faults if faults else ()
    cells = [
        Cell(scenario, name, title, common or protocol_by_name(scenario.default_protocol), failing, simulator, sumo)
        for scenario in scenarios
        for name, title in zip(controller_names, titles, strict=True)
    ]
    for cell in {(one.scenario.name, one.protocol.name): one for one in cells}.values():
        refuse_unsafe(cell.scenario.network, cell.protocol.plan(cell.scenario.network))
    for cell in cells:
        _check_fit(cell)
        if faults is not None:
            check_faults(faults, cell)
    return cells


def named_scenarios(names: Sequence[str]) -> list[str]:
    """The names, with all embedded scenarios where `embedded` stands."""
    return [one for name in names for one in (EMBEDDED if name == ALL_EMBEDDED else (name,))]


def named_controllers(names: Sequence[str], *, simulator: str = NATIVE) -> list[str]:
    """The names, with every baseline and the native engine's free-flow bound where `all` stands, without oracles."""
    every = [*controller_names(), *(bound_names() if simulator == NATIVE else ())]
    return [one for name in names for one in (every if name == ALL_CONTROLLERS else (name,))]


def controller_titles(typed: Sequence[str]) -> list[str]:
    """What results call the controllers: each its own name, or as it was typed where two have one name.

    Raises
    ------
    InputError
        If two are the same controller.
    """
    names = [decider_by_name(one).name for one in typed]
    for k, one in enumerate(typed):
        for earlier in (other for other, name in zip(typed[:k], names, strict=False) if name == names[k]):
            if is_same_controller(earlier, one):
                problem = f"{earlier!r} and {one!r} are the same controller"
                raise InputError("command line", "--controllers", problem, "name it once")
    return [name if names.count(name) == 1 else one for name, one in zip(names, typed, strict=True)]


def is_same_controller(one: str, other: str) -> bool:
    """Do two names, as they are typed, stand for one rule, or for the same weights under the same name?"""
    if one == other or is_own(one) or is_own(other):
        return one == other
    called_alike = decider_by_name(one).name == decider_by_name(other).name
    return called_alike and policy_fingerprint(one) == policy_fingerprint(other)


def refuse_equal_names(given: Sequence[str], names: Sequence[str]) -> None:
    """Two scenarios that are called alike could not be told apart in a table."""
    for k, name in enumerate(names):
        if name in names[:k]:
            problem = f"{given[names.index(name)]!r} and {given[k]!r} are both called {name!r}"
            mend = "rename one, name their folders, or run them one by one"
            raise InputError("command line", "SCENARIO", problem, mend)


def _check_fit(cell: Cell) -> None:
    """Let the controller look at the network, so that a policy made for another one is refused before any run."""
    plan = cell.protocol.plan(cell.scenario.network)
    decider_by_name(cell.controller_name).start(Setup(cell.scenario.network, plan, cell.protocol, n_replicas=1))


def check_faults(faults: FaultList, cell: Cell) -> None:
    """Refuse faults of lanes that are not there, and of a policy where there is none."""
    faults.check_lanes(cell.scenario.network)
    if faults.of_policy and not isinstance(decider_by_name(cell.controller_name), Breakable):
        problem = f"{cell.controller_name} has no policy that could fail"
        kind = faults.of_policy[0].kind
        place = "" if kind == faults.source else kind
        raise InputError(faults.source, place, problem, "leave it out for this controller")


def run_cells(
    cells: Sequence[Cell],
    *,
    seeds: Sequence[int],
    threads: int = 1,
    horizon_s: int | None = None,
    progress: Progress | None = None,
    onlooker: Onlooker | None = None,
) -> list[dict[str, Any]]:
    """One `evaluate --json` object per cell; `horizon_s` None for each scenario's own, `onlooker` looks each second."""
    return [
        cell.titled(
            evaluate(
                cell.scenario,
                decider_by_name(cell.controller_name),
                cell.protocol,
                seeds=seeds,
                threads=threads,
                horizon_s=horizon_s,
                faults=cell.faults,
                simulator=cell.simulator,
                sumo=cell.sumo,
                progress=part_of(progress, number, len(cells), f"{cell.scenario.name} {cell.controller_title}"),
                onlooker=onlooker,
                look_every_s=1,
            )
        )
        for number, cell in enumerate(cells)
    ]
