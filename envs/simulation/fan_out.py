"""How often a driver in a queue takes another lane link than the one ahead: what CityFlow's cars lose time by.

There links that leave one lane count as crossing where they begin, so whoever takes another one than the driver ahead
lets it drive on its whole length first. A queue whose drivers spread over the lanes of the next road discharges slower.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from intergreen.envs.demand.volumes import released_vehicles
from intergreen.envs.simulation.routes import build_route_table

if TYPE_CHECKING:
    from intergreen.envs.arrays import BoolArray, FloatArray
    from intergreen.envs.demand import Demand
    from intergreen.envs.network import RoadNetwork

WINDOW_S = 3600


def fan_out_share(network: RoadNetwork, demand: Demand) -> float:
    """Share of pairs, of all that queue one behind the other at a signal, who take different links; 0 to 1.

    Who is ahead of whom is taken for chance: of a lane's vehicles, as many as drive over each of its links.
    """
    volume = _link_volumes(network, demand)
    queues = np.bincount(network.link_from_lane, _at_red(network)[network.link_movement], minlength=network.n_lanes) > 0
    volume[~queues[network.link_from_lane]] = 0.0
    of_lane = np.bincount(network.link_from_lane, volume, minlength=network.n_lanes)
    total = of_lane.sum()
    if total == 0.0:
        return 0.0
    alike = volume**2 / np.maximum(of_lane[network.link_from_lane], 1e-9)
    return float(1.0 - alike.sum() / total)


def _link_volumes(network: RoadNetwork, demand: Demand) -> FloatArray:
    """(K,) vehicles over each link; those of a route begin on all lanes that lead on, as many on each."""
    table = build_route_table(network, demand)
    weight = np.bincount(demand.flow_route, released_vehicles(demand, WINDOW_S), minlength=demand.n_routes)
    volume = np.zeros(network.n_links)
    for n in np.flatnonzero(weight).tolist():
        roads, row = demand.route(n), int(table.row_start[n])
        first, past = network.road_lane_start[roads[0] : roads[0] + 2]
        starts = np.flatnonzero(table.next_link[row : row + past - first] >= 0)
        for index in starts.tolist():
            at, lane_index = row, index
            for road in roads[:-1].tolist():
                link = int(table.next_link[at + lane_index])
                if link < 0:
                    break
                volume[link] += weight[n] / len(starts)
                at += int(network.road_lane_start[road + 1] - network.road_lane_start[road])
                lane_index = int(network.lane_index[network.link_to_lane[link]])
    return volume


def _at_red(network: RoadNetwork) -> BoolArray:
    """(M,) some phase of the movement's signal holds it up."""
    greens = np.bincount(network.phase_movements, minlength=network.n_movements)
    phases = np.diff(network.phase_start)[network.movement_intersection]
    return np.asarray((phases > 1) & (greens < phases))
