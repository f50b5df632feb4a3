"""A lane that ends beside others that go on is used to its end, and its drivers go in with the others by turns."""

import numpy as np
import pytest
from network import sumo_small as small

from intergreen.envs.demand import read_sumo_demand, release_trips
from intergreen.envs.demand.sumo import Given, Window
from intergreen.envs.network import read_sumo_network
from intergreen.envs.network.sumo import connections_of_movements
from intergreen.envs.network.sumo_index import index_of_read
from intergreen.envs.network.sumo_merges import SHORTEST_M
from intergreen.envs.network.sumo_net import read_sumo_net
from intergreen.envs.simulation import Engine

ENDS = ((0, 0, 0), (0, 1, 1), (1, 1, 0))  # edge, lane and lane of the next edge, from the right: the right one ends


def read(folder, *, length_m=150.0, connections=ENDS, more="", extra=""):
    rows = [f'<connection from="e{k}" to="e{k + 1}" fromLane="{a}" toLane="{b}" {extra if k == 1 else ""}/>'
            for k, a, b in connections]  # fmt: skip
    path = folder / "small.net.xml"
    path.write_text(small.street([2, 2, 1], [100.0, length_m, 200.0], "".join(rows), more=more))
    return read_sumo_network(path)


def lanes_that_lead_on(network, road):
    """From the left."""
    start, past = network.road_lane_start[network.road_ids.index(road) :][:2].tolist()
    return np.flatnonzero(np.diff(network.lane_link_start[start : past + 1])).tolist()


def test_lane_that_ends_gets_the_way_of_the_one_beside_it(tmp_path):
    network = read(tmp_path)
    assert lanes_that_lead_on(network, "e1") == [0, 1]
    ends = network.lane_road[network.link_from_lane] == network.road_ids.index("e1")
    assert len(set(network.link_movement[ends])) == 1
    assert not network.link_changes_lane[ends].any()  # on its way nobody needs another lane
    links = np.flatnonzero(ends)
    met = [slice(*network.crossing_start[k : k + 2]) for k in links.tolist()]
    assert [network.crossing_foe_link[part].tolist() for part in met] == [[links[1]], [links[0]]]
    assert [network.crossing_right[part].tolist() for part in met] == [[0], [0]]


def test_connections_are_numbered_as_in_the_file_for_whoever_runs_it_in_sumo(tmp_path):
    network = read(tmp_path)
    numbers = connections_of_movements(read_sumo_net(tmp_path / "small.net.xml"), 0.0)
    assert sorted(number for some in numbers for number in some) == [0, 1, 2]
    assert len(index_of_read(tmp_path / "small.net.xml", network).lanes) == network.n_lanes


@pytest.mark.parametrize(
    "changes",
    [
        {"length_m": SHORTEST_M - 1.0},
        {"more": small.programme("n2", [(10, "G"), (10, "r")]), "extra": 'tl="n2" linkIndex="0"'},
        {"connections": ENDS[:2]},  # neither leads on
    ],
    ids=["a corner of the drawing", "at a signal", "a dead end"],
)
def test_lane_that_ends_elsewhere_stays_as_it_is(tmp_path, changes):
    both = lanes_that_lead_on(read(tmp_path, **changes), "e1")
    assert both == ([0] if "connections" not in changes else [])


def test_it_yields_to_whom_the_lane_beside_it_yields(tmp_path):
    """A side street with the right of way at the lane's end."""
    side = (
        '<edge id="s" from="n9" to="n2"><lane id="s_0" index="0" speed="10" length="50" shape="250,50 250,0"/></edge>'
        '<junction id="n9" type="dead_end" x="250" y="50"/>'
    )
    read(tmp_path, more=side)  # as it is without requests
    text = (tmp_path / "small.net.xml").read_text()
    junction = '<junction id="n2" type="priority" x="2" y="0"'
    requests = '<request index="0" response="10" foes="10"/><request index="1" response="00" foes="01"/>'
    text = text.replace(f"{junction}/>", f'{junction} incLanes="e1_0 e1_1 s_0">{requests}</junction>')
    with_requests = text.replace("</net>", '<connection from="s" to="e2" fromLane="0" toLane="0"/></net>')
    (tmp_path / "small.net.xml").write_text(with_requests)
    network = read_sumo_network(tmp_path / "small.net.xml")
    from_road = network.lane_road[network.link_from_lane]
    (side_link,) = np.flatnonzero(from_road == network.road_ids.index("s")).tolist()
    for k in np.flatnonzero(from_road == network.road_ids.index("e1")).tolist():
        part = slice(*network.crossing_start[k : k + 2])
        right = dict(zip(network.crossing_foe_link[part].tolist(), network.crossing_right[part].tolist(), strict=True))
        assert right[side_link] == -1


def test_both_lanes_are_driven_and_nobody_starves(tmp_path):
    network = read(tmp_path)
    path = tmp_path / "small.rou.xml"
    flow = '<flow id="f" type="k" begin="0" end="600" vehsPerHour="1200" from="e0" to="e2"/>'
    path.write_text(small.routes('<vType id="k" sigma="0.5"/>', flow))
    demand = read_sumo_demand([path], network, Given(Window(0, 900)))
    engine = Engine(network, demand)
    engine.reset([release_trips(network, demand, horizon_s=900, seed=0)], [0])
    engine.green[:] = 1
    lanes = np.arange(*network.road_lane_start[network.road_ids.index("e1") :][:2])
    seen = np.zeros(2, np.int64)
    for _ in range(900):
        engine.advance(1)
        seen += engine.counts(np.zeros(network.n_lanes), np.zeros((network.n_lanes, 1))).vehicles[0, lanes]
    totals = engine.totals()
    assert totals.released[0] == totals.finished[0] == 200
    assert seen.min() > 0.25 * seen.sum()
    assert totals.sum_travel_time_s[0] / 200 < 60.0
