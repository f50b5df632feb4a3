"""How the engine drives on networks from SUMO: right of way by the file, eyes beyond the next junction, lanes ahead."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from network import sumo_small as small
from network.sumo_small import REQUESTS, Crossroads

from intergreen.envs.demand import read_sumo_demand, release_trips
from intergreen.envs.demand.lanes import best_first_lanes, lane_costs
from intergreen.envs.demand.sumo import Given, Window
from intergreen.envs.network import RoadNetwork, read_sumo_network
from intergreen.envs.simulation import Engine
from intergreen.envs.simulation.alone import drive_alone
from intergreen.envs.simulation.routes import build_route_table

SOUTH, LEFT, WEST = ("in_S", "out_N"), ("in_N", "out_E"), ("in_W", "out_E")


def network_of(folder: Path, xml: str) -> RoadNetwork:
    path = folder / "small.net.xml"
    path.write_text(xml)
    return read_sumo_network(path)


def engine_of(
    folder: Path, network: RoadNetwork, *trips: tuple[tuple[str, str], int], dawdling: float = 0.0, tau_s: float = 1.0
) -> Engine:
    """Cars from road to road, each with the second of its departure; everything green."""
    path = folder / "small.rou.xml"
    rows = [
        f'<trip id="{k}" type="k" depart="{second}" from="{a}" to="{b}"/>' for k, ((a, b), second) in enumerate(trips)
    ]
    path.write_text(small.routes(f'<vType id="k" sigma="{dawdling}" tau="{tau_s}" speedDev="0"/>', *rows))
    demand = read_sumo_demand([path], network, Given(Window(0, 600)))
    engine = Engine(network, demand)
    engine.reset([release_trips(network, demand, horizon_s=600, seed=0)], [0])
    engine.green[:] = 1
    return engine


def arrivals(engine: Engine, seconds: int = 120) -> list[int]:
    """Seconds at whose end cars have arrived, ascending; the engine counts the seconds before."""
    times: list[int] = []
    for second in range(1, seconds + 1):
        engine.advance(1)
        times += [second] * (int(engine.totals().finished[0]) - len(times))
    return times


# --- red ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dawdling", [0.0, 0.9])
@pytest.mark.parametrize("tau_s", [0.1, 0.5, 0.8, 1.0, 3.0])
def test_whatever_their_tau_drivers_stand_at_a_red_that_they_saw_in_time(tmp_path, tau_s, dawdling):
    """`MSCFModel_Krauss::stopSpeed` has a step for the headway there; with theirs, those below 0.9 s drove on."""
    network = network_of(tmp_path, Crossroads().xml())
    engine = engine_of(tmp_path, network, *[(SOUTH, 4 * k) for k in range(8)], dawdling=dawdling, tau_s=tau_s)
    engine.green[:] = 0
    engine.advance(120)
    assert (engine.totals().red_entries[0], engine.totals().overlaps[0], engine.totals().finished[0]) == (0, 0, 0)
    seen = engine.positions()
    assert len(seen.trip) == 8
    lane = int(seen.drivable[0])
    assert network.lane_length_m[lane] - seen.distance.max() < 2.0


# --- right of way ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("minor", [LEFT, WEST], ids=["left turn", "side road"])
def test_who_gives_way_waits_and_the_other_does_not(tmp_path, minor):
    network = network_of(tmp_path, Crossroads(signal="").xml())
    (alone,) = arrivals(engine_of(tmp_path, network, (SOUTH, 0)))
    (minor_alone,) = arrivals(engine_of(tmp_path, network, (minor, 0)))
    first, second = arrivals(engine_of(tmp_path, network, (SOUTH, 0), (minor, 0)))
    assert first == alone
    assert second > minor_alone


def test_a_stream_with_the_right_of_way_goes_before_who_came_earlier(tmp_path):
    """The side road's car stands at the line until the last of eight has passed, three seconds apart."""
    network = network_of(tmp_path, Crossroads(signal="").xml())
    stream = [(SOUTH, 3 * k) for k in range(8)]
    alone = arrivals(engine_of(tmp_path, network, *stream))
    engine = engine_of(tmp_path, network, *stream, (WEST, 4))
    times = arrivals(engine)
    assert times[:8] == alone
    assert times[8] > alone[-1]


def test_who_gives_way_goes_once_there_is_a_gap(tmp_path):
    network = network_of(tmp_path, Crossroads(signal="").xml())
    (alone,) = arrivals(engine_of(tmp_path, network, (WEST, 4)))
    times = arrivals(engine_of(tmp_path, network, (SOUTH, 0), (WEST, 4), (SOUTH, 60)))
    assert times[1] <= alone + 8


