"""Who wants to drive where and when: vehicle types, flows, trips.

demand    the records: VehicleType, Demand, Trips (NumPy only)
release   flows -> trips by CityFlow's release clock
variation trips -> other trips of the same kind, by seed
generate  demand from origins and destinations, or from entry rates and turn shares (walks)
cityflow  reader of ``flow.json``
sumo      reader of SUMO's route files; sumo_types its vehicle types, sumo_times when they depart, sumo_ways how they go
routes    shortest paths over a road network
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from intergreen.envs.demand.cityflow import read_cityflow_demand
    from intergreen.envs.demand.demand import BUS, CAR, EMERGENCY, Demand, Trips, VehicleType
    from intergreen.envs.demand.generate import (
        MIXED_TRAFFIC,
        ClassMix,
        ODSpec,
        Profile,
        TurnSpec,
        generate_demand,
        uniform_pairs,
    )
    from intergreen.envs.demand.release import release_trips
    from intergreen.envs.demand.sumo import read_sumo_demand
    from intergreen.envs.demand.variation import randomise, vary
    from intergreen.envs.demand.walks import TurnShares

_HOME = {
    "BUS": "demand",
    "CAR": "demand",
    "EMERGENCY": "demand",
    "Demand": "demand",
    "Trips": "demand",
    "VehicleType": "demand",
    "read_cityflow_demand": "cityflow",
    "MIXED_TRAFFIC": "generate",
    "ClassMix": "generate",
    "ODSpec": "generate",
    "Profile": "generate",
    "TurnSpec": "generate",
    "generate_demand": "generate",
    "uniform_pairs": "generate",
    "randomise": "variation",
    "vary": "variation",
    "read_sumo_demand": "sumo",
    "release_trips": "release",
    "TurnShares": "walks",
}

__all__ = [
    "BUS",
    "CAR",
    "EMERGENCY",
    "MIXED_TRAFFIC",
    "ClassMix",
    "Demand",
    "ODSpec",
    "Profile",
    "Trips",
    "TurnShares",
    "TurnSpec",
    "VehicleType",
    "generate_demand",
    "randomise",
    "read_cityflow_demand",
    "read_sumo_demand",
    "release_trips",
    "uniform_pairs",
    "vary",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
