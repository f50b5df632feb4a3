"""How long the engine takes: run with `pytest tests/benchmarks --benchmark-enable`; never a timed pass or fail.

`intergreen benchmark` reports the same as ratios to CityFlow and libsumo.
"""

from __future__ import annotations

import numpy as np
import pytest

from intergreen.envs.core import TrafficCore
from intergreen.envs.scenario import load_scenario
from intergreen.envs.signals import make_plan

PERIOD_S = 10


def hour(name: str, *, replicas: int, threads: int, seconds: int, lane_change: bool = False):
    """A function that simulates `seconds` with random phases, and the core it does so on."""
    scenario = load_scenario(name)
    plan = make_plan(scenario.network)
    core = TrafficCore(
        scenario.network, plan, scenario.demand, replicas=replicas, threads=threads, lane_change=lane_change
    )
    trips = [scenario.trips(seed) for seed in range(replicas)]
    start = np.tile(plan.choices[:, 0], (replicas, 1))

    def run() -> None:
        rng = np.random.default_rng(0)
        core.reset(trips, list(range(replicas)), start)
        for _ in range(seconds // PERIOD_S):
            wanted = plan.choices[np.arange(plan.n_signals), rng.integers(0, plan.n_choices, start.shape)]
            core.run(wanted, PERIOD_S)

    return run, core


@pytest.mark.parametrize(
    ("name", "replicas", "threads", "seconds"),
    [
        ("single", 1, 1, 3600),
        ("grid4x4", 1, 1, 3600),
        ("grid4x4", 16, 1, 600),
        ("grid4x4", 16, 2, 600),
        ("city1024", 1, 1, 600),
    ],
)
def test_engine_speed(benchmark, name, replicas, threads, seconds):
    run, core = hour(name, replicas=replicas, threads=threads, seconds=seconds)
    run()  # compiled before it is timed
    benchmark(run)
    updates = int(core.totals().vehicle_updates.sum())
    benchmark.extra_info["vehicle_updates"] = updates
    assert core.time_s == seconds
    assert updates > 0


def test_lane_changing_speed(benchmark):
    run, core = hour("grid4x4", replicas=1, threads=1, seconds=600, lane_change=True)
    run()
    benchmark(run)
    assert core.time_s == 600
