"""The update written out is Stable-Baselines3's: from the same rollout to the same weights, whatever the threads."""

import copy

import numpy as np
import pytest
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.logger import Logger

from intergreen.agents.learning import update
from intergreen.agents.learning.passes import FORBIDDEN
from intergreen.agents.learning.policies import SignalPolicy, drawn
from intergreen.agents.learning.rollouts import KeptRolloutBuffer
from intergreen.agents.learning.signal_ppo import SignalPPO
from intergreen.envs.traffic_env import TrafficSignalEnv
from intergreen.envs.vector_env import TrafficVecEnv

SETTINGS = {"n_steps": 12, "batch_size": 96, "n_epochs": 3, "learning_rate": 0.003, "ent_coef": 0.01, "gamma": 0.9}


@pytest.fixture(scope="module")
def town():
    """Signals with three choices beside such with four, some of them not allowed."""
    return TrafficVecEnv("town", replicas=2, horizon_s=60)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def learner(env, **changes):
    model = SignalPPO(SignalPolicy, env, seed=0, device="cpu", **{**SETTINGS, **changes})
    model.set_logger(Logger(folder=None, output_formats=[]))
    return model


def updated(model, train):
    """The weights and the log after a rollout, and one update of it by `train`."""
    model.train = lambda: None
    model.learn(model.n_steps * model.n_envs)
    np.random.seed(0)  # noqa: NPY002  # minibatches are drawn by the global generator
    train(model)
    return dict(model.policy.state_dict()), dict(model.logger.name_to_value)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"normalize_advantage": False},
        {"clip_range": 0.01, "learning_rate": 0.02},  # where most ratios are beyond the bound
        {"max_grad_norm": 1e9},
        {"batch_size": 384, "n_epochs": 1},
    ],
    ids=lambda changes: ", ".join(changes) or "as it is",
)
def test_update_is_that_of_stable_baselines3(changes, town):
    town.seed(0)
    ours, our_log = updated(learner(town, **changes), SignalPPO.train)
    town.seed(0)
    theirs, their_log = updated(learner(town, **changes), PPO.train)
    start = learner(town, **changes).policy.state_dict()
    for name, tensor in theirs.items():
        # Adam's step is the rate whatever the slope's length: a slope of nearly 0 carries its rounding into the weight.
        torch.testing.assert_close(ours[name], tensor, rtol=1e-3, atol=2e-5, msg=lambda words, n=name: f"{n}: {words}")
        assert tensor.numel() == 0 or not torch.equal(tensor, start[name])
    assert our_log.keys() == their_log.keys()
    for name, value in their_log.items():
        assert our_log[name] == pytest.approx(value, rel=1e-3, abs=1e-5), name


def test_numbers_do_not_depend_on_the_threads(town, monkeypatch):
    monkeypatch.setattr(update, "PART", 32)
    weights = []
    for threads in (1, 2, 3):
        town.seed(0)
        weights.append(updated(learner(town, threads=threads), SignalPPO.train)[0])
    for other in weights[1:]:
        assert all(torch.equal(tensor, other[name]) for name, tensor in weights[0].items())


def test_error_in_another_thread_is_not_lost(town, monkeypatch):
    monkeypatch.setattr(update, "PART", 32)
    model, calls = learner(town, threads=2), []

    def broken(*args):
        calls.append(args)
        raise ArithmeticError("lost")

    monkeypatch.setattr(update, "_slopes_of_part", broken)
    with pytest.raises(ArithmeticError, match="lost"):
        model.learn(1)
    assert calls


@pytest.mark.parametrize("changes", [{"target_kl": 1e-6}, {"clip_range_vf": 0.2}])
def test_what_the_update_does_not_know_is_left_to_stable_baselines3(changes, town):
    town.seed(0)
    ours, _ = updated(learner(town, **changes), SignalPPO.train)
    town.seed(0)
    theirs, _ = updated(learner(town, **changes), PPO.train)
    assert all(torch.equal(tensor, ours[name]) for name, tensor in theirs.items())