@pytest.mark.parametrize("offset_s", range(26))
def test_who_has_the_right_of_way_is_never_slowed_by_who_crosses(tmp_path, offset_s):
    """Whoever gives way takes a gap only if it has left the junction a second before the other comes to it."""
    network = network_of(tmp_path, Crossroads(signal="").xml())
    stream = [(SOUTH, 0), (SOUTH, 6), (SOUTH, 14)]
    alone = arrivals(engine_of(tmp_path, network, *stream))
    together = arrivals(engine_of(tmp_path, network, *stream, (LEFT, offset_s)))
    rest = list(together)
    for second in alone:
        rest.remove(second)  # ValueError: one of the stream has come later
    assert len(rest) == 1


@pytest.mark.parametrize(("gap_s", "goes_between"), [(5, False), (16, True)])
def test_the_gap_that_is_taken_is_one_that_is_long_enough(tmp_path, gap_s, goes_between):
    """A left turn of 20 m with a car of 5 m, at 10 m/s: two seconds and a half, and one to spare."""
    network = network_of(tmp_path, Crossroads(signal="").xml())
    first, last = arrivals(engine_of(tmp_path, network, (SOUTH, 0), (SOUTH, gap_s)))
    times = arrivals(engine_of(tmp_path, network, (SOUTH, 0), (LEFT, 2), (SOUTH, gap_s)))
    (turned,) = set(times) - {first, last}
    assert first < turned
    assert (turned < last) == goes_between


def test_who_gives_way_can_stop_until_it_sees_everybody(tmp_path):
    """4.5 m before the line: alone as it is, a car from the side road comes to it ready to stop, and drives on."""
    network = network_of(tmp_path, Crossroads(signal="").xml())
    engine = engine_of(tmp_path, network, (WEST, 0))
    lane = network.road_lane_start[network.road_ids.index("in_W")]
    speeds_mps = {}
    for _ in range(40):
        engine.advance(1)
        where = engine.positions(0)
        if (where.drivable == lane).any():
            speeds_mps[network.lane_length_m[lane] - where.distance[0]] = where.speed[0]
    assert max(speeds_mps.values()) == 10.0
    for rest_m, speed_mps in speeds_mps.items():
        assert rest_m <= 4.5 or speed_mps**2 / (2 * 4.5) <= rest_m + speed_mps  # it drives on for a second first
    assert 0.1 < speeds_mps[min(speeds_mps)] < 8.0


def test_nobody_overlaps_where_streams_merge_and_cross(tmp_path):
    network = network_of(tmp_path, Crossroads(signal="").xml())
    every = [(way, 4 * k + i) for k in range(20) for i, way in enumerate((SOUTH, LEFT, WEST))]
    engine = engine_of(tmp_path, network, *every)
    assert len(arrivals(engine, 600)) == 60
    assert engine.totals().overlaps[0] == 0


def inside(engine: Engine, seconds: int, below_mps: float) -> int:
    """Vehicle-seconds inside junctions, slower than this."""
    total = 0
    for _ in range(seconds):
        engine.advance(1)
        where = engine.positions(0)
        total += int(((where.drivable >= engine.network.n_lanes) & (where.speed < below_mps)).sum())
    return total


def jammed(folder: Path, requests: Sequence[tuple[str, str]] = REQUESTS) -> Engine:
    """Behind the crossroads, in the north, a road of 20 m on which everybody crawls at 0.3 m/s; six cars come."""
    xml = Crossroads(signal="", requests=requests).xml()
    before, lane, after = xml.partition('<lane id="out_N_0" index="0" speed="10.0" length="100.0"')
    assert lane
    xml = before + '<lane id="out_N_0" index="0" speed="0.3" length="20.0"' + after
    return engine_of(folder, network_of(folder, xml), *[(SOUTH, 2 * k) for k in range(6)])


def test_who_finds_no_room_behind_the_junction_waits_before_it(tmp_path):
    """The road takes two. While they crawl along it nobody waits inside the junction, and later everybody arrives."""
    engine = jammed(tmp_path)
    assert inside(engine, 40, below_mps=0.5) == 0
    where = engine.positions(0)
    before, behind = (engine.network.road_lane_start[engine.network.road_ids.index(road)] for road in SOUTH)
    assert ((where.drivable == before).sum(), (where.drivable == behind).sum()) == (4, 2)
    assert len(arrivals(engine, 400)) == 6


def test_where_nobody_crosses_there_is_nothing_to_keep_clear(tmp_path):
    engine = jammed(tmp_path, requests=[("0000", "0000")] * 4)
    assert inside(engine, 60, below_mps=0.5) > 0


# --- chance -------------------------------------------------------------------------------------------------------


