"""A rollout buffer of Stable-Baselines3 that keeps its memory from one rollout to the next and copies an entry once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from stable_baselines3.common.buffers import RolloutBuffer

if TYPE_CHECKING:
    from torch import Tensor


class KeptRolloutBuffer(RolloutBuffer):
    """Nothing is cleared between rollouts: every entry is written again before it is read."""

    def reset(self) -> None:
        """Begin a rollout; stock memory where there is none yet, or a stock `get` has put it into another order."""
        if getattr(self, "returns", None) is None or self.generator_ready:
            super().reset()
        self.pos, self.full = 0, False

    def add(
        self,
        obs: np.ndarray,
        action: np.ndarray,
        reward: np.ndarray,
        episode_start: np.ndarray,
        value: Tensor,
        log_prob: Tensor,
    ) -> None:
        """Take in one step of all slots."""
        t = self.pos
        self.observations[t] = obs
        self.actions[t] = action.reshape(self.n_envs, self.action_dim)
        self.rewards[t] = reward
        self.episode_starts[t] = episode_start
        self.values[t] = value.numpy(force=True).reshape(-1)
        self.log_probs[t] = log_prob.numpy(force=True).reshape(-1)
        self.pos = t + 1
        self.full = self.pos == self.buffer_size
