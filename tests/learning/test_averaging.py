"""The mean of the weights over the updates: what it weighs how much, and that a run writes it."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from intergreen.agents.controllers.policy_network import read_network
from intergreen.agents.learning.averaging import WeightAverage
from intergreen.agents.learning.prepare import prepare
from intergreen.agents.learning.train import train


def averaged(networks, power):
    average = WeightAverage(power)
    for network in networks:
        average.add(network)
    return average.network().arrays


def weights_of_updates(updates, power):
    """What each update counts, by the recursion's definition run backwards."""
    shares = [(power + 1) / (k + power) for k in range(1, updates + 1)]
    return [shares[k] * np.prod([1 - share for share in shares[k + 1 :]]) for k in range(updates)]


@given(st.integers(1, 12), st.sampled_from([0.0, 1.0, 3.0]))
def test_mean_weighs_every_update_as_defined(updates, power):
    from intergreen.agents.controllers.policy_network import PolicyNetwork, actor_shapes

    random = np.random.default_rng(updates)
    shapes = actor_shapes(2, 3, 1)
    networks = [
        PolicyNetwork({name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()})
        for _ in range(updates)
    ]
    weights = weights_of_updates(updates, power)
    assert sum(weights) == pytest.approx(1.0)
    for name, mean in averaged(networks, power).items():
        expected = sum(weight * network.arrays[name] for weight, network in zip(weights, networks, strict=True))
        assert mean == pytest.approx(expected, abs=1e-6)


def test_power_0_is_the_plain_mean_and_power_3_gives_the_last_third_four_fifths():
    assert weights_of_updates(7, 0.0) == pytest.approx([1 / 7] * 7)
    assert sum(weights_of_updates(300, 3.0)[200:]) == pytest.approx(0.80, abs=0.01)


def test_run_writes_and_judges_the_mean_and_learns_with_its_own_weights(recipe_with, tmp_path, stated):
    with_mean = train(prepare(recipe_with("averaging: 0"), out=tmp_path / "mean"))
    without = train(prepare(recipe_with(), out=tmp_path / "last"))
    mean, last = (read_network(folder / "policy.npz").arrays for folder in (with_mean, without))
    assert not np.array_equal(mean["score.weight"], last["score.weight"])
    learners = [torch.load(folder / "checkpoint.pt", weights_only=True) for folder in (with_mean, without)]
    for name, tensor in learners[0]["policy"].items():
        assert torch.equal(tensor, learners[1]["policy"][name])
    assert learners[0]["averaged"] == 3  # 240 decisions, 80 for every update
    assert learners[0]["average"]["score.weight"].numpy().astype(np.float32) == pytest.approx(mean["score.weight"])
    assert stated(with_mean)["outcome"]["last"]["evaluation"]["steps"] == 240
