"""Compiling the engine before it is needed, and saying so: the first time on a machine takes minutes."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from intergreen.envs.core import TrafficCore
from intergreen.envs.demand import TurnSpec, generate_demand, release_trips
from intergreen.envs.network import GridSpec, generate_grid
from intergreen.envs.signals import make_plan

NOTICE_AFTER_S = 3.0  # a filled cache loads faster than this


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


@contextmanager
def compile_notice() -> Iterator[None]:
    """Say on stderr that compiling goes on, if it takes longer than loading from the cache would."""
    text = "compiling the engine: one to three minutes, the first time on this machine only"
    timer = threading.Timer(NOTICE_AFTER_S, lambda: print(text, file=sys.stderr, flush=True))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
