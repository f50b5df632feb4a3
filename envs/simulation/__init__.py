"""The compiled engine: vehicles, lanes and greens, a second at a time; nothing of phases, rewards or agents.

Read `step.py` first (one second from end to end), then `junction.py` (who goes first) and `driving.py` (speeds).
"""

from intergreen.envs.errors import CapacityError
from intergreen.envs.simulation.counts import Counts, LaneSums, LinkCounts, Positions
from intergreen.envs.simulation.engine import Engine, Simulator
from intergreen.envs.simulation.totals import Totals

__all__ = ["CapacityError", "Counts", "Engine", "LaneSums", "LinkCounts", "Positions", "Simulator", "Totals"]
