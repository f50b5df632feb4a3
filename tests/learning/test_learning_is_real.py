"""Learning is real: a policy of some seconds' training beats itself untrained, and needs to see what it sees.

And it knows nothing of the order in which movements and phases are listed.
"""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from learning.random_network import random_network

from intergreen.agents.controllers import controller_by_name
from intergreen.agents.controllers.learned import PolicyController
from intergreen.agents.controllers.policy_network import FORBIDDEN, PolicyNetwork, actor_shapes, read_network
from intergreen.agents.evaluation.run import evaluate
from intergreen.agents.learning.budget import Budget
from intergreen.agents.learning.model import make_model, network_of
from intergreen.agents.learning.prepare import prepare
from intergreen.agents.learning.recipe import read_recipe
from intergreen.agents.learning.train import train
from intergreen.envs.choices import chosen_phases
from intergreen.envs.episodes import Episodes
from intergreen.envs.layout import make_layout
from intergreen.envs.network import streets
from intergreen.envs.network.builder import build_network
from intergreen.envs.network.description import PhaseDescription
from intergreen.envs.observation import ALL_FEATURES, DEFAULT_FEATURES, HIGHEST, Blocks
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import load_scenario
from intergreen.envs.senses import observe_all
from intergreen.envs.signals import SignalStatus, make_plan
from intergreen.envs.vector_env import TrafficVecEnv

SCENARIO = """
name: quad
network: {kind: grid, rows: 2, columns: 2, spacing_x_m: 300, spacing_y_m: 300, lanes: 3}
demand: {kind: turns, entry_vph: 600}
horizon_s: 900
"""
RECIPE = "{{scenario: {scenario}, steps: 120000, replicas: 30, threads: 1, evaluation: {{seeds: 1, every_s: 1000}}}}"
SEEDS = range(8)  # trainings draw their trips by seeds above 1,000,000


@pytest.fixture(scope="session")
def quad(tmp_path_factory):
    path = tmp_path_factory.mktemp("scenarios") / "quad.yaml"
    path.write_text(SCENARIO)
    return load_scenario(path)


@pytest.fixture(scope="session")
def learned(tmp_path_factory):
    """The networks of one training, with the weights it begins with and those it ends with."""
    folder = tmp_path_factory.mktemp("learned")
    (folder / "quad.yaml").write_text(SCENARIO)
    (folder / "recipe.yaml").write_text(RECIPE.format(scenario=folder / "quad.yaml"))
    recipe = read_recipe(str(folder / "recipe.yaml"))
    env = TrafficVecEnv(recipe.scenario, replicas=1)
    first = network_of(make_model(env, recipe, Budget(minutes=None, steps=1)))
    run = train(prepare(str(folder / "recipe.yaml"), out=folder / "run"))
    return first, read_network(run / "policy.npz")


def travel_times_s(scenario, controller):
    """Mean travel time of each seed."""
    protocol = protocol_by_name(scenario.default_protocol)
    result = evaluate(scenario, controller, protocol, seeds=list(SEEDS))
    return np.array(result["metrics"]["average_travel_time_s"]["per_seed"])


@pytest.fixture(scope="session")
def trained_s(quad, learned):
    return travel_times_s(quad, PolicyController("trained", learned[1], DEFAULT_FEATURES))


# In seconds: 121 trained, 195 untrained, 137 to 201 with the baselines, 172 and 176 misled. Another training seed moves
# the first by 2 s; the seed of the trips moves each by less than a tenth.


def test_training_makes_the_policy_much_better_on_every_seed_of_unseen_trips(quad, learned, trained_s):
    untrained_s = travel_times_s(quad, PolicyController("untrained", learned[0], DEFAULT_FEATURES))
    assert (trained_s < 0.8 * untrained_s).all()


@pytest.mark.parametrize(
    ("baseline", "share"),
    [("advanced-max-pressure", 0.95), ("max-pressure", 0.85), ("fixed-time", 0.75), ("fixed-cycle", 0.7)],
)
def test_trained_policy_beats_the_baseline(baseline, share, quad, trained_s):
    baseline_s = travel_times_s(quad, controller_by_name(baseline))
    assert trained_s.mean() < share * baseline_s.mean()
    assert (trained_s < (share + 0.1) * baseline_s).all()


