"""Plain XML for SUMO: names, signals and lanes are the network's; netconvert and libsumo take it where installed."""

import dataclasses
import json
import subprocess
import sys
from importlib.util import find_spec
from xml.etree import ElementTree

import numpy as np
import pytest
from network import small

from intergreen.envs.network import ArterialSpec, TownSpec, generate_arterial, generate_town, read_cityflow_network
from intergreen.envs.network.sumo_plain import side_by_side, write_sumo_plain

NETWORKS = {
    "arterial": lambda: generate_arterial(ArterialSpec(signals=2, main_lanes=3, side_lanes=2)),
    "town": lambda: generate_town(TownSpec(5), seed=0),
}


@pytest.fixture(params=NETWORKS)
def written(request, tmp_path):
    """The network, and the elements of its three files by kind."""
    network = NETWORKS[request.param]()
    paths = write_sumo_plain(network, tmp_path)
    assert {kind: path.name for kind, path in paths.items()} == {k: f"network.{k}.xml" for k in ("nod", "edg", "con")}
    return network, {kind: list(ElementTree.parse(path).getroot()) for kind, path in paths.items()}


def test_nodes_keep_name_and_place_and_those_with_a_signal_are_traffic_lights(written):
    network, elements = written
    assert [node.get("id") for node in elements["nod"]] == list(network.intersection_ids)
    places = [[float(node.get("x")), float(node.get("y"))] for node in elements["nod"]]
    assert np.array_equal(places, network.intersection_xy)
    lights = [j for j, node in enumerate(elements["nod"]) if node.get("type") == "traffic_light"]
    assert lights == network.signalled.tolist()
    assert 0 < len(lights) < network.n_intersections


def test_edges_are_the_roads_with_their_ends_lanes_and_limits(written):
    network, elements = written
    assert [edge.get("id") for edge in elements["edg"]] == list(network.road_ids)
    for r, edge in enumerate(elements["edg"]):
        lanes = network.lane_road == r
        assert edge.get("from") == network.intersection_ids[network.road_from[r]]
        assert edge.get("to") == network.intersection_ids[network.road_to[r]]
        assert int(edge.get("numLanes")) == lanes.sum()
        assert float(edge.get("speed")) == network.lane_speed_limit_mps[lanes][0]


def test_connections_are_lane_links_one_from_a_lane_to_a_road_with_lanes_numbered_from_the_right(written):
    network, elements = written
    lanes = dict(zip(network.road_ids, np.diff(network.road_lane_start).tolist(), strict=True))

    def lane_name(road, from_the_right):
        return f"{road}_{lanes[road] - 1 - int(from_the_right)}"

    theirs = [
        (lane_name(c.get("from"), c.get("fromLane")), lane_name(c.get("to"), c.get("toLane")))
        for c in elements["con"]
        if c.tag == "connection"
    ]
    ours = zip(network.link_from_lane.tolist(), network.link_to_lane.tolist(), strict=True)
    assert set(theirs) <= {(network.lane_name(start), network.lane_name(end)) for start, end in ours}
    ends = list(zip(network.link_from_lane.tolist(), network.movement_to_road[network.link_movement], strict=True))
    assert len(theirs) == len(set(ends))


def test_connections_of_a_movement_do_not_cross_each_other():
    network = generate_arterial(ArterialSpec(signals=2, main_lanes=3, side_lanes=2))
    chosen = side_by_side(network)
    for m in range(network.n_movements):
        mine = [k for k in chosen if network.link_movement[k] == m]
        ends = sorted((network.link_from_lane[k], network.link_to_lane[k]) for k in mine)
        assert [end for _, end in ends] == sorted(end for _, end in ends)


