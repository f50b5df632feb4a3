"""The network as a policy of stock learners: they train, save and load it, and it never asks for what is not there."""

import warnings

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from sb3_contrib import MaskablePPO, RecurrentPPO
from sb3_contrib.common.maskable.utils import get_action_masks, is_masking_supported
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.vec_env import VecNormalize

from intergreen.agents.learning.policies import MaskableSignalPolicy, SignalPolicy, SignalQPolicy
from intergreen.envs.observation import HIGHEST, Blocks
from intergreen.envs.spaces import SignalSpace
from intergreen.envs.traffic_env import TrafficSignalEnv
from intergreen.envs.vector_env import TrafficVecEnv

PPO_SETTINGS = {"n_steps": 10, "batch_size": 10, "n_epochs": 2, "learning_rate": 0.01}
DQN_SETTINGS = {"learning_starts": 20, "buffer_size": 400, "batch_size": 16, "target_update_interval": 64}
LEARNERS = {
    "ppo": (PPO, SignalPolicy, PPO_SETTINGS),
    "maskable-ppo": (MaskablePPO, MaskableSignalPolicy, PPO_SETTINGS),
    "a2c": (A2C, SignalPolicy, {"n_steps": 5}),
    "dqn": (DQN, SignalQPolicy, DQN_SETTINGS),
}
ACTOR_CRITICS = [name for name in LEARNERS if name != "dqn"]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """So small networks gain nothing from a second one, which other tests have more use for."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def pair(pair_file):
    return TrafficVecEnv(str(pair_file), replicas=2)


@pytest.fixture(scope="module")
def town():
    """An irregular town: signals with three choices beside such with four."""
    return TrafficVecEnv("town", replicas=2, horizon_s=600)


def make(name, env, **kwargs):
    learner, policy, settings = LEARNERS[name]
    return learner(policy, env, seed=0, device="cpu", **settings, **kwargs)


def weights(model):
    return {name: tensor.clone() for name, tensor in model.policy.state_dict().items()}


def observations_of(env):
    """What the slots see over 12 decisions at random and 20 that stay with the first phase: (32 × slots, size)."""
    env.seed(1)
    seen, random = [env.reset()], np.random.default_rng(0)
    for t in range(31):
        seen.append(env.step(random.integers(0, env.action_space.n, env.num_envs) * (t < 12))[0])
    return np.concatenate(seen)


@pytest.mark.parametrize("name", LEARNERS)
def test_stock_learner_trains_saves_and_loads(name, pair, tmp_path):
    model = make(name, pair, policy_kwargs={"width": 8})
    before = weights(model)
    model.learn(200)
    after = weights(model)
    assert all(torch.isfinite(tensor).all() for tensor in after.values())
    network = [key for key in before if ".network." in key]
    assert network
    assert any(not torch.equal(before[key], after[key]) for key in network if "score" in key)
    assert any(not torch.equal(before[key], after[key]) for key in network if "movement" in key)
    model.save(tmp_path / "model")
    seen = observations_of(pair)
    expected, _ = model.predict(seen, deterministic=True)
    for loaded in (type(model).load(tmp_path / "model"), type(model).load(tmp_path / "model", env=pair)):
        assert np.array_equal(loaded.predict(seen, deterministic=True)[0], expected)
        assert weights(loaded).keys() == after.keys()
        assert all(torch.equal(tensor, after[key]) for key, tensor in weights(loaded).items())
    loaded.learn(60)


def scores_of(model, seen):
    """What the best choice is the highest of."""
    rate = model.q_net if isinstance(model, DQN) else model.policy.mlp_extractor.forward_actor
    with torch.no_grad():
        return rate(torch.from_numpy(seen)).numpy()


@pytest.mark.parametrize("name", LEARNERS)
def test_policy_predicts_for_a_single_observation_what_it_does_in_a_batch(name, pair):
    model = make(name, pair)
    seen = observations_of(pair)
    scores, slots = scores_of(model, seen), np.arange(len(seen))
    together, _ = model.predict(seen, deterministic=True)
    alone = np.array([int(model.predict(observation, deterministic=True)[0]) for observation in seen])
    assert scores[slots, together] == pytest.approx(scores.max(axis=1), abs=1e-6)
    # In 32 bits rounding depends on the size of the batch, and choices that score the same would change places.
    assert np.array_equal(alone, together)


@pytest.fixture(scope="module")
def seen_in_town(town):
    """Observations of signals that lack the last choice, and of such as may not stay with their phase any longer."""
    seen = observations_of(town)
    allowed, current = flags_of(seen, town.blocks)
    assert not allowed[:, -1].all()
    assert not allowed[current].all()
    assert (current.sum(axis=1) == 1).all()
    assert allowed.any(axis=1).all()
    return seen


def flags_of(seen, blocks):
    """Which choices are allowed, and which is the present one: (N, C) each."""
    flags = seen[:, blocks.choices_at : blocks.signal_at].reshape(len(seen), blocks.choices, 2)
    return flags[:, :, 1] > 0, flags[:, :, 0] > 0


def distribution_of(model, seen):
    """Probabilities of the choices."""
    with torch.no_grad():
        distribution = model.policy.get_distribution(torch.from_numpy(seen)).distribution
    return distribution.probs.numpy()


@pytest.mark.parametrize("name", ACTOR_CRITICS)
def test_choice_that_is_not_allowed_has_probability_exactly_0(name, town, seen_in_town):
    model = make(name, town)
    model.learn(2 * PPO_SETTINGS["n_steps"] * town.num_envs)
    allowed, _ = flags_of(seen_in_town, town.blocks)
    probabilities = distribution_of(model, seen_in_town)
    assert (probabilities[~allowed] == 0.0).all()
    assert (probabilities[allowed] > 0.0).all()
    drawn = [model.predict(seen_in_town)[0] for _ in range(20)]
    for action in (*drawn, model.predict(seen_in_town, deterministic=True)[0]):
        assert allowed[np.arange(len(seen_in_town)), action].all()


@pytest.mark.parametrize("is_trained", [False, True], ids=["fresh", "trained"])
def test_dqn_values_what_is_not_allowed_below_all_that_is_and_never_picks_it(is_trained, town, seen_in_town):
    model = make("dqn", town)
    if is_trained:
        model.learn(30 * town.num_envs)
    allowed, _ = flags_of(seen_in_town, town.blocks)
    values = scores_of(model, seen_in_town)
    lowest = np.where(allowed, values, np.inf).min(axis=1, keepdims=True)
    below = np.broadcast_to(lowest - 1.0, values.shape)
    assert np.array_equal(values[~allowed], below[~allowed])
    assert np.isfinite(values).all()
    assert len(np.unique(values[allowed])) > len(seen_in_town) / 2
    picked, _ = model.predict(seen_in_town, deterministic=True)
    assert allowed[np.arange(len(seen_in_town)), picked].all()
    assert values[np.arange(len(picked)), picked] == pytest.approx(values.max(axis=1), abs=1e-6)


def test_dqn_learns_nothing_from_the_value_of_a_choice_that_is_not_allowed(town, seen_in_town):
    model = make("dqn", town)
    allowed, _ = flags_of(seen_in_town, town.blocks)
    values = model.q_net(torch.from_numpy(seen_in_town))
    for of_which, moves in ((~allowed, False), (allowed, True)):
        model.policy.zero_grad()
        values[torch.from_numpy(of_which)].sum().backward(retain_graph=True)
        slopes = [parameter.grad for parameter in model.q_net.parameters() if parameter.grad is not None]
        assert any(slope.abs().max() > 0 for slope in slopes) == moves


def test_dqn_explores_a_town_by_asking_for_what_is_not_there_and_survives_it(town):
    """Its explorer draws from all indices; the environment keeps the phase of a signal that lacks the one drawn."""
    model = make("dqn", town, exploration_final_eps=1.0, exploration_initial_eps=1.0)
    model.learn(10 * town.num_envs)
    stored = model.replay_buffer
    assert stored.actions[: stored.size(), town.action_masks()[:, -1] == 0].max() == town.action_space.n - 1
    assert np.isfinite(stored.rewards[: stored.size()]).all()


def test_masks_reach_the_maskable_learner(town):
    assert is_masking_supported(town)
    town.reset()
    masks = get_action_masks(town)
    assert masks.shape == (town.num_envs, town.action_space.n)
    assert np.array_equal(masks, town.action_masks())
    assert not masks.all()
    assert np.array_equal(np.stack(town.env_method("action_masks", indices=[1, 5])), masks[[1, 5]])


def test_maskable_learner_keeps_to_masks_narrower_than_the_observation_says(town):
    model = make("maskable-ppo", town)
    seen = town.reset()
    masks = np.zeros_like(get_action_masks(town))
    masks[:, 1] = True
    assert (model.predict(seen, action_masks=masks)[0] == 1).all()


# All signals of a network decided together


def environment(name):
    return gym.make(f"intergreen.envs:{name}", horizon_s=100)


def single_policy_with_the_same_weights(model):
    """The policy of one signal's observations, that has the weights of `model`, the policy of a whole network."""
    blocks = model.observation_space.blocks
    space = SignalSpace(blocks, (blocks.choices,))
    policy = SignalPolicy(space, spaces.Discrete(blocks.choices), lambda _: 0.0)
    policy.load_state_dict(model.policy.state_dict())
    return policy


