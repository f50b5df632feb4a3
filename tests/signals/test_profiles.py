"""Published numbers come out of the formulas, and no network gets an interval that is none."""

import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from network.small import crossroads, write
from signals.at_one import conflict_intergreen_s, intergreen_s, max_green_s, min_green_s, yellow_s

from intergreen.envs.errors import InputError
from intergreen.envs.network import (
    STRAIGHT,
    TURN_LEFT,
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
from intergreen.envs.signals.conflicts import permissive_matrix
from intergreen.envs.signals.presets import PROFILES, profile_by_name
from intergreen.envs.signals.profiles import (
    Kinematic,
    Rilsa,
    kinematic_yellow_s,
    numbers,
    red_clearance_s,
    rilsa_yellow_s,
)

MPH = 0.44704
US, DE, CN = (PROFILES[name] for name in ("us-mutcd", "de-rilsa", "cn-gb"))
every_profile = pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)


def crossing(*, speed_mps=13.889, lanes=3, lane_width_m=4.0):
    """One crossroads of a grid, every street alike, and its number."""
    spec = GridSpec(rows=1, columns=1, lanes=lanes, lane_width_m=lane_width_m, speed_limit_mps=speed_mps)
    network = generate_grid(spec)
    return network, int(network.signalled[0])


def turns(network, j):
    return network.movement_turn[network.movement_start[j] : network.movement_start[j + 1]]


# Published numbers


@pytest.mark.parametrize(
    ("mph", "seconds"), [(25, 2.83), (30, 3.20), (35, 3.57), (40, 3.93), (45, 4.30), (50, 4.67), (55, 5.03)]
)
def test_kinematic_yellow_is_what_the_formula_in_feet_gives(mph, seconds):
    in_feet = 1.0 + mph * 5280 / 3600 / (2 * 10)
    found = kinematic_yellow_s(Kinematic(), np.array([mph * MPH]))[0]
    assert in_feet == pytest.approx(seconds, abs=0.005)
    assert found == pytest.approx(in_feet, abs=0.005)  # a = 3.05 m/s2 for 10 ft/s2


@pytest.mark.parametrize(("kmph", "seconds"), [(40, 3.0), (50, 3.28), (60, 3.73), (70, 4.19), (200, 6.0)])
def test_yellow_of_every_movement_in_the_united_states(kmph, seconds):
    assert yellow_s(US, *crossing(speed_mps=kmph / 3.6)) == pytest.approx(np.full(12, seconds), abs=0.005)


def test_yellow_at_25_mph_is_3_seconds_and_not_2_83():
    assert (yellow_s(US, *crossing(speed_mps=25 * MPH)) == 3.0).all()


def test_yellow_in_china_stays_within_5_seconds():
    assert (yellow_s(CN, *crossing(speed_mps=200 / 3.6)) == 5.0).all()


@pytest.mark.parametrize(("kmph", "seconds"), [(30, 3.0), (50, 3.0), (50.0004, 3.0), (60, 4.0), (70, 5.0), (100, 5.0)])
def test_yellow_in_germany_goes_by_the_speed_limit_and_is_3_seconds_for_turns_with_own_lanes(kmph, seconds):
    assert rilsa_yellow_s(Rilsa(), np.array([kmph / 3.6]))[0] == seconds
    for lanes in (1, 3):
        network, j = crossing(speed_mps=kmph / 3.6, lanes=lanes)
        is_straight = turns(network, j) == STRAIGHT
        expected = seconds if lanes == 1 else np.where(is_straight, seconds, 3.0)  # one lane serves all turns
        assert (yellow_s(DE, network, j) == expected).all()


def test_red_clearance_of_24_metres_at_50_kmph_is_2_2_seconds():
    assert red_clearance_s(Kinematic(), np.array([24.0]), np.array([50 / 3.6]))[0] == pytest.approx(2.16, abs=0.005)


def test_red_clearance_is_at_most_6_seconds():
    assert red_clearance_s(Kinematic(), np.array([0.0, 200.0]), np.array([1.0, 5.0])).tolist() == [6.0, 6.0]


def test_uphill_shortens_yellow_as_the_statute_in_percent_has_it():
    """COMAR 11.04.14.03: Y = 1 + 0.733 S / (D + 0.32 G), S in mph, G in percent."""
    for percent in (-4.0, 0.0, 5.0):
        statute = 1 + 0.733 * 40 / (10 + 0.32 * percent)
        found = kinematic_yellow_s(Kinematic(), np.array([40 * MPH]), grade=percent / 100)[0]
        assert found == pytest.approx(statute, abs=0.01)


