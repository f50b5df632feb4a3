"""Signals between which nobody fits who must give way: found where they are, and kept from locking."""

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

from intergreen.agents.controllers import controller_by_name, near_signals
from intergreen.agents.controllers.near_signals import LONGEST_RED_S, NEAR_M, REMEMBERED_S, NearSignals
from intergreen.agents.controllers.parted_lanes import standing_room
from intergreen.agents.evaluation.run import evaluate
from intergreen.agents.learning.drawn_phases import with_phases
from intergreen.envs import benchmarks
from intergreen.envs.network import TURN_LEFT, GridSpec, generate_grid
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import EMBEDDED, load_scenario
from intergreen.envs.signals import SignalStatus

TIMING = protocol_by_name("literature-10-5")
PERMITTED, LEADS, LAGS, SIDE = range(4)  # phases of `near`: of the street both signals stand on, and the other one


def near(spacing_m=50.0):
    """Two signals in a street whose left turns give way to who comes towards them, or go before them."""
    grid = generate_grid(GridSpec(rows=1, columns=2, lanes=2, spacing_x_m=spacing_m))
    road = grid.movement_from_road
    along = {r: abs(float(np.ptp(_points(grid, r)[:, 0]))) > 1.0 for r in np.unique(road).tolist()}

    def phases(greens):
        movements = sorted(set().union(*greens))
        street = [m for m in movements if along[int(road[m])]]
        approaches = sorted({int(road[m]) for m in street})
        return [
            set(street),
            *({m for m in street if road[m] == approach} for approach in approaches),
            {m for m in movements if m not in street},
        ]

    return with_phases(grid, phases)


def _points(network, road):
    lane = int(network.road_lane_start[road])
    return network.lane_points[network.lane_point_start[lane] : network.lane_point_start[lane + 1]]


NEAR = near()
PLAN = TIMING.plan(NEAR)


def between(network):
    """For each signal: lanes of its road from the other one, and the phase in which these have green alone."""
    found = []
    for j in network.signalled.tolist():
        (road,) = (
            r
            for r in np.unique(network.movement_from_road[network.movements_of(j)]).tolist()
            if int(network.road_from[r]) in set(network.signalled.tolist())
        )
        movements = np.flatnonzero(network.movement_from_road == road)
        matrix = network.phase_matrix(j)
        serves = matrix[:, movements - network.movement_start[j]]
        alone = [p for p in (LEADS, LAGS) if serves[p].all()]
        found.append((range(*network.road_lane_start[road : road + 2].tolist()), alone[0]))
    return found


def status(network, phase, *, granted=None, red_s=None):
    everywhere = np.array([phase], np.int32)
    return SignalStatus(
        phase=everywhere,
        green_s=np.full_like(everywhere, 10),
        red_s=np.zeros((1, network.n_movements), np.int32) if red_s is None else red_s[None],
        granted=np.ones((1, network.n_phases), np.uint8) if granted is None else granted[None],
        overruled=np.zeros_like(everywhere),
    )


def wished(wanted, *, vehicles=None, phase=(PERMITTED, PERMITTED), network=NEAR, filled_s=10, **told):
    """What becomes of the wishes, so many seconds after all roads were full."""
    counts = np.zeros(network.n_lanes) if vehicles is None else vehicles
    signals, wishes = NearSignals(network, TIMING.plan(network)), np.array([wanted], np.int32)
    signals.apart(wishes, np.full((1, network.n_lanes), 9.0), status(network, phase), 0)
    return signals.apart(wishes, counts[None], status(network, phase, **told), filled_s)[0].tolist()


def on_lanes(which, n):
    vehicles = np.zeros(NEAR.n_lanes)
    vehicles[list(which)] = n
    return vehicles


@pytest.mark.parametrize("name", EMBEDDED)
def test_embedded_networks_have_no_such_signals_and_every_wish_stands(name):
    network = load_scenario(name).network
    plan = TIMING.plan(network)
    wanted = np.zeros((1, plan.n_signals), np.int32)
    signals = NearSignals(network, plan)
    assert signals.apart(wanted, np.full((1, network.n_lanes), 9), status(network, wanted[0].tolist()), 0) is wanted


def test_one_of_two_lets_others_turn_where_both_would():
    (lanes, alone), (other_lanes, other_alone) = between(NEAR)
    assert wished((PERMITTED, PERMITTED), vehicles=on_lanes(lanes, 1)) == [alone, PERMITTED]
    assert wished((PERMITTED, PERMITTED), vehicles=on_lanes(other_lanes, 1)) == [PERMITTED, other_alone]


def test_road_that_has_been_full_is_remembered_for_a_while():
    (lanes, alone), _ = between(NEAR)
    one = {"vehicles": on_lanes(lanes, 1)}
    assert wished((PERMITTED, PERMITTED), filled_s=REMEMBERED_S - 1, **one) == [alone, PERMITTED]
    assert wished((PERMITTED, PERMITTED), filled_s=REMEMBERED_S, **one) == [PERMITTED, PERMITTED]


