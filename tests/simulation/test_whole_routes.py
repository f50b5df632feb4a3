"""Vehicles of CityFlow's networks keep to lanes that lead to the end of their route, where there are such."""

import json

import numpy as np
import pytest
from network.small import VEHICLE

from intergreen.agents.controllers import controller_by_name
from intergreen.agents.evaluation.run import evaluate
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import load_scenario
from intergreen.envs.simulation.routes import build_route_table

VEHICLES = 40


def write(folder, *, over_m=((0, 0), (1, 1)), turns=((0, 0), (0, 1))):
    """A street a - b of two lanes, whose lanes lead each to its own at M, and only the left one of b to n.

    over_m  lanes of a and b that links at M join
    turns   lanes of b and n that links at C join
    """
    ends = {"W": (-400, 0), "M": (-200, 0), "C": (0, 0), "E": (200, 0), "N": (0, 200), "S": (0, -200)}
    roads = {"a": "WM", "b": "MC", "e": "CE", "n": "CN", "s": "SC"}

    def point(end):
        return dict(zip("xy", ends[end], strict=True))

    def links(kind, start, end, lanes):
        joined = [{"startLaneIndex": i, "endLaneIndex": k, "points": []} for i, k in lanes]
        return {"type": kind, "startRoad": start, "endRoad": end, "laneLinks": joined}

    def node(end, road_links=(), phases=()):
        own = [name for name, (start, past) in roads.items() if end in (start, past)]
        light = {"lightphases": [{"time": 30, "availableRoadLinks": list(greens)} for greens in phases]}
        one = {"id": end, "point": point(end), "width": 10 * bool(phases), "roads": own, "roadLinks": list(road_links)}
        return one | {"virtual": not road_links} | ({"trafficLight": light} if phases else {})

    straight = ((0, 0), (1, 1))
    at_c = [
        links("turn_left", "b", "n", turns),
        links("go_straight", "b", "e", ((1, 0), (1, 1))),
        links("go_straight", "s", "n", straight),
    ]
    nodes = [node("M", [links("go_straight", "a", "b", over_m)]), node("C", at_c, ([0, 1], [2]))]
    lanes = [{"width": 4, "maxSpeed": 11.111}] * 2
    roadnet = {
        "intersections": [*nodes, *(node(end) for end in "WENS")],
        "roads": [
            {"id": name, "startIntersection": start, "endIntersection": end, "points": [point(start), point(end)]}
            | {"lanes": lanes}
            for name, (start, end) in roads.items()
        ],
    }
    flow = {"vehicle": VEHICLE, "route": ["a", "b", "n"], "interval": 10, "startTime": 0, "endTime": 10 * VEHICLES - 10}
    (folder / "roadnet.json").write_text(json.dumps(roadnet))
    (folder / "flow.json").write_text(json.dumps([flow]))
    return load_scenario(folder)


def ways(scenario):
    """The roads that every trip drives, by the lane that it begins on and the links of its route."""
    network, demand = scenario.network, scenario.demand
    table, trips = build_route_table(network, demand), scenario.trips(0)
    found = []
    for route, lane in zip(trips.route.tolist(), trips.start_lane.tolist(), strict=True):
        entry, way = int(table.row_start[route]), ""
        for road in demand.route(route).tolist():
            way += network.road_ids[road]
            first, past = network.road_lane_start[road : road + 2].tolist()
            link = int(table.next_link[entry + lane - first])
            if link < 0:
                break
            entry, lane = entry + past - first, int(network.link_to_lane[link])
        found.append(way)
    return found


def test_trips_begin_on_lanes_that_lead_to_the_end_of_their_route(tmp_path, caplog):
    scenario = write(tmp_path)
    assert ways(scenario) == ["abn"] * VEHICLES
    assert not caplog.messages
    run = evaluate(scenario, controller_by_name("max-pressure"), protocol_by_name("literature-10-5"), seeds=[0])
    assert run["metrics"]["throughput_veh"]["mean"] == VEHICLES
    shortest_s = 600.0 / 11.111
    assert run["metrics"]["average_travel_time_s"]["mean"] > shortest_s


def test_link_onto_a_lane_that_leads_to_the_end_is_taken_though_another_is_nearer(tmp_path):
    scenario = write(tmp_path, over_m=((1, 1), (1, 0)), turns=((0, 0),))
    assert set(scenario.network.lane_index[scenario.trips(0).start_lane]) == {1}
    assert ways(scenario) == ["abn"] * VEHICLES


@pytest.mark.parametrize("over_m", [((0, 0), (1, 1)), ((0, 0), (0, 1), (1, 0), (1, 1))])
def test_trips_begin_on_any_lane_where_all_lead_to_the_end(tmp_path, over_m):
    scenario = write(tmp_path, over_m=over_m, turns=((0, 0), (1, 1)))
    assert set(scenario.network.lane_index[scenario.trips(0).start_lane]) == {0, 1}
    assert ways(scenario) == ["abn"] * VEHICLES


def test_route_along_which_no_lanes_lead_is_told(tmp_path, caplog):
    scenario = write(tmp_path, over_m=((0, 1), (1, 1)), turns=((0, 0),))
    (told,) = caplog.messages
    assert "no lanes lead along the whole of ['a', 'b', 'n']; vehicles of 1 such flows" in told
    assert set(ways(scenario)) <= {"a", "ab"}
    assert np.isin(scenario.network.lane_index[scenario.trips(0).start_lane], (0, 1)).all()
