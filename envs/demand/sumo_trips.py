"""Writes trips as a SUMO route file: one vehicle each, named by its number, on the edges of its route."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from intergreen.envs.demand.krauss import LIMIT_MPS, KraussType, equal_tau_s

if TYPE_CHECKING:
    from collections.abc import Sequence

    from intergreen.envs.demand.demand import Demand, Trips, VehicleType


def write_sumo_trips(path: Path, demand: Demand, trips: Trips, road_ids: Sequence[str]) -> None:
    """Write the vehicle types and the trips, in their order, to `path`.

    Each starts standing, at the beginning of the lane of its first edge that is best to go on from.
    """
    root = ElementTree.Element("routes")
    for number, kind in enumerate(demand.types):
        ElementTree.SubElement(root, "vType", {"id": f"type{number}", **_attributes(kind)})
    used = sorted(set(trips.route.tolist()))
    for route in used:
        edges = " ".join(road_ids[r] for r in demand.route(route))
        ElementTree.SubElement(root, "route", id=f"route{route}", edges=edges)
    rows = zip(trips.release_s.tolist(), trips.route.tolist(), trips.type.tolist(), strict=True)
    for n, (release_s, route, kind_number) in enumerate(rows):
        vehicle = {"id": str(n), "type": f"type{kind_number}", "route": f"route{route}", "depart": str(release_s)}
        ElementTree.SubElement(root, "vehicle", vehicle, departLane="best", departSpeed="0", departPos="0")
    ElementTree.ElementTree(root).write(path)


def _attributes(kind: VehicleType) -> dict[str, str]:
    """As the source has it; one of ours neither dawdles nor differs in speed, and its queues discharge as ours do."""
    if kind.sumo_attributes:
        return dict(kind.sumo_attributes)
    krauss = KraussType(
        kind.length_m, kind.min_gap_m, kind.max_accel_mps2, kind.max_decel_mps2, kind.headway_s, 0.0, 0.0,
        min(LIMIT_MPS, kind.max_speed_mps),
    )  # fmt: skip
    values = {
        "length": kind.length_m,
        "minGap": kind.min_gap_m,
        "maxSpeed": kind.max_speed_mps,
        "accel": kind.max_accel_mps2,
        "decel": kind.max_decel_mps2,
        "tau": round(equal_tau_s(krauss), 3),
        "sigma": 0.0,
        "speedDev": 0.0,
    }
    return {key: str(value) for key, value in values.items()}