def test_each_copy_remembers_its_own_roads_and_begins_with_none():
    (lanes, alone), _ = between(NEAR)
    wishes, few = np.full((2, 2), PERMITTED, np.int32), np.stack([on_lanes(lanes, 1), on_lanes(lanes, 1)])
    told = SignalStatus(*(np.repeat(field, 2, axis=0) for field in status(NEAR, (PERMITTED, PERMITTED))))
    signals, full = NearSignals(NEAR, PLAN), few.copy()
    assert signals.apart(wishes, few, told, 1_000_000).tolist() == wishes.tolist()
    full[1, lanes] = 9
    signals.apart(wishes, full, told, 1_000_010)
    assert signals.apart(wishes, few, told, 1_000_020).tolist() == [[PERMITTED, PERMITTED], [alone, PERMITTED]]


@pytest.mark.parametrize("wish", [(PERMITTED, SIDE), (SIDE, PERMITTED), (PERMITTED, -1), (LEADS, LAGS), (SIDE, SIDE)])
def test_wishes_of_which_one_lets_nobody_turn_stand(wish):
    assert wished(wish, vehicles=np.full(NEAR.n_lanes, 9.0)) == list(wish)


def test_who_goes_first_already_is_served_on():
    (_, alone), (lanes, _) = between(NEAR)
    assert wished((PERMITTED, PERMITTED), vehicles=on_lanes(lanes, 3), phase=(alone, PERMITTED)) == [alone, PERMITTED]


def test_two_change_places_before_anybody_waits_for_long():
    (own, alone), (lanes, other_alone) = between(NEAR)
    road, serves = NEAR.movement_from_road, NEAR.phase_matrix(NEAR.signalled[0])
    towards = NEAR.movement_start[NEAR.signalled[0]] + np.flatnonzero(serves[PERMITTED] & ~serves[alone])
    red_s = np.zeros(NEAR.n_movements, np.int32)
    red_s[towards] = LONGEST_RED_S
    waits = range(*NEAR.road_lane_start[road[towards[0]] :][:2].tolist())
    vehicles = on_lanes([*lanes, *waits], 2)
    served = {"phase": (alone, PERMITTED), "vehicles": vehicles}
    both_empty = wished((PERMITTED, PERMITTED), red_s=red_s, **served)
    assert both_empty == [alone, other_alone]
    assert wished((PERMITTED, PERMITTED), red_s=red_s, phase=both_empty, vehicles=vehicles) == [PERMITTED, other_alone]
    full = on_lanes([*own, *lanes, *waits], 2)
    assert wished((PERMITTED, PERMITTED), red_s=red_s, phase=both_empty, vehicles=full) == both_empty
    assert wished((PERMITTED, PERMITTED), red_s=red_s - 1, **served) == [alone, PERMITTED]
    served["vehicles"] = on_lanes(lanes, 2)  # nobody waits there
    assert wished((PERMITTED, PERMITTED), red_s=red_s, **served) == [alone, PERMITTED]


def test_longer_queue_behind_decides_between_empty_lanes():
    _, (lanes, other_alone) = between(NEAR)
    behind = NEAR.link_from_lane[np.isin(NEAR.link_to_lane, list(lanes))]
    assert wished((PERMITTED, PERMITTED), vehicles=on_lanes(behind, 2)) == [PERMITTED, other_alone]


def test_nothing_is_wished_that_is_not_granted():
    (_, alone), (lanes, other_alone) = between(NEAR)
    granted = np.ones(NEAR.n_phases, np.uint8)
    granted[PLAN.phase_offset[1] + other_alone] = 0
    assert wished((PERMITTED, PERMITTED), vehicles=on_lanes(lanes, 3), granted=granted) == [alone, PERMITTED]
    granted[PLAN.phase_offset[0] + alone] = 0
    assert wished((PERMITTED, PERMITTED), vehicles=on_lanes(lanes, 3), granted=granted) == [PERMITTED, PERMITTED]


def test_whatever_is_changed_is_granted_and_empties_a_road():
    random = np.random.default_rng(0)
    pairs, changed = between(NEAR), 0
    for _ in range(500):
        wish, phase = random.integers(-1, 4, 2).tolist(), random.integers(-1, 4, 2).tolist()
        granted = random.integers(0, 2, NEAR.n_phases).astype(np.uint8)
        red_s = random.integers(0, 2 * LONGEST_RED_S, NEAR.n_movements).astype(np.int32)
        vehicles = random.integers(0, 3, NEAR.n_lanes).astype(np.float64)
        for i, got in enumerate(wished(wish, vehicles=vehicles, phase=phase, granted=granted, red_s=red_s)):
            if got != wish[i]:
                changed += 1
                begins = wish[i] == PERMITTED and phase[i] in (-1, SIDE)
                assert wish == [PERMITTED, PERMITTED] or (begins and is_full(vehicles, pairs[i][0]))
                assert got == pairs[i][1]
                assert granted[PLAN.phase_offset[i] + got]
    assert changed > 0


