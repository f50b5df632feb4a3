"""What is worked out once, for a vehicle type or a network, against the formulas and arrays that it stands for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intergreen.envs.demand.demand import CAR
from intergreen.envs.network import GridSpec, TownSpec, generate_grid, generate_town
from intergreen.envs.simulation.driving import stop_before_speed
from intergreen.envs.simulation.statics import STAY, ZONE, build_statics, type_table

rates = st.floats(0.2, 8.0)


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
