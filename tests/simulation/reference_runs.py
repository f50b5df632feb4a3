"""Runs that CityFlow's references describe: a scenario folder under one of three controls, second by second.

Only the package's public names are used, as a caller would. The controls are those of the references: `fixed` the
network's own program, `cycle` 25 s a phase with 5 s of clearance first, `mp` max-pressure every 10 s with 5 s of
clearance.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from intergreen.agents.controllers import Setup, controller_by_name
from intergreen.envs.core import TrafficCore
from intergreen.envs.demand import Demand, Trips, read_cityflow_demand, release_trips
from intergreen.envs.demand.release import release_times
from intergreen.envs.network import RoadNetwork, find_file, read_cityflow_network
from intergreen.envs.protocol import Protocol, protocol_by_name
from intergreen.envs.signals import FixedClearance

HORIZON_S = 3600
IN_JUNCTION = "(in an intersection)"
# control -> controller, protocol
CONTROLS = {
    "fixed": ("fixed-time", Protocol("reference-fixed", 1, FixedClearance(0))),
    "cycle": ("fixed-cycle", protocol_by_name("literature-25-5")),
    "mp": ("max-pressure", protocol_by_name("literature-10-5")),
}


def reference_files(pattern: str) -> list[Path]:
    """Reference files that match, in order; none where INTERGREEN_DATA is unset."""
    folder = os.environ.get("INTERGREEN_DATA")
    return sorted(Path(folder, "reference", "cityflow").glob(pattern)) if folder else []


def reference_folders() -> list[Path]:
    """Scenario folders of the benchmark networks, in order; none where INTERGREEN_DATA is unset."""
    folder = os.environ.get("INTERGREEN_DATA")
    return sorted(path.parent for path in Path(folder, "cityflow").glob("*/roadnet.json*")) if folder else []


def read_reference(path: Path) -> dict[str, Any]:
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    content: dict[str, Any] = json.loads(text)
    return content


@dataclass(frozen=True)
class World:
    """One benchmark network with its trips."""

    network: RoadNetwork
    demand: Demand

    def trips(self, seed: int = 0) -> Trips:
        return release_trips(self.network, self.demand, horizon_s=HORIZON_S, seed=seed)

    def trip_names(self) -> list[str]:
        """CityFlow's vehicle names, trip by trip: flow_<flow>_<how many that flow released before>."""
        flow, release_s = release_times(self.demand, HORIZON_S)
        first = np.searchsorted(flow, flow)
        order = np.argsort(release_s, kind="stable")
        return [f"flow_{flow[i]}_{i - first[i]}" for i in order]


def load_world(folder: Path) -> World:
    network = read_cityflow_network(find_file(folder, "roadnet.json"))
    return World(network, read_cityflow_demand(find_file(folder, "flow.json"), network, drop_invalid=True))


def run(
    world: World, control: str, *, stops: list[int], seeds: tuple[int, ...] = (0,), lane_change: bool = False
) -> Iterator[TrafficCore]:
    """Yield the core at each of the seconds `stops` (ascending), one replica a seed."""
    name, protocol = CONTROLS[control]
    controller = controller_by_name(name)
    interval_s = controller.interval_s or protocol.interval_s
    plan = protocol.plan(world.network, own_clearance=controller.own_clearance)
    core = TrafficCore(world.network, plan, world.demand, replicas=len(seeds), lane_change=lane_change)
    start = controller.start(Setup(world.network, plan, protocol, len(seeds)))
    core.reset([world.trips(seed) for seed in seeds], seeds, start)
    wanted, decide_at = start, 0
    for stop in stops:
        while core.time_s < stop:
            if core.time_s == decide_at:
                wanted = controller.decide(core.counts(), core.signals(interval_s), core.time_s)
                decide_at += interval_s
            core.run(wanted, min(decide_at, stop) - core.time_s)
        yield core


def read_outs(core: TrafficCore, replica: int = 0) -> dict[str, float]:
    """The references' columns now."""
    totals = core.totals()
    return {
        "t": core.time_s,
        "running": int(totals.running[replica]),
        "running_or_waiting_to_enter": int(totals.running[replica] + totals.waiting_outside[replica]),
        "halted_on_lanes(<0.1m/s)": int(totals.halted[replica]),
        "sum_speed": float(totals.sum_speed[replica]),
        "sum_distance_on_drivable": float(totals.sum_distance_on_drivable[replica]),
        "avg_travel_time": float(totals.sum_travel_time_s[replica] / totals.released[replica]),
    }


def lane_counts(world: World, core: TrafficCore) -> dict[str, int]:
    """Lane name -> vehicles on it, empty lanes left out."""
    vehicles = core.counts().vehicles[0]
    return {world.network.lane_name(int(lane)): int(vehicles[lane]) for lane in np.flatnonzero(vehicles)}


def named_positions(world: World, core: TrafficCore, names: list[str]) -> dict[str, tuple[str, float, float]]:
    """Vehicle name -> (lane, distance on the drivable, speed), as the traces have it."""
    out = {}
    for trip, drivable, distance, speed in zip(*(column.tolist() for column in core.positions(0)), strict=True):
        on_lane = drivable < world.network.n_lanes
        out[names[trip]] = (world.network.lane_name(drivable) if on_lane else IN_JUNCTION, distance, speed)
    return out
