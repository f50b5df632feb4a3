"""Lanes that a movement closes for others: found where they are, and who closes them goes first, within bounds."""

import itertools
from dataclasses import replace
from functools import partial
from importlib.util import find_spec

import numpy as np
import pytest
from network import sumo_small as small

from intergreen.agents.controllers import parted_lanes
from intergreen.agents.controllers.parted_lanes import BEFORE_OTHERS_S, LONGEST_RED_S, PartedLanes
from intergreen.agents.deployment.names import decider_by_name
from intergreen.agents.evaluation.run import evaluate
from intergreen.agents.learning.drawn_phases import lefts_apart, with_phases
from intergreen.envs.demand import TurnShares, TurnSpec, generate_demand
from intergreen.envs.demand.walks import entry_roads
from intergreen.envs.network import STRAIGHT, TURN_LEFT, GridSpec, generate_grid, read_sumo_network
from intergreen.envs.network.approaches import approach_lanes
from intergreen.envs.network.sumo_generated import generate_sumo_network
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import EMBEDDED, load_scenario

LEARNER = "universal-0"  # starves who waits on a shared lane, as those for which the rule was made
TIMING = protocol_by_name("literature-10-5")
ONE_LANE = generate_grid(GridSpec(rows=1, columns=1, lanes=1))
PARTED = with_phases(ONE_LANE, partial(lefts_apart, ONE_LANE))  # straight and right, then left, of opposing approaches

needs_sumo = pytest.mark.skipif(find_spec("sumo") is None, reason='no SUMO here: pip install "intergreen[sumo]"')


@pytest.fixture
def lanes():
    return PartedLanes(PARTED, TIMING.plan(PARTED))


def red(network, **by_movement):
    """(1, M) ten seconds for all but those that are named `m3=50`."""
    red_s = np.full((1, network.n_movements), 10, np.int32)
    for name, seconds in by_movement.items():
        red_s[0, int(name[1:])] = seconds
    return red_s


def everything(network, replicas=1):
    """(B, P) all phases granted."""
    return np.ones((replicas, network.n_phases), np.uint8)


def left_turns(network):
    return np.flatnonzero(network.movement_turn == TURN_LEFT).tolist()


@pytest.mark.parametrize("name", EMBEDDED)
def test_no_lane_of_an_embedded_network_is_parted_and_every_wish_stands(name):
    network = load_scenario(name).network
    lanes = PartedLanes(network, TIMING.plan(network))
    wanted = np.zeros((1, len(network.signalled)), np.int32)
    standing = np.full((1, network.n_lanes), 9)
    assert (
        lanes.first(wanted, standing, np.full((1, network.n_movements), 999, np.int32), everything(network)) is wanted
    )


def other_phases(network, plan, movement):
    """Without the movement: with others of its road, and with none of them."""
    matrix = network.phase_matrix(plan.intersection[0])
    road = network.movement_from_road
    red_somewhere = ~matrix[plan.choices[0]].all(axis=0)
    beside = [m for m in np.flatnonzero(red_somewhere) if road[m] == road[movement] and m != movement]
    without = [phase for phase in plan.choices[0].tolist() if not matrix[phase, movement]]
    with_others = [phase for phase in without if matrix[phase, beside].any()]
    return with_others, [phase for phase in without if phase not in with_others]


def test_movement_goes_before_the_others_of_its_lane_and_waits_for_the_side_street(lanes):
    plan = TIMING.plan(PARTED)
    standing = np.ones((1, PARTED.n_lanes), np.int32)
    for left in left_turns(PARTED):
        its = [phase for phase in plan.choices[0].tolist() if PARTED.phase_matrix(plan.intersection[0])[phase, left]]
        with_others, without = other_phases(PARTED, plan, left)
        assert with_others
        assert without
        for wish, longest_s in [(with_others[0], BEFORE_OTHERS_S), (without[0], LONGEST_RED_S), (-1, LONGEST_RED_S)]:
            wanted = np.array([[wish]], np.int32)
            early, late = (red(PARTED, **{f"m{left}": s}) for s in (longest_s - 1, longest_s))
            assert lanes.first(wanted, standing, early, everything(PARTED)).tolist() == [[wish]]
            assert lanes.first(wanted, standing, late, everything(PARTED))[0, 0] in its
            assert lanes.first(wanted, 0 * standing, late, everything(PARTED)).tolist() == [[wish]]  # nobody is there
            assert wanted.tolist() == [[wish]]
        served = np.array([its[:1]], np.int32)
        assert lanes.first(served, standing, late, everything(PARTED)).tolist() == served.tolist()


def test_longest_red_comes_first_and_replicas_are_apart(lanes):
    plan = TIMING.plan(PARTED)
    matrix = PARTED.phase_matrix(plan.intersection[0])
    one, other = next(
        (a, b) for a in left_turns(PARTED) for b in left_turns(PARTED) if not (matrix[:, a] & matrix[:, b]).any()
    )
    long, longer = LONGEST_RED_S, LONGEST_RED_S + 10
    red_s = np.concatenate(
        [
            red(PARTED, **{f"m{one}": longer, f"m{other}": long}),
            red(PARTED, **{f"m{one}": long, f"m{other}": longer}),
            red(PARTED),
        ]
    )
    keep = np.full((3, 1), -1, np.int32)
    served = lanes.first(keep, np.ones((3, PARTED.n_lanes)), red_s, everything(PARTED, 3))[:, 0]
    assert matrix[served[0], one]
    assert matrix[served[1], other]
    assert served[2] == -1


