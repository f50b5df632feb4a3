"""Demand from SUMO's route files: who departs when, on which way, as what."""

import dataclasses
import gzip
import math
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from network import sumo_small as small
from network.sumo_small import Crossroads

from intergreen.envs.demand import Demand, read_sumo_demand, release_trips
from intergreen.envs.demand.sumo import LANE_COPIES, Given, Window
from intergreen.envs.demand.sumo_trips import write_sumo_trips
from intergreen.envs.demand.sumo_types import default_type
from intergreen.envs.demand.sumo_ways import _fastest_ways
from intergreen.envs.errors import InputError
from intergreen.envs.network import GridSpec, RoadNetwork, generate_grid, read_sumo_network
from intergreen.envs.network.xml_file import seconds

SHORT = Window(0, 100)
TRIP = '<trip id="t" depart="3" from="in_S" to="out_N"/>'


@pytest.fixture
def network(tmp_path) -> RoadNetwork:
    path = tmp_path / "small.net.xml"
    path.write_text(Crossroads().xml())
    return read_sumo_network(path)


def load(folder: Path, network: RoadNetwork, *elements: str, window: Window = SHORT, **options) -> Demand:
    path = folder / "small.rou.xml"
    path.write_text(small.routes(*elements))
    return read_sumo_demand([path], network, Given(window, **options))


def releases(network: RoadNetwork, demand: Demand, horizon_s: int = 100) -> list[int]:
    return release_trips(network, demand, horizon_s=horizon_s, seed=0).release_s.tolist()


def ways(network: RoadNetwork, demand: Demand) -> list[list[str]]:
    """The roads of every vehicle, in the order of the file."""
    return [[network.road_ids[road] for road in demand.route(n)] for n in demand.flow_route]


@pytest.mark.parametrize("root", ["add", "tlLogics", "routes"])
def test_files_may_have_any_root_and_tell_of_other_things(tmp_path, network, root):
    other = '<tlLogic id="C" type="static" programID="1" offset="0"><phase duration="9" state="GGGr"/></tlLogic>'
    path = tmp_path / "small.add.xml"
    path.write_text(f"<{root}>{other}{TRIP}</{root}>")
    assert releases(network, read_sumo_demand([path], network, Given(SHORT))) == [3]


def test_a_trip_from_nowhere_to_nowhere_is_dropped_where_that_is_asked_for(tmp_path, network):
    nowhere = '<trip id="taxi" depart="1"/>'
    with pytest.raises(InputError, match="has neither a route nor edges from and to"):
        load(tmp_path, network, nowhere, TRIP)
    demand = load(tmp_path, network, nowhere, TRIP, drop_invalid=True)
    assert (releases(network, demand), demand.dropped_flows) == ([3], 1)


# --- ways --------------------------------------------------------------------------------------------------------

