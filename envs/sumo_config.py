"""Reader of ``.sumocfg``: which files make a scenario, the part of the clock that is run, what changes the demand."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from intergreen.envs.demand.sumo import Given, Window
from intergreen.envs.demand.sumo_types import read_depart_speed
from intergreen.envs.errors import InputError, shown
from intergreen.envs.network.sumo_include import INCLUDE
from intergreen.envs.network.xml_file import Tag, plain_number, read_children, seconds

SUFFIX = ".sumocfg"
_SUFFIXES = (SUFFIX, ".sumo.cfg")  # the second is an older custom
ROOTS = ("configuration", "sumoConfiguration")
DEFAULT_LENGTH_S = 3600  # of a window without an end
MOST = 1000.0  # of a factor: more is surely a slip
_NAMES = {  # SUMO's other names of the options
    "n": "net-file",
    "net": "net-file",
    "r": "route-files",
    "routes": "route-files",
    "a": "additional-files",
    "additional": "additional-files",
    "carfollow.model": "default.carfollowmodel",
    "b": "begin",
    "e": "end",
}
_TRUE = ("true", "1", "yes", "on", "x", "t")  # as SUMO reads a switch
_NOT_OBEYED: dict[str, Callable[[str], bool]] = {  # options that would make another run, and which values would not
    "tls.all-off": lambda text: text.lower() not in _TRUE,
    "max-depart-delay": lambda text: seconds(text) < 0,
    "max-num-vehicles": lambda text: plain_number(text) < 0,
    "random-depart-offset": lambda text: seconds(text) == 0,
    "device.rerouting.probability": lambda text: plain_number(text) <= 0,
    "default.carfollowmodel": lambda text: text == "Krauss",
    "step-length": lambda text: seconds(text) == 1,
    "step-method.ballistic": lambda text: text.lower() not in _TRUE,
    "extrapolate-departpos": lambda text: text.lower() not in _TRUE,
    "lateral-resolution": lambda text: plain_number(text) <= 0,
    "device.rerouting.explicit": lambda _: False,
    "load-state": lambda _: False,
    "weight-files": lambda _: False,
}
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_LOG = logging.getLogger(__name__)


class SumoConfig(NamedTuple):
    """What a ``.sumocfg`` names."""

    net: Path
    additional: tuple[Path, ...]
    routes: tuple[Path, ...]
    given: Given

    @property
    def horizon_s(self) -> int:
        return int(self.given.window.end_s - self.given.window.begin_s)

    @property
    def demand_files(self) -> tuple[Path, ...]:
        """Additional files first: types and routes stand before who uses them."""
        return (*self.additional, *self.routes)


def sumo_config_in(folder: Path) -> Path | None:
    """The one ``.sumocfg`` of the folder, None where there is none.

    Raises
    ------
    InputError
        If there are several.
    """
    configs = sorted(path for path in folder.iterdir() if is_sumo_config(path))
    if len(configs) > 1:
        problem = f"holds {len(configs)} files {SUFFIX}, {configs[0].name} and {configs[1].name} among them"
        raise InputError(folder, "", problem, "name the one you mean")
    return configs[0] if configs else None


def is_sumo_config(path: Path) -> bool:
    """By its name."""
    return path.name.endswith(_SUFFIXES)


def read_sumo_config(path: str | Path) -> SumoConfig:
    """The files of a configuration and what it asks of the demand; SUMO's other options are left aside, with a warning
    of those that would make another run.

    Raises
    ------
    InputError
        If a value is missing or wrong.
    """
    given: dict[str, Tag] = {}
    for tag in read_children(path, *ROOTS):
        for option in [tag, *tag.children()]:
            if option.name == INCLUDE:
                option.fail("is not in SUMO's configurations", "write the options into this file")
            given[_NAMES.get(option.name, option.name)] = option
    _tell_of_options(path, given)
    folder = Path(path).resolve().parent
    net = _files(given, "net-file", folder)
    if not net:
        raise InputError(path, "<net-file>", "is missing", 'add <net-file value="….net.xml"/>')
    additional, routes = (_files(given, key, folder) for key in ("additional-files", "route-files"))
    if not additional and not routes:
        raise InputError(path, "<route-files>", "is missing", 'add <route-files value="….rou.xml"/>')
    begin_s = _seconds(given, "begin", 0.0)
    end_s = _seconds(given, "end", -1.0)
    if end_s < 0:
        end_s = begin_s + DEFAULT_LENGTH_S
    if end_s - begin_s < 1:
        raise InputError(path, "<end>", f"is {end_s:g} s, the begin {begin_s:g} s", "use an end after the begin")
    deviation = _number(given, "default.speeddev", -1.0)
    departing = given.get("default.departspeed")
    more = Given(
        window=Window(begin_s, end_s),
        scale=_number(given, "scale", 1.0),
        speed_deviation=deviation if deviation >= 0 else None,
        depart_speed_mps=0.0 if departing is None else read_depart_speed(departing, "value", 0.0),
        drop_invalid=_value(given, "ignore-route-errors").lower() in _TRUE,
    )
    return SumoConfig(net[0], additional, routes, more)


def _tell_of_options(path: str | Path, given: dict[str, Tag]) -> None:
    """Say in one line which options are not obeyed."""
    others = [key for key, is_usual in _NOT_OBEYED.items() if (text := _value(given, key)) and not is_usual(text)]
    if others:
        what = "is not obeyed: it changes" if len(others) == 1 else "are not obeyed: they change"
        _LOG.warning("%s: %s %s what SUMO would run", path, ", ".join(others), what)


def _value(given: dict[str, Tag], key: str) -> str:
    """What the option is set to, "" where it is not; with the environment's variables in it, as SUMO has them."""
    if key not in given:
        return ""
    attributes = given[key].element.attrib
    text = attributes.get("value", attributes.get("v", ""))
    return _VARIABLE.sub(lambda match: os.environ.get(match[1], ""), text).strip()


def _files(given: dict[str, Tag], key: str, folder: Path) -> tuple[Path, ...]:
    """Files by commas; by blanks as well where no file has them in its name."""
    found: list[Path] = []
    for name in filter(None, (part.strip() for part in _value(given, key).split(","))):
        whole = " " not in name or (folder / name).exists()
        found += [folder / name] if whole else [folder / part for part in name.split()]
    return tuple(found)


def _number(given: dict[str, Tag], key: str, default: float) -> float:
    text = _value(given, key)
    if not text:
        return default
    value = plain_number(text)
    if not (0 <= value <= MOST or value == default):  # also NaN
        given[key].fail(f"is {shown(text)}", f"use a number from 0 to {MOST:g}", "value")
    return value


def _seconds(given: dict[str, Tag], key: str, default: float) -> float:
    text = _value(given, key)
    if not text:
        return default
    value = -1.0 if text in ("-1", "-1.0", "-1.00") else seconds(text)
    if value != -1.0 and not 0 <= value <= 1e9:  # also NaN
        given[key].fail(f"is {shown(text)}", "use seconds, or hours:minutes:seconds", "value")
    return value