@pytest.mark.parametrize("name", ["Grid4x4-v0", "Town-v0", "Arterial6-v0", "Single-v0"])
def test_policy_of_a_network_is_that_of_its_signals_one_by_one(name):
    env = environment(name)
    model = PPO(SignalPolicy, env, n_steps=8, batch_size=8, n_epochs=1, learning_rate=0.01, seed=0, device="cpu")
    model.learn(16)
    blocks, n_choices = env.observation_space.blocks, env.observation_space.n_choices
    if name != "Single-v0":
        assert env.action_space.nvec.tolist() == list(n_choices)
    random, seen = np.random.default_rng(0), [env.reset(seed=0)[0]]
    env.action_space.seed(0)
    for _ in range(5):
        seen.append(env.step(env.action_space.sample())[0])
    actions = np.array([random.integers(0, n_choices) for _ in seen])
    seen = np.array(seen)
    by_signal = torch.from_numpy(seen.reshape(-1, blocks.size))
    single = single_policy_with_the_same_weights(model)
    asked = torch.from_numpy(actions if len(n_choices) > 1 else actions[:, 0])
    with torch.no_grad():
        values, log_probs, entropy = model.policy.evaluate_actions(torch.from_numpy(seen), asked)
        parts = single.evaluate_actions(by_signal, torch.from_numpy(actions.reshape(-1)))
    for whole, part in zip((values, log_probs, entropy), parts, strict=True):
        sums = part.reshape(len(seen), len(n_choices)).sum(dim=1)
        assert whole.reshape(-1).tolist() == pytest.approx(sums.tolist(), rel=1e-4, abs=1e-4)
    best, _ = model.predict(seen, deterministic=True)
    best_apart, _ = single.predict(by_signal.numpy(), deterministic=True)
    assert best.reshape(-1).tolist() == best_apart.tolist()
    assert (best.reshape(len(seen), -1) < np.array(n_choices)).all()


