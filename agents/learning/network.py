"""The policy's network: one for every intersection, whatever its movements and phases (PyTorch).

Phases compete over the movements they serve, as in FRAP (Zheng et al. 2019, CIKM) and AttendLight (Oroojlooy et al.
2020, NeurIPS); sums in place of fixed places make it indifferent to their order and number (Zaheer et al. 2017,
"Deep sets", NeurIPS):

    movement  h_m = relu(A [x_m, log10(1 + 9 x_m)])                 each movement by itself
    choice    p_c = relu(B [sum of h over the movements c serves] + C [sum of h over all] + D [choice, signal])
    contest   q_c = relu(E p_c + F [mean of p over the choices allowed])
    score_c = w q_c        value = v relu(G [mean of q, sum of h, signal])

The logarithm keeps 0 and 1 where they are and presses long queues together: the first vehicles matter most.
`passes.py` computes them and their slopes; `agents/controllers/policy_network.py` the same scores with NumPy alone.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from intergreen.agents.controllers.policy_network import LOG_10, PolicyNetwork, actor_shapes, seen_in
from intergreen.agents.controllers.ties import best_choices
from intergreen.agents.learning.passes import FORBIDDEN, Packed, Passes, prepare_inputs
from intergreen.envs.observation import CHOICE_COLUMNS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from intergreen.envs.arrays import FloatArray
    from intergreen.envs.observation import Blocks

PART = 256  # observations that go through together: their values stay in a core's cache
_MOST_KEPT = 4
_OF_VALUES = slice(-4, None)  # the parameters of the head for values


class SignalNetwork(nn.Module):
    """Scores (N, C) and values (N, 1) from observations (N, size); the weights do not depend on M and C."""

    def __init__(self, blocks: Blocks, *, width: int = 32) -> None:
        super().__init__()
        self.blocks = blocks
        self._kept = _Kept()
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
        if observation.device.type != "cpu" or observation.requires_grad:
            return self.plain_forward(observation)
        if torch.is_grad_enabled():
            both: tuple[Tensor, Tensor] = _Passes.apply(observation, self, *self.parameters())  # type: ignore[no-untyped-call]
            return both
        if len(observation) <= PART:
            return self._answer(observation)
        parts = [self._answer(part) for part in torch.split(observation, PART)]
        return torch.cat([scores for scores, _ in parts]), torch.cat([values for _, values in parts])

    def forward_actor(self, observation: Tensor) -> Tensor:
        """The scores alone."""
        scores: Tensor = self(observation)[0]
        return scores

    def forward_critic(self, observation: Tensor) -> Tensor:
        """The values alone."""
        values: Tensor = self(observation)[1]
        return values

    @torch.no_grad()
    def best_choices(self, observation: Tensor, allowed: Tensor | None = None) -> Tensor:
        """(N,) the choice with the highest score, the first of equals; `allowed` (N, C) forbids what is allowed else.

        What is as good as equal in 32 bits is told apart in 64, as by an exported policy: `ties.py` says why.
        """
        scores = self.forward_actor(observation)
        if allowed is not None:
            scores = scores.masked_fill(~allowed, FORBIDDEN)

        def exactly(some: NDArray[np.intp]) -> FloatArray:
            seen = observation[torch.from_numpy(some).to(observation.device)]
            return self.actor().exact_scores(seen_in(seen.cpu().numpy(), self.blocks))

        best = best_choices(scores.cpu().numpy(), exactly)
        return torch.from_numpy(best.astype(np.int64)).to(observation.device)

    def actor(self) -> PolicyNetwork:
        """The layers that lead to the scores, as arrays of their own."""
        arrays = {name: tensor.detach().cpu().numpy().copy() for name, tensor in self.state_dict().items()}
        names = actor_shapes(self.served.out_features, self.blocks.movement_columns, self.blocks.signal_columns)
        return PolicyNetwork({name: arrays[name] for name in names})

    @torch.no_grad()
    def become(self, policy: PolicyNetwork) -> None:
        """Take the weights of a policy of the same width; what leads to the values stays."""
        self.load_state_dict({name: torch.from_numpy(array) for name, array in policy.arrays.items()}, strict=False)

    def plain_forward(self, observation: Tensor) -> tuple[Tensor, Tensor]:
        """The same for any device and for slopes by the observation, as the formulas are written."""
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
        scores = self.score(contest).squeeze(2).masked_fill(allowed.squeeze(2) == 0.0, FORBIDDEN)
        state = torch.cat([_mean(contest, allowed), everything, signal], dim=1)
        return scores, self.value(torch.relu(self.outlook(state)))

    def new_passes(self, n: int) -> Passes:
        """Passes over n observations, by the weights as they are now."""
        return Passes(n, self.blocks, self.packed())

    def packed(self) -> Packed:
        """A copy of the weights as they are now, as they stand in products."""
        packed = Packed(self.served.weight.detach(), self.blocks, self.served.out_features)
        with torch.no_grad():
            packed.take(self.parameters())
        return packed

    def _answer(self, observation: Tensor) -> tuple[Tensor, Tensor]:
        passes = self._kept.passes_over(len(observation), self)
        prepare_inputs(observation, self.blocks, passes.inputs)
        passes.forward()
        return passes.scores.clone(), passes.values.clone()


class _Kept(threading.local):
    """Passes that are used again for as many observations, by each thread its own; no part of a network's state."""

    def __init__(self) -> None:
        self._passes: dict[tuple[int, Blocks, torch.dtype], Passes] = {}

    def passes_over(self, n: int, network: SignalNetwork) -> Passes:
        """By the network's weights as they are now."""
        key = n, network.blocks, network.served.weight.dtype
        passes = self._passes.get(key)
        if passes is not None:
            passes.packed.take(network.parameters())
            return passes
        if len(self._passes) == _MOST_KEPT:
            self._passes.clear()
        self._passes[key] = passes = network.new_passes(n)
        return passes

    def __reduce__(self) -> tuple[type[_Kept], tuple[()]]:
        return _Kept, ()


