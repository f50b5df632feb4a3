"""A model trained in Python, by stock learners: a controller by its folder, and a bundle."""

from dataclasses import replace

import gymnasium
import pytest
from learning.test_policies import LEARNERS, make
from stable_baselines3 import A2C, PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import SubprocVecEnv, VecEnvWrapper, VecMonitor, VecNormalize

from intergreen.agents.controllers.learned import PolicyController
from intergreen.agents.controllers.run_folder import observation_columns
from intergreen.agents.deployment.names import decider_by_name
from intergreen.agents.deployment.runtime import SignalController
from intergreen.agents.evaluation.exporting import export_run
from intergreen.agents.evaluation.run import evaluate
from intergreen.agents.learning.model import network_of
from intergreen.agents.learning.policies import SignalPolicy
from intergreen.agents.learning.saved_model import save_as_run
from intergreen.envs.episodes import Episodes
from intergreen.envs.errors import InputError
from intergreen.envs.observation import DEFAULT_FEATURES
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import load_scenario
from intergreen.envs.traffic_env import TrafficSignalEnv
from intergreen.envs.vector_env import TrafficVecEnv


@pytest.fixture
def pair(pair_file):
    return TrafficVecEnv(str(pair_file), replicas=2)


@pytest.mark.parametrize("name", LEARNERS)
def test_model_of_any_learner_is_a_controller_with_a_folder_and_without(name, pair, pair_file, tmp_path):
    model = make(name, pair)
    model.learn(100)
    folder = save_as_run(model, tmp_path / "mine", scenario=pair_file)
    scenario, protocol = load_scenario(pair_file), protocol_by_name("literature-10-5")
    results = [
        evaluate(scenario, controller, protocol, seeds=[0], horizon_s=300)["metrics"]
        for controller in (decider_by_name(str(folder)), PolicyController(name, network_of(model), DEFAULT_FEATURES))
    ]
    assert results[0] == results[1]


def test_model_is_exported_and_bound(pair, pair_file, tmp_path):
    model = make("ppo", pair)
    folder = save_as_run(model, tmp_path / "mine", scenario=pair_file)
    bundle = export_run(folder, tmp_path / "bundle", scenarios=[])
    controller = SignalController.load(bundle, load_scenario(pair_file).network)
    assert controller.rungs == ["learned policy"] * 2
    assert "trained again by | the Python that called Stable-Baselines3" in (bundle / "MODEL_CARD.md").read_text()


def test_other_features_another_policy_and_a_folder_in_use_are_refused(pair, pair_file, tmp_path):
    model = make("ppo", pair)
    with pytest.raises(ValueError, match="the model was trained with other features than queue"):
        save_as_run(model, tmp_path / "a", scenario=pair_file, features=("queue",))
    with pytest.raises(TypeError, match=r"need a model with SignalPolicy, .* is ActorCriticPolicy; .*observed"):
        save_as_run(PPO("MlpPolicy", pair, device="cpu"), tmp_path / "a", scenario=pair_file)
    with pytest.raises(TypeError, match="need the scenario's name, which the run states, got a Scenario"):
        save_as_run(model, tmp_path / "a", scenario=load_scenario(pair_file))
    assert not (tmp_path / "a").exists()
    save_as_run(model, tmp_path / "a", scenario=pair_file)
    with pytest.raises(InputError, match=r"/a: holds a run; name another folder"):
        save_as_run(model, tmp_path / "a", scenario=pair_file)


RED_TIME = ("queue", "arriving", "occupied", "downstream", "green", "turn", "red_time", "green_time", "timing")


def test_run_states_the_features_that_the_model_was_trained_with(pair_file, stated, tmp_path):
    assert observation_columns(RED_TIME) != observation_columns(DEFAULT_FEATURES)
    assert [*map(len, observation_columns(RED_TIME))] == [*map(len, observation_columns(DEFAULT_FEATURES))]
    model = make("ppo", TrafficVecEnv(str(pair_file), replicas=1, features=RED_TIME))
    folder = save_as_run(model, tmp_path / "mine", scenario=pair_file)
    assert stated(folder)["observation"]["features"] == list(RED_TIME)
    with pytest.raises(ValueError, match=r"other features than queue, arriving, .*: with .*red_time.*; name those, or"):
        save_as_run(model, tmp_path / "other", scenario=pair_file, features=DEFAULT_FEATURES)


@pytest.mark.parametrize("make_env", [TrafficVecEnv, TrafficSignalEnv])
def test_run_that_would_state_another_protocol_is_refused(make_env, pair_file, stated, tmp_path):
    model = make("ppo", make_env(str(pair_file), protocol="literature-15-5"))
    with pytest.raises(ValueError, match="trained under literature-15-5, and the run would state literature-10-5"):
        save_as_run(model, tmp_path / "mine", scenario=pair_file)
    assert not (tmp_path / "mine").exists()
    folder = save_as_run(model, tmp_path / "mine", scenario=pair_file, protocol="literature-15-5")
    assert stated(folder)["protocol"] == "literature-15-5"


