"""SUMO's vehicle types as ours. Who follows Krauss's rule, as nearly all types do, drives and dawdles by it here."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple
from xml.etree import ElementTree

from intergreen.envs.demand.demand import VehicleType
from intergreen.envs.errors import meant, shown
from intergreen.envs.network.xml_file import Tag, plain_number

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULT_TYPE = "DEFAULT_VEHTYPE"
OCCUPANCY = {"bus": 30.0, "coach": 30.0, "emergency": 2.0}  # persons, as for CityFlow's vehicles; everything else 1
SHORTEST_VEHICLE_M = 0.5  # how many fit on a lane decides how much memory it takes
_LOOKS = ("id", "color", "guiShape", "imgFile", "probability", "scale")  # of a type, and nothing of how it drives
_NUMBER = r"[-+0-9.eE]+"
_NESTED = "carFollowing-"
_KRAUSS = "Krauss"  # SUMO's default
_MODELS = (
    *(_KRAUSS, "KraussOrig1", "KraussPS", "KraussX", "EIDM", "SmartSK", "Daniel1", "IDM", "IDMM", "PWagner2009"),
    *("BKerner", "Rail", "Wiedemann", "W99", "ACC", "CACC", "CC"),
)  # that SUMO 1.28 takes; it refuses others
_MORE = rf"\s*(?:,\s*({_NUMBER})"
_FACTOR = re.compile(rf"(normc?\()?\s*({_NUMBER}){_MORE}{_MORE}{_MORE}\s*(?:,[^)]*)?)?)?)?\)?", re.ASCII)
_UNBOUNDED = 1000.0
_ANY_SPEED = 10_000 / 3.6  # SUMO's desiredMaxSpeed where a type states none
_AS_FAST_AS_IS_SAFE = ("max", "desired", "speedLimit", "avg", "last", "random")  # departSpeed
_FASTEST_DEVIATIONS = (
    3.0  # beyond the mean: nobody is faster, since the farther drivers look, the longer a second takes
)


class _Class(NamedTuple):
    """SUMO's defaults of a vehicle class (Definition of Vehicles, "Vehicle Type Parameter Defaults", version 1.20)."""

    length_m: float = 5.0
    min_gap_m: float = 2.5
    accel_mps2: float = 2.6
    decel_mps2: float = 4.5
    max_speed_mps: float = 200 / 3.6
    speed_deviation: float = 0.1


class _Driver(NamedTuple):
    """SUMO's defaults of whoever drives."""

    tau_s: float = 1.0
    sigma: float = 0.5
    speed_factor: float = 1.0
    speed_deviation: float = 0.1
    follows_krauss: bool = True


# Classes that drive where passenger cars may drive; others (rail, ships, bicycles, …) are left out.
_CLASSES = {
    **{name: _Class() for name in ("passenger", "private", "evehicle", "hov", "vip", "custom1", "custom2")},
    **{name: _Class(speed_deviation=0.0) for name in ("army", "authority", "ignoring")},
    "taxi": _Class(speed_deviation=0.05),
    "emergency": _Class(length_m=6.5, speed_deviation=0.0),
    "delivery": _Class(length_m=6.5, speed_deviation=0.05),
    "bus": _Class(12.0, accel_mps2=1.2, decel_mps2=4.0, max_speed_mps=100 / 3.6, speed_deviation=0.0),
    "coach": _Class(14.0, accel_mps2=2.0, decel_mps2=4.0, max_speed_mps=100 / 3.6, speed_deviation=0.05),
    "truck": _Class(7.1, accel_mps2=1.3, decel_mps2=4.0, max_speed_mps=130 / 3.6, speed_deviation=0.05),
    "trailer": _Class(16.5, accel_mps2=1.1, decel_mps2=4.0, max_speed_mps=130 / 3.6, speed_deviation=0.05),
    "motorcycle": _Class(length_m=2.2, accel_mps2=6.0, decel_mps2=10.0),
    "moped": _Class(length_m=2.1, accel_mps2=1.1, decel_mps2=7.0, max_speed_mps=60 / 3.6),
}
_ELSEWHERE = (  # SUMO's other classes
    *("pedestrian", "bicycle", "scooter", "wheelchair"),
    *("tram", "rail", "rail_urban", "rail_electric", "rail_fast", "subway", "cable_car"),
    *("ship", "container", "aircraft", "drone", "lightrail", "cityrail", "rail_slow"),
)


