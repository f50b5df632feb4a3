"""Reader of CityFlow's ``flow.json``, checked against the road network it drives on."""

import logging
from pathlib import Path
from typing import Any

import numpy as np

from intergreen.envs.demand.demand import Demand, VehicleType
from intergreen.envs.demand.lanes import lane_costs
from intergreen.envs.demand.routes import RouteCollector, Router
from intergreen.envs.errors import InputError, shown
from intergreen.envs.network.fields import Field
from intergreen.envs.network.files import read_json
from intergreen.envs.network.road_network import RoadNetwork

_LOG = logging.getLogger(__name__)

# CityFlow's name -> ours
PARAMETERS = {
    "length": "length_m",
    "minGap": "min_gap_m",
    "maxSpeed": "max_speed_mps",
    "maxPosAcc": "max_accel_mps2",
    "maxNegAcc": "max_decel_mps2",
    "usualPosAcc": "usual_accel_mps2",
    "usualNegAcc": "usual_decel_mps2",
    "headwayTime": "headway_s",
}
LONGEST_CAR_M = 7.0
OCCUPANCY = {"bus": 30.0, "emergency": 2.0}  # persons; everything else 1
SHORTEST_VEHICLE_M = 0.5  # how many fit on a lane decides how much memory it takes
SHORTEST_INTERVAL_S = 0.01  # 100 vehicles a second on one lane: surely a slip, and the release clock would crawl


def read_cityflow_demand(path: str | Path, network: RoadNetwork, *, drop_invalid: bool = False) -> Demand:
    """The flows of a ``flow.json`` or ``flow.json.gz``, their routes completed over the network.

    Parameters
    ----------
    drop_invalid : leave flows out whose route does not exist (and count them) instead of refusing the file

    Raises
    ------
    InputError
        If anything is missing, of the wrong kind or out of range, or a route does not exist.
    """
    road_ids = {road: i for i, road in enumerate(network.road_ids)}
    router, table, types = Router(network), RouteCollector(), _Types()
    rows: list[tuple[int, int, float, float, float]] = []
    broken: list[Field] = []
    document = Field(str(path), read_json(path))
    for field in document.items(at_least=1):
        asked = [f.as_lookup(road_ids, "a road") for f in field.each("route", at_least=1)]
        kind = types.add(field.item("vehicle"))
        times = _times(field)
        route = router.complete(asked)
        if route is None:
            broken.append(field)
        else:
            rows.append((table.add(route), kind, *times))
    if broken and not drop_invalid:
        _refuse(str(path), broken)
    if not rows:
        document.fail("no flow has a route that exists", "fix the routes, or check that roadnet.json belongs to it")
    route_start, route_roads = table.arrays()
    columns = np.array(rows, np.float64).reshape(-1, 5)
    demand = Demand(
        types.all, route_start, route_roads, columns[:, 0].astype(np.int32), columns[:, 1].astype(np.int32),
        columns[:, 2].copy(), columns[:, 3].copy(), columns[:, 4].copy(), len(broken),
    )  # fmt: skip
    _tell_of_gaps(str(path), network, demand)
    return demand


def _tell_of_gaps(path: str, network: RoadNetwork, demand: Demand) -> None:
    """Say of which flows no vehicle comes to the end of its route, since no lane leads there from its first road."""
    cost = lane_costs(network, demand.route_start, demand.route_roads)
    lanes = np.diff(network.road_lane_start)[demand.route_roads]
    first = (np.cumsum(lanes) - lanes)[demand.route_start[:-1]]
    best = [cost[at : at + lanes[j]].min() for at, j in zip(first.tolist(), demand.route_start.tolist(), strict=False)]
    lost = np.flatnonzero(np.isinf(best)[demand.flow_route])
    if len(lost):
        roads = shown([network.road_ids[r] for r in demand.route(int(demand.flow_route[lost[0]]))], 120)
        words = (
            "%s: no lanes lead along the whole of %s; vehicles of %d such flows leave where lanes end, as CityFlow's"
        )
        _LOG.warning(words, path, roads, len(lost))


def _times(field: Field) -> tuple[float, float, float]:
    start_s = field.number("startTime", least=0, default=0)
    end = field.item("endTime", -1)
    end_s = end.as_number()
    if end_s < 0 and end_s != -1:
        end.wrong("use a number >= 0, or -1 for no end")
    interval_s = field.number("interval", above=0)
    if interval_s < SHORTEST_INTERVAL_S:
        field.item("interval").wrong(f"use at least {SHORTEST_INTERVAL_S:g} s")
    return start_s, end_s, interval_s


def _refuse(path: str, broken: list[Field]) -> None:
    first = broken[0].item("route")
    roads = [field.value for field in first]
    problem = (
        f"{shown(roads, 120)} has only one road" if len(set(roads)) == 1 else f"no way leads along {shown(roads, 120)}"
    )
    raise InputError(
        path, first.path, f"{problem}; flows whose route does not exist: {len(broken)}",
        "mend: fix the route or pass --drop-invalid-routes",
    )  # fmt: skip


class _Types:
    """Distinct vehicle types, in order of appearance."""

    def __init__(self) -> None:
        self._number: dict[VehicleType, int] = {}

    @property
    def all(self) -> tuple[VehicleType, ...]:
        return tuple(self._number)

    def add(self, field: Field) -> int:
        return self._number.setdefault(_vehicle_type(field), len(self._number))


def _vehicle_type(field: Field) -> VehicleType:
    if field.number("length", above=0) < SHORTEST_VEHICLE_M:
        field.item("length").wrong(f"use at least {SHORTEST_VEHICLE_M:g} m")
    field.number("width", above=0)  # required by the format, of no effect on the dynamics
    values: dict[str, Any] = {
        ours: field.number(theirs, least=0) if theirs == "minGap" else field.number(theirs, above=0)
        for theirs, ours in PARAMETERS.items()
    }
    default = "car" if values["length_m"] <= LONGEST_CAR_M else "bus"
    name = field.text("class") if "class" in field.value else default
    return VehicleType(name=name, occupancy=OCCUPANCY.get(name, 1.0), **values)