def test_every_signal_serves_its_own():
    network = generate_grid(GridSpec(rows=1, columns=2, lanes=1))
    network = with_phases(network, partial(lefts_apart, network))
    plan = TIMING.plan(network)
    lanes, standing = PartedLanes(network, plan), np.ones((1, network.n_lanes), np.int32)
    for i, j in enumerate(plan.intersection.tolist()):
        first, past = network.movement_start[j : j + 2].tolist()
        for left in (m for m in left_turns(network) if first <= m < past):
            late = red(network, **{f"m{left}": LONGEST_RED_S})
            (served,) = lanes.first(np.full((1, 2), -1, np.int32), standing, late, everything(network))
            assert network.phase_matrix(j)[served[i], left - first]
            assert served[1 - i] == -1


def test_nobody_who_has_waited_longer_is_passed_over(lanes):
    plan = TIMING.plan(PARTED)
    matrix, standing = PARTED.phase_matrix(plan.intersection[0]), np.ones((1, PARTED.n_lanes), np.int32)
    left = left_turns(PARTED)[0]
    _, without = other_phases(PARTED, plan, left)
    wanted = np.array([[without[0]]], np.int32)
    side = np.flatnonzero(matrix[without[0]] & ~matrix[plan.choices[0]].all(axis=0))
    longer = {f"m{m}": LONGEST_RED_S + 1 for m in side}
    as_long = red(PARTED, **longer | {f"m{left}": LONGEST_RED_S})
    assert lanes.first(wanted, standing, as_long, everything(PARTED)).tolist() == wanted.tolist()
    alone = np.zeros_like(standing)
    alone[0, PARTED.start_lanes(left)] = 1  # who has waited longer is not there
    assert matrix[lanes.first(wanted, alone, as_long, everything(PARTED))[0, 0], left]


def test_nothing_is_wished_that_the_shield_would_refuse(lanes):
    standing = np.ones((1, PARTED.n_lanes), np.int32)
    late = red(PARTED, **{f"m{left_turns(PARTED)[0]}": LONGEST_RED_S})
    keep = np.array([[-1]], np.int32)
    assert lanes.first(keep, standing, late, everything(PARTED))[0, 0] >= 0
    assert lanes.first(keep, standing, late, 0 * everything(PARTED)).tolist() == [[-1]]


def test_rule_does_not_drive_the_runtime_from_its_policy():
    bundle = decider_by_name("universal")
    evaluate(scenario_on(PARTED, vph=120.0), bundle, protocol_by_name("us-mutcd-5"), seeds=[0])
    assert bundle.decisions_by_rung[1:].tolist() == [0] * (len(bundle.decisions_by_rung) - 1)


def test_count_that_is_no_number_calls_nobody(lanes):
    wanted = np.array([[0]], np.int32)
    unknown = np.full((1, PARTED.n_lanes), np.nan)
    assert lanes.first(
        wanted, unknown, np.full((1, PARTED.n_movements), 999, np.int32), everything(PARTED)
    ).tolist() == [[0]]


def test_rule_lets_a_learner_starve_fewer_on_a_lane_that_others_share(monkeypatch):
    guarded = delay_s(PARTED, LEARNER)
    turn_off(monkeypatch)
    assert guarded < 0.7 * delay_s(PARTED, LEARNER)


@pytest.mark.parametrize("name", ["universal-refined", "universal"])
def test_policy_does_not_starve_who_turns_left_from_a_lane_that_others_share(name, monkeypatch):
    guarded = delay_s(PARTED, name)
    assert guarded < 0.65 * delay_s(PARTED, "max-pressure")  # which has no such rule
    turn_off(monkeypatch)
    starving = delay_s(PARTED, LEARNER)
    assert guarded < 0.7 * starving
    assert guarded < delay_s(PARTED, name) < starving  # alone, it starves fewer than the learner it came from


def turn_off(monkeypatch):
    for seconds in ("BEFORE_OTHERS_S", "LONGEST_RED_S"):
        monkeypatch.setattr(parted_lanes, seconds, 10**6)


def leading_and_lagging(network):
    """Of each street: one approach, straight on from both, the other approach."""
    turn, road = network.movement_turn, network.movement_from_road
    conflicts = network.conflict_matrix(network.signalled[0])
    straight = np.flatnonzero(turn == STRAIGHT).tolist()
    phases = []
    for one, other in itertools.combinations(straight, 2):
        if not conflicts[one, other]:
            leads, lags = (set(np.flatnonzero(road == road[m]).tolist()) for m in (one, other))
            phases += [leads, {m for m in leads | lags if turn[m] != TURN_LEFT}, lags]
    return with_phases(network, lambda _: phases)


