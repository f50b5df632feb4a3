"""Actuated control as a traffic engineer means it: phases in ring order, called, extended and ended by detectors.

After the Signal Timing Manual, 2nd edition (NCHRP Report 812, 2015), chapters 4 and 6, and the objects of NTCIP 1202:

call        somebody waits, or arrives before the next decision, on a lane for which a phase opens a way; or a recall
extension   somebody waits on a lane with green, or reaches its stop line within the passage time
gap-out     a call of another phase waits, the least green is over and nothing extends the green
max-out     the same, but extended: the longest green, counted from the first other call, is over
skip        the next phase in ring order is the next that has a call; without any, the green rests

One ring: the fewest phases that serve everybody, as in `programme`. The longest green of a phase is 1.5 times its green
in Webster's plan for the expected volumes (the manual's range is 1.25 to 1.5), within `MAX_GREEN_S`.
It decides when everybody else does, at the protocol's interval: with 10 s between decisions, a green lasts 10, 20, ...
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from intergreen.agents.controllers.programme import LEAST_GREEN_S, START_UP_S, transition_before_s
from intergreen.agents.controllers.signal_lanes import shown_or_wanted, signal_lanes
from intergreen.agents.controllers.usable import usable
from intergreen.agents.controllers.webster import fixed_programme
from intergreen.envs.observation import ARRIVAL_BOUNDS_S

if TYPE_CHECKING:
    from intergreen.agents.controllers.base import LaneCounts, Setup
    from intergreen.agents.controllers.programme import Programme
    from intergreen.envs.arrays import BoolArray, FloatArray, IntArray
    from intergreen.envs.signals import SignalPlan, SignalStatus

Recall = Literal["none", "min", "max"]
MAX_GREEN_S = (15, 60)  # shortest and longest of the longest greens: Signal Timing Manual, table 5-5's facilities
MAX_GREEN_SHARE = 1.5  # of Webster's green
_NO_CALL = -1


@dataclass(frozen=True, slots=True)
class ActuatedSettings:
    """What an engineer sets.

    passage_s    one of the observations' arrival bounds: detectors are so many seconds of driving before the stop line
    min_green_s  not below what the timing's rules ask for
    max_green_s  None: from Webster's plan
    recall       min: every phase is always called; max: and extended to its longest green
    """

    passage_s: float = 2.5
    min_green_s: int = LEAST_GREEN_S
    max_green_s: int | None = None
    recall: Recall = "none"

    def __post_init__(self) -> None:
        if self.passage_s not in ARRIVAL_BOUNDS_S:
            raise ValueError(f"need a passage_s of {ARRIVAL_BOUNDS_S}, got {self.passage_s}")
        if self.min_green_s < 0 or (self.max_green_s is not None and self.max_green_s < self.min_green_s):
            raise ValueError(f"need 0 <= min_green_s <= max_green_s, got {self.min_green_s} and {self.max_green_s}")
        if self.recall not in ("none", "min", "max"):
            raise ValueError(f"need a recall of none, min or max, got {self.recall!r}")


class Actuated:
    """Fully actuated, single ring."""

    name = "actuated"
    interval_s: int | None = None
    own_clearance = False

    def __init__(self, settings: ActuatedSettings | None = None) -> None:
        self._settings = settings or ActuatedSettings()
        self._bins = ARRIVAL_BOUNDS_S.index(self._settings.passage_s) + 1

    def start(self, setup: Setup) -> IntArray:
        plan, programme = setup.plan, fixed_programme(setup)
        self._choices = plan.choices
        self._lanes = signal_lanes(setup.network, plan)
        self._place = _places(plan, programme)
        self._ring = programme.phase
        self._least_s = np.maximum(self._settings.min_green_s, _by_choice(plan, plan.rules.min_green))
        self._longest_s = np.maximum(self._least_s, self._longest_greens_s(setup, programme))
        self._first_call_s = np.full((setup.n_replicas, plan.n_signals), _NO_CALL, np.int64)
        self._wanted: IntArray = np.tile(programme.phase[:, 0], (setup.n_replicas, 1))
        return self._wanted

    def decide(self, counts: LaneCounts, signals: SignalStatus, time_s: int) -> IntArray:
        is_green = signals.green_s > 0
        present = shown_or_wanted(signals.phase, signals.green_s, self._wanted)
        choice = self._lanes.choice_of(present)
        calls = self._calls(counts, choice)
        called: BoolArray = np.asarray(calls.any(axis=2))
        self._mind_first_calls(called, is_green, choice, time_s)
        over_s = time_s - self._first_call_s
        ends = ~self._extended(counts, choice) | (over_s >= self._of(self._longest_s, choice))
        change = is_green & called & ends & (signals.green_s >= self._of(self._least_s, choice))
        following = self._next(calls, choice)
        self._wanted = np.where(change | ((present < 0) & called), following, present)
        self._first_call_s = np.where(self._wanted == present, self._first_call_s, _NO_CALL)
        return self._wanted

    def _calls(self, counts: LaneCounts, choice: IntArray) -> BoolArray:
        """(B, I, C) phases of the ring, but for the present one, that somebody calls."""
        standing = self._lanes.at(counts.waiting) + self._lanes.at(counts.near) > 0
        calls = (self._lanes.opened(choice) & standing[:, :, None]).any(axis=3)
        if self._settings.recall != "none":
            calls = calls | (np.arange(calls.shape[2]) != choice[:, :, None])
        in_ring: BoolArray = calls & (self._place >= 0)
        return in_ring

    def _extended(self, counts: LaneCounts, choice: IntArray) -> BoolArray:
        """(B, I) does anything hold the present green."""
        if self._settings.recall == "max":
            return np.ones(choice.shape, np.bool_)
        nearing = usable(counts.arriving[:, :, : self._bins]).sum(axis=2)
        present = self._lanes.at(counts.waiting) + self._lanes.at(nearing) > 0
        return np.asarray((self._lanes.served(choice) & present).any(axis=2))

    def _mind_first_calls(self, called: BoolArray, is_green: BoolArray, choice: IntArray, time_s: int) -> None:
        """The longest green counts from the first call of another phase in this green."""
        begins = called & (self._first_call_s == _NO_CALL)
        since = np.where(begins, time_s, self._first_call_s)
        self._first_call_s = np.where(called & is_green, since, _NO_CALL)

    def _next(self, calls: BoolArray, choice: IntArray) -> IntArray:
        """(B, I) in ring order after the present phase, the first that is called."""
        place = np.concatenate([self._place, np.full((len(self._place), 1), -1)], axis=1)
        length = self._place.max(axis=1, initial=0) + 1
        here = place[np.arange(len(place)), choice]
        steps = (self._place - here[:, :, None] - 1) % length[:, None]
        first = np.where(calls, steps, length[:, None]).argmin(axis=2)
        following: IntArray = self._choices[np.arange(len(self._choices)), first]
        return following

    @staticmethod
    def _of(seconds: IntArray, choice: IntArray) -> IntArray:
        """(B, I) of a table (I, C), 0 for no choice."""
        padded = np.concatenate([seconds, np.zeros_like(seconds[:, :1])], axis=1)
        rows: IntArray = padded[np.arange(len(padded)), choice]
        return rows

    def _longest_greens_s(self, setup: Setup, programme: Programme) -> IntArray:
        """(I, C)"""
        plan = setup.plan
        longest = np.full(plan.choices.shape, MAX_GREEN_S[0], np.int32)
        if self._settings.max_green_s is not None:
            return np.full_like(longest, self._settings.max_green_s)
        for i in range(plan.n_signals):
            slots_s: FloatArray = np.diff(programme.end_s[i], prepend=0)
            turns = programme.phase[i][slots_s > 0]
            green_s = slots_s[slots_s > 0] - transition_before_s(plan, i, turns.tolist()) - START_UP_S
            of_choice = np.searchsorted(plan.choices[i, : plan.n_choices[i]], turns)
            longest[i, of_choice] = np.clip(np.round(MAX_GREEN_SHARE * green_s), *MAX_GREEN_S)
        return longest


def _places(plan: SignalPlan, programme: Programme) -> IntArray:
    """(I, C) where each choice stands in the ring, -1 for those that do not."""
    place = np.full(plan.choices.shape, -1, np.int32)
    for i in range(plan.n_signals):
        for turn, phase in enumerate(dict.fromkeys(programme.phase[i].tolist())):
            place[i, int(np.flatnonzero(plan.choices[i] == phase)[0])] = turn
    return place


def _by_choice(plan: SignalPlan, values: IntArray) -> IntArray:
    """(I, C) of a table by the network's phases; where there is no such choice, of some other."""
    phases = plan.phase_offset[:, None] + np.maximum(plan.choices, 0)
    rows: IntArray = values[phases]
    return rows
