"""A network as lines on a picture: where each metre of each lane lies, in pixels. NumPy only, knows no drawing.

The same scale both ways, north up. Roads that would be too narrow to see are drawn wider: lanes move away from the
middle of their street and junctions grow around their centres, which stay where they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from intergreen.envs.arrays import FloatArray, IntArray
    from intergreen.envs.network import RoadNetwork

LONGEST_SIDE_PX, MARGIN_PX, HEADER_PX = 1000, 16, 44
NARROWEST_LANE_PX, MOST_WIDENING = 4.2, 3.0


class Paths:
    """The middle lines of all D drivables, lanes then lane links, where roads are drawn `widening` times wider."""

    def __init__(self, network: RoadNetwork, widening: float) -> None:
        self._points: FloatArray = np.concatenate([_wider_lanes(network, widening), _wider_links(network, widening)])
        self._length_m: FloatArray = np.concatenate([network.lane_length_m, network.link_length_m])
        starts = np.concatenate([network.lane_point_start, network.lane_point_start[-1] + network.link_point_start[1:]])
        self._start: IntArray = starts.astype(np.int32)
        step = np.diff(self._points, axis=0)
        length = np.hypot(step[:, 0], step[:, 1])
        self._heading = _unit(step)
        length[starts[1:-1] - 1] = 1.0  # from one drivable to the next: any gap, so that distances ascend over all
        self._along: FloatArray = np.concatenate([[0.0], np.cumsum(length)])

    def points_of(self, drivable: int) -> FloatArray:
        """(n, 2) m"""
        return self._points[self._start[drivable] : self._start[drivable + 1]]

    def at(self, drivable: IntArray, distance_m: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """So far along the drivables (n,): place (n, 2), unit heading (n, 2), and drawn metres per real one (n,)."""
        first, last = self._start[drivable], self._start[drivable + 1] - 1
        stretch = (self._along[last] - self._along[first]) / self._length_m[drivable]
        along = np.minimum(self._along[first] + distance_m * stretch, self._along[last])
        segment = np.clip(np.searchsorted(self._along, along, side="right") - 1, first, last - 1)
        beyond = along - self._along[segment]
        return self._points[segment] + self._heading[segment] * beyond[:, None], self._heading[segment], stretch

    def band(self, drivable: int, half_width_m: float) -> FloatArray:
        """Outline of the drivable, (2 n, 2) m: its left side forth, its right side back."""
        points = self.points_of(drivable)
        aside = _to_the_left(_headings_at(points)) * half_width_m
        return np.concatenate([points + aside, (points - aside)[::-1]])


class Placement:
    """Where metres are on the picture: the same scale both ways, north up."""

    def __init__(self, network: RoadNetwork) -> None:
        points = np.concatenate([network.lane_points, network.link_points])
        extent = float(np.ptp(points, axis=0).max())
        lane_width_m = float(network.lane_width_m.mean())
        narrowest_m = NARROWEST_LANE_PX * extent / LONGEST_SIDE_PX
        self.widening = float(np.clip(narrowest_m / lane_width_m, 1.0, MOST_WIDENING))
        beside = 2 * lane_width_m * self.widening
        low, high = points.min(axis=0) - beside, points.max(axis=0) + beside
        self.scale = (LONGEST_SIDE_PX - 2 * MARGIN_PX) / float((high - low).max())  # px per m
        self._west, self._north = float(low[0]), float(high[1])
        width, height = (int(np.ceil(side * self.scale)) + 2 * MARGIN_PX for side in high - low)
        width = max(width, LONGEST_SIDE_PX)  # room for the header
        self._left = (width - (high[0] - low[0]) * self.scale) / 2
        self.size_px = (width + width % 2, HEADER_PX + height + height % 2)  # even: video encoders ask for it

    def to_px(self, xy: FloatArray) -> FloatArray:
        """Points (..., 2) m on the picture."""
        x = self._left + (xy[..., 0] - self._west) * self.scale
        y = HEADER_PX + (self._north - xy[..., 1]) * self.scale
        return np.stack([x, y], axis=-1)


def rectangles(front: FloatArray, heading: FloatArray, length: FloatArray, width: FloatArray) -> FloatArray:
    """(n, 4, 2) corners of rectangles that end at `front`."""
    rear = front - heading * length[:, None]
    aside = _to_the_left(heading) * (width / 2)[:, None]
    return np.stack([front + aside, front - aside, rear - aside, rear + aside], axis=1)


def _wider_lanes(network: RoadNetwork, widening: float) -> FloatArray:
    """Lane points moved away from the middle of their street, the ends away from their junctions."""
    points = network.lane_points.copy()
    for lane, road in enumerate(network.lane_road):
        mine = slice(network.lane_point_start[lane], network.lane_point_start[lane + 1])
        first = network.road_lane_start[road]
        from_middle_m = network.lane_width_m[first:lane].sum() + network.lane_width_m[lane] / 2
        points[mine] -= _to_the_left(_headings_at(points[mine])) * from_middle_m * (widening - 1.0)
        for end, junction in ((0, network.road_from[road]), (-1, network.road_to[road])):
            at = np.arange(mine.start, mine.stop)[end]
            points[at] = _scaled(network.lane_points[at], network.intersection_xy[junction], widening)
    return points


def _wider_links(network: RoadNetwork, widening: float) -> FloatArray:
    junction = network.movement_intersection[network.link_movement]
    of_point = np.repeat(junction, np.diff(network.link_point_start))
    return _scaled(network.link_points, network.intersection_xy[of_point], widening)


def _scaled(points: FloatArray, centre: FloatArray, factor: float) -> FloatArray:
    scaled: FloatArray = centre + (points - centre) * factor
    return scaled


def _headings_at(points: FloatArray) -> FloatArray:
    """Unit headings at the points of a polyline: at a bend, halfway between both sides."""
    steps = _unit(np.diff(points, axis=0))
    return _unit(np.concatenate([steps[:1], steps[:-1] + steps[1:], steps[-1:]]))


def _unit(vectors: FloatArray) -> FloatArray:
    unit: FloatArray = vectors / np.maximum(np.hypot(vectors[:, 0], vectors[:, 1]), 1e-9)[:, None]
    return unit


def _to_the_left(heading: FloatArray) -> FloatArray:
    return np.stack([-heading[:, 1], heading[:, 0]], axis=1)
