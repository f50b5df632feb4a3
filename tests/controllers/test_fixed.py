"""The two controllers that look at the clock alone, second by second."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intergreen.agents.controllers import FixedCycle, FixedTime, Timetable
from intergreen.envs.errors import InputError


def cityflow_clock(durations_s, seconds):
    """The phase shown in each second, one signal, as a loop over single seconds."""
    shown, phase, remain = [], 0, durations_s[0]
    for _ in range(seconds):
        shown.append(phase)
        remain -= 1
        while remain <= 0:
            phase = (phase + 1) % len(durations_s)
            remain += durations_s[phase]
    return shown


def one_signal(topology, durations_s):
    network = topology(0, 1)
    network.phase_start = np.array([0, len(durations_s)], np.int32)
    network.phase_duration_s = np.array(durations_s, np.float64)
    # Phase 0 serves nobody, as the literature's clearance; all others serve everybody.
    n_movements = network.n_movements
    network.phase_movement_start = n_movements * np.array([0, *range(len(durations_s))], np.int32)
    network.phase_movements = np.tile(np.arange(n_movements, dtype=np.int32), len(durations_s) - 1)
    network.signalled = np.array([0], np.int32)
    return network


def shown_each_second(controller, setup, seconds):
    controller.start(setup)
    return [controller.decide(None, None, t)[0].tolist() for t in range(seconds)]


@pytest.mark.parametrize(
    ("durations_s", "expected"),
    [
        ([2, 3], [0, 0, 1, 1, 1, 0, 0, 1, 1, 1]),
        ([1.5, 1.0], [0, 0, 1, 0, 1, 0, 0, 1, 0, 1]),
        ([0.5, 0.5, 2], [0, 2, 2, 0, 2, 2, 0, 2, 2, 0]),
        ([0, 2], [0, 1, 1, 1, 1, 1, 1, 1, 1, 1]),
    ],
    ids=["whole", "half", "short", "zero"],
)
def test_clock_shows_these_phases(topology, setup_of, durations_s, expected):
    assert cityflow_clock(durations_s, 10) == expected
    shown = shown_each_second(FixedTime(), setup_of(one_signal(topology, durations_s)), 10)
    assert [phases[0] for phases in shown] == expected


@settings(deadline=None, max_examples=50)
@given(durations_s=st.lists(st.floats(0.05, 40.0), min_size=2, max_size=6))
def test_clock_with_fractional_durations_equals_the_loop(topology, setup_of, durations_s):
    shown = shown_each_second(FixedTime(), setup_of(one_signal(topology, durations_s)), 200)
    assert [phases[0] for phases in shown] == cityflow_clock(durations_s, 200)


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 1000))
def test_nothing_changes_before_the_announced_second(topology, setup_of, seed):
    setup, controller, skipping = setup_of(topology(seed)), FixedTime(), FixedTime()
    every_second = shown_each_second(controller, setup, 120)
    skipping.start(setup)
    t = 0
    while t < 120:
        wanted = skipping.decide(None, None, t)[0].tolist()
        stands_s = skipping.seconds_until_change(t)
        assert stands_s >= 1
        assert every_second[t : t + stands_s] == [wanted] * len(every_second[t : t + stands_s])
        t += stands_s


def test_fixed_time_starts_over_when_asked_for_an_earlier_second(topology, setup_of):
    setup, controller = setup_of(topology(3)), FixedTime()
    first = shown_each_second(controller, setup, 50)
    assert [controller.decide(None, None, t)[0].tolist() for t in range(50)] == first


def test_program_without_any_duration_is_an_input_error_that_names_the_intersection(topology, setup_of):
    with pytest.raises(InputError, match=r"random: intersection 'j0': its program lasts 0 s in all; give"):
        FixedTime().start(setup_of(one_signal(topology, [0.0, 0.0])))


def test_only_the_timetable_is_a_timetable():
    assert isinstance(FixedTime(), Timetable)
    assert not isinstance(FixedCycle(), Timetable)


def test_fixed_cycle_starts_in_clearance_and_serves_the_choices_in_turn(topology, setup_of, signals_of):
    network = one_signal(topology, [5.0] + [30.0] * 8)
    setup, controller = setup_of(network, protocol="literature-25-5", n_replicas=2), FixedCycle()
    phase = controller.start(setup)
    assert phase.tolist() == [[-1], [-1]]
    signals = signals_of(setup, phase)
    wanted = [controller.decide(None, signals, t)[:, 0].tolist() for t in range(0, 150, 25)]
    assert wanted == [[1, 1], [2, 2], [3, 3], [4, 4], [1, 1], [2, 2]]


@pytest.mark.parametrize(
    ("protocol", "held_s"), [("literature-10-5", 30), ("literature-5-2", 25), ("literature-30-5", 30)]
)
def test_fixed_cycle_holds_each_choice_for_whole_decisions(topology, setup_of, signals_of, protocol, held_s):
    setup, controller = setup_of(one_signal(topology, [5.0] + [30.0] * 4), protocol=protocol), FixedCycle()
    signals = signals_of(setup, controller.start(setup))
    shown = [controller.decide(None, signals, t)[0, 0] for t in range(0, 4 * held_s, setup.protocol.interval_s)]
    per_choice = held_s // setup.protocol.interval_s
    assert shown == [choice for choice in (1, 2, 3, 4) for _ in range(per_choice)]


def test_cycle_slot_must_be_positive():
    with pytest.raises(ValueError, match="slot_s"):
        FixedCycle(slot_s=0)


@pytest.mark.parametrize(("elapsed_s", "phases"), [(0, [0, 0, 0, 1]), (2, [0, 1, 1, 1]), (3, [1, 1, 1, 1])])
def test_a_programme_under_way_is_shown_from_where_it_stands(topology, setup_of, elapsed_s, phases):
    """Two phases of 3 and 9 s."""
    network = one_signal(topology, [3, 9])
    network.programme_elapsed_s = np.array([float(elapsed_s)])
    shown = shown_each_second(FixedTime(), setup_of(network), 4)
    assert [phase[0] for phase in shown] == phases
