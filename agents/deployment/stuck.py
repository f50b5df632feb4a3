"""Detectors that tell of the same vehicles for ever, although those could have driven: NTCIP 1202's maximum presence.

A queue may stand for long without any fault: at red, before a full road, as a turn that yields. So only a green in
which whoever is first could have gone counts against the detector, and for each movement from the lane by itself, since
nobody knows which one the first driver wants.

Where nobody waits, the same vehicles may be others each time: a flow that drives by in step with the looks. But at a
red that lasts, whoever comes has to stop, so there a detector that tells of moving vehicles for ever is stuck as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from intergreen.agents.deployment.counted import in_rows, places
from intergreen.envs.observation import VEHICLE_ROOM_M

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from intergreen.agents.deployment.counted import Counted
    from intergreen.envs.arrays import BoolArray, IntArray
    from intergreen.envs.network import RoadNetwork

STUCK_S, STUCK_GREEN_S = 180, 30  # the same vehicles for so long, and so much green for each movement;
STUCK_RED_S, STOPPED_S = 30, 20  # where they move, so much of red for all movements that had lasted so long before
FULL_SHARE = 0.5  # of the room on the lane ahead: the gap that its first driver leaves takes a minute to come back


class StuckDetectors:
    """Remembers of B replicas × L lanes for how long each has told the same."""

    def __init__(self, network: RoadNetwork, n_replicas: int, interval_s: int) -> None:
        self._interval_s = interval_s
        lane, movement, ahead = _starts(network)  # (E,), (E,), (E, T)
        self._movement = movement.astype(np.intp)
        self._ahead = np.where(ahead < 0, network.n_lanes, ahead).astype(np.intp)  # one that is none is never full
        self._starts = in_rows(lane, np.arange(len(lane), dtype=np.int32), network.n_lanes)  # (L, K) of the E
        foes = _foes(network)[movement]  # (E, K) movements that go before the start's, or as early;
        self._foes = np.where(foes < 0, network.n_movements, foes).astype(np.intp)  # one that is none is never green
        self._full_veh = (FULL_SHARE * network.lane_length_m / VEHICLE_ROOM_M).astype(np.float32)
        self._before: Counted | None = None
        self._red_s: IntArray | None = None  # at the last look, as long as something is to be learnt from it
        self._same_s = np.zeros((n_replicas, network.n_lanes), np.int32)
        self._green_s = np.zeros((n_replicas, *self._starts.shape), np.int32)  # in which the first could have gone
        self._stopping_s = np.zeros((n_replicas, network.n_lanes), np.int32)  # in which whoever came had to stop

    def judge(self, counts: Counted, occupied: BoolArray, red_s: IntArray) -> BoolArray:
        """(B, L) is the detector stuck? occupied (B, L), red_s (B, M) seconds since each movement had green."""
        self.learn()
        same = np.zeros_like(occupied) if self._before is None else occupied & _are_equal(counts, self._before)
        self._before, self._red_s = counts, red_s.copy()
        self._green_s *= same[:, :, None]
        self._stopping_s *= same
        self._same_s += self._interval_s
        self._same_s *= same
        stuck = self._same_s >= STUCK_S
        if stuck.any():
            self._count_green(counts, red_s, stuck)
            b, lane = places(stuck)
            none = self._starts[lane] < 0
            could_have_left = np.all((self._green_s[b, lane] >= STUCK_GREEN_S) | none, axis=1)
            had_to_stop = (counts.waiting[b, lane] > 0) | (self._stopping_s[b, lane] >= STUCK_RED_S)
            stuck[b, lane] = could_have_left & had_to_stop
        return stuck

    def learn(self) -> None:
        """Count the green of the last look at all lanes that may one day be stuck; for whenever there is time."""
        if self._red_s is not None and self._before is not None:
            self._count_green(self._before, self._red_s, (self._same_s > 0) & (self._same_s < STUCK_S))
        self._red_s = None

    def _count_green(self, counts: Counted, red_s: IntArray, which: BoolArray) -> None:
        b, lane = places(which)
        self._green_s[b, lane] += self._interval_s * self._could_go(counts, red_s, b, lane)
        self._stopping_s[b, lane] += self._interval_s * self._has_to_stop(red_s, b, lane)

    def _has_to_stop(self, red_s: IntArray, b: NDArray[Any], lane: NDArray[Any]) -> BoolArray:
        """(n,) have all movements from the lane, one at least, had red for long?"""
        starts = self._starts[lane]
        is_long = red_s[b[:, None], self._movement[starts]] >= STOPPED_S
        has_to: BoolArray = np.all(is_long | (starts < 0), axis=1) & (starts >= 0).any(axis=1)
        return has_to

    def _could_go(self, counts: Counted, red_s: IntArray, b: NDArray[Any], lane: NDArray[Any]) -> BoolArray:
        """(n, K) of each movement from n lanes: has it green, does nobody else go first, and is there room ahead?"""
        none = np.zeros((len(red_s), 1), np.bool_)
        is_green = np.concatenate([red_s == 0, none], axis=1)
        is_full = np.concatenate([~(counts.vehicles <= self._full_veh), none], axis=1)  # what is no number, too
        starts = self._starts[lane]
        could: BoolArray = (starts >= 0) & is_green[b[:, None], self._movement[starts]]
        row, k = np.nonzero(could)
        start, replica = starts[row, k], b[row, None]
        held_up = is_green[replica, self._foes[start]].any(axis=1) | is_full[replica, self._ahead[start]].any(axis=1)
        could[row, k] = ~held_up
        return could


def _are_equal(counts: Counted, before: Counted) -> BoolArray:
    """(B, L) does the lane tell what it told before?"""
    same: BoolArray = (counts.every == before.every).all(axis=0)
    return same


def _starts(network: RoadNetwork) -> tuple[IntArray, IntArray, IntArray]:
    """E pairs of a lane and a movement from it, by lane; (E, T) lanes that it leads to, then -1, which is none."""
    key = network.link_from_lane.astype(np.int64) * network.n_movements + network.link_movement
    keys, start = np.unique(key, return_inverse=True)
    order = np.argsort(start, kind="stable")
    ahead = in_rows(start[order], network.link_to_lane[order], len(keys))
    return (keys // network.n_movements).astype(np.int32), (keys % network.n_movements).astype(np.int32), ahead


def _foes(network: RoadNetwork) -> IntArray:
    """(M, K) movements that conflict with each and go first, or as early; then -1, which is none."""
    own = np.repeat(np.arange(network.n_movements), np.diff(network.conflict_start))
    foe = network.conflict_with
    first = network.movement_turn[foe] >= network.movement_turn[own]  # the higher goes first
    return in_rows(own[first], foe[first], network.n_movements)