def is_full(vehicles, lanes):
    return (vehicles[list(lanes)] >= standing_room(NEAR.lane_length_m[list(lanes)])).any()


def test_full_road_is_emptied_before_its_traffic_gives_way():
    (lanes, alone), _ = between(NEAR)
    room = int(standing_room(NEAR.lane_length_m[lanes[0]]))
    assert NEAR.lane_length_m[lanes[0]] / 7.5 < room < 5
    full, begins = on_lanes(lanes[:1], room), {"phase": (SIDE, SIDE)}
    assert wished((PERMITTED, SIDE), vehicles=full, **begins) == [alone, SIDE]
    assert wished((PERMITTED, SIDE), vehicles=full, phase=(-1, SIDE)) == [alone, SIDE]
    for is_shown in (alone, PERMITTED):
        assert wished((PERMITTED, SIDE), vehicles=full, phase=(is_shown, SIDE)) == [PERMITTED, SIDE]
    assert wished((PERMITTED, SIDE), vehicles=on_lanes(lanes[:1], room - 1), **begins) == [PERMITTED, SIDE]
    granted = np.ones(NEAR.n_phases, np.uint8)
    granted[PLAN.phase_offset[0] + alone] = 0
    assert wished((PERMITTED, SIDE), vehicles=full, granted=granted, **begins) == [PERMITTED, SIDE]


def test_road_on_which_nobody_fits_is_full_with_one():
    """Files cut streets centimetres before the line; who is on the way over the cut is counted there."""
    (lanes, alone), _ = between(NEAR)
    length_m = NEAR.lane_length_m.copy()
    length_m[list(lanes)] = 0.5
    begins = {"phase": (SIDE, SIDE), "network": replace(NEAR, lane_length_m=length_m)}
    assert wished((PERMITTED, SIDE), **begins) == [PERMITTED, SIDE]
    assert wished((PERMITTED, SIDE), vehicles=on_lanes(lanes[:1], 1), **begins) == [alone, SIDE]


def test_counts_that_are_no_numbers_count_as_nobody():
    (lanes, alone), (other_lanes, other_alone) = between(NEAR)
    for full, unknown, served in (
        (lanes, other_lanes, [alone, PERMITTED]),
        (other_lanes, lanes, [PERMITTED, other_alone]),
    ):
        vehicles = on_lanes(full, 1)
        vehicles[list(unknown)] = np.nan
        assert wished((PERMITTED, PERMITTED), vehicles=vehicles) == served


def test_phase_of_the_turns_alone_empties_no_road():
    """Who drives straight on beside them would wait, on the same road, and fill it."""
    plain = generate_grid(GridSpec(rows=1, columns=2, lanes=2, spacing_x_m=50.0))

    def phases(greens):
        street = NEAR.phase_matrix(NEAR.signalled[0])[PERMITTED]
        first = min(set().union(*greens))
        along = {first + k for k in np.flatnonzero(street).tolist()}
        turns = {m for m in along if plain.movement_turn[m] == TURN_LEFT}
        return [along, turns, set().union(*greens) - along]

    network = with_phases(plain, phases)
    full = {"vehicles": np.full(network.n_lanes, 9.0), "network": network}
    for phase in ((0, 0), (2, 2)):
        assert wished((0, 0), phase=phase, **full) == [0, 0]


def test_signals_farther_apart_are_left_alone():
    far = near(90.0)
    assert far.lane_length_m[list(between(far)[0][0])].min() > NEAR_M
    wish = wished((PERMITTED, PERMITTED), vehicles=np.full(far.n_lanes, 3.0), network=far)
    assert wish == [PERMITTED, PERMITTED]


@pytest.mark.skipif(find_spec("sumo") is None, reason='no SUMO here: pip install "intergreen[sumo]"')
@pytest.mark.skipif(benchmarks.folder("resco/ingolstadt21") is None, reason="RESCO's networks are not here")
def test_policy_does_not_lock_between_near_signals_in_sumo(monkeypatch):
    """The seconds that a lock costs by then, where without the rule it locks on seeds 0 and 2."""
    scenario, protocol = load_scenario("resco/ingolstadt21"), protocol_by_name("resco")

    def travel_time_s():
        policy = controller_by_name("universal-wider")
        result = evaluate(scenario, policy, protocol, seeds=[0], horizon_s=2400, simulator="sumo")
        return result["metrics"]["average_travel_time_s"]["mean"]

    apart = travel_time_s()
    monkeypatch.setattr(near_signals, "NEAR_M", 0.0)
    assert apart < 0.6 * travel_time_s()
