"""Arrays in a page: what comes out is what went in."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intergreen.agents.evaluation.pages.codec import pack, unpack

NUMBERS = st.lists(st.integers(-(2**29), 2**29), max_size=40)


@given(a=NUMBERS, b=NUMBERS)
def test_unpacked_is_what_was_packed(a, b):
    found = unpack(pack({"a": np.array(a, int), "b": np.array(b, int)}, ascending=["b"]))
    assert (found["a"].tolist(), found["b"].tolist()) == (a, b)


@pytest.mark.parametrize("edge", [0, -1, 127, 128, -128, 32767, -32768, 2**30, -(2**30)])
def test_widths_hold_their_edges(edge):
    assert unpack(pack({"a": [edge]}))["a"].tolist() == [edge]


def test_same_arrays_give_the_same_text():
    assert pack({"a": [1, 2, 3]}) == pack({"a": [1, 2, 3]})


def test_number_that_does_not_fit_is_refused_by_name():
    with pytest.raises(ValueError, match="speed holds 1073741825"):
        pack({"speed": [2**30 + 1]})


def test_slow_growth_takes_less_than_a_bit_a_number():
    assert len(pack({"t": np.arange(100_000) // 7}, ascending=["t"])) < 100_000 / 8
