"""What is seen at a stop line, where a file cuts the street shortly before it."""

from pathlib import Path

import numpy as np
import pytest
from network import sumo_small as small

from intergreen.agents.controllers.base import near_distance_m
from intergreen.agents.controllers.max_pressure import pressure_weights
from intergreen.envs.layout import arrival_bounds_m, make_layout
from intergreen.envs.network import RoadNetwork, read_sumo_network
from intergreen.envs.network.approaches import (
    AT_STOP_LINE_M,
    REACH_M,
    approach_lanes,
    approach_lanes_by_movement,
    stop_line_ahead_m,
)
from intergreen.envs.protocol import protocol_by_name

LANE = f'<lane id="{{0}}_0" index="0" speed="{small.SPEED}" length="100" shape="{{1}},-100 {{1}},0"/>'
PHASES = ((20, "Gr"), (3, "yr"), (10, "rG"), (3, "ry"))


def street(folder: Path, lengths: list[float], *, signals: tuple[int, ...] = ()) -> RoadNetwork:
    """Edges of one lane one behind the other; at the nodes that are signals a side street comes in."""
    parts = []
    for k in range(1, len(lengths)):
        light = f'tl="n{k}" linkIndex="0"' if k in signals else ""
        parts.append(f'<connection from="e{k - 1}" to="e{k}" fromLane="0" toLane="0" {light}/>')
    for k in signals:
        parts.append(f'<edge id="side{k}" from="m{k}" to="n{k}">{LANE.format(f"side{k}", k)}</edge>')
        parts.append(f'<connection from="side{k}" to="e{k}" fromLane="0" toLane="0" tl="n{k}" linkIndex="1"/>')
        parts.append(f'<junction id="m{k}" type="dead_end" x="{k}" y="-100"/>{small.programme(f"n{k}", PHASES)}')
    xml = small.street([1] * len(lengths), lengths, "".join(parts))
    for k in signals:
        xml = xml.replace(f'<junction id="n{k}" type="priority"', f'<junction id="n{k}" type="traffic_light"')
    path = folder / "street.net.xml"
    path.write_text(xml)
    return read_sumo_network(path)


def movement_at(network: RoadNetwork, name: str) -> int:
    """The movement along the street."""
    of_junction = np.flatnonzero(network.movement_intersection == network.intersection_ids.index(name))
    along = [m for m in of_junction if network.road_ids[network.movement_from_road[m]].startswith("e")]
    assert len(along) == 1
    return int(along[0])


def seen(network: RoadNetwork, name: str, **reach: float) -> list[str]:
    lanes = approach_lanes(network, movement_at(network, name), **reach)
    return [network.road_ids[network.lane_road[lane]] for lane in lanes]


def test_a_long_road_is_seen_alone_and_whole(tmp_path):
    network = street(tmp_path, [200.0, REACH_M, 50.0], signals=(2,))
    assert seen(network, "n2") == ["e1"]
    assert not stop_line_ahead_m(network).any()


def test_roads_before_a_stub_are_seen_as_far_as_the_zone_reaches(tmp_path):
    network = street(tmp_path, [200.0, 30.0, 25.0, 0.2, 50.0], signals=(4,))
    assert seen(network, "n4") == ["e0", "e1", "e2", "e3"]
    assert seen(network, "n4", reach_m=55.0) == ["e1", "e2", "e3"]
    assert seen(network, "n4", reach_m=0.1) == ["e3"]
    assert stop_line_ahead_m(network)[:5] == pytest.approx([55.2, 25.2, 0.2, 0.0, 0.0])


def test_a_zone_ends_at_the_signal_before(tmp_path):
    network = street(tmp_path, [200.0, 10.0, 5.0, 50.0], signals=(1, 3))
    assert seen(network, "n3") == ["e1", "e2"]
    assert seen(network, "n1") == ["e0"]


def test_distances_are_measured_from_the_stop_line_not_from_the_cut(tmp_path):
    network = street(tmp_path, [200.0, 20.0, 50.0], signals=(2,))
    assert arrival_bounds_m(network)[0].tolist() == [5.0, 30.0, 80.0, 130.0, 280.0]  # 20 m less than at 10 m/s
    assert arrival_bounds_m(network)[1].tolist() == [25.0, 50.0, 100.0, 150.0, 300.0]
    assert near_distance_m(network, 10)[:3].tolist() == [80.0, 100.0, 100.0]


def test_policies_and_pressure_rules_count_whoever_waits_behind_the_cut(tmp_path):
    network = street(tmp_path, [200.0, 20.0, 50.0], signals=(2,))
    movement = movement_at(network, "n2")
    table = make_layout(network, protocol_by_name("literature-10-5").plan(network)).table
    n = table.movement.tolist().index(movement)
    assert table.lanes[table.lane_start[n] : table.lane_start[n + 1]].tolist() == [0, 1]
    assert table.lane_room[n] == pytest.approx(220.0 / 7.5)
    assert table.lane_share[n] == 1.0  # it starts from one lane
    green = int(network.phase_start[network.intersection_ids.index("n2")])
    assert pressure_weights(network, green) == {0: 1.0, 1: 1.0, 2: -1.0}


def test_networks_of_whole_roads_are_seen_as_before():
    from intergreen.envs.scenario import load_scenario

    network = load_scenario("town").network
    for m in range(network.n_movements):
        np.testing.assert_array_equal(approach_lanes(network, m), network.start_lanes(m))
    assert not stop_line_ahead_m(network).any()


@pytest.mark.parametrize("reach_m", [REACH_M, AT_STOP_LINE_M])
@pytest.mark.parametrize("lengths", [[50.0, 100.0, 20.0, 30.0, 100.0], [300.0, 300.0, 300.0], [40.0, 5.0, 60.0]])
def test_lanes_of_all_movements_are_those_of_each(tmp_path, lengths, reach_m):
    network = street(tmp_path, lengths, signals=(len(lengths) - 1,))
    starts, lanes = approach_lanes_by_movement(network, reach_m=reach_m)
    for m in range(network.n_movements):
        assert lanes[starts[m] : starts[m + 1]].tolist() == approach_lanes(network, m, reach_m=reach_m).tolist()
