"""Lanes whose movements have their greens apart: found where they are, and never left standing."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from intergreen.agents.controllers import parted_lanes
from intergreen.agents.controllers.parted_lanes import LONGEST_RED_S, PartedLanes
from intergreen.agents.deployment.names import decider_by_name
from intergreen.agents.evaluation.run import evaluate
from intergreen.agents.learning.drawn_phases import lefts_apart, with_phases
from intergreen.envs.demand import TurnShares, TurnSpec, generate_demand
from intergreen.envs.demand.walks import entry_roads
from intergreen.envs.network import TURN_LEFT, GridSpec, generate_grid
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import EMBEDDED, load_scenario

TIMING = protocol_by_name("literature-10-5")
ONE_LANE = generate_grid(GridSpec(rows=1, columns=1, lanes=1))
PARTED = with_phases(ONE_LANE, partial(lefts_apart, ONE_LANE))  # straight and right, then left, of opposing approaches


@pytest.fixture
def lanes():
    return PartedLanes(PARTED, TIMING.plan(PARTED))


def red(network, **by_movement):
    """(1, M) ten seconds for all but those that are named `m3=50`."""
    red_s = np.full((1, network.n_movements), 10, np.int32)
    for name, seconds in by_movement.items():
        red_s[0, int(name[1:])] = seconds
    return red_s


def left_turns(network):
    return np.flatnonzero(network.movement_turn == TURN_LEFT).tolist()


@pytest.mark.parametrize("name", EMBEDDED)
def test_no_lane_of_an_embedded_network_is_parted_and_every_wish_stands(name):
    network = load_scenario(name).network
    lanes = PartedLanes(network, TIMING.plan(network))
    wanted = np.zeros((1, len(network.signalled)), np.int32)
    everywhere = np.full((1, network.n_lanes), 9)
    assert lanes.first(wanted, everywhere, np.full((1, network.n_movements), 999, np.int32)) is wanted


def test_movement_on_such_a_lane_is_served_once_it_has_waited_for_long(lanes):
    plan = TIMING.plan(PARTED)
    standing = np.ones((1, PARTED.n_lanes), np.int32)
    for left in left_turns(PARTED):
        its = [phase for phase in plan.choices[0].tolist() if PARTED.phase_matrix(plan.intersection[0])[phase, left]]
        other = next(phase for phase in plan.choices[0].tolist() if phase not in its)
        wanted = np.array([[other]], np.int32)
        early, late = (red(PARTED, **{f"m{left}": s}) for s in (LONGEST_RED_S - 1, LONGEST_RED_S))
        assert lanes.first(wanted, standing, early).tolist() == [[other]]
        assert lanes.first(wanted, standing, late)[0, 0] in its
        assert lanes.first(wanted, 0 * standing, late).tolist() == [[other]]  # nobody is there
        assert wanted.tolist() == [[other]]
        served = np.array([its[:1]], np.int32)
        assert lanes.first(served, standing, late).tolist() == served.tolist()


def test_longest_red_comes_first_and_replicas_are_apart(lanes):
    plan = TIMING.plan(PARTED)
    matrix = PARTED.phase_matrix(plan.intersection[0])
    one, other = next(
        (a, b) for a in left_turns(PARTED) for b in left_turns(PARTED) if not (matrix[:, a] & matrix[:, b]).any()
    )
    red_s = np.concatenate(
        [red(PARTED, **{f"m{one}": 90, f"m{other}": 80}), red(PARTED, **{f"m{one}": 80, f"m{other}": 90}), red(PARTED)]
    )
    keep = np.full((3, 1), -1, np.int32)
    served = lanes.first(keep, np.ones((3, PARTED.n_lanes)), red_s)[:, 0]
    assert matrix[served[0], one]
    assert matrix[served[1], other]
    assert served[2] == -1


def test_count_that_is_no_number_calls_nobody(lanes):
    wanted = np.array([[0]], np.int32)
    unknown = np.full((1, PARTED.n_lanes), np.nan)
    assert lanes.first(wanted, unknown, np.full((1, PARTED.n_movements), 999, np.int32)).tolist() == [[0]]


@pytest.mark.parametrize("name", ["universal-refined", "universal"])
def test_policy_does_not_starve_who_turns_left_from_a_lane_that_others_share(name, monkeypatch):
    rates = {PARTED.road_ids[road]: 240.0 for road in entry_roads(PARTED)}
    demand = generate_demand(PARTED, TurnSpec(rates, TurnShares(left=0.2, straight=0.6, right=0.2), 1800), seed=0)
    scenario = replace(load_scenario("single"), network=PARTED, demand=demand, horizon_s=1800)

    def delay_s():
        return evaluate(scenario, decider_by_name(name), TIMING, seeds=[0])["metrics"]["delay_s"]["mean"]

    guarded = delay_s()
    monkeypatch.setattr(parted_lanes, "LONGEST_RED_S", 10**6)
    assert guarded < 0.7 * delay_s()
