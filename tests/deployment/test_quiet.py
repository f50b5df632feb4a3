"""When all lanes of a signal fall silent together."""

import numpy as np
import pytest

from intergreen.agents.deployment.detectors import Detectors
from intergreen.agents.deployment.quiet import QUIET_LOOKS, QUIET_S, QuietSignals

DETECTORS = Detectors(
    lane=np.array([0, 1, 2, 3], np.int32),
    signal=np.array([0, 0, 1, 1], np.int32),
    number=np.array([2, 2], np.int32),
    tells=np.array([True, True, True, True, False]),
)
INTERVAL_S = 10


def told(judge, vehicles, times):
    """The last answer after so many equal looks."""
    for _ in range(times):
        found = judge.judge(np.array([vehicles], np.int32))
    return found[0].tolist()


@pytest.fixture
def judge() -> QuietSignals:
    return QuietSignals(1, DETECTORS, INTERVAL_S)


def test_signal_without_anybody_for_two_minutes_is_found_where_traffic_is_usual(judge):
    assert told(judge, [3, 2, 0, 1, 0], 30) == [False, False]
    looks = QUIET_S // INTERVAL_S
    assert told(judge, [0, 0, 0, 1, 5], looks - 1) == [False, False]
    assert told(judge, [0, 0, 0, 1, 5], 1) == [True, False]


def test_anybody_on_any_lane_ends_it(judge):
    told(judge, [3, 2, 4, 4, 0], 30)
    assert told(judge, [0, 0, 0, 0, 0], 30) == [True, True]
    assert told(judge, [0, 1, 0, 0, 0], 1) == [False, True]


def test_network_that_falls_silent_as_a_whole_is_found_at_its_small_signals_too(judge):
    assert told(judge, [9, 2, 0, 1, 0], 30) == [False, False]
    assert told(judge, [0, 0, 0, 0, 7], QUIET_S // INTERVAL_S) == [True, True]


def test_detectors_that_have_never_told_of_anybody_are_not_trusted(judge):
    looks = QUIET_S // INTERVAL_S
    assert told(judge, [0, 0, 0, 0, 0], looks - 1) == [False, False]
    assert told(judge, [0, 0, 0, 0, 0], 1) == [True, True]
    assert told(judge, [0, 0, 1, 0, 0], 1) == [False, False]


def test_traffic_that_grows_less_and_ends_is_no_failure(judge):
    told(judge, [3, 2, 4, 4, 0], 60)
    for left in (4, 3, 2, 1):
        told(judge, [left, 0, left, left, 0], 6)
    assert told(judge, [0, 0, 0, 0, 0], 60) == [False, False]


def test_the_last_of_a_few_stragglers_are_no_failure(judge):
    """Half of the usual, counted where anybody was; a sixth of it over the whole minute."""
    told(judge, [3, 1, 4, 4, 0], 60)
    for _ in range(20):
        told(judge, [2, 0, 4, 4, 0], 1)
        told(judge, [0, 0, 4, 4, 0], 2)
    assert told(judge, [0, 0, 4, 4, 0], 60) == [False, False]


def test_few_looks_are_not_enough_however_long_apart():
    judge = QuietSignals(1, DETECTORS, 60)
    told(judge, [3, 2, 4, 4, 0], 30)
    assert told(judge, [0, 0, 0, 1, 0], QUIET_LOOKS - 1) == [False, False]
    assert told(judge, [0, 0, 0, 1, 0], 1) == [True, False]


def test_night_is_no_failure(judge):
    told(judge, [1, 0, 0, 1, 0], 1)
    assert told(judge, [0, 0, 0, 0, 0], 500) == [False, False]
    for _ in range(50):
        told(judge, [1, 0, 0, 1, 0], 1)
        assert told(judge, [0, 0, 0, 0, 0], 30) == [False, False]
