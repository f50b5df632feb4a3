"""What a road network is: roads, lanes, lane links, movements, phases, crossings, conflicts.

road_network  the immutable arrays everything above reads (NumPy only)
description   the same network as plain records, before geometry
builder       description -> arrays, by the geometry of CityFlow
cityflow      reader of ``roadnet.json``
sumo          reader of SUMO's ``.net.xml``: sumo_net its records, sumo_include files that it includes, sumo_links the
              paths, sumo_programmes which programme runs, sumo_switching when others take over, sumo_joined signals
              that meet, sumo_signals the greens, sumo_right_of_way who yields
grid, town    generators, on top of streets and phases
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from intergreen.envs.network.builder import build_network
    from intergreen.envs.network.cityflow import read_cityflow_network
    from intergreen.envs.network.files import find_file
    from intergreen.envs.network.grid import ArterialSpec, GridSpec, generate_arterial, generate_grid
    from intergreen.envs.network.phases import Timing
    from intergreen.envs.network.road_network import STRAIGHT, TURN_LEFT, TURN_RIGHT, RoadNetwork, require_signals
    from intergreen.envs.network.sumo import read_sumo_network
    from intergreen.envs.network.town import TownSpec, generate_town

_HOME = {
    "RoadNetwork": "road_network",
    "TURN_RIGHT": "road_network",
    "TURN_LEFT": "road_network",
    "STRAIGHT": "road_network",
    "require_signals": "road_network",
    "build_network": "builder",
    "read_cityflow_network": "cityflow",
    "read_sumo_network": "sumo",
    "find_file": "files",
    "GridSpec": "grid",
    "generate_grid": "grid",
    "ArterialSpec": "grid",
    "generate_arterial": "grid",
    "TownSpec": "town",
    "generate_town": "town",
    "Timing": "phases",
}

__all__ = [
    "STRAIGHT",
    "TURN_LEFT",
    "TURN_RIGHT",
    "ArterialSpec",
    "GridSpec",
    "RoadNetwork",
    "Timing",
    "TownSpec",
    "build_network",
    "find_file",
    "generate_arterial",
    "generate_grid",
    "generate_town",
    "read_cityflow_network",
    "read_sumo_network",
    "require_signals",
]


def __getattr__(name: str) -> Any:  # readers and generators need Numba; the arrays alone do not
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
