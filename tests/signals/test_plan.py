"""Which phases a policy may want, and which phase is shown between them."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from intergreen.envs.errors import InputError
from intergreen.envs.network import STRAIGHT, TURN_LEFT, TURN_RIGHT
from intergreen.envs.signals import FieldTiming, FixedClearance, OwnClearance, make_plan
from intergreen.envs.signals.presets import PROFILES, profile_by_name

# Phase 0 clears, 1-4 are the two-movement phases, 5-8 one approach each; as the literature numbers them.
FAMILY = [
    "rights",
    *("rights+we", "rights+ns", "rights+we left", "rights+ns left"),
    *("rights+w+w left", "rights+e+e left", "rights+s+s left", "rights+n+n left"),
]
FIELD = FieldTiming(profile_by_name("us-mutcd"))


def waiting_at_most(seconds):
    return FieldTiming(replace(profile_by_name("us-mutcd"), longest_wait_s=seconds))


def choices_of(plan, i=0):
    return [int(p) for p in plan.choices[i] if p >= 0]


@pytest.mark.parametrize(
    ("choices", "expected"),
    [("literature", [1, 2, 3, 4]), ("literature-8", [1, 2, 3, 4, 5, 6, 7, 8]), ("all", [1, 2, 3, 4, 5, 6, 7, 8])],
)
def test_nine_phase_family_clears_with_phase_0_and_chooses_by_protocol(crossings, choices, expected):
    plan = make_plan(crossings(FAMILY), choices=choices)
    assert plan.clearance_phase.tolist() == [0]
    assert choices_of(plan) == expected
    assert plan.is_choice[0].nonzero()[0].tolist() == expected


def test_eight_phase_choice_takes_as_many_as_exist(crossings):
    assert choices_of(make_plan(crossings(FAMILY[:6]), choices="literature-8")) == [1, 2, 3, 4, 5]


def test_small_signal_whose_phase_0_is_contained_chooses_all_the_others(crossings):
    plan = make_plan(crossings(["rights", "rights+we+we left", "rights+ns+ns left"]))
    assert (plan.clearance_phase.tolist(), choices_of(plan)) == ([0], [1, 2])


def test_phase_that_alone_serves_a_movement_stays_a_choice(crossings):
    plan = make_plan(crossings(["", "rights", "we", "ns", "we+we left", "ns left"]))
    assert choices_of(plan) == [1, 2, 3, 4, 5]


def sharing_lanes(network, first, second):
    """The network with all links of turn `first` starting on the lane from which those of turn `second` do."""
    turn, road = network.movement_turn[network.link_movement], network.movement_from_road[network.link_movement]
    lane = network.link_from_lane.copy()
    for k in np.flatnonzero(turn == first):
        lane[k] = lane[(turn == second) & (road == road[k])].max()
    return replace(network, link_from_lane=lane)


def test_lane_whose_movements_the_few_phases_serve_one_at_a_time_makes_all_phases_choices(crossings):
    shared = sharing_lanes(crossings(FAMILY), TURN_LEFT, STRAIGHT)
    assert choices_of(make_plan(shared)) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert choices_of(make_plan(shared, choices="literature-8")) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_lane_whose_movements_no_phase_serves_together_leaves_the_few_choices(crossings):
    few = [*FAMILY[:5], "rights+we"]
    assert choices_of(make_plan(sharing_lanes(crossings(few), TURN_LEFT, STRAIGHT))) == [1, 2, 3, 4]


def test_lane_that_right_turns_share_leaves_the_few_choices(crossings):
    shared = sharing_lanes(crossings(FAMILY), TURN_RIGHT, STRAIGHT)
    assert choices_of(make_plan(shared)) == [1, 2, 3, 4]


@pytest.mark.parametrize("choices", ["literature", "literature-8", "all"])
def test_signal_without_a_clearance_phase_chooses_among_all(crossings, choices):
    plan = make_plan(crossings(["rights+we+we left", "ns+ns left"]), choices=choices)
    assert (plan.clearance_phase.tolist(), choices_of(plan)) == ([-1], [0, 1])


def test_only_intersections_with_two_phases_are_controlled_and_offsets_count_all(crossings):
    network = crossings(["rights"], FAMILY, [], ["rights+we+we left", "ns+ns left"])
    plan = make_plan(network)
    first = np.flatnonzero(np.diff(network.phase_start))[0]
    assert plan.intersection.tolist() == [first + 1, first + 3]
    assert plan.phase_offset.tolist() == [1, 10]
    assert plan.n_phases.tolist() == [9, 2]
    assert plan.choices.tolist() == [[1, 2, 3, 4], [0, 1, -1, -1]]
    assert plan.n_choices.tolist() == [4, 2]


@pytest.mark.parametrize("timing", [FixedClearance(), FIELD], ids=["literature", "field"])
def test_network_without_signals_has_an_empty_plan(crossings, timing):
    assert make_plan(crossings([]), timing=timing).n_signals == 0


def test_plan_is_read_only_also_as_a_pickled_copy(crossings):
    plan = pickle.loads(pickle.dumps(make_plan(crossings(FAMILY), timing=FIELD)))
    with pytest.raises(ValueError, match="read-only"):
        plan.choices[0, 0] = 3
    for name, array in plan.rules._asdict().items():
        with pytest.raises(ValueError, match="read-only"):
            array[:1] = 1
        assert array is getattr(plan.rules, name)
    assert not any(array.flags.writeable for array in pickle.loads(pickle.dumps(plan.rules)))  # as a core has them


def test_unknown_choices_are_refused_with_the_known_ones(crossings):
    with pytest.raises(ValueError, match="known: literature, literature-8, all"):
        make_plan(crossings(FAMILY), choices="literature-4")


# ---- field timing


@pytest.mark.parametrize("profile", PROFILES)
def test_field_timing_has_no_clearance_phase_and_does_not_choose_what_cleared(crossings, profile):
    plan = make_plan(crossings(FAMILY), choices="literature-8", timing=FieldTiming(profile_by_name(profile)))
    assert (plan.clearance_phase.tolist(), choices_of(plan)) == ([-1], [1, 2, 3, 4, 5, 6, 7, 8])


def test_field_timing_chooses_one_of_phases_that_are_green_alike_and_none_that_all_others_contain(crossings):
    alike = ["rights+we", "we+rights", "rights+we left", "rights", "rights+ns", "rights+ns left"]
    assert choices_of(make_plan(crossings(alike))) == [0, 1, 2, 3, 4, 5]
    assert choices_of(make_plan(crossings(alike), timing=FIELD)) == [0, 2, 4, 5]


@pytest.mark.parametrize("timing", [FixedClearance(), OwnClearance(), FIELD], ids=lambda timing: type(timing).__name__)
def test_phase_with_greens_that_conflict_is_refused_under_every_timing(crossings, timing):
    with pytest.raises(InputError, match=r"phase 1: green together for .* \(straight\), whose paths cross") as caught:
        make_plan(crossings(["rights+we left", "we+ns", "ns left"]), timing=timing)
    assert "\n" not in str(caught.value)


def test_signal_that_cannot_serve_everybody_in_time_is_refused_with_the_time_it_takes(crossings):
    network = crossings(FAMILY)
    enough = next(s for s in range(1, 300) if not refuses(network, s))
    with pytest.raises(InputError, match=rf"in turn takes {enough - 1} s; give it fewer phases"):
        make_plan(network, timing=waiting_at_most(enough - 1))
    assert 4 * (7 + 3) < enough <= 120


def refuses(network, longest_wait_s):
    try:
        make_plan(network, timing=waiting_at_most(longest_wait_s))
    except InputError:
        return True
    return False


def test_longest_transition_is_that_between_two_choices(crossings):
    literature = make_plan(crossings(FAMILY), timing=FixedClearance(4))
    own = make_plan(crossings(FAMILY), timing=OwnClearance())
    field = make_plan(crossings(FAMILY), timing=FIELD)
    assert (literature.longest_transition_s.tolist(), own.longest_transition_s.tolist()) == ([4], [0])
    assert 5 <= field.longest_transition_s[0] <= 10


def test_only_field_timing_hears_calls(crossings):
    timings = FixedClearance(5), OwnClearance(), FIELD
    assert [make_plan(crossings(FAMILY), timing=timing).hears_calls for timing in timings] == [False, False, True]
