"""Which programme a signal of SUMO's runs, in which order, and where several signals meet."""

import math
from pathlib import Path

import numpy as np
import pytest
from network import sumo_small as small
from network.sumo_small import Crossroads

from intergreen.envs.aspects import GREEN, RED, RED_AMBER, YELLOW
from intergreen.envs.errors import InputError
from intergreen.envs.network import RoadNetwork, read_sumo_network
from intergreen.envs.network.sumo_index import index_of_read
from intergreen.envs.network.sumo_switching import Plan, Switch
from intergreen.envs.signals import FieldTiming, make_plan
from intergreen.envs.signals.presets import profile_by_name
from intergreen.envs.simulation.sumo_lamps import state_of

PLAIN = [22.0, 28.0]  # of the crossroads' own programme: its greens with the clearance before them
QUICK = [(10, "GGgr"), (3, "yyyr"), (8, "rrrG"), (2, "rrry")]
WEST = 3  # movement of the crossroads, and index of its link


def load(folder: Path, net: Crossroads, *additional: str, begin_s: float = 0.0, end_s: float = math.inf) -> RoadNetwork:
    path = folder / "small.net.xml"
    path.write_text(net.xml())
    return read_sumo_network(path, additional=written(folder, additional), begin_s=begin_s, end_s=end_s)


