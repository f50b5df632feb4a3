"""Readings that cannot be true: no controller fails by them, and true ones count as whole numbers do."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from intergreen.agents.controllers import controller_by_name, controller_names
from intergreen.agents.controllers.usable import MOST_VEH, usable, usable_whole

NONSENSE = (np.nan, np.inf, -np.inf, -1.0, 1e9, 1e308, 5e-324, 0.5)
anything = arrays.arrays(np.float64, st.integers(0, 20), elements=st.floats(width=64))


@given(values=anything)
def test_usable_values_are_finite_counts_and_true_ones_stay(values):
    for made in (usable(values), usable_whole(values)):
        assert made.shape == values.shape
        assert (made >= 0).all()
        assert (made <= MOST_VEH).all()
    true = (values >= 0.0) & (values <= MOST_VEH)
    np.testing.assert_array_equal(usable(values)[true], values[true])
    assert not usable(values)[~true & ~(values > MOST_VEH)].any()
    assert usable_whole(values).dtype == np.int32


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint8])
def test_whole_numbers_pass_as_they_are(dtype):
    values = np.arange(5).astype(dtype)
    assert usable(values) is values
    np.testing.assert_array_equal(usable_whole(values), values)


def test_counts_for_compiled_code_are_not_copied():
    values = np.arange(5, dtype=np.int32)
    assert usable_whole(values) is values


def as_floats(counts):
    return SimpleNamespace(**{name: values.astype(np.float64) for name, values in vars(counts).items()})


@pytest.mark.parametrize("name", [*controller_names(), "advanced-max-pressure:2"])
def test_true_readings_are_decided_as_counts_are(topology, setup_of, signals_of, random_counts, name):
    for seed in range(20):
        network = topology(seed)
        setup, counts, controller = setup_of(network), random_counts(seed, network), controller_by_name(name)
        signals = signals_of(setup, controller.start(setup))
        expected = controller.decide(counts, signals, 0).tolist()
        assert controller.decide(as_floats(counts), signals, 0).tolist() == expected


@given(seed=st.integers(0, 1000), share=st.floats(0.0, 1.0))
@pytest.mark.parametrize("name", controller_names())
def test_nonsense_is_decided_as_its_usable_part_is(topology, setup_of, signals_of, random_counts, name, seed, share):
    network, random = topology(seed), np.random.default_rng(seed)
    setup, told = setup_of(network), as_floats(random_counts(seed, network))
    for values in vars(told).values():
        hit = random.random(values.shape) < share
        values[hit] = random.choice(NONSENSE, hit.sum())
    made = SimpleNamespace(**{key: usable(values) for key, values in vars(told).items()})
    controller = controller_by_name(name)
    signals = signals_of(setup, controller.start(setup))
    wanted = controller.decide(told, signals, 0)
    assert wanted.tolist() == controller.decide(made, signals, 0).tolist()
    assert ((wanted >= 0) & (wanted < setup.plan.n_phases)).all()
