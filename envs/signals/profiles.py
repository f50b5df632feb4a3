"""How long yellow, intergreen, green and pedestrian intervals last: published rules applied to geometry.

A `TimingProfile` holds the numbers of one country's practice, each with its source; plain functions of (profile,
network, pairs) turn them into seconds, as floats that the caller rounds up to its ticks: for every movement of the
pairs' intersections (n,) or for every pair (N,), see `pairs`. What could only be given from memory is marked
"unverified" in its source; this is no substitute for the standard's own text nor for the engineer who signs the timing.

Two speeds stand for an approach: the highest limit of the lanes a movement starts from, where faster needs longer
(yellow), and the lowest, where slower needs longer (clearing). Turns count with the speed of their approach: cautious
for yellow, but not for clearing, since drivers who turn slow down (Jerome et al., TRR 2676(11), find red clearance
short for left turns).
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

import numpy as np

from intergreen.envs.arrays import ranges
from intergreen.envs.network.road_network import STRAIGHT, TURN_LEFT
from intergreen.envs.signals.conflicts import permissive
from intergreen.envs.signals.meetings import meeting_paths, n_links_of
from intergreen.envs.signals.pairs import conflicting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from intergreen.envs.arrays import BoolArray, FloatArray, IntArray
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.signals.meetings import MeetingPaths
    from intergreen.envs.signals.pairs import Pairs

GRAVITY_MPS2 = 9.81
LONGEST_S = 3600.0  # of every time: a proof takes as many states as the longest green has seconds
STEEPEST_GRADE = 0.2  # beyond any street; keeps the kinematic formula's denominator well above 0
# Speed limits are taken to lie between these: at 1 m/s a vehicle of 6 m needs the longest red clearance anyway.
_SLOWEST_MPS, _FASTEST_MPS = 1.0, 100.0
_SLACK = 1e-9
_SAME_LIMIT_KMPH = 0.5  # 13.889 m/s is meant as 50 km/h


@dataclass(frozen=True, slots=True)
class Kinematic:
    """Yellow until a driver can stop, then red until the last one has cleared: ITE's formula."""

    reaction_s: float = 1.0
    deceleration_mps2: float = 3.05
    vehicle_length_m: float = 6.0
    longest_red_clearance_s: float = 6.0


@dataclass(frozen=True, slots=True)
class Rilsa:
    """Yellow by the speed limit; per pair overrun and clearing of the last one less the entering of the first."""

    yellow_to_50_kmph_s: float = 3.0
    yellow_to_60_kmph_s: float = 4.0
    yellow_above_60_kmph_s: float = 5.0
    yellow_turn_s: float = 3.0  # of turns with lanes, and so signals, of their own
    vehicle_length_m: float = 6.0
    overrun_straight_s: float = 3.0
    overrun_turn_s: float = 2.0
    clearing_straight_mps: float = 10.0
    clearing_turn_mps: float = 7.0
    entering_mps: float = 11.111


@dataclass(frozen=True, slots=True, kw_only=True)
class TimingProfile:
    """One country's timing; `change` holds the numbers of its formula for yellow and intergreen."""

    name: str
    change: Kinematic | Rilsa
    sources: Mapping[str, str] = field(compare=False, repr=False)  # one for every number, by the number's name
    shortest_yellow_s: float
    longest_yellow_s: float
    red_amber_s: float  # the last seconds of the intergreen, where drivers are told of green; no time on top of it
    min_green_through_s: float
    min_green_turn_s: float
    max_green_fast_s: float  # approaches above `fast_above_mps`
    max_green_through_s: float
    max_green_left_s: float
    fast_above_mps: float
    longest_wait_s: float = 120.0
    red_revert_s: float
    startup_red_s: float
    walk_s: float
    walking_speed_mps: float = 1.07
    pedestrian_buffer_s: float = 3.0

    def __post_init__(self) -> None:
        values = numbers(self)
        for key in values.keys() - {"profile"}:
            if not 0 <= float(values[key]) < float("inf"):
                raise ValueError(f"need a finite {key} >= 0, got {values[key]!r}")
            if key.endswith("_s") and float(values[key]) > LONGEST_S:
                raise ValueError(f"need {key} <= {LONGEST_S:g}, got {values[key]!r}")
            if not self.sources.get(key):
                raise ValueError(f"profile {self.name!r} names no source for {key}")
        if not 0 < self.shortest_yellow_s <= self.longest_yellow_s:
            raise ValueError(
                f"need 0 < shortest_yellow_s <= longest_yellow_s, got {self.shortest_yellow_s} and"
                f" {self.longest_yellow_s}"
            )
        if max(self.min_green_through_s, self.min_green_turn_s) > min(
            self.max_green_fast_s, self.max_green_through_s, self.max_green_left_s
        ):
            raise ValueError(f"profile {self.name!r}: a minimum green is above a maximum green")
        moving = {key: float(values[key]) for key in values if key.endswith(("_mps", "_mps2"))}
        for key, value in moving.items():
            if value <= 0:
                raise ValueError(f"need {key} > 0, got {value}")

    def pedestrian_clearance_s(self, length_m: float) -> float:
        """Time for somebody who has just stepped off the kerb to cross `length_m`.

        >>> from intergreen.envs.signals.presets import PROFILES
        >>> round(PROFILES["us-mutcd"].pedestrian_clearance_s(10.7), 6)
        10.0
        """
        if not 0 <= length_m < float("inf"):
            raise ValueError(f"need a finite length_m >= 0, got {length_m!r}")
        return length_m / self.walking_speed_mps