ROUTE = '<route id="r" edges="in_S out_N"/>'
BY_THE_WAY = {
    "a trip": (TRIP,),
    "a vehicle with its route inside": ('<vehicle id="v" depart="3"><route edges="in_S out_N"/></vehicle>',),
    "a named route": ('<route id="r" edges="in_S out_N"/>', '<vehicle id="v" depart="3" route="r"/>'),
    "a flow of one": ('<flow id="f" begin="3" end="4" number="1" from="in_S" to="out_N"/>',),
    "a flow on one": ('<route id="r" edges="in_S out_N"/>', '<flow id="f" begin="3" end="4" period="9" route="r"/>'),
    "a distribution inside a vehicle": (
        '<vehicle id="v" depart="3"><routeDistribution last="0"><route probability="1" edges="in_S out_N"/>'
        '<route probability="0" edges="in_W out_E"/></routeDistribution></vehicle>',
    ),
    "a distribution inside a flow": (
        '<flow id="f" begin="3" end="4" number="1"><routeDistribution><route edges="in_S out_N"/></routeDistribution>'
        "</flow>",
    ),
    "a route of a distribution": (
        '<routeDistribution id="d"><route id="r" edges="in_S out_N" probability="1"/></routeDistribution>',
        '<vehicle id="v" depart="3" route="d"/>',
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BY_THE_WAY)
def test_every_way_to_write_a_vehicle_gives_the_same_one(tmp_path, network, name):
    demand = load(tmp_path, network, *BY_THE_WAY[name])
    assert ways(network, demand) == [["in_S", "out_N"]]
    assert releases(network, demand) == [3]


def test_a_trip_from_an_edge_to_itself_drives_along_it(tmp_path, network):
    demand = load(tmp_path, network, '<trip id="t" depart="3" from="in_S" to="in_S"/>')
    assert ways(network, demand) == [["in_S"]]
    assert release_trips(network, demand, horizon_s=9, seed=0).start_lane.tolist() == [
        network.road_lane_start[network.road_ids.index("in_S")]
    ]


def test_vehicles_of_one_route_take_its_copies_in_turn(tmp_path, network):
    demand = load(tmp_path, network, *(TRIP.replace('"t"', f'"t{k}"') for k in range(6)))
    assert demand.flow_route.tolist() == [0, 1, 2, 3, 0, 1]
    assert demand.n_routes == LANE_COPIES


def test_the_fastest_way_is_taken_not_the_shortest(tmp_path):
    """Two ways round a block: 200 m at 5 m/s, or 300 m at 20 m/s."""
    edges = {"a": ("0", "1", 50, 10), "slow": ("1", "2", 200, 5), "fast": ("1", "2", 300, 20), "z": ("2", "3", 50, 10)}
    parts = [
        f'<edge id="{name}" from="{start}" to="{end}"><lane id="{name}_0" index="0" speed="{speed}" length="{length}"'
        f' shape="0,0 {length},0"/></edge>'
        for name, (start, end, length, speed) in edges.items()
    ]
    parts += [f'<junction id="{n}" x="{n}" y="0"/>' for n in range(4)]
    pairs = (("a", "slow"), ("a", "fast"), ("slow", "z"), ("fast", "z"))
    parts += [f'<connection from="{a}" to="{b}" fromLane="0" toLane="0" state="M"/>' for a, b in pairs]
    path = tmp_path / "ways.net.xml"
    path.write_text(f"<net>{''.join(parts)}</net>")
    network = read_sumo_network(path)
    demand = load(tmp_path, network, '<trip id="t" depart="3" from="a" to="z"/>')
    assert ways(network, demand) == [["a", "fast", "z"]]


# --- from zone to zone, from junction to junction --------------------------------------------------------------------

ZONES = (
    '<taz id="south" edges="in_S"/><taz id="any"><tazSource id="in_N"/><tazSink id="out_E"/><tazSink id="out_N"/></taz>'
)


def with_zones(folder: Path, network: RoadNetwork, trip: str) -> Demand:
    """The network's file is beside, to be asked for its junctions."""
    path = folder / "zones.rou.xml"
    path.write_text(small.routes(ZONES, trip))
    return read_sumo_demand([path], network, Given(SHORT), net_file=folder / "small.net.xml")


@pytest.mark.parametrize("end", ["from", "to"])
def test_a_trip_that_names_one_edge_stays_on_it(tmp_path, network, end):
    flow = f'<flow id="f" begin="0" end="20" number="2" {end}="in_S"/>'
    assert ways(network, load(tmp_path, network, f'<trip id="t" depart="3" {end}="in_S"/>', flow)) == [["in_S"]] * 3


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ('fromTaz="south" toTaz="any"', ["in_S", "out_N"]),
        ('fromTAZ="any" toTAZ="any"', ["in_N", "out_E"]),
        ('from="in_W" toTaz="any"', ["in_W", "out_E"]),
        ('from="in_S" to="out_N" fromTaz="any" toTaz="any"', ["in_S", "out_N"]),  # od2trips: the edge is chosen already
        ('fromJunction="S" toJunction="N"', ["in_S", "out_N"]),
        ('from="in_W" toJunction="E"', ["in_W", "out_E"]),
        ('fromJunction="N" to="out_E" viaJunctions="C"', ["in_N", "out_E"]),
    ],
)
def test_trips_lead_from_zone_to_zone_and_from_junction_to_junction(tmp_path, network, ends, expected):
    assert ways(network, with_zones(tmp_path, network, f'<trip id="t" depart="3" {ends}/>')) == [expected]


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        ('fromTaz="gone" toTaz="any"', "fromTaz: 'gone' is not there; name a <taz>"),
        ('fromJunction="gone" to="out_E"', "fromJunction: 'gone' is not there; name a junction"),
        ('fromTaz="south" to="out_E"', "no way for cars leads along"),
    ],
)
def test_places_that_are_not_there_or_not_connected_are_refused(tmp_path, network, ends, words):
    with pytest.raises(InputError, match=re.escape(words)):
        with_zones(tmp_path, network, f'<trip id="t" depart="3" {ends}/>')


# --- times -------------------------------------------------------------------------------------------------------


