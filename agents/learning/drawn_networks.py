"""Generated networks, as different as the seed makes them: grids, arterials, towns and single junctions.

Many sizes, block lengths, lane counts and speeds; phases as the literature has them and otherwise. Nothing here knows a
benchmark's network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from intergreen.envs.network import (
    STRAIGHT,
    TURN_RIGHT,
    ArterialSpec,
    GridSpec,
    RoadNetwork,
    TownSpec,
    generate_arterial,
    generate_grid,
    generate_town,
)

if TYPE_CHECKING:
    from intergreen.envs.arrays import IntArray

PHASE_S = 30.0  # in the network's own programme, which nobody follows here
JUNCTION_LANES = (0.1, 0.15, 0.35, 0.1, 0.1, 0.1, 0.1)  # chances of 1 to 7 on a single junction's main road
RIGHT_TURNS_WAIT = 0.35  # of the networks: right turns have red with their approach, as outside of CityFlow's files
_FOUR_LEGS = 9  # phases of a generated junction with four approaches: clearance, four of two movements, four of one


def draw_network(random: np.random.Generator, *, alone: bool = False) -> RoadNetwork:
    """A network of any size, or a single junction.

    Raises
    ------
    InputError, ValueError
        If these draws make no network.
    """
    network = _other_phases(_junction(random) if alone else _network(random), random)
    if random.random() < RIGHT_TURNS_WAIT:
        network = _with_phases(network, partial(_right_turns_wait, network))
    return network


def _network(random: np.random.Generator) -> RoadNetwork:
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
                lanes=int(random.choice([1, 2, 3, 4, 7], p=[0.05, 0.15, 0.7, 0.05, 0.05])),
                speed_limit_mps=speed,
            )
        )
    if kind < 0.6:
        main = int(random.integers(1, 5))
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


def _junction(random: np.random.Generator) -> RoadNetwork:
    """One signal: equal streets, a main road and a side street, or any three to five legs."""
    kind = random.random()
    speed = _speed_mps(random)
    main = int(random.choice(np.arange(1, 8), p=JUNCTION_LANES))
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


def _speed_mps(random: np.random.Generator) -> float:
    return float(random.choice([8.333, 11.111, 13.889, 16.667], p=[0.1, 0.65, 0.15, 0.1]))


def _other_phases(network: RoadNetwork, random: np.random.Generator) -> RoadNetwork:
    """Mostly as generated; or without a phase that serves as clearance, or with left turns permitted in two phases."""
    kind = random.random()
    if kind < 0.65:
        return network
    if kind < 0.85:
        return _with_phases(network, lambda phases: phases[1:])
    return _with_phases(network, _permitted_left)


def _permitted_left(phases: list[set[int]]) -> list[set[int]]:
    """The literature's four phases as two: straight on and left of opposing approaches together."""
    if len(phases) != _FOUR_LEGS:
        return phases
    return [phases[0], phases[1] | phases[3], phases[2] | phases[4]]


def _right_turns_wait(network: RoadNetwork, phases: list[set[int]]) -> list[set[int]]:
    """Right turns green only with the straight stream beside them, or whatever else leaves their road."""
    road, turn = network.movement_from_road, network.movement_turn
    served = sorted(set().union(*phases))
    beside = {m: {n for n in served if road[n] == road[m] and turn[n] != TURN_RIGHT} for m in served}
    straight = {m: {n for n in beside[m] if turn[n] == STRAIGHT} for m in served}

    def waits(m: int, phase: set[int]) -> bool:
        company = straight[m] or beside[m]
        return turn[m] == TURN_RIGHT and bool(company) and not company & phase

    kept = [{m for m in phase if not waits(m, phase)} for phase in phases]
    shown = [phase for phase in kept if phase]
    return shown if len(shown) > 1 else phases


def _with_phases(network: RoadNetwork, change: Callable[[list[set[int]]], list[set[int]]]) -> RoadNetwork:
    """The network with the phases that `change` makes of each intersection's; every phase is a set of movements."""
    counts, greens = [], []
    for j in range(network.n_intersections):
        first = int(network.movement_start[j])
        phases = [set((np.flatnonzero(row) + first).tolist()) for row in network.phase_matrix(j)]
        changed = change(phases) if len(phases) > 1 else phases
        counts.append(len(changed))
        greens += [sorted(phase) for phase in changed]
    return replace(
        network,
        phase_start=_starts(counts),
        phase_duration_s=np.full(len(greens), PHASE_S),
        phase_movement_start=_starts([len(phase) for phase in greens]),
        phase_movements=np.array([m for phase in greens for m in phase], np.int32),
    )


def _starts(counts: Sequence[int]) -> IntArray:
    return np.concatenate(([0], np.cumsum(counts))).astype(np.int32)


def _grid_size(random: np.random.Generator) -> tuple[int, int]:
    while True:
        rows, columns = (int(n) for n in random.integers(1, 7, 2))
        if rows * columns <= 16:
            return rows, columns


def _block_m(random: np.random.Generator) -> float:
    return float(np.exp(random.uniform(np.log(75.0), np.log(900.0))))