def test_netconvert_lets_the_straight_stream_go_before_the_right_turn_that_joins_it(tmp_path):
    """Straight on and right share a lane of the side streets; right turns from the main road are always green."""
    if find_spec("sumo") is None:
        pytest.skip("SUMO is not installed")
    from intergreen.envs.network.road_network import STRAIGHT, TURN_RIGHT
    from intergreen.envs.network.sumo_net import read_sumo_net
    from intergreen.envs.network.sumo_right_of_way import right_of_way
    from intergreen.envs.scenario import load_scenario
    from intergreen.envs.sumo_net_file import net_of

    scenario = load_scenario("arterial6")
    network = scenario.network
    net = read_sumo_net(net_of(scenario, tmp_path).net)
    order = right_of_way(net)
    pairs = zip(network.movement_from_road.tolist(), network.movement_to_road.tolist(), strict=True)
    ends = [(network.road_ids[a], network.road_ids[b]) for a, b in pairs]
    turn = dict(zip(ends, network.movement_turn.tolist(), strict=True))
    turns = [turn.get((c.start_edge, c.end_edge)) for c in net.connections]
    right = [k for k, t in enumerate(turns) if t == TURN_RIGHT]
    joins = [
        (a, b) for a in right for b, t in enumerate(turns)
        if t == STRAIGHT and net.connections[a].end_edge == net.connections[b].end_edge and order.are_foes(a, b)
    ]  # fmt: skip
    assert len(joins) >= 12
    assert all(order.right(a, b) == -1 for a, b in joins)


def test_right_turns_leave_from_sumos_lane_zero(tmp_path):
    network = generate_arterial(ArterialSpec(signals=1, main_lanes=3, side_lanes=3))
    connections = ElementTree.parse(write_sumo_plain(network, tmp_path)["con"]).getroot()
    eastward = {(c.get("to"), c.get("fromLane")) for c in connections if c.get("from") == "road_0_1_0"}
    assert eastward == {("road_1_1_3", "0"), ("road_1_1_0", "1"), ("road_1_1_1", "2")}  # south, on, north


@pytest.mark.skipif(
    any(find_spec(package) is None for package in ("sumo", "libsumo")),
    reason='SUMO is not installed: pip install "intergreen[sumo]"',
)
def test_netconvert_and_libsumo_drive_the_network_of_a_scenario():
    """In a process of its own, as the benchmark does it: libsumo holds one simulation per process."""
    command = [sys.executable, "-m", "intergreen.agents.evaluation.sumo_speed", "single", "60"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout.splitlines()[-1])
    # 4 entries of 650 veh/h: some 43 vehicles enter in the minute, half a minute in the network each on average
    assert 300 < measured["vehicle_updates"] < 43 * 60
    assert measured["cpu_s"] > 0


def test_lanes_keep_the_limits_in_which_they_differ(tmp_path):
    network = generate_arterial(ArterialSpec(signals=1, main_lanes=3, side_lanes=1))
    limits = network.lane_speed_limit_mps.copy()
    first = int(network.road_lane_start[network.road_ids.index("road_0_1_0")])
    limits[first : first + 3] = 5.0, 11.0, 5.0
    network = dataclasses.replace(network, lane_speed_limit_mps=limits)
    edges = ElementTree.parse(write_sumo_plain(network, tmp_path)["edg"]).getroot()
    told = {edge.get("id"): [(lane.get("index"), lane.get("speed")) for lane in edge] for edge in edges}
    assert told.pop("road_0_1_0") == [("1", "11.0")]
    assert not any(told.values())
    assert {edge.get("speed") for edge in edges if edge.get("id") == "road_0_1_0"} == {"5.0"}


def test_movement_without_lane_links_has_no_connection(tmp_path):
    roadnet = small.crossroads()
    (centre,) = (one for one in roadnet["intersections"] if one.get("roadLinks"))
    ends = centre["roadLinks"][0]["startRoad"], centre["roadLinks"][0]["endRoad"]
    centre["roadLinks"][0]["laneLinks"] = []
    small.write(tmp_path, roadnet=roadnet)
    network = read_cityflow_network(tmp_path / "roadnet.json")
    connections = ElementTree.parse(write_sumo_plain(network, tmp_path)["con"]).getroot()
    assert ends not in {(c.get("from"), c.get("to")) for c in connections if c.tag == "connection"}
