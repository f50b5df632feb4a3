"""Lists of faults to inject, from YAML: a shipped name of `configs/faults/`, or a file. Each entry names its `kind`.

The keys of an entry are the fields of the class that it becomes (`fault_kinds`); an unknown key is an error that lists
the known ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intergreen.envs.detector_faults import lane_numbers
from intergreen.envs.errors import InputError, meant, shown
from intergreen.envs.fault_kinds import FAULT_KINDS, DetectorFault, Fault, PolicyFault
from intergreen.envs.file_sections import checked, section_of_kind
from intergreen.envs.yaml_files import read_yaml

if TYPE_CHECKING:
    from intergreen.envs.network import RoadNetwork


@dataclass(frozen=True, slots=True)
class FaultFile:
    """The top level of a file."""

    faults: list[dict[str, Any]]
    description: str = ""


@dataclass(frozen=True, slots=True)
class FaultList:
    """The faults that a file lists, in its order; `source` is what the user called it, for messages."""

    source: str
    faults: tuple[Fault, ...]

    @property
    def of_policy(self) -> tuple[PolicyFault, ...]:
        return tuple(fault for fault in self.faults if isinstance(fault, PolicyFault))

    def check_lanes(self, network: RoadNetwork) -> None:
        """InputError that names file and entry, where an entry names a lane that `network` has not."""
        for number, fault in enumerate(self.faults):
            if isinstance(fault, DetectorFault) and fault.lanes is not None:
                try:
                    lane_numbers(fault.lanes, network)
                except InputError as error:
                    raise InputError(self.source, f"faults[{number}].lanes", error.problem, error.mend) from None


FaultSpec = str | Path | Sequence[DetectorFault]
"""A name or file as `read_faults` takes it, or the faults themselves."""


def detector_faults(faults: FaultSpec, network: RoadNetwork) -> tuple[DetectorFault, ...]:
    """The faults of detectors that are meant, checked against the network.

    Raises
    ------
    InputError
        If a name or file is wrong, a fault is none of detectors, or a lane is not there.
    """
    if not isinstance(faults, str | Path | Sequence):
        mend = "name a list or file, give faults, or leave it out where nothing fails"
        raise InputError("faults", "", f"are {shown(faults)}", mend)
    listed = read_faults(faults) if isinstance(faults, str | Path) else FaultList("faults", tuple(faults))
    for one in listed.faults:
        if not isinstance(one, Fault):  # a name in a list would else be no fault at all
            raise InputError(
                listed.source, "", f"has {shown(one)} in its list", "name one list or file, or give faults"
            )
    listed.check_lanes(network)
    _refuse_of_policy(listed)
    return tuple(fault for fault in listed.faults if isinstance(fault, DetectorFault))


def refuse_policy_faults(name: str | Path) -> None:
    """InputError where there is no such list or file, or it holds faults of a policy."""
    _refuse_of_policy(read_faults(name))


def _refuse_of_policy(listed: FaultList) -> None:
    if listed.of_policy:
        problem = "is a fault of the policy, and an environment has none"
        raise InputError(listed.source, listed.of_policy[0].kind, problem, "name faults of detectors")


def fault_names() -> tuple[str, ...]:
    """Names of the shipped lists."""
    folder = files("intergreen.configs") / "faults"
    return tuple(sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml")))


def read_faults(name: str | Path) -> FaultList:
    """The shipped list of that name, or what the YAML file at that path lists.

    Raises
    ------
    InputError
        If there is no such list or file, a kind or key is unknown, or a value cannot be used.
    """
    text = str(name)
    if text in fault_names():
        with as_file(files("intergreen.configs") / "faults" / f"{text}.yaml") as path:
            return _read(path, text)
    if Path(name).is_file():
        return _read(Path(name), text)
    known = f"name a YAML file, or one of {', '.join(fault_names())}"
    mend = meant(text, fault_names()).rstrip() or known
    raise InputError("command line", "--faults", f"no file or list of faults is called {shown(text)}", mend)


def _read(path: Path, source: str) -> FaultList:
    content = checked(path, (), read_yaml(path), FaultFile)
    entries = enumerate(content.faults)
    faults = tuple(section_of_kind(path, f"faults[{number}]", entry, FAULT_KINDS) for number, entry in entries)
    return FaultList(source, faults)
