"""The active numbers of a timing, for results and exports."""

from __future__ import annotations

from typing import Any

from intergreen.envs.signals.profiles import numbers
from intergreen.envs.signals.rules import FieldTiming, FixedClearance, Timing


def timing_stated(timing: Timing) -> dict[str, Any]:
    """The numbers by name."""
    if isinstance(timing, FieldTiming):
        return numbers(timing.profile)
    if isinstance(timing, FixedClearance):
        return {"profile": "literature", "clearance_s": float(timing.seconds)}
    return {"profile": "own programme"}
