"""Greens that must give way: by hand, against SUMO's own letters, and as observations tell them."""

from functools import partial
from importlib.util import find_spec
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intergreen.agents.learning.drawn_phases import permitted_left, with_phases
from intergreen.envs.layout import make_layout
from intergreen.envs.network import STRAIGHT, TURN_LEFT, TURN_RIGHT, GridSpec, generate_grid
from intergreen.envs.network.sumo import read_sumo_network
from intergreen.envs.observation import (
    ALL_FEATURES,
    COMING_BINS,
    DEFAULT_FEATURES,
    N_BINS,
    ONCOMING,
    YIELDING,
    YIELDING_SHARE,
)
from intergreen.envs.observation_arrays import make_gathers, observe_arrays, vectors
from intergreen.envs.senses import observe_all
from intergreen.envs.signals import SignalStatus, make_plan
from intergreen.envs.simulation import Counts
from intergreen.envs.yielding import goes_second

PROTECTED = generate_grid(GridSpec(rows=1, columns=2))
PERMITTED = with_phases(PROTECTED, partial(permitted_left, PROTECTED))  # opposing approaches together, left turns and all
SEES = (*DEFAULT_FEATURES, YIELDING)


def shares(network, features=SEES):
    """(all phases, M)"""
    return make_layout(network, make_plan(network), features=features).table.phase_share


def observed(network, features, waiting=None, arriving=None):
    """Compiled, and by whole arrays; waiting (B, L) and arriving (B, L, bins), nobody if left out."""
    layout = make_layout(network, make_plan(network), features=features)
    waiting = np.zeros((1, network.n_lanes), np.int32) if waiting is None else waiting
    b = len(waiting)
    arriving = np.zeros((b, network.n_lanes, N_BINS), np.int32) if arriving is None else arriving
    vehicles = waiting + arriving.sum(axis=2, dtype=np.int32)
    counts = Counts(vehicles, waiting, waiting, arriving, np.zeros((b, network.n_lanes)))
    none = np.zeros((b, layout.n_signals), np.int32)
    red_s, granted = np.zeros((b, network.n_movements), np.int32), np.ones((b, network.n_phases), np.uint8)
    signals = SignalStatus(none, none, red_s, granted, none)
    in_32_bits = [one.astype(np.float32) for one in (waiting, vehicles, np.moveaxis(arriving, 2, 0))]
    by_arrays = vectors(observe_arrays(*in_32_bits, signals, 10, make_gathers(layout)))
    return layout.blocks, observe_all(counts, signals, 10, layout).reshape(by_arrays.shape), by_arrays


def test_left_turns_across_a_green_count_half_and_everything_else_in_full():
    share = shares(PERMITTED)
    table = make_layout(PERMITTED, make_plan(PERMITTED), features=SEES).table
    for i, j in enumerate(PERMITTED.signalled):
        turn = PERMITTED.movement_turn[PERMITTED.movements_of(int(j))]
        rows = slice(table.phase_start[i] + 1, table.phase_start[i + 1])  # behind the clearance
        assert len(share[rows]) == 2
        for row in share[rows]:
            assert set(row[turn == TURN_LEFT]) == {0.0, YIELDING_SHARE}
            assert set(row[turn == STRAIGHT]) == {0.0, 1.0}
            assert (row[turn == TURN_RIGHT] == 1.0).all()  # they yield, but in every choice alike


def test_green_that_nobody_crosses_counts_in_full():
    np.testing.assert_array_equal(shares(PROTECTED), shares(PROTECTED, DEFAULT_FEATURES))


def test_who_does_not_ask_is_told_of_greens_alone():
    assert set(shares(PERMITTED, DEFAULT_FEATURES).ravel()) == {0.0, 1.0}


@pytest.mark.parametrize("features", [SEES, DEFAULT_FEATURES], ids=["asked", "not asked"])
def test_observations_tell_the_shares_compiled_or_not_and_differ_in_nothing_else(features):
    blocks, compiled, by_arrays = observed(PERMITTED, features)
    np.testing.assert_array_equal(compiled, by_arrays)
    plain = observed(PERMITTED, DEFAULT_FEATURES)[1]
    np.testing.assert_array_equal(compiled[:, : blocks.serves_at], plain[:, : blocks.serves_at])
    serves = compiled[:, blocks.serves_at :]
    assert set(serves.ravel()) == ({0.0, YIELDING_SHARE, 1.0} if YIELDING in features else {0.0, 1.0})
    np.testing.assert_array_equal(np.ceil(serves), plain[:, blocks.serves_at :])