@pytest.mark.parametrize("make_env", [TrafficVecEnv, TrafficSignalEnv])
def test_run_states_what_the_environment_was_made_with(make_env, pair_file, stated, tmp_path):
    how = {"reward": {"pressure": 2.0, "queue": 1.0}, "neighbour_share": 0.3, "end_locked": True, "horizon_s": 200}
    model = make("ppo", make_env(str(pair_file), faults="dead-10", **how))
    recipe = stated(save_as_run(model, tmp_path / "mine", scenario=pair_file))["recipe"]
    assert {name: recipe[name] for name in (*how, "faults")} == how | {"faults": "dead-10"}
    with pytest.raises(ValueError, match=r"trained with reward \{.*\}, and the run would state queue"):
        save_as_run(model, tmp_path / "other", scenario=pair_file, reward="queue")
    assert not (tmp_path / "other").exists()


def test_run_that_would_state_another_scenario_is_refused(pair, tmp_path):
    with pytest.raises(ValueError, match="trained on pair, and the run would state grid4x4, of another network"):
        save_as_run(make("ppo", pair), tmp_path / "mine", scenario="grid4x4")
    assert not (tmp_path / "mine").exists()


def test_model_from_a_file_needs_its_reward_named(pair, pair_file, stated, tmp_path, caplog):
    make("ppo", pair).save(tmp_path / "model.zip")
    model = PPO.load(tmp_path / "model.zip", device="cpu")
    with pytest.raises(ValueError, match="the model has no environment that tells its reward; name it, reward="):
        save_as_run(model, tmp_path / "mine", scenario=pair_file)
    folder = save_as_run(model, tmp_path / "mine", scenario=pair_file, reward={"delay": 1.0})
    assert stated(folder)["recipe"]["reward"] == {"delay": 1.0}
    assert "the model has no environment: where it has learned is stated as you name it" in caplog.text


def test_model_behind_normalised_observations_is_refused(pair, pair_file, tmp_path):
    save_as_run(make("ppo", VecNormalize(pair, norm_obs=False)), tmp_path / "rewards", scenario=pair_file)
    with pytest.raises(ValueError, match=r"the model sees observations through VecNormalize, .*; use norm_obs=False"):
        save_as_run(make("ppo", VecNormalize(pair)), tmp_path / "mine", scenario=pair_file)


def test_wrapper_of_observations_is_refused_and_that_of_a_reward_stated(stated, tmp_path):
    def env():
        return TrafficSignalEnv("single", horizon_s=100)

    halved = gymnasium.wrappers.TransformObservation(env(), lambda seen: 0.5 * seen, env().observation_space)
    with pytest.raises(ValueError, match="the model sees observations through an ObservationWrapper"):
        save_as_run(make("ppo", halved), tmp_path / "seen", scenario="single")
    folder = save_as_run(
        make("ppo", gymnasium.wrappers.TransformReward(env(), abs)), tmp_path / "told", scenario="single"
    )
    assert stated(folder)["saved"]["reward_wrapped"]
    card = (export_run(folder, tmp_path / "bundle", scenarios=[]) / "MODEL_CARD.md").read_text()
    assert "reward queue, changed by a wrapper" in card


class Blind(gymnasium.Wrapper):
    """Changes what is seen without being an `ObservationWrapper`."""

    def step(self, action):
        observation, *others = self.env.step(action)
        return {name: 0 * values for name, values in observation.items()}, *others


@pytest.mark.parametrize(
    ("wrap", "words"),
    [
        (
            lambda env: gymnasium.wrappers.TransformAction(env, lambda one: (one + 1) % 4, None),
            "acts through an Action",
        ),
        (lambda env: gymnasium.wrappers.StickyAction(env, 0.9), "the model .* through an? .*Action.*, which a run has"),
        (Blind, "the model learned through Blind, which a run has not, and which may change what it sees and does"),
    ],
)
def test_wrapper_that_may_change_what_a_policy_does_is_refused(wrap, words, tmp_path):
    with pytest.raises(ValueError, match=words):
        save_as_run(make("ppo", wrap(TrafficSignalEnv("single", horizon_s=100))), tmp_path / "mine", scenario="single")
    assert not (tmp_path / "mine").exists()


def test_wrappers_that_only_look_on_or_change_rewards_are_taken(tmp_path):
    env = gymnasium.make("intergreen.envs:Single-v0", horizon_s=100)
    env = gymnasium.wrappers.RecordEpisodeStatistics(gymnasium.wrappers.TransformReward(env, abs))
    assert save_as_run(make("ppo", env), tmp_path / "mine", scenario="single").is_dir()


