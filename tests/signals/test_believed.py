"""What the source of a network is believed in is named, junction by junction."""

from dataclasses import replace

import numpy as np
import pytest

from intergreen.envs.network import GridSpec, generate_grid
from intergreen.envs.network.road_network import STRAIGHT
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import load_scenario, scenario_names
from intergreen.envs.signals.believed import believed_lines, junctions_believed


def believed(network, protocol="literature-10-5", **plan):
    return junctions_believed(protocol_by_name(protocol).plan(network, **plan), network)


def test_programme_that_changes_without_clearance_is_named_where_it_is_shown_as_it_stands():
    network = load_scenario("single").network
    assert believed(network, own_clearance=True)["changes_without_clearance"] == ["intersection_1_1"]
    assert believed(network)["changes_without_clearance"] == []
    assert believed(network, "us-mutcd-5", own_clearance=True)["changes_without_clearance"] == []


def everybody_at_once():
    """A crossroads whose only phase has all straight movements."""
    network = generate_grid(GridSpec(rows=1, columns=1))
    everybody = np.flatnonzero(network.movement_turn == STRAIGHT).astype(np.int32)
    return replace(
        network,
        phase_start=np.minimum(network.phase_start, 1).astype(np.int32),
        phase_duration_s=np.array([30.0]),
        phase_movement_start=np.array([0, len(everybody)], np.int32),
        phase_movements=everybody,
    )


def test_junction_with_conflicting_movements_in_its_only_phase_is_named():
    assert believed(generate_grid(GridSpec(rows=1, columns=1)))["open_junctions"] == []
    open_one = everybody_at_once()
    assert believed(open_one)["open_junctions"] == ["intersection_1_1"]
    (line,) = believed_lines(protocol_by_name("literature-10-5").plan(open_one), open_one)
    assert line == "intersection_1_1: conflicting movements have green together all the time, as the file has it"


@pytest.mark.parametrize("name", [name for name in scenario_names() if name != "city1024"])
def test_straight_streams_cross_under_green_only_where_sumos_file_has_one_of_them_yield(name):
    network = load_scenario(name).network
    crossing = believed(network, load_scenario(name).default_protocol)["crossing_streams"]
    assert crossing == (["cluster_1427494838_273472399"] if name == "resco/ingolstadt21" else [])