def test_left_turn_between_lead_and_lag_is_served_before_both_straight(monkeypatch):
    network = leading_and_lagging(ONE_LANE)
    plan = TIMING.plan(network)
    lanes, matrix = PartedLanes(network, plan), network.phase_matrix(plan.intersection[0])
    standing = np.ones((1, network.n_lanes), np.int32)
    for left in left_turns(network):
        with_others, without = other_phases(network, plan, left)
        late = red(network, **{f"m{left}": LONGEST_RED_S})
        assert len(with_others) == 1
        assert matrix[lanes.first(np.array([with_others], np.int32), standing, late, everything(network))[0, 0], left]
        for wish in without:  # both have green together in another phase: the lane does not stand for ever
            assert lanes.first(np.array([[wish]], np.int32), standing, late, everything(network)).tolist() == [[wish]]
    guarded = delay_s(network, "universal-refined", vph=300.0)
    turn_off(monkeypatch)
    assert guarded < 0.7 * delay_s(network, "universal-refined", vph=300.0)


def delay_s(network, name, *, vph=240.0):
    scenario = scenario_on(network, vph=vph)
    return evaluate(scenario, decider_by_name(name), TIMING, seeds=[0])["metrics"]["delay_s"]["mean"]


def scenario_on(network, *, vph):
    rates = {network.road_ids[road]: vph for road in entry_roads(network)}
    demand = generate_demand(network, TurnSpec(rates, TurnShares(left=0.25, straight=0.6, right=0.15), 1800), seed=0)
    return replace(load_scenario("single"), network=network, demand=demand, horizon_s=1800)


def with_pockets(length_m):
    """A junction of one lane a road, which becomes two so far before the middle; left turns in phases of their own."""
    from intergreen.envs.sumo_net_file import sumo_program

    options = {
        "grid": True, "grid.x-number": 1, "grid.y-number": 1, "grid.attach-length": 200, "default.lanenumber": 1,
        "turn-lanes": 1, "turn-lanes.length": length_m, "default.junctions.type": "traffic_light",
        "no-turnarounds": True,
    }  # fmt: skip
    network = generate_sumo_network("pockets", options, netgenerate=sumo_program("netgenerate"), seed=0)
    return with_phases(network, partial(lefts_apart, network))


def test_road_cut_many_times_has_few_ways(tmp_path):
    """Two lanes that both lead onto both of the next edge: 2 to the 25th ways, of which two count."""
    lengths = [200.0, *25 * [2.0], 50.0]
    last = len(lengths) - 1
    parts = [
        f'<connection from="e{k - 1}" to="e{k}" fromLane="{a}" toLane="{b}" '
        + ('tl="light" linkIndex="0"/>' if k == last else "/>")
        for k in range(1, len(lengths))
        for a, b in itertools.product((0, 1), repeat=2)
    ]
    parts.append(small.programme("light", ((20, "G"), (3, "y"), (10, "r"))))
    path = tmp_path / "cut.net.xml"
    path.write_text(small.street([2] * len(lengths), lengths, "".join(parts)))
    network = read_sumo_network(path)
    road = network.road_ids.index(f"e{last - 1}")
    (movement,) = np.flatnonzero(network.movement_from_road == road).tolist()
    approach = approach_lanes(network, movement).tolist()
    ways = parted_lanes._ways_by_lane(network, movement, approach)
    assert sorted(ways) == sorted(approach)
    assert {len(some) for some in ways.values()} == {1, 2}
    assert max(len(way) for some in ways.values() for way in some) == 25


@needs_sumo
@pytest.mark.parametrize(("length_m", "fill_it"), [(30, 3), (20, 1), (15, 1)])  # pockets of 17.2, 7.2 and 2.2 m
def test_pocket_closes_the_lane_before_it_once_it_is_full(length_m, fill_it):
    network = with_pockets(length_m)
    lanes = PartedLanes(network, TIMING.plan(network))
    for left in left_turns(network):
        (pocket,) = network.start_lanes(left)
        (before,) = set(approach_lanes(network, left).tolist()) - {pocket}
        late = red(network, **{f"m{left}": LONGEST_RED_S})
        keep = np.array([[-1]], np.int32)

        def served(in_pocket, on_lane, pocket=pocket, before=before, late=late, keep=keep):
            standing = np.zeros((1, network.n_lanes), np.int32)
            standing[0, [pocket, before]] = in_pocket, on_lane
            return lanes.first(keep, standing, late, everything(network))[0, 0]

        assert network.phase_matrix(network.signalled[0])[served(fill_it, 1), left]
        assert served(fill_it - 1, 1) == -1
        assert served(fill_it, 0) == -1


@needs_sumo
@pytest.mark.parametrize("name", [LEARNER, "universal-refined", "universal"])
def test_policy_does_not_starve_who_waits_before_a_full_pocket(name, monkeypatch):
    network = with_pockets(20)
    guarded = delay_s(network, name, vph=300.0)
    turn_off(monkeypatch)
    assert guarded < 0.3 * delay_s(network, LEARNER, vph=300.0)
