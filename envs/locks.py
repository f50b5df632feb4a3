"""Traffic that has locked: everybody stands, and hardly anybody arrives while many set out.

Queues that close a ring of blocks hold each other for ever, whatever the signals do then. A learner that is left in
such a network gathers decisions that change nothing until the horizon comes, and forgets how one keeps out of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from intergreen.envs.arrays import BoolArray, Float32Array, IntArray
    from intergreen.envs.core import Core
    from intergreen.envs.senses import Senses

WATCHED_S = 180  # looked back
ARRIVING_SHARE = 0.25  # of as many as set out in that time; fewer arrive where traffic is locked
STANDING_SHARE = 0.9  # of the vehicles on the lanes; at least so many stand there
_FEWEST_RELEASED = 20  # counted as set out where fewer did
_FEWEST_UNDER_WAY = 30  # in the network and outside; below it nothing is locked
_FEWEST_ON_LANES = 20
CHARGED_S = 900.0  # for so long a locked copy is charged its present reward, when its episode is ended


class LockWatch:
    """Notices which of B copies have locked, from who has set out, who has arrived and who stands."""

    def __init__(self, replicas: int, interval_s: int) -> None:
        self._interval_s = interval_s
        # (periods, B, 2) released and finished after each of the last periods, in a ring; -1 before they were
        self.history: IntArray = np.full((-(-WATCHED_S // interval_s) + 1, replicas, 2), -1, np.int32)

    def begin(self) -> None:
        """A new episode: remember nothing."""
        self.history[:] = -1

    def locked(self, core: Core, senses: Senses) -> BoolArray:
        """(B,) whose traffic has locked; to be asked once after every period."""
        periods = len(self.history)
        period = core.time_s // self._interval_s
        passed = core.passed()
        self.history[period % periods] = passed
        earlier = self.history[(period + 1) % periods]
        doubtful = few_arrive(earlier, passed) & (earlier[:, 0] >= 0)
        return doubtful & all_stand(senses.vehicles, senses.waiting) if doubtful.any() else doubtful


def few_arrive(earlier: IntArray, now: IntArray) -> BoolArray:
    """(B,) have few finished since an earlier moment, though many have set out or are under way? Released and finished
    up to then, and up to now, (B, 2) each; the moment should be some `WATCHED_S` ago."""
    released, finished = (now - earlier).T
    few: BoolArray = finished < ARRIVING_SHARE * np.maximum(released, _FEWEST_RELEASED)
    return few & (now[:, 0] - now[:, 1] >= _FEWEST_UNDER_WAY)


def all_stand(vehicles: IntArray, waiting: IntArray) -> BoolArray:
    """(B,) do nearly all vehicles on the lanes (B, L) stand?"""
    on_lanes, standing = vehicles.sum(axis=1), waiting.sum(axis=1)
    stand: BoolArray = (on_lanes >= _FEWEST_ON_LANES) & (standing >= STANDING_SHARE * on_lanes)
    return stand


def charge(locked: BoolArray, interval_s: int) -> Float32Array:
    """(B, 1) factors on the last rewards: a locked copy pays for `CHARGED_S` more of what it has come to."""
    return np.where(locked, 1.0 + CHARGED_S / interval_s, 1.0).astype(np.float32)[:, None]
