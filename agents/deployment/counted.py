"""Readings as they are judged and observed: in 32 bits and bin by bin. NumPy only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from intergreen.envs.arrays import BoolArray, Float32Array, IntArray
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.readings import Readings


class Counted(NamedTuple):
    """What readings tell: half the memory, and every look at it goes over long rows."""

    vehicles: Float32Array  # (B, L)
    waiting: Float32Array  # (B, L)
    arriving: Float32Array  # (bins, B, L)
    every: Float32Array  # (2 + bins, B, L) all of them; those above are views


def counts_in(every: Float32Array) -> Counted:
    """Of the array of all."""
    return Counted(every[0], every[1], every[2:], every)


def counted(readings: Readings) -> Counted:
    """The counts of the readings, whatever they are; beyond 32 bits they are infinite."""
    every = np.empty((2 + readings.arriving.shape[2], *readings.vehicles.shape), np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        every[0], every[1] = readings.vehicles, readings.waiting
        for step, moving in enumerate(every[2:]):
            moving[:] = readings.arriving[:, :, step]
    return counts_in(every)


def places(which: BoolArray) -> tuple[NDArray[Any], NDArray[Any]]:
    """Replica and lane of all that is true in (B, L); `nonzero` looks at two axes ten times as long as at one."""
    return np.divmod(np.flatnonzero(which), which.shape[1])


def movements_by_lane(network: RoadNetwork) -> IntArray:
    """(L, K) movements that start from each lane, then -1, which is none."""
    starts = np.unique(np.stack([network.link_from_lane, network.link_movement], axis=1), axis=0)
    return in_rows(starts[:, 0], starts[:, 1], network.n_lanes)


def in_rows(row: NDArray[Any], value: IntArray, n_rows: int) -> IntArray:
    """(n_rows, K) the values of each row, then -1; row ascends."""
    count = np.bincount(row, minlength=n_rows)
    rows = np.full((n_rows, max(1, int(count.max(initial=0)))), -1, np.int32)
    rows[row, np.arange(len(row)) - (np.cumsum(count) - count)[row]] = value
    return rows
