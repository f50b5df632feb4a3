"""Pairs of movements, for many intersections in whole arrays: where to find what is said of every two of them.

Thousands of small matrices made one by one cost a hundred times what their numbers do. So formulas are written for one
pair, and read flat arrays of all of them; a single intersection is asked about in the same way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from intergreen.envs.arrays import ranges

if TYPE_CHECKING:
    from collections.abc import Sequence

    from intergreen.envs.arrays import BoolArray, IntArray
    from intergreen.envs.network import RoadNetwork


class Pairs(NamedTuple):
    """I intersections with n movements in all, and the N ordered pairs of movements of one intersection.

    Values of pairs stand in a flat array (N,): the matrices of the intersections one after the other, row by row.
    """

    intersection: IntArray  # (I,)
    size: IntArray  # (I,) movements
    matrix_start: IntArray  # (I + 1,)
    movement: IntArray  # (n,) number in the network; those of an intersection follow one another
    first: IntArray  # (n,) number in the network of the intersection's first movement
    row_start: IntArray  # (n,) where the movement's row begins
    row: IntArray  # (N,) index in `movement`
    column: IntArray  # (N,) the same

    @property
    def start(self) -> IntArray:
        """(I + 1,) where the movements of each intersection begin in `movement`."""
        return np.concatenate(([0], np.cumsum(self.size))).astype(np.int32)

    def at(self, one: IntArray, other: IntArray) -> IntArray:
        """Where the pairs of these movements, indices in `movement`, stand among the N."""
        return self.row_start[one] + self.movement[other] - self.first[other]

    def of_pairs(self, values: Any) -> Any:
        """(N,) what is said of each pair's intersection."""
        return np.repeat(values, self.size * self.size)

    def matrix(self, values: Any, i: int) -> Any:
        """(m, m) of the i-th intersection."""
        return values[self.matrix_start[i] : self.matrix_start[i + 1]].reshape(self.size[i], self.size[i])


def pairs_of(network: RoadNetwork, intersections: Sequence[int] | IntArray) -> Pairs:
    """The pairs of these intersections, in that order."""
    intersection = np.asarray(intersections, np.int32)
    first = network.movement_start[intersection]
    size = network.movement_start[intersection + 1] - first
    n = int(size.sum())
    matrix_start = np.concatenate(([0], np.cumsum(size * size))).astype(np.int32)
    its_size, own_start = np.repeat(size, size), np.repeat(np.cumsum(size) - size, size)
    k = np.arange(n, dtype=np.int32)
    return Pairs(
        intersection,
        size,
        matrix_start,
        movement=ranges(first, size),
        first=np.repeat(first, size),
        row_start=np.repeat(matrix_start[:-1], size) + (k - own_start) * its_size,
        row=np.repeat(k, its_size),
        column=ranges(own_start, its_size),
    )


def conflicting(network: RoadNetwork, pairs: Pairs) -> BoolArray:
    """(N,) do the two cross or merge? As `network.conflict_matrix`."""
    conflicts = np.zeros(len(pairs.row), np.bool_)
    conflicts[stated_conflicts(network, pairs)[1]] = True
    return conflicts


def stated_conflicts(network: RoadNetwork, pairs: Pairs) -> tuple[IntArray, IntArray]:
    """Which entries of `network.conflict_with` belong to the pairs, and to which of them."""
    start = network.conflict_start[pairs.movement]
    sizes = network.conflict_start[pairs.movement + 1] - start
    entry = ranges(start, sizes)
    return entry, np.repeat(pairs.row_start - pairs.first, sizes) + network.conflict_with[entry]


class Greens(NamedTuple):
    """Whether each phase of the intersections is green for each of their movements: P phases, G entries."""

    phase: IntArray  # (P,) number in the network
    n_phases: IntArray  # (I,)
    start: IntArray  # (P + 1,) where a phase's row of movements begins
    movement: IntArray  # (G,) index in `Pairs.movement`
    is_green: BoolArray  # (G,) as `network.phase_matrix`, row by row


def greens_of(network: RoadNetwork, pairs: Pairs) -> Greens:
    """The phases of the pairs' intersections."""
    n_phases = network.phase_start[pairs.intersection + 1] - network.phase_start[pairs.intersection]
    phase = ranges(network.phase_start[pairs.intersection], n_phases)
    width, own_start = np.repeat(pairs.size, n_phases), np.repeat(pairs.start[:-1], n_phases)
    start = np.concatenate(([0], np.cumsum(width))).astype(np.int32)
    first = np.repeat(network.movement_start[pairs.intersection], n_phases)
    sizes = network.phase_movement_start[phase + 1] - network.phase_movement_start[phase]
    shown = network.phase_movements[ranges(network.phase_movement_start[phase], sizes)]
    is_green = np.zeros(int(start[-1]), np.bool_)
    is_green[np.repeat(start[:-1] - first, sizes) + shown] = True
    return Greens(phase, n_phases, start, ranges(own_start, width), is_green)


def counts_of(flags: BoolArray, start: IntArray) -> IntArray:
    """How many of flags[start[k]:start[k + 1]] are True, for every k."""
    total = np.concatenate(([0], np.cumsum(flags)))
    counts: IntArray = total[start[1:]] - total[start[:-1]]
    return counts
