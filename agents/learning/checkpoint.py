"""Checkpoints: all that a run needs to go on, in one file, so that no half of it can be older than the other.

Tensors, numbers and text; loaded with `weights_only=True`. A learner that goes on from a checkpoint meets the same
traffic with the same random numbers as one that was never stopped; in SUMO, whose state cannot be kept, it begins new
episodes. The remembered decisions of DQN are left out: they
are the larger part, and are gathered anew.
"""

from __future__ import annotations

import io
import json
import pickle
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from stable_baselines3 import DQN

from intergreen.envs.episode_state import EpisodeState, episode_state, restore_episodes
from intergreen.envs.errors import InputError, shown
from intergreen.envs.files import replacing

if TYPE_CHECKING:
    from stable_baselines3.common.base_class import BaseAlgorithm

    from intergreen.agents.learning.averaging import WeightAverage
    from intergreen.agents.learning.budget import Budget
    from intergreen.envs.vector_env import TrafficVecEnv

_MEND = "name the folder of a run that was begun with this version"
_BROKEN = (RuntimeError, OSError, EOFError, KeyError, ValueError, TypeError, AttributeError, pickle.UnpicklingError)


def write_checkpoint(
    path: Path, model: BaseAlgorithm, env: TrafficVecEnv, budget: Budget, average: WeightAverage | None = None
) -> None:
    """Write where the run is; `model` must stand between two rollouts, or at the end."""
    traffic = episode_state(env)
    content = {
        "policy": model.policy.state_dict(),
        "optimizer": model.policy.optimizer.state_dict(),
        "steps": int(model.num_timesteps),
        "updates": int(model._n_updates),
        "calls": int(getattr(model, "_n_calls", 0)),
        "used_s": budget.used_s,
        "paused_s": budget.paused_s,
        "observation": torch.from_numpy(np.array(model._last_obs)),
        "episode_starts": torch.from_numpy(np.array(model._last_episode_starts)),
        "traffic": {name: torch.from_numpy(array) for name, array in traffic.arrays.items()},
        "averaged": 0 if average is None else average.count,
        "average": {} if average is None else {name: torch.from_numpy(a) for name, a in average.arrays.items()},
        "traffic_random": traffic.randoms,
        "torch_random": torch.get_rng_state(),
        "random": _random_states(model),
    }
    packed = io.BytesIO()
    torch.save(content, packed)  # not to the file itself: torch says nothing of a full disk
    with replacing(path) as temporary:
        temporary.write_bytes(packed.getbuffer())


def load_checkpoint(
    path: Path, model: BaseAlgorithm, env: TrafficVecEnv, budget: Budget, average: WeightAverage | None = None
) -> None:
    """Bring model, traffic and budget to where the checkpoint was written, and let the budget's clock run from there.

    Raises
    ------
    InputError
        If the file is missing or broken, or belongs to another policy or network.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        model.policy.load_state_dict(content["policy"])
        _check_observations(path, tuple(content["observation"].shape), (env.num_envs, env.blocks.size))
        model.policy.optimizer.load_state_dict(content["optimizer"])
        model.num_timesteps = content["steps"]
        model._n_updates = content["updates"]
        model._last_obs = content["observation"].numpy()
        model._last_episode_starts = content["episode_starts"].numpy()
        arrays = {name: tensor.numpy() for name, tensor in content["traffic"].items()}
        if not restore_episodes(env, EpisodeState(arrays, content["traffic_random"])):
            model._last_obs = env.reset()
            model._last_episode_starts = np.ones(env.num_envs, np.bool_)
        if isinstance(model, DQN):
            model._n_calls = content["calls"]
            model.learning_starts += content["steps"]
        if average is not None:
            average.go_on(content["averaged"], {name: a.numpy() for name, a in content["average"].items()})
        torch.set_rng_state(content["torch_random"])
        _set_random_states(model, content["random"])
        budget.start(used_s=content["used_s"], paused_s=content["paused_s"], steps=content["steps"])
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(path.parent, path.name, "is missing", _MEND) from None
    except _BROKEN as error:
        first_line = str(error).strip().partition("\n")[0]
        problem = f"is damaged, or holds no checkpoint of this run: {shown(first_line, 100)}"
        mend = f"{_MEND}, or begin a new one with --start {path.parent}"
        raise InputError(path, "", problem, mend) from None


def _check_observations(path: Path, seen: tuple[int, ...], now: tuple[int, ...]) -> None:
    """As many signals, and values of each, as when the run was stopped: another version may tell them otherwise."""
    if seen != now:
        problem = f"was written where {seen[0]} signals saw {seen[1]} values each; now {now[0]} see {now[1]}"
        raise InputError(path, "", problem, "go on with the version that began the run, or begin anew with --start")


def _random_states(model: BaseAlgorithm) -> str:
    """Those of Python, NumPy and the action space, as JSON: minibatches are drawn by NumPy's global generator."""
    of_numpy: Any = np.random.get_state(legacy=False)  # noqa: NPY002
    of_numpy["state"]["key"] = of_numpy["state"]["key"].tolist()
    return json.dumps([random.getstate(), of_numpy, model.action_space.np_random.bit_generator.state])


def _set_random_states(model: BaseAlgorithm, text: str) -> None:
    (version, state, gauss), of_numpy, of_actions = json.loads(text)
    random.setstate((version, tuple(state), gauss))
    of_numpy["state"]["key"] = np.array(of_numpy["state"]["key"], np.uint32)
    np.random.set_state(of_numpy)  # noqa: NPY002
    model.action_space.np_random.bit_generator.state = of_actions
