"""Laws of the permissive matrix, and phases that have to be refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from network.small import crossroads, write

from intergreen.envs.errors import InputError
from intergreen.envs.network import (
    STRAIGHT,
    TURN_RIGHT,
    ArterialSpec,
    GridSpec,
    TownSpec,
    generate_arterial,
    generate_grid,
    generate_town,
    read_cityflow_network,
)
from intergreen.envs.scenario import load_scenario, scenario_names
from intergreen.envs.signals.conflicts import (
    check_phases,
    is_open_junction,
    permissive_matrix,
    permitted_conflicts,
)

# Movements of the crossroads, by the end they come from; W and E face each other, so do S and N.
ENDS = "WSEN"
RIGHT, AHEAD, LEFT = 0, 1, 2


def of(end, turn):
    return 3 * ENDS.index(end) + turn


ALL = [of(end, turn) for end in ENDS for turn in (RIGHT, AHEAD, LEFT)]
RIGHTS = [of(end, RIGHT) for end in ENDS]


@pytest.fixture
def crossing(tmp_path):
    """The crossroads of the small files, with these phases."""

    def build(*phases, turns=()):
        roadnet = crossroads()
        centre = roadnet["intersections"][0]
        for movement, turn in turns:
            centre["roadLinks"][movement]["type"] = turn
        centre["trafficLight"]["lightphases"] = [{"time": 10, "availableRoadLinks": list(p)} for p in phases]
        return read_cityflow_network(write(Path(tmp_path), roadnet=roadnet) / "roadnet.json")

    return build


@pytest.fixture
def t_junction(tmp_path):
    """A main road W - E with a stem S; movements: W right, W ahead, S right, S left, E ahead, E left."""

    def build(*phases):
        roadnet = crossroads()
        centre = roadnet["intersections"][0]
        kept = [link for link in centre["roadLinks"] if "N" not in link["startRoad"] + link["endRoad"]]
        centre["roadLinks"] = kept
        centre["trafficLight"]["roadLinkIndices"] = list(range(len(kept)))
        centre["trafficLight"]["lightphases"] = [{"time": 10, "availableRoadLinks": list(p)} for p in phases]
        return read_cityflow_network(write(Path(tmp_path), roadnet=roadnet) / "roadnet.json")

    return build


grids = st.builds(
    GridSpec,
    rows=st.just(1),
    columns=st.just(1),
    lanes=st.integers(1, 5),
    lane_width_m=st.floats(2.5, 4.5),
    spacing_x_m=st.floats(150, 400),
).map(generate_grid)
arterials = st.builds(ArterialSpec, signals=st.just(1), main_lanes=st.integers(1, 5), side_lanes=st.integers(1, 4)).map(
    generate_arterial
)
towns = st.builds(
    generate_town,
    st.builds(
        TownSpec,
        signals=st.integers(1, 12),
        disorder=st.floats(0, 0.2),
        missing_share=st.floats(0, 0.5),
        diagonal_share=st.floats(0, 1),
    ),
    seed=st.integers(0, 10_000),
)
networks = grids | arterials | towns


@settings(max_examples=30, deadline=None)
@given(network=networks)
def test_permissive_is_symmetric_holds_for_oneself_and_for_all_that_do_not_conflict(network):
    for j in range(network.n_intersections):
        permissive, conflicts = permissive_matrix(network, j), network.conflict_matrix(j)
        assert (permissive == permissive.T).all()
        assert permissive.diagonal().all()
        assert permissive[~conflicts].all()
        assert not (permitted_conflicts(network, j) & ~conflicts).any()
        assert (permissive == (~conflicts | permitted_conflicts(network, j) | np.eye(len(conflicts), dtype=bool))).all()


@settings(max_examples=30, deadline=None)
@given(network=networks)
def test_two_straight_movements_whose_paths_meet_are_never_green_together(network):
    for j in range(network.n_intersections):
        turn = network.movement_turn[network.movement_start[j] : network.movement_start[j + 1]]
        straights = np.ix_(turn == STRAIGHT, turn == STRAIGHT)
        start, end = (
            a[network.movement_start[j] : network.movement_start[j + 1]]
            for a in (network.movement_from_road, network.movement_to_road)
        )
        one_stream = (start[:, None] == start) & (end[:, None] == end)
        assert not (permissive_matrix(network, j) & network.conflict_matrix(j) & ~one_stream)[straights].any()


@settings(max_examples=30, deadline=None)
@given(network=networks)
def test_right_turns_may_be_green_with_anybody(network):
    for j in range(network.n_intersections):
        turn = network.movement_turn[network.movement_start[j] : network.movement_start[j + 1]]
        assert permissive_matrix(network, j)[turn == TURN_RIGHT].all()


@settings(max_examples=30, deadline=None)
@given(network=networks)
def test_every_generated_network_passes(network):
    for j in network.signalled.tolist():
        check_phases(network, j)


@pytest.mark.parametrize("name", scenario_names())
def test_every_scenario_and_every_benchmark_network_passes(name):
    network = load_scenario(name).network
    open_junctions = [network.intersection_ids[j] for j in network.signalled.tolist() if is_open_junction(network, j)]
    for j in network.signalled.tolist()[:60]:
        check_phases(network, j)
    # The T junction of atlanta_1x5 has a clearance and one phase of all greens; nowhere else does a signal stand idle.
    assert open_junctions == (["69249210"] if name == "cityflow/atlanta_1x5" else [])


def test_crossroads_permits_opposite_lefts_and_nothing_else_that_is_not_a_right_turn(crossing):
    network = crossing([*RIGHTS, of("W", AHEAD)], ALL[:2])
    permitted = permitted_conflicts(network, 0)
    lefts = {(of(a, LEFT), of(b, AHEAD)) for a, b in ("WE", "EW", "SN", "NS")}
    lefts |= {
        (of(a, LEFT), of(b, LEFT)) for a, b in ("WE", "SN") if network.conflict_matrix(0)[of(a, LEFT), of(b, LEFT)]
    }
    found = {(int(a), int(b)) for a, b in np.argwhere(permitted) if a not in RIGHTS and b not in RIGHTS}
    assert found == lefts | {(b, a) for a, b in lefts}


@pytest.mark.parametrize(
    ("end", "turn", "other", "other_turn", "words"),
    [
        ("W", AHEAD, "N", AHEAD, "in_W -> out_E (straight) and in_N -> out_S (straight), whose paths cross"),
        ("W", AHEAD, "S", LEFT, "in_W -> out_E (straight) and in_S -> out_W (left turn), whose paths cross"),
        ("W", LEFT, "S", AHEAD, "in_W -> out_N (left turn) and in_S -> out_N (straight), whose paths merge"),
        ("S", LEFT, "E", LEFT, "in_S -> out_W (left turn) and in_E -> out_S (left turn), whose paths cross"),
    ],
)
def test_phase_with_two_movements_that_must_not_meet_is_refused_with_their_names(
    crossing, end, turn, other, other_turn, words
):
    network = crossing(RIGHTS, [*RIGHTS, of(end, turn), of(other, other_turn)], ALL[:1])
    with pytest.raises(InputError) as refusal:
        check_phases(network, 0)
    assert refusal.value.file == network.name
    assert refusal.value.field == "intersection c, phase 1"
    assert words in refusal.value.problem
    assert refusal.value.mend


@pytest.mark.parametrize("turn", [AHEAD, LEFT])
def test_phase_of_a_left_turn_that_yields_to_the_opposite_approach_passes(crossing, turn):
    served = [m for m in ALL if m not in RIGHTS]
    together = [of("W", LEFT), of("E", turn)]
    check_phases(crossing([*RIGHTS, *together], *([m] for m in served)), 0)


def test_left_turn_mislabelled_as_straight_is_refused(crossing):
    phases = [*RIGHTS, of("W", LEFT), of("E", AHEAD)], *([m] for m in ALL if m not in RIGHTS)
    check_phases(crossing(*phases), 0)
    with pytest.raises(InputError, match="phase 0"):
        check_phases(crossing(*phases, turns=[(of("W", LEFT), "go_straight")]), 0)


def test_movement_without_green_is_refused_with_its_name_even_if_it_meets_nobody(crossing):
    served = [m for m in ALL if m != of("E", RIGHT)]
    network = crossing(*([m] for m in served))
    silent = replace(network, conflict_start=np.zeros_like(network.conflict_start), conflict_with=np.zeros(0, np.int32))
    for one in (network, silent):
        with pytest.raises(InputError, match=r"no phase gives green to in_E -> out_N \(right turn\)") as refusal:
            check_phases(one, 0)
        assert refusal.value.field == "intersection c"


def test_only_the_phases_that_will_be_shown_count(crossing):
    unsafe = [of("W", AHEAD), of("N", AHEAD)]
    network = crossing(unsafe, *([m] for m in ALL))
    check_phases(network, 0, range(1, 13))
    with pytest.raises(InputError, match="phase 0"):
        check_phases(network, 0, [0, 1])
    with pytest.raises(InputError, match=r"none of the phases 1, 2 gives green to in_W -> out_N \(left turn\)"):
        check_phases(network, 0, [1, 2])
    with pytest.raises(ValueError, match="has phases 0 to 12, not"):
        check_phases(network, 0, [13])


def test_intersection_without_phases_has_nothing_to_check(crossing):
    network = crossing()
    check_phases(network, 0)
    assert not is_open_junction(network, 0)


def test_everything_green_at_a_crossroads_is_refused(crossing):
    for phases in ([RIGHTS, ALL], [ALL], [[], ALL]):
        network = crossing(*phases)
        assert not is_open_junction(network, 0)
        with pytest.raises(InputError, match=r"in_W -> out_E \(straight\) and"):
            check_phases(network, 0)


def test_t_junction_that_never_stops_anybody_is_an_open_junction(t_junction):
    for phases in ([[0, 2], range(6)], [range(6)], [[], range(6)]):
        network = t_junction(*phases)
        assert is_open_junction(network, 0)
        assert permissive_matrix(network, 0).all()
        check_phases(network, 0)


def test_all_greens_among_phases_that_do_decide_are_refused(t_junction):
    network = t_junction([0, 2], [0, 1, 2, 4], range(6))
    assert not is_open_junction(network, 0)
    with pytest.raises(InputError, match=r"phase 2: green together for in_W -> out_E \(straight\) and in_S -> out_W"):
        check_phases(network, 0)


def test_left_turns_of_facing_approaches_that_merge_are_refused(crossing):
    """Both into one road: neither yields to the other. Here W's right turn is labelled as another left."""
    network = crossing([of("W", RIGHT), of("E", LEFT)], ALL[:1], turns=[(of("W", RIGHT), "turn_left")])
    with pytest.raises(InputError, match="whose paths merge"):
        check_phases(network, 0)


