"""The shipped timing profiles, each number with its source."""

from __future__ import annotations

from dataclasses import replace

from intergreen.envs.errors import InputError, shown
from intergreen.envs.signals.profiles import Kinematic, Rilsa, TimingProfile

_STM = "FHWA Signal Timing Manual (2008)"
_MUTCD = "MUTCD 11th ed."
_CHOSEN = "chosen here"
_NO_CHINESE_TEXT = (
    "the text of GB 14886-2016 (its foreword says that clause 4.3.4 sets the length of yellow) and of GB 25280 was not"
    " found"
)
_KINEMATIC_SOURCES = {
    "reaction_s": "ITE kinematic formula, t (AASHTO/ITE Signalized Intersections, App. 2)",
    "deceleration_mps2": "ITE kinematic formula, a = 10 ft/s2 (AASHTO/ITE Signalized Intersections, App. 2)",
    "vehicle_length_m": "red clearance (W + L)/V with L = 20 ft (AASHTO/ITE Signalized Intersections, App. 2)",
}
_COMMON_SOURCES = {
    "longest_wait_s": f"{_CHOSEN}: no called approach waits longer, in line with longest cycles of 120 to 150 s",
}
_US_SOURCES = {
    "longest_red_clearance_s": f"{_MUTCD}, 4F.17, guidance, in a secondary copy",
    "shortest_yellow_s": f"{_MUTCD}, 4F.17, in a secondary copy; COMAR 11.04.14.03",
    "longest_yellow_s": f"{_MUTCD}, 4F.17, in a secondary copy; COMAR 11.04.14.03",
    "red_amber_s": "not shown in the United States",
    "min_green_through_s": f"{_STM}, driver expectancy: 7 to 15 s on major arterials to 40 mph (range unverified)",
    "min_green_turn_s": f"{_STM}, driver expectancy: 2 to 5 s for left turns, upper end (range unverified)",
    "max_green_fast_s": f"{_STM}, Table 5-5, major arterial, in a secondary copy",
    "max_green_through_s": f"{_STM}, Table 5-5, second of four classes of road, in a secondary copy",
    "max_green_left_s": f"{_STM}, Table 5-5, left turn 15 to 30 s, upper end, in a secondary copy",
    "fast_above_mps": f"{_STM}, 40 mph, the bound between its classes (unverified)",
    "red_revert_s": "NEMA TS 2 / NTCIP 1202 unitRedRevert: the interval exists; 2 s is common (unverified)",
    "startup_red_s": "NTCIP 1202 and NEMA TS 2 know a start-up all red; 6 s is common (unverified)",
    "walk_s": f"{_MUTCD}, 4I.06 (2009: 4E.06)",
    "walking_speed_mps": f"{_MUTCD}, 4I.06: 3.5 ft/s",
    "pedestrian_buffer_s": f"{_MUTCD}, 4I.06, in a secondary copy",
}
_DE_SOURCES = {
    "yellow_to_50_kmph_s": "VwV-StVO zu § 37, IX",
    "yellow_to_60_kmph_s": "VwV-StVO zu § 37, IX",
    "yellow_above_60_kmph_s": "VwV-StVO zu § 37, IX, for 70 km/h",
    "yellow_turn_s": "RiLSA, separately signalled turns (info-lsa.de)",
    "vehicle_length_m": "RiLSA, 6 m for motor vehicles (de.wikipedia.org, Zwischenzeit)",
    "overrun_straight_s": "RiLSA (unverified, from memory)",
    "overrun_turn_s": "RiLSA (unverified, from memory)",
    "clearing_straight_mps": "RiLSA (unverified, from memory); the speed limit where that is lower",
    "clearing_turn_mps": "RiLSA (unverified, from memory); the speed limit where that is lower",
    "entering_mps": "RiLSA, 40 km/h (unverified, from memory)",
    "shortest_yellow_s": "VwV-StVO zu § 37, IX, its shortest",
    "longest_yellow_s": "VwV-StVO zu § 37, IX, its longest",
    "red_amber_s": "VwV-StVO zu § 37, IX: 1 s, never above 2 s",
    "min_green_through_s": "RiLSA, usual least green 10 s (unverified, from memory)",
    "min_green_turn_s": "RiLSA, least green 5 s (unverified, from memory)",
    "max_green_fast_s": f"{_CHOSEN}: as us-mutcd, no German bound known",
    "max_green_through_s": f"{_CHOSEN}: as us-mutcd, no German bound known",
    "max_green_left_s": f"{_CHOSEN}: as us-mutcd, no German bound known",
    "fast_above_mps": f"{_CHOSEN}: as us-mutcd",
    "red_revert_s": "VwV-StVO zu § 37, IX: all red of 1 s at least on return to the same phase",
    "startup_red_s": f"{_CHOSEN}: as us-mutcd, no German number known",
    "walk_s": f"{_CHOSEN}: as us-mutcd, above the 5 s of RiLSA (unverified)",
    "walking_speed_mps": f"{_CHOSEN}: as us-mutcd, slower than the 1.2 m/s that German cities quote from RiLSA",
    "pedestrian_buffer_s": f"{_CHOSEN}: as us-mutcd, no German number known",
}
_CN_SOURCES = dict.fromkeys(_US_SOURCES, f"{_CHOSEN}: as us-mutcd, {_NO_CHINESE_TEXT}") | {
    "shortest_yellow_s": f"{_CHOSEN}: 3 s, {_NO_CHINESE_TEXT}",
    "longest_yellow_s": f"{_CHOSEN}: 5 s, {_NO_CHINESE_TEXT}",
    "red_amber_s": "red is followed by green (digest of GB 14886, che2.com)",
}

_US_MUTCD = TimingProfile(
    name="us-mutcd",
    change=Kinematic(),
    sources=_KINEMATIC_SOURCES | _US_SOURCES | _COMMON_SOURCES,
    shortest_yellow_s=3.0,
    longest_yellow_s=6.0,
    red_amber_s=0.0,
    min_green_through_s=7.0,
    min_green_turn_s=5.0,
    max_green_fast_s=60.0,
    max_green_through_s=50.0,
    max_green_left_s=30.0,
    fast_above_mps=17.882,
    red_revert_s=2.0,
    startup_red_s=6.0,
    walk_s=7.0,
)
_DE_RILSA = replace(
    _US_MUTCD,
    name="de-rilsa",
    change=Rilsa(),
    sources=_DE_SOURCES | _COMMON_SOURCES,
    longest_yellow_s=5.0,
    red_amber_s=1.0,
    min_green_through_s=10.0,
    red_revert_s=1.0,
)
_CN_GB = replace(
    _US_MUTCD,
    name="cn-gb",
    sources=_KINEMATIC_SOURCES | _CN_SOURCES | _COMMON_SOURCES,
    longest_yellow_s=5.0,
)

PROFILES: dict[str, TimingProfile] = {profile.name: profile for profile in (_US_MUTCD, _DE_RILSA, _CN_GB)}


def profile_by_name(name: str) -> TimingProfile:
    """The preset of that name.

    Raises
    ------
    InputError
        If there is none.
    """
    if name not in PROFILES:
        raise InputError("timing", "profile", f"unknown profile {shown(name)}", f"use one of {', '.join(PROFILES)}")
    return PROFILES[name]
