"""Trainings by seed, their curves, and what the finished policies reach; on two signals and in seconds."""

import csv
import json

import numpy as np
import pytest
from learning.small_run import write_recipe, write_scenario

from intergreen.agents.cli import main
from intergreen.agents.controllers import controller_by_name
from intergreen.agents.evaluation import learning_curve
from intergreen.agents.evaluation.learning_curve import (
    first_below,
    learning_tables,
    median_curve,
    prepare_learning,
    run_learning,
    write_learning_report,
)
from intergreen.agents.evaluation.run import evaluate
from intergreen.agents.tables import plain_text
from intergreen.envs.errors import InputError
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import load_scenario


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    settings = {"checkpoint_s": 1.0e-9, "evaluation": {"seeds": 3}}
    return write_recipe(write_scenario(tmp_path_factory.mktemp("scenario")), **settings)


@pytest.fixture(scope="module")
def finished(recipe, tmp_path_factory):
    """The folder of two trainings and what came out of them; read it, do not write."""
    folder = tmp_path_factory.mktemp("learning")
    return folder, run_learning(prepare_learning(str(recipe), folder=folder, seeds=[0, 4]))


def stated(folder, seed):
    return json.loads((folder / "runs" / f"seed-{seed}" / "run.json").read_text())


def test_first_evaluation_below_a_figure_counts_even_if_later_ones_are_not():
    curve = {"training_s": [5.0, 10.0, 15.0], "travel_time_s": [300.0, 200.0, 310.0]}
    assert first_below(curve, 250.0) == 10.0
    assert first_below(curve, 200.0) is None


def test_median_curve_stays_where_all_curves_are():
    curves = [
        {"training_s": [0.0, 10.0], "travel_time_s": [100.0, 0.0]},
        {"training_s": [2.0, 12.0], "travel_time_s": [7.0, 7.0]},
        {"training_s": [0.0, 20.0], "travel_time_s": [50.0, 50.0]},
    ]
    seconds, median = median_curve(curves)
    assert seconds.tolist() == [2.0, 10.0]
    assert median.tolist() == [50.0, 7.0]


def test_every_seed_has_a_row_with_what_its_run_says(finished):
    folder, result = finished
    assert [row["seed"] for row in result["trainings"]] == [0, 4]
    for row in result["trainings"]:
        run = stated(folder, row["seed"])
        assert run["seed"] == row["seed"]
        assert row["decisions"] == run["outcome"]["steps"] == 240
        assert row["final_evaluation_s"] == round(run["outcome"]["last"]["evaluation"]["average_travel_time_s"], 2)
        assert row["wall_s"] > row["training_s"] > 0.0
        assert run["recipe"]["evaluation"]["every_s"] == learning_curve.EVALUATE_EVERY_S
        assert run["recipe"]["evaluation"]["seeds"] == 3  # as in the recipe


def test_time_to_a_baseline_is_that_of_the_evaluations_on_the_same_trips(finished):
    folder, result = finished
    for row in result["trainings"]:
        curve = result["curves"][str(row["seed"])]
        for name in learning_curve.BASELINES:
            figure = stated(folder, row["seed"])["evaluation"]["baselines"][name]["pair"]
            assert result["evaluation"][name] == figure
            assert row[f"below_{name.replace('-', '_')}_s"] == first_below(curve, figure)


def test_finished_policies_drive_the_ten_seeds_nobody_trains_on(finished, recipe):
    folder, result = finished
    scenario, protocol = load_scenario(recipe.with_name("pair.yaml")), protocol_by_name("literature-10-5")

    def mean(controller):
        metrics = evaluate(scenario, controller_by_name(controller), protocol, seeds=range(10))["metrics"]
        return metrics["average_travel_time_s"]["mean"]

    policies = [mean(str(folder / "runs" / f"seed-{seed}")) for seed in (0, 4)]
    test = result["test"]
    assert test["policy"]["per_seed"] == policies
    assert test["policy"]["mean"] == pytest.approx(np.mean(policies))
    assert [row["travel_time_s"] for row in result["trainings"]] == [round(figure, 2) for figure in policies]
    for name in learning_curve.BASELINES:
        assert test[name]["mean"] == mean(name)
        assert test[name]["beaten_by"] == sum(figure < test[name]["mean"] for figure in policies)


