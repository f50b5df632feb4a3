"""From a description to arrays: lanes trimmed and placed, links drawn, crossings found, conflicts derived."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from intergreen.envs.arrays import BoolArray, FloatArray, IntArray
from intergreen.envs.errors import InputError, shown
from intergreen.envs.network import geometry
from intergreen.envs.network.description import NetworkDescription, Point
from intergreen.envs.network.description_check import check_description
from intergreen.envs.network.junction_paths import group_starts, junction_paths
from intergreen.envs.network.road_network import (
    LINK_SPEED_LIMIT_MPS,
    STRAIGHT,
    TURN_SPEED_MPS,
    RoadNetwork,
)

LONGEST_LANE_M = 100_000.0  # longer ones are slips of the unit, and would take memory for all the vehicles they hold


def build_network(description: NetworkDescription) -> RoadNetwork:
    """The network as arrays.

    Raises
    ------
    InputError
        If the description names what is not there, or its geometry leaves a lane or a link without a sensible length.
    """
    check_description(description)
    roads = _roads(description)
    movements = _movements(description, roads["road_lane_start"])
    links = _links(description, roads, movements)
    crossings, conflicts = junction_paths(roads, movements, links)
    return RoadNetwork(
        name=description.name, **_intersections(description), **roads, **movements, **links, **crossings, **conflicts
    )


def _intersections(description: NetworkDescription) -> dict[str, Any]:
    crossings = description.intersections
    phases = [phase for intersection in crossings for phase in intersection.phases]
    first_movement = geometry.starts([len(i.movements) for i in crossings])
    greens = [
        first + movement
        for first, intersection in zip(first_movement.tolist(), crossings, strict=False)
        for phase in intersection.phases
        for movement in phase.movements
    ]
    return {
        "intersection_ids": tuple(i.id for i in crossings),
        "intersection_xy": np.array([i.point for i in crossings], np.float64).reshape(-1, 2),
        "intersection_width_m": np.array([i.width_m for i in crossings], np.float64),
        "is_virtual": np.array([i.is_virtual for i in crossings], np.bool_),
        "intersection_road_start": geometry.starts([len(i.roads) for i in crossings]),
        "intersection_roads": _ints(road for i in crossings for road in i.roads),
        "phase_start": geometry.starts([len(i.phases) for i in crossings]),
        "phase_duration_s": np.array([phase.duration_s for phase in phases], np.float64),
        "phase_movement_start": geometry.starts([len(phase.movements) for phase in phases]),
        "phase_movements": _ints(greens),
        "programme_elapsed_s": np.zeros(len(crossings)),
    }


def _roads(description: NetworkDescription) -> dict[str, Any]:
    roads = description.roads
    lane_counts = [len(road.lanes) for road in roads]
    lanes = [lane for road in roads for lane in road.lanes]
    road_lane_start = geometry.starts(lane_counts)
    lane_road = np.repeat(np.arange(len(roads), dtype=np.int32), lane_counts)
    lane_width_m = np.array([lane.width_m for lane in lanes], np.float64)
    lane_points, lane_point_start = _lane_polylines(description, road_lane_start, lane_width_m)
    lane_length_m = np.empty(len(lanes))
    geometry.polyline_lengths(lane_points, lane_point_start, lane_length_m)
    _check_lanes(description, lane_road, road_lane_start, lane_length_m)
    return {
        "road_ids": tuple(road.id for road in roads),
        "road_from": _ints(road.start for road in roads),
        "road_to": _ints(road.end for road in roads),
        "road_length_m": _group_means(lane_length_m, road_lane_start),
        "road_lane_start": road_lane_start,
        "lane_road": lane_road,
        "lane_index": np.arange(len(lanes), dtype=np.int32) - road_lane_start[lane_road],
        "lane_length_m": lane_length_m,
        "lane_speed_limit_mps": np.array([lane.speed_limit_mps for lane in lanes], np.float64),
        "lane_width_m": lane_width_m,
        "lane_points": lane_points,
        "lane_point_start": lane_point_start,
    }


def _lane_polylines(
    description: NetworkDescription, road_lane_start: IntArray, lane_width_m: FloatArray
) -> tuple[FloatArray, IntArray]:
    roads = description.roads
    trim = [0.0 if i.is_virtual else i.width_m for i in description.intersections]
    road_points, road_point_start = _flat_points([road.points for road in roads])
    start_trim_m = np.array([trim[road.start] for road in roads], np.float64)
    end_trim_m = np.array([trim[road.end] for road in roads], np.float64)
    _check_trims(description, road_points, road_point_start, start_trim_m + end_trim_m)
    geometry.trim_roads(road_points, road_point_start, start_trim_m, end_trim_m)
    lane_point_start = geometry.starts([len(road.points) for road in roads for _ in road.lanes])
    lane_points = np.empty((int(lane_point_start[-1]), 2))
    geometry.place_lanes(lane_points, lane_point_start, road_points, road_point_start, road_lane_start, lane_width_m)
    return lane_points, lane_point_start


def _movements(description: NetworkDescription, road_lane_start: IntArray) -> dict[str, Any]:
    counts = [len(i.movements) for i in description.intersections]
    movements = [movement for i in description.intersections for movement in i.movements]
    first_lane = road_lane_start.tolist()
    from_lane = _ints(first_lane[m.start_road] + link.start_lane for m in movements for link in m.links)
    order = np.argsort(from_lane, kind="stable").astype(np.int32)
    link_counts = [len(m.links) for m in movements]
    return {
        "movement_start": geometry.starts(counts),
        "movement_intersection": np.repeat(np.arange(len(counts), dtype=np.int32), counts),
        "movement_from_road": _ints(m.start_road for m in movements),
        "movement_to_road": _ints(m.end_road for m in movements),
        "movement_turn": np.array([m.turn for m in movements], np.int8),
        "movement_link_start": geometry.starts(link_counts),
        "link_movement": np.repeat(np.arange(len(movements), dtype=np.int32), link_counts),
        "link_from_lane": from_lane,
        "link_to_lane": _ints(first_lane[m.end_road] + link.end_lane for m in movements for link in m.links),
        "lane_link_start": group_starts(from_lane[order], first_lane[-1]),
        "lane_links": order,
    }


def _links(description: NetworkDescription, roads: dict[str, Any], movements: dict[str, Any]) -> dict[str, Any]:
    points = [link.points for i in description.intersections for m in i.movements for link in m.links]
    is_drawn = np.array([not given for given in points], np.bool_)
    blank = ((0.0, 0.0),) * geometry.CURVE_POINTS
    link_points, link_point_start = _flat_points([given or blank for given in points])
    width_m = np.array([i.width_m for i in description.intersections for m in i.movements for _ in m.links], np.float64)
    geometry.draw_links(
        link_points, link_point_start, is_drawn, movements["link_from_lane"], movements["link_to_lane"],
        roads["lane_points"], roads["lane_point_start"], width_m, description.curves == "cityflow",
    )  # fmt: skip
    link_length_m = np.empty(len(points))
    geometry.polyline_lengths(link_points, link_point_start, link_length_m)
    _check_links(description, link_length_m)
    turns = movements["movement_turn"][movements["link_movement"]] != STRAIGHT
    return {
        "link_points": link_points,
        "link_point_start": link_point_start,
        "link_length_m": link_length_m,
        "link_changes_lane": np.zeros(len(points), np.bool_),
        "link_keeps_clear": np.ones(len(points), np.bool_),
        "link_penalty_s": np.zeros(len(points)),
        "link_speed_limit_mps": np.full(len(points), LINK_SPEED_LIMIT_MPS),
        "link_entry_speed_mps": np.where(turns, TURN_SPEED_MPS, LINK_SPEED_LIMIT_MPS),
    }


def _check_trims(description: NetworkDescription, points: FloatArray, start: IntArray, trims_m: FloatArray) -> None:
    length_m = np.empty(len(trims_m))
    geometry.polyline_lengths(points, start, length_m)
    for road in np.flatnonzero(~(length_m > trims_m))[:1]:
        raise InputError(
            description.source, f"roads[{road}].points",
            f"road {shown(description.roads[road].id)} is {length_m[road]:g} m long, the widths of its"
            f" intersections take {trims_m[road]:g} m",
            "move its points apart or make the intersections narrower",
        )  # fmt: skip


def _check_lanes(
    description: NetworkDescription, lane_road: IntArray, road_lane_start: IntArray, length_m: FloatArray
) -> None:
    for lane in np.flatnonzero(~_is_length(length_m))[:1]:
        road = lane_road[lane]
        raise InputError(
            description.source, f"roads[{road}].lanes[{lane - road_lane_start[road]}]",
            f"the lane's length comes out as {length_m[lane]:g} m",
            "use at most 100 km; check its points (equal neighbours, a turn back) and the widths of its intersections",
        )  # fmt: skip


def _check_links(description: NetworkDescription, length_m: FloatArray) -> None:
    is_short = length_m <= LONGEST_LANE_M  # also false for NaN
    if is_short.all():
        return
    places = [
        f"intersections[{i}].roadLinks[{m}].laneLinks[{k}]"
        for i, intersection in enumerate(description.intersections)
        for m, movement in enumerate(intersection.movements)
        for k in range(len(movement.links))
    ]
    link = int(np.flatnonzero(~is_short)[0])
    raise InputError(
        description.source, places[link], f"the path's length comes out as {length_m[link]:g} m",
        "use at most 100 km; check its points",
    )  # fmt: skip


def _is_length(length_m: FloatArray) -> BoolArray:
    return (length_m > 0) & (length_m <= LONGEST_LANE_M)


def _flat_points(polylines: Sequence[Sequence[Point]]) -> tuple[FloatArray, IntArray]:
    flat = np.array([point for polyline in polylines for point in polyline], np.float64).reshape(-1, 2)
    return flat, geometry.starts([len(polyline) for polyline in polylines])


def _group_means(values: FloatArray, start: IntArray) -> FloatArray:
    means = np.empty(len(start) - 1)
    numbers = values.tolist()
    for group, (first, last) in enumerate(zip(start[:-1].tolist(), start[1:].tolist(), strict=True)):
        total = 0.0
        for number in numbers[first:last]:  # one after the other: other sums round differently
            total += number
        means[group] = total / (last - first)
    return means


def _ints(values: Iterable[int]) -> IntArray:
    return np.fromiter(values, np.int32)
