"""Where the paths of two movements meet inside a junction, and how far that is from either's stop line."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from intergreen.envs.arrays import ranges
from intergreen.envs.signals.pairs import conflicting

if TYPE_CHECKING:
    from intergreen.envs.arrays import FloatArray, IntArray
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.signals.pairs import Pairs


class MeetingPaths(NamedTuple):
    """Pairs of links that meet, one row per ordered pair; movements as they are numbered in the pairs."""

    first: IntArray  # movement that clears
    second: IntArray  # movement that enters
    clear_m: FloatArray  # from the stop line of the first to the far side of where they meet
    enter_m: FloatArray  # from the stop line of the second to the near side of it


def meeting_paths(network: RoadNetwork, pairs: Pairs) -> MeetingPaths:
    """Of every two links that cross or merge inside the intersections of the pairs, both ways round."""
    n_links = n_links_of(network, pairs)
    link = ranges(network.movement_link_start[pairs.movement], n_links)
    movement = np.repeat(np.arange(len(n_links), dtype=np.int32), n_links)
    start, end = network.link_from_lane[link], network.link_to_lane[link]
    half_width_m = np.maximum(network.lane_width_m[start], network.lane_width_m[end]) / 2.0
    n_crossings = network.crossing_start[link + 1] - network.crossing_start[link]
    crossing = ranges(network.crossing_start[link], n_crossings)
    own = np.repeat(np.arange(len(link), dtype=np.int32), n_crossings)
    foe = network.crossing_foe_link[crossing] + np.repeat(np.arange(len(link)) - link, n_crossings)  # index in `link`
    clear_m = network.crossing_distance_m[crossing] + half_width_m[foe]
    enter_m = np.maximum(network.crossing_foe_distance_m[crossing] - half_width_m[own], 0.0)
    # Paths that merge meet at their ends at the latest, and nobody knows from where on they overlap: 0 m to enter.
    merge_own, merge_foe = _with_the_same(end)
    first, second = movement[np.concatenate((own, merge_own))], movement[np.concatenate((foe, merge_foe))]
    # Streets that cross where no path is drawn: on the lanes, beyond the paths.
    past_own, past_foe = _without_meeting(network, pairs, first, second)
    longest_m = np.zeros(len(n_links))
    np.maximum.at(longest_m, movement, network.link_length_m[link] + half_width_m)
    return MeetingPaths(
        first=np.concatenate((first, past_own)),
        second=np.concatenate((second, past_foe)),
        clear_m=np.concatenate((clear_m, network.link_length_m[link][merge_own], longest_m[past_own])),
        enter_m=np.concatenate((enter_m, np.zeros(len(merge_own) + len(past_own)))),
    )


def _without_meeting(
    network: RoadNetwork, pairs: Pairs, first: IntArray, second: IntArray
) -> tuple[IntArray, IntArray]:
    """The ordered pairs that conflict though no two of their paths meet; SUMO's files alone know where theirs do."""
    if network.conventions != "cityflow":
        return first[:0], second[:0]
    alone = conflicting(network, pairs)
    alone[pairs.at(first, second)] = False
    return pairs.row[alone], pairs.column[alone]


def n_links_of(network: RoadNetwork, pairs: Pairs) -> IntArray:
    """(n,) of each movement."""
    start = network.movement_link_start
    return np.asarray(start[pairs.movement + 1] - start[pairs.movement], np.int32)


def _with_the_same(values: IntArray) -> tuple[IntArray, IntArray]:
    """Indices of all ordered pairs of two entries that are equal."""
    order = np.argsort(values, kind="stable").astype(np.int32)
    _, first, counts = np.unique(values[order], return_index=True, return_counts=True)
    sizes = np.repeat(counts, counts)
    one, other = (
        np.repeat(order, sizes),
        order[ranges(np.repeat(first, counts).astype(np.int32), sizes.astype(np.int32))],
    )
    return one[one != other], other[one != other]