def written(folder: Path, texts: tuple[str, ...]) -> list[Path]:
    files = [folder / f"{k}.add.xml" for k in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_text(f"<additional>{text}</additional>")
    return files


def quick(name: str = "quick") -> str:
    return small.programme("C", QUICK).replace('programID="0"', f'programID="{name}"')


def durations_s(network: RoadNetwork) -> list[float]:
    return network.phase_duration_s.tolist()


def test_of_several_programmes_the_last_one_runs(tmp_path):
    assert durations_s(load(tmp_path, Crossroads(more=quick()))) == [12.0, 11.0]


def test_a_programme_of_an_additional_file_runs_instead_of_the_networks(tmp_path):
    assert durations_s(load(tmp_path, Crossroads(), quick())) == [12.0, 11.0]
    assert durations_s(load(tmp_path, Crossroads(), small.programme("elsewhere", QUICK))) == PLAIN


def test_a_programme_that_switches_the_signal_off_has_no_phases_and_is_not_the_one_that_runs(tmp_path):
    assert (
        durations_s(load(tmp_path, Crossroads(), '<tlLogic id="C" type="static" programID="off" offset="0"/>')) == PLAIN
    )


def test_an_offset_alone_changes_the_programme_that_is_there(tmp_path):
    network = load(tmp_path, Crossroads(), '<tlLogic id="C" type="static" programID="0" offset="20"/>')
    assert durations_s(network) == PLAIN
    assert network.programme_elapsed_s[network.intersection_ids.index("C")] == 32.0  # 2 s at offset 0, of 50


# --- plans of the day --------------------------------------------------------------------------------------------

LAST = small.programme("C", [(60, "GGgr"), (60, "rrrG")]).replace('programID="0"', 'programID="last"')
PLAN = (
    '<WAUT id="w" refTime="600" startProg="0"><wautSwitch time="00:20:00" to="quick"/></WAUT>'
    '<wautJunction wautID="w" junctionID="C"/>'
)


@pytest.mark.parametrize(("begin_s", "expected"), [(0, PLAIN), (1800, [12.0, 11.0]), (3000, [12.0, 11.0])])
def test_a_plan_of_the_day_says_which_programme_runs(tmp_path, begin_s, expected):
    """The programme that was loaded last would be another."""
    assert durations_s(load(tmp_path, Crossroads(), quick() + LAST, PLAN, begin_s=begin_s)) == expected


@pytest.mark.parametrize(
    ("begin_s", "expected"), [(0, "early"), (100, "a"), (399, "a"), (400, "b"), (1000, "b"), (1100, "a")]
)
def test_a_plan_with_a_period_begins_anew(begin_s, expected):
    plan = Plan("early", (Switch(100, "a"), Switch(400, "b")), 1000.0)
    assert plan.at(begin_s) == expected


def test_switches_of_a_plan_lie_within_the_run():
    once, daily = (Plan("a", (Switch(100, "b"), Switch(400, "a")), period_s) for period_s in (0.0, 1000.0))
    assert once.between(100, 1200) == [Switch(400, "a")]
    assert daily.between(150, 1200) == [Switch(400, "a"), Switch(1100, "b")]
    assert once.between(400, math.inf) == []


ALONE = [(10, "GGrr"), (3, "yyrr"), (8, "rrgr"), (2, "rryr"), (8, "rrrG"), (2, "rrry")]  # the left turn on its own


def with_a_switch(folder: Path, phases: list[tuple[float, str]], **window: float) -> RoadNetwork:
    other = small.programme("C", phases).replace('programID="0"', 'programID="quick"')
    return load(folder, Crossroads(), other, PLAN, **window)


def test_phases_of_a_programme_that_takes_over_later_may_be_chosen_and_last_no_time(tmp_path):
    network = with_a_switch(tmp_path, ALONE)
    assert greens(network) == ["GGGr", "rrrG", "GGrr", "rrGr"]
    assert durations_s(network) == [*PLAIN, 0.0, 0.0]


def test_the_same_phases_with_other_times_are_no_new_ones(tmp_path):
    assert durations_s(with_a_switch(tmp_path, QUICK)) == PLAIN


def test_who_takes_over_after_the_run_does_not_matter(tmp_path, caplog):
    assert durations_s(with_a_switch(tmp_path, ALONE, end_s=1800)) == PLAIN
    assert not caplog.records


def test_a_switch_during_the_run_is_told_in_one_line(tmp_path, caplog):
    with_a_switch(tmp_path, ALONE)
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.endswith(
        "small.net.xml: 1 signals switch to other programmes during the run, first 'C' from '0' to 'quick' at 1800 s;"
        " fixed-time keeps the ones of the beginning, and 2 phases that only later ones have can be chosen"
    )


def test_lane_of_buses_is_lit_as_the_cars_beside_it(tmp_path):
    """In SUMO they stood at red for ever: no movement of the network has that lane."""
    connections = "".join(
        f'<connection from="e0" to="e1" fromLane="{k}" toLane="{k}" tl="n1" linkIndex="{k}" dir="s"/>' for k in (0, 1)
    )
    xml = small.street([2, 2], [50, 50], connections, more=small.programme("n1", [(10, "GG"), (10, "rr")]))
    path = tmp_path / "small.net.xml"
    path.write_text(xml.replace('id="e0_0"', 'id="e0_0" allow="bus"').replace('id="e1_0"', 'id="e1_0" allow="bus"'))
    (lamps,) = index_of_read(path, read_sumo_network(path)).signals
    assert dict(zip(lamps.character, lamps.movement, strict=True)) == {0: 0, 1: 0}
    assert state_of(lamps, np.array([GREEN, GREEN], np.uint8)) == "GG"


def test_lane_of_buses_that_shares_a_link_index_has_the_light_of_the_car_that_has_it(tmp_path):
    """As `netconvert --tls.group-signals` numbers them; the other lane's movement has green for longer."""
    connections = "".join(
        f'<connection from="e0" to="e1" fromLane="{k}" toLane="{k}" tl="n1" linkIndex="{index}" dir="s"/>'
        for k, index in ((0, 0), (1, 0), (2, 1))
    )
    phases = [(10, "GG"), (10, "rG"), (10, "rr")]
    xml = small.street([3, 3], [50, 50], connections, more=small.programme("n1", phases))
    path = tmp_path / "small.net.xml"
    path.write_text(xml.replace('id="e0_0"', 'id="e0_0" allow="bus"').replace('id="e1_0"', 'id="e1_0" allow="bus"'))
    (lamps,) = index_of_read(path, read_sumo_network(path)).signals
    assert (lamps.character, lamps.movement) == ((0, 1), (0, 1))


def sharing(tmp_path, *indices, **speeds_mps):
    """The small crossroads with these link indices; speeds by lane."""
    xml = Crossroads().xml()
    for own, shared in enumerate(indices):
        xml = xml.replace(f'linkIndex="{own}"', f'linkIndex="shared {shared}"')
    for lane, speed_mps in speeds_mps.items():
        xml = xml.replace(
            f'<lane id="{lane}" index="0" speed="10.0"', f'<lane id="{lane}" index="0" speed="{speed_mps}"'
        )
    path = tmp_path / "small.net.xml"
    path.write_text(xml.replace("shared ", ""))
    return path, read_sumo_network(path)


@pytest.mark.parametrize("profile", ["us-mutcd", "de-rilsa"])
def test_approaches_on_one_lamp_have_the_yellow_of_the_fastest(tmp_path, profile):
    timing = FieldTiming(profile_by_name(profile))
    speeds_mps = {"in_S_0": 8.3, "in_N_0": 19.4, "in_W_0": 8.3}
    alone = make_plan(sharing(tmp_path, 0, 1, 2, 3, **speeds_mps)[1], timing=timing).rules.yellow.tolist()
    _, network = sharing(tmp_path, 0, 0, 2, 3, **speeds_mps)
    assert network.movement_lamp.tolist() == [0, 0, 2, 3]
    assert alone[0] < alone[1]
    assert make_plan(network, timing=timing).rules.yellow.tolist() == [alone[1], *alone[1:]]


def test_chains_of_shared_lamps_are_one(tmp_path):
    assert sharing(tmp_path, 2, 1, 2, 3)[1].movement_lamp.tolist() == [0, 1, 0, 3]
    assert sharing(tmp_path, 0, 1, 2, 3)[1].movement_lamp.tolist() == []


def test_lamp_of_several_yields_if_one_of_them_does(tmp_path):
    path, network = sharing(tmp_path, 0, 2, 2, 3)
    (lamps,) = index_of_read(path, network).signals
    everybody, nobody = (np.full(4, aspect, np.uint8) for aspect in (GREEN, RED))
    assert state_of(lamps, everybody)[:3] == "Grg"
    assert state_of(lamps, nobody) == "rrrr"
    for lit, letter in (([GREEN, YELLOW], "y"), ([GREEN, RED], "r"), ([RED_AMBER, GREEN], "u")):
        assert state_of(lamps, np.array([RED, *lit, RED], np.uint8))[2] == letter


def test_movements_are_the_same_for_whoever_runs_the_network_in_sumo(tmp_path):
    network = with_a_switch(tmp_path, [(10, "Grrr"), (10, "rGgr"), (10, "rrrG")])
    (lamps,) = index_of_read(tmp_path / "small.net.xml", network, additional=[tmp_path / "0.add.xml"]).signals
    assert (lamps.character, lamps.movement) == ((0, 1, 2, 3), (0, 1, 2, 3))


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (PLAN.replace("quick", "lost"), "wautID: its <WAUT> names programme 'lost', which 'C' has not; use one of '0'"),
        (PLAN.replace('wautID="w"', 'wautID="v"'), "wautID: 'v' is not there; name a <WAUT>"),
        (PLAN.replace('"C"', '"D"'), "junctionID: 'D' has no <tlLogic>; name a signal"),
        (PLAN.replace("00:20:00", "soon"), "time: is 'soon'; use seconds, or hours:minutes:seconds"),
    ],
)
def test_a_plan_that_names_what_is_not_there_is_refused(tmp_path, plan, said):
    with pytest.raises(InputError) as refused:
        load(tmp_path, Crossroads(), plan)
    assert said in str(refused.value)


