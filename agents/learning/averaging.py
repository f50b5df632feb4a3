"""The mean of a policy's weights over its updates: the policy that is judged, written and shipped.

The weights of a learner wander about a plateau long after they have reached it, and each policy on the way has locks
of its own; their mean lies inside. NumPy alone; the learner goes on from its own weights and never sees the mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from intergreen.agents.controllers.policy_network import PolicyNetwork

if TYPE_CHECKING:
    from intergreen.envs.arrays import FloatArray


class WeightAverage:
    """Polynomial-decay averaging: the weights after update k count about k ** power.

    With power 3, four fifths of the mean come from the last third of the updates, however many there are: no budget
    needs to be known.

    References
    ----------
    Shamir and Zhang (2013), "Stochastic gradient descent for non-smooth optimization", ICML, section 3.
    """

    def __init__(self, power: float) -> None:
        self.power = power
        self.count = 0
        self.arrays: dict[str, FloatArray] = {}

    def add(self, network: PolicyNetwork) -> None:
        """Take in the weights after one more update."""
        self.count += 1
        share = (self.power + 1.0) / (self.count + self.power)
        for name, array in network.arrays.items():
            if self.count == 1:
                self.arrays[name] = array.astype(np.float64)
            else:
                self.arrays[name] += share * (array - self.arrays[name])

    def network(self) -> PolicyNetwork:
        """The policy with the mean weights; there must have been an update."""
        return PolicyNetwork({name: array.astype(np.float32) for name, array in self.arrays.items()})

    def go_on(self, count: int, arrays: Mapping[str, FloatArray]) -> None:
        """Continue from a mean that was stored."""
        self.count, self.arrays = count, {name: array.copy() for name, array in arrays.items()}