def test_frozen_weights_stay(town):
    model = learner(town)
    before = model.policy.mlp_extractor.network.movement.weight.detach().clone()
    model.policy.mlp_extractor.network.movement.weight.requires_grad_(False)
    model.learn(model.n_steps * model.n_envs)
    assert torch.equal(model.policy.mlp_extractor.network.movement.weight, before)


def test_all_signals_of_a_network_decided_together_are_learned_too():
    model = SignalPPO(SignalPolicy, TrafficSignalEnv("town", horizon_s=100), n_steps=8, batch_size=8, device="cpu")
    before = {name: tensor.clone() for name, tensor in model.policy.state_dict().items()}
    model.learn(8)
    assert any(not torch.equal(before[name], tensor) for name, tensor in model.policy.state_dict().items())


def test_model_is_saved_loaded_and_goes_on(town, tmp_path):
    model = learner(town, threads=2)
    model.learn(model.n_steps * model.n_envs)
    model.save(tmp_path / "model")
    loaded = SignalPPO.load(tmp_path / "model", env=town)
    assert loaded.threads == 2
    loaded.learn(model.n_steps * model.n_envs)


# The buffer


def test_buffer_holds_what_stable_baselines3s_does_rollout_after_rollout(town):
    buffers = []
    for kind in (KeptRolloutBuffer, RolloutBuffer):
        town.seed(0)
        model = learner(town, rollout_buffer_class=kind)
        model.train = lambda: None
        rows = []
        for _ in range(3):
            model.learn(model.n_steps * model.n_envs, reset_num_timesteps=False)
            rows.append(copy.deepcopy(vars(model.rollout_buffer)))
        buffers.append(rows)
    for ours, theirs in zip(*buffers, strict=True):
        for name, value in theirs.items():
            if isinstance(value, np.ndarray):
                assert np.array_equal(ours[name], value), name
        assert (ours["pos"], ours["full"]) == (theirs["pos"], theirs["full"])


def test_buffer_serves_the_stock_update_too(town):
    model = learner(town, target_kl=100.0)
    model.learn(3 * model.n_steps * model.n_envs)
    assert model.rollout_buffer.generator_ready


# Drawing


def test_choices_are_drawn_as_often_as_they_are_probable():
    probs = torch.tensor([0.0, 0.5, 0.0, 0.2, 0.3, 0.0]).expand(20_000, 6)
    torch.manual_seed(0)
    actions, log_probs = drawn(probs.log().clamp(min=FORBIDDEN))
    share = torch.bincount(actions, minlength=6) / len(probs)
    # three standard deviations of a share of a half
    assert share.tolist() == pytest.approx([0.0, 0.5, 0.0, 0.2, 0.3, 0.0], abs=3 * (0.25 / len(probs)) ** 0.5)
    assert (share[[0, 2, 5]] == 0.0).all()
    assert log_probs.exp().tolist() == pytest.approx(probs[0][actions].tolist(), rel=1e-6)


@pytest.mark.parametrize("u", [0.0, 1.0 - 2.0**-24])
def test_smallest_and_largest_random_number_draw_what_is_allowed(u, monkeypatch):
    random = np.random.default_rng(0)
    scores = torch.from_numpy(random.normal(0, 30, (5_000, 7)).astype(np.float32))
    allowed = torch.from_numpy(random.integers(0, 2, (5_000, 7)))
    allowed[torch.arange(5_000), torch.from_numpy(random.integers(0, 7, 5_000))] = 1
    monkeypatch.setattr(torch, "rand", lambda n: torch.full((n,), u))
    actions, log_probs = drawn(scores.masked_fill(allowed == 0, FORBIDDEN))
    assert (allowed.gather(1, actions.unsqueeze(1)) == 1).all()
    assert torch.isfinite(log_probs).all()


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_scores_that_are_no_numbers_are_refused(bad):
    with pytest.raises(ValueError, match="invalid values"):
        drawn(torch.tensor([[0.5, 0.5], [bad, bad], [0.1, 0.2]]))


def test_same_seed_draws_the_same():
    scores = torch.from_numpy(np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32))
    drawings = []
    for _ in range(2):
        torch.manual_seed(3)
        drawings.append(drawn(scores)[0])
    assert torch.equal(*drawings)
    assert not torch.equal(drawings[0], drawn(scores)[0])
