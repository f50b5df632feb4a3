"""Phases of generated networks, changed."""

import dataclasses
from collections import Counter
from functools import partial

import numpy as np
import pytest

from intergreen.agents.learning import drawn_phases
from intergreen.agents.learning.drawn_phases import (
    draw_yielding_phases,
    lefts_apart,
    permitted_beside,
    permitted_left,
    right_turns_wait,
    split,
    with_phases,
)
from intergreen.envs.network import (
    STRAIGHT,
    TURN_LEFT,
    TURN_RIGHT,
    GridSpec,
    TownSpec,
    generate_grid,
    generate_town,
)
from intergreen.envs.signals import make_plan

WIDE_NARROW_AND_IRREGULAR = [
    generate_grid(GridSpec(rows=1, columns=2)),
    generate_grid(GridSpec(rows=1, columns=1, lanes=1)),
    generate_town(TownSpec(signals=6), seed=0),
]


def greens_of(network, j):
    """The phases of an intersection as sets of its movements."""
    return [frozenset(np.flatnonzero(row).tolist()) for row in network.phase_matrix(j)]


def test_phases_are_as_generated_or_without_clearance_or_with_left_turns_permitted_or_apart_or_split():
    network = generate_grid(GridSpec(rows=1, columns=2))
    random = np.random.default_rng(0)
    kinds = Counter()
    for _ in range(100):
        other = drawn_phases._other_phases(network, random)
        before, after = ([greens_of(one, j) for j in network.signalled] for one in (network, other))
        if after == before:
            kinds["as generated"] += 1
        elif after == [phases[1:] for phases in before]:
            kinds["without clearance"] += 1
            assert (make_plan(other).clearance_phase == -1).all()
        elif after == [phases[1:5] for phases in before]:
            kinds["left apart"] += 1
        elif after == [greens_of(with_phases(network, partial(split, network)), j) for j in network.signalled]:
            kinds["split"] += 1
        elif after == [[*p[1:], p[1] | p[3], p[2] | p[4]] for p in before]:
            kinds["permitted left beside the others"] += 1
        else:
            kinds["permitted left"] += 1
            assert after == [[p[0], p[1] | p[3], p[2] | p[4]] for p in before]
            assert make_plan(other).n_choices.tolist() == [2, 2]
        assert [frozenset().union(*phases) for phases in after] == [frozenset().union(*phases) for phases in before]
        for field in dataclasses.fields(network):
            mine, others = getattr(network, field.name), getattr(other, field.name)
            assert field.name.startswith("phase") or np.array_equal(mine, others)
    assert kinds["as generated"] > kinds["without clearance"] > 0
    others = "permitted left", "permitted left beside the others", "left apart", "split"
    assert min(kinds[kind] for kind in others) > 0


@pytest.mark.parametrize("lanes", [1, 2, 3, 7])
def test_permitted_left_turns_have_green_with_those_who_come_towards_them_however_many_lanes(lanes):
    network = generate_grid(GridSpec(rows=1, columns=2, lanes=lanes))
    other = with_phases(network, partial(permitted_left, network))
    for j in network.signalled:
        clearance, *two = greens_of(other, j)
        turn = network.movement_turn[network.movements_of(int(j))]
        assert clearance == frozenset(np.flatnonzero(turn == TURN_RIGHT).tolist())
        for phase in two:
            assert Counter(turn[sorted(phase)].tolist()) == {STRAIGHT: 2, TURN_LEFT: 2, TURN_RIGHT: 4}
        assert two[0] | two[1] == set(range(len(turn)))
    assert make_plan(other).n_choices.tolist() == [2, 2]


@pytest.mark.parametrize("kind", [permitted_left, permitted_beside])
@pytest.mark.parametrize("seed", range(6))
def test_permitted_left_turns_leave_every_approach_of_any_legs_a_green_of_its_own_or_with_the_one_it_faces(kind, seed):
    network = generate_town(TownSpec(signals=6), seed=seed)
    road, out = network.movement_from_road, network.movement_to_road
    other = with_phases(network, partial(kind, network))
    make_plan(other)
    for j in network.signalled:
        before, after = greens_of(network, j), greens_of(other, j)
        first = int(network.movement_start[j])
        whole = frozenset().union(*before)
        always = frozenset.intersection(*before)
        assert frozenset().union(*after) == whole
        assert len(after) == len(set(after))
        for m in whole:
            mine = {n for n in whole if road[first + n] == road[first + m]}
            widest = max((phase for phase in after if mine <= phase), key=len)
            beside = {int(road[first + n]) for n in widest - mine - always}
            assert len(beside) <= 1
            for faced in beside:  # who goes straight on there comes to where these come from
                assert any(
                    road[first + n] == faced and network.road_to[out[first + n]] == network.road_from[road[first + m]]
                    for n in widest
                )


