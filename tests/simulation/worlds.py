"""Small random worlds: a generated network, mixed traffic and arbitrary greens, all from one seed.

The greens are not a signal program: movements open and close at random, conflicting ones together, so that every
rule at a crossing is met within minutes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from intergreen.envs.arrays import BoolArray
from intergreen.envs.demand import ClassMix, Demand, Trips, TurnSpec, VehicleType, generate_demand, release_trips
from intergreen.envs.network import (
    ArterialSpec,
    GridSpec,
    RoadNetwork,
    TownSpec,
    generate_arterial,
    generate_grid,
    generate_town,
)

HORIZON_S = 240


@dataclass(frozen=True)
class World:
    """One network with its traffic, and what is needed to repeat it."""

    network: RoadNetwork
    demand: Demand
    trips: Trips
    seed: int

    def greens(self, seconds: int) -> BoolArray:
        """(seconds, M): each movement keeps its colour for about ten seconds, half of the time green."""
        random = np.random.default_rng([self.seed, 1])
        green = random.random(self.network.n_movements) < 0.5
        rows = np.empty((seconds, self.network.n_movements), np.bool_)
        for t in range(seconds):
            green = green ^ (random.random(len(green)) < 0.1)
            rows[t] = green
        return rows

    def priorities(self, seed: int) -> np.ndarray:
        """(N,) the engine's draw for `seed`: who goes first where all else is equal."""
        return np.random.default_rng(seed).permutation(len(self.trips))


def random_world(seed: int) -> World:
    """A network of one to six junctions under more traffic than it can take."""
    random = np.random.default_rng(seed)
    network = _network(random)
    types = tuple(_vehicle_type(f"type{i}", random) for i in range(int(random.integers(1, 4))))
    mix = ClassMix(types, tuple(random.uniform(0.2, 1.0, len(types))))
    rate = float(random.uniform(200, 900))
    demand = generate_demand(network, TurnSpec(entry_vph=rate, horizon_s=HORIZON_S, mix=mix), seed=seed)
    return World(network, demand, release_trips(network, demand, horizon_s=HORIZON_S, seed=seed), seed)


def _network(random: np.random.Generator) -> RoadNetwork:
    speed = float(random.choice([8.0, 11.111, 20.0]))
    kind = random.integers(3)
    if kind == 0:
        rows, columns, lanes = (int(n) for n in random.integers(1, 4, size=3))
        spacing = float(random.uniform(90, 200))
        return generate_grid(
            GridSpec(
                rows=min(rows, 2),
                columns=columns,
                spacing_x_m=spacing,
                spacing_y_m=spacing + 20,
                lanes=lanes,
                lane_width_m=float(random.choice([2.5, 4.0])),
                speed_limit_mps=speed,
            )
        )
    if kind == 1:
        main, side = (int(n) for n in random.integers(1, 4, size=2))
        return generate_arterial(
            ArterialSpec(
                signals=int(random.integers(1, 4)),
                spacing_m=float(random.uniform(90, 250)),
                side_length_m=100.0,
                main_lanes=main,
                side_lanes=side,
                main_speed_mps=speed,
            )
        )
    return generate_town(TownSpec(signals=int(random.integers(2, 6)), spacing_m=160.0), seed=int(random.integers(1000)))


def _vehicle_type(name: str, random: np.random.Generator) -> VehicleType:
    """Anything from a motorcycle to a lorry; half of them brake harder in need than they like to."""
    usual_accel, usual_decel = random.uniform(0.8, 3.0), random.uniform(2.0, 5.0)
    spare = float(random.choice([0.0, 1.5]))
    return VehicleType(
        name=name,
        length_m=float(random.choice([2.2, 5.0, 12.0])),
        min_gap_m=float(random.choice([0.0, 1.0, 2.5])),
        max_speed_mps=float(random.uniform(6.0, 25.0)),
        max_accel_mps2=usual_accel + spare / 3,
        max_decel_mps2=usual_decel + spare,
        usual_accel_mps2=usual_accel,
        usual_decel_mps2=usual_decel,
        headway_s=float(random.choice([0.5, 1.5, 2.0])),
    )
