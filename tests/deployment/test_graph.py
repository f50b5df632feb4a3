"""The graph of a bundle scores as the policy's network does, whatever the junction, and refuses what is no number."""

import numpy as np
import pytest
from deployment.bundles import random_network
from deployment.observations import random_observations
from hypothesis import given, settings
from hypothesis import strategies as st

from intergreen.agents.controllers.run_folder import observation_columns
from intergreen.agents.controllers.ties import NO_CHOICE
from intergreen.agents.deployment.bundle import read_bundle
from intergreen.agents.deployment.graph import network_in, policy_graph
from intergreen.agents.deployment.inference import OnnxPolicy, PolicyFailedError
from intergreen.agents.deployment.onnx_file import GRAPH_DIGEST, read_onnx
from intergreen.envs.observation import ALL_FEATURES, DEFAULT_FEATURES, Blocks
from intergreen.envs.observation_arrays import taken_apart

FEATURES = {"default": DEFAULT_FEATURES, "all": ALL_FEATURES, "one": ("queue",)}
WIDTHS = {"default": 32, "all": 7, "one": 1}
NETWORKS = {name: random_network(FEATURES[name], seed=3, width=WIDTHS[name]) for name in FEATURES}
POLICIES = {name: OnnxPolicy(policy_graph(network, {})) for name, network in NETWORKS.items()}


def blocks_of(name, movements, choices):
    movement, signal = observation_columns(FEATURES[name])
    return Blocks(movements, len(movement), choices, len(signal))


@settings(max_examples=150)
@given(
    name=st.sampled_from(sorted(FEATURES)),
    shape=st.tuples(st.integers(1, 6), st.integers(1, 20), st.integers(1, 9)),
    seed=st.integers(0, 2**32 - 1),
)
def test_graph_scores_as_the_network_does_and_a_forbidden_choice_never_wins(name, shape, seed):
    n_signals, movements, choices = shape
    blocks = blocks_of(name, movements, choices)
    observation = random_observations(np.random.default_rng(seed), blocks, n_signals)
    scores = NETWORKS[name].scores(observation, blocks)
    observed = taken_apart(observation, blocks)
    found, chosen = POLICIES[name].scores(observed), POLICIES[name].choose(observed)
    allowed = observation[:, blocks.choices_at + 1 : blocks.signal_at : 2] != 0.0
    assert np.array_equal(found < NO_CHOICE, ~allowed)
    # Sums in another order, in 32 bits: scores of the widest network reach some thousands.
    size = np.abs(scores[allowed]).max(initial=1.0)
    assert np.abs(np.where(allowed, found - scores, 0.0)).max() <= 2e-5 * size
    some = allowed.any(axis=1)
    assert allowed[np.arange(n_signals), chosen][some].all()
    assert (chosen[~some] == 0).all()
    assert np.array_equal(chosen, NETWORKS[name].best_choices(observation, blocks))


def test_graph_by_itself_chooses_the_first_of_the_highest_scores():
    """For whoever runs the file without us; ours tells close scores apart in 64 bits."""
    blocks = blocks_of("default", 9, 5)
    observed = taken_apart(random_observations(np.random.default_rng(0), blocks, 50), blocks)
    choice, scores = POLICIES["default"]._session.run(["choice", "scores"], observed._asdict())
    assert len(set(choice.tolist())) > 2
    assert np.array_equal(choice, scores.argmax(axis=1))


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
            POLICIES[name].choose(taken_apart(spoilt, blocks))


def test_graph_has_the_digest_that_reading_asks_for_whatever_its_weights():
    for name, network in NETWORKS.items():
        assert read_onnx(policy_graph(network, {"features": name})).digest == GRAPH_DIGEST


def test_graph_has_the_same_bytes_every_time():
    first, second = (policy_graph(NETWORKS["default"], {"schema": "1", "features": "queue"}) for _ in range(2))
    assert first == second


def test_weights_in_a_bundle_are_the_networks(bundle):
    """Bit by bit: rounded ones would choose otherwise where two phases are as good."""
    network = random_network()
    found = network_in(read_onnx(bundle.model).arrays)
    assert found.arrays.keys() == network.arrays.keys()
    assert all(np.array_equal(found.arrays[name], array) for name, array in network.arrays.items())
    assert read_bundle(bundle.folder).model == policy_graph(network, read_onnx(bundle.model).metadata)
