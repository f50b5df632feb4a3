"""How many vehicles use each movement: what a fixed-time plan is made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from intergreen.envs.arrays import FloatArray
    from intergreen.envs.demand.demand import Demand
    from intergreen.envs.network import RoadNetwork


def movement_volumes(network: RoadNetwork, demand: Demand, vehicles: FloatArray) -> FloatArray:
    """(M,) vehicles over each movement if so many of each flow, (F,), drive their routes."""
    of_route = np.bincount(demand.flow_route, weights=vehicles, minlength=demand.n_routes)
    lengths = np.diff(demand.route_start)
    weight = np.repeat(of_route, lengths)[:-1]
    has_next = np.ones(len(demand.route_roads) - 1, np.bool_)
    has_next[demand.route_start[1:-1] - 1] = False  # from the last road of a route to the first of another
    key = _keys(network, demand.route_roads[:-1], demand.route_roads[1:])[has_next]
    known = _keys(network, network.movement_from_road, network.movement_to_road)
    order = np.argsort(known, kind="stable")
    movement = order[np.searchsorted(known, key, sorter=order)]
    volumes: FloatArray = np.bincount(movement, weights=weight[has_next], minlength=network.n_movements).astype(float)
    return volumes


def released_vehicles(demand: Demand, horizon_s: int) -> FloatArray:
    """(F,) vehicles that each flow releases before the horizon."""
    last_s = np.where(demand.flow_end_s < 0, horizon_s - 1, np.minimum(demand.flow_end_s, horizon_s - 1))
    releases = np.floor((last_s - demand.flow_start_s) / demand.flow_interval_s) + 1.0
    return np.maximum(releases, 0.0)


def _keys(network: RoadNetwork, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    return start.astype(np.int64) * network.n_roads + end
