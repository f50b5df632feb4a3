"""Comparisons paired by seed, against numbers worked out by hand and against the definitions written as loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intergreen.agents.evaluation.paired import (
    Pairs,
    compared,
    interquartile_mean,
    probability_of_improvement,
    stratified_estimate,
    stratified_iqm,
)

values = st.lists(st.integers(0, 6).map(float), min_size=1, max_size=9).map(np.array)


def test_interquartile_mean_cuts_a_quarter_from_either_end_of_all_runs():
    assert interquartile_mean([np.array([0.0, 1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0, 1e9])]) == 3.5
    assert interquartile_mean([np.array([7.0])]) == 7.0


@given(tasks=st.lists(st.tuples(values, values), min_size=1, max_size=3))
def test_probability_of_improvement_is_the_share_of_pairs_that_ours_wins(tasks):
    by_hand = [np.mean([1.0 if a < b else 0.5 if a == b else 0.0 for a in x for b in y]) for x, y in tasks]
    assert probability_of_improvement(tasks) == pytest.approx(np.mean(by_hand))


@given(tasks=st.lists(st.tuples(values, values), min_size=1, max_size=3))
def test_what_one_wins_the_other_loses(tasks):
    mirrored = [(y, x) for x, y in tasks]
    assert probability_of_improvement(tasks) + probability_of_improvement(mirrored) == pytest.approx(1.0)


def test_score_is_0_at_the_reference_and_1_at_free_flow():
    reference, bound = np.array([300.0, 320.0]), np.array([100.0, 120.0])
    assert Pairs(reference, reference, bound).score.tolist() == [0.0, 0.0]
    assert Pairs(bound, reference, bound).score.tolist() == [1.0, 1.0]
    assert Pairs(np.array([250.0, 420.0]), reference, bound).score.tolist() == [0.25, -0.5]


def test_without_a_bound_there_is_no_score():
    assert compared([Pairs(np.array([1.0, 2.0]), np.array([2.0, 2.5]))])["score"] is None


def test_a_reference_that_is_as_good_as_free_flow_leaves_no_score():
    one = np.array([100.0, 110.0])
    assert compared([Pairs(one, one, one)])["score"] is None


def test_pairing_takes_out_what_the_seeds_share():
    demand = np.random.default_rng(0).normal(300.0, 50.0, size=10)
    noise = np.random.default_rng(1).normal(0.0, 1.0, size=10)
    found = compared([Pairs(demand - 5.0 + noise, demand)])["difference_s"]
    low, high = found["ci95"]
    assert -7.0 < low < -5.0 + noise.mean() < high < -3.0  # a spread of 1 s, not of 50


def test_over_several_scenarios_runs_are_resampled_within_each():
    """Two scenarios whose own runs do not differ leave nothing to chance."""
    estimate = stratified_iqm([np.full(5, 1.0), np.full(5, 3.0)])
    assert estimate == (2.0, (2.0, 2.0))


def test_both_runs_of_a_seed_are_drawn_together():
    ours = np.array([1.0, 2.0, 3.0, 4.0, 50.0])
    difference = stratified_estimate([np.stack([ours, ours + 1.0])], lambda drawn: (drawn[0][0] - drawn[0][1]).mean(-1))
    assert difference == (-1.0, (-1.0, -1.0))


def test_the_chance_stays_a_chance():
    found = compared([Pairs(np.array([1.0, 2.0, 3.0]), np.array([2.5, 4.0, 5.0]))])["probability_of_improvement"]
    assert 0.0 <= found["ci95"][0] <= found["value"] <= found["ci95"][1] <= 1.0


def test_one_seed_has_its_value_as_both_bounds():
    found = compared([Pairs(np.array([90.0]), np.array([100.0]), np.array([50.0]))])
    assert found["difference_s"] == {"value": -10.0, "ci95": [-10.0, -10.0]}
    assert found["score"] == {"value": 0.2, "ci95": [0.2, 0.2]}


def test_runs_that_lie_apart_leave_room_for_what_they_have_not_shown():
    """0 of 10 runs: at most 0.3085 with 97.5 %, by the binomial law itself."""
    below, above = np.arange(10.0), 100.0 + np.arange(10.0)
    better, worse = (
        compared([Pairs(ours, reference)])["probability_of_improvement"]
        for ours, reference in ((below, above), (above, below))
    )
    assert (better["value"], worse["value"]) == (1.0, 0.0)
    unseen = worse["ci95"][1]
    assert (1.0 - unseen) ** 10 == pytest.approx(0.025)
    assert worse["ci95"] == [0.0, unseen]
    assert better["ci95"] == pytest.approx([1.0 - unseen, 1.0])


def test_one_run_of_each_has_no_interval():
    found = compared([Pairs(np.array([1.0]), np.array([2.0]))])["probability_of_improvement"]
    assert found["ci95"] == [1.0, 1.0]


def test_what_the_seeds_share_leaves_the_chance_in_its_interval():
    """Where the trips of a seed move both, the true chance of two runs on other trips lies inside as often as told."""
    random = np.random.default_rng(0)
    shared, own, worse, hits = 5.0, 0.5, 1.0, 0
    true = 0.5 * math.erfc(worse / math.hypot(shared, own) / 2.0)
    for _ in range(60):
        trips = random.normal(0.0, shared, 10)
        ours, reference = (100.0 + trips + random.normal(more, own, 10) for more in (worse, 0.0))
        low, high = compared([Pairs(ours, reference)])["probability_of_improvement"]["ci95"]
        hits += low <= true <= high
    assert hits >= 55


def test_no_interval_ends_at_its_own_estimate_but_at_0_and_1():
    found = compared([Pairs(np.array([47.3, 51.7, 46.6]), np.array([46.2, 47.9, 46.5]))])["probability_of_improvement"]
    assert found["value"] == pytest.approx(2 / 9)
    assert found["ci95"][0] == 0.0
    assert found["ci95"][1] > 0.5
