"""The learned controller: equal to the policy that was trained, without PyTorch, and picky about its files."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from stable_baselines3 import PPO

from intergreen.agents.controllers import Controller, Setup, controller_by_name
from intergreen.agents.controllers.learned import best_choices
from intergreen.agents.controllers.policy_weights import PolicyWeights, read_weights, write_weights
from intergreen.agents.evaluation.run import evaluate
from intergreen.agents.learning.keeper import load_checkpoint, weights_of
from intergreen.envs.errors import InputError
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import load_scenario
from intergreen.envs.signals import make_plan
from intergreen.envs.vector_env import TrafficVecEnv


@pytest.fixture
def copied_run(run, tmp_path):
    return shutil.copytree(run, tmp_path / "copy")


def setup_of(scenario_name, protocol_name="literature-10-5", n_replicas=2):
    network, protocol = load_scenario(scenario_name).network, protocol_by_name(protocol_name)
    return Setup(network, make_plan(network, choices=protocol.choices), protocol, n_replicas)


def test_numpy_policy_is_the_trained_one(run, pair_file):
    env = TrafficVecEnv(str(pair_file), replicas=1)
    model = PPO(
        "MlpPolicy",
        env,
        policy_kwargs={"net_arch": {"pi": [16, 8], "vf": [16, 8]}},
        device="cpu",
        n_steps=4,
        batch_size=4,
    )
    load_checkpoint(run / "checkpoint.pt", model)
    weights = read_weights(run / "policy.npz")
    observation = np.random.default_rng(0).random((500, 2, weights.n_features)).astype(np.float32)
    with torch.no_grad():
        flat = torch.as_tensor(observation.reshape(1000, -1))
        logits = model.policy.get_distribution(flat).distribution.logits.numpy()
    scores = weights.scores(observation).reshape(1000, -1)
    ours = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    assert ours == pytest.approx(logits, abs=1e-5)  # float32 sums in another order
    greedy, _ = model.predict(observation.reshape(1000, -1), deterministic=True)
    legal = np.ones((2, weights.n_choices), bool)
    assert np.array_equal(best_choices(weights, observation, legal).reshape(-1), greedy)


def test_weights_survive_the_file(run, tmp_path):
    weights = read_weights(run / "policy.npz")
    write_weights(tmp_path / "again.npz", weights)
    again = read_weights(tmp_path / "again.npz")
    for one, other in zip(weights.weight + weights.bias, again.weight + again.bias, strict=True):
        assert np.array_equal(one, other)


def test_only_choices_that_a_signal_has_are_wanted():
    weights = PolicyWeights((np.zeros((4, 3), np.float32),), (np.array([0, 1, 2, 3], np.float32),))
    legal = np.array([[True, True, True, False], [True, True, False, False]])
    assert best_choices(weights, np.zeros((1, 2, 3), np.float32), legal).tolist() == [[2, 1]]


def test_run_folder_is_a_controller_named_after_it(run, pair_file):
    controller = controller_by_name(str(run))
    assert isinstance(controller, Controller)
    assert controller.name == "pair"
    setup = setup_of(str(pair_file))
    assert np.array_equal(controller.start(setup), np.tile(setup.plan.choices[:, 0], (2, 1)))


def test_evaluation_of_a_run_repeats_and_needs_no_torch(run, pair_file):
    protocol = protocol_by_name("literature-10-5")
    scenario = load_scenario(str(pair_file))
    here = evaluate(scenario, controller_by_name(str(run)), protocol, seeds=[0, 1])["metrics"]
    script = (
        "import sys, json; sys.modules['torch'] = None; sys.modules['stable_baselines3'] = None; "
        "from intergreen.agents.cli import main; "
        f"main(['evaluate', {str(pair_file)!r}, '--controller', {str(run)!r}, '--seeds', '0-1', '--json', '-'])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["metrics"] == here


@pytest.mark.parametrize(
    ("scenario", "protocol"), [("town", "literature-10-5"), ("single", "literature-5-2")], ids=["network", "choices"]
)
def test_run_for_signals_of_another_shape_is_refused(run, scenario, protocol):
    with pytest.raises(InputError) as caught:
        controller_by_name(str(run)).start(setup_of(scenario, protocol))
    assert "this policy was made for signals of" in str(caught.value)
    assert "\n" not in str(caught.value)


def break_json(folder):
    (folder / "run.json").write_text("{")


def break_format(folder):
    (folder / "run.json").write_text('{"format": 99}')


def break_shape(folder):
    run = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(run | {"shape": {"movements": "many"}}))


def break_observation(folder):
    run = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(run | {"observation": "pixels"}))


def remove_policy(folder):
    (folder / "policy.npz").unlink()


def truncate_policy(folder):
    (folder / "policy.npz").write_bytes((folder / "policy.npz").read_bytes()[:200])


def pickle_policy(folder):
    np.savez(folder / "policy.npz", weight_0=np.array([{}], dtype=object), bias_0=np.zeros(1))


def write_nan(folder):
    weights = read_weights(folder / "policy.npz")
    np.savez(folder / "policy.npz", weight_0=weights.weight[0] * np.nan, bias_0=weights.bias[0])


def swap_policy(folder):
    np.savez(folder / "policy.npz", weight_0=np.zeros((4, 3)), bias_0=np.zeros(4))


def misfit_layers(folder):
    np.savez(folder / "policy.npz", weight_0=np.zeros((4, 3)), bias_0=np.zeros(5))


def write_other_arrays(folder):
    np.savez(folder / "policy.npz", a=np.zeros(3), b=np.zeros(3))


@pytest.mark.parametrize(
    "damage",
    [
        break_json,
        break_format,
        break_shape,
        break_observation,
        remove_policy,
        truncate_policy,
        pickle_policy,
        write_nan,
        swap_policy,
        misfit_layers,
        write_other_arrays,
    ],
)
def test_broken_run_folder_is_one_line(copied_run, damage):
    damage(copied_run)
    with pytest.raises(InputError) as caught:
        controller_by_name(str(copied_run))
    assert str(copied_run) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_written_weights_are_those_of_the_policy_network(pair_file):
    env = TrafficVecEnv(str(pair_file), replicas=1)
    model = PPO(
        "MlpPolicy", env, policy_kwargs={"net_arch": {"pi": [5], "vf": [7]}}, device="cpu", n_steps=4, batch_size=4
    )
    weights = weights_of(model)
    assert [weight.shape for weight in weights.weight] == [(5, weights.n_features), (weights.n_choices, 5)]