def test_times_may_be_those_of_a_clock_and_an_offset_the_begin(tmp_path):
    text = Crossroads().xml().replace('duration="20"', 'duration="00:00:20"').replace('offset="0.0"', 'offset="begin"')
    (tmp_path / "small.net.xml").write_text(text)
    network = read_sumo_network(tmp_path / "small.net.xml", begin_s=107.0)
    assert durations_s(network) == PLAIN
    assert network.programme_elapsed_s[network.intersection_ids.index("C")] == 2.0  # of the first phase, with clearance


# --- the order of phases -----------------------------------------------------------------------------------------


def with_next(*following: str) -> Crossroads:
    """Two greens of the same streams, then that of the west; `next` of each of them."""
    phases = [(10, "GGgr"), (12, "GGrr"), (14, "rrrG")]
    net = Crossroads(phases=phases)
    xml = net.xml()
    for (seconds, state), follows in zip(phases, following, strict=True):
        old = f'<phase duration="{seconds}" state="{state}"/>'
        xml = xml.replace(old, old.replace("/>", f' next="{follows}"/>') if follows else old)
    net.xml = lambda: xml
    return net


@pytest.mark.parametrize(
    ("following", "expected"),
    [
        (("", "", ""), [10.0, 12.0, 14.0]),
        (("2", "", "0"), [10.0, 14.0]),
        (("2", "0", "1"), [10.0, 14.0, 12.0]),
        (("1 2", "", ""), [10.0, 12.0, 14.0]),  # two ways on: as listed
        (("1", "0", ""), [10.0, 12.0, 14.0]),  # would leave the west red for ever
    ],
)
def test_phases_come_as_next_says_where_it_says_one_thing(tmp_path, following, expected):
    assert durations_s(load(tmp_path, with_next(*following))) == expected


