"""Actuated control: what calls, extends, ends and skips a phase."""

from types import SimpleNamespace

import numpy as np
import pytest
from controllers.junction import junction, showing, traffic

from intergreen.agents.controllers.actuated import MAX_GREEN_S, Actuated, ActuatedSettings
from intergreen.envs.observation import N_BINS
from intergreen.envs.scenario import load_scenario

FOR_EVER = ActuatedSettings(max_green_s=600)


def started(settings=FOR_EVER, **setup):
    made = junction(**setup)
    controller = Actuated(settings)
    assert controller.start(made).tolist() == [[1]]
    return made, controller


def asked(setup, controller, time_s, *, phase, green_s, **vehicles):
    wanted = controller.decide(traffic(setup, **vehicles), showing(setup, phase, green_s), time_s)
    return int(wanted[0, 0])


def test_without_any_call_the_green_rests():
    setup, controller = started()
    for time_s in range(0, 600, 10):
        assert asked(setup, controller, time_s, phase=1, green_s=time_s + 1) == 1


def test_a_green_nobody_extends_gaps_out_to_the_phase_that_is_called():
    setup, controller = started()
    assert asked(setup, controller, 10, phase=1, green_s=10, waiting={3: 1}) == 3


@pytest.mark.parametrize("phase", [2, 3, 4])
def test_phases_without_a_call_are_skipped_in_ring_order(phase):
    setup, controller = started()
    assert asked(setup, controller, 10, phase=1, green_s=10, near={phase: 1}) == phase
    setup, controller = started()
    assert asked(setup, controller, 10, phase=phase, green_s=10, waiting={1: 1, phase % 4 + 1: 1}) == phase % 4 + 1


def test_a_vehicle_within_the_passage_time_extends_and_one_beyond_does_not():
    setup, controller = started()  # passage time 2.5 s: the first distance bin
    assert asked(setup, controller, 10, phase=1, green_s=10, waiting={2: 9}, near={1: 1}, bin_of_near=0) == 1
    assert asked(setup, controller, 20, phase=1, green_s=20, waiting={2: 9}, near={1: 1}, bin_of_near=1) == 2
    setup, controller = started(ActuatedSettings(passage_s=5.0, max_green_s=600))
    assert asked(setup, controller, 20, phase=1, green_s=20, waiting={2: 9}, near={1: 1}, bin_of_near=1) == 1


def test_max_out_counts_from_the_first_call_of_another_phase():
    setup, controller = started(ActuatedSettings(max_green_s=30))
    extended = {1: 5}
    for time_s in range(0, 100, 10):  # nobody else: no longest green
        assert asked(setup, controller, time_s, phase=1, green_s=time_s + 1, waiting=extended) == 1
    for time_s in (100, 110, 120):
        assert asked(setup, controller, time_s, phase=1, green_s=time_s + 1, waiting=extended | {2: 1}) == 1
    assert asked(setup, controller, 130, phase=1, green_s=131, waiting=extended | {2: 1}) == 2


def test_a_new_green_begins_a_new_longest_green():
    setup, controller = started(ActuatedSettings(max_green_s=20))
    everybody = {1: 5, 2: 5}
    for time_s, phase, green_s, wanted in [
        (0, 1, 1, 1), (10, 1, 11, 1), (20, 1, 21, 2), (30, 2, 5, 2), (40, 2, 15, 2), (50, 2, 25, 1),
    ]:  # fmt: skip
        assert asked(setup, controller, time_s, phase=phase, green_s=green_s, waiting=everybody) == wanted, time_s


def test_no_green_ends_before_its_least():
    setup, controller = started(ActuatedSettings(min_green_s=12, max_green_s=600))
    assert asked(setup, controller, 10, phase=1, green_s=11, waiting={2: 9}) == 1
    assert asked(setup, controller, 11, phase=1, green_s=12, waiting={2: 9}) == 2


def test_the_least_green_is_at_least_what_the_timing_asks_for():
    setup = junction("us-mutcd-5")
    controller = Actuated(ActuatedSettings(min_green_s=0, max_green_s=600))
    first = int(controller.start(setup)[0, 0])
    least_s = int(setup.plan.rules.min_green[setup.plan.phase_offset[0] + first])
    assert least_s > 1
    others = {phase: 9 for phase in (1, 2, 3, 4) if phase != first}
    assert asked(setup, controller, 5, phase=first, green_s=least_s - 1, waiting=others) == first
    assert asked(setup, controller, 6, phase=first, green_s=least_s, waiting=others) != first


