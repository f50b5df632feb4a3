"""Who has green and must give way all the same: turns across others who have green too and go first."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from intergreen.envs.arrays import ranges

if TYPE_CHECKING:
    from intergreen.envs.arrays import BoolArray, IntArray
    from intergreen.envs.network import RoadNetwork


class Signals(NamedTuple):
    """I signals with N movements together, C choices, M movements of the widest."""

    movement: IntArray  # (N,) number in the network, signal by signal
    counts: IntArray  # (I,) movements of each
    phase_start: IntArray  # (I + 1,)
    phase_serves: IntArray  # (all phases, M) 1 where it gives the signal's movement green
    choice_phase: IntArray  # (I, C) phase of the signal, -1 where it has no such choice


class Ways(NamedTuple):
    """Of W greens that must give way to another one: in which phase, who, and to whom, as movements of the signal."""

    row: IntArray  # (W,) one of all phases
    second: IntArray  # (W,)
    first: IntArray  # (W,)


def ways_given(network: RoadNetwork, signals: Signals) -> Ways:
    """In which phases which movements have green and must give way to others that have green, pair by pair.

    Not those that every choice serves, as right turns in the literature: they tell no choice from another.
    """
    number = np.repeat(np.arange(len(signals.counts), dtype=np.int32), signals.counts)
    signal = np.full(network.n_movements, -1, np.int32)
    signal[signals.movement] = number
    local = np.zeros(network.n_movements, np.int32)
    local[signals.movement] = ranges(np.zeros_like(signals.counts), signals.counts)
    second, first = goes_second(network)
    here = (signal[second] >= 0) & (signal[first] >= 0)
    second, first = second[here], first[here]
    n_phases = np.diff(signals.phase_start)
    pair = np.repeat(np.arange(len(second)), n_phases[signal[second]])
    row = ranges(signals.phase_start[signal[second]], n_phases[signal[second]])
    serves = signals.phase_serves != 0
    second, first = local[second][pair], local[first][pair]
    always = np.repeat(_always_green(signals), n_phases, axis=0)
    counts = serves[row, second] & serves[row, first] & ~always[row, second]
    return Ways(row[counts], second[counts], first[counts])


def _always_green(signals: Signals) -> BoolArray:
    """(I, M): which movements every choice serves."""
    is_choice = signals.choice_phase >= 0
    row = signals.phase_start[:-1, None] + np.where(is_choice, signals.choice_phase, 0)
    always: BoolArray = ((signals.phase_serves[row] != 0) | ~is_choice[:, :, None]).all(axis=1)
    return always


def goes_second(network: RoadNetwork) -> tuple[IntArray, IntArray]:
    """Pairs of movements from two roads of which the first gives way where their paths meet, each pair once."""
    link = np.repeat(np.arange(network.n_links, dtype=np.int32), np.diff(network.crossing_start))
    foe = network.crossing_foe_link
    road = network.movement_from_road[network.link_movement]
    changes_lane = network.link_changes_lane[link] | network.link_changes_lane[foe]  # the yielding is another's
    loses = (network.crossing_right < 0) & (road[link] != road[foe]) & ~changes_lane
    pairs = (
        network.link_movement[link[loses]].astype(np.int64) * network.n_movements + network.link_movement[foe[loses]]
    )
    second, first = np.divmod(np.unique(pairs), network.n_movements)
    return second.astype(np.int32), first.astype(np.int32)
