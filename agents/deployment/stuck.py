"""Detectors that tell of the same vehicles for ever, although those could have driven: NTCIP 1202's maximum presence.

A queue may stand for long without any fault: at red, before a full road, as a turn that yields. So only a green in
which whoever is first could have gone counts against the detector, and for each movement from the lane by itself, since
nobody knows which one the first driver wants.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from intergreen.agents.deployment.counted import in_rows
from intergreen.envs.observation import VEHICLE_ROOM_M

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from intergreen.agents.deployment.counted import Counted
    from intergreen.envs.arrays import BoolArray, IntArray
    from intergreen.envs.network import RoadNetwork

STUCK_S, STUCK_GREEN_S = 180, 30  # the same vehicles for so long, and so much green for each movement
FULL_SHARE = 0.5  # of the room on the lane ahead: the gap that its first driver leaves takes a minute to come back


class StuckDetectors:
    """Remembers of B replicas × L lanes for how long each has told the same."""

    def __init__(self, network: RoadNetwork, n_replicas: int, interval_s: int) -> None:
        self._interval_s = interval_s
        self._lane, self._movement, self._ahead = _starts(network)  # (E,), (E,), (E, T)
        self._foes = _foes(network)
        self._full_veh = np.append(FULL_SHARE * network.lane_length_m / VEHICLE_ROOM_M, np.inf).astype(np.float32)
        self._by_lane = _entries_by_lane(self._lane, network.n_lanes)
        self._before: Counted | None = None
        self._same_s = np.zeros((n_replicas, network.n_lanes), np.int32)
        self._green_s = np.zeros((n_replicas, len(self._lane) + 1), np.int32)  # of each entry; the last is none
        self._green_s[:, -1] = STUCK_GREEN_S

    def judge(self, counts: Counted, occupied: BoolArray, red_s: IntArray) -> BoolArray:
        """(B, L) is the detector stuck? occupied (B, L), red_s (B, M) seconds since each movement had green."""
        same = np.zeros_like(occupied) if self._before is None else occupied & _are_equal(counts, self._before)
        self._before = counts
        self._same_s = (self._same_s + self._interval_s) * same
        same_start = same[:, self._lane]
        self._green_s[:, :-1] *= same_start
        b, entry = np.nonzero(same_start & (red_s[:, self._movement] == 0))
        if len(entry):
            free = self._could_go(counts, red_s, b[:, None], entry)
            self._green_s[b[free], entry[free]] += self._interval_s
        long = self._same_s >= STUCK_S
        if long.any():
            b, lane = np.nonzero(long)
            long[b, lane] = np.all(self._green_s[b[:, None], self._by_lane[lane]] >= STUCK_GREEN_S, axis=1)
        return long

    def _could_go(self, counts: Counted, red_s: IntArray, b: NDArray[Any], entry: NDArray[Any]) -> BoolArray:
        """Of entries that have green, b (n, 1) their replicas: does nobody else go first, and is there room ahead?"""
        is_red = np.append(red_s > 0, np.ones((len(red_s), 1), np.bool_), axis=1)  # the last movement is none
        vehicles = np.append(counts.vehicles, np.zeros((len(red_s), 1), np.float32), axis=1)
        alone = np.all(is_red[b, self._foes[self._movement[entry]]], axis=1)
        ahead = self._ahead[entry]
        room = np.all(vehicles[b, ahead] <= self._full_veh[ahead], axis=1)
        return np.asarray(alone & room)


def _are_equal(counts: Counted, before: Counted) -> BoolArray:
    """(B, L) does the lane tell what it told before?"""
    same = (counts.vehicles == before.vehicles) & (counts.waiting == before.waiting)
    for now, then in zip(counts.arriving, before.arriving, strict=True):
        same &= now == then
    return same


def _starts(network: RoadNetwork) -> tuple[IntArray, IntArray, IntArray]:
    """E pairs of a lane and a movement from it, by lane; (E, T) lanes that it leads to, then L, which is none."""
    key = network.link_from_lane.astype(np.int64) * network.n_movements + network.link_movement
    keys, entry = np.unique(key, return_inverse=True)
    order = np.argsort(entry, kind="stable")
    ahead = in_rows(entry[order], network.link_to_lane[order], len(keys), network.n_lanes)
    return (keys // network.n_movements).astype(np.int32), (keys % network.n_movements).astype(np.int32), ahead


def _entries_by_lane(lane: IntArray, n_lanes: int) -> IntArray:
    return in_rows(lane, np.arange(len(lane), dtype=np.int32), n_lanes, len(lane))


def _foes(network: RoadNetwork) -> IntArray:
    """(M, K) movements that conflict with each and go first, or as early; then M, which is none."""
    own = np.repeat(np.arange(network.n_movements), np.diff(network.conflict_start))
    foe = network.conflict_with
    first = network.movement_turn[foe] >= network.movement_turn[own]  # the higher goes first
    return in_rows(own[first], foe[first], network.n_movements, network.n_movements)
