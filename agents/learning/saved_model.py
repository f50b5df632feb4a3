"""A model that Stable-Baselines3 has trained, in Python, as the folder of a run: what commands take as a controller and
export for a street. Its optimiser and logs stay in the model's own file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stable_baselines3 import DQN

from intergreen.agents.controllers.policy_network import write_network
from intergreen.agents.controllers.run_folder import POLICY, SAVED, observation_columns, write_run
from intergreen.agents.learning.model import network_of
from intergreen.agents.learning.prepare import new_training
from intergreen.agents.learning.recipe import make_recipe
from intergreen.envs.observation import DEFAULT_FEATURES
from intergreen.envs.reward import REWARDS, RewardSpec

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm


def save_as_run(
    model: BaseAlgorithm,
    folder: str | Path,
    *,
    scenario: str | Path,
    features: Sequence[str] = DEFAULT_FEATURES,
    protocol: str | None = None,
    reward: RewardSpec = REWARDS[0],
) -> Path:
    """Write the policy of the model, and what it was trained on, to `folder`.

    Parameters
    ----------
    model : with SignalPolicy, MaskableSignalPolicy or SignalQPolicy
    scenario : the name, file or folder that its environment was made from
    features, protocol, reward : of that environment

    Raises
    ------
    InputError
        If the folder is in use, or the scenario is wrong.
    ValueError
        If the policy was trained with other features.
    TypeError
        If it is another policy, or scenario or protocol have no name that could be stated.
    """
    for what, value in {"scenario": scenario, "protocol": protocol}.items():
        if not isinstance(value, str | Path | None):
            raise TypeError(f"need the {what}'s name, which the run states, got a {type(value).__name__}")
    network = network_of(model)
    movement, signal = observation_columns(features)
    if (network.movement_columns, network.signal_columns) != (len(movement), len(signal)):
        raise ValueError(f"the model was trained with other features than {', '.join(features)}; name those")
    settings = {
        "algorithm": "dqn" if isinstance(model, DQN) else "ppo",
        "scenario": str(scenario),
        "features": list(features),
        "protocol": protocol,
        "reward": reward if isinstance(reward, str) else dict(reward),
        "width": network.width,
        "steps": max(model.num_timesteps, 1),
        "seed": model.seed or 0,
    }
    training = new_training(make_recipe("save_as_run", settings), Path(folder))
    training.folder.mkdir(parents=True, exist_ok=True)
    write_network(training.folder / POLICY, network)
    outcome = {"finished": True, "steps": model.num_timesteps, "last": {"file": POLICY}, "best": None}
    write_run(training.folder, training.run | {"outcome": outcome, "made_by": SAVED})
    return training.folder
