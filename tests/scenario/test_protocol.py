"""Protocols by name."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intergreen.envs.errors import InputError
from intergreen.envs.protocol import SHIPPED, Protocol, protocol_by_name


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_protocols_have_the_timing_of_their_name(name):
    protocol = protocol_by_name(name)
    assert name == f"literature-{protocol.interval_s}-{protocol.clearance_s}"
    assert protocol.choices == ("literature-8" if name == "literature-5-2" else "literature")
    assert protocol.lane_change is False


@pytest.mark.parametrize("name", SHIPPED)
def test_lane_change_behind_a_name_changes_that_alone(name):
    protocol = protocol_by_name(f"{name}-lane-change")
    assert protocol == replace(protocol_by_name(name), name=f"{name}-lane-change", lane_change=True)


@given(interval_s=st.integers(0, 100), clearance_s=st.integers(0, 100))
def test_any_interval_longer_than_its_clearance_is_a_protocol(interval_s, clearance_s):
    name = f"literature-{interval_s}-{clearance_s}"
    if interval_s > clearance_s:
        protocol = protocol_by_name(name)
        assert (protocol.interval_s, protocol.clearance_s) == (interval_s, clearance_s)
    else:
        with pytest.raises(InputError, match="does not fit"):
            protocol_by_name(name)


@pytest.mark.parametrize(
    "name",
    ["", "literature", "literature-10", "literature-10-5-1", "literature--1-5", "resco", "x\n", "literature-١٠-5"],
)
def test_other_names_are_refused_with_the_shipped_ones(name):
    with pytest.raises(InputError, match="use one of literature-30-5, literature-15-5"):
        protocol_by_name(name)


def test_impossible_timing_is_refused():
    with pytest.raises(ValueError, match="clearance_s < interval_s"):
        Protocol("mine", interval_s=5, clearance_s=5)
