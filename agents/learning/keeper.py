"""Keeping a training run: the budget, checkpoints, the log, and the words beside the progress bar.

A callback of Stable-Baselines3. A checkpoint is plain tensors and numbers, loaded with `weights_only=True`.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback

from intergreen.agents.controllers.policy_weights import PolicyWeights, write_weights
from intergreen.agents.controllers.run_folder import CHECKPOINT, POLICY, read_log, write_log, write_run
from intergreen.envs.errors import InputError, shown
from intergreen.envs.files import replacing

if TYPE_CHECKING:
    from stable_baselines3 import PPO

    from intergreen.agents.learning.recipe import Recipe
    from intergreen.agents.progress import Progress

_LOWEST_RATE = 0.1  # share of the learning rate that is left at the end of the budget


class Budget:
    """How much of a run's minutes and steps is used up; the clock runs from `start`."""

    def __init__(self, recipe: Recipe) -> None:
        self._limit_s = np.inf if recipe.minutes is None else 60.0 * recipe.minutes
        self._limit_steps = recipe.steps
        self._rate = recipe.ppo.learning_rate
        self._began = time.perf_counter()
        self.steps = 0

    def start(self, *, used_s: float, steps: int) -> None:
        """Let the clock run, as if it had run for `used_s` already."""
        self._began = time.perf_counter() - used_s
        self.steps = steps

    @property
    def used_s(self) -> float:
        return time.perf_counter() - self._began

    @property
    def is_out_of_time(self) -> bool:
        """The steps are counted by Stable-Baselines3, which ends a run after a whole update."""
        return self.used_s >= self._limit_s

    @property
    def share(self) -> float:
        """Used share of what ends first, 0 to 1."""
        of_steps = self.steps / self._limit_steps if self._limit_steps else 0.0
        return float(min(1.0, max(self.used_s / self._limit_s, of_steps)))

    def learning_rate(self, _: float) -> float:
        """Falls in a line over the budget; in the form that Stable-Baselines3 asks for."""
        return self._rate * (1.0 - (1.0 - _LOWEST_RATE) * self.share)


class Keeper(BaseCallback):
    """Stops at the end of the budget; writes the run's files every `checkpoint_s` seconds and at the end."""

    def __init__(
        self, folder: Path, run: dict[str, Any], budget: Budget, *, checkpoint_s: float, progress: Progress | None
    ) -> None:
        super().__init__()
        self._folder = folder
        self._run = run
        self._budget = budget
        self._checkpoint_s = checkpoint_s
        self._progress = progress
        self._saved_at_s = 0.0
        self._rollout_steps = 0
        self._mean_reward = 0.0
        self._travel_time_s: float | None = None
        self._rows: list[dict[str, Any]] = []

    def _on_training_start(self) -> None:
        self._rows = read_log(self._folder, up_to_steps=self.num_timesteps)
        self._budget.steps = self.num_timesteps
        self.save(finished=False)

    def _on_step(self) -> bool:
        self._budget.steps = self.num_timesteps
        if self.locals["dones"][0]:  # all copies end together
            self._travel_time_s = float(np.mean([info["average_travel_time_s"] for info in self.locals["infos"]]))
        return not self._budget.is_out_of_time

    def _on_rollout_end(self) -> None:
        self._rollout_steps = self.num_timesteps
        self._mean_reward = float(self.locals["rollout_buffer"].rewards.mean())

    def _on_rollout_start(self) -> None:
        self._log_update()
        if self._budget.used_s - self._saved_at_s >= self._checkpoint_s:
            self.save(finished=False)

    def _on_training_end(self) -> None:
        self._log_update()
        self.save(finished=True)

    def _log_update(self) -> None:
        """One row for an update that has none yet."""
        logged = self.logger.name_to_value
        if "train/loss" not in logged:
            return
        self._rows.append(self._row(logged))
        logged.clear()
        if self._progress is not None:
            self._progress(self._budget.share, self._words())

    def save(self, *, finished: bool) -> None:
        """Write all files of the run; the checkpoint first, because it is what a resumed run goes by."""
        model: PPO = self.model  # type: ignore[assignment]
        self._saved_at_s = self._budget.used_s
        write_checkpoint(self._folder / CHECKPOINT, model, used_s=self._saved_at_s)
        write_weights(self._folder / POLICY, weights_of(model))
        write_log(self._folder, self._rows)
        self._run["outcome"] = {
            "finished": finished,
            "steps": model.num_timesteps,
            "minutes": round(self._saved_at_s / 60.0, 3),
            "last_training_travel_time_s": self._travel_time_s,
        }
        write_run(self._folder, self._run)

    def _row(self, logged: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "steps": self._rollout_steps,
            "minutes": round(self._budget.used_s / 60.0, 4),
            "mean_reward": round(self._mean_reward, 5),
            "average_travel_time_s": "" if self._travel_time_s is None else round(self._travel_time_s, 2),
            "entropy": round(-float(logged["train/entropy_loss"]), 5),
            "value_loss": round(float(logged["train/value_loss"]), 5),
            "approx_kl": round(float(logged["train/approx_kl"]), 6),
            "explained_variance": round(float(logged["train/explained_variance"]), 4),
            "learning_rate": logged["train/learning_rate"],
        }

    def _words(self) -> str:
        travel_time = "" if self._travel_time_s is None else f", travel time {self._travel_time_s:.0f} s"
        return f"{self.num_timesteps:,} decisions{travel_time}"


def weights_of(model: PPO) -> PolicyWeights:
    """The layers that lead from an observation to the scores of the choices."""
    state = {name: tensor.numpy() for name, tensor in model.policy.state_dict().items()}
    hidden = sorted(
        (
            name.removesuffix(".weight")
            for name in state
            if name.startswith("mlp_extractor.policy_net.") and "weight" in name
        ),
        key=lambda name: int(name.rsplit(".", 1)[1]),
    )
    layers = [*hidden, "action_net"]
    return PolicyWeights(
        tuple(state[f"{layer}.weight"].copy() for layer in layers),
        tuple(state[f"{layer}.bias"].copy() for layer in layers),
    )


def write_checkpoint(path: Path, model: PPO, *, used_s: float) -> None:
    """What a run needs to go on: weights, optimiser, decisions made and seconds used so far."""
    content = {
        "policy": model.policy.state_dict(),
        "optimizer": model.policy.optimizer.state_dict(),
        "steps": int(model.num_timesteps),
        "updates": int(model._n_updates),
        "used_s": float(used_s),
    }
    with replacing(path) as temporary:
        torch.save(content, temporary)


def load_checkpoint(path: Path, model: PPO) -> float:
    """Bring `model` to where the checkpoint was written; returns the seconds used until then.

    Raises
    ------
    InputError
        If the file is missing or broken, or belongs to a policy of another shape.
    """
    mend = "name the folder of a run that was begun with this version"
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        model.policy.load_state_dict(content["policy"])
        model.policy.optimizer.load_state_dict(content["optimizer"])
        model.num_timesteps = int(content["steps"])
        model._n_updates = int(content["updates"])
        return float(content["used_s"])
    except FileNotFoundError:
        raise InputError(path.parent, path.name, "is missing", mend) from None
    except (RuntimeError, OSError, EOFError, KeyError, ValueError, TypeError, pickle.UnpicklingError) as error:
        first_line = str(error).strip().partition("\n")[0]
        raise InputError(path, "", f"holds no checkpoint of this run: {shown(first_line, 100)}", mend) from None