def test_the_window_begins_at_second_0(tmp_path, network):
    elements = [TRIP.replace('"t"', f'"t{t}"').replace('"3"', f'"{t}"') for t in (99, 100, 100.2, 130, 160)]
    demand = load(tmp_path, network, *elements, window=Window(100, 160))
    assert releases(network, demand) == [0, 1, 30]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("90", 90.0), ("90.5", 90.5), ("00:01:30", 90.0), ("1:00:01:30", 86_490.0), ("2:00:00.5", 7200.5)],
)
def test_times_are_read_as_sumo_writes_them(text, expected):
    assert seconds(text) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ('begin="0" end="40" number="4"', [0, 10, 20, 30]),
        ('begin="5" end="40" period="10"', [5, 15, 25, 35]),
        ('begin="5" end="40" vehsPerHour="360"', [5, 15, 25, 35]),
        ('begin="5" period="10" number="2"', [5, 15]),
        ('begin="0:00:05" period="00:00:10" number="2"', [5, 15]),
        ('begin="90" vehsPerHour="720"', [90, 95]),
        ('begin="0" end="54" vehsPerHour="500"', [0, 8, 15, 22, 29, 36, 44, 51]),  # as SUMO 1.28 does: none at 54
        ('begin="98" probability="1"', [98, 99]),
        ('begin="50" end="50" number="3"', [50, 50, 50]),
        ('begin="0" end="20" number="7"', [0, 3, 6, 9, 12, 15, 18]),
        ('begin="60" number="4"', [60, 70, 80, 90]),
        ('number="4"', [0, 25, 50, 75]),
    ],
)
def test_flows_depart_as_often_as_they_say(tmp_path, network, given, expected):
    demand = load(tmp_path, network, f'<flow id="f" {given} from="in_S" to="out_N"/>')
    assert releases(network, demand) == expected


def test_flow_that_does_not_say_when_it_begins_and_ends_does_so_with_the_run(tmp_path, network):
    flows = (
        '<flow id="a" number="4" {}/>',
        '<flow id="b" number="2" end="200" {}/>',
        '<flow id="c" begin="400" number="2" {}/>',
    )
    ways = 'from="in_S" to="out_N"'
    demand = load(tmp_path, network, *(flow.format(ways) for flow in flows), window=Window(100, 300))
    assert releases(network, demand, horizon_s=200) == [0, 0, 50, 50, 100, 150]


def test_flows_of_an_interval_begin_and_end_with_it_unless_they_say_otherwise(tmp_path, network):
    flows = (
        '<flow id="a" period="10" from="in_S" to="out_N"/>',
        '<flow id="b" begin="12" number="1" from="in_S" to="out_N"/>',
    )
    demand = load(tmp_path, network, f'<interval begin="5" end="30">{"".join(flows)}</interval>')
    assert releases(network, demand) == [5, 12, 15, 25]


@pytest.mark.parametrize("given", ['probability="0.25"', 'period="exp(0.25)"'])
def test_random_flows_have_about_their_number_and_are_the_same_every_time(tmp_path, network, given):
    flow = f'<flow id="f" begin="0" end="4000" {given} from="in_S" to="out_N"/>'
    first, second = (load(tmp_path, network, flow, window=Window(0, 4000)) for _ in range(2))
    assert np.array_equal(first.flow_start_s, second.flow_start_s)
    assert abs(first.n_flows - 1000) < 4 * np.sqrt(1000)  # four standard deviations of a Poisson number


def test_who_departs_at_the_beginning_does_and_who_waits_for_somebody_is_left_out(tmp_path, network):
    words = ("begin", "triggered", "containerTriggered", "split")
    elements = [TRIP.replace('"t"', f'"{word}"').replace('"3"', f'"{word}"') for word in words]
    demand = load(tmp_path, network, *elements, TRIP, window=Window(2, 100))
    assert (releases(network, demand), demand.dropped_flows) == ([0, 1], 3)


def test_a_flow_that_waits_for_somebody_is_left_out(tmp_path, network):
    flow = '<flow id="f" begin="triggered" number="3" from="in_S" to="out_N"/>'
    demand = load(tmp_path, network, flow, '<trip id="a" depart="0" from="in_S" to="out_N"/>')
    assert (releases(network, demand), demand.dropped_flows) == ([0], 1)


