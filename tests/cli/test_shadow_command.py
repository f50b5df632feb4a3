"""`intergreen shadow` from outside: exit status, tables, JSON alone on stdout, the log, one line for wrong input."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from intergreen.agents.cli import main
from intergreen.envs.protocol import Protocol

SHORT = ["--horizon", "200"]


def test_shadow_prints_tables_and_writes_the_log(tmp_path, capsys):
    log = tmp_path / "log.csv"
    assert main(["shadow", "universal-0", "single", *SHORT, "--seeds", "0-1", "--log", str(log)]) == 0
    printed = capsys.readouterr()
    titles = [line for line in printed.out.splitlines() if line.startswith("#")]
    assert titles[0].startswith(
        "# universal-0 beside fixed-time · single · literature-10-5 · 200 s · native · seeds 0,1"
    )
    assert titles[1:] == ["# signals, least agreement first", "# universal-0 in place of fixed-time"]
    assert printed.err == f"wrote {log}\n"
    rows = list(csv.DictReader(log.read_text().splitlines()))
    assert rows
    assert all(row["shown"] != row["wanted"] for row in rows)


def test_json_goes_alone_to_stdout_and_every_decision_to_the_log(tmp_path, capsys):
    log = tmp_path / "log.jsonl"
    asked = ["--in-charge", "webster", "--no-counterfactual", "--log", str(log), "--every", "--json", "-"]
    assert main(["shadow", "max-pressure", "single", *SHORT, *asked]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["controller"], result["policy"]) == ("webster", "max-pressure")
    assert (result["asked"], result["estimate"]["counterfactual"]) == ("the protocol's own signals", None)
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(rows) == result["shadow"]["decisions"] == 20
    assert np.mean([row["shown"] == row["wanted"] for row in rows]) == pytest.approx(result["shadow"]["agree"])


@pytest.mark.parametrize("counterfactual", [True, False])
def test_fault_is_status_one_and_names_the_run_in_which_it_was_seen(counterfactual, monkeypatch, capsys):
    make = Protocol.plan

    def plan(self, *arguments, **options):
        made = make(self, *arguments, **options)
        return replace(made, rules=made.rules._replace(yellow=made.rules.yellow - 1))

    monkeypatch.setattr(Protocol, "plan", plan)
    asked = ["--in-charge", "webster", "--protocol", "us-mutcd-5", *([] if counterfactual else ["--no-counterfactual"])]
    assert main(["shadow", "max-pressure", "single", *SHORT, *asked, "--json", "-"]) == 1
    lines = capsys.readouterr().err.splitlines()
    seen_in = ["webster", "max-pressure"] if counterfactual else ["webster"]
    assert [line.split(", ")[1] for line in lines] == seen_in
    assert all("short yellow at signal" in line for line in lines)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["shadow"], "BUNDLE"),
        (["shadow", "universal-0"], "SCENARIO"),
        (["shadow", "no-such", "single"], "no-such"),
        (["shadow", "universal-0", "no-such"], "no-such"),
        (["shadow", "universal-0", "single", "--in-charge", "no-such"], "no-such"),
        (["shadow", "fixed-time", "single"], "--in-charge: 'fixed-time' would be the shadow of itself"),
        (["shadow", "universal-0", "single", "--log", "{empty}/log.txt"], "end it in .csv or .jsonl"),
        (["shadow", "universal-0", "single", "--log", "{empty}/missing/log.csv"], "--log"),
        (["shadow", "universal-0", "single", "--every"], "--every: does not go with a run without --log"),
        (["shadow", "universal-0", "single", "--seeds", "9-0"], "--seeds"),
        (["shadow", "universal-0", "single", "--protocol", "nonsense"], "nonsense"),
        (["shadow", "universal-0", "single", "--simulator", "vissim"], "no simulator is called 'vissim'"),
        (["shadow", "{empty}", "single"], "SHA256SUMS"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_input_is_one_line_and_status_two(arguments, words, tmp_path, capsys):
    assert main([word.format(empty=tmp_path) for word in arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert words in printed.err
    assert list(tmp_path.iterdir()) == []


def test_policy_that_does_not_fit_the_network_is_refused_before_any_run(monkeypatch, capsys):
    from intergreen.agents.controllers.max_pressure import MaxPressure
    from intergreen.envs.errors import InputError

    def start(self, setup):
        raise InputError(
            "bundle", "network", f"was made for another network than {setup.network.name}", "export for it"
        )

    monkeypatch.setattr(MaxPressure, "start", start)
    assert main(["shadow", "max-pressure", "single", *SHORT]) == 2
    assert "was made for another network" in capsys.readouterr().err
