"""Rules as teachers: in networks where one of them does better than the policies, it says what should have been done.

Looking ahead and rewards find what one choice is worth while all others stay as they are. Some habits pay only as
habits: where left turns yield on a lane that others share, whoever waits inside the junction clears it when the green
ends, so that many short greens carry more than few long ones, and no single short one does. A rule may have such a one.

The student acts as it is, so that it learns what the rule would do where its own mistakes lead (`distil.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from intergreen.agents.controllers import AdvancedMaxPressure, MaxPressure
from intergreen.agents.controllers.base import Setup, near_distance_m
from intergreen.agents.learning.trials import Subject, Trials

if TYPE_CHECKING:
    from torch import Tensor

    from intergreen.agents.controllers import Controller
    from intergreen.envs.episodes import Episodes

RULES: tuple[Callable[[], Controller], ...] = (MaxPressure, AdvancedMaxPressure)
BETTER = 0.98  # of the policies' travel time: a rule that takes more has not been better for sure
WEIGHT = 10.0  # of a decision that a rule teaches: they are few, one signal in a hundred where a policy is good
_SEEDS = 3  # of the trips that both are tried on


@dataclass(frozen=True, slots=True)
class RuleTeacher:
    """A rule that teaches in a world.

    slots  (B * I,) the environment's, copy by copy
    share  of the policies' travel time that it took
    """

    world: Episodes
    rule: Controller
    slots: slice
    share: float

    def teach(self, targets: Tensor, weights: Tensor) -> None:
        """Write what it would do now to `targets` (slots of all worlds, C) where there is a choice, and what such a
        decision counts to `weights` (slots, 1)."""
        world, core = self.world, self.world.core
        wanted = self.rule.decide(core.counts(), core.signals(world.protocol.interval_s), core.time_s)
        allowed = world.allowed().reshape(-1, targets.shape[1])
        named = torch.from_numpy((world.plan.choices[None] == wanted[:, :, None]).reshape(len(allowed), -1))
        chosen = torch.zeros_like(targets[self.slots])
        chosen[:, : named.shape[1]] = named.to(chosen.dtype)
        chosen.mul_(torch.from_numpy(allowed))
        has_say = torch.from_numpy(allowed.sum(axis=1) > 1) & (chosen.sum(dim=1) == 1.0)
        targets[self.slots] = torch.where(has_say[:, None], chosen, targets[self.slots])
        weights[self.slots] = torch.where(has_say[:, None], WEIGHT, 1.0)


def rule_teachers(
    worlds: Sequence[Episodes], policy: Controller, progress: Callable[[float], None]
) -> list[RuleTeacher]:
    """The rules that take at most `BETTER` of the policy's travel time, in the worlds where one does.

    All are tried on the same trips, at the middle of each world's demand.
    """
    found, first = [], 0
    for number, world in enumerate(worlds):
        slots = slice(first, first := first + world.n_replicas * world.layout.n_signals)
        level = float(np.mean(world.demand_scale))
        subject = Subject("", world.scenario, world.protocol.name, level)
        trials = Trials([subject], seeds=_SEEDS, horizon_s=world.horizon_s)
        own_s = trials.of(policy).mean_s
        times_s = [trials.of(make()).mean_s for make in RULES]
        trials.close()
        best = int(np.argmin(times_s))
        if times_s[best] <= BETTER * own_s:
            found.append(RuleTeacher(world, _started(RULES[best](), world), slots, times_s[best] / own_s))
        progress((number + 1) / len(worlds))
    return found


def _started(rule: Controller, world: Episodes) -> Controller:
    network = world.scenario.network
    world.core.near_m = near_distance_m(network, world.protocol.interval_s)
    rule.start(Setup(network, world.plan, world.protocol, world.n_replicas))
    return rule
