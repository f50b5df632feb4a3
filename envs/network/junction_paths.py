"""Where paths inside a junction cross, who goes first there, and which movements conflict for it: CityFlow's rules.

Movements conflict besides, whatever is drawn, where the roads that one leads from and to part those of the other: two
streets cross somewhere, if not between the stop lines then on the lanes, where a file gives the junction less width
than they have.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from intergreen.envs.arrays import FloatArray, IntArray, ranges
from intergreen.envs.network.crossings import find_crossings
from intergreen.envs.network.road_network import YIELD_DISTANCE_M

_APART_DEG = 15.0  # arms of a junction whose directions differ by less are not told apart


def junction_paths(
    roads: Mapping[str, Any], movements: Mapping[str, Any], links: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The crossings of links and the conflicts of movements, as fields of `RoadNetwork`, from its fields of these."""
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
    return crossings, _conflicts(roads, movements, own, foe, group_start)


def _conflicts(
    roads: Mapping[str, Any], movements: Mapping[str, Any], own: IntArray, foe: IntArray, group_start: IntArray
) -> dict[str, Any]:
    """Movements whose paths or streets cross or merge. Paths that only fan out from one lane do not conflict."""
    movement, from_lane = movements["link_movement"], movements["link_from_lane"]
    apart = from_lane[own] != from_lane[foe]
    merge_a, merge_b = _merges(movements["link_to_lane"], group_start)
    n = len(movements["movement_turn"])
    part_a, part_b = _parted(roads, movements)
    first = np.concatenate((movement[own[apart]], movement[merge_a], part_a)).astype(np.int64)
    second = np.concatenate((movement[foe[apart]], movement[merge_b], part_b)).astype(np.int64)
    pairs = np.unique((first * n + second)[first != second])
    return {
        "conflict_start": group_starts(pairs // max(n, 1), n),
        "conflict_with": (pairs % max(n, 1)).astype(np.int32),
        "conflict_permitted": np.zeros(0, np.bool_),
    }


def _parted(roads: Mapping[str, Any], movements: Mapping[str, Any]) -> tuple[IntArray, IntArray]:
    """All ordered pairs of movements of one junction between four arms, those of one on either side of the other."""
    start_deg, end_deg = _arms_deg(roads, movements)
    sizes = np.diff(movements["movement_start"])
    size, first = np.repeat(sizes, sizes), np.repeat(movements["movement_start"][:-1], sizes)
    a = np.repeat(np.arange(len(size), dtype=np.int32), size)
    b = ranges(first.astype(np.int32), size.astype(np.int32))
    across, one, other = ((deg - start_deg[a]) % 360.0 for deg in (end_deg[a], start_deg[b], end_deg[b]))
    parted = (one < across) != (other < across)
    for deg in (across, one, other, one - across, other - across):
        parted &= np.abs((deg + 180.0) % 360.0 - 180.0) > _APART_DEG
    return a[parted], b[parted]


def _arms_deg(roads: Mapping[str, Any], movements: Mapping[str, Any]) -> tuple[FloatArray, FloatArray]:
    """(M,) in which direction from the junction the road is that a movement comes from, and that it leads to."""
    points, start = roads["lane_points"], roads["lane_point_start"]
    came = roads["road_lane_start"][movements["movement_from_road"]]  # the leftmost lane; all are alike
    goes = roads["road_lane_start"][movements["movement_to_road"]]
    back = points[start[came + 1] - 2] - points[start[came + 1] - 1]
    on = points[start[goes] + 1] - points[start[goes]]
    return np.degrees(np.arctan2(back[:, 1], back[:, 0])), np.degrees(np.arctan2(on[:, 1], on[:, 0]))


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
