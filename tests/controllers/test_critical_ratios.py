"""Flow ratios by lane groups: what shared lanes, turns that yield and several phases make of them."""

from functools import partial
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intergreen.agents.controllers.critical_ratios import (
    SATURATION_VPHPL,
    CriticalRatios,
    can_drive,
    fullest_lanes,
    permitted_vph,
)
from intergreen.agents.learning.drawn_phases import permitted_left, with_phases
from intergreen.envs.network import GridSpec, generate_grid
from intergreen.envs.network.road_network import STRAIGHT, TURN_LEFT, TURN_RIGHT
from intergreen.envs.scenario import load_scenario


def lanes_of(*spans):
    return [np.arange(first, last + 1) for first, last in spans]


@st.composite
def approaches(draw):
    n_lanes = draw(st.integers(1, 4))
    spans = []
    for _ in range(draw(st.integers(1, 5))):
        first = draw(st.integers(0, n_lanes - 1))
        spans.append((first, draw(st.integers(first, n_lanes - 1))))
    return spans, draw(st.lists(st.floats(0.0, 900.0), min_size=len(spans), max_size=len(spans)))


@given(approaches())
def test_the_fullest_lanes_are_those_of_the_worst_set_of_movements(approach):
    """Hall's condition over every set of movements: together they have no more than their lanes."""
    spans, flows = approach
    lanes = lanes_of(*spans)
    worst = 0.0
    for n in range(1, len(spans) + 1):
        for some in combinations(range(len(spans)), n):
            used = set().union(*(set(lanes[m].tolist()) for m in some))
            worst = max(worst, sum(flows[m] for m in some) / len(used))
    assert fullest_lanes(np.array([flows]), lanes)[0] == pytest.approx(worst)


def test_a_lane_for_all_turns_is_filled_by_all_of_them_together():
    assert fullest_lanes(np.array([[100.0, 400.0, 100.0]]), lanes_of((0, 0), (0, 0), (0, 0)))[0] == 600.0


def test_through_traffic_leaves_the_shared_lane_to_those_who_have_no_other():
    assert fullest_lanes(np.array([[500.0, 300.0]]), lanes_of((0, 0), (0, 1)))[0] == 500.0


def test_who_stands_behind_a_driver_without_green_cannot_drive():
    shared, own = np.array([0]), np.array([1])
    serves = np.array([[True, True, False], [True, False, True], [False, False, True]])
    driven = can_drive(serves, [shared, shared, own])
    assert driven.tolist() == [[True, True, False], [False, False, True], [False, False, True]]


def test_green_counts_as_it_is_where_no_phase_frees_the_lane():
    shared = np.array([0])
    serves = np.eye(2, dtype=np.bool_)
    assert (can_drive(serves, [shared, shared]) == serves).all()


def test_permitted_discharge_is_the_manuals():
    """v e^(-4.5 v/3600) / (1 - e^(-2.5 v/3600)); towards no opposing traffic one vehicle per follow-up headway."""
    assert permitted_vph(np.array([400.0]))[0] == pytest.approx(400 * np.exp(-0.5) / (1 - np.exp(-1000 / 3600)))
    assert permitted_vph(np.array([0.0]))[0] == pytest.approx(3600 / 2.5, rel=0.01)
    falling = permitted_vph(np.linspace(1.0, 2000.0, 50))
    assert (np.diff(falling) < 0.0).all()


def test_lanes_of_their_own_have_the_ratio_of_their_flow():
    network = generate_grid(GridSpec(rows=1, columns=1))
    (j,) = network.signalled.tolist()
    flows = np.zeros(network.n_movements)
    through = int(np.flatnonzero((network.movement_turn == STRAIGHT) & (network.movement_intersection == j))[0])
    flows[through] = 450.0
    serves = network.phase_matrix(j)[:, through - int(network.movement_start[j])]
    turns = [int(np.flatnonzero(serves)[0]), int(np.flatnonzero(~serves)[0])]
    ratio = CriticalRatios(network, flows).of(j, turns)
    assert ratio.tolist() == [450.0 / (SATURATION_VPHPL * len(network.start_lanes(through))), 0.0]


def test_who_has_two_phases_has_the_flow_shared_between_them():
    network = generate_grid(GridSpec(rows=1, columns=1))
    (j,) = network.signalled.tolist()
    right = int(np.flatnonzero((network.movement_turn == TURN_RIGHT) & (network.movement_intersection == j))[0])
    flows = np.zeros(network.n_movements)
    flows[right] = 900.0
    ratio = CriticalRatios(network, flows).of(j, [0, 1, 2, 3])
    assert ratio.tolist() == [900.0 / 4 / SATURATION_VPHPL / len(network.start_lanes(right))] * 4


def opposed_left(network):
    """An intersection and phase in which a left turn waits for those who come towards it, and the two movements."""
    for j in network.signalled.tolist():
        first = int(network.movement_start[j])
        turn = network.movement_turn[network.movements_of(j)]
        for p, green in enumerate(network.phase_matrix(j)):
            for left in np.flatnonzero(green & (turn == TURN_LEFT)).tolist():
                foes = network.conflict_matrix(j)[left] & green & (turn == STRAIGHT)
                if foes.any() and not network.phase_matrix(j)[:, left].all():
                    return j, p, first + left, first + int(np.flatnonzero(foes)[0])
    raise AssertionError("no left turn yields here")


def test_a_left_turn_takes_longer_the_more_come_towards_it():
    network = generate_grid(GridSpec(rows=1, columns=1))
    network = with_phases(network, partial(permitted_left, network))
    j, p, left, towards = opposed_left(network)
    ratios = []
    for opposing in (0.0, 200.0, 400.0):
        flows = np.zeros(network.n_movements)
        flows[left], flows[towards] = 300.0, opposing
        ratios.append(float(CriticalRatios(network, flows).of(j, [p])[0]))
    assert ratios[1] == pytest.approx(ratios[0] * SATURATION_VPHPL / permitted_vph(np.array([200.0]))[0])
    assert ratios[0] < ratios[1] < ratios[2]


@given(st.integers(0, 2**31))
def test_twice_the_traffic_is_at_least_twice_the_ratio(seed):
    network = load_scenario("town").network
    flows = np.random.default_rng(seed).exponential(200.0, network.n_movements)
    for j in network.signalled.tolist():
        turns = list(range(len(network.phase_matrix(j))))
        once, twice = CriticalRatios(network, flows).of(j, turns), CriticalRatios(network, 2.0 * flows).of(j, turns)
        assert (twice >= 2.0 * once - 1e-12).all()
