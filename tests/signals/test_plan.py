"""Which phases a policy may want, and which phase is shown between them."""

import pickle

import pytest

from intergreen.envs.signals import make_plan

FAMILY = [[0], [0, 1], [0, 2], [0, 3], [0, 1, 2], [0, 1, 3], [0, 2, 3], [0, 1], [0, 2]]


def choices_of(plan, i=0):
    return [int(p) for p in plan.choices[i] if p >= 0]


@pytest.mark.parametrize(
    ("choices", "expected"),
    [("literature", [1, 2, 3, 4]), ("literature-8", [1, 2, 3, 4, 5, 6, 7, 8]), ("all", [1, 2, 3, 4, 5, 6, 7, 8])],
)
def test_nine_phase_family_clears_with_phase_0_and_chooses_by_protocol(phases_only, choices, expected):
    plan = make_plan(phases_only(FAMILY), choices=choices)
    assert plan.clearance_phase.tolist() == [0]
    assert choices_of(plan) == expected
    assert plan.is_choice[0].nonzero()[0].tolist() == expected


def test_eight_phase_choice_takes_as_many_as_exist(phases_only):
    assert choices_of(make_plan(phases_only(FAMILY[:6]), choices="literature-8")) == [1, 2, 3, 4, 5]


def test_small_signal_whose_phase_0_is_contained_chooses_all_the_others(phases_only):
    plan = make_plan(phases_only(FAMILY[:3]))
    assert (plan.clearance_phase.tolist(), choices_of(plan)) == ([0], [1, 2])


def test_phase_that_alone_serves_a_movement_stays_a_choice(phases_only):
    plan = make_plan(phases_only([[], [0], [1], [2], [0, 1], [3]]))
    assert choices_of(plan) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("choices", ["literature", "literature-8", "all"])
def test_signal_without_a_clearance_phase_chooses_among_all(phases_only, choices):
    plan = make_plan(phases_only([[0, 1], [2, 3]]), choices=choices)
    assert (plan.clearance_phase.tolist(), choices_of(plan)) == ([-1], [0, 1])


def test_only_intersections_with_two_phases_are_controlled_and_offsets_count_all(phases_only):
    plan = make_plan(phases_only([[0]], FAMILY, [], [[0, 1], [2, 3]]))
    assert plan.intersection.tolist() == [1, 3]
    assert plan.phase_offset.tolist() == [1, 10]
    assert plan.n_phases.tolist() == [9, 2]
    assert plan.choices.tolist() == [[1, 2, 3, 4], [0, 1, -1, -1]]
    assert plan.n_choices.tolist() == [4, 2]


def test_network_without_signals_has_an_empty_plan(phases_only):
    assert make_plan(phases_only([])).n_signals == 0


def test_plan_is_read_only_also_as_a_pickled_copy(phases_only):
    plan = pickle.loads(pickle.dumps(make_plan(phases_only(FAMILY))))
    with pytest.raises(ValueError, match="read-only"):
        plan.choices[0, 0] = 3


def test_unknown_choices_are_refused_with_the_known_ones(phases_only):
    with pytest.raises(ValueError, match="known: literature, literature-8, all"):
        make_plan(phases_only(FAMILY), choices="literature-4")
