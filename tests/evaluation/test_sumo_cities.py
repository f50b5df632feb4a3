"""Cities that SUMO's own tools make: every one loads, loses nobody, and takes as long in both simulators."""

import subprocess
from itertools import pairwise
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


def converted(folder: Path, nodes: list[str], edges: list[str], flows: list[tuple[str, str, str]]) -> Path:
    """Nodes and edges by netconvert, and vehicles from edge to edge, one in so many seconds, for twenty minutes."""
    import sumo

    (folder / "plain.nod.xml").write_text(f"<nodes>{''.join(nodes)}</nodes>")
    (folder / "plain.edg.xml").write_text(f"<edges>{''.join(edges)}</edges>")
    tool = str(Path(sumo.SUMO_HOME) / "bin" / "netconvert")
    names = ["-n", "plain.nod.xml", "-e", "plain.edg.xml", "-o", "plain.net.xml"]
    subprocess.run([tool, *names], check=True, capture_output=True, timeout=60, cwd=folder)
    written = "".join(
        f'<flow id="{start}{end}" begin="0" end="1200" period="{period}" from="{start}" to="{end}"/>'
        for start, end, period in flows
    )
    (folder / "plain.rou.xml").write_text(f"<routes>{written}</routes>")
    config = folder / "plain.sumocfg"
    config.write_text(
        '<configuration><net-file value="plain.net.xml"/><route-files value="plain.rou.xml"/><end value="1500"/>'
        "</configuration>"
    )
    return config


def crossroads(folder: Path) -> Path:
    """One lane an arm, so that a left turn that waits holds up everybody behind; as many turn left from either side."""
    nodes = [f'<node id="{name}" x="{x}" y="{y}"/>' for name, (x, y) in ARMS.items()]
    nodes.append('<node id="C" x="0" y="0" type="traffic_light"/>')
    edges = [f'<edge id="in{a}" from="{a}" to="C"/><edge id="out{a}" from="C" to="{a}"/>' for a in ARMS]
    flows = [("inN", "outS", "24"), ("inS", "outN", "24"), ("inN", "outE", "60"), ("inS", "outW", "60")]
    return converted(folder, nodes, edges, flows)


@NEEDS_SUMO
def test_two_left_turns_do_not_wait_for_each_others_followers(tmp_path):
    """Each used to yield to the stream that stood behind the other, until their green ended."""
    config = crossroads(tmp_path)
    here, there = (
        ran(config, simulator)["metrics"]["average_travel_time_s"]["mean"] for simulator in ("native", "sumo")
    )
    assert here == pytest.approx(there, rel=0.1)


def roundabout(folder: Path) -> Path:
    """A small ring with a signal on it, and as much traffic as it takes."""
    ring = {"S": (0, -20), "E": (20, 0), "N": (0, 20), "W": (-20, 0)}
    light = {"N": 'type="traffic_light"'}
    nodes = [f'<node id="{a}" x="{x}" y="{y}"/>' for a, (x, y) in ARMS.items()]
    nodes += [f'<node id="r{a}" x="{x}" y="{y}" {light.get(a, "")}/>' for a, (x, y) in ring.items()]
    names = [*ring, "S"]
    around = [f"r{a}{b}" for a, b in pairwise(names)]
    edges = [f'<edge id="{e}" from="r{e[1]}" to="r{e[2]}" speed="8"/>' for e in around]
    edges += [f'<edge id="in{a}" from="{a}" to="r{a}"/><edge id="out{a}" from="r{a}" to="{a}"/>' for a in ARMS]
    edges.append(f'<roundabout nodes="{" ".join(f"r{a}" for a in ring)}" edges="{" ".join(around)}"/>')
    over = {"N": "S", "E": "W", "S": "N", "W": "E"}
    flows = [(f"in{a}", f"out{b}", "20" if over[a] == b else "60") for a in ARMS for b in ARMS if a != b]
    return converted(folder, nodes, edges, flows)


@NEEDS_SUMO
def test_roundabout_does_not_lock_in_the_engine_where_it_does_not_in_sumo(tmp_path):
    """Drivers on a ring do not keep its junctions clear, or everybody waits for the one ahead."""
    config = roundabout(tmp_path)
    network = load_scenario(config).network
    on_ring = np.array([network.road_ids[road].startswith("r") for road in network.lane_road])
    assert (network.link_keeps_clear == ~on_ring[network.link_from_lane]).all()
    here, there = (
        run_cells(comparison_cells([str(config)], ["fixed-time"], simulator=simulator), seeds=list(range(5)))[0][
            "metrics"
        ]
        for simulator in ("native", "sumo")
    )
    assert here["throughput_veh"]["per_seed"] == there["throughput_veh"]["per_seed"]
    time_s = [metrics["average_travel_time_s"]["mean"] for metrics in (here, there)]
    assert time_s[0] == pytest.approx(time_s[1], rel=0.15)  # SUMO's own seeds are 76 to 116 s