def test_nobody_is_faster_than_alone_and_most_who_dawdle_are_slower(tmp_path):
    network = network_of(tmp_path, Crossroads(signal="").xml())
    trips = [(SOUTH, 60 * k) for k in range(9)]
    begun = np.array([second for _, second in trips])
    took = np.array(arrivals(engine_of(tmp_path, network, *trips, dawdling=0.9), 600)) - 1 - begun
    demand = read_sumo_demand([tmp_path / "small.rou.xml"], network, Given(Window(0, 600)))
    released = release_trips(network, demand, horizon_s=600, seed=0)
    alone = drive_alone(network, demand, released, horizon_s=600)
    assert len(set(alone.travel_s.tolist())) == 1
    assert took.min() >= alone.travel_s[0]
    assert took.mean() > alone.travel_s[0] + 1.0


def test_drivers_differ_in_how_they_take_a_limit_and_are_the_same_persons_alone(tmp_path):
    """At limits of 10 m/s: free speeds spread by a tenth, and a trip takes the same time alone as without traffic."""
    network = network_of(tmp_path, Crossroads(signal="").xml())
    path = tmp_path / "small.rou.xml"
    rows = [f'<trip id="{k}" type="k" depart="{80 * k}" from="in_S" to="out_N"/>' for k in range(60)]
    path.write_text(small.routes('<vType id="k" sigma="0"/>', *rows))
    demand = read_sumo_demand([path], network, Given(Window(0, 6000)))
    trips = release_trips(network, demand, horizon_s=6000, seed=0)
    engine = Engine(network, demand)
    engine.reset([trips], [7])
    engine.green[:] = 1
    took = np.array(arrivals(engine, 6000)) - 1 - trips.release_s
    alone = drive_alone(network, demand, trips, horizon_s=6000)
    assert took.tolist() == alone.travel_s.tolist()
    pace = engine.trips.pace[0, :60]
    assert 0.07 < pace.std() < 0.13
    assert np.corrcoef(pace, took)[0, 1] < -0.9


# --- beyond the next junction ------------------------------------------------------------------------------------


def test_a_red_light_behind_a_short_road_is_seen_in_time(tmp_path):
    """At 10 m/s a car needs 11 m to stop; the road before the light is 4 m long."""
    connections = "".join(f'<connection from="e{k}" to="e{k + 1}" fromLane="0" toLane="0"/>' for k in range(2))
    network = network_of(tmp_path, small.street([1, 1, 1], [100, 4, 100], connections))
    engine = engine_of(tmp_path, network, (("e0", "e2"), 0))
    engine.green[:, 1] = 0
    assert arrivals(engine, 90) == []
    assert engine.totals().red_entries[0] == 0
    engine.green[:, 1] = 1
    assert len(arrivals(engine, 60)) == 1


def test_a_curve_is_entered_no_faster_than_it_allows(tmp_path):
    inside = (
        '<edge id=":n1_0" function="internal">'
        '<lane id=":n1_0_0" index="0" speed="4" length="12" shape="100,0 112,0"/></edge>'
    )
    connection = '<connection from="e0" to="e1" fromLane="0" toLane="0" via=":n1_0_0"/>'
    network = network_of(tmp_path, small.street([1, 1], [100, 100], connection, inside=inside))
    engine = engine_of(tmp_path, network, (("e0", "e1"), 0))
    inside_speeds = []
    for _ in range(60):
        engine.advance(1)
        where = engine.positions(0)
        inside_speeds += where.speed[where.drivable == network.n_lanes].tolist()
    assert len(inside_speeds) >= 2
    assert max(inside_speeds) <= 4.0 + 1e-9


# --- lanes -------------------------------------------------------------------------------------------------------

# Two lanes, then two, then two exits: from the right lane (0) to e2 alone, from the left one (1) to e3 alone.
FORK = (
    '<edge id="e3" from="n2" to="n4"><lane id="e3_0" index="0" speed="10" length="50" shape="0,9 50,9"/></edge>'
    '<junction id="n4" x="9" y="9"/>'
    '<connection from="e0" to="e1" fromLane="0" toLane="0"/><connection from="e0" to="e1" fromLane="1" toLane="1"/>'
    '<connection from="e1" to="e2" fromLane="0" toLane="0"/><connection from="e1" to="e3" fromLane="1" toLane="0"/>'
)


def lanes_begun_on(engine: Engine, n_trips: int) -> list[int]:
    """From the left, of each trip in its order."""
    engine.advance(60)
    return engine.network.lane_index[engine.trips.start_lane[0, :n_trips]].tolist()


STRAIGHT = '<connection from="e0" to="e1" fromLane="0" toLane="0"/>'


def test_drivers_begin_with_the_rear_bumper_at_the_beginning_of_the_lane(tmp_path):
    """Not in the junction behind; the next one as soon as there is room for it and its gap before the first."""
    network = network_of(tmp_path, small.street([1, 1], [300, 100], STRAIGHT))
    engine = engine_of(tmp_path, network, (("e0", "e1"), 0), (("e0", "e1"), 0))
    engine.advance(1)
    assert engine.positions().distance == pytest.approx([5.1 + 2.6])
    engine.advance(1)  # the first is at 12.9 m: 5 m of it, 2.5 m of gap and 5.1 m of the second leave 0.3 m
    engine.advance(1)
    assert engine.positions().trip.tolist() == [0, 1]


