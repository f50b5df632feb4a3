"""Scenario files: a network and a demand described in YAML, checked against the specifications they are made from.

The keys of a section are the fields of the specification it becomes (`GridSpec`, `Timing`, ...), with the same
defaults; an unknown key is an error that lists the known ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from intergreen.envs.demand import (
    CAR,
    ClassMix,
    Demand,
    ODSpec,
    Profile,
    TurnShares,
    TurnSpec,
    VehicleType,
    generate_demand,
)
from intergreen.envs.errors import InputError
from intergreen.envs.file_sections import checked, section_of_kind
from intergreen.envs.network import (
    ArterialSpec,
    GridSpec,
    RoadNetwork,
    TownSpec,
    generate_arterial,
    generate_grid,
    generate_town,
    read_cityflow_network,
    require_signals,
)
from intergreen.envs.protocol import LONGEST_HORIZON_S, protocol_by_name
from intergreen.envs.vehicle_sections import VehicleSection, vehicle_types
from intergreen.envs.yaml_files import read_yaml

NO_LIGHTPHASES = "give lightphases to an intersection that is not virtual"


class ScenarioContent(NamedTuple):
    """What a scenario file describes."""

    name: str
    network: RoadNetwork
    demand: Demand
    horizon_s: int
    protocol: str
    profile: Profile


@dataclass(frozen=True, slots=True)
class ScenarioFile:
    """The top level of a file; each section names its `kind`."""

    name: str
    network: dict[str, Any]
    demand: dict[str, Any]
    description: str = ""
    horizon_s: int = 3600
    protocol: str = "literature-10-5"

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ValueError(f"need a name that is not empty, got {self.name!r}")
        if self.horizon_s <= 0:
            raise ValueError(f"need horizon_s > 0, got {self.horizon_s}")
        if self.horizon_s > LONGEST_HORIZON_S:
            raise ValueError(f"need horizon_s <= {LONGEST_HORIZON_S}, got {self.horizon_s}")


@dataclass(frozen=True, slots=True)
class TownSection(TownSpec):
    """A town and the seed it grows from."""

    seed: int = 0

    def __post_init__(self) -> None:
        TownSpec.__post_init__(self)
        _refuse_negative(self.seed)


@dataclass(frozen=True, slots=True)
class CityFlowSection:
    """A road network in a file beside the scenario's."""

    file: str


@dataclass(frozen=True, slots=True)
class TurnsWritten:
    """Chances of the turns as a file has them: one that it leaves out is not driven."""

    left: float = 0.0
    straight: float = 0.0
    right: float = 0.0


@dataclass(frozen=True, slots=True)
class TurnsSection:
    """Arrivals at the entries, turns at every junction; `seed` draws the routes that all trips use."""

    entry_vph: float | dict[str, float]
    turns: TurnsWritten = field(default_factory=lambda: TurnsWritten(*astuple(TurnShares())))
    profile: Profile = field(default_factory=Profile)
    classes: dict[str, float] = field(default_factory=lambda: {CAR.name: 1.0})
    vehicle_types: dict[str, VehicleSection] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        _refuse_negative(self.seed)


@dataclass(frozen=True, slots=True)
class Pair:
    """Vehicles per horizon from one road to another."""

    origin: str
    destination: str
    vehicles: int


@dataclass(frozen=True, slots=True)
class PairsSection:
    """Vehicles from road to road on the shortest way."""

    pairs: list[Pair]
    profile: Profile = field(default_factory=Profile)
    classes: dict[str, float] = field(default_factory=lambda: {CAR.name: 1.0})
    vehicle_types: dict[str, VehicleSection] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        _refuse_negative(self.seed)


_NETWORKS: dict[str, type] = {
    "grid": GridSpec,
    "arterial": ArterialSpec,
    "town": TownSection,
    "cityflow": CityFlowSection,
}
_DEMANDS: dict[str, type] = {"turns": TurnsSection, "pairs": PairsSection}


def _refuse_negative(seed: int) -> None:
    if seed < 0:
        raise ValueError(f"need seed >= 0, got {seed}")


def read_scenario_file(path: Path) -> ScenarioContent:
    """The network and the demand that the YAML file at `path` describes.

    Raises
    ------
    InputError
        If the file is not YAML, a key is unknown or missing, or a value cannot be used.
    """
    content = checked(path, (), read_yaml(path), ScenarioFile)
    network = _network(path, section_of_kind(path, "network", content.network, _NETWORKS))
    section = section_of_kind(path, "demand", content.demand, _DEMANDS)
    _check_protocol(path, content.protocol)
    types = vehicle_types(path, section.vehicle_types, network)
    _refuse_unused(path, section)
    try:
        demand = generate_demand(network, _demand_spec(section, content.horizon_s, types), seed=section.seed)
    except ValueError as error:
        raise InputError(path, "demand", str(error), "mend the demand or the network") from None
    if demand.n_flows == 0:
        raise InputError(path, "demand", "nobody wants to drive", "raise the number of vehicles")
    return ScenarioContent(content.name, network, demand, content.horizon_s, content.protocol, section.profile)


def _check_protocol(path: Path, name: str) -> None:
    try:
        protocol_by_name(name)
    except InputError as error:
        raise InputError(path, "protocol", error.problem, error.mend) from None


def _network(path: Path, spec: Any) -> RoadNetwork:
    if isinstance(spec, CityFlowSection):
        roadnet = path.parent / spec.file
        network = read_cityflow_network(roadnet)
        require_signals(network, roadnet, mend=NO_LIGHTPHASES)
        return network
    try:
        return _GENERATORS[type(spec)](spec)
    except InputError as error:  # it names a place in a file that was never written
        raise InputError(path, "network", error.problem, "change the lengths, or the lanes or their width") from None


_GENERATORS: dict[type, Callable[[Any], RoadNetwork]] = {
    GridSpec: generate_grid,
    ArterialSpec: generate_arterial,
    TownSection: lambda spec: generate_town(spec, seed=spec.seed),
}


def _refuse_unused(path: Path, section: TurnsSection | PairsSection) -> None:
    for name in section.vehicle_types:
        if name not in section.classes:
            mend = f"give {name} a share under demand.classes"
            raise InputError(path, f"demand.vehicle_types.{name}", "no vehicle is of this kind", mend)


def _demand_spec(
    section: TurnsSection | PairsSection, horizon_s: int, types: Mapping[str, VehicleType]
) -> TurnSpec | ODSpec:
    mix = _class_mix(section.classes, types)
    if isinstance(section, TurnsSection):
        turns = TurnShares(*astuple(section.turns))
        return TurnSpec(section.entry_vph, turns, horizon_s, section.profile, mix)
    vehicles: dict[tuple[str, str], float] = {}
    for pair in section.pairs:
        key = (pair.origin, pair.destination)
        vehicles[key] = vehicles.get(key, 0) + pair.vehicles
    return ODSpec(vehicles, horizon_s, "counts", section.profile, mix)


def _class_mix(classes: Mapping[str, float], types: Mapping[str, VehicleType]) -> ClassMix:
    unknown = [name for name in classes if name not in types]
    if unknown:
        known = f"known: {', '.join(types)}, and others by what they have under vehicle_types"
        raise ValueError(f"no vehicle class is called {unknown[0]!r}; {known}")
    return ClassMix(tuple(types[name] for name in classes), tuple(classes.values()))
