"""A student of several policies: how far its choices are from their mean's, and the step towards it, by hand.

    target  = softmax of the mean of the teachers' scores
    loss    = mean over observations of - sum of target log p         slopes by the scores: p - target

The target is the mean of the teachers' log-probabilities, normalised: what normalises each of them is the same for all
choices and cancels.

References
----------
Rusu et al. (2016), "Policy distillation", ICLR; Hinton et al. (2015), "Distilling the knowledge in a neural network".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from intergreen.agents.learning.network import SignalNetwork
from intergreen.agents.learning.passes import Inputs, Passes

if TYPE_CHECKING:
    from intergreen.agents.controllers.policy_network import PolicyNetwork
    from intergreen.envs.observation import Blocks

PART = 256  # observations that go through together: their values stay in a core's cache


class Likeness(NamedTuple):
    """How alike student and target choose, in the mean over observations."""

    cross_entropy: float  # nats
    divergence: float  # of the student from the target, nats: the part of the cross-entropy that could be learned
    agreement: float  # share in which both think the same choice best


class Student:
    """A network that learns from teachers on observations which the caller has prepared."""

    def __init__(self, network: SignalNetwork, teachers: Sequence[PolicyNetwork], *, max_grad_norm: float) -> None:
        self._network, self._max_grad_norm = network, max_grad_norm
        self._packed = network.packed()
        self._teachers = [loaded(teacher, network.blocks).packed() for teacher in teachers]
        self._passes: dict[int, tuple[Passes, list[Passes]]] = {}
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

    def answer(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """The student's scores (N, C), and the targets (N, C)."""
        scores, targets = [], []
        for some in _parts(torch.arange(len(inputs.share))):
            own, others = self._passes_over(inputs, some)
            own.forward()
            for passes in others:
                passes.forward()
            scores.append(own.scores.clone())
            targets.append(target_of([passes.scores for passes in others]))
        return torch.cat(scores), torch.cat(targets)

    def learn(self, inputs: Inputs, targets: Tensor, chosen: Tensor, *, rate: float) -> None:
        """One step of Adam by the observations with these numbers."""
        assert self._flat.grad is not None
        slopes = self._flat.grad.zero_()
        for some in _parts(chosen):
            passes, _ = self._passes_over(inputs, some)
            passes.forward()
            torch.sub(torch.softmax(passes.scores, dim=1), targets[some], out=passes.of_scores)
            passes.of_scores.div_(len(chosen)).masked_fill_(passes.inputs.share == 0.0, 0.0)
            passes.of_values.zero_()
            slopes.add_(passes.backward().flat)
        slopes.mul_((self._max_grad_norm / (torch.linalg.vector_norm(slopes) + 1e-6)).clamp_(max=1.0))
        self._optimizer.param_groups[0]["lr"] = rate
        self._optimizer.step()

    def _passes_over(self, inputs: Inputs, some: Tensor) -> tuple[Passes, list[Passes]]:
        """Passes of student and teachers that read the inputs with these numbers."""
        n = len(some)
        if n not in self._passes:
            own = Passes(n, self._network.blocks, self._packed)
            others = [Passes(n, self._network.blocks, packed, inputs=own.inputs) for packed in self._teachers]
            self._passes[n] = own, others
        own, others = self._passes[n]
        for column, room in zip(inputs, own.inputs, strict=True):
            torch.index_select(column, 0, some, out=room)
        return own, others


def loaded(policy: PolicyNetwork, blocks: Blocks) -> SignalNetwork:
    """The policy as a network for observations in these blocks; its head for values knows nothing."""
    network = SignalNetwork(blocks, width=policy.width)
    network.become(policy)
    return network


def target_of(scores: Sequence[Tensor]) -> Tensor:
    """(N, C) the normalised geometric mean of the softmaxes of several scores (N, C)."""
    return torch.softmax(torch.stack(list(scores)).mean(dim=0), dim=1)


def likeness(scores: Tensor, targets: Tensor) -> Likeness:
    """Of the student's scores (N, C) and the targets (N, C)."""
    cross_entropy = -(targets * torch.log_softmax(scores, dim=1)).sum(dim=1).mean()
    entropy = -torch.xlogy(targets, targets).sum(dim=1).mean()
    agreement = (scores.argmax(dim=1) == targets.argmax(dim=1)).double().mean()
    return Likeness(float(cross_entropy), float(cross_entropy - entropy), float(agreement))


def _parts(numbers: Tensor) -> tuple[Tensor, ...]:
    return numbers.tensor_split(-(-len(numbers) // PART))