@pytest.mark.parametrize("grade", [float("nan"), float("inf"), -0.35, 3.0])
def test_grade_that_no_street_has_is_refused(grade):
    with pytest.raises(ValueError, match="need a grade"):
        kinematic_yellow_s(Kinematic(), np.array([10.0]), grade=grade)


# Geometry


def straight_across(profile, network, j):
    """Intergreen from the first straight movement to one that crosses it, and their numbers."""
    is_straight = turns(network, j) == STRAIGHT
    pairs = np.argwhere(network.conflict_matrix(j) & is_straight[:, None] & is_straight)
    first, second = pairs[0]
    return intergreen_s(profile, network, j)[first, second], int(first), int(second)


def far_and_near(network, j, first, second):
    """Of every crossing: distance to its far side along the first movement, to its near side along the second."""
    start = network.movement_start[j]
    rows = []
    for link in range(*network.movement_link_start[[start + first, start + first + 1]]):
        for x in range(*network.crossing_start[[link, link + 1]]):
            foe = network.crossing_foe_link[x]
            if network.link_movement[foe] == start + second:
                rows.append((network.crossing_distance_m[x] + 2.0, network.crossing_foe_distance_m[x] - 2.0))
    return rows  # 2 m: half of a lane of 4 m


def test_intergreen_in_the_united_states_is_yellow_and_the_way_to_the_far_side_of_the_last_crossing():
    network, j = crossing()
    found, first, second = straight_across(US, network, j)
    farthest = max(far for far, _ in far_and_near(network, j, first, second))
    assert found == pytest.approx(1 + 13.889 / 6.1 + (farthest + 6) / 13.889)


def test_intergreen_in_germany_is_overrun_and_clearing_less_entering_at_the_worst_crossing():
    network, j = crossing()
    found, first, second = straight_across(DE, network, j)
    worst = max(3 + (far + 6) / 10 - near / 11.111 for far, near in far_and_near(network, j, first, second))
    assert found == pytest.approx(max(worst, 3.0))


def test_turns_in_germany_overrun_less_and_clear_more_slowly_whoever_enters():
    network, j = crossing(speed_mps=20.0)
    turn, exit_road = turns(network, j), network.movement_to_road[network.movement_start[j] :][:12]
    refused = ~permissive_matrix(network, j) & (exit_road[:, None] != exit_road)
    intergreen = intergreen_s(DE, network, j)
    pairs = np.argwhere(refused & (turn[:, None] == TURN_LEFT) & (turn == STRAIGHT))
    assert len(pairs)
    for left, straight in pairs.tolist():
        for first, second, overrun, speed, least in ((left, straight, 2, 7, 3.0), (straight, left, 3, 10, 5.0)):
            rows = far_and_near(network, j, first, second)
            worst = max(overrun + (far + 6) / speed - max(near, 0.0) / 11.111 for far, near in rows)
            assert intergreen[first, second] == pytest.approx(max(worst, least))  # 72 km/h: 5 s of yellow


def test_merging_paths_are_cleared_to_where_they_have_merged(tmp_path):
    """Even where no crossing is recorded, as between paths that end in parallel."""
    network = read_cityflow_network(write(Path(tmp_path), roadnet=crossroads()) / "roadnet.json")
    network = replace(
        network,
        crossing_start=np.zeros_like(network.crossing_start),
        crossing_distance_m=np.zeros(0),
        crossing_foe_link=np.zeros(0, np.int32),
        crossing_foe_distance_m=np.zeros(0),
    )
    west_left, south_straight = 2, 4  # both end on out_N, and neither yields
    links, foes = (range(*network.movement_link_start[[m, m + 1]]) for m in (west_left, south_straight))
    ends = set(network.link_to_lane[list(foes)].tolist())
    longest = max(network.link_length_m[k] for k in links if network.link_to_lane[k] in ends)
    slowest = network.lane_speed_limit_mps[network.link_from_lane[list(links)]].min()
    expected = yellow_s(US, network, 0)[west_left] + min((longest + 6) / slowest, 6.0)
    assert intergreen_s(US, network, 0)[west_left, south_straight] == pytest.approx(expected)


def test_pair_that_may_share_a_green_needs_none_until_one_ends_as_the_other_begins():
    network, j = crossing()
    permissive, conflicts = permissive_matrix(network, j), network.conflict_matrix(j)
    permitted = permissive & conflicts
    plain, strict = intergreen_s(US, network, j), conflict_intergreen_s(US, network, j)
    assert permitted.any()
    assert (plain[permissive] == 0).all()
    assert (strict[permitted] > 3.0).all()
    assert (strict[~conflicts] == 0).all()
    assert (plain[~permissive] == strict[~permissive]).all()