def with_two_signals(at: dict[str, tuple[int, int]]) -> list[str]:
    """Nodes at these places [m], `a` and `b` with a signal."""
    light = 'type="traffic_light"'
    return [f'<node id="{n}" x="{x}" y="{y}" {light if n in "ab" else ""}/>' for n, (x, y) in at.items()]


def two_close_signals(folder: Path) -> Path:
    """Two crossroads 35 m apart, the road between them for three cars a lane; left turns and turn-abouts yield."""
    at = {"W": (-300, 0), "a": (0, 0), "b": (35, 0), "E": (300, 0)}
    at |= {"N": (0, 300), "S": (0, -300), "M": (35, 300), "T": (35, -300)}
    roads = ["Wa", "aW", "ab", "ba", "Na", "aS", "Tb", "bM"]
    edges = [f'<edge id="{e}" from="{e[0]}" to="{e[1]}" numLanes="2"/>' for e in roads]
    edges += [f'<edge id="{e}" from="{e[0]}" to="{e[1]}"/>' for e in ("bE", "Eb")]
    config = converted(folder, with_two_signals(at), edges, [])
    ways = ["Wa ab bE", "Wa ab bM", "Wa aS", "Eb ba aW", "Eb ba aS", "Eb bM", "Na aS", "Na ab bE", "Na ab bM", "Na aW"]
    ways += ["Tb bM", "Tb bE", "Tb ba aW", "Tb ba aS", "Wa ab ba aW", "Na ab ba aS"]  # the last two turn about
    flows = "".join(
        f'<flow id="{k}" begin="0" end="1200" period="60"><route edges="{way}"/></flow>' for k, way in enumerate(ways)
    )
    (folder / "plain.rou.xml").write_text(f"<routes>{flows}</routes>")
    return config


@NEEDS_SUMO
def test_close_signals_do_not_lock_in_the_engine_where_they_do_not_in_sumo(tmp_path):
    """Nobody drives onto the road between them behind others who will have to wait at its end."""
    config = two_close_signals(tmp_path)
    cells = comparison_cells([str(config)], ["fixed-time"])
    here, there = run_cells(cells, seeds=[0, 1, 2])[0], ran(config, "sumo")
    assert here["metrics"]["throughput_veh"]["per_seed"] == there["metrics"]["throughput_veh"]["per_seed"] * 3
    time_s = [result["metrics"]["average_travel_time_s"]["mean"] for result in (here, there)]
    assert time_s[0] == pytest.approx(time_s[1], rel=0.05)


def wide_road_with_lorries(folder: Path) -> Path:
    """Three lanes through two signals, 600 and 300 m; every seventh vehicle is a lorry that goes at half the speed."""
    at = {"W": (-600, 0), "a": (0, 0), "b": (300, 0), "E": (600, 0)}
    at |= {"N": (0, 200), "S": (0, -200), "M": (300, 200), "T": (300, -200)}
    edges = [f'<edge id="{e}" from="{e[0]}" to="{e[1]}" numLanes="3"/>' for e in ("Wa", "ab", "bE")]
    edges += [f'<edge id="{e}" from="{e[0]}" to="{e[1]}"/>' for e in ("Na", "aS", "aN", "Tb", "bM", "bT")]
    config = converted(folder, with_two_signals(at), edges, [])
    ways = {"Wa ab bE": 4, "Wa ab bM": 30, "Wa ab bT": 30, "Wa aS": 40, "Na aS": 20, "Tb bM": 20}
    flows = "".join(
        f'<flow id="{kind}{k}" type="{kind}" begin="{begin}" end="1200" period="{times * period}">'
        f'<route edges="{way}"/></flow>'
        for k, (way, period) in enumerate(ways.items())
        for kind, begin, times in (("car", 0, 1), ("lorry", 3, 6))
    )
    types = '<vType id="car"/><vType id="lorry" maxSpeed="7" vClass="truck"/>'
    (folder / "plain.rou.xml").write_text(f"<routes>{types}{flows}</routes>")
    return config


@NEEDS_SUMO
@pytest.mark.parametrize("controller", ["fixed-time", "max-pressure"])
def test_slow_ones_are_passed_and_queues_joined_on_the_shorter_lane_as_in_sumo(tmp_path, controller):
    """Where nobody changed lanes along a road it took a quarter longer than in SUMO."""
    config = str(wide_road_with_lorries(tmp_path))
    here = run_cells(comparison_cells([config], [controller]), seeds=[0, 1, 2])[0]["metrics"]
    there = run_cells(comparison_cells([config], [controller], simulator="sumo"), seeds=[0])[0]["metrics"]
    assert here["throughput_veh"]["mean"] == there["throughput_veh"]["mean"]
    assert here["average_travel_time_s"]["mean"] == pytest.approx(there["average_travel_time_s"]["mean"], rel=0.1)
