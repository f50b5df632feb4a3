"""The passes written out by hand give what autograd makes of the formulas: scores, values and all slopes."""

import copy
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from learning.random_network import random_network

from intergreen.agents.learning.network import PART
from intergreen.agents.learning.passes import FORBIDDEN, Packed
from intergreen.envs.observation import HIGHEST, Blocks

BLOCKS = st.builds(Blocks, st.integers(1, 9), st.integers(1, 6), st.integers(1, 6), st.integers(0, 3))
SEEDS = st.integers(0, 2**31)
# In double precision: what differs is the order of sums over some hundred products.
CLOSE = {"rtol": 1e-10, "atol": 1e-10}


def observations(blocks, n, seed):
    """Random ones with flags that are 0 or 1; some signals may ask for nothing at all."""
    random = np.random.default_rng(seed)
    movements = random.uniform(0, HIGHEST, (n, blocks.movements, blocks.movement_columns))
    movements[:, :, 0] = random.integers(0, 2, movements.shape[:2])
    flags = random.integers(0, 2, (n, blocks.choices * 2))
    signal = random.uniform(0, HIGHEST, (n, blocks.signal_columns))
    serves = random.integers(0, 2, (n, blocks.choices * blocks.movements))
    return torch.from_numpy(np.concatenate([movements.reshape(n, blocks.choices_at), flags, signal, serves], axis=1))


def slopes(network, scores, values, seed):
    """Of a random mixture of scores and values, by parameter; forbidden scores are constants."""
    torch.manual_seed(seed)
    mixture = (torch.randn_like(scores) * scores).sum() + (torch.randn_like(values) * values).sum()
    return torch.autograd.grad(mixture, list(network.parameters()))


@settings(max_examples=60, deadline=None)
@given(BLOCKS, st.integers(1, 24), st.integers(1, 7), SEEDS)
def test_passes_are_those_of_autograd(blocks, width, n, seed):
    network, seen = random_network(blocks, width, seed), observations(blocks, n, seed)
    ours, theirs = network(seen), network.plain_forward(seen)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, **CLOSE)
    pairs = zip(slopes(network, *ours, seed), slopes(network, *theirs, seed), strict=True)
    for (name, _), (one, other) in zip(network.named_parameters(), pairs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-8, msg=lambda words, name=name: f"{name}: {words}")


def test_scores_alone_leave_the_head_for_values_untouched():
    blocks = Blocks(4, 3, 3, 2)
    network, seen = random_network(blocks, 8, 0), observations(blocks, 5, 0)
    scores = network.forward_actor(seen)
    scores[scores != FORBIDDEN].sum().backward()
    untouched = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    assert untouched == ["outlook.weight", "outlook.bias", "value.weight", "value.bias"]


def test_values_alone_have_the_slopes_of_values():
    blocks = Blocks(4, 3, 3, 2)
    network, seen = random_network(blocks, 8, 1), observations(blocks, 5, 1)
    expected = torch.autograd.grad(network.plain_forward(seen)[1].sum(), list(network.parameters()), allow_unused=True)
    found = torch.autograd.grad(network.forward_critic(seen).sum(), list(network.parameters()))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, torch.zeros_like(one) if other is None else other, **CLOSE)


@pytest.mark.parametrize("n", [0, 1, PART, 2 * PART + 3])
def test_with_and_without_autograd_many_observations_score_as_each_alone(n):
    blocks = Blocks(4, 3, 3, 2)
    network, seen = random_network(blocks, 8, 2), observations(blocks, n, 2)
    with_slopes = network(seen)
    with torch.no_grad():
        without = network(seen)
        alone = [network(one.unsqueeze(0)) for one in seen[-3:]]
    for one, other in zip(with_slopes, without, strict=True):
        torch.testing.assert_close(one.detach(), other, **CLOSE)
    for k, pair in enumerate(alone, start=max(n - 3, 0)):
        torch.testing.assert_close(without[0][k : k + 1], pair[0], **CLOSE)
        torch.testing.assert_close(without[1][k : k + 1], pair[1], **CLOSE)


def test_parameters_are_packed_each_once():
    network = random_network(Blocks(4, 3, 3, 2), 8, 3)
    packed = Packed(torch.empty(0, dtype=torch.float64), network.blocks, 8)
    with torch.no_grad():
        packed.take(network.parameters())
    for parameter, part in zip(network.parameters(), packed.parts, strict=True):
        assert torch.equal(parameter, part)
    assert packed.flat.numel() == sum(parameter.numel() for parameter in network.parameters())


def test_slopes_by_the_observation_are_there_for_who_asks():
    blocks = Blocks(4, 3, 3, 2)
    network, seen = random_network(blocks, 8, 3), observations(blocks, 5, 3).requires_grad_()
    network.forward_critic(seen).sum().backward()
    assert seen.grad.abs().max() > 0.0


def test_pass_is_not_disturbed_by_another_before_its_slopes_are_asked_for():
    blocks = Blocks(4, 3, 3, 2)
    network, seen = random_network(blocks, 8, 4), observations(blocks, 5, 4)
    expected = slopes(network, *network(seen), 4)
    answer = network(seen)
    with torch.no_grad():
        network(observations(blocks, 5, 5))
    copy.deepcopy(network)(observations(blocks, 5, 6))
    for one, other in zip(slopes(network, *answer, 4), expected, strict=True):
        assert torch.equal(one, other)


def test_answers_follow_the_weights_and_stay_as_they_were_given():
    blocks = Blocks(4, 3, 3, 2)
    network, seen = random_network(blocks, 8, 7), observations(blocks, 5, 7)
    with torch.no_grad():
        first, _ = network(seen)
        kept = first.clone()
        network.score.bias.add_(1.0)
        second, _ = network(seen)
        assert torch.equal(first, kept)
        allowed = first != FORBIDDEN
        torch.testing.assert_close(second[allowed], first[allowed] + 1.0, **CLOSE)


def test_threads_do_not_write_into_each_others_answers():
    blocks = Blocks(9, 6, 6, 2)
    network, seen = random_network(blocks, 16, 8), [observations(blocks, 200, seed) for seed in range(4)]

    def answer(k):
        with torch.no_grad():
            return [network(seen[k])[0] for _ in range(20)]

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(answer, range(4)))
    for k, found in enumerate(answers):
        expected = answer(k)[0]
        assert all(torch.equal(one, expected) for one in found)
