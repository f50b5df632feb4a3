"""Three quantities with a physical meaning, measured alike in both simulators: what a calibration may rest on.

One approach lane of a crossing, one kind of vehicle. Saturation flow: from the headways of the 5th to the 25th vehicle
of a queue that gets green (HCM 6th ed., chapter 31, field measurement of saturation flow). Start-up loss: by how much
the 4th crosses later than four such headways after the green begins. Free-flow time: of vehicles that start standing,
half a minute apart, on a way of 600 m without a red light.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from intergreen.envs.demand import Demand, Trips, VehicleType
from intergreen.envs.network import ArterialSpec, generate_arterial
from intergreen.envs.network.road_network import STRAIGHT
from intergreen.envs.scenario import Scenario
from intergreen.envs.simulation import Engine, Simulator
from intergreen.envs.simulation.sumo import SumoSimulator
from intergreen.envs.simulation.sumo_folder import ScratchFolder
from intergreen.envs.simulation.sumo_world import SumoSettings, sumo_world
from intergreen.envs.sumo_net_file import net_of

if TYPE_CHECKING:
    from intergreen.envs.arrays import IntArray

RED_S, GREEN_S = 150, 80
FIRST, LAST = 4, 25  # of the queue: what comes before belongs to the start-up
FREE_GAP_S, FREE_VEHICLES = 30, 20


class Physics(NamedTuple):
    """Of one kind of vehicle in one simulator."""

    saturation_vphpl: float
    startup_loss_s: float
    free_flow_s: float


def measure_physics(kind: VehicleType, simulator: str, *, seeds: int = 3) -> Physics:
    """Means over `seeds`.

    Parameters
    ----------
    simulator : "native" or "sumo"
    """
    scenario, movement = _one_approach(kind)
    folder = ScratchFolder()
    try:
        if simulator == "native":
            runs = Engine(scenario.network, scenario.demand)
            return _mean([_measure(runs, scenario, movement, seed) for seed in range(seeds)])
        names = net_of(scenario, folder.path)
        world = sumo_world(
            scenario.network, scenario.demand, names, SumoSettings(), folder=folder.path, hears_calls=False
        )
        sumo = SumoSimulator(scenario.network, world)
        try:
            return _mean([_measure(sumo, scenario, movement, seed) for seed in range(seeds)])
        finally:
            sumo.close()
    finally:
        folder.remove()


def _one_approach(kind: VehicleType) -> tuple[Scenario, int]:
    """A crossing of roads of 300 m at 50 km/h and the way straight on from the west, and its movement."""
    one_lane = ArterialSpec(signals=1, main_lanes=1, side_lanes=1, spacing_m=300.0, main_speed_mps=50 / 3.6)
    network = generate_arterial(one_lane)
    straight = np.flatnonzero(network.movement_turn == STRAIGHT)
    m = int(straight[0])
    route = np.array([network.movement_from_road[m], network.movement_to_road[m]], np.int32)
    one, zero = np.zeros(1, np.int32), np.zeros(1)
    demand = Demand((kind,), np.array([0, 2], np.int32), route, one, one, zero, zero, zero + 1.0)
    return Scenario("one approach", network, demand, 3600, True, "resco"), m


def _measure(simulator: Simulator, scenario: Scenario, movement: int, seed: int) -> Physics:
    lane = int(scenario.network.start_lanes(movement)[0])
    simulator.reset([_trips(60, 1, lane)], [seed])
    simulator.green[0, movement] = 0
    simulator.advance(RED_S)
    simulator.green[0, movement] = 1
    crossed: list[int] = []
    on_lane = _on(simulator, lane)
    for second in range(1, GREEN_S + 1):
        simulator.advance(1)
        now = _on(simulator, lane)
        crossed += [second] * len(on_lane - now)
        on_lane = now
    headway_s = (crossed[LAST - 1] - crossed[FIRST - 1]) / (LAST - FIRST)
    simulator.reset([_trips(FREE_VEHICLES, FREE_GAP_S, lane)], [seed])
    simulator.green[0, movement] = 1
    simulator.advance(FREE_VEHICLES * FREE_GAP_S + 200)
    totals = simulator.totals()
    free_s = float(totals.sum_travel_time_s[0] / totals.finished[0])
    return Physics(3600.0 / headway_s, crossed[FIRST - 1] - FIRST * headway_s, free_s)


def _trips(number: int, gap_s: int, lane: int) -> Trips:
    zero: IntArray = np.zeros(number, np.int32)
    return Trips(np.arange(number, dtype=np.int32) * gap_s, zero, zero, np.full(number, lane, np.int32))


def _on(simulator: Simulator, lane: int) -> set[int]:
    now = simulator.positions()
    return set(now.trip[now.drivable == lane].tolist())


def _mean(values: list[Physics]) -> Physics:
    return Physics(*(float(column) for column in np.mean(values, axis=0)))
