"""Which lanes tell about a signal: those that lead to it, and those behind a cut of the street that are seen there.

A lane may tell about several signals, where the street forks between the cut and them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from intergreen.envs.network.approaches import approach_lanes_by_movement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from intergreen.envs.arrays import BoolArray, Float32Array, FloatArray, IntArray
    from intergreen.envs.network import RoadNetwork


@dataclass(frozen=True, slots=True, eq=False)
class Detectors:
    """P pairs of a lane and a signal that it tells about, signal by signal.

    lane    (P,)
    signal  (P,) ascending
    number  (I,) of each signal's lanes
    tells   (L,) does the lane tell about any signal?
    """

    lane: IntArray
    signal: IntArray
    number: IntArray
    tells: BoolArray

    def count(self, which: BoolArray) -> IntArray:
        """(B, I) how many of these lanes (B, L) each signal has."""
        counts = np.zeros((len(which), len(self.number)), np.int32)
        for b, mine in self._rows(which):
            counts[b] = np.bincount(self.signal[mine], minlength=len(self.number))
        return counts

    def means(self, values: Float32Array, which: BoolArray) -> FloatArray:
        """(B, L) for every lane the mean of `values` over these lanes (B, L) of its signal, the highest of several; 0
        where there are none, and for a lane that tells about no signal."""
        means = np.zeros(values.shape)
        for b, mine in self._rows(which):
            signal, told = self.signal[mine], values[b, self.lane[mine]]
            total = np.bincount(signal, weights=told, minlength=len(self.number))
            mean = total / np.maximum(np.bincount(signal, minlength=len(self.number)), 1)
            np.maximum.at(means[b], self.lane, mean[self.signal])
        return means

    def _rows(self, which: BoolArray) -> Iterator[tuple[int, NDArray[Any]]]:
        """Of each replica with any: its number, and which of the pairs are of such lanes."""
        for b in np.flatnonzero(which[:, self.lane].any(axis=1)).tolist():
            yield b, which[b, self.lane]


def detectors_of(network: RoadNetwork, intersection: IntArray) -> Detectors:
    """Of the signals at these intersections (I,)."""
    signal = np.full(network.n_intersections, -1, np.int32)
    signal[intersection] = np.arange(len(intersection), dtype=np.int32)
    leads_to = signal[network.road_to[network.lane_road]]
    starts, seen = approach_lanes_by_movement(network)
    sees = np.repeat(signal[network.movement_intersection], np.diff(starts))
    of, lanes = np.concatenate([leads_to, sees]), np.concatenate([np.arange(network.n_lanes), seen])
    pairs = np.unique((of.astype(np.int64) * network.n_lanes + lanes)[of >= 0])
    told, lane = (part.astype(np.int32) for part in np.divmod(pairs, network.n_lanes))
    tells = np.zeros(network.n_lanes, np.bool_)
    tells[lane] = True
    return Detectors(lane, told, np.bincount(told, minlength=len(intersection)).astype(np.int32), tells)
