"""A policy that fails when it is told to: what evaluations put in a policy's place to see what stands behind it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from intergreen.envs.fault_kinds import PolicyRaises, PolicySleeps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from intergreen.agents.deployment.inference import Policy
    from intergreen.envs.arrays import IntArray
    from intergreen.envs.fault_kinds import PolicyFault
    from intergreen.envs.observation_arrays import Observed


class InjectedError(RuntimeError):
    """Raised because a fault asks for it."""


class FailingPolicy:
    """The policy, with faults that last for some of the time; whoever asks sets `time_s` first."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.faults: Sequence[PolicyFault] = ()
        self.time_s = 0

    def choose(self, observed: Observed) -> IntArray:
        """What the policy chooses, where no fault is on."""
        for fault in self.faults:
            if not fault.is_on(self.time_s):
                continue
            if isinstance(fault, PolicyRaises):
                raise InjectedError(f"second {self.time_s}")
            if isinstance(fault, PolicySleeps):
                time.sleep(fault.seconds)
        return self._policy.choose(observed)
