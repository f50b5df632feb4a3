"""Signals: which phases a policy may want, and the state machine that times the clearance between them. NumPy only."""

from intergreen.envs.signals.clearance import green_movements, request, show, standing_greens
from intergreen.envs.signals.plan import SignalPlan, make_plan

__all__ = ["SignalPlan", "green_movements", "make_plan", "request", "show", "standing_greens"]
