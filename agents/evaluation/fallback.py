"""What a result says of the fallback ladder: who decided for how much of the time, and every change with its reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from intergreen.agents.deployment.controller import BundleController
from intergreen.agents.deployment.ladder import RUNG_NAMES, Rung
from intergreen.agents.tables import TextTable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from intergreen.agents.controllers.base import Controller
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.signals import SignalPlan

MOST_CHANGES = 1000  # that a result lists; the counts by reason are of all


@dataclass(slots=True)
class FallbackRecord:
    """Of all batches so far."""

    decisions: np.ndarray = field(default_factory=lambda: np.zeros(len(Rung), np.int64))
    changes: list[dict[str, Any]] = field(default_factory=list)
    unlike_training: list[str] = field(default_factory=list)

    def add(self, controller: Controller, plan: SignalPlan, network: RoadNetwork, seeds: Sequence[int]) -> None:
        """Take over what a controller with a ladder has noted in a batch; nothing from any other."""
        if not isinstance(controller, BundleController):
            return
        self.decisions += controller.decisions_by_rung
        self.unlike_training = controller.unlike_training
        self.changes += [
            {
                "seed": int(seeds[one.replica]),
                "second": one.time_s,
                "signal": network.intersection_ids[plan.intersection[one.signal]],
                "from": RUNG_NAMES[one.before],
                "to": RUNG_NAMES[one.after],
                "reason": one.reason,
            }
            for one in controller.log
        ]

    def stated(self) -> dict[str, Any] | None:
        """The part `fallback` of a result; None where there is no ladder."""
        total = int(self.decisions.sum())
        if total == 0:
            return None
        shares = {RUNG_NAMES[rung]: float(self.decisions[rung]) / total for rung in Rung}
        reasons = Counter(f"{one['to']}: {_kind(one['reason'])}" for one in self.changes)
        return {
            "share_of_decisions": shares,
            "unlike_training": self.unlike_training,
            "changes_by_reason": dict(sorted(reasons.items())),
            "changes": self.changes[:MOST_CHANGES],
        }


def fallback_table(result: Mapping[str, Any]) -> TextTable | None:
    """Who decided, and why not always the policy; None where there is no ladder, or it was never needed."""
    found = result.get("fallback")
    if found is None or not (found["changes_by_reason"] or found["unlike_training"]):
        return None
    rows = [(f"decided by {name}", f"{share:.1%}") for name, share in found["share_of_decisions"].items() if share]
    rows += [("unlike training", words) for words in found["unlike_training"]]
    rows += [(f"to {reason}", f"{count} times") for reason, count in found["changes_by_reason"].items()]
    return TextTable(f"fallback ladder of {result['controller']}", ("", ""), tuple(rows))


def _kind(reason: str) -> str:
    """A reason without how many detectors, or which value, so that equal reasons count as one."""
    return reason.rsplit(": ", 1)[0] if reason.split(": ")[-1][:1].isdigit() else reason