class Shuffled:
    """The policy, every signal of every copy shown what another one sees."""

    def __init__(self, network):
        self._network = network
        self._random = np.random.default_rng(0)

    def best_choices(self, observation, blocks):
        flat = observation.reshape(-1, blocks.size)
        return self._network.best_choices(self._random.permutation(flat).reshape(observation.shape), blocks)


class Outdated:
    """The policy, shown what there was to see at a moment drawn from all until now."""

    def __init__(self, network):
        self._network = network
        self._random = np.random.default_rng(0)
        self._seen = []

    def best_choices(self, observation, blocks):
        self._seen.append(observation.copy())
        return self._network.best_choices(self._seen[self._random.integers(len(self._seen))], blocks)


@pytest.mark.parametrize("misled", [Shuffled, Outdated])
def test_policy_that_is_shown_something_else_is_ruined(misled, quad, learned, trained_s):
    misled_s = travel_times_s(quad, PolicyController("misled", misled(learned[1]), DEFAULT_FEATURES))
    assert (misled_s > 1.1 * trained_s).all()
    assert misled_s.mean() > 1.25 * trained_s.mean()


# Order and padding. In double precision, so that the order of sums shows in the 15th digit and not in the sixth.


def numpy_network(blocks, width, seed):
    random = np.random.default_rng(seed)
    shapes = actor_shapes(width, blocks.movement_columns, blocks.signal_columns)
    return PolicyNetwork({name: random.normal(0.0, 0.5, shape) for name, shape in shapes.items()})


def scores_and_values(network, observation, blocks):
    """Of either network; NumPy's has no values, and gives zeros."""
    if isinstance(network, PolicyNetwork):
        return network.scores(observation, blocks), np.zeros((len(observation), 1))
    network.blocks = blocks  # the weights do not depend on how many movements and choices there are
    with torch.no_grad():
        scores, values = network(torch.from_numpy(observation))
        assert torch.equal(scores, network.forward_actor(torch.from_numpy(observation)))
        assert torch.equal(values, network.forward_critic(torch.from_numpy(observation)))
    return scores.numpy(), values.numpy()


def parts_of(random, blocks, n):
    """Observations drawn at random, taken apart: movements, choices, signal, and which choice serves what."""
    movements = random.uniform(0, HIGHEST, (n, blocks.movements, blocks.movement_columns))
    movements[:, :, 0] = random.random((n, blocks.movements)) < 0.8
    choices = random.integers(0, 2, (n, blocks.choices, 2)).astype(float)
    signal = random.uniform(0, HIGHEST, (n, blocks.signal_columns))
    serves = random.integers(0, 2, (n, blocks.choices, blocks.movements)).astype(float)
    return movements, choices, signal, serves


def joined(movements, choices, signal, serves):
    n = len(movements)
    return np.concatenate([part.reshape(n, -1) for part in (movements, choices, signal, serves)], axis=1)


NETWORKS = pytest.mark.parametrize("make_network", [random_network, numpy_network], ids=["torch", "numpy"])
BLOCKS = st.builds(Blocks, st.integers(1, 9), st.integers(1, 6), st.integers(1, 6), st.integers(0, 3))
WIDTHS, DRAWS = st.integers(1, 24), st.integers(0, 2**31)
N = 5


@NETWORKS
@settings(max_examples=60)
@given(BLOCKS, WIDTHS, DRAWS)
def test_order_of_movements_does_not_matter(make_network, blocks, width, seed):
    random = np.random.default_rng(seed)
    network = make_network(blocks, width, seed)
    movements, choices, signal, serves = parts_of(random, blocks, N)
    order = random.permutation(blocks.movements)
    as_they_are = joined(movements, choices, signal, serves)
    reordered = joined(movements[:, order], choices, signal, serves[:, :, order])
    for one, other in zip(
        scores_and_values(network, as_they_are, blocks), scores_and_values(network, reordered, blocks), strict=True
    ):
        assert other == pytest.approx(one, rel=1e-9, abs=1e-9)


