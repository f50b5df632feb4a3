"""Scenarios from YAML files and folders, and the one line that every wrong input gets."""

from dataclasses import fields, replace

import numpy as np
import pytest
from network import small

from intergreen.envs.demand import BUS, CAR, VehicleType
from intergreen.envs.errors import InputError
from intergreen.envs.network import STRAIGHT, TURN_LEFT, TURN_RIGHT
from intergreen.envs.scenario import load_scenario, scenario_names
from intergreen.envs.vehicle_sections import VehicleSection

YAML = """
name: mine
network:
  kind: grid
  rows: 1
  columns: 2
  lanes: 2
demand:
  kind: turns
  entry_vph: 300
  turns: {left: 0.2, straight: 0.5, right: 0.3}
  profile: {from_s: [0, 600], factor: [1.0, 0.5]}
  classes: {car: 0.9, bus: 0.1}
horizon_s: 1200
protocol: literature-15-5
"""


@pytest.fixture
def write(tmp_path):
    def to_file(text, name="mine.yaml"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return to_file


def test_file_becomes_the_scenario_it_describes(write):
    scenario = load_scenario(write(YAML))
    assert (scenario.name, scenario.horizon_s, scenario.default_protocol) == ("mine", 1200, "literature-15-5")
    assert len(scenario.network.signalled) == 2
    assert [vehicle_type.name for vehicle_type in scenario.demand.types] == ["car", "bus"]
    assert not scenario.fixed_demand
    trips = [scenario.trips(seed).release_s for seed in range(20)]
    early = sum((one < 600).sum() for one in trips)
    late = sum((one >= 600).sum() for one in trips)
    assert early == pytest.approx(2 * late, rel=0.1)  # about 6,000 and 3,000 trips


def test_pairs_of_roads_make_a_demand(write):
    network = YAML.split("demand:")[0]
    pairs = "demand:\n  kind: pairs\n  pairs:\n  - {origin: road_0_1_0, destination: road_2_1_0, vehicles: 40}\n"
    scenario = load_scenario(write(network + pairs))
    routes = {
        tuple(scenario.network.road_ids[r] for r in scenario.demand.route(n)) for n in range(scenario.demand.n_routes)
    }
    assert routes == {("road_0_1_0", "road_1_1_0", "road_2_1_0")}
    assert scenario.demand.n_flows == 40


def test_turn_that_a_file_leaves_out_is_not_driven(write):
    text = "name: x\nnetwork: {kind: grid, rows: 1, columns: 1}\ndemand: {kind: turns, entry_vph: 400%s}\n"

    def turns(written):
        scenario = load_scenario(write(text % written))
        pairs = [tuple(scenario.demand.route(int(route))) for route in scenario.trips(0).route]
        network = scenario.network
        movement = {
            (int(start), int(end)): int(turn)
            for start, end, turn in zip(
                network.movement_from_road, network.movement_to_road, network.movement_turn, strict=True
            )
        }
        return {movement[pair] for pair in pairs}

    assert turns("") == {TURN_LEFT, TURN_RIGHT, STRAIGHT}
    assert turns(", turns: {left: 0.5, straight: 0.5}") == {TURN_LEFT, STRAIGHT}
    assert turns(", turns: {right: 1}") == {TURN_RIGHT}
    with pytest.raises(InputError, match="need shares >= 0 and one > 0"):
        turns(", turns: {left: 0}")


OWN_KINDS = YAML.replace(
    "  classes: {car: 0.9, bus: 0.1}\n",
    "  classes: {car: 0.6, bus: 0.2, truck: 0.2}\n"
    "  vehicle_types:\n"
    "    truck: {length_m: 9, max_accel_mps2: 1.0, headway_s: 2.5, occupancy: 1.2}\n"
    "    bus: {occupancy: 60}\n",
)


def test_kinds_of_vehicles_of_ones_own_drive(write):
    scenario = load_scenario(write(OWN_KINDS))
    truck = replace(
        CAR, name="truck", length_m=9.0, max_accel_mps2=1.0, usual_accel_mps2=1.0, headway_s=2.5, occupancy=1.2
    )
    assert scenario.demand.types == (CAR, replace(BUS, occupancy=60.0), truck)
    assert {0, 1, 2} == set(scenario.trips(0).type.tolist())


def test_every_field_of_a_kind_can_be_given_but_what_sumo_writes():
    given = {one.name for one in fields(VehicleSection)}
    assert {one.name for one in fields(VehicleType)} - given == {"name", "sumo_attributes", "depart_speed_mps"}


WRONG_KINDS = {
    "unknown key": ("length_m: 9", "lenght_m: 9", r"truck\.lenght_m: unknown key; did you mean 'length_m'"),
    "no section": ("bus: {occupancy: 60}", "bus: 60", r"vehicle_types\.bus: is 60; write a section"),
    "no number": ("length_m: 9", "length_m: long", r"truck\.length_m: input should be a valid number.*got 'long'"),
    "negative": ("length_m: 9", "length_m: -9", r"vehicle_types\.truck: need finite length_m > 0, got -9"),
    "not finite": ("headway_s: 2.5", "headway_s: .inf", r"truck: need finite headway_s > 0, got inf"),
    "tiny": ("length_m: 9", "length_m: 0.01", r"truck: need length_m from 0.5 to 100, got 0.01"),
    "centimetres": ("length_m: 9", "length_m: 900", r"truck: need length_m from 0.5 to 100, got 900"),
    "stands for ever": ("length_m: 9", "max_speed_mps: 0.01", r"truck: need max_speed_mps from 0.5 to 100, got 0.01"),
    "hardly starts": ("max_accel_mps2: 1.0", "max_accel_mps2: 1.0e-9", r"need max_accel_mps2 from 0.1 to 20, got"),
    "hours apart": ("headway_s: 2.5", "headway_s: 3600", r"truck: need headway_s from 0.1 to 30, got 3600"),
    "usual above most": ("length_m: 9", "usual_accel_mps2: 3", r"need usual_accel_mps2 <= max_accel_mps2, got 3 and"),
    "dawdling": ("length_m: 9", "dawdle_mps: 0.5", r"dawdle_mps has no effect without follows_krauss: true"),
    "more dawdling": ("length_m: 9", "dawdle_mps: 9, follows_krauss: true", r"need dawdle_mps <= max_accel_mps2, got"),
    "not used": (", truck: 0.2", "", r"vehicle_types\.truck: no vehicle is of this kind; give truck a share under"),
    "not described": ("car: 0.6", "tram: 0.6", r"no vehicle class is called 'tram'; known: car, bus, emergency, truck"),
}


@pytest.mark.parametrize(("good", "bad", "message"), WRONG_KINDS.values(), ids=WRONG_KINDS)
def test_wrong_kind_of_vehicles_gets_one_line(write, good, bad, message):
    assert good in OWN_KINDS
    with pytest.raises(InputError, match=message) as caught:
        load_scenario(write(OWN_KINDS.replace(good, bad)))
    assert "\n" not in str(caught.value)


def test_vehicle_longer_than_the_shortest_lane_is_refused(write):
    short_roads = OWN_KINDS.replace("lanes: 2", "lanes: 2\n  spacing_x_m: 60").replace("length_m: 9", "length_m: 90")
    with pytest.raises(InputError, match=r"truck\.length_m: is 90 m, and the shortest lane of the network [\d.]+ m;"):
        load_scenario(write(short_roads))


WRONG = {
    "unknown section key": (
        "rows: 1",
        "rowz: 1",
        r"network\.rowz: unknown key; did you mean 'rows'\? known keys: kind, rows,",
    ),
    "unknown top key": (
        "name: mine",
        "nam: mine",
        r"nam: unknown key; did you mean 'name'\? known keys: name, network,",
    ),
    "unknown inner key": (
        "{left: 0.2,",
        "{lft: 0.2,",
        r"demand\.turns\.lft: unknown key; did you mean 'left'\? known keys: left,",
    ),
    "missing key": ("  entry_vph: 300\n", "", r"demand\.entry_vph: is missing; add it"),
    "empty name": ("name: mine\n", "name: ' '\n", r"need a name that is not empty, got ' '"),
    "missing name": ("name: mine\n", "", r"name: is missing; add it"),
    "unknown kind": (
        "kind: grid",
        "kind: gird",
        r"network\.kind: is 'gird'; use one of grid, arterial, town, cityflow",
    ),
    "missing kind": ("  kind: turns\n", "", r"demand\.kind: is missing; use one of turns, pairs"),
    "wrong type": ("rows: 1", "rows: one", r"network\.rows: input should be a valid integer.*got 'one'"),
    "true for a number": ("rows: 1", "rows: true", r"network\.rows: is true; write a number"),
    "true for a rate": ("entry_vph: 300", "entry_vph: yes", r"demand\.entry_vph: is true; write a number"),
    "true for a share": ("classes: {car: 0.9", "classes: {car: true", r"demand\.classes\.car: is true; write a number"),
    "true in a list": ("from_s: [0, 600]", "from_s: [0, yes]", r"demand\.profile\.from_s\.1: is true; write a number"),
    "wrong union": ("entry_vph: 300", "entry_vph: many", r"demand\.entry_vph: input should be .*got 'many'"),
    "out of range": ("rows: 1", "rows: 0", r"network: need a whole number rows >= 1, got 0"),
    "negative rate": ("entry_vph: 300", "entry_vph: -3", r"demand: need entry_vph >= 0, got -3"),
    "negative horizon": ("horizon_s: 1200", "horizon_s: -1", r"need horizon_s > 0, got -1"),
    "endless horizon": ("horizon_s: 1200", "horizon_s: 99999999999", r"need horizon_s <= 1000000, got 99999999999"),
    "negative seed of a town": (
        "kind: grid\n  rows: 1\n  columns: 2\n  lanes: 2",
        "kind: town\n  seed: -1",
        "need seed >= 0",
    ),
    "negative seed of a demand": ("  kind: turns\n", "  kind: turns\n  seed: -1\n", r"demand: need seed >= 0, got -1"),
    "too many lanes": ("lanes: 2", "lanes: 21", r"network: need lanes <= 20, got 21"),
    "roads too short": (
        "lanes: 2",
        "spacing_x_m: 9",
        r"network: road .* is 9 m long.*; change the lengths, or the lanes",
    ),
    "a million million vehicles": (
        "entry_vph: 300",
        "entry_vph: 1.0e+12",
        r"demand: [\d.]+e\+12 vehicles are too many; at most",
    ),
    "nobody": ("entry_vph: 300", "entry_vph: 0", r"demand: nobody wants to drive"),
    "unknown key of a pair": (
        "kind: turns\n  entry_vph: 300\n  turns: {left: 0.2, straight: 0.5, right: 0.3}",
        "kind: pairs\n  pairs: [{origin: road_0_1_0, destination: road_2_1_0, vehicles: 4, from: 7}]",
        r"demand\.pairs\.0\.from: unknown key; known keys: origin, destination, vehicles",
    ),
    "unknown road": ("entry_vph: 300", "entry_vph: {road_9: 3}", r"demand: network .* has no road 'road_9'"),
    "unknown class": ("car: 0.9", "tram: 0.9", r"no vehicle class is called 'tram'; known: car, bus, emergency"),
    "bad profile": ("factor: [1.0, 0.5]", "factor: [1.0]", r"demand\.profile: need one factor per time"),
    "bad protocol": ("literature-15-5", "literature-5-15", r"protocol: the clearance of 15 s does not fit"),
    "key written twice": ("name: mine\n", "name: mine\nname: other\n", r"line \d column 1: .*key 'name' stands twice"),
    "inner key written twice": ("  lanes: 2\n", "  lanes: 2\n  lanes: 3\n", r"key 'lanes' stands twice"),
    "not yaml": ("lanes: 2", "lanes: [2", r"line 8 column \d+: not valid YAML: "),
    "not a section": ("{left: 0.2, straight: 0.5, right: 0.3}", "7", r"demand\.turns: is 7; write a section"),
}


@pytest.mark.parametrize(("good", "bad", "message"), WRONG.values(), ids=WRONG)
def test_wrong_file_gets_one_line_that_names_file_and_field(write, good, bad, message):
    assert good in YAML
    path = write(YAML.replace(good, bad))
    with pytest.raises(InputError, match=message) as caught:
        load_scenario(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty; write keys and values"),
        ("7", "is 7; write a section"),
        ("- a", r"is \['a'\]; write a section"),
        ("null", "is empty; write keys and values"),
        ("a: &a {b: *a}\n*a : 3", "not valid YAML"),
        ("a: &a [*a]", "a: unknown key; known keys: name, network"),
        ("\x00", "not valid YAML: .*unacceptable character"),
        ("!!python/object:os.system {}", "line 1 column 1: not valid YAML: .*os.system"),
        ("name: !!bool x", "not valid YAML: a value does not fit its !!tag; leave the tag out"),
        ("name: !!timestamp x", "not valid YAML: a value does not fit its !!tag; leave the tag out"),
    ],
)
def test_file_that_is_no_scenario_gets_one_line_that_says_why(write, text, message):
    path = write(text)
    with pytest.raises(InputError, match=message) as caught:
        load_scenario(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_file_in_another_encoding_says_so(tmp_path):
    path = tmp_path / "latin.yaml"
    path.write_bytes("name: Köln".encode("latin-1"))
    with pytest.raises(InputError, match="not valid YAML: byte 7 is no UTF-8; save the file as UTF-8"):
        load_scenario(path)


def test_list_that_unfolds_without_end_is_shown_in_short(write):
    folds = [f"&a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    text = YAML.replace("horizon_s: 1200", f"horizon_s: [&a0 [x, x], {', '.join(folds)}]")
    with pytest.raises(InputError, match="horizon_s: input should be a valid integer"):
        load_scenario(write(text))


def test_section_that_is_merged_in_may_be_overridden(write):
    assert "  lanes: 2\n" in YAML
    merged = YAML.replace("  lanes: 2\n", "  <<: {lanes: 3}\n  lanes: 2\n")
    assert load_scenario(write(merged)).network.n_lanes == load_scenario(write(YAML)).network.n_lanes


@pytest.mark.parametrize("fixed", [True, False])
def test_more_trips_than_a_run_can_have_are_refused(write, tmp_path, fixed):
    flow = small.flows()[0] | {"interval": 0.01}
    scenario = load_scenario(small.write(tmp_path, flow=[flow]) if fixed else write(YAML))
    horizon_s = 30_000 if fixed else 30_000_000
    with pytest.raises(InputError, match=r"vehicles are too many; at most 2000000 fit into a run; shorten the horizon"):
        scenario.trips(0, horizon_s=horizon_s)


def test_unknown_name_is_answered_with_the_nearest(monkeypatch):
    monkeypatch.delenv("INTERGREEN_DATA", raising=False)
    with pytest.raises(InputError, match="grid4x5: no such scenario, file or folder; did you mean 'grid4x4'"):
        load_scenario("grid4x5")


def test_name_that_resembles_nothing_is_answered_with_all_names():
    with pytest.raises(InputError, match="use one of single, arterial6, grid4x4, town, city1024"):
        load_scenario("qqq")


def test_benchmark_name_without_the_variable_says_so(monkeypatch):
    monkeypatch.delenv("INTERGREEN_DATA", raising=False)
    with pytest.raises(
        InputError, match="INTERGREEN_DATA, which is not set; set it to the folder that holds cityflow/"
    ):
        load_scenario("cityflow/hangzhou_4x4")


@pytest.mark.parametrize("missing", ["roadnet.json", "flow.json"])
def test_folder_without_a_file_names_it(tmp_path, missing):
    (small.write(tmp_path) / missing).unlink()
    with pytest.raises(InputError, match=rf"{missing}\b") as caught:
        load_scenario(tmp_path)
    assert str(caught.value).startswith(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_benchmark_networks_are_named_and_run_their_own_demand_for_every_seed(benchmark_data):
    assert "cityflow/hangzhou_4x4" in scenario_names()
    scenario = load_scenario("cityflow/hangzhou_4x4")
    assert scenario.fixed_demand
    assert len(scenario.trips(0)) == 2983
    assert np.array_equal(scenario.trips(0).release_s, scenario.trips(1).release_s)
    assert load_scenario(benchmark_data / "cityflow" / "hangzhou_4x4").name == "hangzhou_4x4"


def test_benchmark_name_with_the_variable_on_the_wrong_folder_names_that_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("INTERGREEN_DATA", str(tmp_path))
    with pytest.raises(InputError, match=f"INTERGREEN_DATA, but there is no '{tmp_path}/cityflow'; set it to"):
        load_scenario("cityflow/hangzhou_4x4")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("roadnet.json", "is half a scenario; name the folder that holds roadnet.json and flow.json"),
        ("flow.json.gz", "is half a scenario"),
        ("my.net.xml", "is a part of a scenario of SUMO's; name the .sumocfg that lists it"),
    ],
)
def test_part_of_a_scenario_says_what_to_name_instead(write, name, words):
    with pytest.raises(InputError, match=words):
        load_scenario(write("{}", name))


@pytest.mark.parametrize(
    "content", ['{"intersections": [], "roads": []}', '{"interval": 1.0, "roadnetFile": "a"}', "[]"]
)
def test_file_of_cityflows_by_another_name_says_what_to_name_instead(write, content):
    with pytest.raises(InputError, match=r"CityFlow's; name the folder that holds roadnet\.json and flow\.json"):
        load_scenario(write(content, "anon_4_4.json"))


def test_scenario_on_the_network_of_another_demand_is_refused(write):
    one, two = (load_scenario(write(YAML.replace("columns: 2", f"columns: {n}"))) for n in (1, 2))
    with pytest.raises(ValueError, match=r"the demand is of another network: it drives on \d+ roads or more, and"):
        replace(two, network=one.network)
    with pytest.raises(ValueError, match=r"of another network: a route goes from road '\w+' to road '\w+', and"):
        replace(one, network=two.network)


@pytest.mark.parametrize("name", ["fixed_demand", "varied", "evenly"])
def test_scenario_takes_true_or_false_and_nothing_like_it(write, name):
    scenario = load_scenario(write(YAML))
    with pytest.raises(ValueError, match=f"need True or False as {name}, got 'no'"):
        replace(scenario, **{name: "no"})


@pytest.mark.parametrize("phases", [0, 1])
def test_folder_without_a_signal_to_control_is_refused(tmp_path, phases):
    roadnet = small.crossroads()
    (signal,) = [one["trafficLight"] for one in roadnet["intersections"] if not one["virtual"]]
    signal["lightphases"] = signal["lightphases"][:phases]
    with pytest.raises(InputError, match=r"roadnet.json: no junction has a signal with two phases or more"):
        load_scenario(small.write(tmp_path, roadnet=roadnet))


def test_file_on_a_network_without_a_signal_to_control_is_refused(tmp_path, write):
    small.write(tmp_path, roadnet=small.unsignalled())
    path = write("name: mine\nnetwork: {kind: cityflow, file: roadnet.json}\ndemand: {kind: turns, entry_vph: 300}\n")
    with pytest.raises(InputError, match=r"roadnet.json: no junction has a signal with two phases or more.*; give"):
        load_scenario(path)