def test_signal_sees_nothing_of_the_others_in_the_policy_of_a_network():
    env = environment("Town-v0")
    model = PPO(SignalPolicy, env, seed=0, device="cpu")
    blocks, n_choices = env.observation_space.blocks, env.observation_space.n_choices
    seen = np.random.default_rng(0).uniform(0, 1, (2, *env.observation_space.shape)).astype(np.float32)
    choices = slice(blocks.choices_at, blocks.signal_at)
    seen.reshape(2, -1, blocks.size)[:, :, choices] = 1.0
    seen[1, : blocks.size] = seen[0, : blocks.size]  # the first signal alone sees the same
    with torch.no_grad():
        logits = [d.logits.numpy() for d in model.policy.get_distribution(torch.from_numpy(seen)).distribution]
    assert [one.shape[1] for one in logits] == list(n_choices)
    assert np.array_equal(logits[0][0], logits[0][1])
    assert all(not np.array_equal(one[0], one[1]) for one in logits[1:])


def test_policy_of_a_network_is_saved_and_loaded(tmp_path):
    env = environment("Town-v0")
    model = PPO(SignalPolicy, env, n_steps=8, batch_size=8, seed=0, device="cpu", policy_kwargs={"width": 8})
    model.learn(8)
    model.save(tmp_path / "model")
    observation, _ = env.reset(seed=0)
    loaded = PPO.load(tmp_path / "model", env=env)
    expected, _ = model.predict(observation, deterministic=True)
    assert np.array_equal(loaded.predict(observation, deterministic=True)[0], expected)
    assert expected.shape == env.action_space.shape
    loaded.learn(8)


def test_maskable_learner_takes_a_whole_network():
    model = MaskablePPO(
        MaskableSignalPolicy, TrafficSignalEnv("town", horizon_s=100), n_steps=8, batch_size=8, device="cpu"
    )
    model.learn(8)


def test_maskable_learner_takes_one_signal_with_room_for_more_choices():
    env = TrafficSignalEnv("single", choices=12, horizon_s=100)
    model = MaskablePPO(MaskableSignalPolicy, env, n_steps=8, batch_size=8, device="cpu")
    model.learn(8)
    observation, _ = env.reset(seed=0)
    for deterministic in (True, False):
        action, _ = model.predict(observation, action_masks=env.action_masks(), deterministic=deterministic)
        assert env.action_space.contains(action.item())


# Sizes


def networks_of(model):
    """Its networks: DQN has a second one, the target."""
    return [module for module in model.policy.modules() if type(module).__name__ == "SignalNetwork"]


@pytest.mark.parametrize("name", LEARNERS)
@pytest.mark.parametrize("width", [None, 5])
def test_width_asked_for_is_that_of_all_layers(name, width, pair):
    model = make(name, pair, **({} if width is None else {"policy_kwargs": {"width": width}}))
    assert networks_of(model)
    for network in networks_of(model):
        layers = (network.movement, network.served, network.everything, network.choice, network.signal)
        sizes = {layer.out_features for layer in (*layers, network.own, network.others, network.outlook)}
        assert sizes == {32 if width is None else width}


