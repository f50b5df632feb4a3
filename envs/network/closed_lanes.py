"""Roads with lanes closed: what drove on a closed lane goes on from the lane beside it, and into the lane beside it.

Movements, phases and conflicts stay as they are, so that signals show what they would have shown, for fewer lanes. In
a running simulation a closed lane stops whoever was going to use it (`Engine.close_lane`); here drivers know.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from intergreen.envs.network import geometry
from intergreen.envs.network.junction_paths import junction_paths

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from intergreen.envs.arrays import BoolArray, FloatArray, IntArray
    from intergreen.envs.network.road_network import RoadNetwork


_OF_MOVEMENTS = ("movement_start", "movement_turn", "movement_from_road", "movement_to_road")


class _Links(NamedTuple):
    """Those that stay, in their order, between lanes as they were numbered before."""

    number: IntArray
    from_lane: IntArray
    to_lane: IntArray


def close_some_lanes(network: RoadNetwork, seed: int, share: float) -> RoadNetwork:
    """The network with one lane closed on `share` of its roads of two lanes or more, on one at least.

    Roads and lanes are drawn by the seed. Where that would change which movements of a junction conflict, the lanes
    of its roads stay open; where none is left to close, as many other roads are drawn.

    Raises
    ------
    ValueError
        If the network's rules are SUMO's, whose right of way is told for the very lanes of the file, or if there is no
        lane that can be closed.
    """
    if network.conventions != "cityflow":
        raise ValueError("lanes of networks from SUMO cannot be closed: the file tells who yields lane by lane")
    random = np.random.default_rng(seed)
    wide = np.flatnonzero(np.diff(network.road_lane_start) >= 2)
    drawn, size = random.permutation(wide), max(1, round(share * len(wide)))
    for begin in range(0, len(drawn), size):
        roads = drawn[begin : begin + size]
        lanes = random.integers(network.road_lane_start[roads], network.road_lane_start[roads + 1])
        narrower = _with_conflicts_as_they_are(network, lanes)
        if narrower is not None:
            return narrower
    raise ValueError("of no road of two lanes or more the lane that was drawn can be spared")


def _with_conflicts_as_they_are(network: RoadNetwork, closed: IntArray) -> RoadNetwork | None:
    """The network without those of the lanes that change no conflict; None if all do."""
    while len(closed):
        narrower = without_lanes(network, closed)
        changed = _changed_junctions(network, narrower)
        if not len(changed):
            return narrower
        road = network.lane_road[closed]
        touched = np.isin(network.road_from[road], changed) | np.isin(network.road_to[road], changed)
        closed = closed[~touched]
    return None


def without_lanes(network: RoadNetwork, closed: Iterable[int]) -> RoadNetwork:
    """The network without these lanes; the others are numbered anew, each road's from the left.

    Raises
    ------
    ValueError
        If a road would be left without a lane.
    """
    stays = np.ones(network.n_lanes, np.bool_)
    stays[list(closed)] = False
    heir = _heirs(network, stays)
    links = _links_that_stay(network, stays, heir)
    number = (np.cumsum(stays) - 1).astype(np.int32)
    lanes = _lanes(network, stays)
    paths = _paths(network, links)
    from_lane, to_lane = number[links.from_lane], number[links.to_lane]
    order = np.argsort(from_lane, kind="stable").astype(np.int32)
    movement = network.link_movement[links.number]
    movements: dict[str, Any] = {
        "movement_link_start": geometry.starts(np.bincount(movement, minlength=network.n_movements).tolist()),
        "link_movement": movement,
        "link_from_lane": from_lane,
        "link_to_lane": to_lane,
        "lane_link_start": geometry.starts(np.bincount(from_lane, minlength=int(stays.sum())).tolist()),
        "lane_links": order,
    }
    known = {name: getattr(network, name) for name in _OF_MOVEMENTS}
    crossings, conflicts = junction_paths(lanes, {**known, **movements}, paths)
    ids = tuple(name for name, is_open in zip(network.lane_ids, stays, strict=False) if is_open)  # none, or of all
    return replace(network, lane_ids=ids, **lanes, **movements, **paths, **crossings, **conflicts)


def _changed_junctions(network: RoadNetwork, narrower: RoadNetwork) -> IntArray:
    """Intersections at which not the same movements conflict."""
    before, after = (
        np.repeat(np.arange(one.n_movements), np.diff(one.conflict_start)) * one.n_movements + one.conflict_with
        for one in (network, narrower)
    )
    movements = np.setxor1d(before, after) // max(network.n_movements, 1)
    junctions: IntArray = np.unique(network.movement_intersection[movements])
    return junctions


def _heirs(network: RoadNetwork, stays: BoolArray) -> IntArray:
    """(L,) itself for a lane that stays, else the nearest of its road that does, the left one of two."""
    heir = np.arange(network.n_lanes, dtype=np.int32)
    for lane in np.flatnonzero(~stays).tolist():
        first, past = network.road_lane_start[network.lane_road[lane] : network.lane_road[lane] + 2].tolist()
        others = [other for other in range(first, past) if stays[other]]
        if not others:
            raise ValueError(f"road {network.road_ids[network.lane_road[lane]]} would be left without a lane")
        heir[lane] = min(others, key=lambda other: (abs(other - lane), other))
    return heir


def _links_that_stay(network: RoadNetwork, stays: BoolArray, heir: IntArray) -> _Links:
    """Links between lanes that stay, and moved ones where the movement would have none from its road or that lane."""
    movement, from_lane, to_lane = network.link_movement, network.link_from_lane, network.link_to_lane
    starts = set(movement[stays[from_lane]].tolist())
    moves_start = ~stays[from_lane] & ~np.isin(movement, np.array(sorted(starts), np.int32))
    begins = stays[from_lane] | moves_start
    ends = {(int(m), int(a)) for m, a in zip(movement, heir[from_lane], strict=True)} - {
        (int(m), int(a)) for m, a in zip(movement[stays[to_lane]], heir[from_lane][stays[to_lane]], strict=True)
    }
    kept: dict[tuple[int, int, int], int] = {}
    for k in np.flatnonzero(begins).tolist():
        m, a = int(movement[k]), int(heir[from_lane[k]])
        if stays[to_lane[k]] or (m, a) in ends:
            kept.setdefault((m, a, int(heir[to_lane[k]])), k)
    number = np.array(sorted(kept.values()), np.int32)
    return _Links(number, heir[from_lane[number]], heir[to_lane[number]])


def _lanes(network: RoadNetwork, stays: BoolArray) -> dict[str, Any]:
    road = network.lane_road[stays]
    counts = np.bincount(road, minlength=network.n_roads)
    road_lane_start = geometry.starts(counts.tolist())
    length_m = network.lane_length_m[stays]
    points, point_start = _chosen(network.lane_points, network.lane_point_start, np.flatnonzero(stays).tolist())
    return {
        "road_length_m": np.bincount(road, length_m, minlength=network.n_roads) / counts,
        "road_lane_start": road_lane_start,
        "lane_road": road,
        "lane_index": (np.arange(len(road)) - road_lane_start[road]).astype(np.int32),
        "lane_length_m": length_m,
        "lane_speed_limit_mps": network.lane_speed_limit_mps[stays],
        "lane_width_m": network.lane_width_m[stays],
        "lane_points": points,
        "lane_point_start": point_start,
    }


def _paths(network: RoadNetwork, links: _Links) -> dict[str, Any]:
    """The links' fields; one that moved is drawn from its new lane to its new lane, bent as it was."""
    points, start = _chosen(network.link_points, network.link_point_start, links.number.tolist())
    for k, old in enumerate(links.number.tolist()):
        at_start = _end(network, links.from_lane[k]) - _end(network, network.link_from_lane[old])
        at_end = _begin(network, links.to_lane[k]) - _begin(network, network.link_to_lane[old])
        if at_start.any() or at_end.any():
            path = points[start[k] : start[k + 1]]
            along = np.linspace(0.0, 1.0, len(path))[:, None]
            path += (1.0 - along) * at_start + along * at_end
    length_m = np.empty(len(links.number))
    geometry.polyline_lengths(points, start, length_m)
    return {
        "link_points": points,
        "link_point_start": start,
        "link_length_m": length_m,
        "link_changes_lane": network.link_changes_lane[links.number],
        "link_keeps_clear": network.link_keeps_clear[links.number],
        "link_penalty_s": network.link_penalty_s[links.number],
        "link_speed_limit_mps": network.link_speed_limit_mps[links.number],
        "link_entry_speed_mps": network.link_entry_speed_mps[links.number],
    }


def _chosen(points: FloatArray, start: IntArray, items: Sequence[int]) -> tuple[FloatArray, IntArray]:
    """The polylines of these items, one after the other."""
    parts = [points[start[item] : start[item + 1]] for item in items]
    return np.concatenate(parts), geometry.starts([len(part) for part in parts])


def _end(network: RoadNetwork, lane: int) -> FloatArray:
    point: FloatArray = network.lane_points[network.lane_point_start[lane + 1] - 1]
    return point


def _begin(network: RoadNetwork, lane: int) -> FloatArray:
    point: FloatArray = network.lane_points[network.lane_point_start[lane]]
    return point
