"""One driver's arithmetic, worked out by hand from CityFlow's rules, and what follows for one or two cars on a road."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from simulation.merge import APPROACH_M, merge_network, one_car_each

from intergreen.envs.demand import CAR, Demand, Trips
from intergreen.envs.network.road_network import TURN_SPEED_MPS, YIELD_DISTANCE_M
from intergreen.envs.simulation import Engine
from intergreen.envs.simulation.driving import (
    KRAUSS_EPS_M,
    NO_SAFE_SPEED,
    brake_distance,
    can_yield,
    headway_speed,
    krauss_brake_distance,
    krauss_is_free,
    krauss_slowing_speed,
    krauss_speed,
    no_collision_speed,
    reach_steps,
    stop_before_speed,
)

DECEL = CAR.max_decel_mps2  # 4.5
ACCEL = CAR.max_accel_mps2  # 2


# --- no-collision speed: c = v/2 + target - vL^2/(2 dL) - gap, a = 1/9, b = 1/2 -------------------------


def test_no_collision_speed_behind_a_standing_leader():
    # c = 5 - 20 = -15; (sqrt(1/4 + 60/9) - 1/2) * 4.5
    assert no_collision_speed(0.0, DECEL, 10.0, DECEL, 20.0, 0.0) == pytest.approx(9.58480037854, abs=1e-11)


def test_no_collision_speed_behind_a_moving_leader_counts_the_leaders_braking_distance():
    # c = 4 + 2.5 - 36/9 - 8 = -5.5; (sqrt(1/4 + 22/9) - 1/2) * 4.5, below 12 - 4.5 + 11
    assert no_collision_speed(6.0, DECEL, 8.0, DECEL, 8.0, 2.5) == pytest.approx(
        4.5 * (math.sqrt(0.25 + 22 / 9) - 0.5), abs=1e-12
    )


def test_no_collision_speed_is_minus_100_where_even_full_braking_is_too_late():
    # c = 5 + 2.5 - 2 = 5.5; 1/4 < 4 * 5.5 / 9
    assert no_collision_speed(0.0, DECEL, 10.0, DECEL, 2.0, 2.5) == NO_SAFE_SPEED == -100.0


def test_no_collision_speed_second_term_binds_close_behind_a_standing_leader():
    # c = 0.05 + 2.5 - 4.75 < 0 allows more than 0 - 4.5 + 2 (4.75 - 2.5), which is exactly 0: a stand
    assert no_collision_speed(0.0, DECEL, 0.1, DECEL, 4.75, 2.5) == 0.0
    # one ulp less of gap is a different branch of the displacement rule: newyork_16x3 lives on it
    assert no_collision_speed(0.0, DECEL, 0.1, DECEL, math.nextafter(4.75, 0.0), 2.5) < 0.0


def test_headway_speed_meets_half_the_difference():
    # (30 + (5 + 5/2) - 10/2) / (2 + 1/2)
    assert headway_speed(5.0, 10.0, 30.0, 2.0) == 13.0
    # a faster leader: no half of a negative difference; (30 + 10 - 5/2) / 2.5
    assert headway_speed(10.0, 5.0, 30.0, 2.0) == 15.0


# --- Krauss's speed: what is found without a root is never more than what the formula gives -------------------


@given(
    gap=st.floats(-20.0, 150.0),
    leader_speed=st.floats(0.0, 40.0),
    speed=st.floats(0.0, 40.0),
    decel=st.floats(1.0, 9.0),
    leader_decel=st.floats(1.0, 9.0),
    tau=st.floats(0.5, 3.0),
)
@example(gap=10.0, leader_speed=0.0, speed=0.0, decel=4.5, leader_decel=4.5, tau=1.0)
def test_who_is_free_by_krauss_may_drive_faster(gap, leader_speed, speed, decel, leader_decel, tau):
    hardest = max(decel, leader_decel)
    half, leader_half = 0.5 / decel, min(0.5 / decel, 0.5 / leader_decel)
    if krauss_is_free(gap, leader_speed, leader_half, decel, half, tau, speed):
        assert krauss_speed(gap, leader_speed, hardest, decel, tau) > speed


gaps_m = st.one_of(st.floats(-20.0, 150.0), st.floats(-0.01, 0.01), st.floats(1e-300, 1e-9))
speeds_mps = st.one_of(st.floats(0.0, 40.0), st.floats(0.0, 0.1), st.floats(1e-300, 1e-9))


def passing_speed(speed: float, distance: float, slow: float, decel: float) -> float:
    """Of a driver who brakes from the next second on, in the second in which it passes a point `distance` ahead."""
    at = speed
    while at <= distance + 1e-9:
        speed = max(speed - decel, slow)
        at += speed
    return speed


@given(distance=st.floats(0.0, 200.0), slow=st.floats(0.5, 20.0), speed=st.floats(0.0, 45.0), decel=st.floats(1.0, 9.0))
@example(distance=26.3, slow=6.51, speed=13.9, decel=4.5)  # SUMO's driver does not slow down yet
def test_who_slows_down_for_a_turn_does_so_as_late_as_whole_seconds_allow(distance, slow, speed, decel):
    v = krauss_slowing_speed(distance, slow, decel, 0.5 / decel, speed)
    assert min(speed, slow) <= v <= speed
    if v > slow:
        assert passing_speed(v - 1e-6, distance, slow, decel) <= slow + 1e-6
    if v < speed:
        assert passing_speed(v + 1e-6, distance, slow, decel) > slow


@given(
    gap=gaps_m, leader_speed=speeds_mps, leader_decel=st.floats(1.0, 9.0), decel=st.floats(1.0, 9.0),
    tau=st.one_of(st.floats(0.01, 3.0), st.just(0.5), st.just(1.0)),
)  # fmt: skip
@example(gap=4.0512, leader_speed=4.5, leader_decel=4.5, decel=4.5, tau=1.0)
def test_krausss_speed_in_a_queue_is_the_whole_formulas_to_the_last_bit(gap, leader_speed, leader_decel, decel, tau):
    steps = math.floor(leader_speed / leader_decel)
    assert krauss_brake_distance(leader_speed, leader_decel) == (
        steps * leader_speed - leader_decel * steps * (steps + 1.0) * 0.5
    )
    room = gap + krauss_brake_distance(leader_speed, leader_decel) - KRAUSS_EPS_M
    under_root = max(0.0, 1.0 + 4.0 * (2.0 * room / decel - tau + tau * tau))
    steps = max(0, math.floor(0.5 - tau + 0.5 * math.sqrt(under_root)))
    needed = 0.5 * steps * (steps - 1.0) * decel + steps * decel * tau
    whole = 0.0 if room < 0.0 else steps * decel + (room - needed) / (steps + tau)
    assert krauss_speed(gap, leader_speed, leader_decel, decel, tau) == whole


def test_a_krauss_driver_is_found_free_little_more_than_a_metre_beyond_what_it_needs():
    gaps = np.linspace(0.0, 120.0, 1201)
    for leader_speed, speed in ((0.0, 0.0), (0.0, 13.89), (9.0, 9.0), (13.89, 13.89), (20.0, 13.89)):
        allowed = [krauss_speed(gap, leader_speed, 4.5, 4.5, 1.0) > speed for gap in gaps]
        found = [krauss_is_free(gap, leader_speed, 0.5 / 4.5, 4.5, 0.5 / 4.5, 1.0, speed) for gap in gaps]
        # in steps of 0.1 m: b / 8 for either way to a stand, and the margin
        assert 0 <= found.index(True) - allowed.index(True) <= 13


# --- stopBefore: w = v + 2 if (v + w)/2 + w^2/9 < D, else v - v / floor(2 D / v) ------------------------


@pytest.mark.parametrize(
    ("distance", "speed", "expected"),
    [
        pytest.param(100.0, 10.0, 12.0, id="far: accelerate"),
        pytest.param(27.0, 10.0, 8.0, id="11 + 144/9 = 27 is not < 27: k = 5.4, floor 5, 10 - 2"),
        pytest.param(27.0 + 1e-9, 10.0, 12.0, id="a hair farther: accelerate"),
        pytest.param(12.0, 10.0, 5.0, id="k = 2.4, floor 2"),
        pytest.param(6.0, 10.0, 0.0, id="k = 1.2, floor 1: stand"),
        pytest.param(1.44, 0.0, 0.0, id="standing, 1 + 4/9 does not fit"),
        pytest.param(1.45, 0.0, 2.0, id="standing, 1 + 4/9 fits"),
        pytest.param(0.0, 0.0, 0.0, id="standing at the line: 0/0 is 0"),
    ],
)
def test_stop_before_speed(distance, speed, expected):
    assert stop_before_speed(distance, speed, ACCEL, DECEL) == pytest.approx(expected, abs=1e-12)


def test_stop_before_speed_is_negative_where_half_a_second_of_speed_is_too_far():
    # k = 8 / (10 + 1e-8) < 1: 10 - 10 / k
    assert stop_before_speed(4.0, 10.0, ACCEL, DECEL) == pytest.approx(-2.5, abs=1e-7)


# --- reach steps ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("distance", "speed", "target", "expected"),
    [
        pytest.param(0.0, 5.0, TURN_SPEED_MPS, 0, id="there"),
        pytest.param(-3.0, 5.0, TURN_SPEED_MPS, 0, id="past"),
        pytest.param(21.0, 10.0, TURN_SPEED_MPS, 3, id="faster than the target: ceil(21 / 10)"),
        pytest.param(20.0, 0.0, TURN_SPEED_MPS, 5, id="16 + 8.16665 > 20: ceil(sqrt(80) / 2)"),
        pytest.param(
            24.0, 0.0, TURN_SPEED_MPS, 5, id="the last partial second counts whole: ceil(sqrt(96) / 2), not 6"
        ),
        pytest.param(30.0, 0.0, TURN_SPEED_MPS, 6, id="ceil(4.16665) + ceil(5.83335 / 8.3333)"),
        pytest.param(11.111, 11.111, 11.111, 1, id="at the target: 0 + 1"),
        pytest.param(11.112, 11.111, 11.111, 2, id="at the target: 0 + 2"),
    ],
)
def test_reach_steps(distance, speed, target, expected):
    assert reach_steps(distance, speed, target, ACCEL) == expected


@pytest.mark.parametrize(
    ("distance", "speed", "expected"),
    [
        pytest.param(9.01, 6.0, True, id="36/9 = 4 < 4.01"),
        pytest.param(9.0, 6.0, False, id="4 < 4 is false"),
        pytest.param(0.0, 0.0, False, id="on the crossing"),
        pytest.param(-5.0, 6.0, False, id="tail on the crossing"),
        pytest.param(-5.01, 6.0, True, id="tail past it"),
    ],
)
def test_can_yield(distance, speed, expected):
    assert can_yield(distance, brake_distance(speed, DECEL), CAR.length_m, YIELD_DISTANCE_M) == expected


# --- one or two cars on the road ----------------------------------------------------------------------------


def cars_on_one_road(n: int) -> Engine:
    """`n` cars released at once on an approach of 60 m, a path of 12 m and 200 m beyond."""
    network = merge_network(1, exit_m=200.0)
    demand, _ = one_car_each(network)
    zeros = np.zeros(n, np.int32)
    engine = Engine(network, demand)
    engine.reset([Trips(zeros, zeros.copy(), zeros.copy(), zeros.copy())], [0])
    engine.state.green[0] = 1
    return engine


def state_after(engine: Engine, seconds: int, trip: int = 0) -> tuple[int, float, float]:
    engine.advance(seconds)
    where = engine.positions(0)
    (i,) = np.flatnonzero(where.trip == trip)
    return int(where.drivable[i]), float(where.distance[i]), float(where.speed[i])


def test_a_free_car_gains_2_mps_a_second_and_holds_its_maximum():
    engine = cars_on_one_road(1)
    rows = [state_after(engine, 1) for _ in range(7)]
    assert [speed for _, _, speed in rows] == [2.0, 4.0, 6.0, 8.0, 10.0, 11.111, 11.111]
    # 1, 4, 9, 16, 25 as in CityFlow's traces, then (10 + 11.111) / 2 and 11.111 a second
    assert [distance for _, distance, _ in rows] == pytest.approx([1, 4, 9, 16, 25, 35.5555, 46.6665], abs=1e-9)


def test_the_next_car_enters_once_length_and_minimum_gap_are_free():
    # the first car stands at 9 m > 5 + 2.5 after 3 s: the second enters in the 4th second and is at 1 m after it
    engine = cars_on_one_road(2)
    engine.advance(3)
    assert engine.totals().entered[0] == 1
    assert state_after(engine, 1, trip=1) == (0, 1.0, 2.0)


def test_a_red_light_holds_a_car_before_the_stop_line_and_the_next_one_a_gap_behind_it():
    engine = cars_on_one_road(2)
    engine.state.green[0] = 0
    lane, distance, speed = state_after(engine, 60)
    assert (lane, speed) == (0, 0.0)
    assert APPROACH_M - 2.0 < distance <= APPROACH_M
    lane, behind, speed = state_after(engine, 0, trip=1)
    assert (lane, speed) == (0, 0.0)
    assert distance - CAR.length_m - behind >= CAR.min_gap_m - 1e-9
    assert engine.totals().red_entries[0] == 0


def test_a_car_too_near_to_stop_passes_a_red_light_and_is_counted():
    engine = cars_on_one_road(1)
    _, distance, speed = state_after(engine, 8)  # 57.7775 m at 11.111 m/s: 13.7 m to stop, 2.2 m left
    assert speed**2 / (2 * DECEL) > APPROACH_M - distance
    engine.state.green[0] = 0
    drivable, _, _ = state_after(engine, 1)
    assert drivable != 0
    assert engine.totals().red_entries[0] == 1


def test_a_finished_trip_counts_from_release_to_the_start_of_its_last_second():
    engine = cars_on_one_road(1)
    engine.advance(60)
    # 25 m in 5 s, 10.5555 m in the 6th, then 11.111 m/s: past 272 m in the 28th second, which starts at 27
    last = 6 + math.floor((APPROACH_M + 12.0 + 200.0 - 35.5555) / 11.111) + 1
    assert engine.totals().finished[0] == 1
    assert engine.totals().sum_travel_time_s[0] == last - 1 == 27


def test_a_demand_without_trips_leaves_the_network_empty():
    network = merge_network(1, exit_m=50.0)
    demand, trips = one_car_each(network)
    assert isinstance(demand, Demand)
    engine = Engine(network, demand)
    engine.reset(
        [Trips(*(column[:0].copy() for column in (trips.release_s, trips.route, trips.type, trips.start_lane)))], [0]
    )
    engine.advance(10)
    assert engine.totals().released[0] == engine.totals().running[0] == 0