def whole_seconds(seconds: FloatArray) -> IntArray:
    """The fewest whole seconds that are no less, int32; 3.0000000001 s of formula are 3 s."""
    return np.ceil(seconds - _SLACK).astype(np.int32)


def numbers(profile: TimingProfile) -> dict[str, float | str]:
    """Every active number by its name, and the profile's name; for results and exports."""
    parts = [profile.change, profile]
    values = {f.name: getattr(part, f.name) for part in parts for f in fields(part)}
    return {"profile": profile.name} | {k: v for k, v in values.items() if k not in ("name", "change", "sources")}


def yellow_s(profile: TimingProfile, network: RoadNetwork, pairs: Pairs, *, grade: float = 0.0) -> FloatArray:
    """(n,) yellow after the green of each movement, in seconds.

    grade : of the approaches, as a share (0.05 is 5 % uphill); only the kinematic formula knows it
    """
    speed_mps = _speeds_mps(network, pairs)[0]
    if isinstance(profile.change, Kinematic):
        seconds = kinematic_yellow_s(profile.change, speed_mps, grade=grade)
    else:
        own_lanes = _turns_from_lanes_of_their_own(network, pairs)
        seconds = np.where(own_lanes, profile.change.yellow_turn_s, rilsa_yellow_s(profile.change, speed_mps))
    return _one_for_each_lamp(np.clip(seconds, profile.shortest_yellow_s, profile.longest_yellow_s), network, pairs)


def _one_for_each_lamp(seconds: FloatArray, network: RoadNetwork, pairs: Pairs) -> FloatArray:
    """The longest of the movements (n,) that hang on one lamp, for all of them."""
    if not len(network.movement_lamp):
        return seconds
    lamp = network.movement_lamp[pairs.movement]
    longest = np.zeros(network.n_movements)
    np.maximum.at(longest, lamp, seconds)
    shown: FloatArray = longest[lamp]
    return shown


def kinematic_yellow_s(change: Kinematic, speed_mps: FloatArray, *, grade: float = 0.0) -> FloatArray:
    """t + V / (2 a + 2 g G), before its bounds.

    >>> kinematic_yellow_s(Kinematic(), np.array([50.0, 60.0, 70.0]) / 3.6).round(2).tolist()
    [3.28, 3.73, 4.19]
    """
    if not -STEEPEST_GRADE <= grade <= STEEPEST_GRADE:
        raise ValueError(f"need a grade from {-STEEPEST_GRADE} to {STEEPEST_GRADE} (0.05 is 5 % uphill), got {grade!r}")
    return change.reaction_s + speed_mps / (2.0 * (change.deceleration_mps2 + GRAVITY_MPS2 * grade))


def rilsa_yellow_s(change: Rilsa, speed_mps: FloatArray) -> FloatArray:
    """By the speed limit alone.

    >>> rilsa_yellow_s(Rilsa(), np.array([30.0, 50.0, 60.0, 70.0]) / 3.6).tolist()
    [3.0, 3.0, 4.0, 5.0]
    """
    limit_kmph = speed_mps * 3.6 - _SAME_LIMIT_KMPH
    steps = [change.yellow_to_50_kmph_s, change.yellow_to_60_kmph_s]
    return np.select([limit_kmph <= 50.0, limit_kmph <= 60.0], steps, change.yellow_above_60_kmph_s)


def intergreen_s(profile: TimingProfile, network: RoadNetwork, pairs: Pairs, *, grade: float = 0.0) -> FloatArray:
    """(N,) from the end of green of the row's movement to the start of green of the column's, in seconds.

    0 where the two may be green together. Never below the row's yellow elsewhere.
    """
    return np.where(permissive(network, pairs), 0.0, conflict_intergreen_s(profile, network, pairs, grade=grade))


