"""Routes are completed over the shortest way, as CityFlow completes them."""

import numpy as np
import pytest

from intergreen.envs.demand.routes import Router
from intergreen.envs.network import GridSpec, TownSpec, generate_grid, generate_town


@pytest.fixture(scope="module")
def grid():
    return generate_grid(GridSpec(3, 3, spacing_x_m=200, spacing_y_m=400))


def complete(network, *names):
    found = Router(network).complete([network.road_ids.index(name) for name in names])
    return None if found is None else [network.road_ids[road] for road in found]


def test_adjacent_roads_stay_as_they_are(grid):
    route = ["road_0_1_0", "road_1_1_0", "road_2_1_1"]
    assert complete(grid, *route) == route


def test_gap_is_filled_by_the_shortest_way(grid):
    assert complete(grid, "road_0_1_0", "road_3_1_0") == ["road_0_1_0", "road_1_1_0", "road_2_1_0", "road_3_1_0"]


def test_repeated_road_counts_once(grid):
    assert complete(grid, "road_0_1_0", "road_0_1_0", "road_1_1_0") == ["road_0_1_0", "road_1_1_0"]


@pytest.mark.parametrize("route", [["road_0_1_0"], ["road_0_1_0", "road_0_1_0"], ["road_1_1_2", "road_0_1_0"]])
def test_one_road_or_no_way_is_no_route(grid, route):
    assert complete(grid, *route) is None


def test_shortest_ways_equal_those_of_bellman_and_ford():
    network = generate_town(TownSpec(9), seed=3)
    router, n = Router(network), network.n_roads
    for start in range(0, n, 7):
        far = np.full(n, np.inf)
        far[start] = 0
        for _ in range(n):
            for a, b in zip(network.movement_from_road, network.movement_to_road, strict=True):
                far[b] = min(far[b], far[a] + network.road_length_m[b])
        for end in range(n):
            if end != start:
                way = router.shortest(start, end)
                length = np.inf if way is None else sum(network.road_length_m[list(way)])
                assert length == pytest.approx(far[end], rel=1e-12)
