"""Signals: phases, timing rules, the shield that keeps them, the monitor that watches it, the proof. NumPy only."""

from intergreen.envs.signals.plan import SignalPlan, make_plan
from intergreen.envs.signals.rules import FieldTiming, FixedClearance, OwnClearance, Rules, Timing
from intergreen.envs.signals.state import SignalState, SignalStatus

__all__ = [
    "FieldTiming",
    "FixedClearance",
    "OwnClearance",
    "Rules",
    "SignalPlan",
    "SignalState",
    "SignalStatus",
    "Timing",
    "make_plan",
]
