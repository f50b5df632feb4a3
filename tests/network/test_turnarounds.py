"""Who turns about beside others: no row of its own in what a policy sees, wherever the others' green serves it."""

from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest
from network.sumo_small import Crossroads

from intergreen.agents.deployment.proofs import signals_stated
from intergreen.envs.layout import make_layout
from intergreen.envs.network import GridSpec, generate_grid, read_sumo_network
from intergreen.envs.network.fingerprint import fingerprint_of
from intergreen.envs.network.turnarounds import turns_about_beside_others
from intergreen.envs.observation import DEFAULT_FEATURES
from intergreen.envs.signals import make_plan

SOUTH, NORTH, BACK, WEST = range(4)  # movements: the left turn of the small crossroads leads back north instead
ALWAYS_WITH_NORTH = ((20, "GGgr"), (3, "yyyr"), (25, "rrrG"), (2, "rrry"))
LONGER_THAN_NORTH = ((20, "GGgr"), (3, "yyyr"), (9, "rrgr"), (25, "rrrG"), (2, "rrry"))
APART_FROM_NORTH = ((20, "GGrr"), (3, "yyrr"), (9, "rrgr"), (25, "rrrG"), (2, "rrry"))


def network_of(tmp_path, phases, direction="t"):
    """The left turn leads back where it comes from, in that direction by the file."""
    left = 'from="in_N" to="{}" fromLane="0" toLane="0" via=":C_2_0" dir="{}"'
    xml = Crossroads(phases=phases).xml()
    assert left.format("out_E", "l") in xml
    file = tmp_path / "small.net.xml"
    file.write_text(xml.replace(left.format("out_E", "l"), left.format("out_N", direction)))
    return read_sumo_network(file)


@pytest.mark.parametrize("phases", [ALWAYS_WITH_NORTH, LONGER_THAN_NORTH])
def test_who_has_green_whenever_another_of_the_lane_has_is_served_with_it(tmp_path, phases):
    network = network_of(tmp_path, phases)
    assert np.flatnonzero(network.movement_turns_about).tolist() == [BACK]
    assert np.flatnonzero(turns_about_beside_others(network)).tolist() == [BACK]
    table = make_layout(network, make_plan(network)).table
    assert table.movement.tolist() == [SOUTH, NORTH, WEST]
    assert table.lane_share.tolist() == [1.0, 1.0, 1.0]  # nobody shares the lane with itself
    north_south, *_, west = table.phase_serves[table.choice_phase[0]].tolist()
    assert (north_south, west) == ([1, 1, 0], [0, 0, 1])


def test_who_has_green_at_other_times_has_a_row(tmp_path):
    network = network_of(tmp_path, APART_FROM_NORTH)
    assert not turns_about_beside_others(network).any()
    table = make_layout(network, make_plan(network)).table
    assert table.movement.tolist() == [SOUTH, NORTH, BACK, WEST]
    assert table.lane_share.tolist() == [1.0, 0.5, 0.5, 1.0]
    assert table.phase_serves[table.choice_phase[0]].tolist() == [[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]


def test_a_turn_into_another_street_between_the_same_places_has_a_row(tmp_path):
    network = network_of(tmp_path, ALWAYS_WITH_NORTH, direction="l")
    assert not network.movement_turns_about.any()
    assert not turns_about_beside_others(network).any()
    assert make_layout(network, make_plan(network)).table.movement.tolist() == [SOUTH, NORTH, BACK, WEST]


def test_who_turns_about_makes_another_fingerprint(tmp_path):
    """A bundle for the network was made for other rows."""
    prints = {fingerprint_of(network_of(tmp_path, ALWAYS_WITH_NORTH, direction)) for direction in "lt"}
    assert len(prints) == 2


@pytest.mark.parametrize(("direction", "rows"), [("t", [[SOUTH, NORTH, WEST]]), ("l", None)])
def test_a_bundle_says_which_movements_have_rows(tmp_path, direction, rows):
    """Whoever runs its graph by hand has to leave out the others."""
    small = SimpleNamespace(name="small", network=network_of(tmp_path, ALWAYS_WITH_NORTH, direction))
    (stated,) = signals_stated([small], ["literature-10-5"])
    assert len(stated["movements"]) == 4
    assert stated.get("rows") == rows


def test_networks_without_any_keep_every_row():
    network = generate_grid(GridSpec(rows=2, columns=2))
    assert not network.movement_turns_about.any()
    owned = [m for j in network.signalled for m in range(network.movement_start[j], network.movement_start[j + 1])]
    assert make_layout(network, make_plan(network)).table.movement.tolist() == owned


@pytest.mark.skipif(find_spec("sumo") is None, reason='no SUMO here: pip install "intergreen[sumo]"')
@pytest.mark.parametrize("lanes", [1, 2])
def test_policies_see_the_same_with_and_without_those_who_turn_about(tmp_path, lanes):
    from intergreen.envs.network.sumo_generated import run_netgenerate
    from intergreen.envs.sumo_net_file import sumo_program

    tables = []
    for without in (True, False):
        file = tmp_path / f"{without}.net.xml"
        options = {"grid": True, "grid.number": 2, "grid.attach-length": 200, "default.lanenumber": lanes}
        options |= {"default.junctions.type": "traffic_light", "no-turnarounds": without}
        run_netgenerate(file, options, netgenerate=sumo_program("netgenerate"), seed=0)
        network = read_sumo_network(file)
        assert network.movement_turns_about.any() != without
        table = make_layout(network, make_plan(network), features=DEFAULT_FEATURES).table
        tables.append((table, [network.movement_name(m) for m in table.movement]))
    (plain, names), (about, same_names) = tables
    order = [same_names.index(name) for name in names]
    assert sorted(order) == list(range(len(same_names)))
    np.testing.assert_array_equal(plain.lane_share, about.lane_share[order])
    np.testing.assert_array_equal(plain.turn, about.turn[order])
    np.testing.assert_array_equal(plain.choice_phase, about.choice_phase)
    np.testing.assert_array_equal(np.diff(plain.movement_start), np.diff(about.movement_start))
