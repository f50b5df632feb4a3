"""Detectors that tell of nobody for too long: NTCIP 1202's no activity.

How long is too long follows from what the lane had before: so many looks in a row without anybody must be all but
impossible by chance. But traffic is no game of chance: a flow ends, a queue elsewhere lets nobody through, and a lane
that was never empty stays so. What sets a broken detector apart is how its silence begins: vehicles are gone that stood
at red, or were too far from the stop line to reach it. Without that, silence has to last for half an hour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from intergreen.agents.deployment.counted import movements_by_lane, places
from intergreen.envs.observation import ARRIVAL_BOUNDS_S

if TYPE_CHECKING:
    from intergreen.agents.deployment.counted import Counted
    from intergreen.envs.arrays import BoolArray, IntArray
    from intergreen.envs.network import RoadNetwork

SILENT_S, UNEXPLAINED_S = 1800, 600  # without anybody, and where those before could not have left; and how unlikely
NEVER_BY_CHANCE = 1e-6  # that must be by what the lane had before,
APART_S = 60  # one look in so many seconds counted: those between them meet the same platoons and the same reds
STANDING_LEAVE_S = 2.0  # of green that each vehicle of a standing queue needs: headway of the literature's driver
LEAVE_S, LEAVE_MORE = 1.5, 2  # a lane lets out a vehicle in so many seconds of green, and so many more at its end
CLEARING_S = 2  # after its green that somebody who stood may still drive off
_LEARNED_FROM = 200  # decisions that the share of busy ones looks back on
_DOUBT = 2.0  # empty looks added to those had before, so that a few busy ones are no certainty (Laplace)
_BUSY_NETWORK = 0.5  # of its usual traffic: below, silence tells nothing


class _Look(NamedTuple):
    """What is to be learnt from."""

    counts: Counted
    occupied: BoolArray  # (B, L)
    is_told: BoolArray  # (B, L)
    counted_in: BoolArray  # (B, L) of lanes that are not silent, while the network was busy
    red_s: IntArray  # (B, M)
    share: float  # of the average that the look is


class SilentDetectors:
    """Remembers of B replicas × L lanes what it takes to tell a silent detector from an empty lane."""

    def __init__(self, network: RoadNetwork, n_replicas: int, interval_s: int) -> None:
        self._interval_s = interval_s
        self._movements = movements_by_lane(network)  # (L, K)
        self._most_leave = interval_s / LEAVE_S + LEAVE_MORE
        self._n_near = sum(nearest_s < interval_s for nearest_s in (0.0, *ARRIVAL_BOUNDS_S[:-1]))  # bins
        shape = (n_replicas, network.n_lanes)
        self._before: Counted | None = None
        self._was_occupied = np.zeros(shape, np.bool_)
        self._unexplained = np.zeros(shape, np.bool_)  # did the present silence begin so?
        self._busy = np.zeros(shape, np.float32)  # share of decisions at which somebody was there
        self._expected = np.zeros(shape, np.float32)  # what that share was when somebody was last there
        self._silent = np.zeros(shape, np.float32)  # decisions without anybody, while the network was busy
        self._traffic = np.zeros(n_replicas)  # mean of all vehicles
        self._decisions = 0
        self._look: _Look | None = None  # the last, as long as something is to be learnt from it

    def judge(self, counts: Counted, occupied: BoolArray, is_told: BoolArray, red_s: IntArray) -> BoolArray:
        """(B, L) by what the lane had before, could so many decisions in a row have met nobody?

        Parameters
        ----------
        occupied, is_told : (B, L) somebody is there; the lane's reading is a number that can be
        red_s : (B, M) seconds since each movement had green
        """
        self.learn()
        total = np.where(occupied, counts.vehicles, np.float32(0.0)).sum(axis=1)
        is_busy = total >= _BUSY_NETWORK * self._traffic
        self._decisions += 1
        share = 1.0 / min(self._decisions, _LEARNED_FROM)
        self._traffic += share * (total - self._traffic)
        counted_in = is_told & is_busy[:, None]
        self._silent += counted_in
        self._silent *= ~occupied
        silent = self._are_silent()
        self._look = _Look(counts, occupied, is_told, counted_in & ~silent, red_s.copy(), share)
        return silent

    def learn(self) -> None:
        """Keep in mind what the last look tells of those to come; for whenever there is time before the next."""
        if self._look is None:
            return
        counts, occupied, is_told, counted_in, red_s, share = self._look
        self._note_beginnings(occupied, is_told, red_s)
        self._busy += counted_in * (np.float32(share) * (occupied - self._busy))
        looks = self._interval_s / APART_S / share
        self._expected = np.where(occupied, self._busy * np.float32(looks / (looks + _DOUBT)), self._expected)
        self._before, self._was_occupied, self._look = counts, occupied, None

    def _are_silent(self) -> BoolArray:
        silent = self._silent * self._interval_s >= UNEXPLAINED_S
        if silent.any():
            silent &= self._unexplained | (self._silent * self._interval_s >= SILENT_S)
            chance = self._silent[silent] * self._interval_s / APART_S * np.log1p(-self._expected[silent])
            silent[silent] = chance < np.log(NEVER_BY_CHANCE)
        return silent

    def _note_beginnings(self, occupied: BoolArray, is_told: BoolArray, red_s: IntArray) -> None:
        """Where somebody was at the last decision, and is not now: could all of them have left?"""
        self._unexplained &= ~occupied
        gone = self._was_occupied & ~occupied
        gone &= is_told
        if self._before is None or not gone.any():
            return
        b, lane = places(gone)
        vehicles, waiting, arriving, _ = self._before
        vehicles, waiting = vehicles[b, lane], waiting[b, lane]
        in_reach = waiting + arriving[: self._n_near, b, lane].sum(axis=0)  # of the stop line, until now
        too_many = (vehicles > self._most_leave) | (waiting * STANDING_LEAVE_S > self._interval_s)
        too_far = vehicles > in_reach
        none = self._movements[lane] < 0
        at_red = (red_s[b[:, None], self._movements[lane]] >= self._interval_s + CLEARING_S) | none
        self._unexplained[b, lane] |= too_many | too_far | ((waiting > 0) & at_red.all(axis=1))
