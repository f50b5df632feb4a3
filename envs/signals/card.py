"""What the monitor and the proof go by, made from the roads' geometry and the profile: no plan is read, and of phases
only whether a junction is an open one, and which approaches of a bent street, or movements of one approach whose paths
cross as drawn, the file has together.

The shield's rules come from the same formulas but by another way, so a mistake in phases, transitions or the shield
itself shows as a fault against the card.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from intergreen.envs.signals import profiles
from intergreen.envs.signals.conflicts import permissive
from intergreen.envs.signals.monitor_card import Channels, make_joined_card
from intergreen.envs.signals.pairs import pairs_of
from intergreen.envs.signals.profiles import whole_seconds
from intergreen.envs.signals.rules import FieldTiming, FixedClearance

if TYPE_CHECKING:
    from intergreen.envs.arrays import IntArray
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.signals.monitor_card import MonitorCard
    from intergreen.envs.signals.pairs import Pairs
    from intergreen.envs.signals.rules import Timing


def program_card(network: RoadNetwork, timing: Timing) -> MonitorCard:
    """The card for all signalled intersections, in ticks of a second; columns are the network's movements."""
    pairs = pairs_of(network, network.signalled)
    return make_joined_card(pairs.size, _channels(network, pairs, timing))


def _channels(network: RoadNetwork, pairs: Pairs, timing: Timing) -> Channels:
    """Who may go together, and the least times; one channel for every movement, one signal after the other."""
    may = permissive(network, pairs)
    if not isinstance(timing, FieldTiming):
        seconds = timing.seconds if isinstance(timing, FixedClearance) else 0
        return Channels(pairs.movement, may, np.where(may, 0, seconds), seconds, longest_yellow_s=seconds)
    profile = timing.profile
    has_path = np.diff(network.movement_link_start)[pairs.movement] > 0
    return Channels(
        pairs.movement,
        may,
        whole_seconds(profiles.intergreen_s(profile, network, pairs)),
        whole_seconds(profiles.yellow_s(profile, network, pairs)),
        min_green_s=whole_seconds(profiles.min_green_s(profile, network, pairs)),
        red_revert_s=ceil(profile.red_revert_s),
        longest_wait_s=np.where(has_path, timing.longest_wait_s, 0),
        longest_yellow_s=ceil(profile.longest_yellow_s),
        red_amber_s=ceil(profile.red_amber_s),
    )


def startup_red_s(timing: Timing) -> int:
    """Seconds of red with which signals begin."""
    return ceil(timing.profile.startup_red_s) if isinstance(timing, FieldTiming) else 0


def longest_green_s(network: RoadNetwork, timing: Timing) -> IntArray:
    """(n,) whole seconds of green while others wait, for the channels of the card; 0: no limit. Never below the least
    green."""
    pairs = pairs_of(network, network.signalled)
    if not isinstance(timing, FieldTiming):
        return np.zeros(len(pairs.movement), np.int32)
    longest = profiles.max_green_s(timing.profile, network, pairs)
    return whole_seconds(np.maximum(longest, profiles.min_green_s(timing.profile, network, pairs)))