def default_type(fastest_mps: float, speed_deviation: float | None = None) -> VehicleType:
    """SUMO's own type for vehicles that name none; with another deviation from the limits where one is given."""
    if speed_deviation is None:
        return _vehicle_type("passenger", _Class(), _Driver(), fastest_mps, (("vClass", "passenger"),))
    given = ("speedDev", f"{speed_deviation:g}"), ("vClass", "passenger")
    return _vehicle_type("passenger", _Class(), _Driver(speed_deviation=speed_deviation), fastest_mps, given)


def other_default_types() -> Iterator[tuple[str, Tag]]:
    """SUMO's own types of other classes, by name (`MSVehicleControl::initDefaultTypes`)."""
    for name, kind in (("TAXI", "taxi"), ("BIKE", "bicycle"), ("PED", "pedestrian"), ("RAIL", "rail")):
        name = f"DEFAULT_{name}TYPE"
        yield name, Tag(name, ElementTree.Element("vType", id=name, vClass=kind))


def read_type(tag: Tag, fastest_mps: float) -> VehicleType | None:
    """The type of a ``<vType>``, None for vehicles that do not drive on roads for cars.

    Parameters
    ----------
    fastest_mps : the highest speed limit of the network; drivers look ahead by their own top speed, so it is not higher

    Raises
    ------
    InputError
        If a number is out of range.
    """
    _take_in_nested(tag)
    name = tag.text("vClass", "passenger")
    if name in _ELSEWHERE:
        return None
    if name not in _CLASSES:
        known = (*_CLASSES, *_ELSEWHERE)
        tag.fail(f"is {shown(name)}, no class of SUMO's", f"{meant(name, known)}known: {', '.join(known)}", "vClass")
    usual = _CLASSES[name]
    length_m = tag.number("length", usual.length_m, above=0)
    if length_m < SHORTEST_VEHICLE_M:
        tag.fail(f"is {length_m:g}", f"use at least {SHORTEST_VEHICLE_M:g} m", "length")
    own = _Class(
        length_m=length_m,
        min_gap_m=tag.number("minGap", usual.min_gap_m, least=0),
        accel_mps2=tag.number("accel", usual.accel_mps2, above=0),
        decel_mps2=tag.number("decel", usual.decel_mps2, above=0),
        max_speed_mps=tag.number("maxSpeed", usual.max_speed_mps, above=0),
    )
    factor, deviation = _speed_factor(tag, usual.speed_deviation)
    desired_mps = tag.number("desiredMaxSpeed", _ANY_SPEED, above=0) * factor
    own = own._replace(max_speed_mps=min(own.max_speed_mps, desired_mps))
    model = tag.text("carFollowModel", _KRAUSS).removeprefix(_NESTED)
    if model not in _MODELS:
        mend = f"{meant(model, _MODELS)}known: {', '.join(_MODELS)}"
        tag.fail(f"is {shown(model)}, no model of SUMO's", mend, "carFollowModel")
    driver = _Driver(
        tau_s=tag.number("tau", 1.0, above=0),
        sigma=min(tag.number("sigma", 0.5, least=0), 1.0),
        speed_factor=factor,
        speed_deviation=tag.number("speedDev", deviation, least=0),
        follows_krauss=model == _KRAUSS,
    )
    attributes = tuple(sorted((k, v) for k, v in tag.element.attrib.items() if k not in _LOOKS))
    given = attributes or (("vClass", name),)
    return _vehicle_type(name, own, driver, fastest_mps, given)


def _take_in_nested(tag: Tag) -> None:
    """Numbers of a driver as older files have them: <carFollowing-Krauss tau="1.5"/> inside the type."""
    for child in tag.children():
        if child.name.startswith(_NESTED):
            model = child.name.removeprefix(_NESTED)
            tag.element.attrib.update({"carFollowModel": model, **child.element.attrib, **tag.element.attrib})