def test_a_next_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="next: is 7; use 0 to 2"):
        load(tmp_path, with_next("7", "", ""))


# --- rings -------------------------------------------------------------------------------------------------------


def controller(ring1: str, ring2: str, barriers: str, **longest_s: int) -> Crossroads:
    """Phases by name: two of the main road and one of the west."""
    states = {"2": "Grrr", "6": "rGrr", "5": "rrGr", "4": "rrrG"}
    phases = "".join(
        f'<phase duration="99" maxDur="{longest_s[f"p{name}"]}" yellow="3" red="2" name="{name}" state="{state}"/>'
        for name, state in states.items()
    )
    keys = {"ring1": ring1, "ring2": ring2, "barrierPhases": barriers}
    params = "".join(f'<param key="{key}" value="{value}"/>' for key, value in keys.items())
    net = Crossroads(signal="C")
    text = net.xml()
    first, past = text.index("<tlLogic"), text.index("</tlLogic>") + len("</tlLogic>")
    logic = f'<tlLogic id="C" type="NEMA" programID="0" offset="0">{phases}{params}</tlLogic>'
    net.xml = lambda: text[:first] + logic + text[past:]
    return net


def greens(network: RoadNetwork) -> list[str]:
    """By phase, the links with green."""
    matrix = network.phase_matrix(network.intersection_ids.index("C"))
    return ["".join("G" if lit else "r" for lit in row) for row in matrix]


def test_rings_run_side_by_side_between_barriers(tmp_path):
    """Ring 1 shows 2, ring 2 shows 5 and then 6; after the barrier only ring 1 has a phase."""
    network = load(tmp_path, controller("2,4", "5,6", "2,6,4", p2=35, p5=10, p6=20, p4=15))
    assert greens(network) == ["GrGr", "GGrr", "rrrG"]
    assert durations_s(network) == [15.0, 25.0, 20.0]


def test_pairs_of_phases_that_meet_only_when_a_green_ends_early_may_be_chosen_and_last_no_time(tmp_path):
    network = load(tmp_path, controller("2,6,4", "5", "6,4", p2=10, p6=10, p5=5, p4=15))
    assert greens(network) == ["GrGr", "rGGr", "rrrG"]
    assert durations_s(network) == [15.0, 15.0, 20.0]


# --- several signals at one junction -----------------------------------------------------------------------------


def test_several_signals_at_one_junction_are_one_with_their_programmes_side_by_side(tmp_path):
    """The west has a programme of its own, of half the cycle."""
    main = [(20, "GGgr"), (3, "yyyr"), (27, "rrrr")]
    west = small.programme("D", [(20, "rrrr"), (5, "rrrG")], offset=0.0)
    net = Crossroads(phases=main, signal_of={WEST: "D"}, more=west)
    network = load(tmp_path, net)
    assert network.signalled.tolist() == [network.intersection_ids.index("C")]
    assert greens(network) == ["GGGr", "rrrG"]
    assert sum(durations_s(network)) == 50.0


def test_each_of_them_keeps_its_own_lamps_in_sumo(tmp_path):
    west = small.programme("D", [(25, "rrrr"), (25, "rrrG")])
    net = Crossroads(phases=[(20, "GGgr"), (3, "yyyr"), (27, "rrrr")], signal_of={WEST: "D"}, more=west)
    network = load(tmp_path, net)
    lamps = index_of_read(tmp_path / "small.net.xml", network).signals
    assert [(one.id, one.character, one.movement) for one in lamps] == [("C", (0, 1, 2), (0, 1, 2)), ("D", (3,), (3,))]
