"""The policy's network: one for every intersection, whatever its movements and phases (PyTorch).

Phases compete over the movements they serve, as in FRAP (Zheng et al. 2019, CIKM) and AttendLight (Oroojlooy et al.
2020, NeurIPS); sums in place of fixed places make it indifferent to their order and number (Zaheer et al. 2017,
"Deep sets", NeurIPS):

    movement  h_m = relu(A [x_m, log10(1 + 9 x_m)])                 each movement by itself
    choice    p_c = relu(B [sum of h over the movements c serves] + C [sum of h over all] + D [choice, signal])
    contest   q_c = relu(E p_c + F [mean of p over the choices allowed])
    score_c = w q_c        value = v relu(G [mean of q, sum of h, signal])

The logarithm keeps 0 and 1 where they are and presses long queues together: the first vehicles matter most.
`agents/controllers/policy_network.py` computes the same scores with NumPy alone.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from intergreen.envs.observation import CHOICE_COLUMNS

if TYPE_CHECKING:
    from intergreen.envs.observation import Blocks

FORBIDDEN = -1e9  # score of a choice that is not allowed
LOG_10 = math.log(10.0)


class SignalNetwork(nn.Module):
    """Scores (N, C) and values (N, 1) from observations (N, size); the weights do not depend on M and C."""

    def __init__(self, blocks: Blocks, *, width: int = 32) -> None:
        super().__init__()
        self.blocks = blocks
        self.movement = _Linear(2 * blocks.movement_columns, width)
        self.served = _Linear(width, width)
        self.everything = _Linear(width, width, bias=False)
        self.choice = _Linear(len(CHOICE_COLUMNS), width, bias=False)
        self.signal = _Linear(blocks.signal_columns, width, bias=False)
        self.own = _Linear(width, width)
        self.others = _Linear(width, width, bias=False)
        self.score = _Linear(width, 1)
        self.outlook = _Linear(2 * width + blocks.signal_columns, width)
        self.value = _Linear(width, 1)
        for layer in self.modules():
            if isinstance(layer, nn.Linear) and layer.weight.numel():
                nn.init.orthogonal_(layer.weight, gain=2.0**0.5)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        nn.init.orthogonal_(self.score.weight, gain=0.01)
        nn.init.orthogonal_(self.value.weight, gain=1.0)

    def forward(self, observation: Tensor) -> tuple[Tensor, Tensor]:
        """Scores, `FORBIDDEN` where a choice is not allowed, and values."""
        everything, contest, allowed, signal = self._body(observation)
        return self._scores(contest, allowed), self._values(everything, contest, allowed, signal)

    def forward_actor(self, observation: Tensor) -> Tensor:
        """The scores alone."""
        _, contest, allowed, _ = self._body(observation)
        return self._scores(contest, allowed)

    def forward_critic(self, observation: Tensor) -> Tensor:
        """The values alone."""
        return self._values(*self._body(observation))

    def _body(self, observation: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Sum over all movements (N, W), contest (N, C, W), allowed (N, C, 1), signal columns (N, s)."""
        b = self.blocks
        movements = observation[:, : b.choices_at].reshape(-1, b.movements, b.movement_columns)
        choices = observation[:, b.choices_at : b.signal_at].reshape(-1, b.choices, len(CHOICE_COLUMNS))
        signal = observation[:, b.signal_at : b.serves_at]
        serves = observation[:, b.serves_at :].reshape(-1, b.choices, b.movements)
        allowed = choices[:, :, 1:]
        hidden = torch.relu(self.movement(torch.cat([movements, torch.log1p(9.0 * movements) / LOG_10], dim=2)))
        exists = movements[:, :, 0].unsqueeze(1)
        summed = torch.bmm(torch.cat([serves, exists], dim=1), hidden)  # (N, C + 1, W)
        everything = summed[:, -1]
        context = self.everything(everything) + self.signal(signal)
        phases = torch.relu(self.served(summed[:, :-1]) + self.choice(choices) + context.unsqueeze(1))
        contest = torch.relu(self.own(phases) + self.others(_mean(phases, allowed)).unsqueeze(1))
        return everything, contest, allowed, signal

    def _scores(self, contest: Tensor, allowed: Tensor) -> Tensor:
        return self.score(contest).squeeze(2).masked_fill(allowed.squeeze(2) == 0.0, FORBIDDEN)

    def _values(self, everything: Tensor, contest: Tensor, allowed: Tensor, signal: Tensor) -> Tensor:
        inputs = torch.cat([_mean(contest, allowed), everything, signal], dim=1)
        return self.value(torch.relu(self.outlook(inputs)))


def _mean(of_choices: Tensor, allowed: Tensor) -> Tensor:
    """Mean (N, W) over the choices allowed; a signal without any has zeros."""
    return (of_choices * allowed).sum(dim=1) / allowed.sum(dim=1).clamp(min=1.0)


class _Linear(nn.Linear):
    """A layer whose weights `SignalNetwork` sets; with no inputs, where no signal feature is asked for, it gives 0."""

    def reset_parameters(self) -> None:
        """Nothing: PyTorch's own start would be thrown away, and warns where there are no inputs."""
