"""Actions as they are given: what is taken, and what is refused in one line."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from intergreen.envs.choices import checked_choices

N_CHOICES = np.array([3, 4, 2], np.int32)


@given(st.data(), st.integers(1, 4), st.lists(st.integers(1, 5), min_size=1, max_size=4))
def test_every_choice_that_exists_is_taken_as_it_is(data, replicas, n_choices):
    choice = [[data.draw(st.integers(0, n - 1)) for n in n_choices] for _ in range(replicas)]
    kind = data.draw(st.sampled_from([np.int8, np.int32, np.int64, np.uint16]))
    array = np.array(choice, kind)
    for action in (array, np.squeeze(array)):
        taken = checked_choices(action, np.array(n_choices, np.int32), replicas)
        assert taken.dtype == np.int32
        assert taken.tolist() == choice


@given(hnp.arrays(np.int64, (2, 3), elements=st.integers(-6, 9)))
def test_index_that_its_signal_does_not_have_is_refused(action):
    if ((action >= 0) & (action < N_CHOICES)).all():
        assert checked_choices(action, N_CHOICES, 2).tolist() == action.tolist()
    else:
        with pytest.raises(ValueError, match=r"^signal \d has the choices 0 to \d, got -?\d$"):
            checked_choices(action, N_CHOICES, 2)


@pytest.mark.parametrize(
    ("action", "got"),
    [
        ([0, 1], r"shape \(2,\) of int64"),
        ([[0, 1, 1], [0, 0, 0]], r"shape \(2, 3\) of int64"),
        (1, r"shape \(\) of int64"),
        ([], r"shape \(0,\) of float64"),
        ([0.0, float("nan"), 1.0], r"shape \(3,\) of float64"),
        ([True, False, True], r"shape \(3,\) of bool"),
        (["a", "b", "c"], r"shape \(3,\) of <U1"),
        (None, r"shape \(\) of object"),
    ],
    ids=str,
)
def test_other_shapes_and_kinds_are_refused(action, got):
    with pytest.raises(ValueError, match=f"^need an action of whole numbers for 3 signals, got {got}$"):
        checked_choices(action, N_CHOICES)


def test_copies_are_named_where_there_are_several():
    with pytest.raises(ValueError, match=r"for 3 signals in 2 copies, got shape \(3,\) of int64"):
        checked_choices([0, 0, 0], N_CHOICES, 2)
