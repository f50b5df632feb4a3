"""Max-pressure and advanced max-pressure against slow loops written from their definitions."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intergreen.agents.controllers import AdvancedMaxPressure, MaxPressure
from intergreen.envs.network import TURN_RIGHT

seeds = st.integers(0, 10_000)


def start_lanes(network, m):
    return set(network.link_from_lane[network.movement_link_start[m] : network.movement_link_start[m + 1]].tolist())


def exit_lanes(network, m):
    road = network.movement_to_road[m]
    return range(network.road_lane_start[road], network.road_lane_start[road + 1])


def greens(network, phase):
    return network.phase_movements[
        network.phase_movement_start[phase] : network.phase_movement_start[phase + 1]
    ].tolist()


def phase_movements(network, plan, i, local):
    """All but right turns that are green in every phase with something else than right turns."""
    every = [greens(network, plan.phase_offset[i] + p) for p in range(plan.n_phases[i])]
    busy = [some for some in every if any(network.movement_turn[m] != TURN_RIGHT for m in some)]
    return [
        m
        for m in every[local]
        if network.movement_turn[m] != TURN_RIGHT or not busy or not all(m in some for some in busy)
    ]


def slow_max_pressure(network, plan, waiting, i):
    best, best_score = -1, None
    for local in plan.choices[i, : plan.n_choices[i]]:
        score = 0
        for m in phase_movements(network, plan, i, local):
            score += sum(int(waiting[lane]) for lane in start_lanes(network, m))
            score -= sum(int(waiting[lane]) for lane in exit_lanes(network, m))
        if best_score is None or score > best_score:
            best, best_score = local, score
    return best


def slow_advanced(network, plan, waiting, near, i, current, weight):
    pressure, demand = {}, {}
    for local in plan.choices[i, : plan.n_choices[i]].tolist():
        movements = phase_movements(network, plan, i, local)
        pressure[local] = Fraction(0)
        for m in movements:
            exits = exit_lanes(network, m)
            mean_exit_queue = Fraction(sum(int(waiting[lane]) for lane in exits), len(exits))
            pressure[local] += sum(int(waiting[lane]) - mean_exit_queue for lane in start_lanes(network, m))
        demand[local] = sum(int(near[lane]) for lane in set().union(*(start_lanes(network, m) for m in movements)))
    best = max(pressure.values())
    if current in demand and Fraction(weight) * demand[current] >= best:
        return current
    return next(local for local, value in pressure.items() if value == best)


@settings(deadline=None)
@given(seed=seeds, protocol=st.sampled_from(["literature-10-5", "literature-5-2"]))
def test_max_pressure_equals_the_slow_loop(topology, setup_of, signals_of, random_counts, seed, protocol):
    network = topology(seed)
    setup, controller, counts = setup_of(network, protocol=protocol), MaxPressure(), random_counts(seed, network)
    wanted = controller.decide(counts, signals_of(setup, controller.start(setup)), 0)
    for b in range(setup.n_replicas):
        expected = [slow_max_pressure(network, setup.plan, counts.waiting[b], i) for i in range(setup.plan.n_signals)]
        assert wanted[b].tolist() == expected


@settings(deadline=None)
@given(seed=seeds, weight=st.sampled_from([0.0, 0.5, 1.0, 2.0]))
def test_advanced_max_pressure_equals_the_slow_loop_with_exact_fractions(
    topology, setup_of, signals_of, random_counts, seed, weight
):
    network = topology(seed)
    setup, counts = setup_of(network), random_counts(seed, network)
    controller = AdvancedMaxPressure(demand_weight=weight)
    controller.start(setup)
    phase = (
        np.random.default_rng(seed).integers(-1, setup.plan.n_phases, size=(3, setup.plan.n_signals)).astype(np.int32)
    )
    wanted = controller.decide(counts, signals_of(setup, phase), 0)
    for b in range(setup.n_replicas):
        expected = [
            slow_advanced(network, setup.plan, counts.waiting[b], counts.near[b], i, int(phase[b, i]), weight)
            for i in range(setup.plan.n_signals)
        ]
        assert wanted[b].tolist() == expected


@pytest.mark.parametrize("controller", [MaxPressure(), AdvancedMaxPressure()], ids=lambda c: c.name)
def test_pressure_rules_begin_in_the_first_choice_and_keep_it_on_empty_roads(
    topology, setup_of, signals_of, random_counts, controller
):
    network = topology(5)
    setup, counts = setup_of(network), random_counts(0, network)
    counts.waiting[:], counts.near[:] = 0, 0
    start = controller.start(setup)
    assert start.tolist() == [setup.plan.choices[:, 0].tolist()] * 3
    assert controller.decide(counts, signals_of(setup, start), 0).tolist() == start.tolist()


@pytest.mark.parametrize("controller", [MaxPressure(), AdvancedMaxPressure()], ids=lambda c: c.name)
def test_each_replica_is_decided_by_its_own_counts(topology, setup_of, signals_of, random_counts, controller):
    network = topology(7)
    setup, counts = setup_of(network), random_counts(1, network)
    together = controller.decide(counts, signals_of(setup, controller.start(setup)), 0)
    for b in range(3):
        alone = random_counts(1, network)
        alone.waiting, alone.near = counts.waiting[b : b + 1], counts.near[b : b + 1]
        start = controller.start(setup_of(network, n_replicas=1))
        assert controller.decide(alone, signals_of(setup, start), 0).tolist() == [together[b].tolist()]


def test_negative_demand_weight_is_refused():
    with pytest.raises(ValueError, match="demand_weight"):
        AdvancedMaxPressure(demand_weight=-1.0)
