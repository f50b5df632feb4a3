"""The simulators by name, or one's own: what runs a scenario under a signal plan."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from intergreen.envs.core import Core, TrafficCore
from intergreen.envs.errors import InputError, shown
from intergreen.envs.sumo_net_file import require_sumo

if TYPE_CHECKING:
    from intergreen.envs.scenario import Scenario
    from intergreen.envs.signals import SignalPlan
    from intergreen.envs.simulation.sumo_world import SumoSettings

NATIVE, SUMO = "native", "sumo"
SIMULATORS = (NATIVE, SUMO)

Simulator = str | Callable[..., Core]
"""A name, or what makes a core of one's own: called with scenario and plan, and replicas, lane_change and monitored by
their names; results call it by its `__name__`."""


def check_simulator(name: Simulator, who: str = "simulator") -> None:
    """Raise InputError if there is no simulator of that name, or it is not installed."""
    if callable(name):
        return
    if name not in SIMULATORS:
        raise InputError(who, "", f"no simulator is called {shown(name)}", f"use {' or '.join(SIMULATORS)}")
    if name == SUMO:
        require_sumo(who)


def simulator_name(simulator: Simulator) -> str:
    """What results call it."""
    return simulator if isinstance(simulator, str) else str(getattr(simulator, "__name__", type(simulator).__name__))


def engine_core(core: Core, name: str, what: str) -> TrafficCore:
    """The core as one of the native engine's.

    Raises
    ------
    InputError
        If it is another simulator's, which cannot do `what`.
    """
    if not isinstance(core, TrafficCore):
        other = type(core).__name__.removesuffix("Core").lower()
        raise InputError(name, "simulator", f"{other} cannot {what}", "use native")
    return core


def make_core(
    simulator: Simulator,
    scenario: Scenario,
    plan: SignalPlan,
    *,
    replicas: int = 1,
    threads: int = 1,
    lane_change: bool = False,
    monitored: bool = False,
    sumo: SumoSettings | None = None,
) -> Core:
    """Signals and traffic of `replicas` copies of a scenario's network.

    threads : of the engine; SUMO runs every copy in a process of its own
    lane_change : drivers change lanes to pass queues; those of SUMO's types do so in SUMO as their type says
    sumo : SUMO's settings
    """
    check_simulator(simulator)
    if callable(simulator):
        return simulator(scenario, plan, replicas=replicas, lane_change=lane_change, monitored=monitored)
    if simulator == SUMO:
        from intergreen.envs.sumo_core import SumoCore

        return SumoCore(scenario, plan, replicas=replicas, lane_change=lane_change, monitored=monitored, settings=sumo)
    return TrafficCore(
        scenario.network,
        plan,
        scenario.demand,
        replicas=replicas,
        threads=threads,
        lane_change=lane_change,
        monitored=monitored,
    )
