"""In NumPy the policy scores as its graph does, whatever the junction, and thinks only where there is a choice; where
it does not score so, the graph decides."""

import numpy as np
import pytest
from deployment.bundles import random_network
from deployment.observations import random_observations
from hypothesis import given, settings
from hypothesis import strategies as st

from intergreen.agents.controllers.run_folder import observation_columns
from intergreen.agents.controllers.ties import NO_CHOICE
from intergreen.agents.deployment import plain_policy
from intergreen.agents.deployment.columns import COLUMNS
from intergreen.agents.deployment.graph import policy_graph
from intergreen.agents.deployment.inference import OnnxPolicy, PolicyFailedError
from intergreen.agents.deployment.plain_policy import PlainPolicy, policy_of
from intergreen.envs.observation import ALL_FEATURES, DEFAULT_FEATURES, Blocks
from intergreen.envs.observation_arrays import taken_apart

FEATURES = {"default": DEFAULT_FEATURES, "all": ALL_FEATURES, "one": ("queue",)}
WIDTHS = {"default": 32, "all": 7, "one": 1}
MODELS = {
    name: policy_graph(random_network(features, seed=3, width=WIDTHS[name]), {"features": ",".join(features)})
    for name, features in FEATURES.items()
}
FLAGS = {
    name: [k for k, column in enumerate(observation_columns(FEATURES[name])[0]) if COLUMNS[column].unit == "flag"]
    for name in FEATURES
}
# Scores of 1 are what is left of sums of hidden values that reach 300, of which 32 bits hold 2e-5 each: over 1,500 such
# observations the two differ by up to 6e-5, in an earlier order of the sums by 8e-5.
APART = 1e-4
GRAPHS = {name: OnnxPolicy(model) for name, model in MODELS.items()}
PLAIN = {name: PlainPolicy(model) for name, model in MODELS.items()}


def blocks_of(name, movements, choices):
    movement, signal = observation_columns(FEATURES[name])
    return Blocks(movements, len(movement), choices, len(signal))


@settings(max_examples=150)
@given(
    name=st.sampled_from(sorted(FEATURES)),
    shape=st.tuples(st.integers(1, 700), st.integers(1, 20), st.integers(1, 9)),
    allowed_share=st.sampled_from([0.0, 0.2, 0.8, 1.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_plain_policy_scores_and_chooses_as_the_graph_does(name, shape, allowed_share, seed):
    n_signals, movements, choices = shape
    blocks, random = blocks_of(name, movements, choices), np.random.default_rng(seed)
    observation = random_observations(random, blocks, n_signals)
    allowed = random.random((n_signals, choices)) < allowed_share
    observation[:, blocks.choices_at + 1 : blocks.signal_at : 2] = allowed
    observed = taken_apart(observation, blocks)
    observed.movements[FLAGS[name]] = observed.movements[FLAGS[name]] > 1.0
    scores, found = GRAPHS[name].scores(observed), PLAIN[name].scores(observed)
    assert np.array_equal(found < NO_CHOICE, ~allowed)
    size = np.abs(scores[allowed]).max(initial=1.0)
    assert np.abs(np.where(allowed, found - scores, 0.0)).max() <= APART * size
    chosen = PLAIN[name].choose(observed)
    assert chosen.dtype == np.int32
    assert np.array_equal(chosen, GRAPHS[name].choose(observed))
    assert (chosen[~allowed.any(axis=1)] == 0).all()


def test_few_signals_with_a_choice_are_thought_about_alone(monkeypatch):
    blocks = blocks_of("default", 4, 3)
    observation = random_observations(np.random.default_rng(0), blocks, 5)
    allowed = [[0, 0, 0], [0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 0]]
    observation[:, blocks.choices_at + 1 : blocks.signal_at : 2] = allowed
    policy, asked = PlainPolicy(MODELS["default"]), []
    scores = policy.scores
    monkeypatch.setattr(policy, "scores", lambda seen: asked.append(seen.choices[:, :, 1].tolist()) or scores(seen))
    chosen = policy.choose(taken_apart(observation, blocks))
    assert chosen[[0, 1, 4]].tolist() == [0, 2, 1]
    assert asked == [[[1, 0, 1], [1, 1, 1]]]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", FEATURES)
def test_what_is_no_finite_number_is_refused_wherever_it_stands(name, value):
    blocks = blocks_of(name, 4, 3)
    observation = random_observations(np.random.default_rng(0), blocks, 2)
    observation[:, blocks.choices_at + 1 : blocks.signal_at : 2] = 1.0
    for place in range(blocks.size):
        spoilt = observation.copy()
        spoilt[1, place] = value
        with pytest.raises(PolicyFailedError, match="no finite number"):
            PLAIN[name].choose(taken_apart(spoilt, blocks))


def test_scores_beyond_32_bits_are_refused():
    network = random_network(seed=1)
    for array in network.arrays.values():
        array *= 1e15
    blocks = blocks_of("default", 4, 3)
    observation = random_observations(np.random.default_rng(0), blocks, 2)
    observation[:, blocks.choices_at + 1 : blocks.signal_at : 2] = 1.0
    with pytest.raises(PolicyFailedError, match="no finite numbers"):
        PlainPolicy(policy_graph(network, {})).choose(taken_apart(observation, blocks))


@pytest.mark.parametrize("name", FEATURES)
def test_plain_policy_decides_where_it_scores_as_the_graph_does(name):
    assert isinstance(policy_of(MODELS[name]), PlainPolicy)


def test_graph_decides_where_numpy_scores_otherwise(monkeypatch, caplog):
    right = PlainPolicy._scores_of_few
    monkeypatch.setattr(plain_policy.PlainPolicy, "_scores_of_few", lambda *asked: -right(*asked))
    assert isinstance(policy_of(MODELS["default"]), OnnxPolicy)
    assert "does not choose as ONNX Runtime does" in caplog.text
