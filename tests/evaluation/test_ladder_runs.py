"""Bundles whose detectors or policy fail, in traffic: the right rung, its reason, and never an unsafe display."""

from __future__ import annotations

import pytest

from intergreen.agents.deployment.controller import BundleController, LadderSettings
from intergreen.agents.deployment.ladder import RUNG_NAMES, Rung
from intergreen.agents.deployment.names import decider_by_name
from intergreen.agents.deployment.shipped import bundle_by_name
from intergreen.agents.evaluation.fallback import fallback_table
from intergreen.agents.evaluation.run import evaluate
from intergreen.envs.fault_file import read_faults
from intergreen.envs.fault_kinds import Dead, NotANumber, PolicyRaises, PolicySleeps
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import load_scenario

LITERATURE, FIELD = "literature-10-5", "us-mutcd-5"
METRIC = "average_travel_time_s"
HORIZON_S = 1500  # the shipped faults begin at 300 s; a stuck detector shows after three minutes of the same
ACTUATED, PROGRAMME = RUNG_NAMES[Rung.ACTUATED], RUNG_NAMES[Rung.PROGRAMME]


def run(scenario, protocol, faults=(), controller=None, seeds=(0,), horizon_s=HORIZON_S):
    policy = controller or decider_by_name("universal")
    timing = protocol_by_name(protocol)
    return evaluate(load_scenario(scenario), policy, timing, seeds=seeds, faults=faults, horizon_s=horizon_s)


def faults_of(name):
    return read_faults(name).faults


@pytest.mark.parametrize("protocol", [LITERATURE, FIELD])
@pytest.mark.parametrize(
    ("name", "rung", "reason"),
    [
        ("nan-100", PROGRAMME, "a count is no number"),
        ("drop-100", PROGRAMME, "a count is too old"),
        ("delay-100", PROGRAMME, "a count is too old"),
        ("dead-100", PROGRAMME, "all detectors of the signal are silent"),
        ("freeze-100", PROGRAMME, "a detector is stuck"),
        ("stick-100", PROGRAMME, "a detector is stuck"),
        ("nan-10", ACTUATED, "a count is no number"),
        ("infinite-10", ACTUATED, "a count is no number"),
        ("negative-10", ACTUATED, "a count is out of range"),
        ("huge-10", ACTUATED, "a count is out of range"),
        ("drop-10", ACTUATED, "a count is too old"),
        ("nan-1", ACTUATED, "a count is no number"),
    ],
)
def test_failing_detectors_lead_to_the_right_rung_for_the_right_reason(name, rung, reason, protocol):
    found = run("single", protocol, faults_of(name))
    assert found["safety"]["monitor_faults"] == 0
    lower = [one for one in found["fallback"]["changes"] if one["to"] == rung and one["second"] >= 300]
    assert any(one["reason"].startswith(reason) for one in lower), found["fallback"]["changes_by_reason"]
    assert fallback_table(found) is not None


@pytest.mark.parametrize("kind", ["noise", "wrong-lane", "dead", "stick", "freeze"])
@pytest.mark.parametrize("share", [1, 10, 100])
def test_no_failure_of_detectors_shows_an_unsafe_signal(kind, share):
    name = f"{kind}-{share}" if kind != "wrong-lane" else "wrong-lane-10"
    found = run("town", FIELD, faults_of(name), horizon_s=900)
    assert found["safety"]["monitor_faults"] == 0


@pytest.mark.parametrize("scenario", ["single", "arterial6", "grid4x4", "town"])
@pytest.mark.parametrize("faults", [(Dead(share=1.0),), (Dead(share=1.0, begin_s=300),), (NotANumber(share=1.0),)])
def test_with_all_detectors_dead_it_is_no_worse_than_fixed_time(scenario, faults):
    blind = run(scenario, LITERATURE, faults, horizon_s=None)
    fixed = run(scenario, LITERATURE, controller=decider_by_name("fixed-time"), horizon_s=None)
    assert blind["safety"]["monitor_faults"] == 0
    assert blind["metrics"][METRIC]["mean"] <= 1.02 * fixed["metrics"][METRIC]["mean"]


# What sleeps for 0.4 s sleeps through the rest of a run that simulates an hour in less.
@pytest.mark.parametrize("fault", [PolicyRaises(begin_s=300, end_s=600), PolicySleeps(begin_s=300, seconds=0.4)])
def test_policy_that_fails_is_replaced_and_comes_back_when_it_works(fault):
    controller = BundleController(bundle_by_name("universal"), LadderSettings(budget_s=0.1))
    found = run("single", LITERATURE, [fault], controller)
    assert found["safety"]["monitor_faults"] == 0
    changes = found["fallback"]["changes"]
    assert changes[0]["to"] == ACTUATED
    assert changes[0]["reason"].startswith("the policy failed: ")
    assert 300 <= changes[0]["second"] < 320
    came_back = any(one["to"] == RUNG_NAMES[Rung.LEARNED] for one in changes)
    assert came_back == (fault.end_s is not None)


def test_without_trouble_nobody_but_the_policy_decides():
    found = run("single", LITERATURE, horizon_s=None)
    assert found["fallback"]["share_of_decisions"][RUNG_NAMES[Rung.LEARNED]] == 1.0
    assert found["fallback"]["changes"] == []
    assert fallback_table(found) is None


HEALTHY = ("atlanta_1x5", "hangzhou_4x4", "jinan_3x4", "jinan_3x4_2000", "newyork_16x3", "syn_3x3_gaussian_500")


@pytest.mark.parametrize("name", [*(f"cityflow/{name}" for name in HEALTHY), "arterial6", "grid4x4", "town"])
def test_detectors_that_are_well_never_take_the_policy_out_of_charge(benchmark_data, name):
    """Flows that end, queues before full roads, turns that yield: Atlanta's and Jinan's have all of them."""
    found = run(name, LITERATURE, horizon_s=None)
    assert found["fallback"]["changes"] == []


@pytest.mark.parametrize("name", ["grid4x4", "town"])
def test_dead_detectors_of_busy_lanes_are_found_within_the_hour(name):
    """A fifth of them, one lane or more at most signals: by and by those signals are taken from the policy."""
    found = run(name, LITERATURE, (Dead(share=0.2, begin_s=600),), horizon_s=None)
    silent = {one["signal"] for one in found["fallback"]["changes"] if "silent for too long" in one["reason"]}
    assert len(silent) >= 8  # of 16


def test_baselines_have_no_ladder():
    assert run("single", LITERATURE, controller=decider_by_name("max-pressure"), horizon_s=60)["fallback"] is None
