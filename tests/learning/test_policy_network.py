"""The policy in NumPy: equal to PyTorch's on any network, and picky about its file."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from intergreen.agents.controllers.policy_network import FORBIDDEN, PolicyNetwork, read_network, write_network
from intergreen.agents.learning.network import SignalNetwork
from intergreen.envs.errors import InputError
from intergreen.envs.layout import make_layout
from intergreen.envs.observation import ALL_FEATURES, DEFAULT_FEATURES, HIGHEST
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import load_scenario
from intergreen.envs.signals import make_plan

WORLDS = [("single", "literature-5-2"), ("grid4x4", "literature-10-5"), ("town", "literature-10-5")]


def layout_of(scenario, protocol="literature-10-5", features=DEFAULT_FEATURES):
    network = load_scenario(scenario).network
    return make_layout(network, make_plan(network, choices=protocol_by_name(protocol).choices), features=features)


LAYOUTS = [
    layout_of(*world, features)
    for world in WORLDS
    for features in (DEFAULT_FEATURES, ALL_FEATURES, ("queue", "timing"))
]


def random_observation(random, blocks, n):
    """Anything within bounds, with flags that are 0 or 1 and at least one choice allowed."""
    observation = random.uniform(0, HIGHEST, (n, blocks.size)).astype(np.float32)
    flags = random.integers(0, 2, (n, blocks.choices, 2))
    flags[np.arange(n), random.integers(0, blocks.choices, n), 1] = 1
    observation[:, blocks.choices_at : blocks.signal_at] = flags.reshape(n, -1)
    observation[:, blocks.serves_at :] = random.integers(0, 2, (n, blocks.choices * blocks.movements))
    observation[:, : blocks.choices_at : blocks.movement_columns] = random.integers(0, 2, (n, blocks.movements))
    return observation


def twin(blocks, width, seed):
    """The same random weights in PyTorch and NumPy; without the head for values, which NumPy has no use for."""
    torch.manual_seed(seed)
    network = SignalNetwork(blocks, width=width)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(0.0, 0.3)
    arrays = {name: tensor.numpy().copy() for name, tensor in network.state_dict().items()}
    return network, PolicyNetwork({n: a for n, a in arrays.items() if not n.startswith(("outlook.", "value."))})


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(LAYOUTS), st.integers(1, 70), st.integers(0, 10_000))
def test_numpy_network_is_the_torch_network(layout, width, seed):
    torch_network, network = twin(layout.blocks, width, seed)
    assert network.width == width
    observation = random_observation(np.random.default_rng(seed), layout.blocks, 7)
    with torch.no_grad():
        expected = torch_network(torch.from_numpy(observation))[0].numpy()
    # float32 sums in another order, over values that reach thousands
    scale = float(np.abs(expected[expected != FORBIDDEN]).max()) + 1.0
    assert network.scores(observation, layout.blocks) == pytest.approx(expected, rel=1e-4, abs=1e-4 * scale)


@given(st.sampled_from(LAYOUTS), st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_only_allowed_choices_are_best(layout, seed):
    _, network = twin(layout.blocks, 8, seed)
    observation = random_observation(np.random.default_rng(seed), layout.blocks, 20)
    allowed = observation[:, layout.blocks.choices_at : layout.blocks.signal_at].reshape(20, -1, 2)[:, :, 1]
    best = network.best_choices(observation, layout.blocks)
    assert (allowed[np.arange(20), best] == 1.0).all()


def test_one_policy_scores_signals_of_any_size():
    layouts = [layout_of(*world) for world in WORLDS]
    assert len({layout.blocks for layout in layouts}) == len(layouts)
    _, network = twin(layouts[0].blocks, 8, 0)
    for layout in layouts:
        observation = random_observation(np.random.default_rng(0), layout.blocks, 6).reshape(2, 3, -1)
        assert network.scores(observation, layout.blocks).shape == (2, 3, layout.blocks.choices)


def test_network_survives_the_file(random_network, tmp_path):
    network = random_network(0, movement_columns=5, signal_columns=2)
    write_network(tmp_path / "policy.npz", network)
    again = read_network(tmp_path / "policy.npz")
    assert set(again.arrays) == set(network.arrays)
    assert all(np.array_equal(again.arrays[name], array) for name, array in network.arrays.items())


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("own.weight", lambda array: array[:, :-1], "own.weight has the shape (8, 7), not (8, 8)"),
        ("served.bias", lambda array: array * np.nan, "served.bias holds a number that is not finite"),
        ("movement.weight", lambda array: array[0], "no matrix is called 'movement.weight'"),
        ("score.bias", None, "unknown or missing layers: score.bias"),
        ("more.weight", lambda _: np.zeros(3), "unknown or missing layers: more.weight"),
        ("own.bias", lambda _: np.array([{}], dtype=object), "holds no policy"),
    ],
)
def test_wrong_layers_are_one_line(name, change, words, random_network, tmp_path):
    arrays = dict(random_network(0, movement_columns=5, signal_columns=2).arrays)
    before = arrays.pop(name, None)
    if change is not None:
        arrays[name] = change(before)
    np.savez(tmp_path / "policy.npz", **arrays)
    with pytest.raises(InputError) as caught:
        read_network(tmp_path / "policy.npz")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
