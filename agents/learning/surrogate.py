"""PPO's loss and its slopes, written out: what Stable-Baselines3's PPO minimises, without autograd.

    loss = mean of -min(A r, A clip(r)) - ent_coef * entropy + vf_coef * (value - return)^2,    r = p / p of old

References
----------
Schulman et al. (2017), "Proximal policy optimization algorithms", arXiv:1707.06347, equations 7 and 9.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from intergreen.agents.learning import kernels

if TYPE_CHECKING:
    from intergreen.agents.learning.passes import Passes


class Samples(NamedTuple):
    """What has been decided, and what came of it; each (N, 1)."""

    actions: Tensor
    log_probs: Tensor  # of the actions, when they were decided
    advantages: Tensor
    returns: Tensor


class Loss(NamedTuple):
    """The loss's parts, with the names that the log has for them."""

    policy_gradient_loss: float
    value_loss: float
    entropy_loss: float
    clip_fraction: float
    approx_kl: float


class Coefficients(NamedTuple):
    """As in Stable-Baselines3; `clip_range` as it is in this update."""

    clip_range: float
    ent_coef: float
    vf_coef: float


def write_slopes(passes: Passes, samples: Samples, k: Coefficients, *, out_of: int) -> Tensor:
    """Write slopes by scores and values, for N of a minibatch's `out_of` samples; what they add to the loss (5,)."""
    loss = torch.empty(5, dtype=torch.float64)
    scores, of_scores = passes.scores.numpy(), passes.of_scores.numpy()
    known = (column.numpy()[:, 0] for column in (passes.values, *samples))
    settings = (k.clip_range, k.ent_coef, k.vf_coef, 1.0 / out_of)
    kernels.surrogate(of_scores, passes.of_values.numpy()[:, 0], loss.numpy(), scores, *known, settings)
    return loss
