"""Where paths inside a junction cross, who goes first there, and which movements conflict for it: CityFlow's rules."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from intergreen.envs.arrays import IntArray
from intergreen.envs.network.crossings import find_crossings
from intergreen.envs.network.road_network import YIELD_DISTANCE_M


def junction_paths(movements: Mapping[str, Any], links: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The crossings of links and the conflicts of movements, as fields of `RoadNetwork`, from its fields of both."""
    group_start = movements["movement_link_start"][movements["movement_start"]]
    a, b, distance_a, distance_b = find_crossings(links["link_points"], links["link_point_start"], group_start)
    # Both directions of each pair, interleaved: the stable sort then keeps creation order at equal distances.
    own, foe = np.stack((a, b), 1).ravel(), np.stack((b, a), 1).ravel()
    own_distance, foe_distance = (
        np.stack((distance_a, distance_b), 1).ravel(), np.stack((distance_b, distance_a), 1).ravel(),
    )  # fmt: skip
    order = np.lexsort((own_distance, own))
    rank = movements["movement_turn"][movements["link_movement"]]
    crossings = {
        "crossing_start": group_starts(own[order], len(links["link_length_m"])),
        "crossing_distance_m": own_distance[order],
        "crossing_foe_link": foe[order],
        "crossing_foe_distance_m": foe_distance[order],
        "crossing_setback_m": np.full(len(order), YIELD_DISTANCE_M),
        "crossing_foe_setback_m": np.full(len(order), YIELD_DISTANCE_M),
        "crossing_right": np.sign(rank[own[order]] - rank[foe[order]]).astype(np.int8),
    }
    return crossings, _conflicts(movements, own, foe, group_start)


def _conflicts(movements: Mapping[str, Any], own: IntArray, foe: IntArray, group_start: IntArray) -> dict[str, Any]:
    """Movements whose paths cross or merge. Paths that only fan out from one lane do not conflict."""
    movement, from_lane = movements["link_movement"], movements["link_from_lane"]
    apart = from_lane[own] != from_lane[foe]
    merge_a, merge_b = _merges(movements["link_to_lane"], group_start)
    n = len(movements["movement_turn"])
    first = np.concatenate((movement[own[apart]], movement[merge_a])).astype(np.int64)
    second = np.concatenate((movement[foe[apart]], movement[merge_b])).astype(np.int64)
    pairs = np.unique((first * n + second)[first != second])
    return {
        "conflict_start": group_starts(pairs // max(n, 1), n),
        "conflict_with": (pairs % max(n, 1)).astype(np.int32),
        "conflict_permitted": np.zeros(0, np.bool_),
    }


def _merges(to_lane: IntArray, group_start: IntArray) -> tuple[IntArray, IntArray]:
    """All ordered pairs of links that end on the same lane."""
    order = np.argsort(to_lane, kind="stable").astype(np.int32)
    ends = to_lane[order]
    firsts, seconds = [order[:0]], [order[:0]]
    for step in range(1, len(order)):
        same = ends[step:] == ends[:-step]
        if not same.any():
            break
        firsts += [order[step:][same], order[:-step][same]]
        seconds += [order[:-step][same], order[step:][same]]
    return np.concatenate(firsts), np.concatenate(seconds)


def group_starts(sorted_groups: IntArray, n_groups: int) -> IntArray:
    """(n_groups + 1,): where each group begins in a sorted list of groups."""
    return np.searchsorted(sorted_groups, np.arange(n_groups + 1)).astype(np.int32)
