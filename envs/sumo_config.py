"""Reader of ``.sumocfg``: which files make a scenario, and the part of the clock that is run."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from intergreen.envs.demand.sumo import Window, seconds
from intergreen.envs.errors import InputError, shown
from intergreen.envs.network.xml_file import Tag, read_children

ROOTS = ("configuration", "sumoConfiguration")
DEFAULT_LENGTH_S = 3600  # of a window without an end
_NAMES = {"n": "net-file", "net": "net-file", "r": "route-files", "a": "additional-files", "b": "begin", "e": "end"}


class SumoConfig(NamedTuple):
    """What a ``.sumocfg`` names."""

    net: Path
    routes: tuple[Path, ...]  # additional files first: types and routes stand before who uses them
    window: Window

    @property
    def horizon_s(self) -> int:
        return int(self.window.end_s - self.window.begin_s)


def read_sumo_config(path: str | Path) -> SumoConfig:
    """The files and the window of a configuration; SUMO's other options do not matter to us.

    Raises
    ------
    InputError
        If a value is missing or wrong.
    """
    given: dict[str, Tag] = {}
    for tag in read_children(path, *ROOTS):
        for option in [tag, *tag.children()]:
            given[_NAMES.get(option.name, option.name)] = option
    folder = Path(path).resolve().parent
    if "net-file" not in given:
        raise InputError(path, "<net-file>", "is missing", 'add <net-file value="….net.xml"/>')
    routes = [name for key in ("additional-files", "route-files") for name in _names(given, key)]
    if not routes:
        raise InputError(path, "<route-files>", "is missing", 'add <route-files value="….rou.xml"/>')
    begin_s = _seconds(given, "begin", 0.0)
    end_s = _seconds(given, "end", -1.0)
    if end_s < 0:
        end_s = begin_s + DEFAULT_LENGTH_S
    if end_s - begin_s < 1:
        raise InputError(path, "<end>", f"is {end_s:g} s, the begin {begin_s:g} s", "use an end after the begin")
    net = _names(given, "net-file")
    return SumoConfig(folder / net[0], tuple(folder / name for name in routes), Window(begin_s, end_s))


def _names(given: dict[str, Tag], key: str) -> list[str]:
    """File names, by commas or blanks."""
    if key not in given:
        return []
    names = given[key].text("value").replace(",", " ").split()
    if not names:
        given[key].fail("is empty", "name a file", "value")
    return names


def _seconds(given: dict[str, Tag], key: str, default: float) -> float:
    if key not in given:
        return default
    text = given[key].text("value")
    value = -1.0 if text.strip() in ("-1", "-1.0", "-1.00") else seconds(text)
    if value != -1.0 and not 0 <= value <= 1e9:  # also NaN
        given[key].fail(f"is {shown(text)}", "use seconds, or hours:minutes:seconds", "value")
    return value
