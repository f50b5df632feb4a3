"""Compiling the engine before it is needed."""

from __future__ import annotations

import numpy as np

from intergreen.envs.core import TrafficCore
from intergreen.envs.demand import TurnSpec, generate_demand, release_trips
from intergreen.envs.network import GridSpec, generate_grid
from intergreen.envs.signals import make_plan


def compile_engine(*, lane_change: bool = False) -> None:
    """Compile every kernel of a run, or load it from the cache, on the smallest network there is."""
    network = generate_grid(GridSpec(rows=1, columns=1))
    demand = generate_demand(network, TurnSpec(entry_vph=600.0, horizon_s=20), seed=0)
    plan = make_plan(network)
    core = TrafficCore(network, plan, demand, lane_change=lane_change)
    trips = release_trips(network, demand, horizon_s=20, seed=0)
    start = np.zeros((1, plan.n_signals), np.int32)
    core.reset([trips], [0], start)
    core.run(start + 1, 10)
    core.counts()
    core.totals()
