"""The second opinion: physical quantities in both simulators, results side by side, and SUMO's own signals."""

import json
from xml.etree import ElementTree

import numpy as np
import pytest
from simulation.sumo_scenarios import NEEDS_SUMO, written

from intergreen.agents.cli import main
from intergreen.agents.evaluation.agreement import DRIVERS, agreement_rows, agreement_summary, speed_row
from intergreen.agents.evaluation.sumo_physics import measure_physics
from intergreen.agents.evaluation.sumo_reference import own_signals
from intergreen.agents.evaluation.sumo_transfer import BASELINES, sumo_transfer_rows, sumo_transfer_tables
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import load_scenario


def row(scenario, controller, native, sumo):
    names = ("travel_native", "travel_sumo", "travel_off", "faults")
    return {
        "scenario": scenario,
        "controller": controller,
        **dict(zip(names, (native, sumo, native / sumo - 1, 0), strict=True)),
    }


def test_pairs_are_ranked_network_by_network_and_ties_are_no_statement():
    rows = [
        row("a", "x", 100, 104), row("a", "y", 200, 190), row("a", "z", 100.5, 300),  # x-y alike, x-z a tie, z-y not
        row("b", "x", 50, 50), row("b", "y", 40, 60),  # not alike
    ]  # fmt: skip
    summary = agreement_summary(rows)
    assert (summary["pairs"], summary["ranked_alike"], summary["ties"]) == (3, 1, 1)
    assert (summary["rows"], summary["within_aim"]) == (5, 2)


@NEEDS_SUMO
@pytest.mark.parametrize("name", DRIVERS)
def test_saturation_flow_start_up_and_free_flow_time_are_alike(name):
    ours, theirs = (measure_physics(DRIVERS[name], simulator, seeds=4) for simulator in ("native", "sumo"))
    assert ours.saturation_vphpl == pytest.approx(theirs.saturation_vphpl, rel=0.02)
    assert ours.startup_loss_s == pytest.approx(theirs.startup_loss_s, abs=1.5)  # seconds are whole ones in both
    assert ours.free_flow_s == pytest.approx(theirs.free_flow_s, rel=0.05)


@NEEDS_SUMO
def test_a_row_holds_both_simulators_and_no_fault():
    (found,) = agreement_rows(["single"], controllers=["max-pressure"], horizon_s=300)
    assert found["travel_off"] == pytest.approx(found["travel_native"] / found["travel_sumo"] - 1.0)
    assert abs(found["travel_off"]) < 0.2
    assert found["faults"] == 0
    assert found["out_sumo"] == pytest.approx(found["out_native"], rel=0.2)


@NEEDS_SUMO
def test_sumos_own_signals_drive_the_same_trips(tmp_path):
    scenario = load_scenario(written(tmp_path))
    static, actuated = (own_signals(scenario, kind, seeds=[0, 1], horizon_s=200) for kind in ("static", "actuated"))
    for metrics in (static, actuated):
        assert metrics["average_travel_time_s"].shape == (2,)
        assert (metrics["throughput_veh"] > 0).all()
    assert not np.array_equal(static["delay_s"], actuated["delay_s"])


@NEEDS_SUMO
def test_sumos_own_signals_are_those_that_the_scenario_was_read_with(tmp_path):
    """One more programme in an additional file, with short greens for whoever drives; names that others have."""
    config = written(tmp_path)
    (net,) = tmp_path.glob("*.net.xml")
    usual = own_signals(load_scenario(config), "static", horizon_s=300)
    root = ElementTree.parse(net).getroot()
    added = ElementTree.Element("additional")
    for logic in root.iter("tlLogic"):
        logic.set("programID", "actuated")
        for phase in logic.iter("phase"):
            phase.set("duration", "90" if "y" not in phase.get("state") else "3")
        added.append(logic)
    ElementTree.ElementTree(added).write(tmp_path / "slow.add.xml")
    text = config.read_text()
    config.write_text(text.replace("</input>", '<additional-files value="slow.add.xml"/></input>'))
    scenario = load_scenario(config)
    assert own_signals(scenario, "static", horizon_s=300)["delay_s"] > 1.2 * usual["delay_s"]
    own_signals(scenario, "actuated", horizon_s=300)


@NEEDS_SUMO
def test_a_policy_stands_beside_the_baselines_in_sumo(tmp_path):
    scenario = load_scenario(written(tmp_path))
    (found,) = sumo_transfer_rows([(scenario, protocol_by_name("resco"))], ["universal"], seeds=[0])
    others = [found["travel"][name] for name in (*BASELINES, "sumo-actuated")]
    assert found["won"] == (found["travel"]["universal"] < min(others))
    assert found["delay"]["universal"] < found["travel"]["universal"]
    assert found["monitor_faults"] == 0


def test_policies_win_only_together_and_stand_beside_rescos_own_figures():
    travel = dict.fromkeys((*BASELINES, "sumo-actuated"), 60.0) | {"a": 50.0, "b": 53.0}
    row = {"scenario": "resco/cologne1", "protocol": "resco", "travel": travel, "delay": travel, "won": True}
    times, delays = (
        dict(zip(table.headings, table.rows[0], strict=True)) for table in sumo_transfer_tables([row], ["a", "b"])
    )
    assert (times["policy"], times["per policy"], times["won"]) == ("51.5", "50.0 53.0", "True")
    assert [delays[name] for name in ("RESCO greedy", "RESCO learned, last ten", "by")] == ["27.8", "28.9", "IDQN"]
    _, elsewhere = sumo_transfer_tables([row | {"scenario": "town"}], ["a", "b"])
    assert elsewhere.rows[0][-1] == "–"


@NEEDS_SUMO
def test_the_engine_is_faster_than_sumo():
    assert speed_row("single", horizon_s=300)["times"] > 20  # 100 and more where nothing else runs beside it


@NEEDS_SUMO
def test_the_command_writes_it_all(capsys):
    assert main(["benchmark", "single", "--agreement", "--horizon", "60", "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"physics", "speed", "rows", "summary"}
    assert len(found["rows"]) == 3
    assert len(found["physics"]) == 4
