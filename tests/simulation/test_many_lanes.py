"""What the engine does for the sake of memory in large networks changes nothing that drives."""

import numpy as np
import pytest

from intergreen.envs.scenario import load_scenario
from intergreen.envs.simulation import Engine
from intergreen.envs.simulation.slots import MANY_LANES
from intergreen.envs.simulation.state import LANES_IN_USE, LINKS_IN_USE


@pytest.fixture(scope="module")
def city():
    return load_scenario("city1024")


def driving(scenario, *, seconds=0):
    engine = Engine(scenario.network, scenario.demand)
    engine.reset([scenario.trips(0)], [0])
    engine.green[:] = 1
    engine.advance(seconds)
    return engine


def listed(engine):
    """Lanes and links in use, as the engine lists them."""
    n_lanes, tally, in_use = engine.network.n_lanes, engine.state.tally[0], engine.state.in_use[0]
    return in_use[: tally[LANES_IN_USE]], in_use[n_lanes : n_lanes + tally[LINKS_IN_USE]]


def test_every_drivable_with_vehicles_is_listed_once_and_in_order_where_there_are_many(city):
    engine = driving(city, seconds=201)  # the list was put in order in the last second
    lanes, links = listed(engine)
    assert len(lanes) > MANY_LANES
    inside = np.flatnonzero(engine.state.n_inside[0])
    assert np.array_equal(np.sort(np.concatenate([lanes, links])), inside)
    assert np.array_equal(engine.state.in_use[0, engine.state.in_use_at[0, inside]], inside)
    assert (np.diff(lanes) > 0).mean() > 0.9  # but for those that filled or emptied in that second


@pytest.mark.parametrize("name", ["grid4x4", "town"])
def test_the_order_of_the_list_moves_nobody(name):
    scenario, rng = load_scenario(name), np.random.default_rng(5)
    plain, mixed = driving(scenario), driving(scenario)
    for _ in range(60):
        for entries in listed(mixed):  # views
            rng.shuffle(entries)
        for at, drivable in enumerate(listed(mixed)[0]):
            mixed.state.in_use_at[0, drivable] = at
        for at, drivable in enumerate(listed(mixed)[1]):
            mixed.state.in_use_at[0, drivable] = scenario.network.n_lanes + at
        plain.advance(10)
        mixed.advance(10)
        for ours, theirs in zip(plain.positions(), mixed.positions(), strict=True):
            assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("name", ["single", "grid4x4"])
def test_no_link_stays_marked_from_one_second_to_the_next(name):
    engine = driving(load_scenario(name))
    for _ in range(100):
        engine.advance(1)
        assert not engine.state.hot.any()
