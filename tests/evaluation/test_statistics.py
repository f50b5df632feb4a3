"""Means and bootstrap intervals over seeds."""

import math

import numpy as np
import pytest

from intergreen.agents.evaluation.statistics import (
    json_number,
    mean_interval,
    percentile_interval,
    student_975,
    summarise,
    summarise_all,
)


def test_mean_and_per_seed_values_are_kept():
    summary = summarise([1.0, 2.0, 6.0])
    assert summary.mean == 3.0
    assert summary.per_seed == (1.0, 2.0, 6.0)


def test_percentile_interval_lies_around_the_mean_and_inside_the_values():
    values = np.random.default_rng(3).normal(300.0, 20.0, size=10)
    lower, upper = percentile_interval(values)
    assert values.min() <= lower < values.mean() < upper <= values.max()


def test_percentile_interval_of_three_values_is_their_range():
    assert percentile_interval([3.0, 1.0, 2.0]) == (1.0, 3.0)


def test_interval_of_four_values_is_students():
    """Worked by hand: mean 2.5, standard deviation 1.29099, t of three degrees of freedom 3.1824."""
    half = 3.1824 * 1.2909944 / 2.0
    assert mean_interval([1.0, 2.0, 3.0, 4.0]) == pytest.approx((2.5 - half, 2.5 + half), abs=1e-4)


def test_few_values_that_happen_to_be_alike_do_not_carry_the_interval_away():
    """By bootstrap-t it would reach down to -587: resamples of the three alike have next to no spread."""
    lower, upper = mean_interval([-258.0, -250.0, -250.01, -249.99, -245.0])
    assert -260.0 < lower < -250.6 < upper < -240.0


def test_interval_reaches_farther_where_the_values_do():
    lower, upper = mean_interval([1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 5.0])
    mean = 14.1 / 8.0
    assert upper - mean > 1.5 * (mean - lower)


def test_values_that_do_not_differ_are_their_interval():
    assert mean_interval([326.15] * 6) == (326.15, 326.15)


@pytest.mark.parametrize(
    ("degrees", "value"), [(1, 12.706), (4, 2.776), (5, 2.571), (9, 2.262), (19, 2.093), (99, 1.984)]
)
def test_quantiles_of_student_are_those_of_the_tables(degrees, value):
    assert student_975(degrees) == pytest.approx(value, abs=0.004)


def test_one_seed_has_its_value_as_both_bounds():
    assert summarise([326.15]).interval == (326.15, 326.15)


def test_same_values_get_the_same_interval():
    values = [3.0, 1.0, 4.0, 1.0, 5.0]
    assert mean_interval(values) == mean_interval(values)


def test_interval_of_many_values_is_near_the_normal_one():
    """Theory: for large samples the bootstrap interval tends to mean ± 1.96 standard errors."""
    values = np.random.default_rng(0).normal(size=400)
    half = 1.96 * values.std() / math.sqrt(values.size)
    lower, upper = mean_interval(values)
    # 10,000 resamples put the quantiles within a few per cent of a standard error
    assert lower == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert upper == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_wider_level_gives_wider_interval():
    values = [1.0, 2.0, 3.0, 4.0, 5.0]
    narrow, wide = percentile_interval(values, level=0.5), percentile_interval(values, level=0.99)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


@pytest.mark.parametrize("values", [[], [[1.0, 2.0]]], ids=["none", "two axes"])
def test_values_must_be_one_per_seed(values):
    for interval in (mean_interval, percentile_interval):
        with pytest.raises(ValueError, match="one value per seed"):
            interval(values)


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_level_must_be_a_share(level):
    with pytest.raises(ValueError, match="between 0 and 1"):
        percentile_interval([1.0], level=level)


def test_missing_numbers_become_null():
    assert summarise([float("nan"), 1.0]).to_json() == {"mean": None, "ci95": [None, None], "per_seed": [None, 1.0]}
    assert json_number(float("inf")) is None


def test_summarise_all_keeps_the_order_of_metrics():
    assert list(summarise_all({"b": [1.0], "a": [2.0]})) == ["b", "a"]


@pytest.mark.parametrize("values", [[0.0] * 7 + [1.0], [0.0] * 9 + [5.0], [0.0] * 18 + [1.0, 2.0]])
def test_interval_of_a_count_that_is_nearly_always_0_reaches_beyond_its_mean(values):
    low, high = mean_interval(values)
    mean = float(np.mean(values))
    error = float(np.std(values, ddof=1)) / np.sqrt(len(values))
    assert high - mean == pytest.approx(mean - low)
    assert high - mean > 1.9 * error
