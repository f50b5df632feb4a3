"""Where the paths through an intersection cross, operation by operation as CityFlow finds them."""

import math
from itertools import pairwise

import numpy as np

from intergreen.envs.arrays import FloatArray, IntArray
from intergreen.envs.network.compiling import njit

TOLERANCE = 1e-8


def find_crossings(
    link_points: FloatArray, link_point_start: IntArray, group_start: IntArray
) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
    """First crossing of every pair of links of one intersection.

    Parameters
    ----------
    group_start : (J + 1,) first link of each intersection

    Returns
    -------
    link_a, link_b : (X,) with link_a < link_b, ordered by both
    distance_a_m, distance_b_m : (X,) along each link
    """
    sizes = np.diff(group_start).astype(np.int64)
    most = int((sizes * (sizes - 1) // 2).max(initial=0))
    a, b = np.empty(most, np.int32), np.empty(most, np.int32)
    da, db = np.empty(most), np.empty(most)
    parts: list[tuple[IntArray, IntArray, FloatArray, FloatArray]] = []
    for first, last in pairwise(group_start.tolist()):
        if last - first >= 2:
            n = cross_pairs(a, b, da, db, link_points, link_point_start, first, last)
            parts.append((a[:n].copy(), b[:n].copy(), da[:n].copy(), db[:n].copy()))
    if not parts:
        return a[:0], b[:0], da[:0], db[:0]
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))  # type: ignore[return-value]


@njit(cache=True, error_model="numpy")
def cross_pairs(a, b, da, db, points, start, first, last):
    """Crossings among links first .. last - 1 into a, b, da, db (overwritten); returns how many."""
    n = 0
    for i in range(first, last):
        for j in range(i + 1, last):
            found, distance_i, distance_j = first_crossing(points, start[i], start[i + 1], start[j], start[j + 1])
            if found:
                a[n], b[n], da[n], db[n] = i, j, distance_i, distance_j
                n += 1
    return n


@njit(cache=True, error_model="numpy")
def first_crossing(points, a_first, a_last, b_first, b_last):
    """First crossing of two polylines: (found, distance along a, distance along b) [m]."""
    along_a = 0.0
    for i in range(a_first, a_last - 1):
        ax, ay = points[i, 0], points[i, 1]
        ux, uy = points[i + 1, 0] - ax, points[i + 1, 1] - ay
        along_b = 0.0
        for j in range(b_first, b_last - 1):
            bx, by = points[j, 0], points[j, 1]
            vx, vy = points[j + 1, 0] - bx, points[j + 1, 1] - by
            if sign(cross(ux, uy, vx, vy)) == 0:
                continue  # parallel; not counting this segment's length is CityFlow's quirk, and kept
            t = cross(bx - ax, by - ay, vx, vy) / cross(ux, uy, vx, vy)
            px, py = ax + ux * t, ay + uy * t
            if on_segment(points, i, px, py) and on_segment(points, j, px, py):
                return True, along_a + norm(px - ax, py - ay), along_b + norm(px - bx, py - by)
            along_b += norm(vx, vy)
        along_a += norm(ux, uy)
    return False, 0.0, 0.0


@njit(cache=True, error_model="numpy")
def on_segment(points, i, px, py):
    """Does (px, py) lie between point i and point i + 1?"""
    ax, ay, bx, by = points[i, 0], points[i, 1], points[i + 1, 0], points[i + 1, 1]
    if sign(cross(bx - ax, by - ay, px - ax, py - ay)) != 0:
        return False
    return sign((px - ax) * (px - bx) + (py - ay) * (py - by)) <= 0


@njit(cache=True, error_model="numpy")
def cross(ux, uy, vx, vy):
    """Cross product; positive where v points to the left of u."""
    return ux * vy - uy * vx


@njit(cache=True, error_model="numpy")
def norm(x, y):
    return math.sqrt(x * x + y * y)


@njit(cache=True, error_model="numpy")
def sign(x):
    """-1, 0 or 1, with 0 for all that is smaller than the tolerance."""
    return int(x + TOLERANCE > 0.0) - int(x < TOLERANCE)
