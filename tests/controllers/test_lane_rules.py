"""Greedy, SOTL, efficient max-pressure and random against what their definitions say."""

from fractions import Fraction

import numpy as np
import pytest
from controllers.junction import junction, showing, traffic
from controllers.test_pressure import exit_lanes, phase_movements, seeds, start_lanes
from hypothesis import given

from intergreen.agents.controllers import Setup, controller_by_name
from intergreen.agents.controllers.efficient_max_pressure import EfficientMaxPressure
from intergreen.agents.controllers.greedy_queue import GreedyQueue
from intergreen.agents.controllers.sotl import Sotl, SotlSettings


def slow_efficient(network, plan, waiting, i):
    score = {}
    for local in plan.choices[i, : plan.n_choices[i]].tolist():
        score[local] = Fraction(0)
        for m in phase_movements(network, plan, i, local):
            for lanes, sign in ((start_lanes(network, m), 1), (exit_lanes(network, m), -1)):
                score[local] += sign * Fraction(sum(int(waiting[lane]) for lane in lanes), len(lanes))
    return next(local for local, value in score.items() if value == max(score.values()))


def slow_greedy(network, plan, waiting, i, current):
    j = int(plan.intersection[i])
    green = network.phase_matrix(j)
    choices = plan.choices[i, : plan.n_choices[i]].tolist()
    contested = green[choices].any(axis=0) & ~green[choices].all(axis=0)
    queue = {}
    for local in choices:
        served = np.flatnonzero(green[local] & contested) + network.movement_start[j]
        queue[local] = sum(int(waiting[lane]) for lane in set().union(*(start_lanes(network, m) for m in served)))
    best = max(queue.values())
    return current if queue.get(current) == best else next(p for p, value in queue.items() if value == best)


@given(seed=seeds)
def test_efficient_max_pressure_equals_the_slow_loop_with_exact_fractions(
    topology, setup_of, signals_of, random_counts, seed
):
    network = topology(seed)
    setup, counts, controller = setup_of(network), random_counts(seed, network), EfficientMaxPressure()
    wanted = controller.decide(counts, signals_of(setup, controller.start(setup)), 0)
    for b in range(setup.n_replicas):
        expected = [slow_efficient(network, setup.plan, counts.waiting[b], i) for i in range(setup.plan.n_signals)]
        assert wanted[b].tolist() == expected


@given(seed=seeds)
def test_greedy_equals_the_slow_loop(topology, setup_of, signals_of, random_counts, seed):
    network = topology(seed)
    setup, counts, controller = setup_of(network), random_counts(seed, network), GreedyQueue()
    controller.start(setup)
    plan = setup.plan
    phase = np.random.default_rng(seed).integers(0, plan.n_phases, size=(3, plan.n_signals)).astype(np.int32)
    wanted = controller.decide(counts, signals_of(setup, phase), 0)
    for b in range(3):
        expected = [slow_greedy(network, plan, counts.waiting[b], i, phase[b, i]) for i in range(plan.n_signals)]
        assert wanted[b].tolist() == expected


def kappa_runs_out(theta, *, waiting, seconds=10):
    """Seconds of red, in steps, before the light changes from phase 1, and to what."""
    setup, controller = junction(), Sotl(SotlSettings(theta_veh_s=theta))
    controller.start(setup)
    for time_s in range(0, 600, seconds):
        wanted = int(controller.decide(traffic(setup, waiting=waiting), showing(setup, 1, time_s + 1), time_s)[0, 0])
        if wanted != 1:
            return time_s, wanted
    return None


def test_sotl_changes_when_vehicles_times_seconds_reach_theta():
    assert kappa_runs_out(100.0, waiting={2: 2}) == (50, 2)  # 2 veh * 50 s
    assert kappa_runs_out(100.0, waiting={3: 5}) == (20, 3)
    assert kappa_runs_out(100.0, waiting={2: 2, 4: 3}) == (40, 4)  # 3 veh * 40 s is the first to pass 100
    assert kappa_runs_out(100.0, waiting={1: 50}) is None  # who has green counts for nothing


def test_sotl_counts_again_from_zero_when_a_phase_has_been_served():
    setup, controller = junction(), Sotl(SotlSettings(theta_veh_s=100.0))
    controller.start(setup)
    waits = traffic(setup, waiting={1: 4, 2: 4})
    shown, phase, since = [], 1, 0
    for time_s in range(0, 130, 10):
        before = phase
        phase = int(controller.decide(waits, showing(setup, phase, time_s - since + 1), time_s)[0, 0])
        since = since if phase == before else time_s
        shown.append(phase)
    assert shown == [1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2, 1]  # 4 veh * 30 s is the first to pass 100


def test_sotl_lets_a_short_platoon_cross_and_cuts_a_long_one():
    for vehicles, wanted in ((0, 2), (1, 1), (2, 1), (3, 2), (9, 2)):
        setup, controller = junction(), Sotl(SotlSettings(theta_veh_s=100.0, mu_veh=3))
        controller.start(setup)
        counts = traffic(setup, waiting={2: 20}, near={1: vehicles}, bin_of_near=0)
        assert int(controller.decide(counts, showing(setup, 1, 11), 10)[0, 0]) == wanted, vehicles


def test_sotl_waits_for_its_least_green():
    setup, controller = junction(), Sotl(SotlSettings(theta_veh_s=10.0, min_green_s=8))
    controller.start(setup)
    waits = traffic(setup, waiting={2: 9})
    assert int(controller.decide(waits, showing(setup, 1, 7), 7)[0, 0]) == 1
    assert int(controller.decide(waits, showing(setup, 1, 8), 8)[0, 0]) == 2


@pytest.mark.parametrize("wrong", [{"theta_veh_s": 0.0}, {"min_green_s": -1}, {"mu_veh": -1}], ids=str)
def test_sotl_settings_without_meaning_are_refused(wrong):
    with pytest.raises(ValueError, match="need"):
        SotlSettings(**wrong)


def test_random_draws_every_choice_and_only_by_its_replicas_seed():
    setup = junction()
    alone, among = controller_by_name("random"), controller_by_name("random")
    alone.start(Setup(setup.network, setup.plan, setup.protocol, 1, seeds=(7,)))
    among.start(Setup(setup.network, setup.plan, setup.protocol, 3, seeds=(3, 7, 4)))
    drawn = np.array([among.decide(None, None, t)[:, 0] for t in range(0, 2000, 10)])
    assert (drawn[:, 1] == [alone.decide(None, None, t)[0, 0] for t in range(0, 2000, 10)]).all()
    assert (drawn[:, 0] != drawn[:, 1]).any()
    _, often = np.unique(drawn, return_counts=True)
    assert len(often) == 4
    assert often.min() > 100  # of 600 draws, 150 expected; the deviation is 11
