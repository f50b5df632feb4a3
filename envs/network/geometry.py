"""Polylines of lanes and lane links: the geometry of CityFlow, operation by operation.

Positions decide who yields to whom, so a last digit can change a run: keep the order of the operations, no fast-math.
Arrays are flat: item ``i`` owns rows ``start[i]`` to ``start[i + 1]`` of the points.
"""

import math

import numpy as np

from intergreen.envs.network.compiling import njit

CURVE_POINTS = 11  # of a link whose points the source leaves out
HANDLE_M = 5.0


@njit(cache=True, error_model="numpy")
def segment_length(points, i):
    """Distance from point i to point i + 1 [m]."""
    dx = points[i + 1, 0] - points[i, 0]
    dy = points[i + 1, 1] - points[i, 1]
    return math.sqrt(dx * dx + dy * dy)


@njit(cache=True, error_model="numpy")
def unit(x, y):
    """(x, y) at length 1; NaN where it has no length."""
    length = math.sqrt(x * x + y * y)
    return x / length, y / length


@njit(cache=True, error_model="numpy")
def segment_direction(points, i):
    """Unit vector from point i to point i + 1."""
    return unit(points[i + 1, 0] - points[i, 0], points[i + 1, 1] - points[i, 1])


@njit(cache=True, error_model="numpy")
def polyline_length(points, first, last):
    """Length of points first .. last - 1 [m]."""
    length = 0.0
    for i in range(first, last - 1):
        length += segment_length(points, i)
    return length


@njit(cache=True, error_model="numpy")
def polyline_lengths(points, start, length_m):
    """length_m (N,), overwritten: the length of every polyline."""
    for n in range(len(length_m)):
        length_m[n] = polyline_length(points, start[n], start[n + 1])


@njit(cache=True, error_model="numpy")
def point_at(points, first, last, distance):
    """Point at a distance along points first .. last - 1; the ends where the distance lies beyond."""
    distance = min(max(distance, 0.0), polyline_length(points, first, last))
    if distance <= 0.0:
        return points[first, 0], points[first, 1]
    for i in range(first, last - 1):
        length = segment_length(points, i)
        if distance > length:
            distance -= length
        else:
            share = distance / length
            x = points[i, 0] + (points[i + 1, 0] - points[i, 0]) * share
            y = points[i, 1] + (points[i + 1, 1] - points[i, 1]) * share
            return x, y
    return points[last - 1, 0], points[last - 1, 1]


@njit(cache=True, error_model="numpy")
def direction_at(points, first, last, distance):
    """Unit vector of the segment at a distance along points first .. last - 1."""
    for i in range(first, last - 1):
        length = segment_length(points, i)
        if distance < length:
            return segment_direction(points, i)
        distance -= length
    return segment_direction(points, last - 2)


@njit(cache=True, error_model="numpy")
def trim_roads(points, start, start_trim_m, end_trim_m):
    """Pull the ends of every road's polyline back to the edge of its intersections.

    points      (., 2), updated in place
    *_trim_m    (R,) intersection width, 0 at virtual intersections
    """
    for road in range(len(start_trim_m)):
        first, last = start[road], start[road + 1] - 1
        ux, uy = segment_direction(points, first)
        points[first, 0] += ux * start_trim_m[road]
        points[first, 1] += uy * start_trim_m[road]
        ux, uy = segment_direction(points, last - 1)
        points[last, 0] -= ux * end_trim_m[road]
        points[last, 1] -= uy * end_trim_m[road]


@njit(cache=True, error_model="numpy")
def place_lanes(lane_points, lane_point_start, road_points, road_point_start, road_lane_start, lane_width_m):
    """Shift every road's polyline to the middle of each of its lanes.

    lane_points  (., 2), overwritten
    """
    for road in range(len(road_lane_start) - 1):
        first, last = road_point_start[road], road_point_start[road + 1] - 1
        left_edge = 0.0
        for lane in range(road_lane_start[road], road_lane_start[road + 1]):
            right_edge = left_edge + lane_width_m[lane]
            offset = (left_edge + right_edge) / 2.0
            for i in range(first, last + 1):
                ux, uy = lane_heading(road_points, first, last, i)
                out = lane_point_start[lane] + i - first
                lane_points[out, 0] = road_points[i, 0] + uy * offset  # to the right of the heading: (uy, -ux)
                lane_points[out, 1] = road_points[i, 1] + -ux * offset
            left_edge += lane_width_m[lane]


