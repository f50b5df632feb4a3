"""Irregular towns are sound for every seed, and the same for the same seed."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from network.test_grid import assert_sound

from intergreen.envs.demand.routes import Router
from intergreen.envs.demand.walks import entry_roads, exit_roads
from intergreen.envs.network import TownSpec, generate_town


@settings(max_examples=40)
@given(signals=st.integers(1, 40), seed=st.integers(0, 2**32 - 1), disorder=st.floats(0, 0.2))
def test_towns_are_sound(signals, seed, disorder):
    network = generate_town(TownSpec(signals, disorder=disorder), seed=seed)
    assert_sound(network)
    legs = np.bincount(network.road_to, minlength=network.n_intersections)
    assert set(legs[~network.is_virtual].tolist()) <= {3, 4, 5}
    assert len(network.signalled) == signals


@settings(max_examples=10)
@given(signals=st.integers(1, 30), seed=st.integers(0, 2**32 - 1))
def test_every_exit_can_be_reached_from_every_entry(signals, seed):
    network = generate_town(TownSpec(signals, diagonal_share=0.5), seed=seed)
    router = Router(network)
    for start in entry_roads(network):
        for end in exit_roads(network):
            u_turn = network.road_from[start] == network.road_to[end]
            assert u_turn or router.complete((start, end)) is not None


def test_towns_have_three_four_and_five_legs_and_roads_of_many_kinds():
    network = generate_town(TownSpec(100), seed=1)
    legs = np.bincount(network.road_to, minlength=network.n_intersections)[~network.is_virtual]
    assert set(legs.tolist()) == {3, 4, 5}
    assert set(np.diff(network.road_lane_start).tolist()) == {1, 2, 3}
    assert np.ptp(network.road_length_m) > 50
    assert (np.diff(network.lane_point_start) == 3).any()


def test_same_seed_gives_the_same_town_and_another_seed_another():
    a, b, c = (generate_town(TownSpec(12), seed=seed) for seed in (5, 5, 6))
    for field in fields(a):
        assert np.array_equal(getattr(a, field.name), getattr(b, field.name))
    assert not np.array_equal(a.intersection_xy, c.intersection_xy)


@pytest.mark.parametrize(
    "change", [{"signals": 0}, {"signals": 10_001}, {"disorder": 0.5}, {"spacing_m": 90}, {"missing_share": 2}]
)
def test_bad_town_is_refused(change):
    with pytest.raises(ValueError, match="need"):
        replace(TownSpec(), **change)
