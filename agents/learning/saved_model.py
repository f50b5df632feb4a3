"""A model that Stable-Baselines3 has trained, in Python, as the folder of a run: what commands take as a controller and
export for a street. Its optimiser and logs stay in the model's own file."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium
from sb3_contrib import MaskablePPO
from sb3_contrib.common.wrappers import ActionMasker
from stable_baselines3 import DQN
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import VecCheckNan, VecEnvWrapper, VecMonitor, VecNormalize, VecVideoRecorder

from intergreen.agents.controllers.policy_network import write_network
from intergreen.agents.controllers.run_folder import POLICY, SAVED, observation_columns, write_run
from intergreen.agents.learning.model import network_of
from intergreen.agents.learning.prepare import new_training
from intergreen.agents.learning.recipe import make_recipe
from intergreen.envs.observation import DEFAULT_FEATURES
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.simulators import NATIVE, SUMO
from intergreen.envs.vector_env import TrafficVecEnv

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm

    from intergreen.agents.learning.prepare import Training
    from intergreen.envs.reward import RewardSpec

_SEEDS = 2**31  # that a recipe can have
_ONLOOKERS = (VecMonitor, VecCheckNan, VecVideoRecorder)
_HARMLESS = (
    gymnasium.RewardWrapper,
    gymnasium.wrappers.NormalizeReward,
    gymnasium.wrappers.OrderEnforcing,
    gymnasium.wrappers.PassiveEnvChecker,
    gymnasium.wrappers.RecordEpisodeStatistics,
    gymnasium.wrappers.RecordVideo,
    gymnasium.wrappers.RenderCollection,
    gymnasium.wrappers.HumanRendering,
    gymnasium.wrappers.TimeLimit,
    ActionMasker,
    Monitor,
)  # fmt: skip
_LOG = logging.getLogger(__name__)


def save_as_run(
    model: BaseAlgorithm,
    folder: str | Path,
    *,
    scenario: str | Path,
    features: Sequence[str] | None = None,
    protocol: str | None = None,
    reward: RewardSpec | None = None,
) -> Path:
    """Write the policy of the model, and what it was trained on, to `folder`.

    Parameters
    ----------
    model : with SignalPolicy, MaskableSignalPolicy or SignalQPolicy
    scenario : the name, file or folder that its environment was made from
    features, protocol, reward : of that environment; None: features and reward as the model and its environment know
        them, the scenario's own protocol

    Raises
    ------
    InputError
        If the folder is in use, or the scenario is wrong.
    ValueError
        If the policy was trained with other features or another reward, under another protocol, on another network or
        demand, or on normalised observations; or if nobody knows its reward.
    TypeError
        If it is another policy, or scenario or protocol have no name that could be stated.
    """
    for what, value in {"scenario": scenario, "protocol": protocol}.items():
        if not isinstance(value, str | Path | None):
            raise TypeError(f"need the {what}'s name, which the run states, got a {type(value).__name__}")
    network = network_of(model)
    worlds = _worlds_of(model)
    features = _features_of(model, worlds, features)
    movement, signal = observation_columns(features)
    if (network.movement_columns, network.signal_columns) != (len(movement), len(signal)):
        raise ValueError(f"the model was trained with other features than {', '.join(features)}; name those")
    _refuse_wrapped(model)
    settings = {
        "algorithm": _algorithm(model),
        "scenario": str(scenario),
        "features": list(features),
        "protocol": protocol,
        "width": network.width,
        "steps": max(model.num_timesteps, 1),
        "seed": (model.seed or 0) % _SEEDS,  # the learner's own stands under `saved`
        **_settings_of(worlds, reward),
    }
    training = new_training(make_recipe("save_as_run", settings), Path(folder))
    _refuse_other_protocol(worlds, training.run["protocol"])
    _refuse_other_scenario(worlds, training)
    if not worlds:
        _LOG.warning("%s: the model has no environment: where it has learned is stated as you name it", training.folder)
    training.folder.mkdir(parents=True, exist_ok=True)
    write_network(training.folder / POLICY, network)
    outcome = {"finished": True, "steps": model.num_timesteps, "last": {"file": POLICY}, "best": None}
    made = {"outcome": outcome, "made_by": SAVED, "saved": _learner_stated(model, worlds)}
    write_run(training.folder, training.run | made)
    return training.folder


def _algorithm(model: BaseAlgorithm) -> str:
    """The one of a recipe's that is most like it; the run states its class as well."""
    if isinstance(model, DQN):
        return "dqn"
    return "maskable-ppo" if isinstance(model, MaskablePPO) else "ppo"


