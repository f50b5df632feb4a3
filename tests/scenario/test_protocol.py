"""Protocols by name."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intergreen.envs.errors import InputError
from intergreen.envs.protocol import FIELD, LITERATURE, SHIPPED, Protocol, protocol_by_name
from intergreen.envs.scenario import load_scenario
from intergreen.envs.signals import FieldTiming, FixedClearance, OwnClearance
from intergreen.envs.signals.presets import PROFILES, profile_by_name


@pytest.mark.parametrize("name", LITERATURE)
def test_shipped_protocols_have_the_timing_of_their_name(name):
    protocol = protocol_by_name(name)
    assert name == f"literature-{protocol.interval_s}-{protocol.clearance_s}"
    assert protocol.timing == FixedClearance(protocol.clearance_s)
    assert protocol.choices == ("literature-8" if name == "literature-5-2" else "literature")
    assert protocol.lane_change is False


@pytest.mark.parametrize("name", FIELD)
def test_shipped_field_protocols_have_the_profile_and_interval_of_their_name(name):
    protocol = protocol_by_name(name)
    profile, _, interval_s = name.rpartition("-")
    assert protocol.timing == FieldTiming(profile_by_name(profile))
    assert protocol.timing.longest_wait_s == 120
    assert (protocol.name, protocol.interval_s, protocol.choices) == (name, int(interval_s), "literature-8")
    assert protocol.clearance_s is None
    assert protocol.lane_change is False


def test_every_profile_has_a_shipped_protocol():
    assert {name.rpartition("-")[0] for name in FIELD} == set(PROFILES)


@pytest.mark.parametrize("name", SHIPPED)
def test_lane_change_behind_a_name_changes_that_alone(name):
    protocol = protocol_by_name(f"{name}-lane-change")
    assert protocol == replace(protocol_by_name(name), name=f"{name}-lane-change", lane_change=True)


@pytest.mark.parametrize("profile", [*PROFILES, "field"])
def test_field_protocol_without_a_number_decides_every_five_seconds(profile):
    assert protocol_by_name(profile) == replace(protocol_by_name(f"{profile}-5"), name=profile)


@pytest.mark.parametrize("rest", ["", "-5", "-17", "-lane-change", "-17-lane-change"])
def test_field_is_another_name_of_the_american_profile(rest):
    assert protocol_by_name(f"field{rest}") == replace(protocol_by_name(f"us-mutcd{rest}"), name=f"field{rest}")


@given(interval_s=st.integers(0, 100), clearance_s=st.integers(0, 100))
def test_any_interval_longer_than_its_clearance_is_a_protocol(interval_s, clearance_s):
    name = f"literature-{interval_s}-{clearance_s}"
    if interval_s > clearance_s:
        protocol = protocol_by_name(name)
        assert (protocol.interval_s, protocol.clearance_s) == (interval_s, clearance_s)
    else:
        with pytest.raises(InputError, match="does not fit"):
            protocol_by_name(name)


@given(profile=st.sampled_from(list(PROFILES)), interval_s=st.integers(0, 9999))
def test_any_interval_of_a_second_or_more_is_a_field_protocol(profile, interval_s):
    name = f"{profile}-{interval_s}"
    if interval_s:
        protocol = protocol_by_name(name)
        assert (protocol.name, protocol.interval_s, protocol.timing.profile.name) == (name, interval_s, profile)
    else:
        with pytest.raises(InputError, match=r"^--protocol: .*-0: decides every 0 s; give it 1 s or more$"):
            protocol_by_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "",
            "literature",
            "literature-10",
            "literature-10-5-1",
            "literature--1-5",
            "resco-10",
            "x\n",
            "literature-١٠-5",
        ),
        *("us", "us-mutcd11", "us_mutcd", "de-rilsa-", "cn-gb-5-2", "field-5.5", "field--5", "de-rilsa-٥", "field\n"),
        *("us-mutcd-10000", "us-mutcd-5-lane-changes", "lane-change", "US-MUTCD"),
    ],
)
def test_other_names_are_refused_with_the_shipped_ones(name):
    with pytest.raises(
        InputError, match=r"use one of literature-30-5, literature-15-5.* us-mutcd-5, de-rilsa-5"
    ) as caught:
        protocol_by_name(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("interval_s", [0, -5, 2.5, float("nan"), True, "5"])
def test_interval_that_is_no_whole_number_of_seconds_is_refused(interval_s):
    with pytest.raises(ValueError, match="need whole seconds >= 1 as interval_s, got "):
        Protocol("own", interval_s, FixedClearance(1))


def test_impossible_timing_is_refused():
    with pytest.raises(ValueError, match="need a clearance of whole seconds, 0 or more, got -1"):
        FixedClearance(-1)


@pytest.mark.parametrize("own_clearance", [False, True])
@pytest.mark.parametrize("name", SHIPPED)
def test_field_timing_alone_does_not_trust_the_clearances_of_a_programme(name, own_clearance):
    protocol = protocol_by_name(name)
    plan = protocol.plan(load_scenario("single").network, own_clearance=own_clearance)
    as_it_stands = own_clearance and name not in FIELD
    assert plan.timing == (OwnClearance() if as_it_stands else protocol.timing)
