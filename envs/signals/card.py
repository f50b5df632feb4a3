"""What the monitor and the proof go by, made from the roads' geometry and the profile: no plan is read, and of phases
only whether a junction is an open one, and which approaches of a bent street, or movements of one approach whose paths
cross as drawn, the file has together.

The shield's rules come from the same formulas but by another way, so a mistake in phases, transitions or the shield
itself shows as a fault against the card.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from intergreen.envs.signals import profiles
from intergreen.envs.signals.alike import first_alike
from intergreen.envs.signals.conflicts import permissive_matrix
from intergreen.envs.signals.monitor_card import Channels, make_card
from intergreen.envs.signals.profiles import whole_seconds
from intergreen.envs.signals.rules import FieldTiming, FixedClearance

if TYPE_CHECKING:
    from intergreen.envs.arrays import BoolArray, IntArray
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.signals.monitor_card import MonitorCard
    from intergreen.envs.signals.rules import Timing


def program_card(network: RoadNetwork, timing: Timing) -> MonitorCard:
    """The card for all signalled intersections, in ticks of a second; columns are the network's movements."""
    signalled = network.signalled.tolist()
    kinds = first_alike(network, signalled)
    made = {kind: channels(network, kind, timing) for kind in dict.fromkeys(kinds)}
    return make_card(
        [
            made[kind] if kind == j else replace(made[kind], columns=_columns(network, j))
            for j, kind in zip(signalled, kinds, strict=True)
        ]
    )


def channels(network: RoadNetwork, j: int, timing: Timing) -> Channels:
    """Who may go together at intersection `j`, and the least times; one channel for every movement."""
    columns = _columns(network, j)
    permissive = permissive_matrix(network, j)
    if not isinstance(timing, FieldTiming):
        seconds = timing.seconds if isinstance(timing, FixedClearance) else 0
        return Channels(columns, permissive, np.where(permissive, 0, seconds), seconds, longest_yellow_s=seconds)
    profile = timing.profile
    return Channels(
        columns,
        permissive,
        whole_seconds(profiles.intergreen_s(profile, network, j)),
        whole_seconds(profiles.yellow_s(profile, network, j)),
        min_green_s=whole_seconds(profiles.min_green_s(profile, network, j)),
        red_revert_s=ceil(profile.red_revert_s),
        longest_wait_s=np.where(_has_path(network, j), timing.longest_wait_s, 0),
        longest_yellow_s=ceil(profile.longest_yellow_s),
        red_amber_s=ceil(profile.red_amber_s),
    )


def startup_red_s(timing: Timing) -> int:
    """Seconds of red with which signals begin."""
    return ceil(timing.profile.startup_red_s) if isinstance(timing, FieldTiming) else 0


def longest_green_s(network: RoadNetwork, j: int, timing: Timing) -> IntArray:
    """(m,) whole seconds of green while others wait; 0: no limit. Never below the least green."""
    if not isinstance(timing, FieldTiming):
        return np.zeros(network.movement_start[j + 1] - network.movement_start[j], np.int32)
    longest = profiles.max_green_s(timing.profile, network, j)
    return whole_seconds(np.maximum(longest, profiles.min_green_s(timing.profile, network, j)))


def _columns(network: RoadNetwork, j: int) -> IntArray:
    return np.arange(network.movement_start[j], network.movement_start[j + 1])


def _has_path(network: RoadNetwork, j: int) -> BoolArray:
    """(m,): can anybody drive the movement?"""
    first, past = network.movement_start[j : j + 2]
    links: BoolArray = np.diff(network.movement_link_start[first : past + 1]) > 0
    return links
