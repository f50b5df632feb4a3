"""One intersection's real roads under phases of the test's own."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from intergreen.envs.network import STRAIGHT, TURN_LEFT, TURN_RIGHT, GridSpec, RoadNetwork, generate_grid

# The movements of every signal of a generated grid, by kind; "we" are those from west and east.
KINDS = ("rights", "we", "ns", "we left", "ns left", "w", "s", "e", "n", "w left", "s left", "e left", "n left")


def starts(sizes):
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)


@pytest.fixture(scope="session")
def crossings() -> Callable[..., RoadNetwork]:
    """Signals in a row: for each a list of phases, a phase as the movements' kinds, `KINDS`, joined by "+"."""

    def build(*signals: list[str]) -> RoadNetwork:
        network = generate_grid(GridSpec(rows=1, columns=len(signals)))
        centres = iter(signals)
        of_intersection = [
            [_movements(network, j, phase) for phase in next(centres)] if is_centre else []
            for j, is_centre in enumerate(np.diff(network.phase_start) > 0)
        ]
        phases = [phase for own in of_intersection for phase in own]
        return replace(
            network,
            phase_start=starts([len(own) for own in of_intersection]),
            phase_duration_s=np.full(len(phases), 30.0),
            phase_movement_start=starts([len(phase) for phase in phases]),
            phase_movements=np.array([m for phase in phases for m in phase], np.int32),
        )

    return build


@pytest.fixture(scope="session")
def kinds_of() -> Callable[[RoadNetwork, int], dict[str, list[int]]]:
    """The movements of an intersection by kind."""
    return _kinds


def _movements(network: RoadNetwork, j: int, phase: str) -> list[int]:
    kinds = _kinds(network, j)
    return sorted({m for kind in phase.split("+") if kind for m in kinds[kind]})


def _kinds(network: RoadNetwork, j: int) -> dict[str, list[int]]:
    movements = np.arange(network.movement_start[j], network.movement_start[j + 1])
    lane = network.road_lane_start[network.movement_from_road[movements]]
    last = network.lane_point_start[lane + 1] - 1
    dx, dy = (network.lane_points[last] - network.lane_points[last - 1]).T
    comes_from = np.select([dx > 1, dx < -1, dy > 1], ["w", "e", "s"], "n")  # heading east, it comes from the west
    turn = network.movement_turn[movements]
    kinds = {"rights": movements[turn == TURN_RIGHT].tolist()}
    for end in "wsen":
        kinds[end] = movements[(comes_from == end) & (turn == STRAIGHT)].tolist()
        kinds[f"{end} left"] = movements[(comes_from == end) & (turn == TURN_LEFT)].tolist()
    for one, other in ("we", "ns"):
        kinds[one + other] = kinds[one] + kinds[other]
        kinds[f"{one}{other} left"] = kinds[f"{one} left"] + kinds[f"{other} left"]
    return kinds
