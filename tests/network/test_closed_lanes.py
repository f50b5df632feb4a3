"""Closed lanes: the same junctions with fewer lanes, everybody still gets everywhere."""

import dataclasses

import numpy as np
import pytest
from network.small import write

from intergreen.envs.network import GridSpec, TownSpec, generate_grid, generate_town, read_cityflow_network
from intergreen.envs.network.closed_lanes import close_some_lanes, without_lanes

GRID = generate_grid(GridSpec(rows=2, columns=3, spacing_x_m=200, spacing_y_m=150, lanes=3))
TOWN = generate_town(TownSpec(signals=9, spacing_m=250.0), seed=4)
NARROW = generate_grid(GridSpec(rows=1, columns=1, spacing_x_m=200, spacing_y_m=200, lanes=1))


def arrays(network):
    return {field.name: getattr(network, field.name) for field in dataclasses.fields(network)}


def narrowed(network, seed):
    return close_some_lanes(network, seed, 0.3)


@pytest.mark.parametrize("network", [GRID, TOWN], ids=["grid", "town"])
def test_closing_nothing_makes_the_very_network(network):
    before, after = arrays(network), arrays(without_lanes(network, []))
    for name, values in before.items():
        assert np.array_equal(values, after[name]), name
        assert getattr(values, "dtype", None) == getattr(after[name], "dtype", None), name


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("network", [GRID, TOWN], ids=["grid", "town"])
def test_every_movement_keeps_a_path_and_its_conflicts(network, seed):
    after = narrowed(network, seed)
    assert after.n_lanes < network.n_lanes
    assert (np.diff(after.movement_link_start) >= 1).all()
    for name in ("conflict_start", "conflict_with", "phase_movements", "movement_turn", "movement_to_road"):
        assert np.array_equal(getattr(after, name), getattr(network, name)), name


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("network", [GRID, TOWN], ids=["grid", "town"])
def test_paths_lead_from_the_end_of_a_lane_of_their_road_to_the_beginning_of_one(network, seed):
    after = narrowed(network, seed)
    assert (after.lane_road[after.link_from_lane] == after.movement_from_road[after.link_movement]).all()
    assert (after.lane_road[after.link_to_lane] == after.movement_to_road[after.link_movement]).all()
    first, last = after.link_points[after.link_point_start[:-1]], after.link_points[after.link_point_start[1:] - 1]
    assert first == pytest.approx(after.lane_points[after.lane_point_start[after.link_from_lane + 1] - 1])
    assert last == pytest.approx(after.lane_points[after.lane_point_start[after.link_to_lane]])
    ends = np.stack((after.link_movement, after.link_from_lane, after.link_to_lane), axis=1)
    assert len(np.unique(ends, axis=0)) == after.n_links


@pytest.mark.parametrize("network", [GRID, TOWN], ids=["grid", "town"])
def test_a_road_loses_one_lane_at_most_and_no_lane_is_a_dead_end(network):
    after = narrowed(network, 1)
    lost = np.diff(network.road_lane_start) - np.diff(after.road_lane_start)
    assert set(lost.tolist()) == {0, 1}
    leads_on = np.isin(after.lane_road, after.movement_from_road)
    assert (np.diff(after.lane_link_start)[leads_on] >= 1).all()


def test_a_turn_whose_only_lane_closes_moves_to_the_lane_beside_it():
    road = int(GRID.movement_from_road[0])
    left = int(GRID.road_lane_start[road])  # of three lanes: left, straight on, right
    turn = [m for m in range(GRID.n_movements) if GRID.start_lanes(m).tolist() == [left]]
    after = without_lanes(GRID, [left])
    assert turn
    for movement in turn:
        assert after.start_lanes(movement).tolist() == [left]  # the lane that was number 1 of the road
    straight = [m for m in range(GRID.n_movements) if GRID.start_lanes(m).tolist() == [left + 1]]
    assert [after.start_lanes(m).tolist() for m in straight] == [[left]] * len(straight)


def test_the_seed_draws_the_lanes():
    lanes = [narrowed(GRID, seed).road_lane_start.tolist() for seed in (0, 0, 1)]
    assert lanes[0] == lanes[1] != lanes[2]


@pytest.mark.parametrize("seed", range(8))
def test_a_road_that_cannot_do_with_one_less_leaves_another_to_close(seed, tmp_path):
    """On a crossroads of two lanes a road, where one road in ten is one road; seeds 0 and 4 drew such a one."""
    network = read_cityflow_network(write(tmp_path) / "roadnet.json")
    assert close_some_lanes(network, seed, 0.1).n_lanes == network.n_lanes - 1


def test_a_network_of_single_lanes_has_none_to_close():
    with pytest.raises(ValueError, match="no road of two lanes or more"):
        narrowed(NARROW, 0)


def test_a_road_is_never_left_without_a_lane():
    with pytest.raises(ValueError, match="would be left without a lane"):
        without_lanes(NARROW, [0])


def test_a_network_by_sumos_rules_is_refused():
    with pytest.raises(ValueError, match="from SUMO cannot be closed"):
        narrowed(dataclasses.replace(GRID, conventions="sumo"), 0)
