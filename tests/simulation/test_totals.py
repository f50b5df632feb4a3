"""The sums that metrics are made of."""

import numpy as np

from intergreen.envs.demand import ClassMix, TurnSpec, VehicleType, generate_demand, release_trips
from intergreen.envs.network import GridSpec, generate_grid
from intergreen.envs.simulation import Engine


def test_totals_of_many_vehicle_types_do_not_depend_on_the_size_of_the_batch():
    random = np.random.default_rng(0)
    types = tuple(
        VehicleType(f"type{i}", max_speed_mps=random.uniform(5, 20), occupancy=random.uniform(1, 50)) for i in range(60)
    )
    network = generate_grid(GridSpec(rows=1, columns=2))
    demand = generate_demand(network, TurnSpec(900.0, horizon_s=300, mix=ClassMix(types, (1.0,) * 60)), seed=0)

    def totals(members: list[int]) -> list[list[bytes]]:
        engine = Engine(network, demand, replicas=len(members))
        engine.reset([release_trips(network, demand, horizon_s=300, seed=m) for m in members], members)
        engine.advance(300)
        return [[column[b].tobytes() for column in engine.totals()] for b in range(len(members))]

    members = list(range(5))
    assert totals(members) == [totals([m])[0] for m in members]