@njit(cache=True, error_model="numpy")
def lane_heading(points, first, last, i):
    """Heading at point i of a polyline: of its only segment at the ends, half-way between both segments inside."""
    if i == first:
        return segment_direction(points, i)
    if i == last:
        return segment_direction(points, i - 1)
    nx, ny = segment_direction(points, i)
    px, py = segment_direction(points, i - 1)
    return unit(nx + px, ny + py)


@njit(cache=True, error_model="numpy")
def draw_links(
    link_points, link_point_start, is_drawn, from_lane, to_lane, lane_points, lane_point_start, width_m, as_cityflow
):
    """Draw the links that come without points: a cubic Bezier curve from lane end to lane start.

    The plain curve has handles of 5 m, as the literature's networks have; so opposing left turns do not cross.
    CityFlow's cuts the lanes back by the intersection's width once more and takes half the distance for handles.

    link_points  (., 2), in place: only rows of links with is_drawn (K,)
    width_m      (K,) width of the link's intersection
    """
    for link in range(len(is_drawn)):
        if not is_drawn[link]:
            continue
        back = width_m[link] if as_cityflow else 0.0
        first, last = lane_point_start[from_lane[link]], lane_point_start[from_lane[link] + 1]
        reach = polyline_length(lane_points, first, last) - back
        ax, ay = point_at(lane_points, first, last, reach)
        aux, auy = direction_at(lane_points, first, last, reach)
        first, last = lane_point_start[to_lane[link]], lane_point_start[to_lane[link] + 1]
        dx, dy = point_at(lane_points, first, last, back)
        dux, duy = direction_at(lane_points, first, last, back)
        distance = math.sqrt((dx - ax) * (dx - ax) + (dy - ay) * (dy - ay))
        hx, hy = aux * distance * 0.5, auy * distance * 0.5
        tx, ty = -dux * distance * 0.5, -duy * distance * 0.5
        if as_cityflow and width_m[link] >= HANDLE_M:
            if hx * hx + hy * hy < HANDLE_M * HANDLE_M:
                hx, hy = HANDLE_M * aux, HANDLE_M * auy
            if tx * tx + ty * ty < HANDLE_M * HANDLE_M:
                tx, ty = HANDLE_M * dux, HANDLE_M * duy  # forwards, not backwards: CityFlow's sign quirk
        elif not as_cityflow and distance > 2.0 * HANDLE_M:
            hx, hy, tx, ty = HANDLE_M * aux, HANDLE_M * auy, -HANDLE_M * dux, -HANDLE_M * duy
        for i in range(CURVE_POINTS):
            t = i / 10.0
            out = link_point_start[link] + i
            link_points[out, 0] = bezier(ax, ax + hx, dx + tx, dx, t)
            link_points[out, 1] = bezier(ay, ay + hy, dy + ty, dy, t)


@njit(cache=True, error_model="numpy")
def bezier(a, b, c, d, t):
    """One coordinate of the cubic curve at t, by repeated interpolation."""
    ab, bc, cd = between(a, b, t), between(b, c, t), between(c, d, t)
    return between(between(ab, bc, t), between(bc, cd, t), t)


@njit(cache=True, error_model="numpy")
def between(a, b, t):
    """From a (t = 0) to b (t = 1)."""
    return (b - a) * t + a


def starts(counts: list[int]) -> np.ndarray:
    """[0, n0, n0 + n1, ...] as int32."""
    return np.concatenate(([0], np.cumsum(counts, dtype=np.int64))).astype(np.int32)
