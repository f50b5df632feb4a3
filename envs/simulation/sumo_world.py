"""What one simulation in SUMO needs to know of network, signals and drivers: plain data, fit for another process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from intergreen.envs.network.approaches import (
    AT_STOP_LINE_M,
    approach_lanes,
    links_over_cuts,
    queue_lanes,
    stop_line_ahead_m,
)
from intergreen.envs.network.sumo_index import SumoIndex
from intergreen.envs.simulation.fan_out import fan_out_share

if TYPE_CHECKING:
    from intergreen.envs.arrays import BoolArray, FloatArray, IntArray
    from intergreen.envs.demand import Demand
    from intergreen.envs.network import RoadNetwork


class SumoSettings(NamedTuple):
    """How SUMO is run; its other options stand at their defaults."""

    time_to_teleport_s: float = -1.0  # vehicles that stand longer are put farther on; -1: never
    additional: tuple[str, ...] = ()  # SUMO's additional files


class SumoWorld(NamedTuple):
    """One network in SUMO; L lanes, M movements."""

    names: SumoIndex
    folder: Path  # below which every run keeps its files
    settings: SumoSettings
    demand: Demand
    road_ids: tuple[str, ...]
    road_length_m: FloatArray  # (R,)
    lane_length_m: FloatArray  # (L,)
    lane_limit_mps: FloatArray  # (L,)
    lane_road: IntArray  # (L,)
    is_approach: BoolArray  # (L,) ends at a signal with a choice, ...
    queues: BoolArray  # (L,) ... or somebody who waits for one is seen, where a file cuts the street
    behind_cuts: IntArray  # lanes onto which people drive over a cut of the street before a stop line
    movement_of: dict[tuple[int, int], int]  # lane and next road -> movement
    calling: tuple[IntArray, IntArray, FloatArray]  # (C,) lane, movement, m: who is so near the end calls
    n_movements: int
    hears_calls: bool
    lane_change: bool  # drivers that are not of SUMO's types change lanes to pass queues
    fan_out: float  # share of drivers who take another link than the one ahead; 0 in SUMO's own networks
    fastest_mps: float  # of all types

    @property
    def n_lanes(self) -> int:
        return len(self.lane_road)


def sumo_world(
    network: RoadNetwork,
    demand: Demand,
    index: SumoIndex,
    settings: SumoSettings,
    *,
    folder: Path,
    hears_calls: bool,
    lane_change: bool = False,
) -> SumoWorld:
    """The world of a network whose names in SUMO are `index`.

    folder : for files of its runs
    hears_calls : is it asked who stands at the stop lines?
    """
    signalled = np.zeros(network.n_intersections, np.bool_)
    signalled[network.signalled] = True
    ends = zip(network.link_from_lane.tolist(), network.link_movement.tolist(), strict=True)
    pairs = sorted(set(ends))
    return SumoWorld(
        names=index._replace(net=Path(index.net).absolute()),
        folder=folder.absolute(),
        settings=settings,
        demand=demand,
        road_ids=network.road_ids,
        road_length_m=network.road_length_m,
        lane_length_m=network.lane_length_m,
        lane_limit_mps=network.lane_speed_limit_mps,
        lane_road=network.lane_road,
        is_approach=signalled[network.road_to[network.lane_road]],
        queues=queue_lanes(network),
        behind_cuts=np.unique(network.link_to_lane[links_over_cuts(network)]),
        movement_of={(lane, int(network.movement_to_road[m])): m for lane, m in pairs},
        calling=_calling(network),
        n_movements=network.n_movements,
        hears_calls=hears_calls,
        lane_change=lane_change,
        fan_out=0.0 if network.conventions == "sumo" else fan_out_share(network, demand),
        fastest_mps=max(kind.max_speed_mps for kind in demand.types),
    )


def _calling(network: RoadNetwork) -> tuple[IntArray, IntArray, FloatArray]:
    """As the engine's detectors: lanes, movements, and how far from the lane's end a vehicle has arrived."""
    at_signal = np.flatnonzero(np.isin(network.movement_intersection, network.signalled)).tolist()
    pairs = [(lane, m) for m in at_signal for lane in approach_lanes(network, m, reach_m=AT_STOP_LINE_M).tolist()]
    lane, movement = np.array(pairs, np.int32).reshape(-1, 2).T.copy()
    return lane, movement, AT_STOP_LINE_M - stop_line_ahead_m(network, reach_m=AT_STOP_LINE_M)[lane]
