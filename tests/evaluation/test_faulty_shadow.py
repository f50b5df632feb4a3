"""A shadow run with faults: both sides see through the same detectors, and a policy fails by itself alone."""

import numpy as np
import pytest

from intergreen.agents.cli import main
from intergreen.agents.controllers import MaxPressure
from intergreen.agents.deployment.ladder import RUNG_NAMES, Rung
from intergreen.agents.evaluation.run import evaluate
from intergreen.agents.evaluation.shadow import shadow, shadow_pair
from intergreen.agents.evaluation.shadow_tables import shadow_tables
from intergreen.envs.errors import InputError
from intergreen.envs.fault_file import FaultList, read_faults
from intergreen.envs.fault_kinds import Dead, NotANumber, PolicyRaises
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import load_scenario

LITERATURE = protocol_by_name("literature-10-5")
NOTHING_READ = FaultList("all", (NotANumber(share=1.0),))


def run(policy="universal", in_charge="max-pressure", faults=None, horizon_s=300, **settings):
    pair = shadow_pair(policy, "single", in_charge=in_charge, protocol_name="literature-10-5", faults=faults)
    return shadow(pair, seeds=[0, 1], horizon_s=horizon_s, **settings)


def without_cost(result):
    return {key: value for key, value in result.items() if key != "cost"}


def test_run_in_charge_is_that_of_evaluate_with_the_same_faults():
    faults = read_faults("dead-10")
    result, _ = run(faults=faults)
    alone = evaluate(
        load_scenario("single"), MaxPressure(), LITERATURE, seeds=[0, 1], horizon_s=300, faults=faults.faults
    )
    assert without_cost(alone).items() <= without_cost(result).items()


def test_policy_beside_sees_through_the_broken_detectors():
    _, (watched,) = run(faults=NOTHING_READ, counterfactual=False)
    assert (watched.rung[-1] == Rung.PROGRAMME).all()
    assert {change.reason.split(":")[0] for change in watched.rung_changes} == {"a count is no number"}
    _, (well,) = run(counterfactual=False)
    assert (well.rung == Rung.LEARNED).all()


def test_waiting_vehicles_are_counted_as_they_are():
    """By fixed time, which looks at no detector: the same traffic, and the same vehicles where it shows green."""
    broken, well = (
        run(in_charge="fixed-time", faults=faults, counterfactual=False)[1][0] for faults in (NOTHING_READ, None)
    )
    assert np.array_equal(broken.shown.waiting, well.shown.waiting)
    assert broken.shown.waiting.any()


def test_second_run_has_the_faults_too():
    result, _ = run(faults=NOTHING_READ)
    plain, _ = run()
    with_faults, without = (one["estimate"]["counterfactual"]["delay_s"]["policy"] for one in (result, plain))
    assert with_faults > without


def test_policy_that_raises_is_the_shadows_own_failure():
    faults = FaultList("raises", (PolicyRaises(begin_s=100),))
    result, (watched,) = run(faults=faults)
    assert result["faults"] == [fault.stated() for fault in faults.faults]
    assert (watched.rung[-1] == Rung.ACTUATED).all()
    assert result["shadow"]["rungs"].keys() == {RUNG_NAMES[Rung.LEARNED], RUNG_NAMES[Rung.ACTUATED]}
    assert result["safety"]["monitor_faults"] == 0


def test_table_names_the_faults():
    result, _ = run(faults=FaultList("dead", (Dead(share=0.1),)), counterfactual=False)
    assert "dead" in shadow_tables(result)[0].title


def test_fault_of_a_policy_that_is_none_and_of_a_lane_that_is_not_there_is_refused():
    with pytest.raises(InputError, match="has no policy that could fail"):
        run("max-pressure", "fixed-time", faults=read_faults("policy-raises"))
    with pytest.raises(InputError, match="nowhere_0"):
        run(faults=FaultList("lanes", (Dead(lanes=("nowhere_0",)),)))


def test_command_takes_faults_by_name(capsys):
    asked = ["--faults", "dead-10", "--horizon", "60", "--no-counterfactual"]
    assert main(["shadow", "universal", "single", *asked]) == 0
    assert "dead" in capsys.readouterr().out.splitlines()[0]
    assert main(["shadow", "universal", "single", "--faults", "no-such"]) == 2
    assert "--faults" in capsys.readouterr().err