def test_streets_whose_lanes_turns_share_have_mostly_two_phases():
    network = generate_grid(GridSpec(rows=1, columns=1, lanes=1))
    random = np.random.default_rng(0)
    choices = Counter(int(make_plan(draw_yielding_phases(network, random)).n_choices[0]) for _ in range(100))
    assert choices[2] > 50
    assert choices[4] > choices[2] / 8  # each approach alone, ...
    assert choices[6] > choices[2] / 8  # ... and with those that face each other beside them


@pytest.mark.parametrize("network", WIDE_NARROW_AND_IRREGULAR)
def test_split_phases_serve_one_approach_each_and_all_of_them(network):
    road = network.movement_from_road
    other = with_phases(network, partial(split, network))
    assert (make_plan(other).clearance_phase == -1).all()
    for j in network.signalled:
        before, after = greens_of(network, j), greens_of(other, j)
        first = network.movement_start[j]
        always = frozenset.intersection(*before)
        whole = frozenset().union(*before)
        assert frozenset().union(*after) == whole
        approaches = [{int(road[first + m]) for m in phase - always} for phase in after]
        assert all(len(one) == 1 for one in approaches)
        assert len(set().union(*approaches)) == len(after)
        for phase in after:
            (approach,) = {int(road[first + m]) for m in phase - always}
            assert {m for m in whole if road[first + m] == approach} <= phase


@pytest.mark.parametrize(
    "network", [generate_grid(GridSpec(rows=1, columns=2)), generate_town(TownSpec(signals=6), seed=0)]
)
def test_right_turns_that_wait_are_green_only_with_the_straight_stream_beside_them(network):
    road, turn = network.movement_from_road, network.movement_turn
    other = with_phases(network, partial(right_turns_wait, network))
    waited = 0
    for j in network.signalled:
        before, after = greens_of(network, j), greens_of(other, j)
        first = network.movement_start[j]
        assert frozenset().union(*after) == frozenset().union(*before)
        assert len(after) > 1
        assert all(after)
        for phase in after:
            straight = {road[first + m] for m in phase if turn[first + m] == STRAIGHT}
            with_straight = {road[first + m] for m in frozenset().union(*before) if turn[first + m] == STRAIGHT}
            rights = {road[first + m] for m in phase if turn[first + m] == TURN_RIGHT} & with_straight
            assert rights <= straight
        waited += sum(map(len, before)) > sum(map(len, after))
    assert waited > 0


@pytest.mark.parametrize("network", WIDE_NARROW_AND_IRREGULAR)
def test_left_turns_apart_have_green_and_never_with_straight_traffic(network):
    turn = network.movement_turn
    other = with_phases(network, partial(lefts_apart, network))
    shared = 0
    for j in network.signalled:
        before, after = greens_of(network, j), greens_of(other, j)
        first = network.movement_start[j]
        assert len(after) > 1
        assert frozenset().union(*after) == frozenset().union(*before)
        assert not any(phase < other for phase in after for other in after)
        for phase in after:
            assert not {STRAIGHT, TURN_LEFT} <= {int(turn[first + m]) for m in phase}
            assert any(phase <= whole for whole in before)
        lanes = {
            int(turn[m]): set(network.start_lanes(m).tolist()) for m in range(first, network.movement_start[j + 1])
        }
        shared += bool(lanes.get(STRAIGHT, set()) & lanes.get(TURN_LEFT, set()))
    assert shared > 0 or np.diff(network.road_lane_start).min() > 1


def test_phases_that_part_no_left_turn_from_straight_traffic_stay_as_they_are():
    network = generate_grid(GridSpec(rows=1, columns=1))
    straight = {m for m in range(network.n_movements) if network.movement_turn[m] == STRAIGHT}
    assert lefts_apart(network, [straight, set()]) == [straight, set()]
