"""Intersections that are alike: what one of them gets from the timing rules, all of them get. NumPy only.

Two are alike where everything is equal that rules and card are made from: turns, phases, conflicts, and the lanes,
speeds, widths and paths of their movements, roads and lanes numbered within the intersection. A network of a thousand
junctions has a few dozen kinds, or as many kinds as junctions where each was surveyed by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from intergreen.envs.signals.conflicts import headings_deg

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from intergreen.envs.arrays import IntArray
    from intergreen.envs.network import RoadNetwork


def first_alike(network: RoadNetwork, intersections: Sequence[int]) -> list[int]:
    """For each of the intersections the first of them that it is alike, often itself."""
    first: dict[bytes, int] = {}
    kinds = _kinds(network)
    return [first.setdefault(kinds(j), j) for j in intersections]


def _kinds(network: RoadNetwork) -> Any:
    """A function from an intersection to what makes it differ from others, as bytes."""
    n = network
    of_movement, of_link = _movement_rows(n), _link_rows(n)
    crossing_m = np.stack([n.crossing_distance_m, n.crossing_foe_distance_m], axis=1)
    permitted = n.conflict_permitted if len(n.conflict_permitted) else np.zeros(0, np.bool_)

    def kind(j: int) -> bytes:
        m, past_m = n.movement_start[j : j + 2].tolist()
        k, past_k = n.movement_link_start[[m, past_m]].tolist()
        p, past_p = n.phase_start[j : j + 2].tolist()
        x, past_x = n.crossing_start[[k, past_k]].tolist()
        c, past_c = n.conflict_start[[m, past_m]].tolist()
        g, past_g = n.phase_movement_start[[p, past_p]].tolist()
        parts = (
            np.array([past_m - m, past_k - k, past_p - p, past_x - x, past_c - c, past_g - g]),
            of_movement[m:past_m],
            of_link[k:past_k],
            n.movement_link_start[m : past_m + 1] - k,
            n.crossing_start[k : past_k + 1] - x,
            n.crossing_foe_link[x:past_x] - k,
            crossing_m[x:past_x],
            n.conflict_start[m : past_m + 1] - c,
            n.conflict_with[c:past_c] - m,
            permitted[c:past_c],
            n.phase_movement_start[p : past_p + 1] - g,
            n.phase_movements[g:past_g] - m,
        )
        return b"".join([part.tobytes() for part in parts])

    return kind


def _movement_rows(n: RoadNetwork) -> NDArray[np.float64]:
    """(M, 6) turn, first movements of the intersection with the same road before and behind, limits, heading."""
    first = n.movement_start[n.movement_intersection]
    limits = n.lane_speed_limit_mps
    start = n.road_lane_start[:-1]
    highest, lowest = np.maximum.reduceat(limits, start), np.minimum.reduceat(limits, start)
    road = n.movement_from_road
    return np.stack(
        [
            n.movement_turn,
            _first_with(n.movement_from_road) - first,
            _first_with(n.movement_to_road) - first,
            highest[road],
            lowest[road],
            headings_deg(n, np.arange(n.n_movements)),
        ],
        axis=1,
    ).astype(np.float64)


def _link_rows(n: RoadNetwork) -> NDArray[np.float64]:
    """(K, 6) lanes within their roads, their limit and widths, length."""
    start, end, width_m = n.link_from_lane, n.link_to_lane, n.lane_width_m
    lanes = np.stack([n.lane_index[start], n.lane_index[end]], axis=1)
    return np.column_stack([lanes, n.lane_speed_limit_mps[start], width_m[start], width_m[end], n.link_length_m])


def _first_with(road: IntArray) -> IntArray:
    """For each movement the first that has the same road; a road leads to one intersection, and away from one."""
    _, first, which = np.unique(road, return_index=True, return_inverse=True)
    return np.asarray(first[which], np.int32)
