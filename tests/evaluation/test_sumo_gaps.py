"""How many of a side street get across or into a priority road, in the engine and in SUMO itself."""

import random
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from simulation.sumo_scenarios import NEEDS_SUMO

from intergreen.envs.demand import read_sumo_demand, release_trips
from intergreen.envs.demand.sumo import Given, Window
from intergreen.envs.network import read_sumo_network
from intergreen.envs.simulation import Engine

SECONDS, MINOR_GAP_S = 1500, 5
ARMS = {"N": (0, 300), "E": (300, 0), "S": (0, -300), "W": (-300, 0)}


def crossing(folder: Path) -> Path:
    """A crossing of one lane an arm without a signal, where north and south go first."""
    import sumo

    nodes = [f'<node id="{name}" x="{x}" y="{y}"/>' for name, (x, y) in ARMS.items()]
    nodes.append('<node id="C" x="0" y="0" type="priority"/>')
    rows = {a: f'priority="{3 if a in "NS" else 1}" numLanes="1" speed="13.9"' for a in ARMS}
    edges = "".join(
        f'<edge id="in{a}" from="{a}" to="C" {row}/><edge id="out{a}" from="C" to="{a}" {row}/>'
        for a, row in rows.items()
    )
    (folder / "plain.nod.xml").write_text(f"<nodes>{''.join(nodes)}</nodes>")
    (folder / "plain.edg.xml").write_text(f"<edges>{edges}</edges>")
    tool = str(Path(sumo.SUMO_HOME) / "bin" / "netconvert")
    names = ["-n", "plain.nod.xml", "-e", "plain.edg.xml", "-o", "net.xml", "--no-turnarounds"]
    subprocess.run([tool, *names], check=True, capture_output=True, timeout=60, cwd=folder)
    return folder / "net.xml"


RANDOM, STEADY = 'sigma="0.5"', 'sigma="0" speedDev="0"'  # drivers


def demand_of(folder: Path, minor: str, main_gap_s: float, drivers: str) -> Path:
    """Both ways along the main road at random, and a queue of the others; `minor`: from and to, as "WN".

    All start standing, as in the engine; SUMO's own default lets them begin as fast as who is on the road.
    """
    chance, rows = random.Random(1), []
    for way in ("NS", "SN"):
        t = 0.0
        while t < SECONDS:
            t += chance.expovariate(1.0 / main_gap_s)
            rows.append((int(t), "main", way))
    rows += [(t, "minor", minor) for t in range(0, SECONDS, MINOR_GAP_S)]
    trips = "".join(
        f'<trip id="{name}{k}" type="k" depart="{t}" departSpeed="0" from="in{way[0]}" to="out{way[1]}"/>'
        for k, (t, name, way) in enumerate(sorted(rows))
    )
    path = folder / "trips.rou.xml"
    path.write_text(f'<routes><vType id="k" {drivers}/>{trips}</routes>')
    return path


def arrived_in_sumo(net: Path, trips: Path) -> int:
    import sumo

    tool = str(Path(sumo.SUMO_HOME) / "bin" / "sumo")
    options = ["--tripinfo-output", "out.xml", "--time-to-teleport", "-1", "--end", str(SECONDS), "--no-step-log"]
    command = [tool, "-n", net.name, "-r", trips.name, *options]
    subprocess.run(command, check=True, capture_output=True, timeout=120, cwd=net.parent)
    return sum(one.get("id", "").startswith("minor") for one in ElementTree.parse(net.parent / "out.xml").getroot())


def arrived_here(net: Path, trips: Path, minor: str) -> int:
    network = read_sumo_network(net)
    demand = read_sumo_demand([trips], network, Given(Window(0, SECONDS)))
    released = release_trips(network, demand, horizon_s=SECONDS, seed=0)
    engine = Engine(network, demand)
    engine.reset([released], [0])
    engine.green[:] = 1
    engine.advance(SECONDS)
    ends = [(f"in{minor[0]}", f"out{minor[1]}") == tuple(network.road_ids[r] for r in demand.route(route)[[0, -1]])
            for route in range(demand.n_routes)]  # fmt: skip
    return int(engine.state.done[0][np.array(ends)[released.route]].sum())


@NEEDS_SUMO
@pytest.mark.parametrize("main_gap_s", [6, 12])
@pytest.mark.parametrize("minor", ["WE", "WN", "WS", "NE"])
@pytest.mark.parametrize(("drivers", "apart"), [(STEADY, 0.1), (RANDOM, 0.15)], ids=["steady", "random"])
def test_as_many_find_a_gap_as_in_sumo(tmp_path, minor, main_gap_s, drivers, apart):
    """Across, left and right into the main road, left from it, of 300 that want to; where chance has no part, those who
    only merge or only turn off are the same: 155, 267, 197 and 291."""
    net = crossing(tmp_path)
    trips = demand_of(tmp_path, minor, main_gap_s, drivers)
    here, there = arrived_here(net, trips, minor), arrived_in_sumo(net, trips)
    assert here == pytest.approx(there, rel=0.02 if drivers == STEADY and minor in ("WS", "NE") else apart)
