"""Policies on networks they were not trained on: what a row says, and that the interval decides who wins."""

import pytest

from intergreen.agents.cli import main
from intergreen.agents.evaluation import transfer
from intergreen.agents.evaluation.transfer import summary_of, transfer_cells, transfer_rows
from intergreen.envs.errors import InputError

PROTOCOLS = ("literature-10-5", "literature-5-2")


def test_rows_are_every_scenario_under_every_protocol_with_baselines_as_they_are():
    names = ["max-pressure"]
    rows = transfer_rows(transfer_cells(names, scenarios=["single", "arterial6"], protocols=PROTOCOLS), names)
    cells = [(row["scenario"], row["protocol"]) for row in rows]
    assert cells == [(name, protocol) for name in ("single", "arterial6") for protocol in PROTOCOLS]
    for row in rows:
        assert row["policy"] == row["max-pressure"]
        assert not row["won"]  # nobody beats himself
        assert row["share_of_best_baseline"] >= 1.0


def test_the_whole_interval_must_lie_below_the_baselines(monkeypatch):
    times = {"fixed-time": 200.0, "max-pressure": 100.0, "advanced-max-pressure": 90.0, "a": 80.0, "b": 89.0, "c": 91.0}
    monkeypatch.setattr(transfer, "decider_by_name", lambda name: name)
    monkeypatch.setattr(
        transfer,
        "evaluate",
        lambda scenario, name, protocol, seeds: {
            "metrics": {"average_travel_time_s": {"mean": times[name]}},
            "safety": {"monitor_faults": 0},
        },
    )
    cells = transfer_cells(["a", "b", "c"], scenarios=["single"], protocols=PROTOCOLS[:1])
    (won,) = transfer_rows(cells, ["a", "b"])
    (lost,) = transfer_rows(cells, ["a", "c"])
    assert (won["won"], won["policy"], won["per_policy"]) == (True, 84.5, "80.0 89.0")
    assert (lost["won"], lost["policy"]) == (False, 85.5)
    expected = "below max-pressure and advanced max-pressure in 1 of 2, below fixed time in 2"
    assert summary_of([won, lost]) == expected


@pytest.mark.parametrize(
    ("policies", "scenarios", "words"),
    [
        ([], ["single"], "nobody is named"),
        (["nobody-knows"], ["single"], "no controller or folder is called"),
        (["max-pressure"], ["single", "nowhere"], "nowhere: no such scenario"),
        (["max-pressure"], ["single", "single"], "are both called 'single'; rename one"),
    ],
)
def test_wrong_names_are_one_line_before_anything_runs(policies, scenarios, words):
    with pytest.raises(InputError, match=words):
        transfer_cells(policies, scenarios=scenarios)


@pytest.mark.parametrize("scenario", [[], ["single"]])
def test_command_says_where_it_looked_for_the_networks_of_the_tables(scenario, monkeypatch, capsys):
    monkeypatch.delenv("INTERGREEN_DATA", raising=False)
    assert main(["transfer", "max-pressure", *scenario, "--protocols", "literature-10-5"]) == 0
    said = (
        "only what is embedded: benchmark networks are looked up through INTERGREEN_DATA, which is not set; set it to"
    )
    assert (said in capsys.readouterr().err) == (not scenario)


def test_fault_that_the_monitor_sees_is_told_and_fails_the_command(monkeypatch, capsys):
    evaluate = transfer.evaluate

    def faulty(scenario, decider, protocol, *, seeds):
        result = evaluate(scenario, decider, protocol, seeds=seeds)
        return result | {"safety": result["safety"] | {"monitor_faults": 1}}

    asked = ["transfer", "max-pressure", "single", "--protocols", "literature-10-5"]
    assert main(asked) == 0
    assert "monitor" not in capsys.readouterr().err
    monkeypatch.setattr(transfer, "evaluate", faulty)
    assert main(asked) == 1
    assert "single under literature-10-5: the monitor saw 3 faults" in capsys.readouterr().err
