"""Which detectors can be believed: every reading of every lane judged, at every decision. NumPy only.

The four diagnostics that controllers in the field know (NTCIP 1202: no activity, maximum presence, erratic counts,
communications), in the form in which counts per lane allow them.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from intergreen.envs.arrays import BoolArray, ByteArray, Float32Array, FloatArray, IntArray
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.readings import Readings

STALE_DECISIONS = 2  # a reading older than so many decision periods is not used
STUCK_S, STUCK_GREEN_S = 180, 30  # the same vehicles for so long, so much of it green
SHORTEST_VEHICLE_M = 3.0
SILENT_S = 600  # without anybody, at least, and how unlikely that must be by what the lane had before,
NEVER_BY_CHANCE = 1e-6  # one look in `APART_S` counted: those between them meet the same platoons and the same reds
APART_S = 60
_LEARNED_FROM = 200  # decisions that the share of busy ones looks back on
_DOUBT = 2.0  # empty looks added to those had before, so that a few busy ones are no certainty (Laplace)
_BUSY_NETWORK = 0.5  # of its usual traffic: below, silence tells nothing


class Finding(IntEnum):
    """What is wrong with a lane's reading; the highest number is reported where several are."""

    FINE = 0
    SILENT = 1
    STUCK = 2
    OUT_OF_RANGE = 3
    NOT_A_NUMBER = 4
    STALE = 5


FINDING_WORDS = {
    Finding.FINE: "fine",
    Finding.SILENT: "a detector has been silent for too long",
    Finding.STUCK: "a detector is stuck",
    Finding.OUT_OF_RANGE: "a count is out of range",
    Finding.NOT_A_NUMBER: "a count is no number",
    Finding.STALE: "a count is too old",
}


class Counted(NamedTuple):
    """What readings tell, in 32 bits and bin by bin: half the memory, and every look at it goes over long rows."""

    vehicles: Float32Array  # (B, L)
    waiting: Float32Array  # (B, L)
    arriving: Float32Array  # (bins, B, L)


def counted(readings: Readings) -> Counted:
    """The counts of the readings, whatever they are; beyond 32 bits they are infinite."""
    with np.errstate(over="ignore", invalid="ignore"):
        arriving = np.empty((readings.arriving.shape[2], *readings.vehicles.shape), np.float32)
        arriving[:] = np.moveaxis(readings.arriving, 2, 0)
        return Counted(readings.vehicles.astype(np.float32), readings.waiting.astype(np.float32), arriving)


