"""Writes trips as a SUMO route file: one vehicle each, named by its number, on the edges of its route."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from intergreen.envs.demand.krauss import LIMIT_MPS, KraussType, equal_tau_s

if TYPE_CHECKING:
    from collections.abc import Sequence

    from intergreen.envs.arrays import FloatArray
    from intergreen.envs.demand.demand import Demand, Trips, VehicleType


NO_PASSING = {"lcSpeedGain": "0", "lcKeepRight": "0"}  # lanes are changed where the route needs it, and nowhere else


def write_sumo_trips(
    path: Path,
    demand: Demand,
    trips: Trips,
    road_ids: Sequence[str],
    road_length_m: FloatArray,
    *,
    lane_change: bool = False,
    fan_out: float = 0.0,
) -> None:
    """Write the vehicle types and the trips, in their order, to `path`.

    Each starts on the lane of its first edge that is best to go on from, with its type's `depart_speed_mps`: of SUMO's
    types with the rear bumper at the lane's beginning, of ours with the front bumper, as in the engine. Who could not
    stand from that speed before the end of its edge begins as fast as is safe, as in the engine: SUMO takes it off the
    road for good where the signal is not green (`tlLogic … never switches to 'G'`).

    Parameters
    ----------
    lane_change : drivers of ours change lanes to pass queues; those of SUMO's types do as their type says
    fan_out : share of ours who take another link than the one ahead, see `simulation/fan_out.py`
    """
    root = ElementTree.Element("routes")
    for number, kind in enumerate(demand.types):
        ElementTree.SubElement(root, "vType", {"id": f"type{number}", **_attributes(kind, lane_change, fan_out)})
    used = sorted(set(trips.route.tolist()))
    for route in used:
        edges = " ".join(road_ids[r] for r in demand.route(route))
        ElementTree.SubElement(root, "route", id=f"route{route}", edges=edges)
    first_m = {route: float(road_length_m[demand.route(route)[0]]) for route in used}
    rows = zip(trips.release_s.tolist(), trips.route.tolist(), trips.type.tolist(), strict=True)
    for n, (release_s, route, kind_number) in enumerate(rows):
        vehicle = {"id": str(n), "type": f"type{kind_number}", "route": f"route{route}", "depart": str(release_s)}
        kind = demand.types[kind_number]
        place = "base" if kind.sumo_attributes else "0"
        speed = f"{kind.depart_speed_mps:g}" if _can_stand(kind, first_m[route]) else "max"
        ElementTree.SubElement(root, "vehicle", vehicle, departLane="best", departSpeed=speed, departPos=place)
    ElementTree.ElementTree(root).write(path)


def _can_stand(kind: VehicleType, edge_m: float) -> bool:
    """Can one that begins at its speed of departure stand before the end of an edge so long, as SUMO reckons it
    (`MSCFModel::brakeGap`, with a headway)?"""
    speed, decel = kind.depart_speed_mps, kind.max_decel_mps2
    if speed <= 0.0 or speed == math.inf:
        return speed <= 0.0
    steps = math.floor(speed / decel)
    braking_m = steps * speed - decel * steps * (steps + 1.0) * 0.5
    return braking_m + speed * kind.headway_s + kind.min_gap_m + kind.length_m <= edge_m


def _attributes(kind: VehicleType, lane_change: bool, fan_out: float) -> dict[str, str]:
    """As the source has it; the queues of one of ours discharge as ours do, or it drives by SUMO's rule here too."""
    if kind.sumo_attributes:
        return dict(kind.sumo_attributes)
    tau_s, sigma = kind.headway_s, kind.dawdle_mps / kind.max_accel_mps2
    if not kind.follows_krauss:
        tau_s, sigma = round(equal_tau_s(_like_cityflow(kind), round(fan_out, 2)), 3), 0.0
    values = {
        "length": kind.length_m,
        "minGap": kind.min_gap_m,
        "maxSpeed": kind.max_speed_mps,
        "accel": kind.max_accel_mps2,
        "decel": kind.max_decel_mps2,
        "tau": tau_s,
        "sigma": sigma,
        "speedDev": kind.speed_deviation,
    }
    if kind.speed_factor != 1.0:
        values["speedFactor"] = kind.speed_factor
    return {key: str(value) for key, value in values.items()} | ({} if lane_change else NO_PASSING)


def _like_cityflow(kind: VehicleType) -> KraussType:
    return KraussType(
        kind.length_m, kind.min_gap_m, kind.max_accel_mps2, kind.max_decel_mps2, kind.headway_s, 0.0, 0.0,
        min(LIMIT_MPS, kind.max_speed_mps),
    )  # fmt: skip
