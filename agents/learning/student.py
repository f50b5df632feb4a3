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

from intergreen.agents.learning.actor_steps import ActorSteps, parts
from intergreen.agents.learning.network import SignalNetwork
from intergreen.agents.learning.passes import Inputs, Passes

if TYPE_CHECKING:
    from intergreen.agents.controllers.policy_network import PolicyNetwork
    from intergreen.envs.observation import Blocks


class Likeness(NamedTuple):
    """How alike student and target choose, in the mean over observations."""

    cross_entropy: float  # nats
    divergence: float  # of the student from the target, nats: the part of the cross-entropy that could be learned
    agreement: float  # share in which both think the same choice best


class Student:
    """A network that learns from teachers on observations which the caller has prepared.

    actor  its weights, and the steps that move them
    """

    def __init__(self, network: SignalNetwork, teachers: Sequence[PolicyNetwork], *, max_grad_norm: float) -> None:
        self.actor = ActorSteps(network, max_grad_norm=max_grad_norm)
        self._blocks = network.blocks
        self._teachers = [loaded(teacher, network.blocks).packed() for teacher in teachers]
        self._beside: dict[int, list[Passes]] = {}

    def answer(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """The student's scores (N, C), and the targets (N, C)."""
        scores, targets = [], []
        for some in parts(torch.arange(len(inputs.share))):
            own = self.actor.passes_over(inputs, some)
            others = self._teachers_beside(own)
            for passes in (own, *others):
                passes.forward()
            scores.append(own.scores.clone())
            targets.append(target_of([passes.scores for passes in others]))
        return torch.cat(scores), torch.cat(targets)

    def learn(self, inputs: Inputs, targets: Tensor, weights: Tensor, chosen: Tensor, *, rate: float) -> None:
        """One step of Adam by the observations with these numbers, each with its weight (N, 1)."""

        def slopes(scores: Tensor, some: Tensor) -> Tensor:
            return (torch.softmax(scores, dim=1) - targets[some]) * weights[some]

        self.actor.learn(inputs, chosen, slopes, rate=rate)

    def _teachers_beside(self, own: Passes) -> list[Passes]:
        """Passes of the teachers that read what the student's read."""
        n = len(own.scores)
        if n not in self._beside:
            self._beside[n] = [Passes(n, self._blocks, packed, inputs=own.inputs) for packed in self._teachers]
        return self._beside[n]


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