class DetectorHealth:
    """Remembers of B replicas × L lanes what it takes to tell a stuck or silent detector."""

    def __init__(self, network: RoadNetwork, n_replicas: int, interval_s: int) -> None:
        self._interval_s = interval_s
        self._room = (network.lane_length_m / SHORTEST_VEHICLE_M + 1.0).astype(np.float32)
        self._least_room = self._room.min(initial=np.inf)
        self._starting = _starting(network)
        shape = (n_replicas, network.n_lanes)
        self._before: Counted | None = None
        self._same_s = np.zeros(shape, np.int32)
        self._same_green_s = np.zeros(shape, np.int32)
        self._busy = np.zeros(shape)  # share of decisions at which somebody was there
        self._expected = np.zeros(shape)  # what that share was when somebody was last there
        self._silent = np.zeros(shape)  # decisions without anybody, while the network was busy
        self._traffic = np.zeros(n_replicas)  # mean of all vehicles
        self._decisions = 0

    def judge(self, readings: Readings, red_s: IntArray, counts: Counted | None = None) -> ByteArray:
        """(B, L) a `Finding` for every lane.

        Parameters
        ----------
        red_s : (B, M) seconds since each movement had green
        counts : of the readings, where they are made already
        """
        counts = counts or counted(readings)
        is_number = _are_numbers(readings, counts)
        with np.errstate(invalid="ignore"):
            occupied = is_number & (counts.vehicles > 0)
            wrong = is_number & self._is_out_of_range(counts)
        found = np.zeros(occupied.shape, np.uint8)
        total = np.where(occupied, counts.vehicles, np.float32(0.0)).sum(axis=1, dtype=np.float64)
        found[self._is_silent(total, occupied, is_number)] = Finding.SILENT
        found[self._is_stuck(counts, occupied, red_s)] = Finding.STUCK
        found[wrong] = Finding.OUT_OF_RANGE
        found[~is_number] = Finding.NOT_A_NUMBER
        found[readings.age_s > STALE_DECISIONS * self._interval_s] = Finding.STALE
        return found

    def _is_out_of_range(self, counts: Counted) -> BoolArray:
        """Lowest and highest of all are looked at first: most times they are the answer, and NaN is neither."""
        vehicles, waiting, arriving = counts
        outside = (vehicles > self._room) | (waiting > vehicles)
        if not (vehicles.min(initial=0.0) >= 0 and waiting.min(initial=0.0) >= 0):
            outside |= (vehicles < 0) | (waiting < 0)
        if not (arriving.min(initial=0.0) >= 0 and arriving.max(initial=0.0) <= self._least_room):
            for moving in arriving:
                outside |= (moving < 0) | (moving > self._room)
        return outside

    def _is_stuck(self, counts: Counted, occupied: BoolArray, red_s: IntArray) -> BoolArray:
        same = np.zeros_like(occupied) if self._before is None else occupied & _are_equal(counts, self._before)
        self._before = counts
        self._same_s = (self._same_s + self._interval_s) * same
        self._same_green_s *= same
        if same.any():
            self._same_green_s += self._interval_s * (same & self._has_green(red_s))
        return (self._same_s >= STUCK_S) & (self._same_green_s >= STUCK_GREEN_S)

    def _is_silent(self, total: FloatArray, occupied: BoolArray, is_number: BoolArray) -> BoolArray:
        """By what the lane had before, could so many decisions in a row have met nobody?"""
        is_busy = total >= _BUSY_NETWORK * self._traffic
        self._decisions += 1
        share = 1.0 / min(self._decisions, _LEARNED_FROM)
        self._traffic += share * (total - self._traffic)
        self._silent = (self._silent + (is_number & is_busy[:, None])) * ~occupied
        silent = self._silent * self._interval_s >= SILENT_S
        if silent.any():
            silent_s = self._silent[silent] * self._interval_s
            silent[silent] = silent_s / APART_S * np.log1p(-self._expected[silent]) < np.log(NEVER_BY_CHANCE)
        learns = is_number & ~silent & is_busy[:, None]
        self._busy += learns * (share * (occupied - self._busy))
        looks = self._interval_s / APART_S / share
        self._expected = np.where(occupied, self._busy * (looks / (looks + _DOUBT)), self._expected)
        return silent

    def _has_green(self, red_s: IntArray) -> BoolArray:
        """(B, L) has any movement from the lane green now?"""
        green = np.zeros(self._same_s.shape, np.bool_)
        for lanes, movements in self._starting:
            green[:, lanes] |= red_s.take(movements, axis=1) == 0
        return green


def _are_numbers(readings: Readings, counts: Counted) -> BoolArray:
    """(B, L) is every count of the lane finite? A sum is not where any of its terms is not."""
    if np.isfinite(sum(float(values.sum()) for values in counts)):
        return np.ones(readings.vehicles.shape, np.bool_)
    finite: BoolArray = np.isfinite(readings.vehicles) & np.isfinite(readings.waiting)
    return finite & np.isfinite(readings.arriving).all(axis=2)


def _are_equal(counts: Counted, before: Counted) -> BoolArray:
    """(B, L) does the lane tell what it told before?"""
    same = (counts.vehicles == before.vehicles) & (counts.waiting == before.waiting)
    for now, then in zip(counts.arriving, before.arriving, strict=True):
        same &= now == then
    return same


def _starting(network: RoadNetwork) -> list[tuple[IntArray, IntArray]]:
    """Lanes, and a movement that starts from each: the first of every lane, then the second where there is one, ..."""
    pairs = np.unique(np.stack([network.link_from_lane, network.link_movement], axis=1), axis=0).astype(np.int32)
    _, first, count = np.unique(pairs[:, 0], return_index=True, return_counts=True)
    return [tuple(pairs[first[count > rank] + rank].T) for rank in range(max(count, default=0))]
