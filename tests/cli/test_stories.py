"""The command line as a person uses it, from a file to a result; each story in seconds."""

import json
import shutil

import pytest
from learning.small_run import recipe_text, write_scenario
from network import small

from intergreen.agents.cli import main
from intergreen.agents.controllers import controller_names
from intergreen.agents.deployment.bundle import read_bundle

NOWHERE = ["in_W", "in_N"]  # no movement leads from one to the other


@pytest.fixture(scope="module")
def crossing(tmp_path_factory):
    return write_scenario(tmp_path_factory.mktemp("scenario"), "crossing", signals=1)


@pytest.fixture
def folder_with_a_route_to_nowhere(tmp_path):
    folder = tmp_path / "crossroads"
    folder.mkdir()
    return small.write(folder, flow=[*small.flows(), small.flows()[0] | {"route": NOWHERE}])


def printed_json(capsys, *arguments, status=0):
    assert main([*arguments, "--json", "-"]) == status
    return json.loads(capsys.readouterr().out)


def test_demo_trains_exports_compares_and_writes_a_report(tmp_path, capsys):
    results = printed_json(capsys, "demo", "--minutes", "0.03", "--out", str(tmp_path))
    *baselines, learned = (result["controller"] for result in results)
    assert {"fixed-time", "fixed-cycle", "max-pressure"} <= set(baselines) <= set(controller_names())
    run, bundle = sorted(
        (path for path in tmp_path.iterdir() if path.name != "report"), key=lambda path: path.name < "q"
    )
    assert learned == bundle.name
    assert read_bundle(bundle).protocols == ("literature-10-5",)
    written = {"run.json", "recipe.yaml", "policy.npz", "best.npz", "checkpoint.pt", "progress.csv", "tensorboard"}
    assert {path.name for path in run.iterdir()} == written
    assert json.loads((run / "run.json").read_text())["outcome"]["steps"] > 0
    report = (tmp_path / "report" / "report.md").read_text()
    assert all(name in report for name in (*baselines, learned))
    assert {result["scenario"] for result in results} == {"grid4x4"}
    assert all(result["seeds"] == [0, 1, 2, 3, 4] and result["horizon_s"] == 3600 for result in results)
    assert all(result["metrics"]["throughput_veh"]["mean"] > 0 for result in results)


def test_trained_run_is_a_controller_to_compare_and_can_be_moved(crossing, tmp_path, capsys):
    recipe, run, report = tmp_path / "recipe.yaml", tmp_path / "run", tmp_path / "report"
    recipe.write_text(recipe_text(crossing))
    assert main(["train", str(recipe), "--out", str(run), "--steps", "80"]) == 0
    assert capsys.readouterr().out.strip() == str(run)
    stated = json.loads((run / "run.json").read_text())
    assert stated["outcome"]["finished"]
    assert 80 <= stated["outcome"]["steps"] < 200  # the option goes before the recipe

    moved = shutil.move(run, tmp_path / "moved")
    compare = ["compare", str(crossing), "--controllers", f"max-pressure,{moved}", "--seeds", "0-1"]
    baseline, learned = printed_json(capsys, *compare, "--report", str(report))
    assert (baseline["controller"], learned["controller"]) == ("max-pressure", "moved")
    assert baseline["protocol"] == learned["protocol"]
    assert len(learned["metrics"]["average_travel_time_s"]["per_seed"]) == 2
    assert "moved" in (report / "report.md").read_text()

    alone = printed_json(capsys, "evaluate", str(crossing), "--controller", str(moved), "--seeds", "0-1")
    assert alone["metrics"] == learned["metrics"]
    best = printed_json(capsys, "evaluate", "town", "--controller", f"{moved}:best", "--horizon", "60")
    assert (best["controller"], best["scenario"]) == ("moved:best", "town")


def test_policy_that_a_run_does_not_have_is_refused_with_those_that_it_has(tmp_path, capsys):
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.json").write_text("{}")
    assert main(["evaluate", "single", "--controller", f"{run}:beste"]) == 2
    assert f"a run has no policy 'beste'; write {run}, or {run}:best" in capsys.readouterr().err


@pytest.mark.parametrize("kept", [False, True], ids=["before its first checkpoint", "after it"])
def test_interrupted_training_says_how_it_goes_on_where_it_can(kept, crossing, tmp_path, monkeypatch, capsys):
    run = tmp_path / "a run"

    def stopped(training, progress):
        if kept:
            (training.folder / "checkpoint.pt").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr("intergreen.agents.learning.train.train", stopped)
    monkeypatch.setattr("intergreen.agents.commands.learning.make_engine_ready", lambda: None)
    assert main(["train", str(crossing), "--out", str(run), "--steps", "80"]) == 130
    words = f"to go on: intergreen train --resume '{run}'\ninterrupted\n"
    assert capsys.readouterr().err.endswith(words) == kept


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("reward: speed", "reward: no reward is called 'speed'"),
        ("features: [queue, weather]", "features: no feature is called 'weather'"),
        ("protocol: rush-hour", "protocol: no protocol is called 'rush-hour'"),
        ("algorithm: sarsa", "algorithm: input should be 'ppo', 'maskable-ppo' or 'dqn', got 'sarsa'"),
        ("scenario: atlantis", "atlantis: no such scenario, file or folder"),
    ],
)
def test_recipe_that_names_what_is_not_there_is_one_line_and_status_two(line, words, crossing, tmp_path, capsys):
    recipe = tmp_path / "recipe.yaml"
    text = recipe_text(crossing)
    without = [kept for kept in text.splitlines() if not kept.startswith(line.split()[0])]
    recipe.write_text("\n".join([*without, line]))
    assert main(["train", str(recipe), "--out", str(tmp_path / "run")]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert words in printed.err
    assert not (tmp_path / "run").exists()


def test_benchmark_of_one_scenario_has_a_row_per_controller(capsys):
    rows = printed_json(capsys, "benchmark", "single", "--horizon", "60")
    assert [row["run"] for row in rows] == ["single fixed-time", "single max-pressure"]
    for row in rows:
        assert row["vehicle_updates"] > 0
        assert row["cpu_s"] > 0
        assert row["updates_per_cpu_s"] > 0


def test_route_that_does_not_exist_is_refused_by_the_name_of_its_flow(folder_with_a_route_to_nowhere, capsys):
    folder = folder_with_a_route_to_nowhere
    assert main(["evaluate", str(folder), "--controller", "fixed-time", "--horizon", "60", "--json", "-"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert f"{folder / 'flow.json'}: [3]" in printed.err
    assert "--drop-invalid-routes" in printed.err


def test_route_that_does_not_exist_is_dropped_and_counted_where_asked(folder_with_a_route_to_nowhere, tmp_path, capsys):
    asked = ["--controller", "fixed-time", "--horizon", "120"]
    result = printed_json(capsys, "evaluate", str(folder_with_a_route_to_nowhere), *asked, "--drop-invalid-routes")
    assert result["dropped_flows"] == 1
    without = tmp_path / "without" / "crossroads"
    without.mkdir(parents=True)
    sound = printed_json(capsys, "evaluate", str(small.write(without)), *asked)
    assert sound["dropped_flows"] == 0
    assert result["metrics"] == sound["metrics"]