@pytest.mark.parametrize(("scale", "of_type", "expected"), [(0.5, 1, 20), (1, 2, 80), (0.3, 1, 12), (1.7, 1.5, 102)])
def test_demand_is_scaled_as_in_sumo(tmp_path, network, scale, of_type, expected):
    """SUMO 1.28: the factors of the run and of the type are multiplied, and vehicles spread evenly."""
    kind, flow = (
        f'<vType id="k" scale="{of_type}"/>',
        '<flow id="f" type="k" period="2" end="80" from="in_S" to="out_N"/>',
    )
    demand = load(tmp_path, network, kind, flow, scale=scale)
    assert demand.n_flows == expected
    halves = np.bincount(demand.flow_start_s.astype(int) // 40, minlength=2)
    assert abs(halves[0] - halves[1]) <= 2
    assert "scale" not in dict(demand.types[0].sumo_attributes)  # they are all there: SUMO must not scale again


# --- types -------------------------------------------------------------------------------------------------------


def test_a_type_keeps_its_numbers(tmp_path, network):
    kind = '<vType id="k" length="4.3" minGap="1.5" accel="2.9" decel="7.5" tau="1.3" maxSpeed="8"/>'
    (type_,) = load(tmp_path, network, kind, TRIP.replace("from", 'type="k" from')).types
    assert (type_.length_m, type_.min_gap_m, type_.max_speed_mps) == (4.3, 1.5, 8.0)
    assert (type_.follows_krauss, type_.headway_s) == (True, 1.3)
    assert type_.dawdle_mps == pytest.approx(0.5 * 2.9)  # SUMO's default sigma
    assert (type_.max_accel_mps2, type_.usual_accel_mps2) == (2.9, 2.9)
    assert (type_.max_decel_mps2, type_.usual_decel_mps2) == (7.5, 7.5)


def test_nobody_is_faster_than_the_fastest_road_and_the_fastest_driver_allow(tmp_path, network):
    kinds = ['<vType id="k" speedFactor="normc(1.2,0.1,0.2,2)"/>', TRIP.replace("from", 'type="k" from')]
    assert load(tmp_path, network, *kinds).types[0].max_speed_mps == pytest.approx(1.5 * small.SPEED)
    assert load(tmp_path, network, TRIP).types == (default_type(small.SPEED),)


@pytest.mark.parametrize(
    ("attributes", "factor", "deviation"),
    [
        ("", 1.0, 0.1),
        ('vClass="bus"', 1.0, 0.0),
        ('vClass="truck"', 1.0, 0.05),
        ('speedFactor="1.1"', 1.1, 0.1),
        ('speedFactor="1.1" speedDev="0"', 1.1, 0.0),
        ('speedFactor="norm(1.1)"', 1.1, 0.0),
        ('speedFactor="norm(1.1, 0.2)"', 1.1, 0.2),
        ('speedFactor="normc(1.2,0.15,0.2,2)"', 1.2, 0.15),
        ('speedDev="0.3"', 1.0, 0.3),
    ],
)
def test_drivers_take_limits_as_sumos_types_do(tmp_path, network, attributes, factor, deviation):
    """As libsumo 1.28 tells of the same types."""
    kind = f'<vType id="k" {attributes}/>'
    (type_,) = load(tmp_path, network, kind, TRIP.replace("from", 'type="k" from')).types
    assert (type_.speed_factor, type_.speed_deviation) == pytest.approx((factor, deviation), abs=1e-4)


@pytest.mark.parametrize(("low", "high"), [(0.5, 1.3), (0.95, 1.25), (1.21, 9.0), (1.1, np.inf)])
def test_narrow_bounds_of_a_speed_factor_leave_their_mean_and_deviation(tmp_path, network, low, high):
    bounds = f"{low},{high}" if high < np.inf else f"{low}"
    kind = f'<vType id="k" speedFactor="normc(1.2,0.15,{bounds})"/>'
    (type_,) = load(tmp_path, network, kind, TRIP.replace("from", 'type="k" from')).types
    drawn = np.random.default_rng(0).normal(1.2, 0.15, 400_000)
    kept = drawn[(drawn >= low) & (drawn <= high)]
    assert (type_.speed_factor, type_.speed_deviation) == pytest.approx((kept.mean(), kept.std()), abs=1e-3)


@pytest.mark.parametrize(
    "tag", [TRIP, TRIP.replace("<trip", "<flow").replace('depart="3"', 'begin="0" end="9" number="2"')]
)
def test_a_vehicle_has_the_pace_that_it_says(tmp_path, network, tag):
    """Its `speedFactor` stands for the type's, without a deviation; SUMO is told the same."""
    kind = '<vType id="k" tau="1.2" speedFactor="norm(1.1, 0.2)" maxSpeed="30"/>'
    slow = tag.replace("from", 'type="k" speedFactor="0.5" from')
    (type_,) = load(tmp_path, network, kind, slow).types
    assert (type_.speed_factor, type_.speed_deviation, type_.headway_s) == (0.5, 0.0, 1.2)
    assert type_.max_speed_mps == min(30.0, 0.5 * small.SPEED)
    told = dict(type_.sumo_attributes)
    assert (told["speedFactor"], told["speedDev"], told["tau"]) == ("0.5", "0", "1.2")


def test_vehicles_of_one_pace_share_a_type(tmp_path, network):
    rows = [TRIP.replace('id="t"', f'id="{k}" speedFactor="{f}"') for k, f in enumerate((0.5, 0.7, 0.5))]
    assert [one.speed_factor for one in load(tmp_path, network, *rows).types] == [0.5, 0.7]


def test_a_driver_may_be_inside_its_type(tmp_path, network):
    """As files had it before SUMO 1.0; an attribute of the type itself counts more."""
    kind = '<vType id="k" sigma="0.2"><carFollowing-IDM tau="1.5" sigma="0.9"/></vType>'
    (read,) = load(tmp_path, network, kind, '<trip id="a" type="k" depart="0" from="in_S" to="out_N"/>').types
    assert (read.headway_s, read.follows_krauss) == (1.5, False)
    assert dict(read.sumo_attributes) == {"carFollowModel": "IDM", "tau": "1.5", "sigma": "0.2"}


def test_a_bus_is_long_and_carries_many(tmp_path, network):
    (bus,) = load(tmp_path, network, '<vType id="k" vClass="bus"/>', TRIP.replace("from", 'type="k" from')).types
    assert (bus.name, bus.length_m, bus.occupancy) == ("bus", 12.0, 30.0)


def test_types_that_are_alike_are_one(tmp_path, network):
    kinds = [f'<vType id="k{k}" color="red"/>' for k in range(3)]
    trips = [TRIP.replace("from", f'type="k{k}" from').replace('"t"', f'"t{k}"') for k in range(3)]
    assert len(load(tmp_path, network, *kinds, *trips).types) == 1


def test_who_does_not_drive_on_roads_is_left_out_and_counted(tmp_path, network):
    tram = ['<vType id="k" vClass="tram"/>', '<trip id="x" type="k" depart="1" from="in_S" to="out_N"/>']
    demand = load(tmp_path, network, *tram, TRIP, '<person id="p" depart="0"><walk edges="in_S"/></person>')
    assert (demand.n_flows, demand.dropped_flows) == (1, 1)


def test_sumos_own_types_need_no_definition(tmp_path, network):
    trips = [
        f'<trip id="{name}" type="DEFAULT_{name}TYPE" depart="0" from="in_S" to="out_N"/>'
        for name in ("VEH", "TAXI", "BIKE", "RAIL")
    ]
    demand = load(tmp_path, network, *trips)
    assert [kind.name for kind in demand.types] == ["car", "taxi"]
    assert demand.dropped_flows == 2


def test_a_distribution_of_types_is_drawn_by_its_shares(tmp_path, network):
    kinds = (
        '<vTypeDistribution id="mix"><vType id="a" length="4" probability="3"/>'
        '<vType id="b" length="9" probability="1"/></vTypeDistribution>'
    )
    flow = '<flow id="f" type="mix" begin="0" end="4000" period="1" from="in_S" to="out_N"/>'
    demand = load(tmp_path, network, kinds, flow, window=Window(0, 4000))
    length_m = np.array([kind.length_m for kind in demand.types])[demand.flow_type]
    assert abs((length_m == 9).sum() - 1000) < 4 * np.sqrt(750)  # four standard deviations of a binomial number


def test_number_of_a_flow_is_spread_over_all_its_time(tmp_path, network):
    """The gap is no whole number of milliseconds: with a rounded one the last vehicle would be late."""
    flow = '<flow id="f" begin="0" end="3600" number="3601" from="in_S" to="out_N"/>'
    seconds = releases(network, load(tmp_path, network, flow, window=Window(0, 3600)), 3600)
    assert (len(seconds), seconds[0], seconds[-1]) == (3601, 0, 3599)


def shares_of(folder: Path, network: RoadNetwork, *kinds: str) -> float:
    """How many of 2000 vehicles of the type `d` are 9 m long."""
    flow = '<flow id="f" type="d" begin="0" end="2000" period="1" from="in_S" to="out_N"/>'
    demand = load(folder, network, *kinds, flow, window=Window(0, 2000))
    return float((np.array([kind.length_m for kind in demand.types])[demand.flow_type] == 9).mean())


@pytest.mark.parametrize(
    "distribution",
    [
        '<vTypeDistribution id="d"><vType refId="a" probability="0.75"/><vType refId="b" probability="0.25"/>'
        "</vTypeDistribution>",
        '<vTypeDistribution id="d" vTypes="a b" probabilities="3 1"/>',
        '<vTypeDistribution id="d" vTypes="a b"/>',
        '<vTypeDistribution id="d" vTypes="a b" probabilities="6"/>',  # and b as likely as its type says
        '<vTypeDistribution id="e" vTypes="a b"/><vTypeDistribution id="d" vTypes="e"/>',
    ],
)
def test_distributions_of_types_that_stand_elsewhere(tmp_path, network, distribution):
    kinds = ['<vType id="a" length="4" probability="6"/>', '<vType id="b" length="9" probability="2"/>']
    assert shares_of(tmp_path, network, *kinds, distribution) == pytest.approx(0.25, abs=4 * np.sqrt(0.1875 / 2000))


def test_distribution_of_itself_is_refused(tmp_path, network):
    with pytest.raises(InputError, match="'d' is not there; name a <vType>"):
        shares_of(tmp_path, network, '<vTypeDistribution id="d" vTypes="d"/>')


def test_routes_are_as_likely_as_they_say_themselves(tmp_path, network):
    ways = [
        '<route id="s" edges="in_S out_N" probability="3"/>',
        '<route id="w" edges="in_W out_E" probability="1"/>',
        '<routeDistribution id="d" routes="s w"/>',
    ]
    flow = '<flow id="f" route="d" begin="0" end="2000" period="1"/>'
    demand = load(tmp_path, network, *ways, flow, window=Window(0, 2000))
    west = network.road_ids.index("in_W")
    from_west = np.mean([demand.route(n)[0] == west for n in demand.flow_route])
    assert from_west == pytest.approx(0.25, abs=4 * np.sqrt(0.1875 / 2000))


def test_trip_over_places_alone_ends_at_the_last(tmp_path, network):
    demand = load(tmp_path, network, '<trip id="t" depart="3" from="in_S" via="out_N"/>')
    assert ways(network, demand) == [["in_S", "out_N"]]


def test_edge_that_is_closed_to_a_class_is_none_of_its_ways(tmp_path):
    path = tmp_path / "small.net.xml"
    path.write_text(Crossroads(lane_extra={"out_E": 'disallow="truck"'}).xml())
    network = read_sumo_network(path)
    lorries = ['<vType id="l" vClass="truck"/>', '<route id="r" edges="in_W out_E"/>']
    for vehicle in ('route="r"', 'from="in_W" to="out_E"'):
        demand = tmp_path / "small.rou.xml"
        demand.write_text(small.routes(*lorries, f'<flow id="f" type="l" {vehicle} begin="0" period="9"/>', TRIP))
        with pytest.raises(InputError, match="the edge 'out_E' is closed to truck; mend the route, or pass --drop"):
            read_sumo_demand([demand], network, Given(SHORT), net_file=path)
        kept = read_sumo_demand([demand], network, Given(SHORT, drop_invalid=True), net_file=path)
        assert (kept.n_flows, kept.dropped_flows) == (1, 12)


def test_fastest_way_is_that_of_who_drives():
    """Round a block: the way over the corner is twice as long and three times as fast, but not for a tractor."""
    network = generate_grid(GridSpec(rows=2, columns=2, spacing_x_m=500.0, spacing_y_m=500.0))
    names = {name: road for road, name in enumerate(network.road_ids)}
    direct = [names["road_0_1_0"], names["road_1_1_0"], names["road_2_1_0"]]
    around = [names["road_0_1_0"], names["road_1_1_1"], names["road_1_2_0"], names["road_2_2_3"], names["road_2_1_0"]]
    limit_mps = np.where(np.isin(network.lane_road, around), 30.0, 5.0)
    network = dataclasses.replace(
        network, lane_speed_limit_mps=limit_mps, link_speed_limit_mps=np.full(network.n_links, 30.0)
    )
    places = [[direct[0]], [direct[-1]]]
    assert list(_fastest_ways(network, 30.0, []).through(places)) == around
    assert list(_fastest_ways(network, 5.0, []).through(places)) == direct
    assert list(_fastest_ways(network, 5.0, [direct[1]]).through(places)) == around


def test_drivers_whose_type_says_nothing_of_it_differ_as_the_configuration_says(tmp_path, network):
    kinds = ['<vType id="k" speedDev="0.3"/>', '<vType id="l" length="4"/>', '<vType id="m" speedFactor="1.2"/>']
    kinds += ['<vType id="n" speedFactor="normc(1.2,0.1,0.2,2)"/>']
    trips = [TRIP.replace("from", f'type="{k}" from').replace('"t"', f'"{k}"') for k in "klmn"]
    types = load(tmp_path, network, *kinds, *trips, TRIP, speed_deviation=0.0).types
    assert [kind.speed_deviation for kind in types] == pytest.approx([0.3, 0.0, 0.0, 0.1, 0.0])
    stated = [dict(kind.sumo_attributes).get("speedDev") for kind in types]
    assert stated == ["0.3", "0", "0", None, "0"]


# --- files -------------------------------------------------------------------------------------------------------


def test_several_files_are_read_in_order_and_gzipped_ones_too(tmp_path, network):
    types, trips = tmp_path / "types.add.xml", tmp_path / "trips.rou.xml.gz"
    types.write_text('<additional><vType id="k" length="7"/></additional>')
    trips.write_bytes(gzip.compress(small.routes(TRIP.replace("from", 'type="k" from')).encode()))
    demand = read_sumo_demand([types, trips], network, Given(Window(0, 100)))
    assert [kind.length_m for kind in demand.types] == [7.0]


# --- what is refused ---------------------------------------------------------------------------------------------

BROKEN = {
    "an edge that is not there": ('<trip id="t" depart="0" from="in_S" to="nowhere"/>', "'nowhere' is not there"),
    "no way": ('<trip id="t" depart="0" from="out_N" to="in_S"/>', "no way for cars leads along"),
    "edges that do not connect": (
        '<vehicle id="v" depart="0"><route edges="in_S out_S"/></vehicle>',
        "no connection for cars leads from 'in_S' to 'out_S'",
    ),
    "a route of no edge": ('<route id="r" edges=""/>', "has no edge"),
    "a route that is not there": ('<vehicle id="v" depart="0" route="r"/>', "'r' is not there"),
    "a type that is not there": (TRIP.replace("from", 'type="k" from'), "'k' is not there"),
    "from a point": ('<trip id="t" depart="0" fromXY="1,2" toXY="3,4"/>', "which are not read; let SUMO's duarouter"),
    "a model that SUMO does not have": (
        '<vType id="k" carFollowModel="krauss"/>',
        "'krauss', no model of SUMO's; did you mean 'Krauss'",
    ),
    "no way at all": ('<trip id="t" depart="0"/>', "neither a route nor edges"),
    "no departure": ('<trip id="t" from="in_S" to="out_N"/>', "depart: is missing"),
    "a departure by words": (TRIP.replace('"3"', '"noon"'), "use seconds"),
    "a flow of nobody knows how many": ('<flow id="f" begin="0" end="9" from="in_S" to="out_N"/>', "how many vehicles"),
    "a flow that ends first": ('<flow id="f" begin="9" end="1" number="1" from="in_S" to="out_N"/>', "before it"),
    "a flow without pause": ('<flow id="f" period="1e-9" from="in_S" to="out_N"/>', "use at least 0.001 s"),
    "a probability of nought": ('<flow id="f" probability="0" from="in_S" to="out_N"/>', "use a number > 0"),
    "a length of nought": ('<vType id="k" length="0"/>', "use a number > 0"),
    "a length of a hair": ('<vType id="k" length="0.01"/>', "use at least 0.5 m"),
    "a factor of words": ('<vType id="k" speedFactor="fast"/>', "use a number, or norm"),
    "a class that is none": ('<vType id="k" vClass="pasenger"/>', "no class of SUMO's; did you mean 'passenger'"),
    "an empty distribution": ('<vTypeDistribution id="d"/>', "has no member"),
    "nobody in the window": (TRIP.replace('"3"', '"500"'), "no vehicle departs from 0 s to 100 s"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_broken_demand_is_refused_in_one_line(tmp_path, network, name):
    element, words = BROKEN[name]
    with pytest.raises(InputError) as caught:
        load(tmp_path, network, element)
    assert words in str(caught.value)
    assert str(caught.value).isprintable()


BUSES = '<vType id="bus" vClass="bus"/><vehicle id="b" {} depart="0"><route edges="{}"/></vehicle>'


@pytest.fixture
def with_busway(tmp_path) -> RoadNetwork:
    path = tmp_path / "small.net.xml"
    path.write_text(Crossroads(lane_extra={"out_E": 'allow="bus"'}).xml())
    return read_sumo_network(path)


def buses(folder: Path, network: RoadNetwork, kind: str, edges: str) -> Demand:
    path = folder / "buses.rou.xml"
    path.write_text(small.routes(BUSES.format(kind, edges), TRIP))
    return read_sumo_demand([path], network, Given(SHORT), net_file=folder / "small.net.xml")


def test_a_bus_on_a_road_that_is_not_for_cars_is_left_out_and_counted(tmp_path, with_busway):
    demand = buses(tmp_path, with_busway, 'type="bus"', "in_W out_E")
    assert (demand.n_flows, demand.dropped_flows) == (1, 1)


def test_a_car_on_such_a_road_and_a_bus_on_one_that_is_not_there_are_refused(tmp_path, with_busway):
    with pytest.raises(InputError, match="the edge 'out_E' is not for cars"):
        buses(tmp_path, with_busway, "", "in_W out_E")
    with pytest.raises(InputError, match="the edge 'gone' is not there"):
        buses(tmp_path, with_busway, 'type="bus"', "in_W gone")


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ('departEdge="1"', ["out_N"]),
        ('arrivalEdge="0"', ["in_S"]),
        ('departEdge="0" arrivalEdge="1"', ["in_S", "out_N"]),
    ],
)
def test_a_vehicle_may_drive_a_part_of_its_route(tmp_path, network, part, expected):
    demand = load(tmp_path, network, ROUTE, f'<vehicle id="a" depart="0" route="r" {part}/>')
    assert ways(network, demand) == [expected]


@pytest.mark.parametrize(
    ("connectors", "expected"),
    [("e0", ["e1", "e2", "e3"]), ("e3", ["e0", "e1", "e2"]), ("e1", ["e0", "e1", "e2", "e3"]), ("e0 e1 e3", ["e2"])],
)
def test_a_trip_begins_behind_connectors_and_ends_before_them(tmp_path, connectors, expected):
    links = "".join(f'<connection from="e{k}" to="e{k + 1}" fromLane="0" toLane="0"/>' for k in range(3))
    xml = small.street([1, 1, 1, 1], [50, 50, 50, 50], links)
    for name in connectors.split():
        xml = xml.replace(f'<edge id="{name}"', f'<edge id="{name}" function="connector"')
    (tmp_path / "street.net.xml").write_text(xml)
    network = read_sumo_network(tmp_path / "street.net.xml")
    demand = load(tmp_path, network, '<vehicle id="v" depart="0"><route edges="e0 e1 e2 e3"/></vehicle>')
    assert ways(network, demand) == [expected]


def test_a_part_that_is_none_of_the_route_is_refused(tmp_path, network):
    with pytest.raises(InputError, match="<vehicle id='a'> departEdge: leaves nothing of the route"):
        load(tmp_path, network, ROUTE, '<vehicle id="a" depart="0" route="r" departEdge="2"/>')


def test_a_route_that_is_repeated_is_driven_so_often(tmp_path, network):
    with pytest.raises(InputError, match="leads from 'out_N' to 'in_S'"):
        load(tmp_path, network, '<vehicle id="v" depart="0"><route edges="in_S out_N" repeat="1"/></vehicle>')


def test_too_many_vehicles_are_refused(tmp_path, network, monkeypatch):
    monkeypatch.setattr("intergreen.envs.demand.sumo.MOST_VEHICLES", 10)
    with pytest.raises(InputError, match="one vehicle more than the 10 of a run"):
        load(tmp_path, network, *(TRIP.replace('"t"', f'"t{k}"') for k in range(11)))


def test_broken_routes_are_left_out_and_counted_on_request(tmp_path, network):
    broken = ['<trip id="x" depart="0" from="in_S" to="nowhere"/>', '<trip id="y" depart="0" from="out_N" to="in_S"/>']
    demand = load(tmp_path, network, *broken, TRIP, drop_invalid=True)
    assert (demand.n_flows, demand.dropped_flows) == (1, 2)


@pytest.mark.parametrize(
    ("given", "usual_mps", "expected"),
    [
        ("", 0.0, 0.0),
        ("", math.inf, math.inf),
        ('departSpeed="0"', math.inf, 0.0),
        ('departSpeed="7.5"', 0.0, 7.5),
        *(
            (f'departSpeed="{word}"', 0.0, math.inf)
            for word in ("max", "desired", "speedLimit", "avg", "last", "random")
        ),
    ],
)
def test_speed_of_departure_is_the_vehicles_or_the_configurations(tmp_path, network, given, usual_mps, expected):
    demand = load(tmp_path, network, TRIP.replace("from", f"{given} from"), depart_speed_mps=usual_mps)
    (kind,) = demand.types
    assert kind.depart_speed_mps == expected
    (told,) = written(tmp_path, network, demand)
    assert told == ("max" if expected == math.inf else f"{expected:g}")


@pytest.mark.parametrize("given", ["-1", "fast", "nan"])
def test_speed_of_departure_that_is_none_is_refused(tmp_path, network, given):
    with pytest.raises(InputError, match="departSpeed"):
        load(tmp_path, network, TRIP.replace("from", f'departSpeed="{given}" from'))


def written(folder: Path, network: RoadNetwork, demand: Demand) -> list[str]:
    """The `departSpeed` of every vehicle of the file that is written for SUMO."""
    trips = release_trips(network, demand, horizon_s=100, seed=0)
    write_sumo_trips(folder / "written.xml", demand, trips, network.road_ids, network.road_length_m)
    return [vehicle.get("departSpeed") for vehicle in ElementTree.parse(folder / "written.xml").iter("vehicle")]


@pytest.mark.parametrize(
    ("attributes", "top_mps"),
    [
        ('desiredMaxSpeed="5"', 5.0),
        ('desiredMaxSpeed="5" speedFactor="1.2" speedDev="0"', 6.0),
        ('maxSpeed="4" desiredMaxSpeed="5"', 4.0),
    ],
)
def test_speed_that_drivers_wish_for_is_their_highest(tmp_path, network, attributes, top_mps):
    demand = load(tmp_path, network, f'<vType id="k" {attributes}/>', TRIP.replace("from", 'type="k" from'))
    assert demand.types[int(demand.flow_type[0])].max_speed_mps == pytest.approx(top_mps)
