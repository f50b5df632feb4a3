"""A discount by time for the on-policy learners of Stable-Baselines3, which know one by decision.

A discount by decision looks six times as far ahead where decisions come every 30 s as where they come every 5 s. By
time, all slots look equally far.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm

if TYPE_CHECKING:
    from intergreen.agents.learning.recipe import PPOSettings
    from intergreen.envs.arrays import Float32Array, IntArray


def by_time(per_decision: float, interval_s: IntArray, decision_s: float) -> Float32Array:
    """(slots,) what is left of 1 after one decision of each slot, where `per_decision` is left after `decision_s`.

    >>> by_time(0.81, np.array([10, 5, 20]), 10.0).astype(float).round(3).tolist()
    [0.81, 0.9, 0.656]
    """
    left: Float32Array = (per_decision ** (interval_s / decision_s)).astype(np.float32)
    return left


class TimedDiscount(BaseCallback):
    """Discounts every slot's rewards, and its advantages' traces, by the seconds between its decisions.

    interval_s  (slots,) of every slot
    decision_s  seconds between decisions for which `gamma` and `gae_lambda` are meant
    """

    def __init__(self, settings: PPOSettings, interval_s: IntArray, decision_s: float) -> None:
        super().__init__()
        self._gamma = by_time(settings.gamma, interval_s, decision_s)
        self._gae_lambda = by_time(settings.gae_lambda, interval_s, decision_s)

    def _on_training_start(self) -> None:
        buffer = cast(OnPolicyAlgorithm, self.model).rollout_buffer
        buffer.gamma, buffer.gae_lambda = self._gamma, self._gae_lambda  # type: ignore[assignment]

    def _on_step(self) -> bool:
        """At the horizon the learner adds what it expects from there on, times its one discount; put that right.

        It adds nothing where an episode has ended for good, in a lock.
        """
        infos = self.locals["infos"]
        over = np.flatnonzero(self.locals["dones"]).tolist()
        ended = np.array([slot for slot in over if infos[slot].get("TimeLimit.truncated", False)], np.int64)
        if len(ended):
            last = np.stack([infos[slot]["terminal_observation"] for slot in ended])
            learner = cast(OnPolicyAlgorithm, self.model)
            with torch.no_grad():
                values = learner.policy.predict_values(torch.from_numpy(last)).numpy().ravel()
            self.locals["rewards"][ended] += (self._gamma[ended] - learner.gamma) * values
        return True
