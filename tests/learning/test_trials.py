"""Trials: the same trips for every controller, on the readings that the training has."""

import dataclasses

import numpy as np
import pytest

from intergreen.agents.controllers import controller_by_name
from intergreen.agents.learning.trials import Subject, Trials
from intergreen.envs.errors import InputError
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


def test_nobody_can_be_judged_where_nobody_drives(subject):
    demand = subject.scenario.demand
    late = dataclasses.replace(
        demand, flow_start_s=np.full(demand.n_flows, 5000.0), flow_end_s=demand.flow_end_s * 0 - 1
    )
    empty = dataclasses.replace(subject.scenario, demand=late, fixed_demand=True)
    with pytest.raises(InputError, match="demand: nobody departs before 900 s; judge for longer"):
        Trials([Subject("late", empty, subject.protocol)], seeds=2, horizon_s=900)
