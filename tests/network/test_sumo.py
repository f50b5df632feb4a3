"""Networks from SUMO: lanes and paths as in the file, signals without their yellow, right of way by the requests."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from network import sumo_small as small
from network.sumo_small import Crossroads

from intergreen.envs.errors import InputError
from intergreen.envs.network import STRAIGHT, TURN_LEFT, RoadNetwork, read_sumo_network
from intergreen.envs.signals import FixedClearance, make_plan
from intergreen.envs.signals.conflicts import permissive_matrix, permitted_conflicts

SOUTH, NORTH, LEFT, WEST = range(4)  # movements of the crossroads


def load(folder: Path, xml: str | bytes, *, begin_s: float = 0.0) -> RoadNetwork:
    path = folder / "small.net.xml"
    path.write_bytes(xml if isinstance(xml, bytes) else xml.encode())
    return read_sumo_network(path, begin_s=begin_s)


def junction(network: RoadNetwork, name: str = "C") -> int:
    return network.intersection_ids.index(name)


# --- lanes and paths ---------------------------------------------------------------------------------------------


def test_lane_lengths_are_those_of_the_file_not_those_drawn(tmp_path):
    network = load(tmp_path, Crossroads().xml().replace('length="100.0"', 'length="77.5"'))
    assert set(network.lane_length_m) == {77.5}


def test_lanes_are_numbered_from_the_left(tmp_path):
    """SUMO numbers from the right: lane 1 of the two is the left one, which lies higher on a street to the east."""
    connections = (
        '<connection from="e0" to="e1" fromLane="0" toLane="0"/><connection from="e0" to="e1" fromLane="1" toLane="1"/>'
    )
    network = load(tmp_path, small.street([2, 2], [50, 50], connections))
    first_y = network.lane_points[network.lane_point_start[:-1], 1]
    assert network.lane_index.tolist() == [0, 1, 0, 1]
    assert (first_y[0], first_y[2]) > (first_y[1], first_y[3])


def test_path_through_two_inner_lanes_is_their_sum(tmp_path):
    lanes = ('id=":n1_0_0" speed="6" length="4" shape="0,0 4,0"', 'id=":n1_1_0" speed="5" length="7" shape="4,0 11,0"')
    inside = "".join(
        f'<edge id=":n1_{k}" function="internal"><lane index="0" {lane}/></edge>' for k, lane in enumerate(lanes)
    )
    connections = (
        '<connection from="e0" to="e1" fromLane="0" toLane="0" via=":n1_0_0"/>'
        '<connection from=":n1_0" to="e1" fromLane="0" toLane="0" via=":n1_1_0"/>'
    )
    network = load(tmp_path, small.street([1, 1], [50, 50], connections, inside=inside))
    assert network.link_length_m.tolist() == [11.0]
    assert network.link_speed_limit_mps.tolist() == network.link_entry_speed_mps.tolist() == [5.0]


def test_a_connection_without_a_path_is_as_long_as_the_gap(tmp_path):
    network = load(tmp_path, small.street([1, 1], [50, 50], '<connection from="e0" to="e1" fromLane="0" toLane="0"/>'))
    assert network.link_length_m.tolist() == [0.0]


def test_a_connection_reaches_the_lanes_beside_its_end_by_a_lane_change(tmp_path):
    network = load(tmp_path, small.street([1, 3], [50, 50], '<connection from="e0" to="e1" fromLane="0" toLane="1"/>'))
    assert sorted(network.lane_index[network.link_to_lane]) == [0, 1, 2]
    direct = network.link_to_lane[~network.link_changes_lane]
    assert network.lane_index[direct].tolist() == [1]  # lane 1 from either side


@pytest.mark.parametrize("extra", ['allow="bus"', 'disallow="passenger truck"', 'disallow="all"', 'allow="pedestrian"'])
def test_what_cars_may_not_use_is_not_there(tmp_path, extra):
    network = load(tmp_path, Crossroads(lane_extra={"out_N": extra}).xml())
    assert "out_N" not in network.road_ids
    assert network.n_movements == 3


@pytest.mark.parametrize("extra", ['allow="passenger bus"', 'disallow="bus tram"', 'allow="all"'])
def test_what_cars_may_use_is_there(tmp_path, extra):
    network = load(tmp_path, Crossroads(lane_extra={"out_N": extra}).xml())
    assert "out_N" in network.road_ids


def test_turns_follow_the_directions_of_the_file(tmp_path):
    network = load(tmp_path, Crossroads().xml())
    assert network.movement_turn.tolist() == [STRAIGHT, STRAIGHT, TURN_LEFT, STRAIGHT]


def test_gzipped_network_is_the_same(tmp_path):
    plain = load(tmp_path, Crossroads().xml())
    packed = load(tmp_path, gzip.compress(Crossroads().xml().encode()))
    assert packed.road_ids == plain.road_ids
    assert np.array_equal(packed.link_points, plain.link_points)


def test_the_network_is_named_after_its_file(tmp_path):
    assert load(tmp_path, Crossroads().xml()).name == "small"


@pytest.mark.parametrize(("state", "entry_mps"), [("s", 2.6), ("w", 2.6), ("m", small.SPEED), ("M", small.SPEED)])
def test_who_has_stood_at_a_stop_sign_drives_on_slowly(tmp_path, state, entry_mps):
    xml = Crossroads(signal="").xml().replace('dir="l" state="M"', f'dir="l" state="{state}"')
    network = load(tmp_path, xml)
    assert network.link_entry_speed_mps.tolist() == [small.SPEED, small.SPEED, entry_mps, small.SPEED]
    assert network.link_speed_limit_mps.tolist() == [small.SPEED] * 4


# --- signals -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["static", "actuated", "delay_based", "NEMA"])
def test_phases_are_the_greens_with_the_clearance_before_them(tmp_path, kind):
    network = load(tmp_path, Crossroads(programme_kind=kind).xml())
    assert network.phase_matrix(junction(network)).tolist() == [[True, True, True, False], [False, False, False, True]]
    assert network.phase_duration_s.tolist() == [22.0, 28.0]


def test_connection_that_never_has_green_is_not_there_and_told(tmp_path, caplog):
    network = load(tmp_path, Crossroads(phases=[(9, "GGrr"), (9, "rrrG")]).xml())
    assert network.movement_turn.tolist() == [STRAIGHT, STRAIGHT, STRAIGHT]
    assert network.phase_matrix(junction(network)).tolist() == [[True, True, False], [False, False, True]]
    (told,) = caplog.messages
    assert "no phase gives green to 1 of its connections, which are left out" in told
    assert "first 'in_N' -> 'out_E' (signal 'C', link index 2)" in told


def test_limits_for_single_classes_are_told(tmp_path, caplog):
    more = '<type id="m" speed="27"><restriction vClass="truck" speed="10"/></type><type id="n" speed="27"/>'
    load(tmp_path, Crossroads(more=more).xml())
    (told,) = caplog.messages
    assert "limits of 1 edge types for single classes (<restriction>) are not obeyed" in told


@pytest.mark.parametrize(
    ("attributes", "lanes"),
    [
        ('changeLeft="authority bus"', 1),
        ('changeRight=""', 1),
        ('changeLeft="all" changeRight="passenger"', 0),
        ("", 0),
    ],
)
def test_lines_that_cars_may_not_cross_are_told(tmp_path, caplog, attributes, lanes):
    load(tmp_path, Crossroads(lane_extra={"in_S": attributes}).xml())
    assert (f"(changeLeft, changeRight), on {lanes} lanes, are not obeyed" in caplog.text) == bool(lanes)


@pytest.mark.parametrize(("red_s", "told"), [(10, False), (11, True)])
def test_reds_for_all_cars_that_are_longer_than_a_clearance_are_told(tmp_path, caplog, red_s, told):
    """As a programme has them for pedestrians: with its single green nothing is to be decided."""
    load(tmp_path, Crossroads(phases=[(30, "GGGG"), (3, "yyyy"), (red_s, "rrrr")]).xml())
    assert ("1 signals with one green stop all cars, first 'C' for 11 s" in caplog.text) == told


def test_cycles_that_never_begin_anew_are_stretched_to_the_longest_and_told(tmp_path, caplog):
    other = small.programme("D", [(30, "rrrG"), (13.7, "rrrr")], offset=4.37)
    network = load(tmp_path, Crossroads(signal_of={3: "D"}, more=other).xml())
    assert network.phase_duration_s.sum() == pytest.approx(50.0)
    shown = network.phase_matrix(junction(network))
    west_s = network.phase_duration_s[shown[:, 3]].sum()
    assert 30 / 43.7 * 50 <= west_s <= 30 / 43.7 * 50 + 3  # and the clearance of the others before it
    (told,) = caplog.messages
    assert "take 50 s each: 'C' 50 s, 'D' 43.7 s" in told


def test_neighbouring_phases_with_the_same_greens_are_one(tmp_path):
    phases = [(10, "GGrr"), (3, "yyrr"), (8, "rrgr"), (7, "rrGr"), (3, "rryr"), (25, "rrrG"), (2, "rrry")]
    network = load(tmp_path, Crossroads(phases=phases).xml())
    assert network.phase_duration_s.tolist() == [12.0, 18.0, 28.0]


@pytest.mark.parametrize(
    ("begin_s", "offset", "elapsed_s"),
    [(0, 0, 2), (60, 0, 12), (0, 20, 32), (0, -20, 22), (25200, 5, 47)],
)
def test_the_programme_runs_by_sumos_clock(tmp_path, begin_s, offset, elapsed_s):
    network = load(tmp_path, Crossroads(offset=offset).xml(), begin_s=begin_s)
    assert network.programme_elapsed_s[junction(network)] == elapsed_s


def test_a_programme_that_begins_with_yellow_is_within_its_first_phase(tmp_path):
    phases = [(3, "rrry"), *small.PROGRAMME]
    network = load(tmp_path, Crossroads(phases=phases).xml())
    assert network.phase_duration_s.tolist() == [25.0, 28.0]
    assert network.programme_elapsed_s[junction(network)] == 2.0


def test_a_turn_on_red_is_no_green(tmp_path):
    phases = [(20, "GGgs"), (3, "yyys"), (25, "rrrG"), (2, "rrry")]
    network = load(tmp_path, Crossroads(phases=phases).xml())
    assert network.phase_matrix(junction(network))[:, WEST].tolist() == [False, True]


def test_what_only_ever_turns_on_red_may_always_go(tmp_path):
    phases = [(20, "GGrs"), (3, "yyrs"), (25, "rrgs"), (2, "rrys")]
    network = load(tmp_path, Crossroads(phases=phases).xml())
    assert network.phase_matrix(junction(network))[:, WEST].tolist() == [True, True]


def test_a_green_that_only_stands_beside_a_yellow_is_kept(tmp_path):
    phases = [(20, "GGrr"), (3, "yygr"), (25, "rrrG"), (2, "rrry")]
    network = load(tmp_path, Crossroads(phases=phases).xml())
    assert network.phase_matrix(junction(network))[:, LEFT].tolist() == [False, True, False]


def test_a_connection_without_a_light_at_a_signal_always_has_green(tmp_path):
    xml = Crossroads().xml().replace('tl="C" linkIndex="2"', "")
    network = load(tmp_path, xml)
    assert network.phase_matrix(junction(network))[:, LEFT].tolist() == [True, True]


def test_a_signal_that_is_off_is_none(tmp_path):
    network = load(tmp_path, Crossroads(phases=[(90, "OOoo")]).xml())
    assert len(network.signalled) == 0
    assert network.n_phases == 0


def test_lanes_with_lights_of_their_own_are_movements_of_their_own(tmp_path):
    connections = "".join(
        f'<connection from="e0" to="e1" fromLane="{i}" toLane="{i}" tl="n1" linkIndex="{i}"/>' for i in range(2)
    )
    xml = small.street([2, 2], [50, 50], connections, more=small.programme("n1", [(10, "Gr"), (10, "rG")]))
    network = load(tmp_path, xml)
    assert network.n_movements == 2
    assert network.phase_matrix(junction(network, "n1")).tolist() == [[True, False], [False, True]]
    assert all(len(network.start_lanes(m)) == 1 for m in range(2))


def test_one_signal_over_two_junctions_is_one_intersection(tmp_path):
    lights = ['tl="both" linkIndex="0"', 'tl="both" linkIndex="1"']
    connections = "".join(
        f'<connection from="e{k}" to="e{k + 1}" fromLane="0" toLane="0" {light}/>' for k, light in enumerate(lights)
    )
    xml = small.street([1, 1, 1], [50, 30, 50], connections, more=small.programme("both", [(10, "Gr"), (10, "rG")]))
    network = load(tmp_path, xml)
    j = junction(network, "both")
    assert network.intersection_ids == ("n0", "both", "n3")
    assert network.signalled.tolist() == [j]
    middle = network.road_ids.index("e1")
    assert network.road_from[middle] == network.road_to[middle] == j
    assert network.phase_matrix(j).tolist() == [[True, False], [False, True]]


# --- right of way ------------------------------------------------------------------------------------------------


def rights(network: RoadNetwork, link: int) -> dict[int, int]:
    """By the other link: 1 where this one goes first, -1 where the other does."""
    own = slice(*network.crossing_start[link : link + 2].tolist())
    return dict(zip(network.crossing_foe_link[own].tolist(), network.crossing_right[own].tolist(), strict=True))


def test_who_goes_first_is_what_the_requests_say(tmp_path):
    network = load(tmp_path, Crossroads().xml())
    assert rights(network, SOUTH) == {LEFT: 1, WEST: 1}
    assert rights(network, LEFT) == {SOUTH: -1, WEST: 1}
    assert rights(network, WEST) == {SOUTH: -1, NORTH: -1, LEFT: -1}


def test_paths_that_are_no_foes_do_not_meet(tmp_path):
    requests = (("0000", "0000"), *small.REQUESTS[1:3], ("0110", "0110"))
    apart = load(tmp_path, Crossroads(requests=(requests[0], requests[1], ("0000", "1000"), requests[3])).xml())
    assert rights(apart, SOUTH) == {}


def test_who_gives_way_waits_at_the_stop_line(tmp_path):
    network = load(tmp_path, Crossroads().xml())
    own = slice(*network.crossing_start[WEST : WEST + 2].tolist())
    assert np.array_equal(network.crossing_setback_m[own], network.crossing_distance_m[own])


def test_the_one_with_the_right_of_way_knows_where_the_other_waits(tmp_path):
    network = load(tmp_path, Crossroads().xml())
    for link in range(network.n_links):
        for x in range(*network.crossing_start[link : link + 2]):
            foe = network.crossing_foe_link[x]
            back = slice(*network.crossing_start[foe : foe + 2].tolist())
            mine = back.start + network.crossing_foe_link[back].tolist().index(link)
            assert network.crossing_foe_setback_m[x] == network.crossing_setback_m[mine]
            assert network.crossing_right[x] == -network.crossing_right[mine]


def test_a_permitted_left_may_be_green_with_the_stream_it_yields_to(tmp_path):
    network = load(tmp_path, Crossroads().xml())
    j = junction(network)
    assert permitted_conflicts(network, j)[LEFT, SOUTH]
    assert permissive_matrix(network, j)[LEFT, SOUTH]
    assert not permissive_matrix(network, j)[LEFT, WEST]
    make_plan(network, timing=FixedClearance(3))


def test_two_greens_with_priority_that_cross_are_refused(tmp_path):
    network = load(tmp_path, Crossroads(phases=[(20, "GGGr"), (3, "yyyr"), (25, "rrrG"), (2, "rrry")]).xml())
    with pytest.raises(InputError, match=r"intersection C, phase 0: green together for in_S -> out_N .* in_N -> out_E"):
        make_plan(network, timing=FixedClearance(3))


@pytest.mark.parametrize(("south", "may"), [("l", True), ("s", False)])
def test_of_two_protected_turns_that_cross_the_one_that_yields_by_the_requests_is_permitted(tmp_path, south, may):
    """netconvert gives `G` to opposite left turns that meet at a small junction; in SUMO one yields all the same."""
    phases = [(20, "GrGr"), (3, "yryr"), (20, "rGrr"), (25, "rrrG"), (2, "rrry")]
    xml = Crossroads(phases=phases).xml().replace('via=":C_0_0" dir="s"', f'via=":C_0_0" dir="{south}"')
    network = load(tmp_path, xml)
    assert permissive_matrix(network, junction(network))[LEFT, SOUTH] == may


@pytest.mark.parametrize(("greens", "may"), [("grgr", True), ("Grgr", False), ("GrGr", False)])
def test_of_two_turns_that_meet_and_say_nothing_of_who_goes_first_both_must_yield(tmp_path, greens, may):
    phases = [(20, greens), (3, "yryr"), (20, "rGrr"), (25, "rrrG"), (2, "rrry")]
    requests = [("0000", "1100"), ("0000", "1000"), ("0000", "1001"), ("0111", "0111")]
    xml = Crossroads(phases=phases, requests=requests).xml()
    network = load(tmp_path, xml.replace('via=":C_0_0" dir="s"', 'via=":C_0_0" dir="r"'))
    assert permissive_matrix(network, junction(network))[LEFT, SOUTH] == may


def test_a_left_that_is_permitted_here_and_unguarded_there_is_refused(tmp_path):
    phases = [(20, "GGgr"), (3, "yyyr"), (20, "GrGr"), (25, "rrrG"), (2, "rrry")]
    network = load(tmp_path, Crossroads(phases=phases).xml())
    with pytest.raises(InputError, match="green together"):
        make_plan(network, timing=FixedClearance(3))


@pytest.mark.parametrize(("kind", "index"), [("rail_crossing", 3), ("rail_signal", 3), ("traffic_light", -1)], ids=str)
def test_a_signal_of_trains_holds_no_car_up(tmp_path, kind, index):
    """SUMO gives rail crossings a signal without a programme; and a link -1 is shown nothing."""
    xml = Crossroads(signal_of={3: "rail"} if index >= 0 else {}).xml()
    xml = xml.replace('id="C" type="traffic_light"', f'id="C" type="{kind}"')
    xml = xml.replace('linkIndex="3"', f'linkIndex="{index}"')
    network = load(tmp_path, xml)
    movement = int(network.link_movement[network.link_from_lane == network.road_lane_start[_road(network, "in_W")]][0])
    here = junction(network)
    mine = movement - network.movement_start[here]
    assert network.phase_matrix(here)[:, mine].all()


def _road(network: RoadNetwork, name: str) -> int:
    return network.road_ids.index(name)


# --- what is refused ---------------------------------------------------------------------------------------------

GOOD = Crossroads().xml()
BROKEN = {
    "no XML": ("<net", "not valid XML"),
    "cut off": (GOOD[: len(GOOD) // 2], "not valid XML"),
    "another root": ("<routes/>", "its root is <routes>; use a file of <net>"),
    "no edge": ("<net/>", "has no road"),
    "entities": ('<!DOCTYPE net [<!ENTITY a "b">]>' + "<net/>", "document type"),
    "a lane without length": (GOOD.replace('length="100.0"', "", 1), "length: is missing"),
    "a length that is none": (GOOD.replace('length="100.0"', 'length="nan"', 1), "use a number > 0"),
    "a length in another unit": (GOOD.replace('length="100.0"', 'length="1e8"', 1), "use at most 100000 m"),
    "a speed of nought": (GOOD.replace('speed="10.0" length="100.0"', 'speed="0" length="100.0"', 1), "speed: is '0'"),
    "a shape of one point": (GOOD.replace('shape="0.0,110.0 0.0,10.0"', 'shape="0,0"', 1), "fewer than two points"),
    "a shape of words": (GOOD.replace('shape="0.0,110.0 0.0,10.0"', 'shape="a,b c,d"', 1), "has the point 'a,b'"),
    "an edge to nowhere": (GOOD.replace('from="N" to="C"', 'from="X" to="C"', 1), "'X' is not there"),
    "a connection from nowhere": (GOOD.replace('from="in_S" to=', 'from="in_X" to='), "'in_X' is not there"),
    "edges that do not meet": (GOOD.replace('from="in_S" to="out_N"', 'from="in_S" to="in_N"'), "does not end where"),
    "a lane that is not there": (GOOD.replace('fromLane="0"', 'fromLane="3"', 1), "use 0 to 0"),
    "a path that is not there": (GOOD.replace('via=":C_0_0"', 'via=":C_9_0"', 1), "':C_9_0' is not there"),
    "a signal without a programme": (GOOD.replace("tlLogic", "other"), "no <tlLogic>"),
    "a state that is too short": (GOOD.replace('state="rrrG"', 'state="rrr"'), "of different lengths"),
    "a programme of no time": (
        Crossroads(phases=[(0, s) for _, s in small.PROGRAMME]).xml(),
        "<tlLogic id='C'>: all its times are 0",
    ),
    "nobody has green": (Crossroads(phases=[(9, "rrrr"), (9, "yyrr")]).xml(), "<tlLogic id='C'>: no phase gives green"),
    "two signals at one junction, one of no time": (
        Crossroads(signal_of={3: "D"}, more=small.programme("D", [(0, "rrrG"), (0, "rrrr")])).xml(),
        "<tlLogic id='D'>: all its times are 0",
    ),
    "an edge twice": (GOOD.replace('id="in_N" from', 'id="in_S" from'), "is there twice"),
    "a request that is missing": (GOOD.replace('request index="1"', 'request index="7"'), "have gaps"),
    "a request of letters": (GOOD.replace('response="0111"', 'response="abc"'), "write zeros and ones"),
    "only footpaths": (GOOD.replace('index="0"', 'index="0" allow="pedestrian"'), "no road for cars"),
    "nested without end": ("<net>" + "<a>" * 200 + "</a>" * 200 + "</net>", "nested too deeply"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_broken_network_is_refused_in_one_line(tmp_path, name):
    xml, words = BROKEN[name]
    with pytest.raises(InputError) as caught:
        load(tmp_path, xml)
    text = str(caught.value)
    assert words in text
    assert text.isprintable()
    assert text.startswith(str(tmp_path / "small.net.xml"))


def test_broken_gzip_is_refused(tmp_path):
    with pytest.raises(InputError, match="broken gzip file"):
        load(tmp_path, gzip.compress(GOOD.encode())[:-20])


def test_file_that_unpacks_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("intergreen.envs.network.xml_file.MOST_BELOW_ROOT", 1 << 20)
    with pytest.raises(InputError, match="larger than any network"):
        load(tmp_path, gzip.compress(b"<net><a>" + b" " * (1 << 22) + b"</a></net>"))


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        read_sumo_network(tmp_path / "none.net.xml")


# --- what would leave streams without right of way ---------------------------------------------------------------


@pytest.mark.parametrize(("blank", "shown"), [(" ", " "), ("&#10;", r"\\n"), ("&#8232;", r"\\u2028")])
@pytest.mark.parametrize(("old", "place"), [("in_S", "edge"), ('"C"', "tlLogic|junction")])
def test_ids_with_white_space_are_refused(tmp_path, old, place, blank, shown):
    """Lists of lanes could not name them: the junction would have had no right of way for the edge's connections."""
    xml = Crossroads().xml().replace(old, f"{old[:-1]}{blank}{old[-1]}")
    with pytest.raises(InputError, match=f"<({place}) id='.*{shown}.*'> id: has white space or control") as refused:
        load(tmp_path, xml)
    assert str(refused.value).isprintable()


