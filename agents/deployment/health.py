"""Which detectors can be believed: every reading of every lane judged, at every decision. NumPy only.

The four diagnostics that controllers in the field know (NTCIP 1202: no activity, maximum presence, erratic counts,
communications), in the form in which counts per lane allow them.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from intergreen.envs.arrays import BoolArray, ByteArray, FloatArray, IntArray
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


class DetectorHealth:
    """Remembers of B replicas × L lanes what it takes to tell a stuck or silent detector."""

    def __init__(self, network: RoadNetwork, n_replicas: int, interval_s: int) -> None:
        self._interval_s = interval_s
        self._room = network.lane_length_m / SHORTEST_VEHICLE_M + 1.0
        self._lanes, self._movements, self._first = _entries(network)
        shape = (n_replicas, network.n_lanes)
        self._before: Readings | None = None
        self._same_s = np.zeros(shape, np.int32)
        self._same_green_s = np.zeros(shape, np.int32)
        self._busy = np.zeros(shape)  # share of decisions at which somebody was there
        self._expected = np.zeros(shape)  # what that share was when somebody was last there
        self._silent = np.zeros(shape)  # decisions without anybody, while the network was busy
        self._traffic = np.zeros(n_replicas)  # mean of all vehicles
        self._decisions = 0

    def judge(self, readings: Readings, red_s: IntArray) -> ByteArray:
        """(B, L) a `Finding` for every lane; red_s (B, M) seconds since each movement had green."""
        is_number = _are_numbers(readings)
        clean = readings.vehicles if is_number.all() else np.where(is_number, readings.vehicles, 0.0)
        occupied = is_number & (clean > 0)
        found = np.zeros(clean.shape, np.uint8)
        found[self._is_silent(clean.sum(axis=1), occupied, is_number)] = Finding.SILENT
        found[self._is_stuck(readings, occupied, red_s)] = Finding.STUCK
        found[is_number & self._is_out_of_range(readings)] = Finding.OUT_OF_RANGE
        found[~is_number] = Finding.NOT_A_NUMBER
        found[readings.age_s > STALE_DECISIONS * self._interval_s] = Finding.STALE
        return found

    def _is_out_of_range(self, readings: Readings) -> BoolArray:
        """Bin by bin: five passes over long columns take a third of the time of one over rows of five."""
        with np.errstate(invalid="ignore"):
            outside = (readings.vehicles < 0) | (readings.waiting < 0) | (readings.vehicles > self._room)
            outside |= readings.waiting > readings.vehicles
            for step in range(readings.arriving.shape[2]):
                moving = readings.arriving[:, :, step]
                outside |= (moving < 0) | (moving > self._room)
            return np.asarray(outside)

    def _is_stuck(self, readings: Readings, occupied: BoolArray, red_s: IntArray) -> BoolArray:
        same = _are_equal(readings, self._before, occupied) if self._before is not None else np.zeros_like(occupied)
        self._before = readings
        self._same_s = (self._same_s + self._interval_s) * same
        self._same_green_s = (self._same_green_s + self._interval_s * self._has_green(red_s)) * same
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
        if len(self._movements):
            green[:, self._lanes] = np.logical_or.reduceat(red_s[:, self._movements] == 0, self._first, axis=1)
        return green


def _are_numbers(readings: Readings) -> BoolArray:
    """(B, L) is every count of the lane finite?"""
    finite: BoolArray = np.isfinite(readings.vehicles) & np.isfinite(readings.waiting)
    every = np.isfinite(readings.arriving)
    return finite if every.all() else finite & every.all(axis=2)


def _are_equal(readings: Readings, before: Readings, which: BoolArray) -> BoolArray:
    """(B, L) does the lane tell what it told before? Of the lanes `which` (B, L) alone."""
    same = which & (readings.vehicles == before.vehicles) & (readings.waiting == before.waiting)
    same[same] = (readings.arriving[same] == before.arriving[same]).all(axis=1)
    return same


def _entries(network: RoadNetwork) -> tuple[IntArray, IntArray, IntArray]:
    """Lanes that movements start from; the movements, lane by lane; the first entry of each lane."""
    pairs = np.unique(np.stack([network.link_from_lane, network.link_movement], axis=1), axis=0)
    lanes, first = np.unique(pairs[:, 0], return_index=True)
    return lanes.astype(np.int32), pairs[:, 1].astype(np.int32), first.astype(np.int32)
