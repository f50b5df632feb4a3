"""Controllers: everything that decides. Counts in, wanted phases out, for all intersections of all replicas at once.

base            the interface, and what a controller is told at the start
random_phases, fixed_time, fixed_cycle, webster, actuated, sotl, greedy_queue, max_pressure, efficient_max_pressure,
advanced_max_pressure   the baselines
rollout         the oracle: looks ahead in copies of the simulation
free_flow       the name of the bound in tables
programme       fixed-time programmes, from volumes or the network's own
coordination    a common cycle and offsets for them
pressure, signal_lanes   what the rules compare: sums over lanes by choice; which lanes a choice opens
observed        whatever chooses by what environments show, a policy of any kind
learned         the folder of a training run as a controller; NumPy alone
run_folder      the files of a run; nothing that loads them unpickles
policy_network  the policy's network as arrays
usable          what becomes of readings that cannot be true
registry        controllers by name
"""

from intergreen.agents.controllers.advanced_max_pressure import AdvancedMaxPressure
from intergreen.agents.controllers.base import Controller, LaneCounts, Setup, Timetable
from intergreen.agents.controllers.fixed_cycle import FixedCycle
from intergreen.agents.controllers.fixed_time import FixedTime
from intergreen.agents.controllers.max_pressure import MaxPressure
from intergreen.agents.controllers.registry import controller_by_name, controller_names

__all__ = [
    "AdvancedMaxPressure",
    "Controller",
    "FixedCycle",
    "FixedTime",
    "LaneCounts",
    "MaxPressure",
    "Setup",
    "Timetable",
    "controller_by_name",
    "controller_names",
]