def _learner_stated(model: BaseAlgorithm, worlds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Of the learner and its environment, what a recipe has no words for."""
    rate = model.learning_rate
    return {
        "learner": type(model).__name__,
        "reward_wrapped": _is_wrapped(model, gymnasium.RewardWrapper)
        or _is_wrapped(model, gymnasium.wrappers.NormalizeReward)
        or _may_change_rewards(model),
        "learning_rate": float(rate) if isinstance(rate, int | float) else None,  # None: a schedule of the user's
        "gamma": float(model.gamma),  # type: ignore[attr-defined]
        "seed": model.seed,
        "scenarios": list(dict.fromkeys(world["scenario"] for world in worlds)),
        "simulators": list(dict.fromkeys(world["simulator"] for world in worlds)),
        "exact_trips": any(world["exact_trips"] for world in worlds) if worlds else None,
        "backlog_periods": worlds[0]["backlog_periods"] if worlds else None,
    }


def _features_of(
    model: BaseAlgorithm, worlds: Sequence[Mapping[str, Any]], stated: Sequence[str] | None
) -> Sequence[str]:
    """What the policy sees. Its environment and its space know, unless it was saved before spaces did."""
    of_space = getattr(model.observation_space, "features", ())
    trained = worlds[0]["features"] if worlds else of_space
    if of_space and set(trained) != set(of_space):
        problem = f"its environment tells {', '.join(trained)}, and it began with {', '.join(of_space)}"
        raise ValueError(f"the model was trained with two kinds of observations: {problem}; begin a new model")
    features = stated or trained or DEFAULT_FEATURES
    if trained and set(features) != set(trained):  # the columns may be as many
        other = f"the model was trained with other features than {', '.join(features)}"
        raise ValueError(f"{other}: with {', '.join(trained)}; name those, or none")
    return features


def _refuse_wrapped(model: BaseAlgorithm) -> None:
    """What stands between environment and policy is in no file of a run, and the policy would see other numbers."""
    normalised = model.get_vec_normalize_env()
    if normalised is not None and normalised.norm_obs:
        raise ValueError("the model sees observations through VecNormalize, which a run has not; use norm_obs=False")
    for kind, what in ((gymnasium.ObservationWrapper, "sees observations"), (gymnasium.ActionWrapper, "acts")):
        if _is_wrapped(model, kind):
            raise ValueError(f"the model {what} through an {kind.__name__}, which a run has not; leave it out")
    for wrapper in _wrappers(model):
        if not isinstance(wrapper, _HARMLESS):
            problem = f"the model learned through {type(wrapper).__name__}, which a run has not"
            raise ValueError(f"{problem}, and which may change what it sees and does; leave it out")


def _wrappers(model: BaseAlgorithm) -> Iterator[gymnasium.Wrapper[Any, Any, Any, Any]]:
    """Around each environment; none of those in processes of their own, of which only the kind can be asked."""
    env = model.get_env()
    while isinstance(env, VecEnvWrapper):
        env = env.venv
    for one in getattr(env, "envs", ()):
        layer = one
        while isinstance(layer, gymnasium.Wrapper):
            yield layer
            layer = layer.env


def _may_change_rewards(model: BaseAlgorithm) -> bool:
    """Whether a wrapper around all environments together does, or is of a kind that nobody here knows."""
    env = model.get_env()
    while isinstance(env, VecEnvWrapper):
        if env.norm_reward if isinstance(env, VecNormalize) else not isinstance(env, _ONLOOKERS):
            return True
        env = env.venv
    return False


def _is_wrapped(model: BaseAlgorithm, kind: type[gymnasium.Wrapper[Any, Any, Any, Any]]) -> bool:
    env = model.get_env()
    return env is not None and any(env.env_is_wrapped(kind))


def _settings_of(worlds: Sequence[Mapping[str, Any]], reward: RewardSpec | None) -> dict[str, Any]:
    """What a recipe says of the environment, as the model's own has it; of one without, the reward alone."""
    if not worlds:
        if reward is None:
            raise ValueError("the model has no environment that tells its reward; name it, reward=...")
        return {"reward": reward if isinstance(reward, str) else dict(reward)}
    world = worlds[0]
    if reward is not None and _weights(reward) != _weights(world["reward"]):
        problem = f"the model was trained with reward {world['reward']}, and the run would state {reward}"
        raise ValueError(f"{problem}; name that, or none")
    if world["faults"] and not isinstance(world["faults"], str):
        raise ValueError("the model was trained with faults that have no name; give its environment a file of them")
    as_they_are = ("reward", "horizon_s", "neighbour_share", "demand_scale", "end_locked")
    for key in (*as_they_are, "faults"):
        if any(other[key] != world[key] for other in worlds[1:]):
            raise ValueError(f"the model's environments differ in {key}, and a run states one; give all the same")
    simulator = SUMO if world["simulator"] == SUMO else NATIVE
    return {key: world[key] for key in as_they_are} | {"faults": world["faults"] or None, "simulator": simulator}


def _weights(reward: RewardSpec) -> dict[str, float]:
    return {reward: 1.0} if isinstance(reward, str) else {name: float(weight) for name, weight in reward.items()}


def _refuse_other_scenario(worlds: Sequence[Mapping[str, Any]], training: Training) -> None:
    stated = training.run["fingerprint"]
    if worlds and stated not in {world["fingerprint"] for world in worlds}:
        trained = ", ".join(dict.fromkeys(world["scenario"] for world in worlds))
        problem = f"the model was trained on {trained}, and the run would state {training.run['scenario']}"
        raise ValueError(f"{problem}, of another network or demand; name the scenario of its environment")


def _refuse_other_protocol(worlds: Sequence[Mapping[str, Any]], stated: str) -> None:
    own = [world["protocol"] for world in worlds if world["own_protocol"]]
    if own:
        problem = f"the model was trained under {own[0]}, a protocol of your own, and a run states shipped ones alone"
        raise ValueError(f"{problem}; evaluate the model in Python with ObservedController (docs/environments.md)")
    trained = {world["protocol"] for world in worlds}
    if trained and protocol_by_name(stated).name not in trained:
        problem = f"the model was trained under {', '.join(sorted(trained))}, and the run would state {stated}"
        raise ValueError(f"{problem}; name the protocol, protocol=...")


def _worlds_of(model: BaseAlgorithm) -> list[dict[str, Any]]:
    """What the episodes of the model's environment say of themselves; nothing where it has none, as when it was loaded
    from a file, or one that is not of ours."""
    env = model.get_env()
    inner = None if env is None else env.unwrapped
    if isinstance(inner, TrafficVecEnv):
        return [world.stated() for world in inner.worlds]
    if inner is None or not inner.has_attr("stated"):
        return []
    return list(inner.env_method("stated"))  # from processes of their own, too
