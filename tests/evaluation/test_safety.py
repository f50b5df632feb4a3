"""What a result says about safety beyond the monitor's faults, and what is proved before anything runs."""

import numpy as np
import pytest

from intergreen.agents.evaluation.safety import safety_of
from intergreen.agents.evaluation.verify import counter_example, proof_table, verify_scenario
from intergreen.envs import verification
from intergreen.envs.core import TrafficCore
from intergreen.envs.episodes import Episodes
from intergreen.envs.errors import InputError
from intergreen.envs.protocol import Protocol, protocol_by_name
from intergreen.envs.scenario import load_scenario
from intergreen.envs.signals.proof import Proof, Violation


def stated(network, protocol, **plan):
    none = np.zeros(4, np.int32)
    return safety_of(protocol_by_name(protocol).plan(network, **plan), network, [0], [], none, hours=1.0)


def test_result_says_what_is_believed():
    network = load_scenario("single").network
    safety = stated(network, "literature-10-5", own_clearance=True)
    believed = {name: safety[name] for name in ("changes_without_clearance", "open_junctions", "crossing_streams")}
    expected = {"changes_without_clearance": ["intersection_1_1"], "open_junctions": [], "crossing_streams": []}
    assert believed == expected


def test_small_signals_of_a_scenario_are_proved_when_it_is_loaded_and_only_once(monkeypatch):
    proved = []
    right = verification.prove
    monkeypatch.setattr(
        verification, "prove", lambda model, **shield: proved.append(model.hash) or right(model, **shield)
    )
    monkeypatch.setattr(verification, "_proved", {})
    Episodes("town", protocol="us-mutcd-5")
    first = len(proved)
    assert 0 < first <= verification.MOST_AT_LOAD
    Episodes("town", protocol="us-mutcd-5")
    assert len(proved) == first == len(set(proved))


def test_scenario_with_an_unsafe_signal_is_refused_by_name(monkeypatch):
    wrong = Violation("I3", "green 1 s after the end of a conflicting one, 5 s needed", (0, 1), ())
    monkeypatch.setattr(verification, "_proved", {})
    monkeypatch.setattr(verification, "prove", lambda model, **shield: Proof(1, 1, 0.0, "", None, 0, wrong))
    with pytest.raises(InputError, match=r"intersection_1_1.*not safe: I3, green 1 s after") as caught:
        Episodes("town")
    assert "\n" not in str(caught.value)


def test_a_street_timing_that_nobody_asked_for_and_that_does_not_fit_is_passed_over(monkeypatch):
    refused = InputError("six", "signal", "serving 6 phases in turn takes 145 s", "give it fewer phases")
    plan_of, scenario, told = Protocol.plan, load_scenario("single"), []

    def plan(self, network, **how):
        if self.name == "us-mutcd-5":
            raise refused
        return plan_of(self, network, **how)

    monkeypatch.setattr(Protocol, "plan", plan)
    found = verify_scenario(scenario, pass_over=told.append)
    assert [*dict.fromkeys(one["protocol"] for one in found)] == ["literature-10-5", "de-rilsa-5", "cn-gb-5"]
    assert told == [f"us-mutcd-5: not possible here: {refused}"]
    with pytest.raises(InputError, match="145 s"):
        verify_scenario(scenario, ["us-mutcd-5"], pass_over=told.append)


def test_table_of_proofs_names_states_and_a_counter_example_its_seconds(monkeypatch):
    (one,) = verify_scenario(load_scenario("single"), ["literature-10-5"])
    assert (one["holds"], one["violation"], one["signals"]) == (True, None, ["intersection_1_1"])
    row = dict(zip(proof_table([one]).headings, proof_table([one]).rows[0], strict=True))
    assert (row["states"], row["proof"]) == (str(one["states"]), "holds")
    steps = [{"second": 0, "wish": 1, "calls": "-", "overdue": "", "display": "Gr"}]
    broken = one | {"violation": {"invariant": "I1", "what": "both", "movements": ["a -> b"], "steps": steps}}
    table = counter_example(broken)
    assert "I1: both: a -> b" in table.title
    assert table.rows == (("0", "1", "-", "", "Gr"),)


@pytest.mark.parametrize("start", [np.zeros((1, 2), np.int32), np.zeros((2, 1)), np.zeros(1, np.int32)])
def test_start_of_another_shape_or_kind_is_refused(start):
    scenario = load_scenario("single")
    core = TrafficCore(scenario.network, protocol_by_name("field").plan(scenario.network), scenario.demand, replicas=2)
    with pytest.raises(ValueError, match="need a phase for"):
        core.reset([scenario.trips(seed, horizon_s=1) for seed in (0, 1)], [0, 1], start)
