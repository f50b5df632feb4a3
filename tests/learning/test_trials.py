"""Trials: the same trips for every controller, on the readings that the training has."""

import pytest

from intergreen.agents.controllers import controller_by_name
from intergreen.agents.learning.trials import Subject, Trials
from intergreen.envs.scenario import load_scenario


@pytest.fixture(scope="module")
def subject(pair_file):
    return Subject("pair", load_scenario(str(pair_file)), "literature-10-5")


def verdict(subject, controller, **settings):
    trials = Trials([subject], seeds=2, horizon_s=900, **settings)
    try:
        return trials.of(controller_by_name(controller)).mean_s
    finally:
        trials.close()


def test_a_controller_that_counts_does_worse_where_every_detector_is_dead(subject):
    # The list begins at second 300.
    assert verdict(subject, "max-pressure", faults="dead-100") > 1.2 * verdict(subject, "max-pressure")


def test_a_fixed_time_plan_does_not_notice_dead_detectors(subject):
    assert verdict(subject, "fixed-time", faults="dead-100") == verdict(subject, "fixed-time")


def test_threads_do_not_change_a_verdict(subject):
    assert verdict(subject, "max-pressure", threads=2) == verdict(subject, "max-pressure")
