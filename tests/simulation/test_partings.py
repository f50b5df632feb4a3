"""How far the paths of two links of a lane run beside each other."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from intergreen.envs.simulation.partings import find_partings

STRAIGHT, BEND, SHORT = [(0, 0), (20, 0)], [(0, 0), (10, 0), (10, 10)], [(0, 0), (2, 1)]


def network(*paths, conventions="sumo", roads=(1, 2, 3), scale=1.0, inside_m=0.0) -> SimpleNamespace:
    """One lane, 0, and a link along each path to a lane of its own; on the second one may wait inside for the first."""
    n = len(paths)
    lengths = [sum(np.hypot(*np.subtract(b, a)) for a, b in pairwise(path)) for path in paths]
    return SimpleNamespace(
        conventions=conventions,
        lane_link_start=np.array([0, n] + [n] * n, np.int32),
        lane_links=np.arange(n, dtype=np.int32),
        lane_road=np.array([0, *roads[:n]], np.int32),
        link_from_lane=np.zeros(n, np.int32),
        link_to_lane=np.arange(1, n + 1, dtype=np.int32),
        link_point_start=np.cumsum([0, *map(len, paths)]).astype(np.int32),
        link_points=np.array([point for path in paths for point in path], np.float64),
        link_length_m=scale * np.array(lengths),
        n_links=n,
        crossing_start=np.array([0, 0] + [int(inside_m > 0.0)] * (n - 1), np.int32),
        crossing_distance_m=np.full(int(inside_m > 0.0), 20.0),
        crossing_setback_m=np.full(int(inside_m > 0.0), 20.0 - inside_m),
        crossing_right=np.full(int(inside_m > 0.0), -1, np.int8),
    )


def test_paths_part_where_they_are_two_and_a_half_metres_from_each_other():
    start, parts_m = find_partings(network(STRAIGHT, BEND))
    assert start.tolist() == [0, 2, 4]
    assert np.isinf(parts_m[[0, 3]]).all()
    assert parts_m[1:3] == pytest.approx([12.5, 12.5], abs=0.5)


def test_partings_are_told_along_the_length_of_the_file():
    assert find_partings(network(STRAIGHT, BEND, scale=2.0))[1][1:3] == pytest.approx([25.0, 25.0], abs=1.0)


@pytest.mark.parametrize(
    "one",
    [network(STRAIGHT, SHORT), network(STRAIGHT, BEND, roads=(1, 1)), network(STRAIGHT, BEND, conventions="cityflow")],
)
def test_paths_that_do_not_part_hold_each_other_up_to_their_end(one):
    """One ends beside the other, both lead to the same road, or drivers are CityFlow's."""
    assert np.isinf(find_partings(one)[1][1])


@pytest.mark.parametrize(("inside_m", "parts"), [(14.0, True), (10.0, False)])
def test_who_may_wait_inside_before_the_paths_part_is_followed_to_the_end(inside_m, parts):
    parts_m = find_partings(network(STRAIGHT, BEND, inside_m=inside_m))[1]
    assert np.isfinite(parts_m[1]) == parts
    assert parts_m[2] == pytest.approx(12.5, abs=0.5)
