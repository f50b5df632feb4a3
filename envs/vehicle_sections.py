"""Kinds of vehicles of a scenario file's own: what each has other than a car, or than the shipped kind of its name.

The keys are the fields of `VehicleType`. Who states the most that a kind accelerates or brakes states the usual too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from intergreen.envs.demand import BUS, CAR, EMERGENCY, VehicleType
from intergreen.envs.demand.cityflow import SHORTEST_VEHICLE_M
from intergreen.envs.errors import InputError
from intergreen.envs.network import RoadNetwork

SHIPPED_TYPES = {vehicle_type.name: vehicle_type for vehicle_type in (CAR, BUS, EMERGENCY)}
_PLACE = "demand.vehicle_types"
# Beyond these a number is surely a slip, of the unit or of a key, and drives as no vehicle does.
_LEAST_AND_MOST = {
    "length_m": (SHORTEST_VEHICLE_M, 100.0),
    "min_gap_m": (0.0, 50.0),
    "max_speed_mps": (0.5, 100.0),
    "max_accel_mps2": (0.1, 20.0),
    "max_decel_mps2": (0.1, 20.0),
    "usual_accel_mps2": (0.1, 20.0),
    "usual_decel_mps2": (0.1, 20.0),
    "headway_s": (0.1, 30.0),
    "occupancy": (0.0, 1000.0),
    "speed_factor": (0.1, 10.0),
    "speed_deviation": (0.0, 10.0),
}


@dataclass(frozen=True, slots=True)
class VehicleSection:
    """One kind; what is not given stays as it is."""

    length_m: float | None = None
    min_gap_m: float | None = None
    max_speed_mps: float | None = None
    max_accel_mps2: float | None = None
    max_decel_mps2: float | None = None
    usual_accel_mps2: float | None = None
    usual_decel_mps2: float | None = None
    headway_s: float | None = None
    occupancy: float | None = None
    follows_krauss: bool | None = None
    dawdle_mps: float | None = None
    speed_factor: float | None = None
    speed_deviation: float | None = None


def vehicle_types(path: Path, sections: Mapping[str, VehicleSection], network: RoadNetwork) -> dict[str, VehicleType]:
    """The kinds by name: those that are always there, and in their place or behind them the file's own.

    Raises
    ------
    InputError
        If a value cannot be, two do not go together, or a vehicle is longer than a lane.
    """
    own = {name: _vehicle_type(path, name, section) for name, section in sections.items()}
    shortest_m = float(network.lane_length_m.min())
    for name, kind in own.items():
        if kind.length_m > shortest_m:
            problem = f"is {kind.length_m:g} m, and the shortest lane of the network {shortest_m:.1f} m"
            raise InputError(path, f"{_PLACE}.{name}.length_m", problem, "shorten the vehicle, or take a longer road")
    return SHIPPED_TYPES | own


def _vehicle_type(path: Path, name: str, section: VehicleSection) -> VehicleType:
    given = {key: value for key, value in asdict(section).items() if value is not None}
    for way in ("accel_mps2", "decel_mps2"):
        if f"max_{way}" in given:
            given.setdefault(f"usual_{way}", given[f"max_{way}"])
    try:
        kind = replace(SHIPPED_TYPES.get(name, CAR), name=name, **given)
        _check_limits(kind)
        _check_goes_together(kind)
    except ValueError as error:
        problem = str(error).removeprefix(f"vehicle type {name!r}: ")
        raise InputError(path, f"{_PLACE}.{name}", problem, "mend the value") from None
    return kind


def _check_limits(kind: VehicleType) -> None:
    for name, (least, most) in _LEAST_AND_MOST.items():
        value = getattr(kind, name)
        if not least <= value <= most:
            raise ValueError(f"need {name} from {least:g} to {most:g}, got {value:g}")


def _check_goes_together(kind: VehicleType) -> None:
    for usual, most in (("usual_accel_mps2", "max_accel_mps2"), ("usual_decel_mps2", "max_decel_mps2")):
        if getattr(kind, usual) > getattr(kind, most):
            raise ValueError(f"need {usual} <= {most}, got {getattr(kind, usual):g} and {getattr(kind, most):g}")
    if kind.dawdle_mps > 0.0 and not kind.follows_krauss:
        raise ValueError(f"dawdle_mps has no effect without follows_krauss: true, got {kind.dawdle_mps:g}")
    if kind.dawdle_mps > kind.max_accel_mps2:
        raise ValueError(f"need dawdle_mps <= max_accel_mps2, got {kind.dawdle_mps:g} and {kind.max_accel_mps2:g}")
