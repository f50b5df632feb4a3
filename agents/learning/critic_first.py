"""Training that starts from a policy: the values are learned first, before anything moves the policy.

A policy comes without the values that it was trained with. Advantages by values that know nothing, and slopes of theirs
through layers that both share, would spoil in the first updates what the policy has learned.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from stable_baselines3.common.callbacks import BaseCallback

if TYPE_CHECKING:
    from torch.nn import Parameter

    from intergreen.agents.learning.network import SignalNetwork

OF_VALUES = ("outlook", "value")  # the layers that lead to the values alone


class CriticFirst(BaseCallback):
    """Holds all layers but those of the values until that share of the budget is used up.

    network  the learner's
    used     tells the share used so far, 0 to 1
    share    from which on everything learns
    """

    def __init__(self, network: SignalNetwork, used: Callable[[], float], share: float) -> None:
        super().__init__()
        self._held = held_layers(network)
        self._used, self._share = used, share

    def _on_training_start(self) -> None:
        self._hold()

    def _on_rollout_start(self) -> None:
        self._hold()

    def _on_step(self) -> bool:
        return True

    def _hold(self) -> None:
        learns = self._used() >= self._share
        for parameter in self._held:
            parameter.requires_grad_(learns)


def held_layers(network: SignalNetwork) -> list[Parameter]:
    """The parameters that choices depend on."""
    return [one for name, one in network.named_parameters() if name.partition(".")[0] not in OF_VALUES]