def _speed_factor(tag: Tag, usual_deviation: float) -> tuple[float, float]:
    """Mean and deviation of "1.1", "normc(1.1, 0.1, 0.2, 2)" and the like; a mean alone in brackets has none."""
    text = tag.text("speedFactor", "1")
    match = _FACTOR.fullmatch(text.strip())
    try:
        mean = float(match[2]) if match else math.nan
        deviation = float(match[3] or (0.0 if match[1] else usual_deviation)) if match else math.nan
        if match and match[4] and deviation > 0:
            mean, deviation = _within(mean, deviation, float(match[4]), float(match[5] or _UNBOUNDED))
    except ValueError:
        mean = deviation = math.nan
    if not (0 < mean < 10 and 0 <= deviation < 10):
        tag.fail(f"is {shown(text)}", "use a number, or norm(mean, deviation)", "speedFactor")
    return mean, deviation


def _within(mean: float, deviation: float, low: float, high: float) -> tuple[float, float]:
    """Mean and deviation of what is left of a normal distribution between two bounds (Johnson, Kotz and Balakrishnan
    1994, "Continuous univariate distributions", volume 1, section 13.10.1)."""
    a, b = (low - mean) / deviation, (high - mean) / deviation
    share = 0.5 * (math.erf(b / math.sqrt(2.0)) - math.erf(a / math.sqrt(2.0)))
    if not share > 1e-6:
        return min(max(mean, low), high), 0.0
    at_a, at_b = (math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi) for z in (a, b))
    moved = (at_a - at_b) / share
    variance = 1.0 + (a * at_a - b * at_b) / share - moved * moved
    return mean + deviation * moved, deviation * math.sqrt(max(variance, 0.0))


def _vehicle_type(
    name: str, own: _Class, driver: _Driver, fastest_mps: float, sumo_attributes: tuple[tuple[str, str], ...]
) -> VehicleType:
    fastest_factor = driver.speed_factor + _FASTEST_DEVIATIONS * driver.speed_deviation
    return VehicleType(
        name="car" if name == "passenger" else name,
        length_m=own.length_m,
        min_gap_m=own.min_gap_m,
        max_speed_mps=min(own.max_speed_mps, fastest_mps * fastest_factor),
        max_accel_mps2=own.accel_mps2,
        max_decel_mps2=own.decel_mps2,
        usual_accel_mps2=own.accel_mps2,
        usual_decel_mps2=own.decel_mps2,
        headway_s=driver.tau_s,
        follows_krauss=driver.follows_krauss,
        dawdle_mps=driver.sigma * own.accel_mps2 if driver.follows_krauss else 0.0,
        speed_factor=driver.speed_factor,
        speed_deviation=driver.speed_deviation,
        occupancy=OCCUPANCY.get(name, 1.0),
        sumo_attributes=sumo_attributes,
    )


def read_depart_speed(tag: Tag, key: str, usual_mps: float) -> float:
    """The speed at which a vehicle departs [m/s], from the attribute `key`; inf: as fast as is safe and allowed, which
    stands for all of SUMO's words."""
    if not tag.has(key):
        return usual_mps
    text = tag.text(key)
    if text in _AS_FAST_AS_IS_SAFE:
        return math.inf
    if math.isnan(plain_number(text)):
        tag.fail(f"is {shown(text)}", "use a number >= 0, in m/s, or max", key)
    return tag.number(key, 0.0, least=0)


def with_pace(kind: VehicleType, factor: float, fastest_mps: float) -> VehicleType:
    """The type of vehicles that all take this share of every speed limit, whatever their type says."""
    stated = {**dict(kind.sumo_attributes), "speedFactor": f"{factor:g}", "speedDev": "0"}
    usual = _CLASSES["passenger" if kind.name == "car" else kind.name]
    return replace(
        kind,
        max_speed_mps=min(
            float(stated.get("maxSpeed", usual.max_speed_mps)),
            float(stated.get("desiredMaxSpeed", _ANY_SPEED)) * factor,
            fastest_mps * factor,
        ),
        speed_factor=factor,
        speed_deviation=0.0,
        sumo_attributes=tuple(sorted(stated.items())) if kind.sumo_attributes else (),
    )