def conflict_intergreen_s(
    profile: TimingProfile, network: RoadNetwork, pairs: Pairs, *, grade: float = 0.0
) -> FloatArray:
    """The same for every pair that conflicts, also where one of the two is a turn that may yield; 0 for the others.

    A turn that had a green of its own does not yield while it clears: where it ends as the other begins, they need
    their intergreen although a phase might show both.
    """
    paths = meeting_paths(network, pairs)
    yellow = yellow_s(profile, network, pairs, grade=grade)
    slow_mps = _speeds_mps(network, pairs)[1]
    if isinstance(profile.change, Kinematic):
        path_s = red_clearance_s(profile.change, paths.clear_m, slow_mps[paths.first]) + yellow[paths.first]
    else:
        straight = network.movement_turn[pairs.movement] == STRAIGHT
        path_s = _rilsa_path_s(profile.change, paths, slow_mps, straight)
    seconds = yellow[pairs.row]
    np.maximum.at(seconds, pairs.at(paths.first, paths.second), path_s)
    return np.where(conflicting(network, pairs), seconds, 0.0)


def red_clearance_s(change: Kinematic, width_m: FloatArray, speed_mps: FloatArray) -> FloatArray:
    """(W + L) / V, no longer than its bound.

    >>> red_clearance_s(Kinematic(), np.array([24.0]), np.array([50 / 3.6])).round(1).tolist()
    [2.2]
    """
    return np.minimum((width_m + change.vehicle_length_m) / speed_mps, change.longest_red_clearance_s)


def min_green_s(profile: TimingProfile, network: RoadNetwork, pairs: Pairs) -> FloatArray:
    """(n,) shortest green of each movement, in seconds."""
    straight = network.movement_turn[pairs.movement] == STRAIGHT
    return np.where(straight, profile.min_green_through_s, profile.min_green_turn_s)


def max_green_s(profile: TimingProfile, network: RoadNetwork, pairs: Pairs) -> FloatArray:
    """(n,) longest green of each movement while somebody else calls, in seconds. A right turn goes with its through.

    The speed limit stands in for the class of the road, which networks do not tell.
    """
    fast = _speeds_mps(network, pairs)[0] > profile.fast_above_mps
    through = np.where(fast, profile.max_green_fast_s, profile.max_green_through_s)
    left = network.movement_turn[pairs.movement] == TURN_LEFT
    return np.where(left, profile.max_green_left_s, through)


def _rilsa_path_s(change: Rilsa, paths: MeetingPaths, slow_mps: FloatArray, straight: BoolArray) -> FloatArray:
    """t_overrun + t_clear - t_enter of every pair of links; nobody clears faster than the speed limit."""
    overrun = np.where(straight, change.overrun_straight_s, change.overrun_turn_s)
    clearing = np.minimum(np.where(straight, change.clearing_straight_mps, change.clearing_turn_mps), slow_mps)
    clear_s = (paths.clear_m + change.vehicle_length_m) / clearing[paths.first]
    return np.asarray(overrun[paths.first] + clear_s - paths.enter_m / change.entering_mps, np.float64)


def _speeds_mps(network: RoadNetwork, pairs: Pairs) -> FloatArray:
    """(2, n) highest and lowest limit of the lanes a movement starts from, of all its road's if it has no path."""
    start, lanes = _start_lanes(network, pairs)
    limits = network.lane_speed_limit_mps[lanes]
    if not len(start):
        return np.empty((2, 0))
    bounds = np.stack([np.maximum.reduceat(limits, start), np.minimum.reduceat(limits, start)])
    return np.clip(bounds, _SLOWEST_MPS, _FASTEST_MPS)


def _start_lanes(network: RoadNetwork, pairs: Pairs) -> tuple[IntArray, IntArray]:
    """Where those of each movement begin (n,), and the lanes its links leave; without links, all lanes of its road."""
    n_links, first_link = n_links_of(network, pairs), network.movement_link_start[pairs.movement]
    road = network.movement_from_road[pairs.movement]
    first_lane = network.road_lane_start[road]
    sizes = np.where(n_links > 0, n_links, network.road_lane_start[road + 1] - first_lane)
    at = ranges(np.where(n_links > 0, first_link, first_lane), sizes)
    has_links = np.repeat(n_links > 0, sizes)
    lanes = at.copy()
    lanes[has_links] = network.link_from_lane[at[has_links]]
    return (np.cumsum(sizes) - sizes).astype(np.int32), lanes


def _turns_from_lanes_of_their_own(network: RoadNetwork, pairs: Pairs) -> BoolArray:
    """(n,): is it a turn, none of whose lanes serves a straight movement?"""
    straight = network.movement_turn[pairs.movement] == STRAIGHT
    start, lanes = _start_lanes(network, pairs)
    if not len(start):
        return straight
    serves_straight = np.zeros(network.n_lanes, np.bool_)  # a lane leads to one intersection
    serves_straight[lanes[np.repeat(straight, np.diff(start, append=len(lanes)))]] = True
    own: BoolArray = ~straight & ~np.logical_or.reduceat(serves_straight[lanes], start)
    return own