def test_tables_hold_the_seeds_and_all_of_them_beside_the_baselines(finished):
    _, result = finished
    trainings, together = learning_tables(result)
    assert [row[0] for row in trainings.rows] == ["0", "4"]
    assert [row[0] for row in together.rows][:2] == list(learning_curve.BASELINES)
    assert f"{result['test']['max-pressure']['beaten_by']} of 2" in plain_text(together)
    assert "seeds 0-9" in together.title


def test_report_holds_every_point_of_every_curve_and_a_picture(finished, tmp_path):
    pytest.importorskip("matplotlib")
    _, result = finished
    table, picture = write_learning_report(result, tmp_path)
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    points = [
        (seed, str(seconds), str(value))
        for seed, curve in result["curves"].items()
        for seconds, value in zip(curve["training_s"], curve["travel_time_s"], strict=True)
    ]
    assert points
    assert [tuple(row.values()) for row in rows] == points
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_finished_trainings_are_not_trained_again(finished, recipe, monkeypatch):
    folder, result = finished

    def refuse(*_, **__):
        raise AssertionError("trained again")

    monkeypatch.setattr(learning_curve, "train", refuse)
    again = run_learning(prepare_learning(str(recipe), folder=folder, seeds=[0, 4]))
    assert again == result


@pytest.mark.parametrize(("line", "words"), [("steps: 480", "steps"), ("width: 16", "width")])
def test_trainings_of_another_recipe_are_refused(finished, recipe, line, words):
    folder, _ = finished
    kept = [text for text in recipe.read_text().splitlines() if not text.startswith(line.split()[0])]
    other = recipe.with_name(f"other-{words}.yaml")
    other.write_text("\n".join([*kept, line]))
    with pytest.raises(InputError, match=words):
        prepare_learning(str(other), folder=folder, seeds=[0])


def test_interrupted_training_goes_on_and_its_seconds_add_up(recipe, tmp_path):
    def interrupt(share, words):
        if share > 0.25:  # one of two parts of the work is the training
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_learning(prepare_learning(str(recipe), folder=tmp_path, seeds=[1]), progress=interrupt)
    assert not stated(tmp_path, 1)["outcome"]["finished"]
    before = json.loads((tmp_path / "wall_s.json").read_text())["1"]
    result = run_learning(prepare_learning(str(recipe), folder=tmp_path, seeds=[1]))
    (row,) = result["trainings"]
    assert stated(tmp_path, 1)["outcome"]["finished"]
    assert row["decisions"] == 240
    assert row["wall_s"] > before > 0.0


def test_seconds_of_a_training_killed_without_a_word_are_not_guessed(recipe, tmp_path):
    def kill(share, words):
        if share > 0.25:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_learning(prepare_learning(str(recipe), folder=tmp_path, seeds=[1]), progress=kill)
    (tmp_path / "wall_s.json").write_text('{"1": null}')  # what stands there while a training runs
    result = run_learning(prepare_learning(str(recipe), folder=tmp_path, seeds=[1]))
    assert result["trainings"][0]["wall_s"] is None
    assert result["trainings"][0]["training_s"] > 0.0


def test_recipe_on_generated_networks_is_refused(tmp_path):
    with pytest.raises(InputError, match="generated networks"):
        prepare_learning("universal", folder=tmp_path, seeds=[0])
    assert list(tmp_path.iterdir()) == []


def test_command_prints_json_alone_and_writes_the_curve(recipe, tmp_path, capsys):
    folder = tmp_path / "curve"
    arguments = ["benchmark", "--learning", "--recipe", str(recipe), "--seeds", "2", "--report", str(folder)]
    assert main([*arguments, "--json", "-"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert [row["seed"] for row in result["trainings"]] == [2]
    assert (folder / "learning_curve.csv").is_file()
    assert (folder / "runs" / "seed-2" / "run.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--learning", "--environment"], "--environment"),
        (["single", "--learning"], "SCENARIO"),
        (["--learning", "--horizon", "60"], "--horizon"),
        (["--minutes", "1"], "--minutes"),
        (["--minutes", "0"], "--minutes"),
        (["--learning", "--threads", "0"], "--threads"),
        (["--environment", "--seeds", "0"], "--seeds"),
        (["--environment", "single"], "SCENARIO"),
        (["--learning", "--minutes", "0"], "--minutes"),
        (["--learning", "--seeds", "9-0"], "--seeds"),
        (["--learning", "--recipe", "no-such"], "no-such"),
        (["--learning", "--recipe", "universal"], "--recipe"),
    ],
    ids=" ".join,
)
def test_options_that_do_not_go_together_are_one_line(arguments, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["benchmark", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert words in printed.err
    assert list(tmp_path.iterdir()) == []
