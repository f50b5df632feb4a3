"""SUMO's speed on the network and trips of a scenario, in the same run as ours: libsumo, one thread, its own signals.

`python -m intergreen.agents.evaluation.sumo_speed SCENARIO HORIZON` prints one JSON object; the benchmark calls it as a
process of its own, because libsumo holds one simulation per process.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from intergreen.envs.demand.sumo_trips import write_sumo_trips
from intergreen.envs.errors import InputError
from intergreen.envs.scenario import load_scenario
from intergreen.envs.simulation.sumo_library import load_libsumo
from intergreen.envs.sumo_net_file import net_of, require_sumo


def measure_libsumo(scenario_name: str, *, horizon_s: int) -> dict[str, float]:
    """Vehicle updates and CPU seconds of libsumo on a scenario's network and the trips of seed 0.

    Drivers are the scenario's: headway as `tau`, no dawdling. A vehicle update is one running vehicle in one step.
    """
    require_sumo("benchmark")
    libsumo = load_libsumo()
    scenario = load_scenario(scenario_name, drop_invalid_routes=True)
    with tempfile.TemporaryDirectory() as folder:
        net = net_of(scenario, Path(folder)).net
        routes = Path(folder) / "trips.rou.xml"
        network = scenario.network
        write_sumo_trips(routes, scenario.demand, scenario.trips(0), network.road_ids, network.road_length_m)
        options = ["--no-step-log", "--no-warnings", "--time-to-teleport", "-1", "--threads", "1"]
        libsumo.start(["sumo", "-n", str(net), "-r", str(routes), *options])
        updates, cpu_s = 0, 0.0
        for _ in range(horizon_s):
            begin = time.process_time()
            libsumo.simulationStep()
            cpu_s += time.process_time() - begin
            updates += libsumo.vehicle.getIDCount()
        libsumo.close()
    return {"vehicle_updates": updates, "cpu_s": cpu_s}


def libsumo_beside(scenario_name: str, horizon_s: int) -> dict[str, float]:
    """The same in a process of its own."""
    command = [sys.executable, "-m", "intergreen.agents.evaluation.sumo_speed", scenario_name, str(horizon_s)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no word why"])[-1]
        raise InputError("benchmark", f"libsumo on {scenario_name}", f"ended: {last}", "run it alone")
    answer: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return answer


if __name__ == "__main__":
    print(json.dumps(measure_libsumo(sys.argv[1], horizon_s=int(sys.argv[2]))))