@NETWORKS
@settings(max_examples=60)
@given(BLOCKS, WIDTHS, DRAWS)
def test_scores_follow_the_order_of_the_choices_and_the_value_does_not(make_network, blocks, width, seed):
    random = np.random.default_rng(seed)
    network = make_network(blocks, width, seed)
    movements, choices, signal, serves = parts_of(random, blocks, N)
    order = random.permutation(blocks.choices)
    scores, values = scores_and_values(network, joined(movements, choices, signal, serves), blocks)
    reordered = joined(movements, choices[:, order], signal, serves[:, order])
    scores_then, values_then = scores_and_values(network, reordered, blocks)
    assert scores_then == pytest.approx(scores[:, order], rel=1e-9, abs=1e-9)
    assert values_then == pytest.approx(values, rel=1e-9, abs=1e-9)


@NETWORKS
@settings(max_examples=60)
@given(BLOCKS, WIDTHS, DRAWS, st.integers(0, 4), st.integers(0, 4))
def test_room_for_more_movements_and_choices_changes_nothing(make_network, blocks, width, seed, more, other):
    wider = dataclasses.replace(blocks, movements=blocks.movements + more, choices=blocks.choices + other)
    network = make_network(blocks, width, seed)
    movements, choices, signal, serves = parts_of(np.random.default_rng(seed), blocks, N)
    scores, values = scores_and_values(network, joined(movements, choices, signal, serves), blocks)
    padded = joined(
        np.pad(movements, ((0, 0), (0, more), (0, 0))),
        np.pad(choices, ((0, 0), (0, other), (0, 0))),
        signal,
        np.pad(serves, ((0, 0), (0, other), (0, more))),
    )
    scores_then, values_then = scores_and_values(network, padded, wider)
    assert scores_then[:, : blocks.choices] == pytest.approx(scores, rel=1e-9, abs=1e-9)
    assert (scores_then[:, blocks.choices :] == FORBIDDEN).all()
    assert values_then == pytest.approx(values, rel=1e-9, abs=1e-9)


@NETWORKS
@settings(max_examples=60)
@given(BLOCKS, WIDTHS, DRAWS)
def test_choice_that_is_not_allowed_has_no_say_in_the_others(make_network, blocks, width, seed):
    random = np.random.default_rng(seed)
    network = make_network(blocks, width, seed)
    movements, choices, signal, serves = parts_of(random, blocks, N)
    scores, values = scores_and_values(network, joined(movements, choices, signal, serves), blocks)
    forbidden = choices[:, :, 1] == 0.0
    assert (scores[forbidden] == FORBIDDEN).all()
    assert (scores[~forbidden] > FORBIDDEN / 2).all()
    choices[:, :, 0] = np.where(forbidden, 1.0 - choices[:, :, 0], choices[:, :, 0])
    serves = np.where(forbidden[:, :, None], 1.0 - serves, serves)
    scores_then, values_then = scores_and_values(network, joined(movements, choices, signal, serves), blocks)
    assert np.array_equal(scores_then, scores)
    assert np.array_equal(values_then, values)


def described(name, monkeypatch):
    """A shipped scenario and the description from which its network was built."""
    descriptions = []

    def build(description):
        descriptions.append(description)
        return build_network(description)

    monkeypatch.setattr(streets, "build_network", build)
    return load_scenario(name), descriptions[-1]


def relabelled(network, description, plan, random):
    """The network with movements and choices listed in another order, and which each was: (I, P) and (M,)."""
    places = list(description.intersections)
    old_phase = np.tile(np.arange(plan.n_phases.max()), (plan.n_signals, 1))
    old_movement = np.arange(network.n_movements)
    for i, j in enumerate(plan.intersection.tolist()):
        choices = plan.choices[i, : plan.n_choices[i]]
        old_phase[i, choices] = random.permutation(choices)
        movements = random.permutation(len(places[j].movements))
        at = network.movement_start[j]
        old_movement[at : at + len(movements)] = at + movements
        first = network.phase_start[j]
        durations_s, greens = network.phase_duration_s[first:], network.phase_matrix(j)
        phases = tuple(
            PhaseDescription(float(durations_s[p]), tuple(np.flatnonzero(greens[p][movements]).tolist()))
            for p in old_phase[i, : plan.n_phases[i]]
        )
        places[j] = places[j]._replace(movements=tuple(places[j].movements[m] for m in movements), phases=phases)
    return build_network(dataclasses.replace(description, intersections=tuple(places))), old_phase, old_movement


