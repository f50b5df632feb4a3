"""A model that Stable-Baselines3 has trained, in Python, as the folder of a run: what commands take as a controller and
export for a street. Its optimiser and logs stay in the model's own file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stable_baselines3 import DQN
from stable_baselines3.common.vec_env import DummyVecEnv

from intergreen.agents.controllers.policy_network import write_network
from intergreen.agents.controllers.run_folder import POLICY, SAVED, observation_columns, write_run
from intergreen.agents.learning.model import network_of
from intergreen.agents.learning.prepare import new_training
from intergreen.agents.learning.recipe import make_recipe
from intergreen.envs.observation import DEFAULT_FEATURES
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario_fingerprint import scenario_fingerprint
from intergreen.envs.traffic_env import TrafficSignalEnv
from intergreen.envs.vector_env import TrafficVecEnv

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm

    from intergreen.agents.learning.prepare import Training
    from intergreen.envs.episodes import Episodes
    from intergreen.envs.reward import RewardSpec


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
    features = _features_of(model, features)
    movement, signal = observation_columns(features)
    if (network.movement_columns, network.signal_columns) != (len(movement), len(signal)):
        raise ValueError(f"the model was trained with other features than {', '.join(features)}; name those")
    _refuse_normalised(model)
    worlds = _worlds_of(model)
    settings = {
        "algorithm": "dqn" if isinstance(model, DQN) else "ppo",
        "scenario": str(scenario),
        "features": list(features),
        "protocol": protocol,
        "width": network.width,
        "steps": max(model.num_timesteps, 1),
        "seed": model.seed or 0,
        **_settings_of(worlds, reward),
    }
    training = new_training(make_recipe("save_as_run", settings), Path(folder))
    _refuse_other_protocol(worlds, training.run["protocol"])
    _refuse_other_scenario(worlds, training)
    training.folder.mkdir(parents=True, exist_ok=True)
    write_network(training.folder / POLICY, network)
    outcome = {"finished": True, "steps": model.num_timesteps, "last": {"file": POLICY}, "best": None}
    write_run(training.folder, training.run | {"outcome": outcome, "made_by": SAVED})
    return training.folder


def _features_of(model: BaseAlgorithm, stated: Sequence[str] | None) -> Sequence[str]:
    """What the policy sees. Its space knows, unless it was saved before spaces did."""
    trained = getattr(model.observation_space, "features", ())
    features = stated or trained or DEFAULT_FEATURES
    if trained and set(features) != set(trained):  # the columns may be as many
        other = f"the model was trained with other features than {', '.join(features)}"
        raise ValueError(f"{other}: with {', '.join(trained)}; name those, or none")
    return features


def _refuse_normalised(model: BaseAlgorithm) -> None:
    """What stands between environment and policy is in no file of a run, and the policy would see other numbers."""
    normalised = model.get_vec_normalize_env()
    if normalised is not None and normalised.norm_obs:
        raise ValueError("the model sees observations through VecNormalize, which a run has not; use norm_obs=False")


def _settings_of(worlds: Sequence[Episodes], reward: RewardSpec | None) -> dict[str, Any]:
    """What a recipe says of the environment, as the model's own has it; of one without, the reward alone."""
    if not worlds:
        if reward is None:
            raise ValueError("the model has no environment that tells its reward; name it, reward=...")
        return {"reward": reward if isinstance(reward, str) else dict(reward)}
    world = worlds[0]
    if reward is not None and _weights(reward) != _weights(world.reward):
        problem = f"the model was trained with reward {world.reward}, and the run would state {reward}"
        raise ValueError(f"{problem}; name that, or none")
    if world.faults and not isinstance(world.faults, str | Path):
        raise ValueError("the model was trained with faults that have no name; give its environment a file of them")
    return {
        "reward": world.reward,
        "horizon_s": None if world.horizon_s == world.scenario.horizon_s else world.horizon_s,
        "neighbour_share": world.neighbour_share,
        "demand_scale": world.demand_scale,
        "end_locked": world.lock_watch is not None,
        "faults": str(world.faults) if world.faults else None,
    }


def _weights(reward: RewardSpec) -> dict[str, float]:
    return {reward: 1.0} if isinstance(reward, str) else {name: float(weight) for name, weight in reward.items()}


def _refuse_other_scenario(worlds: Sequence[Episodes], training: Training) -> None:
    stated = training.run["fingerprint"]
    if worlds and stated not in {scenario_fingerprint(world.scenario) for world in worlds}:
        trained = ", ".join(dict.fromkeys(world.scenario.name for world in worlds))
        problem = f"the model was trained on {trained}, and the run would state {training.run['scenario']}"
        raise ValueError(f"{problem}, of another network or demand; name the scenario of its environment")


def _refuse_other_protocol(worlds: Sequence[Episodes], stated: str) -> None:
    trained = {world.protocol.name for world in worlds}
    if trained and protocol_by_name(stated).name not in trained:
        problem = f"the model was trained under {', '.join(sorted(trained))}, and the run would state {stated}"
        raise ValueError(f"{problem}; name the protocol, protocol=...")


def _worlds_of(model: BaseAlgorithm) -> list[Episodes]:
    """Those of the model's environment; none where it has none, as when it was loaded from a file."""
    env = model.get_env()
    inner = None if env is None else env.unwrapped
    if isinstance(inner, TrafficVecEnv):
        return list(inner.worlds)
    copies = inner.envs if isinstance(inner, DummyVecEnv) else []
    return [one.unwrapped.episodes for one in copies if isinstance(one.unwrapped, TrafficSignalEnv)]