def test_a_lane_into_a_junction_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="<junction id='C'> incLanes: 'in_Q_0' is not there; name lanes of the file"):
        load(tmp_path, Crossroads().xml().replace('incLanes="in_S_0', 'incLanes="in_Q_0'))


def test_a_junction_with_too_few_requests_is_refused(tmp_path):
    net = Crossroads(requests=[("000", "100"), ("000", "000"), ("001", "001")])
    with pytest.raises(InputError, match="<junction id='C'> request: there are 3 for 4 connections"):
        load(tmp_path, net.xml())


def test_a_signal_whose_junction_says_nothing_of_conflicts_is_refused(tmp_path):
    """`traffic_light_unregulated`: all streams could have green together, and no check would mind."""
    net = Crossroads(requests=()).xml().replace('type="traffic_light"', 'type="traffic_light_unregulated"')
    with pytest.raises(InputError, match="there is none, so that nobody knows which greens of 'C' are in conflict"):
        load(tmp_path, net)


@pytest.mark.parametrize(("written", "kept"), [("0", False), ("false", False), ("1", True), ("true", True)])
def test_connection_may_say_that_nobody_keeps_the_junction_clear(tmp_path, written, kept):
    path = tmp_path / "kept.net.xml"
    path.write_text(
        Crossroads().xml().replace('<connection from="in_W"', f'<connection keepClear="{written}" from="in_W"')
    )
    network = read_sumo_network(path)
    from_west = network.lane_road[network.link_from_lane] == network.road_ids.index("in_W")
    assert network.link_keeps_clear[from_west].all() == kept
    assert network.link_keeps_clear[~from_west].all()


def test_lanes_are_called_as_in_the_file(tmp_path):
    """SUMO's lane 1 is the left one; where the right one is for buses alone, the only one that is ours."""
    connections = (
        '<connection from="e0" to="e1" fromLane="0" toLane="0"/><connection from="e0" to="e1" fromLane="1" toLane="1"/>'
    )
    network = load(tmp_path, small.street([2, 2], [50, 50], connections))
    assert [network.lane_name(lane) for lane in range(4)] == ["e0_1", "e0_0", "e1_1", "e1_0"]