def a_random_policy(features):
    layout = make_layout((single := load_scenario("single")).network, make_plan(single.network), features=features)
    return numpy_network(layout.blocks, 16, 0)


@pytest.mark.parametrize("policy", ["trained", "random"])
@pytest.mark.parametrize("name", ["grid4x4", "town", "arterial6"])
def test_policy_asks_for_the_same_greens_however_movements_and_phases_are_listed(name, policy, learned, monkeypatch):
    """Where two choices score the same, the first one listed is taken: there the order may show, and nowhere else."""
    features = DEFAULT_FEATURES if policy == "trained" else ALL_FEATURES
    network = learned[1] if policy == "trained" else a_random_policy(ALL_FEATURES)
    scenario, description = described(name, monkeypatch)
    episodes = Episodes(scenario, features=features, replicas=2, horizon_s=600)
    plan, core, timing = episodes.plan, episodes.core, episodes.protocol
    other_network, old_phase, old_movement = relabelled(scenario.network, description, plan, np.random.default_rng(0))
    other_plan = timing.plan(other_network)
    assert not np.array_equal(other_network.movement_to_road, scenario.network.movement_to_road)
    assert np.array_equal(other_plan.choices, plan.choices)
    layout = make_layout(other_network, other_plan, features=features)
    new_phase = np.argsort(old_phase, axis=1)
    signals = np.arange(plan.n_signals)
    seen, clear, decisions = episodes.reset([np.random.default_rng(b) for b in range(2)]), 0, 0
    old_in_network = np.arange(scenario.network.n_phases)
    for offset, n, old in zip(plan.phase_offset, plan.n_phases, old_phase, strict=True):
        old_in_network[offset : offset + n] = offset + old[:n]
    while not episodes.is_over:
        told = core.signals(timing.interval_s)
        told_so = SignalStatus(
            new_phase[signals, told.phase].astype(np.int32),
            told.green_s,
            told.red_s[:, old_movement],
            told.granted[:, old_in_network],
            told.overruled,
        )
        seen_so = observe_all(core.counts(), told_so, timing.interval_s, layout)
        scores, scores_so = network.scores(seen, episodes.layout.blocks), network.scores(seen_so, layout.blocks)
        best, best_so = scores.argmax(axis=2), scores_so.argmax(axis=2)
        wanted, wanted_so = chosen_phases(plan, best), old_phase[signals, chosen_phases(other_plan, best_so)]
        ranked = np.sort(scores, axis=2)
        # float32 sums in another order
        assert scores_so.max(axis=2) == pytest.approx(ranked[:, :, -1], rel=1e-4, abs=1e-4)
        is_clear = ranked[:, :, -1] - ranked[:, :, -2] > 1e-3 * (1.0 + np.abs(ranked[:, :, -1]))
        assert np.array_equal(wanted[is_clear], wanted_so[is_clear])
        clear, decisions = clear + int(is_clear.sum()), decisions + is_clear.size
        seen, _ = episodes.step(best)
    assert clear > 0.8 * decisions


@pytest.mark.parametrize("name", ["town", "arterial6"])
def test_trained_policy_decides_the_same_with_more_room_in_its_observation(name, learned):
    def travel_time_s(**room):
        episodes = Episodes(name, horizon_s=600, replicas=2, **room)
        seen = episodes.reset([np.random.default_rng(b) for b in range(2)])
        chosen = []
        while not episodes.is_over:
            chosen.append(learned[1].best_choices(seen, episodes.layout.blocks))
            seen, _ = episodes.step(chosen[-1])
        return np.array(chosen), episodes.average_travel_time_s().tolist()

    narrow, narrow_s = travel_time_s()
    wide, wide_s = travel_time_s(movements=25, choices=9)
    assert np.array_equal(narrow, wide)
    assert narrow_s == wide_s
