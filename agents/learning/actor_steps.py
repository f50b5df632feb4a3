"""Steps of Adam along slopes by the scores, for whoever knows these: a student, a policy that has looked ahead."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from intergreen.agents.learning.passes import Inputs, Passes

if TYPE_CHECKING:
    from torch import Tensor

    from intergreen.agents.controllers.policy_network import PolicyNetwork
    from intergreen.agents.learning.network import SignalNetwork

PART = 256  # observations that go through together: their values stay in a core's cache
SlopesOf = Callable[["Tensor", "Tensor"], "Tensor"]
"""Scores (n, C) and the numbers (n,) of their observations in; slopes of the loss by these scores, (n, C), out."""


class ActorSteps:
    """The weights of a network, moved by observations which the caller has prepared; its head for values stays."""

    def __init__(self, network: SignalNetwork, *, max_grad_norm: float) -> None:
        self._network, self._max_grad_norm = network, max_grad_norm
        self._packed = network.packed()
        self._passes: dict[int, Passes] = {}
        self._flat = self._packed.flat  # all weights as one parameter; those of the head for values have no slopes
        self._flat.grad = torch.zeros_like(self._flat)
        self._optimizer = torch.optim.Adam([self._flat])

    @property
    def is_finite(self) -> bool:
        """Are all weights numbers?"""
        return bool(torch.isfinite(self._flat).all())

    def policy(self) -> PolicyNetwork:
        """Its actor, as arrays of their own."""
        with torch.no_grad():
            self._packed.give(self._network.parameters())
        return self._network.actor()

    def become(self, policy: PolicyNetwork) -> None:
        """Take the weights of a policy of the same width."""
        self._network.become(policy)
        with torch.no_grad():
            self._packed.take(self._network.parameters())

    def passes_over(self, inputs: Inputs, some: Tensor) -> Passes:
        """Passes, not gone forward yet, that read the inputs with these numbers."""
        n = len(some)
        if n not in self._passes:
            self._passes[n] = Passes(n, self._network.blocks, self._packed)
        passes = self._passes[n]
        for column, room in zip(inputs, passes.inputs, strict=True):
            torch.index_select(column, 0, some, out=room)
        return passes

    def scores(self, inputs: Inputs, numbers: Tensor) -> Tensor:
        """(n, C) of the observations with these numbers."""
        found = []
        for some in parts(numbers):
            passes = self.passes_over(inputs, some)
            passes.forward()
            found.append(passes.scores.clone())
        return torch.cat(found)

    def learn(self, inputs: Inputs, chosen: Tensor, slopes_of: SlopesOf, *, rate: float) -> None:
        """One step by the mean over the observations with these numbers."""
        assert self._flat.grad is not None
        slopes = self._flat.grad.zero_()
        for some in parts(chosen):
            passes = self.passes_over(inputs, some)
            passes.forward()
            passes.of_scores.copy_(slopes_of(passes.scores, some))
            passes.of_scores.div_(len(chosen)).masked_fill_(passes.inputs.share == 0.0, 0.0)
            passes.of_values.zero_()
            slopes.add_(passes.backward().flat)
        slopes.mul_((self._max_grad_norm / (torch.linalg.vector_norm(slopes) + 1e-6)).clamp_(max=1.0))
        self._optimizer.param_groups[0]["lr"] = rate
        self._optimizer.step()


def parts(numbers: Tensor) -> tuple[Tensor, ...]:
    """In pieces of `PART` at most, as equal as can be."""
    return numbers.tensor_split(-(-len(numbers) // PART))
