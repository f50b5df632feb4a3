"""Every way a ``flow.json`` can be wrong ends in an InputError of one line that names the place."""

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from network import small
from network.mutation import mutated
from network.test_bad_files import at

from intergreen.envs.demand import read_cityflow_demand, release_trips
from intergreen.envs.errors import InputError
from intergreen.envs.network import find_file, read_cityflow_network


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return read_cityflow_network(small.write(tmp_path_factory.mktemp("network")) / "roadnet.json")


def read(tmp_path, network, flow, **options):
    return read_cityflow_demand(small.write(tmp_path, flow=flow) / "flow.json", network, **options)


def test_flows_become_routes_types_and_times(tmp_path, network):
    demand = read(tmp_path, network, small.flows())
    assert [network.road_ids[road] for road in demand.route(0)] == ["in_W", "out_E"]
    assert [(t.name, t.length_m, t.occupancy) for t in demand.types] == [("car", 5.0, 1.0), ("bus", 12.0, 30.0)]
    assert demand.flow_type.tolist() == [0, 0, 1]
    assert demand.flow_interval_s.tolist() == [2.5, 1.0, 30.0]
    assert demand.flow_end_s.tolist() == [-1.0, 7.0, 95.0]
    assert demand.dropped_flows == 0


def test_times_have_cityflow_defaults(tmp_path, network):
    flow = small.flows()[0]
    del flow["startTime"], flow["endTime"]
    demand = read(tmp_path, network, [flow])
    assert (demand.flow_start_s[0], demand.flow_end_s[0]) == (0, -1)


def test_class_can_be_named(tmp_path, network):
    flow = small.flows()[0]
    flow["vehicle"]["class"] = "emergency"
    assert read(tmp_path, network, [flow]).types[0].name == "emergency"


def test_equal_routes_and_types_are_stored_once(tmp_path, network):
    demand = read(tmp_path, network, small.flows() * 3)
    assert (demand.n_flows, demand.n_routes, len(demand.types)) == (9, 3, 2)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("[0]", 3),
        ("[0].route", []),
        ("[0].route", "in_W"),
        ("[0].route[1]", "out_Q"),
        ("[0].route[1]", 4),
        ("[0].vehicle", None),
        ("[0].vehicle.length", 0),
        ("[0].vehicle.length", 0.1),
        ("[0].vehicle.width", -2),
        ("[0].vehicle.maxPosAcc", True),
        ("[0].vehicle.usualNegAcc", "4.5"),
        ("[0].vehicle.minGap", -0.1),
        ("[0].vehicle.maxSpeed", 0.0),
        ("[0].vehicle.headwayTime", None),
        ("[0].vehicle.class", 3),
        ("[0].interval", 0),
        ("[0].interval", -1),
        ("[0].interval", 1e-9),
        ("[0].startTime", -1),
        ("[0].startTime", "0"),
        ("[0].endTime", -2),
        ("[0].endTime", False),
    ],
)
def test_wrong_value_is_refused_at_its_place(tmp_path, network, path, value):
    flow = small.flows()
    container, key = at({"": flow}, path)
    container[key] = value
    with pytest.raises(InputError) as caught:
        read(tmp_path, network, flow, drop_invalid=True)  # dropping is for routes that do not exist, nothing else
    assert caught.value.field == path
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["length", "maxNegAcc", "minGap", "headwayTime"])
def test_missing_vehicle_parameter_is_named(tmp_path, network, key):
    flow = small.flows()
    del flow[1]["vehicle"][key]
    with pytest.raises(InputError, match=rf"\[1\]\.vehicle\.{key}: is missing; add it"):
        read(tmp_path, network, flow)


def test_file_without_a_flow_is_refused(tmp_path, network):
    with pytest.raises(InputError, match="has 0 entries; give at least 1"):
        read(tmp_path, network, [])


def test_dropping_every_flow_is_refused(tmp_path, network):
    flow = small.flows()[0] | {"route": ["in_W", "in_E"]}
    with pytest.raises(InputError, match="no flow has a route that exists"):
        read(tmp_path, network, [flow], drop_invalid=True)


def test_flow_file_that_is_no_list_is_refused(tmp_path, network):
    with pytest.raises(InputError, match="use a list"):
        read(tmp_path, network, {"flows": []})


BROKEN = [["in_W", "out_W"], ["in_W"]]


@pytest.mark.parametrize("route", BROKEN, ids=str)
def test_routes_that_do_not_exist_are_counted_and_the_first_named(tmp_path, network, route):
    flow = small.flows()
    flow[1]["route"] = flow[2]["route"] = route
    with pytest.raises(InputError) as caught:
        read(tmp_path, network, flow)
    message = str(caught.value)
    assert caught.value.field == "[1].route"
    assert "does not exist: 2" in message
    assert message.endswith("; mend: fix the route or pass --drop-invalid-routes")
    demand = read(tmp_path, network, flow, drop_invalid=True)
    assert (demand.n_flows, demand.dropped_flows) == (1, 2)


@settings(max_examples=400)
@given(flow=mutated(small.flows()))
def test_changed_flows_load_or_are_refused(network, flow):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "flow.json")
        path.write_text(json.dumps(flow), "utf-8")
        try:
            demand = read_cityflow_demand(path, network)
        except InputError as error:
            refusal = str(error)
        else:
            assert_drivable(network, demand)
            return
    assert refusal.isprintable()


def assert_drivable(network, demand):
    trips = release_trips(network, demand, horizon_s=50, seed=0)
    first_roads = demand.route_roads[demand.route_start[trips.route]]
    assert (network.lane_road[trips.start_lane] == first_roads).all()
    assert (np.diff(demand.route_start) >= 2).all()


@pytest.mark.parametrize(
    ("folder", "vehicles"),
    [
        ("hangzhou_4x4", 2983),
        ("jinan_3x4", 6295),
        ("jinan_3x4_2000", 4365),
        ("newyork_16x3", 2824),
        ("syn_1x1_800", 800),
        ("hangzhou_1x1_bc-tyc", 2021),
        ("syn_3x3_gaussian_500", 8412),
        ("atlanta_1x5", 2171),
        ("cityflow_example_1x1", 8640),
    ],
)
def test_real_scenarios_release_the_published_number_of_vehicles(benchmark_data, folder, vehicles):
    folder = benchmark_data / "cityflow" / folder
    network = read_cityflow_network(find_file(folder, "roadnet.json"))
    demand = read_cityflow_demand(find_file(folder, "flow.json"), network)
    assert len(release_trips(network, demand, horizon_s=3600, seed=0)) == vehicles
