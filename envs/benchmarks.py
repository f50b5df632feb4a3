"""Where the benchmark networks are on this machine. None of them is shipped: their licences are their owners'.

`cityflow/NAME` is a folder below the one that INTERGREEN_DATA names. `resco/NAME` are the eight scenarios of RESCO
(Ault and Sharon, 2021, "Reinforcement learning benchmarks for traffic signal control"): from there too, or from the
package sumo-rl, which holds their files. That package is looked up and never imported: its import asks for SUMO.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

DATA_VARIABLE = "INTERGREEN_DATA"
CITYFLOW, RESCO = "cityflow", "resco"  # sub-folders of the data, and the first parts of the names
RESCO_NAMES = (
    "cologne1", "cologne3", "cologne8", "ingolstadt1", "ingolstadt7", "ingolstadt21", "grid4x4", "arterial4x4",
)  # fmt: skip
PROTOCOLS = {"resco/arterial4x4": "resco-5-2"}  # RESCO's timing is 10 s and 3 s everywhere else
_PACKAGE, _INSIDE = "sumo_rl", Path("nets", "RESCO")


def names() -> tuple[str, ...]:
    """Benchmarks that can be loaded here."""
    data = _data_folder(CITYFLOW)
    found = sorted(data.iterdir()) if data is not None and data.is_dir() else []
    cityflow = (f"{CITYFLOW}/{path.name}" for path in found if _is_scenario_folder(path))
    resco = (f"{RESCO}/{name}" for name in RESCO_NAMES if folder(f"{RESCO}/{name}") is not None)
    return (*cityflow, *resco)


def folder(name: str) -> Path | None:
    """The folder of the benchmark of that name, None where it is no benchmark's name or is not here."""
    first, slash, rest = name.partition("/")
    if not slash or not rest:
        return None
    if first == CITYFLOW:
        places = [_data_folder(CITYFLOW)]
    elif first == RESCO and rest in RESCO_NAMES:
        places = [_data_folder(RESCO), _package_folder()]
    else:
        return None
    return next((place / rest for place in places if place is not None and (place / rest).is_dir()), None)


def what_is_missing(name: str) -> tuple[str, str] | None:
    """Problem and mend where the name is that of a benchmark whose files are not here."""
    place = _data_folder(CITYFLOW)
    if name.startswith(f"{CITYFLOW}/") and (place is None or not place.is_dir()):
        looked = "which is not set" if place is None else f"but there is no {str(place)!r}"
        problem = f"benchmark networks are looked up through {DATA_VARIABLE}, {looked}"
        return problem, f"set it to the folder that holds {CITYFLOW}/"
    if name in (f"{RESCO}/{one}" for one in RESCO_NAMES):
        mend = f'pip install "intergreen[benchmarks]", or put it below the folder that {DATA_VARIABLE} names'
        return "its files come with the package sumo-rl, which is not installed", mend
    return None


def _data_folder(kind: str) -> Path | None:
    data = os.environ.get(DATA_VARIABLE)
    return Path(data) / kind if data else None


def _package_folder() -> Path | None:
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / _INSIDE


def _is_scenario_folder(path: Path) -> bool:
    return all((path / name).is_file() or (path / f"{name}.gz").is_file() for name in ("roadnet.json", "flow.json"))
