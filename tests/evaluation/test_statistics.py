"""Means and bootstrap intervals over seeds."""

import math

import numpy as np
import pytest

from intergreen.agents.evaluation.statistics import bootstrap_interval, json_number, summarise, summarise_all


def test_mean_and_per_seed_values_are_kept():
    summary = summarise([1.0, 2.0, 6.0])
    assert summary.mean == 3.0
    assert summary.per_seed == (1.0, 2.0, 6.0)


def test_interval_lies_around_the_mean_and_inside_the_values():
    values = np.random.default_rng(3).normal(300.0, 20.0, size=10)
    lower, upper = bootstrap_interval(values)
    assert values.min() <= lower < values.mean() < upper <= values.max()


def test_one_seed_has_its_value_as_both_bounds():
    assert summarise([326.15]).interval == (326.15, 326.15)


def test_same_values_get_the_same_interval():
    values = [3.0, 1.0, 4.0, 1.0, 5.0]
    assert bootstrap_interval(values) == bootstrap_interval(values)


def test_interval_of_many_values_is_near_the_normal_one():
    """Theory: for large samples the bootstrap interval tends to mean ± 1.96 standard errors."""
    values = np.random.default_rng(0).normal(size=400)
    half = 1.96 * values.std() / math.sqrt(values.size)
    lower, upper = bootstrap_interval(values)
    # 10,000 resamples put the quantiles within a few per cent of a standard error
    assert lower == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert upper == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_wider_level_gives_wider_interval():
    values = [1.0, 2.0, 3.0, 4.0, 5.0]
    narrow, wide = bootstrap_interval(values, level=0.5), bootstrap_interval(values, level=0.99)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


@pytest.mark.parametrize("values", [[], [[1.0, 2.0]]], ids=["none", "two axes"])
def test_values_must_be_one_per_seed(values):
    with pytest.raises(ValueError, match="one value per seed"):
        bootstrap_interval(values)


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_level_must_be_a_share(level):
    with pytest.raises(ValueError, match="between 0 and 1"):
        bootstrap_interval([1.0], level=level)


def test_missing_numbers_become_null():
    assert summarise([float("nan"), 1.0]).to_json() == {"mean": None, "ci95": [None, None], "per_seed": [None, 1.0]}
    assert json_number(float("inf")) is None


def test_summarise_all_keeps_the_order_of_metrics():
    assert list(summarise_all({"b": [1.0], "a": [2.0]})) == ["b", "a"]
