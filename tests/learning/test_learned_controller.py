"""The learned controller: sees what its training saw, on any network, without PyTorch; picky about its folder."""

import json
import subprocess
import sys

import numpy as np
import pytest

from intergreen.agents.controllers import Controller, Setup, controller_by_name
from intergreen.agents.controllers.learned import PolicyController
from intergreen.agents.controllers.policy_network import read_network, write_network
from intergreen.agents.controllers.run_folder import observation_columns
from intergreen.agents.evaluation.run import evaluate
from intergreen.envs.episodes import Episodes
from intergreen.envs.errors import InputError
from intergreen.envs.observation import ALL_FEATURES, DEFAULT_FEATURES
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import load_scenario

PROTOCOLS = ("literature-10-5", "literature-5-2", "literature-7-0", "literature-30-5", "us-mutcd-5", "de-rilsa-3")


def network_for(random_network, features, seed=0):
    movement, signal = observation_columns(features)
    return random_network(seed, movement_columns=len(movement), signal_columns=len(signal))


class Watched:
    """A policy that keeps what it is shown."""

    def __init__(self, network):
        self.network = network
        self.seen = []

    def best_choices(self, observation, blocks):
        self.seen.append(observation.copy())
        return self.network.best_choices(observation, blocks)


@pytest.mark.parametrize("features", [DEFAULT_FEATURES, ALL_FEATURES], ids=["default", "all"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_controller_sees_what_an_episode_shows(protocol, features, random_network):
    episodes = Episodes("town", protocol=protocol, horizon_s=600, features=features, replicas=2)
    policy = Watched(network_for(random_network, features))
    controller = PolicyController("watched", policy, features)
    scenario = episodes.scenario
    shown = episodes.reset([np.random.default_rng(seed) for seed in (0, 1)])
    controller.start(Setup(scenario.network, episodes.plan, episodes.protocol, 2))
    while not episodes.is_over:
        interval_s = episodes.protocol.interval_s
        controller.decide(episodes.core.counts(), episodes.core.signals(interval_s), episodes.time_s)
        assert np.array_equal(policy.seen[-1], shown)
        shown, _ = episodes.step(policy.network.best_choices(shown, episodes.layout.blocks))
    assert len(policy.seen) == -(-600 // episodes.protocol.interval_s)


def setup_of(scenario_name, protocol_name="literature-10-5", n_replicas=2):
    network, protocol = load_scenario(scenario_name).network, protocol_by_name(protocol_name)
    return Setup(network, protocol.plan(network), protocol, n_replicas)


def test_run_folder_is_a_controller_named_after_it(run, pair_file):
    controller = controller_by_name(str(run))
    assert isinstance(controller, Controller)
    assert controller.name == controller_by_name(f"{run}:last").name == "pair"
    setup = setup_of(str(pair_file))
    assert np.array_equal(controller.start(setup), np.tile(setup.plan.choices[:, 0], (2, 1)))


def test_best_policy_of_a_run_is_asked_for_behind_a_colon(copied_run, pair_file, random_network):
    write_network(copied_run / "best.npz", network_for(random_network, DEFAULT_FEATURES, seed=5))
    best, last = controller_by_name(f"{copied_run}:best"), controller_by_name(str(copied_run))
    assert (best.name, last.name) == ("copy:best", "copy")
    protocol, scenario = protocol_by_name("literature-10-5"), load_scenario(str(pair_file))
    figures = [
        evaluate(scenario, one, protocol, seeds=[0])["metrics"]["average_travel_time_s"]["mean"] for one in (best, last)
    ]
    assert figures[0] != figures[1]


@pytest.mark.parametrize("scenario", ["single", "town", "arterial6"])
@pytest.mark.parametrize("protocol", ["literature-10-5", "literature-5-2", "us-mutcd-5"])
def test_policy_runs_where_it_was_not_trained(run, scenario, protocol):
    scenario = load_scenario(scenario)
    result = evaluate(scenario, controller_by_name(str(run)), protocol_by_name(protocol), seeds=[0], horizon_s=120)
    assert result["metrics"]["average_travel_time_s"]["mean"] > 0


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


def change_run(folder, **changes):
    run = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(run | changes))


def observation(folder, **changes):
    return json.loads((folder / "run.json").read_text())["observation"] | changes


DAMAGES = {
    "no JSON": (lambda f: (f / "run.json").write_text("{"), "not valid JSON"),
    "other format": (lambda f: change_run(f, format=1), "format: is 1; this version reads format 2"),
    "no observation": (lambda f: change_run(f, observation="pixels"), "observation: is 'pixels'"),
    "unknown feature": (
        lambda f: change_run(f, observation=observation(f, features=["queue", "weather"])),
        "its policy sees what this version does not know: no feature is called 'weather'",
    ),
    "other columns": (
        lambda f: change_run(f, observation=observation(f, signal=["green_time"])),
        "another layout: signal ['green_time'], in this version ['green_time', 'interval', 'clearance']",
    ),
    "no policy": (lambda f: (f / "policy.npz").unlink(), "policy.npz: is missing"),
    "half a policy": (
        lambda f: (f / "policy.npz").write_bytes((f / "policy.npz").read_bytes()[:200]),
        "policy.npz: holds no policy",
    ),
    "other arrays": (lambda f: np.savez(f / "policy.npz", a=np.zeros(3)), "policy.npz: holds no policy"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_broken_run_folder_is_one_line(copied_run, damage):
    spoil, words = DAMAGES[damage]
    spoil(copied_run)
    with pytest.raises(InputError) as caught:
        controller_by_name(str(copied_run))
    assert words in str(caught.value)
    assert str(copied_run) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_weights_for_other_features_are_one_line(copied_run, random_network):
    write_network(copied_run / "policy.npz", network_for(random_network, ("queue",)))
    with pytest.raises(
        InputError, match=r"takes 2 values of a movement and 0 of a signal, the features of run\.json have"
    ):
        controller_by_name(str(copied_run))


def test_policy_written_is_finite_and_of_the_recipe(run):
    network = read_network(run / "policy.npz")
    assert network.width == 8