@pytest.mark.parametrize("name", LEARNERS)
@pytest.mark.parametrize(("key", "value"), [("net_arch", [64, 64]), ("activation_fn", torch.nn.ReLU)])
def test_layers_of_stock_policies_are_refused_with_what_to_set_instead(name, key, value, pair):
    with pytest.raises(TypeError, match=rf"takes no {key}; policy_kwargs=\{{\"width\": 64\}} sets the width of all"):
        make(name, pair, policy_kwargs={key: value})


@pytest.mark.parametrize("name", LEARNERS)
@pytest.mark.parametrize("width", [0, -1, 2.5, "32"])
def test_width_that_is_none_is_one_line(name, width, pair):
    with pytest.raises(ValueError, match="need a whole number width >= 1, got "):
        make(name, pair, policy_kwargs={"width": width})


@pytest.mark.parametrize("name", LEARNERS)
def test_policy_alone_is_saved_and_loaded_with_its_width(name, pair, tmp_path):
    policy = make(name, pair, policy_kwargs={"width": 5}).policy
    policy.save(tmp_path / "policy")
    again = type(policy).load(tmp_path / "policy", device="cpu")
    assert {key: value.shape for key, value in again.state_dict().items()} == {
        key: value.shape for key, value in policy.state_dict().items()
    }


@pytest.mark.parametrize("name", LEARNERS)
def test_number_of_weights_does_not_depend_on_movements_and_choices(name, pair, town):
    envs = [pair, town, TrafficVecEnv("single", replicas=2, movements=20, choices=9)]
    assert len({env.blocks for env in envs}) == len(envs)
    models = [make(name, env) for env in envs]
    assert len({sum(p.numel() for p in model.policy.parameters()) for model in models}) == 1
    models[1].policy.load_state_dict(models[0].policy.state_dict())
    town.reset()
    models[1].learn(10 * town.num_envs)


@pytest.mark.parametrize("name", LEARNERS)
def test_policy_without_signal_features_is_made_without_a_warning(name, pair_file):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = TrafficVecEnv(str(pair_file), replicas=2, features=("queue",))
        model = make(name, env)
    assert env.blocks.signal_columns == 0
    model.learn(60)
    assert all(torch.isfinite(tensor).all() for tensor in weights(model).values())


# Foreign spaces


@pytest.mark.parametrize("name", LEARNERS)
def test_space_of_another_environment_is_one_clear_line(name):
    words = r"^the policy reads observations of Intergreen's environments, got the space Box\([^\n]*\)$"
    with pytest.raises(ValueError, match=words):
        make(name, gym.make("CartPole-v1"))


def test_box_of_the_same_size_is_not_mistaken_for_a_signal():
    blocks = Blocks(movements=2, movement_columns=3, choices=2, signal_columns=1)
    box = spaces.Box(0.0, HIGHEST, (blocks.size,), np.float32)
    with pytest.raises(ValueError, match="Intergreen's environments"):
        SignalPolicy(box, spaces.Discrete(2), lambda _: 1e-3)
    SignalPolicy(SignalSpace(blocks, (2,)), spaces.Discrete(2), lambda _: 1e-3)


@pytest.mark.parametrize(
    ("learner", "words"), [(DQN, "DQN takes SignalQPolicy"), (RecurrentPPO, "RecurrentPPO takes 'MlpLstmPolicy'")]
)
def test_policy_in_a_learner_that_it_is_not_for_is_one_clear_line(learner, words, pair):
    with pytest.raises(AttributeError, match=words):
        learner(SignalPolicy, pair, device="cpu")


@pytest.mark.parametrize("name", ["q_net", "lstm_actor", "nothing_of_the_kind"])
def test_policy_says_of_what_it_lacks_that_it_is_not_there(name, pair):
    assert not hasattr(make("ppo", pair).policy, name)


def test_observations_below_0_are_told_where_they_come_from(pair):
    model = make("ppo", VecNormalize(pair))
    with pytest.raises(ValueError, match=r"not >= 0 .*VecNormalize .*norm_obs=False"):
        model.learn(40)
    make("ppo", VecNormalize(pair, norm_obs=False)).learn(40)


@pytest.mark.parametrize("name", LEARNERS)
def test_no_learner_goes_on_with_scores_that_are_no_numbers(name, pair):
    model = make(name, VecNormalize(pair))
    below_0 = np.full((2, pair.observation_space.shape[0]), -1.0, np.float32)
    with pytest.raises(ValueError, match=r"not >= 0 .*VecNormalize .*norm_obs=False"):
        model.predict(below_0, deterministic=True)
    with pytest.raises(ValueError, match=r"not >= 0 .*VecNormalize .*norm_obs=False"):
        model.learn(600)
