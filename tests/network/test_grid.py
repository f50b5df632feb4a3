"""Generated grids and arterials are sound at any size and equal the literature's where it has them."""

import time
from dataclasses import fields, replace

import numpy as np
import pytest

from intergreen.envs.network import (
    STRAIGHT,
    TURN_LEFT,
    TURN_RIGHT,
    ArterialSpec,
    GridSpec,
    RoadNetwork,
    Timing,
    generate_arterial,
    generate_grid,
    read_cityflow_network,
)


def assert_sound(network: RoadNetwork) -> None:
    """What every generated network promises."""
    assert np.isfinite(network.lane_points).all()
    assert (network.lane_length_m > 0).all()
    assert (network.link_length_m > 0).all()
    assert len(set(network.road_ids)) == network.n_roads
    assert len(set(network.intersection_ids)) == network.n_intersections
    for junction in network.signalled.tolist():
        assert_phases_are_safe_and_complete(network, junction)


def assert_phases_are_safe_and_complete(network: RoadNetwork, junction: int) -> None:
    greens, conflicts = network.phase_matrix(junction), network.conflict_matrix(junction)
    first, last = network.movement_start[junction : junction + 2]
    is_right = network.movement_turn[first:last] == TURN_RIGHT
    assert (greens[0] == is_right).all(), "phase 0 is the clearance: right turns only"
    assert greens[:, is_right].all(), "right turns stay green"
    for green in greens:
        served = np.flatnonzero(green & ~is_right)
        assert not conflicts[np.ix_(served, served)].any()
    assert greens[1:5].any(axis=0).all(), "phases 1 to 4 serve every movement"
    assert len({green.tobytes() for green in greens}) == len(greens)


@pytest.mark.parametrize("lanes", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("size", [(1, 1), (1, 5), (3, 2)], ids=str)
def test_grids_are_sound(size, lanes):
    assert_sound(generate_grid(GridSpec(*size, lanes=lanes)))


@pytest.mark.parametrize("lanes", [1, 2, 3, 4])
def test_closed_grids_are_sound(lanes):
    assert_sound(generate_grid(GridSpec(3, 4, lanes=lanes, boundary="closed")))


@pytest.mark.parametrize("main_lanes", [1, 2, 3])
@pytest.mark.parametrize("side_lanes", [1, 2, 3])
def test_arterials_are_sound(main_lanes, side_lanes):
    network = generate_arterial(ArterialSpec(4, main_lanes=main_lanes, side_lanes=side_lanes))
    assert_sound(network)
    assert len(network.signalled) == 4


def test_grid_of_16_has_the_phases_and_conflicts_of_hangzhou(benchmark_data):
    real = read_cityflow_network(benchmark_data / "cityflow" / "hangzhou_4x4" / "roadnet.json")
    ours = generate_grid(GridSpec(4, 4, spacing_x_m=800, spacing_y_m=600))
    assert set(ours.road_ids) == set(real.road_ids)
    assert len(ours.crossing_distance_m) == len(real.crossing_distance_m)
    for name in ("intersection_1_1", "intersection_3_2"):
        a, b = ours.intersection_ids.index(name), real.intersection_ids.index(name)
        assert (ours.phase_matrix(a) == real.phase_matrix(b)).all()
        assert (ours.conflict_matrix(a) == real.conflict_matrix(b)).all()


def test_literature_phases_come_in_the_literature_order():
    network = generate_grid(GridSpec(1, 1))
    junction = network.signalled[0]
    first = network.movement_start[junction]
    eastward_or_westward = np.array([r[-1] in "02" for r in network.road_ids])[network.movement_from_road[first:]]
    turn = network.movement_turn[first:]
    greens = network.phase_matrix(junction)
    for phase, (along_x, kind) in enumerate(
        [(True, STRAIGHT), (False, STRAIGHT), (True, TURN_LEFT), (False, TURN_LEFT)], start=1
    ):
        assert (greens[phase] & (turn != TURN_RIGHT)).tolist() == (
            (eastward_or_westward == along_x) & (turn == kind)
        ).tolist()
    assert network.phase_duration_s.tolist() == [5.0] + [30.0] * 8


@pytest.mark.parametrize(
    ("lanes", "left", "straight", "right"),
    [(1, {0}, {0}, {0}), (2, {0}, {1}, {1}), (3, {0}, {1}, {2}), (5, {0}, {1, 2, 3}, {4})],
)
def test_turn_lanes_are_the_literature_ones(lanes, left, straight, right):
    network = generate_grid(GridSpec(1, 1, lanes=lanes))
    lane = network.lane_index[network.link_from_lane]
    turn = network.movement_turn[network.link_movement]
    for kind, expected in ((TURN_LEFT, left), (STRAIGHT, straight), (TURN_RIGHT, right)):
        assert set(lane[turn == kind].tolist()) == expected


def test_closed_grid_has_three_legs_at_the_edge_and_no_signal_at_corners():
    network = generate_grid(GridSpec(3, 3, boundary="closed"))
    legs = np.bincount(network.road_to, minlength=9)
    assert sorted(legs.tolist()) == [2] * 4 + [3] * 4 + [4]
    assert (legs[network.signalled] >= 3).all()
    assert len(network.signalled) == 5
    assert not network.is_virtual.any()


def test_same_specification_gives_the_same_bytes():
    a, b = generate_grid(GridSpec(2, 3)), generate_grid(GridSpec(np.int64(2), np.int32(3)))
    for field in fields(a):
        assert np.array_equal(getattr(a, field.name), getattr(b, field.name))


def test_timing_is_taken_over():
    network = generate_grid(GridSpec(1, 1, timing=Timing(clearance_s=3, green_s=12)))
    assert network.phase_duration_s.tolist() == [3.0] + [12.0] * 8


@pytest.mark.parametrize(
    "change",
    [{"rows": 0}, {"rows": 1.5}, {"columns": True}, {"lanes": 0}, {"spacing_x_m": 0}, {"spacing_y_m": float("nan")},
     {"speed_limit_mps": -1}, {"boundary": "round"}, {"rows": 101, "columns": 100}, {"rows": 1, "boundary": "closed"}],
)  # fmt: skip
def test_bad_grid_is_refused(change):
    with pytest.raises(ValueError, match="need"):
        replace(GridSpec(), **change)


def test_roads_shorter_than_their_junctions_are_refused():
    with pytest.raises(ValueError, match=r"is 20 m long, the widths of its intersections take 30 m"):
        generate_grid(GridSpec(2, 2, spacing_x_m=20))


def test_city_of_1024_signals_is_built_in_seconds():
    generate_grid(GridSpec(1, 1))  # compiles
    before = time.perf_counter()
    network = generate_grid(GridSpec(32, 32))
    assert time.perf_counter() - before < 10
    assert len(network.signalled) == 1024
    assert_phases_are_safe_and_complete(network, int(network.signalled[500]))
