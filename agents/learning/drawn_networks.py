"""Generated networks, as different as the seed makes them: grids, arterials, towns and single junctions.

Many sizes, block lengths, lane counts and speeds; phases as the literature has them and otherwise. Nothing here knows a
benchmark's network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from intergreen.agents.learning.drawn_phases import draw_phases, draw_yielding_phases
from intergreen.envs.network import (
    ArterialSpec,
    GridSpec,
    TownSpec,
    generate_arterial,
    generate_grid,
    generate_town,
)

if TYPE_CHECKING:
    from intergreen.envs.network import RoadNetwork

JUNCTION_LANES = (0.1, 0.15, 0.35, 0.1, 0.1, 0.1, 0.1)  # chances of 1 to 7 on a single junction's main road
GRID_LANES = (0.05, 0.15, 0.7, 0.05, 0.0, 0.0, 0.05)
NARROW = 0.2  # of the networks: whoever waits to turn left closes the lane for others, or one of two
NARROW_LANES = (0.6, 0.4)


def draw_network(random: np.random.Generator, *, alone: bool = False) -> RoadNetwork:
    """A network of any size, or a single junction.

    Raises
    ------
    InputError, ValueError
        If these draws make no network.
    """
    narrow = random.random() < NARROW
    network = _junction(random, narrow=narrow) if alone else _network(random, narrow=narrow)
    return draw_yielding_phases(network, random) if narrow else draw_phases(network, random)


def _network(random: np.random.Generator, *, narrow: bool) -> RoadNetwork:
    kind = random.random()
    speed = _speed_mps(random)
    if kind < 0.45:
        rows, columns = _grid_size(random)
        return generate_grid(
            GridSpec(
                rows=rows,
                columns=columns,
                spacing_x_m=_block_m(random),
                spacing_y_m=_block_m(random),
                lanes=_lanes(random, NARROW_LANES if narrow else GRID_LANES),
                speed_limit_mps=speed,
            )
        )
    if kind < 0.6:
        main = _lanes(random, NARROW_LANES if narrow else (0.25,) * 4)
        return generate_arterial(
            ArterialSpec(
                signals=int(random.integers(1, 9)),
                spacing_m=_block_m(random),
                side_length_m=_block_m(random),
                main_lanes=main,
                side_lanes=int(random.integers(1, main + 1)),
                main_speed_mps=speed,
                side_speed_mps=min(speed, 11.111),
            )
        )
    spacing_m = float(np.exp(random.uniform(np.log(150.0), np.log(400.0))))
    spec = TownSpec(signals=int(random.integers(4, 17)), spacing_m=spacing_m)
    return generate_town(spec, seed=int(random.integers(2**31)))


def _junction(random: np.random.Generator, *, narrow: bool) -> RoadNetwork:
    """One signal: equal streets, a main road and a side street, or any three to five legs."""
    kind = random.random()
    speed = _speed_mps(random)
    main = _lanes(random, NARROW_LANES if narrow else JUNCTION_LANES)
    if kind < 0.85:
        return generate_arterial(
            ArterialSpec(
                signals=1,
                spacing_m=_block_m(random),
                side_length_m=_block_m(random),
                main_lanes=main,
                side_lanes=main if kind < 0.55 else int(random.integers(1, main + 1)),
                main_speed_mps=speed,
                side_speed_mps=speed if kind < 0.55 else min(speed, 11.111),
            )
        )
    return generate_town(
        TownSpec(signals=1, spacing_m=float(np.exp(random.uniform(np.log(150.0), np.log(400.0))))),
        seed=int(random.integers(2**31)),
    )


def _lanes(random: np.random.Generator, chances: tuple[float, ...]) -> int:
    return int(random.choice(np.arange(1, len(chances) + 1), p=chances))


def _speed_mps(random: np.random.Generator) -> float:
    return float(random.choice([8.333, 11.111, 13.889, 16.667], p=[0.1, 0.65, 0.15, 0.1]))


def _grid_size(random: np.random.Generator) -> tuple[int, int]:
    while True:
        rows, columns = (int(n) for n in random.integers(1, 7, 2))
        if rows * columns <= 16:
            return rows, columns


def _block_m(random: np.random.Generator) -> float:
    return float(np.exp(random.uniform(np.log(75.0), np.log(900.0))))
