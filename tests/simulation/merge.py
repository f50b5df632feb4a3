"""A junction where several one-lane roads run into one, along parallel paths that never touch: nobody yields there.

Hand-made, because generated networks give crossing paths a crossing point, and with it a rule about who goes first.
"""

from __future__ import annotations

import numpy as np

from intergreen.envs.demand import CAR, Demand, Trips
from intergreen.envs.network import STRAIGHT, RoadNetwork, build_network
from intergreen.envs.network.description import (
    IntersectionDescription,
    LaneDescription,
    LinkDescription,
    MovementDescription,
    NetworkDescription,
    RoadDescription,
)

LANE = (LaneDescription(4.0, 11.111),)
APPROACH_M = 60.0
PATH_M = 12.0


def merge_network(n_approaches: int, *, exit_m: float) -> RoadNetwork:
    """Roads in_0, in_1, ... of 60 m, all straight on into road `out` of `exit_m` metres; no signal."""
    offsets = [8.0 * i for i in range(n_approaches)]
    ends = [IntersectionDescription(f"end_{i}", (-APPROACH_M, y), 0.0, True, (i,)) for i, y in enumerate(offsets)]
    movements = tuple(
        MovementDescription(i, n_approaches, STRAIGHT, (LinkDescription(0, 0, ((0.0, y), (PATH_M, y))),))
        for i, y in enumerate(offsets)
    )
    junction = IntersectionDescription("junction", (0.0, 0.0), 0.0, False, tuple(range(n_approaches + 1)), movements)
    way_out = IntersectionDescription("end_out", (exit_m, 0.0), 0.0, True, (n_approaches,))
    roads = [
        RoadDescription(f"in_{i}", i, n_approaches, ((-APPROACH_M, y), (0.0, y)), LANE) for i, y in enumerate(offsets)
    ]
    roads.append(RoadDescription("out", n_approaches, n_approaches + 1, ((0.0, 0.0), (exit_m, 0.0)), LANE))
    return build_network(NetworkDescription("merge", "merge", (*ends, junction, way_out), tuple(roads)))


def one_car_each(network: RoadNetwork) -> tuple[Demand, Trips]:
    """One car on every approach, all released in the first second."""
    n = network.n_roads - 1
    ints = np.arange(n, dtype=np.int32)
    demand = Demand(
        types=(CAR,),
        route_start=np.arange(0, 2 * n + 1, 2, dtype=np.int32),
        route_roads=np.stack([ints, np.full(n, n, np.int32)], axis=1).reshape(-1).astype(np.int32),
        flow_route=ints.copy(),
        flow_type=np.zeros(n, np.int32),
        flow_start_s=np.zeros(n),
        flow_end_s=np.zeros(n),
        flow_interval_s=np.ones(n),
    )
    zeros = np.zeros(n, np.int32)
    return demand, Trips(zeros, ints.copy(), zeros.copy(), network.road_lane_start[:-2].copy())