def test_run_and_card_state_the_learner_and_its_trips(pair_file, stated, tmp_path):
    env = TrafficVecEnv(str(pair_file), replicas=1, exact_trips=True, backlog_periods=3)
    folder = save_as_run(A2C(SignalPolicy, env, device="cpu", gamma=0.8), tmp_path / "mine", scenario=pair_file)
    saved = stated(folder)["saved"]
    assert saved == {
        "learner": "A2C",
        "reward_wrapped": False,
        "learning_rate": 0.0007,
        "gamma": 0.8,
        "seed": None,
        "scenarios": ["pair"],
        "simulators": ["native"],
        "exact_trips": True,
        "backlog_periods": 3.0,
    }
    card = (export_run(folder, tmp_path / "bundle", scenarios=[]) / "MODEL_CARD.md").read_text()
    assert "A2C of Stable-Baselines3, gamma 0.8, learning rate 0.0007, reward queue" in card
    assert "seed none" in card
    assert "the file's own trips, which it is evaluated on too" in card
    assert "gae_lambda" not in card
    assert "trips drawn anew" not in card


def test_several_scenarios_and_masks_are_stated(pair_file, stated, tmp_path):
    env = TrafficVecEnv([str(pair_file), "single"], replicas=1)
    run = stated(save_as_run(make("maskable-ppo", env), tmp_path / "mine", scenario=pair_file))
    assert run["saved"]["scenarios"] == ["pair", "single"]
    assert (run["saved"]["learner"], run["recipe"]["algorithm"]) == ("MaskablePPO", "maskable-ppo")


def test_environments_in_processes_of_their_own_are_asked_as_well(tmp_path):
    how = {"protocol": "us-mutcd-5", "reward": "pressure"}
    env = make_vec_env("intergreen.envs:Single-v0", n_envs=1, vec_env_cls=SubprocVecEnv, env_kwargs=how)
    model = make("ppo", env)
    with pytest.raises(ValueError, match="trained with reward pressure, and the run would state queue"):
        save_as_run(model, tmp_path / "mine", scenario="single", reward="queue", protocol="us-mutcd-5")
    with pytest.raises(ValueError, match="trained under us-mutcd-5, and the run would state literature-10-5"):
        save_as_run(model, tmp_path / "mine", scenario="single")
    with pytest.raises(ValueError, match="of another network or demand"):
        save_as_run(model, tmp_path / "mine", scenario="grid4x4", protocol="us-mutcd-5")
    save_as_run(model, tmp_path / "mine", scenario="single", protocol="us-mutcd-5")
    env.close()


def test_observations_of_as_many_columns_but_other_features_are_no_match(pair_file, tmp_path):
    model = make("ppo", TrafficVecEnv(str(pair_file), replicas=1))
    model.save(tmp_path / "model.zip")
    other = TrafficVecEnv(str(pair_file), replicas=1, features=RED_TIME)
    assert other.observation_space.shape == model.observation_space.shape
    with pytest.raises(ValueError, match="Observation spaces do not match"):
        PPO.load(tmp_path / "model.zip", env=other, device="cpu")
    with pytest.raises(ValueError, match="Observation spaces do not match"):
        model.set_env(other)
    turned = TrafficVecEnv(str(pair_file), replicas=1, features=tuple(reversed(DEFAULT_FEATURES)))
    model.set_env(turned)  # the columns' order is the library's


def test_model_under_a_protocol_of_ones_own_cannot_be_stated(pair_file, tmp_path):
    shipped = protocol_by_name("literature-10-5")
    for own in (replace(shipped, name="careful-5"), replace(shipped, interval_s=20)):
        model = make("ppo", TrafficVecEnv(str(pair_file), protocol=own))
        with pytest.raises(
            ValueError, match=rf"trained under {own.name}, a protocol of your own, .*ObservedController"
        ):
            save_as_run(model, tmp_path / "mine", scenario=pair_file)
    assert not (tmp_path / "mine").exists()


class Negated(VecEnvWrapper):
    def reset(self):
        return self.venv.reset()

    def step_wait(self):
        observations, rewards, dones, infos = self.venv.step_wait()
        return observations, -rewards, dones, infos


@pytest.mark.parametrize(
    ("wrap", "changes"), [(lambda env: VecNormalize(env, norm_obs=False), True), (Negated, True), (VecMonitor, False)]
)
def test_reward_that_a_wrapper_around_all_may_change_is_stated(wrap, changes, pair, pair_file, stated, tmp_path):
    folder = save_as_run(make("ppo", wrap(pair)), tmp_path / "mine", scenario=pair_file)
    assert stated(folder)["saved"]["reward_wrapped"] == changes


def test_seed_beyond_those_of_recipes_is_stated_as_the_learners(pair, pair_file, stated, tmp_path):
    model = make("ppo", pair)
    model.seed = 2**31 + 5
    assert stated(save_as_run(model, tmp_path / "mine", scenario=pair_file))["saved"]["seed"] == 2**31 + 5


@pytest.mark.parametrize(("other", "key"), [({"reward": "pressure"}, "reward"), ({"horizon_s": 200}, "horizon_s")])
def test_environments_that_differ_cannot_be_stated(other, key, pair_file, tmp_path):
    env = TrafficVecEnv([Episodes(str(pair_file), **{"horizon_s": 300, **one}) for one in ({}, other)])
    with pytest.raises(ValueError, match=f"the model's environments differ in {key}, and a run states one"):
        save_as_run(make("ppo", env), tmp_path / "mine", scenario=pair_file)
