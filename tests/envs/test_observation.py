"""Observation and reward against slow twins written from the table in the module's docstring."""

import numpy as np
import pytest

from intergreen.envs.errors import InputError
from intergreen.envs.observation import feature_names, legal_choices, make_layout, observe
from intergreen.envs.reward import queue_reward, reward_by_name
from intergreen.envs.scenario import load_scenario
from intergreen.envs.signals import make_plan


@pytest.fixture(scope="module", params=["single", "grid4x4", "town"])
def world(request):
    """Network, plan, layout and random counts and phases of 3 replicas."""
    network = load_scenario(request.param).network
    plan = make_plan(network)
    random = np.random.default_rng(5)
    waiting = random.integers(0, 60, (3, network.n_lanes)).astype(np.int32)
    phase = random.integers(-1, plan.n_phases, (3, plan.n_signals)).astype(np.int32)
    return network, plan, make_layout(network, plan), waiting, phase


def test_queue_features_are_the_waiting_vehicles_on_each_movements_lanes(world):
    network, plan, layout, waiting, phase = world
    observation = observe(waiting, phase, layout)
    for i, j in enumerate(plan.intersection):
        for place, movement in enumerate(range(network.movement_start[j], network.movement_start[j + 1])):
            links = range(network.movement_link_start[movement], network.movement_link_start[movement + 1])
            lanes = sorted({int(network.link_from_lane[link]) for link in links})
            expected = np.minimum(waiting[:, lanes].sum(axis=1) / 40.0, 1.0)
            assert observation[:, i, place] == pytest.approx(expected, abs=1e-6)


def test_phase_features_are_one_for_the_phase_and_zero_before_the_first(world):
    _, plan, layout, waiting, phase = world
    shown = observe(waiting, phase, layout)[..., layout.widest[0] :]
    for b, i in np.ndindex(phase.shape):
        assert shown[b, i].tolist() == [float(p == phase[b, i]) for p in range(plan.n_phases.max())]


def test_places_that_a_signal_lacks_stay_zero(world):
    _, plan, layout, waiting, phase = world
    observation = observe(waiting, phase, layout)
    for i in range(plan.n_signals):
        assert not observation[:, i, layout.n_movements[i] : layout.widest[0]].any()
        assert not observation[:, i, layout.widest[0] + plan.n_phases[i] :].any()


def test_observation_is_float32_between_zero_and_one_with_a_name_for_each_feature(world):
    _, plan, layout, waiting, phase = world
    observation = observe(waiting, phase, layout)
    assert observation.dtype == np.float32
    assert observation.shape == (3, plan.n_signals, layout.n_features)
    assert observation.min() >= 0
    assert observation.max() <= 1
    assert len(feature_names(layout)) == layout.n_features


def test_reward_is_minus_the_mean_queue_of_the_incoming_lanes(world):
    network, plan, layout, waiting, _ = world
    reward = queue_reward(waiting, layout)
    for i, j in enumerate(plan.intersection):
        movements = range(network.movement_start[j], network.movement_start[j + 1])
        roads = {int(network.movement_from_road[m]) for m in movements}
        lanes = np.flatnonzero(np.isin(network.lane_road, list(roads)))
        assert reward[:, i] == pytest.approx(-waiting[:, lanes].mean(axis=1) / 40.0, abs=1e-6)


def test_legal_choices_are_those_of_the_plan(world):
    _, plan, layout, _, _ = world
    assert legal_choices(layout).tolist() == (plan.choices >= 0).tolist()


def test_unknown_reward_is_one_line_with_the_known_ones():
    with pytest.raises(InputError, match="no reward is called 'speed'; use one of queue"):
        reward_by_name("speed")
