"""Demand as records and arrays: vehicle types, routes, flows, trips. Knows no files and no simulator."""

import math
from dataclasses import dataclass, fields

from intergreen.envs.arrays import FloatArray, IntArray, ReadOnlyRecord

MOST_VEHICLES = 2_000_000  # in one run: more are surely a slip of the unit, and would fill the memory

_MAY_BE_ZERO = ("min_gap_m", "occupancy", "dawdle_mps", "speed_deviation", "depart_speed_mps")


def check_vehicles(number: float) -> None:
    """Raise ValueError if there are more vehicles than a run can have."""
    if not number <= MOST_VEHICLES:
        raise ValueError(f"{number:.7g} vehicles are too many; at most {MOST_VEHICLES} fit into a run")


@dataclass(frozen=True, slots=True)
class VehicleType:
    """What all vehicles of a class share; the defaults are the literature's car."""

    name: str = "car"
    length_m: float = 5.0
    min_gap_m: float = 2.5
    max_speed_mps: float = 11.111
    max_accel_mps2: float = 2.0
    max_decel_mps2: float = 4.5
    usual_accel_mps2: float = 2.0
    usual_decel_mps2: float = 4.5
    headway_s: float = 2.0
    occupancy: float = 1.0  # persons, for person delay
    follows_krauss: bool = False  # drives by the rule of SUMO's drivers, with `headway_s` as its tau
    dawdle_mps: float = 0.0  # most that such a driver falls short of the speed that is safe, drawn every second
    speed_factor: float = 1.0  # mean share of a speed limit that drivers take, ...
    speed_deviation: float = 0.0  # ... and the standard deviation over the drivers
    depart_speed_mps: float = 0.0  # with which trips enter a network of SUMO's; inf: as fast as is safe and allowed
    sumo_attributes: tuple[tuple[str, str], ...] = ()  # as SUMO's file has it, for a run in SUMO; empty: from the above

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in ("name", "follows_krauss", "sumo_attributes"):
                continue
            least_is_zero = field.name in _MAY_BE_ZERO
            may_be_endless = field.name == "depart_speed_mps" and value == math.inf
            if not (may_be_endless or (math.isfinite(value) and (value > 0 or (least_is_zero and value == 0)))):
                limit = ">= 0" if least_is_zero else "> 0"
                raise ValueError(f"vehicle type {self.name!r}: need finite {field.name} {limit}, got {value}")


CAR = VehicleType()
BUS = VehicleType(name="bus", length_m=12.0, max_accel_mps2=1.2, usual_accel_mps2=1.2, occupancy=30.0)
EMERGENCY = VehicleType(name="emergency", length_m=6.5, max_speed_mps=16.667, occupancy=2.0)


@dataclass(frozen=True, slots=True, eq=False)
class Demand(ReadOnlyRecord):
    """Flows of vehicles over routes; arrays are read-only.

    Axes: F flows, N routes. Route ``n`` is ``route_roads[route_start[n]:route_start[n + 1]]``: complete (every road
    follows the one before through a movement). The readers of CityFlow's files and the generators list each route once
    and give it two roads at least; in networks from SUMO it may be one road, and copies of it take different lanes.
    """

    types: tuple[VehicleType, ...]
    route_start: IntArray  # (N + 1,)
    route_roads: IntArray
    flow_route: IntArray  # (F,)
    flow_type: IntArray  # (F,)
    flow_start_s: FloatArray  # (F,)
    flow_end_s: FloatArray  # (F,) last release at or before it; -1 = for ever
    flow_interval_s: FloatArray  # (F,) > 0
    dropped_flows: int = 0  # flows of the source left out because their route does not exist

    @property
    def n_routes(self) -> int:
        return len(self.route_start) - 1

    @property
    def n_flows(self) -> int:
        return len(self.flow_route)

    def route(self, n: int) -> IntArray:
        """The roads of route ``n``, first to last."""
        return self.route_roads[self.route_start[n] : self.route_start[n + 1]]


@dataclass(frozen=True, slots=True, eq=False)
class Trips(ReadOnlyRecord):
    """One vehicle each, by release time; ties in the order of the flows. Arrays are read-only, (N,) int32."""

    release_s: IntArray  # second in which it is released, ascending
    route: IntArray  # of the demand
    type: IntArray  # of the demand
    start_lane: IntArray  # lane of the route's first road

    def __len__(self) -> int:
        return len(self.release_s)