def skewed(network, degrees):
    """The crossroads with the road from the east turned by so much where it meets the junction."""
    west, east = (
        network.lane_point_start[network.road_lane_start[network.road_ids.index(road)] + 1] - 1
        for road in ("in_W", "in_E")
    )  # the last point of each road's first lane
    points = network.lane_points.copy()
    x, y = points[west] - points[west - 1]
    angle = np.radians(180.0 + degrees)
    points[east - 1] = points[east] - (x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle))
    return replace(network, lane_points=points)


@pytest.mark.parametrize(("skew_deg", "faces"), [(0, True), (27, True), (33, False), (-27, True), (-33, False)])
def test_approaches_face_each_other_up_to_thirty_degrees_of_skew(crossing, skew_deg, faces):
    network = skewed(crossing([*RIGHTS, of("W", LEFT)], [*RIGHTS, of("E", AHEAD)], ALL[:2], ALL[3:]), skew_deg)
    assert permissive_matrix(network, 0)[of("W", LEFT), of("E", AHEAD)] == faces


@pytest.mark.parametrize(("skew_deg", "faces"), [(33, True), (54, True), (57, False), (-54, True), (-57, False)])
def test_phase_of_a_file_lets_a_left_turn_yield_around_a_bend_of_fifty_five_degrees(crossing, skew_deg, faces):
    shown = crossing([*RIGHTS, of("W", LEFT), of("E", AHEAD)], *([m] for m in ALL if m not in RIGHTS))
    network = skewed(shown, skew_deg)
    permissive = permissive_matrix(network, 0)
    assert permissive[of("W", LEFT), of("E", AHEAD)] == faces
    assert not permissive[of("E", LEFT), of("W", AHEAD)]  # no phase has these two
    if not faces:
        with pytest.raises(InputError, match="of which neither is a turn that yields to the other"):
            check_phases(network, 0)


def test_movements_of_one_approach_may_cross_each_other_where_the_file_shows_them_together(tmp_path):
    roadnet = crossroads()
    centre = roadnet["intersections"][0]
    for movement in (of("W", LEFT), of("W", AHEAD)):  # left from the right lane, straight on from the left one
        lane = int(movement == of("W", LEFT))
        centre["roadLinks"][movement]["laneLinks"] = [{"startLaneIndex": lane, "endLaneIndex": lane}]
    apart = [[m] for m in ALL if m not in RIGHTS]
    for phases, may in [(apart, False), ([*apart, [of("W", LEFT), of("W", AHEAD)]], True)]:
        centre["trafficLight"]["lightphases"] = [{"time": 10, "availableRoadLinks": [*RIGHTS, *p]} for p in phases]
        network = read_cityflow_network(write(Path(tmp_path), roadnet=roadnet) / "roadnet.json")
        check_phases(network, 0)
        assert network.conflict_matrix(0)[of("W", LEFT), of("W", AHEAD)]
        assert permissive_matrix(network, 0)[of("W", LEFT), of("W", AHEAD)] == may
        assert not permissive_matrix(network, 0)[of("W", LEFT), of("S", AHEAD)]
