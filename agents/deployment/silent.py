"""Detectors that tell of nobody for too long: NTCIP 1202's no activity.

How long is too long follows from what the lane had before: so many looks in a row without anybody must be all but
impossible by chance. But traffic is no game of chance: a flow ends, a queue elsewhere lets nobody through, and a lane
that was never empty stays so. What sets a broken detector apart is how its silence begins: vehicles are gone that stood
at red, or were too far from the stop line to reach it. Without that, silence has to last for half an hour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from intergreen.agents.deployment.counted import movements_by_lane
from intergreen.envs.observation import ARRIVAL_BOUNDS_S

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from intergreen.agents.deployment.counted import Counted
    from intergreen.envs.arrays import BoolArray, Float32Array, IntArray
    from intergreen.envs.network import RoadNetwork

SILENT_S, UNEXPLAINED_S = 1800, 600  # without anybody, and where those before could not have left; and how unlikely
NEVER_BY_CHANCE = 1e-6  # that must be by what the lane had before,
APART_S = 60  # one look in so many seconds counted: those between them meet the same platoons and the same reds
LEAVE_S, LEAVE_MORE = 1.5, 2  # a lane lets out a vehicle in so many seconds of green, and so many more at its end
CLEARING_S = 2  # after its green that somebody who stood may still drive off
_LEARNED_FROM = 200  # decisions that the share of busy ones looks back on
_DOUBT = 2.0  # empty looks added to those had before, so that a few busy ones are no certainty (Laplace)
_BUSY_NETWORK = 0.5  # of its usual traffic: below, silence tells nothing


class SilentDetectors:
    """Remembers of B replicas × L lanes what it takes to tell a silent detector from an empty lane."""

    def __init__(self, network: RoadNetwork, n_replicas: int, interval_s: int) -> None:
        self._interval_s = interval_s
        self._movements = movements_by_lane(network)
        self._most_leave = interval_s / LEAVE_S + LEAVE_MORE
        nearest_s = (0.0, *ARRIVAL_BOUNDS_S[:-1])
        self._far = [k for k, seconds in enumerate(nearest_s) if seconds >= interval_s]  # bins out of reach until then
        shape = (n_replicas, network.n_lanes)
        self._before: Counted | None = None
        self._was_occupied = np.zeros(shape, np.bool_)
        self._unexplained = np.zeros(shape, np.bool_)  # did the present silence begin so?
        self._busy = np.zeros(shape)  # share of decisions at which somebody was there
        self._expected = np.zeros(shape)  # what that share was when somebody was last there
        self._silent = np.zeros(shape)  # decisions without anybody, while the network was busy
        self._traffic = np.zeros(n_replicas)  # mean of all vehicles
        self._decisions = 0

    def judge(self, counts: Counted, occupied: BoolArray, is_number: BoolArray, red_s: IntArray) -> BoolArray:
        """(B, L) by what the lane had before, could so many decisions in a row have met nobody?

        Parameters
        ----------
        occupied, is_number : (B, L) somebody is there; the lane's reading is a number
        red_s : (B, M) seconds since each movement had green
        """
        total = np.where(occupied, counts.vehicles, np.float32(0.0)).sum(axis=1, dtype=np.float64)
        is_busy = total >= _BUSY_NETWORK * self._traffic
        self._decisions += 1
        share = 1.0 / min(self._decisions, _LEARNED_FROM)
        self._traffic += share * (total - self._traffic)
        self._note_beginnings(counts, occupied, is_number, red_s)
        self._silent = (self._silent + (is_number & is_busy[:, None])) * ~occupied
        silent = self._are_silent()
        learns = is_number & ~silent & is_busy[:, None]
        self._busy += learns * (share * (occupied - self._busy))
        looks = self._interval_s / APART_S / share
        self._expected = np.where(occupied, self._busy * (looks / (looks + _DOUBT)), self._expected)
        return silent

    def _are_silent(self) -> BoolArray:
        silent_s = self._silent * self._interval_s
        silent = silent_s >= UNEXPLAINED_S
        if silent.any():
            silent &= self._unexplained | (silent_s >= SILENT_S)
            chance = silent_s[silent] / APART_S * np.log1p(-self._expected[silent])
            silent[silent] = chance < np.log(NEVER_BY_CHANCE)
        return silent

    def _note_beginnings(self, counts: Counted, occupied: BoolArray, is_number: BoolArray, red_s: IntArray) -> None:
        """Where somebody was at the last decision, and is not now: could all of them have left?"""
        self._unexplained &= ~occupied
        gone_b, gone = np.nonzero(self._was_occupied & ~occupied & is_number)
        if len(gone) and self._before is not None:
            never = np.full((len(red_s), 1), np.iinfo(np.int32).max, np.int32)
            least_red_s = np.append(red_s, never, axis=1)[gone_b[:, None], self._movements[gone]].min(axis=1)
            none_could = (least_red_s >= self._interval_s + CLEARING_S) & (self._before.waiting[gone_b, gone] > 0)
            too_many = self._before.vehicles[gone_b, gone] > self._most_leave
            too_far = self._out_of_reach(self._before, gone_b, gone) > 0
            self._unexplained[gone_b, gone] = none_could | too_many | too_far
        self._before, self._was_occupied = counts, occupied

    def _out_of_reach(self, counts: Counted, b: NDArray[Any], lane: NDArray[Any]) -> Float32Array:
        """Vehicles of these lanes that drive, and could not be at the stop line by now; those beyond all bins too."""
        vehicles, waiting, arriving = counts.vehicles[b, lane], counts.waiting[b, lane], counts.arriving[:, b, lane]
        beyond: Float32Array = vehicles - waiting - arriving.sum(axis=0)
        return beyond + arriving[self._far].sum(axis=0)
