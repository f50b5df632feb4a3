"""How long the exported runtime takes for 1,000 signals on one core, without a compiler; never a timed pass or fail.

`pytest tests/benchmarks/test_runtime_speed.py --benchmark-enable -s` prints the figures; without the option everything
runs once, on a smaller network. Processor time is what counts where others use the machine; wall time stands beside it.
"""

import json
import pickle
import subprocess
import sys

import pytest
from deployment.bundles import write_random_bundle

from intergreen.envs.network import GridSpec, TownSpec, generate_grid, generate_town
from intergreen.envs.observation import ALL_FEATURES

BLOCKED = "torch,gymnasium,numba,llvmlite,stable_baselines3,yaml,pydantic,typer,rich,onnx"
WIDTH = 48  # of the shipped policy's layers
SCRIPT = """
import json, os, pickle, sys, time
bundle, network_file, protocol, seconds, blocked = sys.argv[1:]
for name in blocked.split(","):
    sys.modules[name] = None
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
import numpy as np
from intergreen.agents.deployment.runtime import SignalController, lane_readings

with open(network_file, "rb") as file:
    network = pickle.load(file)
clocks = time.process_time, time.perf_counter
def timed(function, *arguments):
    before = [clock() for clock in clocks]
    result = function(*arguments)
    return result, [1000.0 * (clock() - then) for clock, then in zip(clocks, before)]

controller, load_ms = timed(lambda: SignalController.load(bundle, network, protocol=protocol, red_first_s=0))
random, lanes, room = np.random.default_rng(0), network.n_lanes, network.lane_length_m / 15.0
waiting, arriving = np.zeros(lanes), np.zeros((lanes, 5))
told = {"decision": [], "second with a decision": [], "other second": []}
for t in range(int(seconds)):
    waiting = np.where(random.random(lanes) < 0.2, np.minimum(random.poisson(1.0, lanes), room), waiting)
    comes = random.random(lanes) < 0.3
    arriving = np.where(comes[:, None], random.random((lanes, 5)) < 0.2, arriving)
    readings = lane_readings(waiting, waiting + arriving.sum(axis=1), arriving)
    due = t % controller.protocol.interval_s == 0
    decides, asked = controller.decide, []
    def decide(*arguments):
        wanted, ms = timed(decides, *arguments)
        asked.append(ms)
        return wanted
    controller.decide = decide
    _, ms = timed(controller.step, readings, t)
    controller.decide = decides
    told["decision"] += asked if due else []
    told["second with a decision" if due else "other second"].append(ms)
print(json.dumps({
    "load_ms": load_ms, "told": told, "signals": controller.plan.n_signals, "flash": controller.flash_reason,
    "rungs": {name: controller.rungs.count(name) for name in set(controller.rungs)},
}))
"""


def run_alone(bundle, network, tmp_path, protocol, seconds):
    with (tmp_path / "network.pickle").open("wb") as file:
        pickle.dump(network, file)  # our own, written a moment ago
    arguments = [bundle, tmp_path / "network.pickle", protocol, seconds, BLOCKED]
    command = [sys.executable, "-c", SCRIPT, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("protocol", ["literature-10-5", "us-mutcd-5"])
@pytest.mark.parametrize("size", ["one", "thousand", "thousand unlike"])
def test_runtime_speed(benchmark, tmp_path, protocol, size):
    rows, columns = (1, 1) if size == "one" else (25, 40) if benchmark.enabled else (3, 4)
    if size == "thousand unlike":
        network = generate_town(TownSpec(signals=rows * columns), seed=1)
    else:
        network = generate_grid(GridSpec(rows=rows, columns=columns))
    bundle = write_random_bundle(tmp_path / "bundle", ALL_FEATURES, width=WIDTH)
    seconds = 600 if benchmark.enabled else 40
    told = benchmark.pedantic(run_alone, (bundle, network, tmp_path, protocol, seconds), rounds=1)
    print(f"\n{told['signals']} signals, {protocol}: load {_ms(told['load_ms'])} ms (cpu / wall); {told['rungs']}")
    for name, times in told["told"].items():
        print(f"  {name}: p50 {_ms(_share(times, 0.5))}, p99 {_ms(_share(times, 0.99))} ms of {len(times)}")
    assert told["signals"] == rows * columns
    assert told["flash"] == ""
    assert len(told["told"]["decision"]) == len(told["told"]["second with a decision"]) > 0


def _share(times, share):
    return [sorted(column)[min(len(column) - 1, int(share * len(column)))] for column in zip(*times, strict=True)]


def _ms(times):
    return " / ".join(f"{ms:.2f}" for ms in times)
