"""Coordinated plans: one cycle, whole splits, and offsets that are the way between the signals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from network.test_approaches import movement_at, street

from intergreen.agents.controllers import controller_by_name
from intergreen.agents.controllers.coordination import (
    Chain,
    coordinated_programme,
    green_begins_s,
    heaviest_chains,
    travel_time_s,
    tree_of,
    whole_slots_s,
)
from intergreen.agents.controllers.programme import Share, cycle_shares, webster_programme
from intergreen.agents.evaluation.run import evaluate
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import load_scenario

PROTOCOLS = ("literature-10-5", "literature-5-2", "us-mutcd-5")
NETWORKS = ("arterial6", "grid4x4", "town")


def made(name, protocol, seed=None):
    scenario = load_scenario(name)
    plan = protocol_by_name(protocol).plan(scenario.network)
    flows = scenario.flows_vph()
    if seed is not None:
        flows = np.random.default_rng(seed).exponential(300.0, scenario.network.n_movements)
    return scenario.network, plan, flows, coordinated_programme(scenario.network, plan, flows)


@given(st.integers(0, 2**31), st.sampled_from(PROTOCOLS), st.sampled_from(NETWORKS))
def test_all_signals_have_one_cycle_and_every_phase_its_least_green(seed, protocol, name):
    network, plan, flows, programme = made(name, protocol, seed)
    assert len(set(programme.cycle_s.tolist())) == 1
    for i, share in enumerate(cycle_shares(network, plan, flows)):
        slots = np.diff(programme.end_s[i], prepend=0)
        slots = slots[slots > 0]
        assert programme.phase[i][: len(slots)].tolist() == share.turns
        assert (slots >= np.floor(share.lost_s + share.least_s)).all()
    assert ((programme.offset_s >= 0) & (programme.offset_s < programme.cycle_s)).all()


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("name", NETWORKS)
def test_offsets_along_the_tree_are_the_travel_time_modulo_the_cycle(name, protocol):
    network, plan, flows, programme = made(name, protocol)
    tree = tree_of(heaviest_chains(network, plan, cycle_shares(network, plan, flows), flows), plan.n_signals)
    assert len(tree) == plan.n_signals - 1
    cycle_s = int(programme.cycle_s[0])
    for chain in tree:
        green_s = [
            programme.offset_s[i] + green_begins_s(network, plan, programme, i, m)
            for i, m in ((chain.start, chain.first), (chain.end, chain.second))
        ]
        error_s = (green_s[1] - green_s[0] - chain.travel_s + cycle_s / 2) % cycle_s - cycle_s / 2
        assert abs(error_s) <= 1.0  # both offsets are whole seconds


def test_green_begins_where_the_offset_says():
    network, plan, _, programme = made("arterial6", "literature-10-5")
    transition_s = 5
    for i in range(plan.n_signals):
        j = int(plan.intersection[i])
        movement = int(network.movement_start[j] + np.flatnonzero(~network.phase_matrix(j)[0])[0])
        begins = programme.offset_s[i] + green_begins_s(network, plan, programme, i, movement)
        asked = int(begins) - transition_s  # the wish comes before the clearance
        serves = network.phase_matrix(j)[:, movement - network.movement_start[j]]
        assert serves[programme.wanted(asked + 1000 * int(programme.cycle_s[i]))[i]]
        assert not serves[programme.wanted(asked - 1 + 1000 * int(programme.cycle_s[i]))[i]]


def test_travel_time_is_length_over_speed():
    network = load_scenario("arterial6").network
    through = next(
        m for m in range(network.n_movements)
        if network.movement_turn[m] == 3 and network.lane_speed_limit_mps[network.start_lanes(m)[0]] > 13.0
        and not network.is_virtual[network.road_to[network.movement_to_road[m]]]
    )  # fmt: skip
    road = int(network.movement_to_road[through])
    lane, link = network.road_lane_start[road], network.movement_link_start[through]
    expected = (network.lane_length_m[lane] + network.link_length_m[link]) / 13.889
    assert travel_time_s(network, through, road) == pytest.approx(expected)


def test_a_chain_goes_over_the_cuts_in_a_street_to_the_next_signal(tmp_path):
    network = street(tmp_path, [80.0, 120.0, 40.0, 90.0, 50.0], signals=(1, 4))
    plan = protocol_by_name("resco").plan(network)
    flows = np.full(network.n_movements, 300.0)
    (chain,) = heaviest_chains(network, plan, cycle_shares(network, plan, flows), flows)
    ends = [network.intersection_ids[plan.intersection[i]] for i in (chain.start, chain.end)]
    assert ends == ["n1", "n4"]
    assert (chain.first, chain.second) == (movement_at(network, "n1"), movement_at(network, "n4"))
    inside_m = sum(
        network.link_length_m[network.movement_link_start[movement_at(network, name)]] for name in ("n1", "n2", "n3")
    )
    speed_mps = network.lane_speed_limit_mps[0]
    assert chain.travel_s == pytest.approx((120.0 + 40.0 + 90.0 + inside_m) / speed_mps, rel=0.02)


def test_tree_takes_the_heaviest_chains_that_close_no_circle():
    volumes = {(0, 1): 50.0, (1, 2): 900.0, (2, 0): 400.0, (3, 2): 10.0, (4, 5): 5.0}
    chains = [Chain(a, b, 0, 0, volume, 1.0) for (a, b), volume in volumes.items()]
    tree = [(chain.start, chain.end) for chain in tree_of(chains, 7)]
    assert tree[0] == (1, 2)
    assert sorted(tree) == [(1, 2), (2, 0), (3, 2), (4, 5)]


@given(
    st.lists(st.floats(0.0, 0.5), min_size=1, max_size=6),
    st.integers(0, 9),
    st.integers(0, 100),
)
def test_slots_are_whole_and_add_up_to_the_cycle(critical, lost_s, more_s):
    n = len(critical)
    share = Share(list(range(n)), np.array(critical), np.full(n, lost_s + 0.5), np.full(n, 5))
    cycle_s = int(np.ceil((share.lost_s + share.least_s).sum())) + more_s
    slots = whole_slots_s(share, cycle_s)
    assert slots.sum() == cycle_s
    assert (slots == np.round(slots)).all()
    assert (slots >= np.floor(share.lost_s + share.least_s)).all()


def test_without_an_offset_a_programme_is_what_it_was():
    network, plan, flows, _ = made("single", "literature-10-5")
    assert webster_programme(network, plan, flows).offset_s == 0


def test_coordination_beats_uncoordinated_plans_on_the_arterial():
    scenario, timing = load_scenario("arterial6"), protocol_by_name("literature-10-5")
    times = {
        name: evaluate(scenario, controller_by_name(name), timing, seeds=[0, 1])["metrics"]["average_travel_time_s"]
        for name in ("coordinated", "webster")
    }
    for ours, theirs in zip(times["coordinated"]["per_seed"], times["webster"]["per_seed"], strict=True):
        assert ours < theirs
