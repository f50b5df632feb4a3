"""One intersection's phases without its geometry: all that the signals' floor reads of a network."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from intergreen.envs.arrays import IntArray


@dataclass(frozen=True)
class PhasesOnly:
    """Intersections given as lists of phases, a phase as a list of its movements, numbered within the intersection."""

    movement_start: IntArray
    phase_start: IntArray
    phase_movement_start: IntArray
    phase_movements: IntArray
    movement_intersection: IntArray

    @property
    def n_movements(self) -> int:
        return len(self.movement_intersection)

    @property
    def signalled(self) -> IntArray:
        return np.flatnonzero(np.diff(self.phase_start) >= 2).astype(np.int32)


def starts(sizes: Sequence[int]) -> IntArray:
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)


@pytest.fixture(scope="session")
def phases_only() -> Callable[..., PhasesOnly]:
    def build(*intersections: list[list[int]], n_movements: int = 4) -> PhasesOnly:
        phases = [phase for intersection in intersections for phase in intersection]
        greens = [m + n_movements * j for j, phases in enumerate(intersections) for phase in phases for m in phase]
        return PhasesOnly(
            movement_start=starts([n_movements] * len(intersections)),
            phase_start=starts([len(intersection) for intersection in intersections]),
            phase_movement_start=starts([len(phase) for phase in phases]),
            phase_movements=np.array(greens, dtype=np.int32),
            movement_intersection=np.repeat(np.arange(len(intersections), dtype=np.int32), n_movements),
        )

    return build
