"""The release clock: CityFlow's, second by second."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intergreen.envs.demand import CAR, Demand, release_trips
from intergreen.envs.demand.release import release_times
from intergreen.envs.network import GridSpec, generate_grid


def one_flow(start_s=0.0, end_s=-1.0, interval_s=1.0, *, route=(0, 1), copies=1) -> Demand:
    return Demand(
        types=(CAR,),
        route_start=np.array([0, len(route)], np.int32),
        route_roads=np.array(route, np.int32),
        flow_route=np.zeros(copies, np.int32),
        flow_type=np.zeros(copies, np.int32),
        flow_start_s=np.full(copies, float(start_s)),
        flow_end_s=np.full(copies, float(end_s)),
        flow_interval_s=np.full(copies, float(interval_s)),
    )


def releases(*args, horizon_s=20):
    return release_times(one_flow(*args), horizon_s)[1].tolist()


@pytest.mark.parametrize(
    ("start_s", "end_s", "interval_s", "expected"),
    [
        (0, 0, 1, [0]),
        (13, 13, 1, [13]),
        (0, -1, 5, [0, 5, 10, 15]),
        (3, 9, 2, [3, 5, 7, 9]),
        (0, -1, 2.5, [0, 3, 5, 8, 10, 13, 15, 18]),
        (0, 2, 0.5, [0, 1, 1, 2, 2]),
        (0, 3, 0.4, [0, 1, 1, 2, 2, 3, 3, 3]),  # 1.2 - 0.4 - 0.4 is below 0.4 in float64
        (4, 3, 1, []),
        (20, -1, 1, []),
        (1e9, -1, 1, []),
        (17.5, -1, 1, [18, 19]),
        (0, 2.5, 1, [0, 1, 2]),
    ],
)
def test_release_seconds(start_s, end_s, interval_s, expected):
    assert releases(start_s, end_s, interval_s) == expected


def plain_clock(start_s, end_s, interval_s, horizon_s):
    clock_s, found = interval_s, []
    for t in range(horizon_s):
        if end_s != -1 and t > end_s:
            break
        if t >= start_s:
            while clock_s >= interval_s:
                found.append(t)
                clock_s -= interval_s
            clock_s += 1.0
    return found


@given(st.floats(0, 150), st.one_of(st.just(-1.0), st.floats(0, 150)), st.floats(0.05, 50), st.integers(0, 120))
def test_clock_equals_the_plain_twin(start_s, end_s, interval_s, horizon_s):
    expected = plain_clock(start_s, end_s, interval_s, horizon_s)
    assert releases(start_s, end_s, interval_s, horizon_s=horizon_s) == expected


@pytest.fixture(scope="module")
def junction():
    return generate_grid(GridSpec(1, 1, lanes=5))


def way_through(network):
    movement = int(np.flatnonzero(network.movement_turn == 3)[0])
    return int(network.movement_from_road[movement]), int(network.movement_to_road[movement])


def test_trips_are_sorted_with_ties_in_flow_order(junction):
    demand = one_flow(0, 30, 1.5, route=way_through(junction), copies=3)
    flow, release_s = release_times(demand, 60)
    trips = release_trips(junction, demand, horizon_s=60, seed=0)
    assert (np.diff(trips.release_s) >= 0).all()
    assert trips.release_s.tolist() == [t for _, t in sorted(zip(flow, release_s, strict=True), key=lambda x: x[1])]


def test_start_lane_serves_the_second_road_and_all_such_lanes_are_used(junction):
    demand = one_flow(0, -1, 1, route=way_through(junction))
    trips = release_trips(junction, demand, horizon_s=300, seed=1)
    assert set(junction.lane_index[trips.start_lane].tolist()) == {1, 2, 3}  # of five; the outer two turn
    again, other = (release_trips(junction, demand, horizon_s=300, seed=seed) for seed in (1, 2))
    assert trips.start_lane.tolist() == again.start_lane.tolist()
    assert trips.start_lane.tolist() != other.start_lane.tolist()


def test_demand_and_trips_are_read_only(junction):
    demand = one_flow(route=way_through(junction))
    trips = release_trips(junction, demand, horizon_s=10, seed=0)
    for array in (demand.flow_start_s, demand.route_roads, trips.release_s, trips.start_lane):
        assert not array.flags.writeable