class _Passes(torch.autograd.Function):
    """The two passes as one operator for autograd."""

    @staticmethod
    def forward(ctx: Any, observation: Tensor, network: SignalNetwork, *parameters: Tensor) -> tuple[Tensor, Tensor]:
        passes = network.new_passes(len(observation))
        prepare_inputs(observation, network.blocks, passes.inputs)
        passes.forward()
        ctx.set_materialize_grads(False)
        ctx.passes = passes
        return passes.scores.clone(), passes.values.clone()  # an answer of its own: else it would keep itself alive

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_scores: Tensor | None, of_values: Tensor | None) -> tuple[Tensor | None, ...]:
        passes: Passes = ctx.passes
        _write(passes.of_scores, of_scores)
        _write(passes.of_values, of_values)
        passes.of_scores.masked_fill_(passes.inputs.share == 0.0, 0.0)
        parts: list[Tensor | None] = [part.clone() for part in passes.backward().parts]
        if of_values is None:
            parts[_OF_VALUES] = [None] * len(parts[_OF_VALUES])  # untouched, as parameters in no use are
        return None, None, *parts


def _write(room: Tensor, slopes: Tensor | None) -> None:
    if slopes is None:
        room.zero_()
    else:
        room.copy_(slopes)


def _mean(of_choices: Tensor, allowed: Tensor) -> Tensor:
    """Mean (N, W) over the choices allowed; a signal without any has zeros."""
    return (of_choices * allowed).sum(dim=1) / allowed.sum(dim=1).clamp(min=1.0)


class _Linear(nn.Linear):
    """A layer whose weights `SignalNetwork` sets; with no inputs, where no signal feature is asked for, it gives 0."""

    def reset_parameters(self) -> None:
        """Nothing: PyTorch's own start would be thrown away, and warns where there are no inputs."""
