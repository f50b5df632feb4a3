"""What is worked out once, for a vehicle type or a network, against the formulas and arrays that it stands for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from network.sumo_small import Crossroads

from intergreen.envs.demand.demand import CAR
from intergreen.envs.network import GridSpec, TownSpec, generate_grid, generate_town, read_sumo_network
from intergreen.envs.simulation.driving import stop_before_speed
from intergreen.envs.simulation.junction import braking_distance, can_stop, leaves_free, stopping_speed
from intergreen.envs.simulation.statics import BY_FILE, STAY, ZONE, build_statics, type_table

rates = st.floats(0.2, 8.0)
GRID = generate_grid(GridSpec(rows=1, columns=1))


@given(accel=rates, decel=rates, max_speed=st.floats(0.5, 40.0), share=st.floats(0.0, 1.0))
def test_who_stands_within_the_staying_distance_of_a_red_does_not_start(accel, decel, max_speed, share):
    kind = replace(CAR, usual_accel_mps2=accel, usual_decel_mps2=decel, max_speed_mps=max_speed)
    (row,) = type_table([kind])
    assert 0.0 < row[STAY] <= row[ZONE]
    assert stop_before_speed(row[STAY] * share, 0.0, accel, decel) == 0.0
    if row[STAY] < row[ZONE]:
        assert stop_before_speed(np.nextafter(row[STAY], np.inf), 0.0, accel, decel) == accel


@pytest.fixture(params=["grid", "town"])
def network(request):
    """One whose lanes have a movement each, and one where some have several."""
    if request.param == "grid":
        return generate_grid(GridSpec(rows=2, columns=2))
    return generate_town(TownSpec(), seed=3)


def test_a_lane_has_one_movement_or_is_asked_link_by_link(network):
    lane_movement = build_statics(network, [CAR]).lane_movement
    for lane in range(network.n_lanes):
        links = network.lane_links[network.lane_link_start[lane] : network.lane_link_start[lane + 1]]
        movements = set(network.link_movement[links].tolist())
        assert lane_movement[lane] == (movements.pop() if len(movements) == 1 else -1)


def test_the_bit_of_a_crossing_is_that_of_the_other_link_alone(network):
    net = build_statics(network, [CAR])
    for link in range(network.n_links):
        bits = net.crossing_bit[net.crossing_start[link] : net.crossing_start[link + 1]]
        if net.mask_words == 1:
            assert np.bitwise_or.reduce(bits, initial=np.uint64(0)) == net.foe_mask[link]
            assert len(set(bits.tolist())) == len(bits)


@given(
    speed=st.floats(0.0, 40.0), distance=st.floats(-5.0, 150.0), decel=st.floats(1.0, 9.0), follows_krauss=st.booleans()
)
def test_who_can_stop_is_who_brakes_within_the_distance(speed, distance, decel, follows_krauss):
    kind = replace(CAR, max_decel_mps2=decel, follows_krauss=follows_krauss, max_speed_mps=40.0)
    net = build_statics(GRID, [kind])
    brakes_within = not braking_distance(net, 0, speed) > distance
    assert can_stop(net, 0, speed, distance) == brakes_within


@given(
    cap=st.floats(0.0, 40.0), distance=st.floats(0.0, 150.0), farther=st.floats(0.0, 50.0), decel=st.floats(1.0, 9.0)
)
def test_what_leaves_a_driver_free_lowers_its_speed_from_nowhere_beyond(cap, distance, farther, decel):
    net = build_statics(GRID, [replace(CAR, max_decel_mps2=decel, follows_krauss=True)])
    if leaves_free(net, 0, distance, cap):
        assert stopping_speed(net, 0, distance + farther, cap, cap) == cap
    assert not leaves_free(build_statics(GRID, [CAR]), 0, distance, cap)


def test_drivers_wait_first_where_the_nearest_crossing_that_asks_for_a_gap_has_them_wait(tmp_path):
    path = tmp_path / "crossroads.net.xml"
    path.write_text(Crossroads(signal="").xml())
    net = build_statics(read_sumo_network(path), [CAR])
    for link, wait_m in enumerate(net.link_wait_m):
        crossings = range(net.crossing_start[link], net.crossing_start[link + 1])
        waits = [
            net.crossing_distance[x] - net.crossing_setback[x] for x in crossings if net.crossing_asks_gap[x] == BY_FILE
        ]
        assert wait_m == min(waits, default=np.inf)
    assert np.isfinite(net.link_wait_m).any()
    assert np.isinf(net.link_wait_m).any()
