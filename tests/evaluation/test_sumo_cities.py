"""Cities that SUMO's own tools make: every one loads, loses nobody, and takes as long in both simulators."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from simulation.sumo_scenarios import NEEDS_SUMO

from intergreen.agents.evaluation.compare import comparison_cells, run_cells
from intergreen.envs.network.sumo_net import read_edge_ends
from intergreen.envs.scenario import load_scenario

SECONDS, TRIPS = 600, 200
WITH_SIGNALS = "--default-junction-type traffic_light"
SMALL_GRID = "--grid --grid.number 3 --grid.attach-length 120 --grid.length 150"
CITIES = {  # options of netgenerate
    "random, one lane": "--rand --rand.iterations 40 --rand.bidi-probability 0.4 --tls.guess",
    "random, turning lanes": f"--rand --rand.iterations 15 --turn-lanes 1 -L 2 {WITH_SIGNALS}",
    "spider, left-hand": f"--spider --spider.arm-number 5 --spider.circle-number 2 --lefthand {WITH_SIGNALS}",
    "grid of one lane": f"{SMALL_GRID} {WITH_SIGNALS}",
    "grid, random lanes": f"{SMALL_GRID} -L 3 --random-lanenumber {WITH_SIGNALS}",
    "grid with footpaths": f"{SMALL_GRID} -L 2 --crossings.guess true --sidewalks.guess true {WITH_SIGNALS}",
    "grid with cycle paths": f"{SMALL_GRID} -L 2 --bikelanes.guess true {WITH_SIGNALS}",
    "grid with rings": f"{SMALL_GRID} -L 2 --turn-lanes 1 --tls.default-type NEMA {WITH_SIGNALS}",
    "grid, one approach at a time": f"{SMALL_GRID} -L 2 --tls.layout incoming {WITH_SIGNALS}",
    "grid without paths inside junctions": f"{SMALL_GRID} -L 2 --no-internal-links {WITH_SIGNALS}",
    "random, junctions joined": "--rand --rand.iterations 25 --rand.min-distance 20 --rand.max-distance 160"
    " --junctions.join --junctions.join-dist 25 --tls.guess -L 2 --rand.bidi-probability 1",
    "grid of zippers": f"{SMALL_GRID} -L 2 --default-junction-type zipper --tls.set B1,B0",
    "grid of stop signs": f"{SMALL_GRID} --default-junction-type priority_stop --tls.set B1,B0",
    "grid of all-way stops": f"{SMALL_GRID} --default-junction-type allway_stop --tls.set B1,B0",
    "grid, right before left": f"{SMALL_GRID} --default-junction-type right_before_left --tls.set B1,B0",
}


def city(folder: Path, options: str) -> Path:
    """A net of netgenerate's with trips between edges drawn at random."""
    import sumo

    command = [str(Path(sumo.SUMO_HOME) / "bin" / "netgenerate"), *options.split(), "--seed", "7", "-o", "city.net.xml"]
    subprocess.run(command, check=True, capture_output=True, timeout=60, cwd=folder)
    edges = sorted(read_edge_ends(folder / "city.net.xml"))
    random = np.random.default_rng(0)
    rows = [
        f'<trip id="{k}" depart="{k * SECONDS // TRIPS}" from="{random.choice(edges)}" to="{random.choice(edges)}"/>'
        for k in range(TRIPS)
    ]
    (folder / "city.rou.xml").write_text(f"<routes>{''.join(rows)}</routes>")
    config = folder / "city.sumocfg"
    config.write_text(
        '<configuration><net-file value="city.net.xml"/><route-files value="city.rou.xml"/>'
        f'<ignore-route-errors value="true"/><end value="{2 * SECONDS}"/></configuration>'
    )
    return config


def ran(config: Path, simulator: str) -> dict:
    cells = comparison_cells([str(config)], ["fixed-time"], simulator=simulator)
    return run_cells(cells, seeds=[0])[0]


@NEEDS_SUMO
@pytest.mark.parametrize("name", CITIES)
def test_a_city_takes_as_long_in_both_simulators(tmp_path, name):
    """Within a tenth, and all who depart in the first half arrive; one seed, dawdling is drawn differently in both."""
    config = city(tmp_path, CITIES[name])
    n_trips = len(load_scenario(config).trips(0))
    assert n_trips > TRIPS / 2
    here, there = ran(config, "native"), ran(config, "sumo")
    for result in (here, there):
        assert result["metrics"]["throughput_veh"]["mean"] == n_trips
        assert result["safety"]["monitor_faults"] == 0
    time_s = [result["metrics"]["average_travel_time_s"]["mean"] for result in (here, there)]
    assert time_s[0] == pytest.approx(time_s[1], rel=0.1)


ARMS = {"N": (0, 200), "E": (200, 0), "S": (0, -200), "W": (-200, 0)}


def crossroads(folder: Path) -> Path:
    """One lane an arm, so that a left turn that waits holds up everybody behind; as many turn left from either side."""
    import sumo

    nodes = [f'<node id="{name}" x="{x}" y="{y}"/>' for name, (x, y) in ARMS.items()]
    nodes.append('<node id="C" x="0" y="0" type="traffic_light"/>')
    edges = [f'<edge id="in{a}" from="{a}" to="C"/><edge id="out{a}" from="C" to="{a}"/>' for a in ARMS]
    (folder / "plain.nod.xml").write_text(f"<nodes>{''.join(nodes)}</nodes>")
    (folder / "plain.edg.xml").write_text(f"<edges>{''.join(edges)}</edges>")
    tool = str(Path(sumo.SUMO_HOME) / "bin" / "netconvert")
    names = ["-n", "plain.nod.xml", "-e", "plain.edg.xml", "-o", "cross.net.xml"]
    subprocess.run([tool, *names], check=True, capture_output=True, timeout=60, cwd=folder)
    flows = "".join(
        f'<flow id="{a}{b}" begin="0" end="1200" period="{period}" from="in{a}" to="out{b}"/>'
        for a, b, period in (("N", "S", 24), ("S", "N", 24), ("N", "E", 60), ("S", "W", 60))
    )
    (folder / "cross.rou.xml").write_text(f"<routes>{flows}</routes>")
    config = folder / "cross.sumocfg"
    config.write_text(
        '<configuration><net-file value="cross.net.xml"/><route-files value="cross.rou.xml"/><end value="1200"/>'
        "</configuration>"
    )
    return config


@NEEDS_SUMO
def test_two_left_turns_do_not_wait_for_each_others_followers(tmp_path):
    """Each used to yield to the stream that stood behind the other, until their green ended."""
    config = crossroads(tmp_path)
    here, there = (
        ran(config, simulator)["metrics"]["average_travel_time_s"]["mean"] for simulator in ("native", "sumo")
    )
    assert here == pytest.approx(there, rel=0.1)