# Laws

speeds = st.floats(1e-6, 60.0) | st.sampled_from([1e-300, 5e-324, 1.0, 8.333, 13.889, 1e6, 1e308])
grids = st.builds(
    GridSpec,
    rows=st.just(1),
    columns=st.just(1),
    lanes=st.integers(1, 4),
    lane_width_m=st.floats(0.01, 5.0),
    speed_limit_mps=speeds,
).map(generate_grid)
arterials = st.builds(
    ArterialSpec,
    signals=st.just(1),
    main_lanes=st.integers(1, 4),
    side_lanes=st.integers(1, 4),
    main_speed_mps=speeds,
    side_speed_mps=speeds,
).map(generate_arterial)
towns = st.builds(
    generate_town,
    st.builds(TownSpec, signals=st.integers(1, 6), disorder=st.floats(0, 0.2), diagonal_share=st.floats(0, 1)),
    seed=st.integers(0, 10_000),
)


def check_all_intervals(profile, network, j):
    n = network.movement_start[j + 1] - network.movement_start[j]
    yellow, least, longest = (f(profile, network, j) for f in (yellow_s, min_green_s, max_green_s))
    assert yellow.shape == least.shape == longest.shape == (n,)
    assert ((profile.shortest_yellow_s <= yellow) & (yellow <= profile.longest_yellow_s)).all()
    assert ((least > 0) & (least <= longest) & np.isfinite(longest)).all()
    permissive = permissive_matrix(network, j)
    for intergreen, needs_none in (
        (intergreen_s(profile, network, j), permissive),
        (conflict_intergreen_s(profile, network, j), ~network.conflict_matrix(j)),
    ):
        assert intergreen.shape == (n, n)
        assert np.isfinite(intergreen).all()
        assert (intergreen[needs_none] == 0).all()
        assert (intergreen >= yellow[:, None])[~needs_none].all()
        if isinstance(profile.change, Kinematic):
            assert (intergreen > yellow[:, None])[~needs_none].all()
            assert (intergreen <= (yellow + profile.change.longest_red_clearance_s)[:, None]).all()


@settings(max_examples=40, deadline=None)
@given(network=grids | arterials | towns, profile=st.sampled_from(list(PROFILES.values())))
def test_no_interval_is_negative_endless_or_no_number_and_intergreen_covers_yellow(network, profile):
    for j in range(network.n_intersections):
        check_all_intervals(profile, network, j)


@every_profile
@pytest.mark.parametrize("width_m", [0, 1e-9, 60])
@pytest.mark.parametrize("speed_mps", [1e-300, 1e-3, 40.0])
def test_intersection_without_width_and_lanes_without_speed_get_finite_intervals(tmp_path, profile, width_m, speed_mps):
    roadnet = crossroads()
    roadnet["intersections"][0]["width"] = width_m
    for road in roadnet["roads"]:
        for lane in road["lanes"]:
            lane["maxSpeed"] = speed_mps
    network = read_cityflow_network(write(Path(tmp_path), roadnet=roadnet) / "roadnet.json")
    check_all_intervals(profile, network, 0)


@pytest.mark.parametrize("name", scenario_names())
def test_every_scenario_and_every_benchmark_network_gets_its_intervals(name):
    network = load_scenario(name).network
    for profile in PROFILES.values():
        for j in network.signalled.tolist()[:20]:
            check_all_intervals(profile, network, j)


def test_movement_without_paths_takes_the_speed_of_its_road(tmp_path):
    roadnet = crossroads()
    roadnet["intersections"][0]["roadLinks"][1]["laneLinks"] = []
    network = read_cityflow_network(write(Path(tmp_path), roadnet=roadnet) / "roadnet.json")
    assert yellow_s(US, network, 0)[1] == pytest.approx(1 + 13.9 / 6.1)
    check_all_intervals(DE, network, 0)


@given(slower=speeds, faster=speeds)
def test_faster_approaches_never_get_less_yellow_nor_more_red_clearance(slower, faster):
    slower, faster = np.sort(np.clip([slower, faster], 1.0, 100.0))
    for by_speed in (
        lambda v: kinematic_yellow_s(Kinematic(), v),
        lambda v: rilsa_yellow_s(Rilsa(), v),
        lambda v: -red_clearance_s(Kinematic(), np.array([20.0]), v),
    ):
        assert by_speed(np.array([slower])) <= by_speed(np.array([faster]))


