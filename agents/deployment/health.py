"""Which detectors can be believed: every reading of every lane judged, at every decision. NumPy only.

The four diagnostics that controllers in the field know (NTCIP 1202: no activity, maximum presence, erratic counts,
communications), in the form in which counts per lane allow them.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from intergreen.agents.deployment.counted import Counted, counted
from intergreen.agents.deployment.silent import SilentDetectors
from intergreen.agents.deployment.stuck import StuckDetectors
from intergreen.envs.network.approaches import links_over_cuts

if TYPE_CHECKING:
    from intergreen.envs.arrays import BoolArray, ByteArray, FloatArray, IntArray
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.readings import Readings

STALE_DECISIONS = 2  # a reading older than so many decision periods is not used
SHORTEST_VEHICLE_M = 3.0


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
    """Judges the lanes of B replicas; remembers what it takes to tell a stuck or silent detector."""

    def __init__(self, network: RoadNetwork, n_replicas: int, interval_s: int) -> None:
        self._interval_s = interval_s
        self._room = _most_vehicles(network).astype(np.float32)
        self._least_room = self._room.min(initial=np.inf)
        self._stuck = StuckDetectors(network, n_replicas, interval_s)
        self._silent = SilentDetectors(network, n_replicas, interval_s)

    def judge(self, readings: Readings, red_s: IntArray, counts: Counted | None = None) -> ByteArray:
        """(B, L) a `Finding` for every lane.

        Parameters
        ----------
        red_s : (B, M) seconds since each movement had green
        counts : of the readings, where they are made already
        """
        counts = counts or counted(readings)
        vehicles = counts.vehicles
        with np.errstate(invalid="ignore"):
            if self._are_in_range(counts):
                is_number, wrong = np.ones(vehicles.shape, np.bool_), None
            else:
                is_number = _are_numbers(readings)
                wrong = is_number & self._is_out_of_range(counts)
            is_told = is_number if wrong is None else is_number & ~wrong
            occupied = is_told & (vehicles > 0)
        found = np.zeros(occupied.shape, np.uint8)
        found[self._silent.judge(counts, occupied, is_told, red_s)] = Finding.SILENT
        found[self._stuck.judge(counts, occupied, red_s)] = Finding.STUCK
        if wrong is not None:
            found[wrong] = Finding.OUT_OF_RANGE
            found[~is_number] = Finding.NOT_A_NUMBER
        found[~is_fresh(readings.age_s, self._interval_s)] = Finding.STALE
        return found

    def learn(self) -> None:
        """What the last judgement is to be remembered by: at the next one at the latest, or sooner if there is time."""
        self._silent.learn()
        self._stuck.learn()

    def _are_in_range(self, counts: Counted) -> bool:
        """True only if every count is a number in its range, as at most times; NaN is no more than anything."""
        vehicles, waiting, arriving, every = counts
        if not every.min(initial=0.0) >= 0:
            return False
        least_room = bool(arriving.max(initial=0.0) <= self._least_room)
        return least_room and bool(np.all((vehicles <= self._room) & (waiting <= vehicles)))

    def _is_out_of_range(self, counts: Counted) -> BoolArray:
        vehicles, waiting, arriving, _ = counts
        outside = (vehicles < 0) | (waiting < 0) | (vehicles > self._room) | (waiting > vehicles)
        for moving in arriving:
            outside |= (moving < 0) | (moving > self._room)
        return outside


def _most_vehicles(network: RoadNetwork) -> FloatArray:
    """(L,) that a lane's counts can tell of: those on it and, behind a cut before a signal, on the way over that."""
    over = links_over_cuts(network)
    onto, ways_m = network.link_to_lane[over], network.link_length_m[over]
    length_m = network.lane_length_m + np.bincount(onto, ways_m, network.n_lanes)
    pieces = 1 + np.bincount(onto, minlength=network.n_lanes)
    most: FloatArray = length_m / SHORTEST_VEHICLE_M + pieces  # one on each may be there with a part of it alone
    return most


def is_fresh(age_s: IntArray, interval_s: int) -> BoolArray:
    """Is a reading of that age used? Not one from the future, nor one of an age that is no number."""
    fresh: BoolArray = (age_s >= 0) & (age_s <= STALE_DECISIONS * interval_s)
    return fresh


def _are_numbers(readings: Readings) -> BoolArray:
    """(B, L) is every count of the lane finite?"""
    finite: BoolArray = np.isfinite(readings.vehicles) & np.isfinite(readings.waiting)
    return finite & np.isfinite(readings.arriving).all(axis=2)