def test_a_wish_stands_until_the_transition_is_over():
    setup, controller = started()
    assert asked(setup, controller, 10, phase=1, green_s=10, waiting={3: 1}) == 3
    for time_s in (11, 12, 13):  # still in transition; meanwhile somebody comes where green was
        assert asked(setup, controller, time_s, phase=1, green_s=0, waiting={1: 9, 3: 1}) == 3


def test_minimum_recall_serves_every_phase_in_turn_on_empty_roads():
    setup, controller = started(ActuatedSettings(recall="min"))
    shown, phase = [], 1
    for time_s in range(10, 90, 10):
        phase = asked(setup, controller, time_s, phase=phase, green_s=5)
        shown.append(phase)
    assert shown == [2, 3, 4, 1, 2, 3, 4, 1]


def test_maximum_recall_holds_every_phase_to_its_longest_green():
    setup, controller = started(ActuatedSettings(recall="max", max_green_s=20))
    shown, phase, green_s = [], 1, 0
    for time_s in range(0, 100, 10):
        green_s += 10
        before, phase = phase, asked(setup, controller, time_s, phase=phase, green_s=green_s)
        green_s = green_s if phase == before else 0
        shown.append(phase)
    assert shown == [1, 1, 2, 2, 2, 3, 3, 3, 4, 4]


def test_the_longest_green_grows_with_the_volumes_within_its_bounds():
    flows = load_scenario("single").flows_vph()
    longest = []
    for factor in (0.01, 1.0, 10.0):
        controller = Actuated()
        controller.start(junction(flows_vph=flows * factor))
        longest.append(controller._longest_s[0])
    assert (longest[0] <= longest[1]).all()
    assert (longest[1] <= longest[2]).all()
    assert longest[0].max() == MAX_GREEN_S[0]
    assert longest[2].max() <= MAX_GREEN_S[1]


@pytest.mark.parametrize(
    "wrong", [{"passage_s": 3.3}, {"min_green_s": -1}, {"max_green_s": 2}, {"recall": "sometimes"}], ids=str
)
def test_settings_without_meaning_are_refused(wrong):
    with pytest.raises(ValueError, match="need"):
        ActuatedSettings(**wrong)


def test_whoever_stands_on_a_lane_that_another_movement_leaves_on_green_can_call(topology, setup_of, signals_of):
    """Where a lane serves two movements, it extends the green of one and calls for the other: max-out serves that."""
    n_called = 0
    for seed in range(40):
        setup = setup_of(topology(seed), n_replicas=1)
        controller = Actuated(ActuatedSettings(max_green_s=10))
        start = controller.start(setup)
        for i, lane in shared_lanes(setup, start[0], controller._ring):
            controller.start(setup)
            counts = waiting_on(setup.network, lane)
            for time_s in (100, 110):
                signals = signals_of(setup, start)._replace(green_s=np.full_like(start, time_s))
                wanted = controller.decide(counts, signals, time_s)
            assert wanted[0, i] != start[0, i]
            n_called += 1
    assert n_called > 20


def shared_lanes(setup, phase, ring):
    """(signal, lane) pairs: a movement from the lane has green in `phase`, and another only in the rest of the ring."""
    network = setup.network
    for i, j in enumerate(setup.plan.intersection.tolist()):
        green, first = network.phase_matrix(j), int(network.movement_start[j])
        later = green[sorted(set(ring[i].tolist()))].any(axis=0) & ~green[phase[i]]
        lanes = [set(network.start_lanes(first + m).tolist()) for m in range(green.shape[1])]
        now = set().union(*(lanes[m] for m in np.flatnonzero(green[phase[i]])))
        for lane in sorted(now & set().union(*(lanes[m] for m in np.flatnonzero(later)))):
            yield i, lane


def waiting_on(network, lane):
    waiting = np.zeros((1, network.n_lanes), np.int32)
    waiting[0, lane] = 3
    return SimpleNamespace(waiting=waiting, near=waiting * 0, arriving=np.zeros((1, network.n_lanes, N_BINS), np.int32))
