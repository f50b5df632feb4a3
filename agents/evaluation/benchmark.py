"""How fast the engine is on this machine, beside CityFlow's cost, measured elsewhere, and libsumo in the same run.

CPU seconds count the simulation alone, as everywhere (`cost` of an evaluation); the median of three runs is reported.
Memory is the highest of the process so far; the city and the first call have processes of their own.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from intergreen.agents.controllers import controller_by_name
from intergreen.agents.evaluation.run import evaluate
from intergreen.agents.evaluation.warmup import compile_engine
from intergreen.agents.progress import part_of
from intergreen.envs.core import TrafficCore
from intergreen.envs.errors import InputError
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import load_scenario, scenario_names
from intergreen.envs.signals import make_plan

if TYPE_CHECKING:
    from intergreen.agents.progress import Progress

REPEATS = 3
PROTOCOL = "literature-10-5"
GRID, CITY = "grid4x4", "city1024"
COPIES = 16
# CPU seconds of CityFlow itself for 3600 steps, one thread of a 2-core x86-64 machine, median of three:
# (fixed program, max-pressure every 10 s). Measured with CityFlow's master of 2025-08, lane changing off.
CITYFLOW_CPU_S = {
    "hangzhou_4x4": (0.91, 0.89),
    "jinan_3x4": (1.35, 1.42),
    "jinan_3x4_2000": (0.92, 1.00),
    "newyork_16x3": (1.75, 1.99),
    "syn_3x3_gaussian_500": (1.64, 1.77),
    "hangzhou_1x1_bc-tyc": (0.32, 0.33),
}
CONTROLLERS = ("fixed-time", "max-pressure")
COLUMNS = (
    "run",
    "vehicle_updates",
    "cpu_s",
    "wall_s",
    "updates_per_cpu_s",
    "simulated_s_per_cpu_s",
    "compared_with",
    "reference",
    "times",
    "peak_memory_mb",
    "most_running_veh",
)

Row = dict[str, Any]


def run_benchmark(
    scenarios: Sequence[str] | None = None,
    *,
    threads: int = 1,
    horizon_s: int | None = None,
    progress: Progress | None = None,
) -> list[Row]:
    """One row per measurement: vehicle updates, CPU seconds, and the ratio to what it is compared with.

    Parameters
    ----------
    scenarios : only these, under fixed time and max-pressure; None: the standard set, with the comparisons
    """
    compile_engine()
    if scenarios is not None:
        steps = [(name, controller) for name in scenarios for controller in CONTROLLERS]
        return [
            _cell(name, controller, threads, horizon_s, part_of(progress, k, len(steps), name))
            for k, (name, controller) in enumerate(steps)
        ]
    rows = []
    measurements = list(_standard_set(threads, horizon_s))
    for k, (words, measure) in enumerate(measurements):
        if progress is not None:
            progress(k / len(measurements), words)
        rows.append(measure())
    return rows


def _standard_set(threads: int, horizon_s: int | None) -> Iterator[tuple[str, Any]]:
    yield "first call in a fresh process", _first_call
    for name in scenario_names():
        if name.removeprefix("cityflow/") in CITYFLOW_CPU_S:
            for controller in CONTROLLERS:
                yield name, lambda n=name, c=controller: _cell(n, c, threads, horizon_s, None)
    yield GRID, lambda: _cell(GRID, "fixed-time", threads, horizon_s, None)
    if find_spec("libsumo") is not None:
        yield "libsumo on the same grid and trips", lambda: _libsumo(horizon_s or 3600)
    yield f"{COPIES} copies, 1 and 2 threads", lambda: _two_threads(horizon_s or 3600)
    yield CITY, lambda: _city(horizon_s or 3600)


def _cell(name: str, controller: str, threads: int, horizon_s: int | None, progress: Progress | None) -> Row:
    """Median cost of one controller on one scenario."""
    scenario, protocol = load_scenario(name, drop_invalid_routes=True), protocol_by_name(PROTOCOL)
    costs, updates, horizon, memory_mb = [], 0, 0, 0.0
    for _ in range(REPEATS):
        result = evaluate(
            scenario,
            controller_by_name(controller),
            protocol,
            seeds=[0],
            threads=threads,
            horizon_s=horizon_s,
            progress=progress,
        )
        costs.append(result["cost"]["cpu_s"])
        updates, horizon = result["cost"]["vehicle_updates"], result["horizon_s"]
        memory_mb = result["cost"]["peak_memory_mb"]
    row = _row(f"{name} {controller}", updates, statistics.median(costs), horizon)
    row["peak_memory_mb"] = round(memory_mb)
    reference = CITYFLOW_CPU_S.get(scenario.name.removeprefix("cityflow/"))
    if reference is not None and horizon == 3600:
        row["compared_with"] = "CityFlow's CPU s, its machine"
        row["reference"] = reference[CONTROLLERS.index(controller)]
        row["times"] = round(row["reference"] / row["cpu_s"], 1)
    return row


def _libsumo(horizon_s: int) -> Row:
    """libsumo and the engine one after the other on the same grid: the ratio of vehicle updates per CPU second."""
    command = [sys.executable, "-m", "intergreen.agents.evaluation.sumo_speed", GRID, str(horizon_s)]
    theirs = _answer_of(command)
    row = _cell(GRID, "fixed-time", 1, horizon_s, None)
    row["run"] = f"{GRID} beside libsumo"
    row["compared_with"] = "libsumo's updates per CPU s"
    row["reference"] = round(theirs["vehicle_updates"] / theirs["cpu_s"])
    row["times"] = round(row["updates_per_cpu_s"] / row["reference"], 1)
    return row


def _two_threads(horizon_s: int) -> Row:
    """Wall seconds of a batch on one thread over those on two."""
    one, two = (min(_batch_wall_s(threads, horizon_s) for _ in range(REPEATS)) for threads in (1, 2))
    row = _row(f"{COPIES} copies of {GRID}, 2 threads")
    row |= {"wall_s": round(two, 4), "compared_with": "1 thread's wall s", "reference": round(one, 4)}
    row["times"] = round(one / two, 2)
    return row


def _batch_wall_s(threads: int, horizon_s: int) -> float:
    scenario = load_scenario(GRID)
    plan = make_plan(scenario.network)
    core = TrafficCore(scenario.network, plan, scenario.demand, replicas=COPIES, threads=threads)
    start = np.tile(plan.choices[:, 0], (COPIES, 1))
    core.reset([scenario.trips(seed) for seed in range(COPIES)], list(range(COPIES)), start)
    rng = np.random.default_rng(0)
    begin = time.perf_counter()
    for _ in range(horizon_s // 10):
        core.run(rng.integers(1, 5, start.shape, dtype=np.int32), 10)
    return time.perf_counter() - begin


def _city(horizon_s: int) -> Row:
    """The city in a process of its own, for its memory."""
    result = _in_fresh_process(CITY, "max-pressure", horizon_s)
    row = _row(f"{CITY} max-pressure", result["cost"]["vehicle_updates"], result["cost"]["cpu_s"], horizon_s)
    row["peak_memory_mb"] = round(result["cost"]["peak_memory_mb"])
    row["most_running_veh"] = int(np.max(result["series"]["running_veh"], initial=0))
    row["compared_with"] = "real time"
    row["reference"] = horizon_s
    row["times"] = round(horizon_s / row["cpu_s"], 1)
    return row


def _first_call() -> Row:
    """Wall seconds of a whole fresh process that simulates one second, with the compiled code cached."""
    begin = time.perf_counter()
    _in_fresh_process("single", "fixed-time", 1)
    row = _row("first call in a fresh process, code cached")
    row["wall_s"] = round(time.perf_counter() - begin, 2)
    return row


def _in_fresh_process(scenario: str, controller: str, horizon_s: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "intergreen.agents", "evaluate", scenario, "--controller", controller]
    return _answer_of([*command, "--horizon", str(horizon_s), "--protocol", PROTOCOL, "--json", "-"])


def _answer_of(command: Sequence[str]) -> dict[str, Any]:
    """The JSON object that a process of ours prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no word why"])[-1]
        raise InputError(
            "benchmark", " ".join(command[1:4]), f"ended with status {done.returncode}: {last}", "run it alone"
        )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _row(run: str, updates: int | None = None, cpu_s: float | None = None, simulated_s: int = 0) -> Row:
    """A row with every column; what a measurement does not give stays empty."""
    row: Row = dict.fromkeys(COLUMNS)
    row["run"] = run
    if updates is not None and cpu_s:
        row |= {"vehicle_updates": updates, "cpu_s": round(cpu_s, 4)}
        row |= {"updates_per_cpu_s": round(updates / cpu_s), "simulated_s_per_cpu_s": round(simulated_s / cpu_s)}
    return row
