"""The simulators by name: what runs a scenario under a signal plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from intergreen.envs.core import TrafficCore
from intergreen.envs.errors import InputError, shown
from intergreen.envs.sumo_net_file import require_sumo

if TYPE_CHECKING:
    from intergreen.envs.core import Core
    from intergreen.envs.scenario import Scenario
    from intergreen.envs.signals import SignalPlan
    from intergreen.envs.simulation.sumo_world import SumoSettings

NATIVE, SUMO = "native", "sumo"
SIMULATORS = (NATIVE, SUMO)


def check_simulator(name: str, who: str = "simulator") -> None:
    """Raise InputError if there is no simulator of that name, or it is not installed."""
    if name not in SIMULATORS:
        raise InputError(who, "", f"no simulator is called {shown(name)}", f"use {' or '.join(SIMULATORS)}")
    if name == SUMO:
        require_sumo(who)


def engine_core(core: Core, name: str, what: str) -> TrafficCore:
    """The core as one of the native engine's.

    Raises
    ------
    InputError
        If it is another simulator's, which cannot do `what`.
    """
    if not isinstance(core, TrafficCore):
        raise InputError(name, "simulator", f"sumo cannot {what}", "use native")
    return core


def make_core(
    simulator: str,
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
