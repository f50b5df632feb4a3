"""Signals and traffic with SUMO as the simulator."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from intergreen.envs.simulation.sumo import SumoSimulator
from intergreen.envs.simulation.sumo_folder import ScratchFolder
from intergreen.envs.simulation.sumo_world import SumoSettings, sumo_world
from intergreen.envs.stepped_core import SteppedCore
from intergreen.envs.sumo_net_file import net_of, require_sumo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from intergreen.envs.arrays import IntArray
    from intergreen.envs.demand import Trips
    from intergreen.envs.scenario import Scenario
    from intergreen.envs.signals import SignalPlan


class SumoCore(SteppedCore):
    """B copies of one scenario's network in SUMO, under one signal plan.

    Parameters
    ----------
    lane_change : drivers that are not of SUMO's types change lanes to pass queues, not only where their route needs it
    settings : of SUMO
    monitored : every display is watched against the program card of network and timing

    Raises
    ------
    InputError
        If SUMO is not installed, or netconvert cannot write the network.
    """

    simulator: SumoSimulator

    def __init__(
        self,
        scenario: Scenario,
        plan: SignalPlan,
        *,
        replicas: int = 1,
        lane_change: bool = False,
        settings: SumoSettings | None = None,
        monitored: bool = False,
    ) -> None:
        require_sumo(scenario.name)
        self._folder = ScratchFolder()
        world = sumo_world(
            scenario.network,
            scenario.demand,
            net_of(scenario, self._folder.path),
            settings or SumoSettings(),
            folder=self._folder.path,
            hears_calls=plan.hears_calls,
            lane_change=lane_change,
        )
        simulator = SumoSimulator(scenario.network, world, replicas=replicas)
        super().__init__(scenario.network, plan, simulator, monitored=monitored)

    def reset(self, trips: Sequence[Trips], seeds: Sequence[int], start_phase: IntArray) -> None:
        """As `SteppedCore.reset`; ValueError once it has been closed."""
        if not self._folder.is_there:
            raise ValueError("this simulation in SUMO has been closed: make another one")
        super().reset(trips, seeds, start_phase)

    def __getstate__(self) -> NoReturn:
        """A copy would drive the original's simulations, and take their files away at its end."""
        raise TypeError("a simulation in SUMO cannot be copied or pickled: make another one, and reset it alike")

    def close(self) -> None:
        """End the simulations and remove their files."""
        super().close()
        self._folder.remove()
