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
from xml.etree import ElementTree

from intergreen.envs.demand import Demand, Trips, VehicleType
from intergreen.envs.errors import InputError
from intergreen.envs.network import RoadNetwork
from intergreen.envs.network.sumo_plain import write_sumo_plain
from intergreen.envs.scenario import load_scenario


def measure_libsumo(scenario_name: str, *, horizon_s: int) -> dict[str, float]:
    """Vehicle updates and CPU seconds of libsumo on a scenario's network and the trips of seed 0.

    Drivers are the scenario's: headway as `tau`, no dawdling. A vehicle update is one running vehicle in one step.
    """
    try:
        import libsumo
        import sumo
    except ImportError:
        raise InputError(
            "benchmark", "libsumo", "is not installed", 'install it: pip install "intergreen[sumo]"'
        ) from None
    scenario = load_scenario(scenario_name)
    with tempfile.TemporaryDirectory() as folder:
        net = _convert(scenario.network, Path(folder), Path(sumo.SUMO_HOME) / "bin" / "netconvert")
        routes = _write_routes(scenario.network, scenario.demand, scenario.trips(0), Path(folder))
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


def _convert(network: RoadNetwork, folder: Path, netconvert: Path) -> Path:
    plain = write_sumo_plain(network, folder)
    net = folder / "network.net.xml"
    command = [str(netconvert), "-n", plain["nod"], "-e", plain["edg"], "-x", plain["con"], "-o", net]
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise RuntimeError(f"netconvert failed: {result.stderr.strip()}")
    return net


def _write_routes(network: RoadNetwork, demand: Demand, trips: Trips, folder: Path) -> Path:
    root = ElementTree.Element("routes")
    for number, kind in enumerate(demand.types):
        ElementTree.SubElement(root, "vType", _vehicle_type(f"type{number}", kind))
    names = [" ".join(network.road_ids[r] for r in demand.route(n)) for n in range(demand.n_routes)]
    for n, (release_s, route, kind) in enumerate(zip(trips.release_s, trips.route, trips.type, strict=True)):
        vehicle = ElementTree.SubElement(
            root, "vehicle", id=str(n), type=f"type{kind}", depart=str(release_s), departLane="best"
        )
        ElementTree.SubElement(vehicle, "route", edges=names[route])
    path = folder / "trips.rou.xml"
    ElementTree.ElementTree(root).write(path)
    return path


def _vehicle_type(name: str, kind: VehicleType) -> dict[str, str]:
    values = {
        "length": kind.length_m,
        "minGap": kind.min_gap_m,
        "maxSpeed": kind.max_speed_mps,
        "accel": kind.max_accel_mps2,
        "decel": kind.max_decel_mps2,
        "tau": kind.headway_s,
        "sigma": 0.0,
        "speedDev": 0.0,
    }
    return {"id": name, **{key: str(value) for key, value in values.items()}}


if __name__ == "__main__":
    print(json.dumps(measure_libsumo(sys.argv[1], horizon_s=int(sys.argv[2]))))
