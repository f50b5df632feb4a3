"""The movements that a demand uses: whether a network has them, and how many vehicles drive them for how long, which
a fixed-time plan is made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from intergreen.envs.arrays import BoolArray, FloatArray
    from intergreen.envs.demand.demand import Demand
    from intergreen.envs.network import RoadNetwork


def movement_volumes(network: RoadNetwork, demand: Demand, vehicles: FloatArray) -> FloatArray:
    """(M,) vehicles over each movement if so many of each flow, (F,), drive their routes."""
    of_route = np.bincount(demand.flow_route, weights=vehicles, minlength=demand.n_routes)
    lengths = np.diff(demand.route_start)
    weight = np.repeat(of_route, lengths)[:-1]
    has_next = _has_next(demand)
    key = _keys(network, demand.route_roads[:-1], demand.route_roads[1:])[has_next]
    known = _keys(network, network.movement_from_road, network.movement_to_road)
    order = np.argsort(known, kind="stable")
    movement = order[np.searchsorted(known, key, sorter=order)]
    volumes: FloatArray = np.bincount(movement, weights=weight[has_next], minlength=network.n_movements).astype(float)
    return volumes


def missing_movement(network: RoadNetwork, demand: Demand) -> tuple[int, int] | None:
    """Two roads that follow each other on a route, though none of the network's movements leads from one to the other;
    None where there are no such two."""
    start, end = demand.route_roads[:-1], demand.route_roads[1:]
    known = _keys(network, network.movement_from_road, network.movement_to_road)
    missing = np.flatnonzero(_has_next(demand) & ~np.isin(_keys(network, start, end), known))
    return (int(start[missing[0]]), int(end[missing[0]])) if len(missing) else None


def released_vehicles(demand: Demand, horizon_s: int) -> FloatArray:
    """(F,) vehicles that each flow releases before the horizon."""
    last_s = np.where(demand.flow_end_s < 0, horizon_s - 1, np.minimum(demand.flow_end_s, horizon_s - 1))
    releases = np.floor((last_s - demand.flow_start_s) / demand.flow_interval_s) + 1.0
    return np.maximum(releases, 0.0)


def busy_s(demand: Demand, vehicles: FloatArray) -> float:
    """Seconds from the first release to the end of the last one's interval, 0 without any.

    Parameters
    ----------
    vehicles : (F,) that each flow releases
    """
    some = vehicles > 0.0
    if not some.any():
        return 0.0
    first_s = demand.flow_start_s[some]
    spaced = np.where(vehicles[some] > 1.0, vehicles[some], 0.0)  # of a single vehicle the interval means nothing
    end_s = first_s + spaced * demand.flow_interval_s[some]
    return float(end_s.max() - first_s.min())


def _has_next(demand: Demand) -> BoolArray:
    """Of every entry of `route_roads` but the last: does the next one belong to the same route?"""
    has_next = np.ones(max(0, len(demand.route_roads) - 1), np.bool_)
    has_next[demand.route_start[1:-1] - 1] = False
    return has_next


def _keys(network: RoadNetwork, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    return start.astype(np.int64) * network.n_roads + end
