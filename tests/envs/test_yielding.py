"""Who goes second where two have green: by hand, and by SUMO's own letters."""

from functools import partial
from importlib.util import find_spec
from xml.etree import ElementTree

import numpy as np
import pytest

from intergreen.agents.learning.drawn_phases import permitted_left, with_phases
from intergreen.envs.network import STRAIGHT, TURN_LEFT, TURN_RIGHT, GridSpec, generate_grid
from intergreen.envs.network.sumo import read_sumo_network
from intergreen.envs.yielding import goes_second


def test_left_turns_give_way_to_those_who_come_towards_them_and_straight_traffic_to_nobody_beside_it():
    network = generate_grid(GridSpec(rows=1, columns=2))
    network = with_phases(network, partial(permitted_left, network))  # opposing approaches together
    second, first = goes_second(network)
    turn = network.movement_turn
    for j in network.signalled.tolist():
        here = network.movement_intersection[second] == j
        begin = int(network.movement_start[j])
        for phase in network.phase_matrix(j)[1:]:  # behind the clearance
            green = np.flatnonzero(phase) + begin
            beside = here & np.isin(second, green) & np.isin(first, green)
            lefts = {int(m) for m in green if turn[m] == TURN_LEFT}
            assert {int(m) for m in second[beside] if turn[m] != TURN_RIGHT} == lefts
            over = {int(m) for m in first[beside & (turn[second] == TURN_LEFT)]}
            assert {int(m) for m in green if turn[m] == STRAIGHT} <= over


@pytest.mark.skipif(find_spec("sumo") is None, reason='no SUMO here: pip install "intergreen[sumo]"')
@pytest.mark.parametrize("lanes", [1, 2, 3])
def test_who_has_green_yields_where_sumo_writes_a_small_g(lanes, tmp_path):
    from intergreen.envs.network.sumo_generated import run_netgenerate
    from intergreen.envs.sumo_net_file import sumo_program

    file = tmp_path / "one.net.xml"
    options = {"grid": True, "grid.number": 1, "grid.attach-length": 200, "default.lanenumber": lanes}
    options |= {"default.junctions.type": "traffic_light", "no-turnarounds": True}
    run_netgenerate(file, options, netgenerate=sumo_program("netgenerate"), seed=0)
    root, network = ElementTree.parse(file).getroot(), read_sumo_network(file)
    links = {
        f"{one.get('from')} -> {one.get('to')}": int(one.get("linkIndex"))
        for one in root.iter("connection")
        if one.get("tl")
    }
    movements = network.movements_of(int(network.signalled[0]))
    columns = [links[network.movement_name(m)] for m in range(movements.start, movements.stop)]
    letters = [[one.get("state")[k] for k in columns] for one in root.iter("phase")]
    greens = [row for row in letters if "y" not in row]
    second, first = (movements_of_pairs - movements.start for movements_of_pairs in goes_second(network))
    yields = 0
    for row, phase in zip(greens, network.phase_matrix(int(network.signalled[0])), strict=True):
        gives_way = {int(m) for m in second[phase[second] & phase[first]]}
        assert gives_way == {m for m, letter in enumerate(row) if letter == "g"}
        assert set(np.flatnonzero(phase).tolist()) == {m for m, letter in enumerate(row) if letter != "r"}
        yields += len(gives_way)
    assert yields > 0