@pytest.mark.parametrize("second", range(15, 35))
def test_nobody_begins_before_one_who_could_not_brake_in_time(tmp_path, second):
    """Who comes through the junction at 10 m/s never brakes harder than a driver does, and the other goes next."""
    network = network_of(tmp_path, small.street([1, 1], [200, 200], STRAIGHT))
    engine = engine_of(tmp_path, network, (("e0", "e1"), 0), (("e1", "e1"), second))
    before, begun = 0.0, False
    for _ in range(45):
        engine.advance(1)
        seen = engine.positions()
        speed_mps = seen.speed[seen.trip == 0]
        assert not speed_mps.size or speed_mps[0] >= before - 4.5 - 1e-9
        before, begun = float(speed_mps.sum()), begun or 1 in seen.trip
    assert begun


def test_drivers_begin_on_the_emptiest_of_the_lanes_that_lead_on(tmp_path):
    connections = "".join(f'<connection from="e0" to="e1" fromLane="{k}" toLane="{k}"/>' for k in range(2))
    network = network_of(tmp_path, small.street([2, 2], [300, 100], connections))
    engine = engine_of(tmp_path, network, *[(("e0", "e1"), 2 * k) for k in range(6)])
    engine.green[:] = 0
    for trip in range(6):
        inside = np.bincount(network.lane_index[engine.positions().drivable], minlength=2)
        engine.advance(2)
        assert inside[network.lane_index[engine.trips.start_lane[0, trip]]] == inside.min()


def test_nobody_begins_on_an_empty_lane_that_leads_elsewhere(tmp_path):
    network = network_of(tmp_path, small.street([2, 2, 1], [300, 50, 50], FORK))
    engine = engine_of(tmp_path, network, *[(("e0", "e1"), 0)], *[(("e0", "e2"), 2 + 2 * k) for k in range(5)])
    engine.green[:] = 0
    assert lanes_begun_on(engine, 6)[1:] == [1] * 5


@pytest.mark.parametrize(("goal", "lane"), [("e2", 1), ("e3", 0)])
def test_drivers_begin_on_the_lane_they_will_need(tmp_path, goal, lane):
    """Ours count from the left: the right lane is 1."""
    network = network_of(tmp_path, small.street([2, 2, 1], [100, 50, 50], FORK))
    route = np.array([network.road_ids.index(name) for name in ("e0", "e1", goal)], np.int32)
    assert network.lane_index[best_first_lanes(network, route)].tolist() == [lane]


def test_a_lane_that_needs_a_change_costs_more_the_shorter_the_road(tmp_path):
    def cost(length_m: float) -> float:
        network = network_of(tmp_path, small.street([2, 2, 1], [100, length_m, 50], FORK))
        route = np.array([network.road_ids.index(name) for name in ("e0", "e1", "e2")], np.int32)
        left, right = lane_costs(network, np.array([0, 3], np.int32), route)[:2]
        assert right == 0.0
        return float(left)

    assert cost(10.0) > cost(100.0) > 1.0


def test_a_driver_on_the_other_lane_changes_where_it_is_still_time(tmp_path):
    network = network_of(tmp_path, small.street([2, 2, 1], [100, 50, 50], FORK))
    path = tmp_path / "small.rou.xml"
    path.write_text(small.routes('<trip id="x" depart="0" from="e0" to="e2"/>'))
    demand = read_sumo_demand([path], network)
    table = build_route_table(network, demand)
    from_left = int(table.next_link[table.row_start[0]])
    assert network.link_changes_lane[from_left]
    assert network.lane_index[network.link_to_lane[from_left]] == 1


def test_equally_good_lanes_are_taken_in_turn(tmp_path):
    """One lane opens into two, both of which lead on."""
    connections = "".join(
        f'<connection from="e{k}" to="e{k + 1}" fromLane="{a}" toLane="{b}"/>'
        for k, a, b in ((0, 0, 0), (0, 0, 1), (1, 0, 0), (1, 1, 1))
    )
    network = network_of(tmp_path, small.street([1, 2, 2], [100, 100, 100], connections))
    path = tmp_path / "small.rou.xml"
    path.write_text(small.routes('<flow id="x" begin="0" end="40" number="4" from="e0" to="e2"/>'))
    demand = read_sumo_demand([path], network)
    table = build_route_table(network, demand)
    lanes = [int(network.lane_index[network.link_to_lane[table.next_link[table.row_start[n]]]]) for n in range(4)]
    assert lanes == [1, 0, 1, 0]
