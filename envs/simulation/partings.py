"""How far two lane links of one lane run beside each other: so far, who drives onto one follows who is on the other.

In networks from SUMO. Elsewhere, as in CityFlow, it follows everybody on all links of its lane.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from intergreen.envs.arrays import FloatArray, IntArray
from intergreen.envs.network import RoadNetwork
from intergreen.envs.network.road_network import YIELD_DISTANCE_M

APART_M = 2.5  # between the middles of two paths that have parted: `MSLink::computeDistToDivergence`
_STEP_M = 0.5


def find_partings(network: RoadNetwork) -> tuple[IntArray, FloatArray]:
    """Where the other links of its lane part from each link.

    Returns
    -------
    start : (K + 1,) first entry of each link, of one entry for each link of its lane, in the order of `lane_links`
    parts_m : (.,) m along the other link where its path has parted; infinite for the link itself, where both lead to
        the same road, where paths do not part, or do behind where one on the other link may wait inside
    """
    links_of_lane = np.diff(network.lane_link_start)
    start = np.concatenate([[0], np.cumsum(links_of_lane[network.link_from_lane])]).astype(np.int32)
    parts_m = np.full(int(start[-1]), np.inf)
    if network.conventions == "sumo":
        _measure(
            start, network.lane_link_start, network.lane_links, network.link_from_lane,
            network.lane_road[network.link_to_lane], network.link_point_start, network.link_points,
            waits_inside_m(network), network.link_length_m, parts_m,
        )  # fmt: skip
    return start, parts_m


def waits_inside_m(network: RoadNetwork) -> FloatArray:
    """(K,) how far along each link one who yields may wait inside the junction; infinite where nobody does."""
    own = np.repeat(np.arange(network.n_links), np.diff(network.crossing_start))
    place_m = network.crossing_distance_m - network.crossing_setback_m
    yields = (network.crossing_right < 0) & (network.crossing_setback_m != YIELD_DISTANCE_M) & (place_m > 0.0)
    out = np.full(network.n_links, -np.inf)
    np.maximum.at(out, own[yields], place_m[yields])
    out[out == -np.inf] = np.inf
    return out


@njit(cache=True)
def _measure(start, lane_link_start, lane_links, link_from, link_road, point_start, points, inside, link_length, out):
    for link in range(len(link_from)):
        first = lane_link_start[link_from[link]]
        for entry in range(start[link], start[link + 1]):
            other = lane_links[first + entry - start[link]]
            if link_road[other] != link_road[link]:
                mine = points[point_start[link] : point_start[link + 1]]
                parted = _parting(mine, points[point_start[other] : point_start[other + 1]], link_length[other])
                out[entry] = parted if parted <= inside[other] else np.inf


@njit(cache=True)
def _parting(mine, other, length_m):
    """From the end of the path back: the first of its points that is not `APART_M` away; infinite at the end."""
    steps = np.sqrt(((other[1:] - other[:-1]) ** 2).sum(axis=1))
    drawn_m = steps.sum()
    at_m = drawn_m
    for k in range(len(steps) - 1, -1, -1):
        n = int(steps[k] / _STEP_M) + 1
        for step in range(n, 0, -1):
            point = other[k] + (other[k + 1] - other[k]) * (step / n)
            if _distance(point, mine) <= APART_M:
                return np.inf if at_m == drawn_m else at_m * length_m / drawn_m
            at_m -= steps[k] / n
    return 0.0


@njit(cache=True)
def _distance(point, path):
    nearest = np.inf
    for k in range(len(path) - 1):
        way = path[k + 1] - path[k]
        squared = (way**2).sum()
        share = 0.0 if squared == 0.0 else min(1.0, max(0.0, ((point - path[k]) * way).sum() / squared))
        nearest = min(nearest, np.sqrt(((path[k] + way * share - point) ** 2).sum()))
    return nearest