@given(widths=st.tuples(st.floats(0, 200), st.floats(0, 200)), lengths=st.tuples(st.floats(0, 30), st.floats(0, 30)))
def test_wider_junctions_and_longer_vehicles_never_get_less_red_clearance(widths, lengths):
    short, long = (Kinematic(vehicle_length_m=length) for length in sorted(lengths))
    near, far = (np.array([width]) for width in sorted(widths))
    speed = np.array([13.889])
    assert (
        red_clearance_s(short, near, speed) <= red_clearance_s(short, far, speed) <= red_clearance_s(long, far, speed)
    )


@every_profile
def test_longer_vehicles_never_get_less_intergreen(profile):
    network, j = crossing()
    before = np.zeros(1)
    for length_m in (0.0, 6.0, 18.75, 40.0):
        longer = replace(profile, change=replace(profile.change, vehicle_length_m=length_m))
        now = intergreen_s(longer, network, j)
        assert (now >= before).all()
        before = now


@every_profile
def test_pair_of_different_ways_through_has_its_own_intergreen(profile):
    intergreen = intergreen_s(profile, *crossing())
    assert len(np.unique(intergreen[intergreen > 0].round(3))) > 3


# Greens and pedestrians


def test_least_and_longest_greens_of_the_united_states():
    for speed_mps, through in ((13.0, 50.0), (40 * MPH, 50.0), (45 * MPH, 60.0)):
        network, j = crossing(speed_mps=speed_mps)
        turn = turns(network, j)
        assert (min_green_s(US, network, j) == np.where(turn == STRAIGHT, 7.0, 5.0)).all()
        assert (max_green_s(US, network, j) == np.where(turn == TURN_LEFT, 30.0, through)).all()
        assert (max_green_s(US, network, j)[turn == TURN_RIGHT] == through).all()


@every_profile
def test_pedestrians_get_their_clearance_at_1_07_metres_per_second(profile):
    assert profile.pedestrian_clearance_s(21.4) == pytest.approx(20.0)
    assert profile.pedestrian_clearance_s(0.0) == 0.0
    assert (profile.walk_s, profile.pedestrian_buffer_s) == (7.0, 3.0)
    for length_m in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="length_m"):
            profile.pedestrian_clearance_s(length_m)


# Profiles


@every_profile
def test_every_number_has_a_source_and_goes_into_json(profile):
    values = numbers(profile)
    assert values["profile"] == profile.name
    assert values["longest_wait_s"] == 120.0
    assert json.loads(json.dumps(values)) == values
    assert values.keys() - {"profile"} == profile.sources.keys()
    assert all(len(source) > 5 for source in profile.sources.values())
    assert all(isinstance(values[key], float) for key in profile.sources)


def test_red_amber_is_german():
    assert [profile.red_amber_s for profile in (US, DE, CN)] == [0.0, 1.0, 0.0]


def test_numbers_of_rilsa_that_are_from_memory_say_so():
    for key in ("overrun_straight_s", "overrun_turn_s", "clearing_straight_mps", "clearing_turn_mps", "entering_mps"):
        assert "unverified" in DE.sources[key]


def test_chinese_profile_says_which_text_was_not_found():
    assert all(text in CN.sources["shortest_yellow_s"] for text in ("GB 14886", "GB 25280", "not found"))


@every_profile
def test_profile_is_found_by_its_name_and_survives_pickling(profile):
    assert profile_by_name(profile.name) is profile
    copy = pickle.loads(pickle.dumps(profile))
    assert copy == profile
    assert hash(copy) == hash(profile)
    assert numbers(copy) == numbers(profile)


def test_unknown_profile_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match=r"unknown profile 'us'; use one of us-mutcd, de-rilsa, cn-gb"):
        profile_by_name("us")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"shortest_yellow_s": 7.0}, "shortest_yellow_s <= longest_yellow_s"),
        ({"shortest_yellow_s": 0.0}, "0 < shortest_yellow_s"),
        ({"min_green_through_s": 31.0}, "a minimum green is above a maximum green"),
        ({"walk_s": float("nan")}, "finite walk_s"),
        ({"longest_wait_s": 5e9}, "longest_wait_s <= 3600"),
        ({"max_green_left_s": 3601.0}, "max_green_left_s <= 3600"),
        ({"red_revert_s": -1.0}, "red_revert_s >= 0"),
        ({"walking_speed_mps": 0.0}, "walking_speed_mps > 0"),
        ({"change": Kinematic(deceleration_mps2=0.0)}, "deceleration_mps2 > 0"),
        ({"change": Rilsa()}, "no source for"),
        ({"sources": {}}, "no source for"),
    ],
)
def test_profile_that_contradicts_itself_or_hides_a_source_is_refused(changed, words):
    with pytest.raises(ValueError, match=words):
        replace(US, **changed)
