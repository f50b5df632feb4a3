"""Networks of SUMO's kind, as different as the seed makes them, and the drivers of SUMO that drive there.

Here turns on one lane wait for each other, left turns yield in one phase and have the next one to themselves, blocks
are short, and some junctions have no signal: what our own generators do not make, and cities have.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from intergreen.agents.learning.drawn_phases import lefts_apart, with_phases
from intergreen.envs.demand.sumo_types import default_type
from intergreen.envs.network.sumo_generated import generate_sumo_network
from intergreen.envs.sumo_net_file import sumo_program

if TYPE_CHECKING:
    from intergreen.envs.demand import VehicleType
    from intergreen.envs.network import RoadNetwork

MOST_SIGNALS = 20
_BLOCK_M = (60.0, 350.0)
_GRIDS = 0.35  # of the networks; the others have streets at random
_MOVED_M = 15.0  # a grid's junctions are off their places by so much at most
_LEFTS_APART = 0.25  # of the networks: left turns share lanes with traffic that has green when they have red
_EQUAL_DRIVERS = 0.2  # of the networks: nobody is faster than others

Options = dict[str, str | float | bool]


def draw_sumo_network(random: np.random.Generator, *, alone: bool = False) -> RoadNetwork:
    """A network of any size that `netgenerate` makes, or a single junction.

    Raises
    ------
    InputError, ValueError
        If these draws make no network, or one with more than `MOST_SIGNALS`.
    """
    options = _grid(random, alone=alone) if alone or random.random() < _GRIDS else _random_streets(random)
    options |= _signals(random) | _roads(random) | _phases(random)
    seed = int(random.integers(2**31))
    network = generate_sumo_network(f"sumo_{seed}", options, netgenerate=sumo_program("netgenerate"), seed=seed)
    if len(network.signalled) > MOST_SIGNALS:
        raise ValueError(f"{len(network.signalled)} signals are too many")
    if random.random() < _LEFTS_APART:
        network = with_phases(network, partial(lefts_apart, network))
    return network


def draw_sumo_driver(random: np.random.Generator, network: RoadNetwork) -> VehicleType:
    """SUMO's default driver, mostly with a pace of his own."""
    fastest_mps = float(network.lane_speed_limit_mps.max())
    return default_type(fastest_mps, 0.0 if random.random() < _EQUAL_DRIVERS else None)


def _grid(random: np.random.Generator, *, alone: bool) -> Options:
    columns, rows = (1, 1) if alone else random.integers(1, 5, 2).tolist()
    width_m, height_m = _block_m(random), _block_m(random)
    options: Options = {
        "grid": True,
        "grid.x-number": columns,
        "grid.y-number": rows,
        "grid.x-length": round(width_m),
        "grid.y-length": round(height_m),
        "grid.attach-length": round(random.uniform(100.0, 400.0)),
    }
    if random.random() < 0.6:
        moved_m = round(min(_MOVED_M, width_m / 8.0, height_m / 8.0))
        options |= {"perturb-x": moved_m, "perturb-y": moved_m}
    return options


def _random_streets(random: np.random.Generator) -> Options:
    block_m = _block_m(random)
    return {
        "rand": True,
        "rand.iterations": int(random.integers(6, 30)),
        "rand.min-distance": round(block_m),
        "rand.max-distance": round(block_m * random.uniform(1.3, 2.5)),
        "rand.connectivity": round(random.uniform(0.5, 0.95), 2),
        "rand.grid": bool(random.random() < 0.3),
    }


def _signals(random: np.random.Generator) -> Options:
    """At every junction, or only where much traffic meets."""
    if random.random() < 0.5:
        return {"default.junctions.type": "traffic_light"}
    return {"tls.guess": True, "tls.guess.threshold": round(random.uniform(20.0, 70.0))}


def _roads(random: np.random.Generator) -> Options:
    lanes = int(random.choice([1, 2, 3], p=[0.35, 0.45, 0.2]))
    speed_mps = float(random.choice([8.33, 11.11, 13.89, 16.67], p=[0.1, 0.2, 0.6, 0.1]))
    options: Options = {
        "default.lanenumber": lanes,
        "default.speed": speed_mps,
        "random-lanenumber": bool(random.random() < 0.6),
        "random-priority": bool(random.random() < 0.5),
        "no-turnarounds": True,
    }
    if random.random() < 0.4:
        options |= {"turn-lanes": 1, "turn-lanes.length": round(random.uniform(20.0, 60.0))}
    return options


def _phases(random: np.random.Generator) -> Options:
    """Opposite approaches together or each alone; left turns that yield, with or without a phase, or never yield."""
    options: Options = {
        "tls.layout": "opposites" if random.random() < 0.75 else "incoming",
        "tls.join": bool(random.random() < 0.15),
    }
    left = random.random()
    if left < 0.3:
        options["tls.left-green.time"] = 0
    elif left < 0.58:
        options["tls.minor-left.max-speed"] = 5
    return options


def _block_m(random: np.random.Generator) -> float:
    return float(np.exp(random.uniform(np.log(_BLOCK_M[0]), np.log(_BLOCK_M[1]))))