@pytest.mark.parametrize("where", ["waits", "near", "far"])
def test_a_green_counts_half_while_somebody_comes_who_goes_first(where):
    """Nobody else changes what is told: those behind who turn left themselves, or on the streets across."""
    network, plan = PERMITTED, make_plan(PERMITTED)
    second, first = (pairs.tolist() for pairs in goes_second(network))
    lanes = [set(network.link_from_lane[network.link_movement == m].tolist()) for m in range(network.n_movements)]
    layout = make_layout(network, plan, features=(*DEFAULT_FEATURES, ONCOMING))
    table, blocks = layout.table, layout.blocks
    halves = 0
    for lane in range(network.n_lanes):
        waiting = np.zeros((1, network.n_lanes), np.int32)
        arriving = np.zeros((1, network.n_lanes, N_BINS), np.int32)
        if where == "waits":
            waiting[0, lane] = 1
        else:
            arriving[0, lane, COMING_BINS - 1 if where == "near" else COMING_BINS] = 1
        _, compiled, by_arrays = observed(network, layout.features, waiting, arriving)
        np.testing.assert_array_equal(compiled, by_arrays)
        told = compiled[:, blocks.serves_at :].reshape(-1, blocks.choices, blocks.movements)
        for i, j in enumerate(plan.intersection.tolist()):
            movements = network.movements_of(j)
            for c in range(int(plan.n_choices[i])):
                row = table.phase_serves[table.phase_start[i] + plan.choices[i, c]]
                served = [m for m, one in zip(range(movements.start, movements.stop), row, strict=False) if one]
                for place, m in enumerate(range(movements.start, movements.stop)):
                    over = [b for a, b in zip(second, first, strict=True) if a == m and b in served]
                    yields = network.movement_turn[m] == TURN_LEFT and any(lane in lanes[b] for b in over)
                    expected = 0.0 if m not in served else YIELDING_SHARE if yields and where != "far" else 1.0
                    assert told[i, c, place] == expected
                    halves += expected == YIELDING_SHARE
    assert (halves > 0) == (where != "far")


@given(seed=st.integers(0, 2**32 - 1), people=st.sampled_from([0.01, 0.1, 1.0]))
def test_who_comes_is_told_alike_compiled_or_not_and_between_nobody_and_everybody(seed, people):
    random = np.random.default_rng(seed)
    waiting = random.poisson(people, (3, PERMITTED.n_lanes)).astype(np.int32)
    arriving = random.poisson(people, (3, PERMITTED.n_lanes, N_BINS)).astype(np.int32)
    blocks, compiled, by_arrays = observed(PERMITTED, ALL_FEATURES, waiting, arriving)
    np.testing.assert_array_equal(compiled, by_arrays)
    without = tuple(name for name in ALL_FEATURES if name != ONCOMING)
    least = observed(PERMITTED, without, waiting, arriving)[1]
    np.testing.assert_array_equal(compiled[:, : blocks.serves_at], least[:, : blocks.serves_at])
    told, least = compiled[:, blocks.serves_at :], least[:, blocks.serves_at :]
    assert set(told.ravel()) <= {0.0, YIELDING_SHARE, 1.0}
    assert (least <= told).all()
    assert (told <= np.ceil(least)).all()


def test_what_was_told_of_somebody_is_told_no_more_once_nobody_comes():
    layout = make_layout(PERMITTED, make_plan(PERMITTED), features=(*DEFAULT_FEATURES, ONCOMING))
    gathers, shape = make_gathers(layout), (1, PERMITTED.n_lanes)
    none = np.zeros((1, layout.n_signals), np.int32)
    red_s, granted = np.zeros((1, PERMITTED.n_movements), np.int32), np.ones((1, PERMITTED.n_phases), np.uint8)
    signals = SignalStatus(none, none, red_s, granted, none)
    arriving = np.zeros((N_BINS, *shape), np.float32)
    room = observe_arrays(np.ones(shape, np.float32), np.ones(shape, np.float32), arriving, signals, 10, gathers)
    assert YIELDING_SHARE in room.serves
    nobody = np.zeros(shape, np.float32)
    assert YIELDING_SHARE not in observe_arrays(nobody, nobody, arriving, signals, 10, gathers, room).serves


@pytest.mark.skipif(find_spec("sumo") is None, reason='no SUMO here: pip install "intergreen[sumo]"')
@pytest.mark.parametrize("lanes", [1, 2, 3])
def test_where_sumo_writes_a_small_g_a_green_counts_half(lanes, tmp_path):
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
    worth = {"G": 1.0, "g": YIELDING_SHARE, "r": 0.0, "y": np.nan}
    states = [[worth[one.get("state")[k]] for k in columns] for one in root.iter("phase")]
    greens = [row for row in states if not np.isnan(row).any()]
    assert shares(network).tolist() == greens
    assert any(YIELDING_SHARE in row for row in greens)
