"""Training runs: what they leave behind, best and last, each learner, and wrong requests."""

import csv
import subprocess
import sys

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from intergreen.agents.cli import main
from intergreen.agents.controllers import controller_by_name
from intergreen.agents.controllers.policy_network import read_network
from intergreen.agents.evaluation.run import evaluate
from intergreen.agents.learning import worlds
from intergreen.agents.learning.alone import alone_in
from intergreen.agents.learning.origin import source_commit
from intergreen.agents.learning.prepare import prepare
from intergreen.agents.learning.recipe import read_recipe
from intergreen.agents.learning.train import train
from intergreen.agents.learning.trials import Subject, Trials, Verdict
from intergreen.envs.episodes import Episodes
from intergreen.envs.errors import InputError
from intergreen.envs.layout import feature_names
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import load_scenario


def rows(folder):
    with (folder / "progress.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def same(first, second):
    return all(np.array_equal(array, second.arrays[name]) for name, array in first.arrays.items())


def travel_time_s(scenario, controller, *, horizon_s=900):
    protocol = protocol_by_name(scenario.default_protocol)
    result = evaluate(scenario, controller, protocol, seeds=[0, 1], horizon_s=horizon_s)
    return result["metrics"]["average_travel_time_s"]["mean"]


def test_run_leaves_what_it_was_and_how_far_it_came(run, pair_file, stated):
    files = {"best.npz", "checkpoint.pt", "policy.npz", "progress.csv", "recipe.yaml", "run.json", "tensorboard"}
    assert {path.name for path in run.iterdir()} == files
    content = stated(run)
    assert content["recipe"]["scenario"] == str(pair_file)
    assert (content["scenario"], content["seed"], content["protocol"]) == ("pair", 0, "literature-10-5")
    assert content["git_commit"] == source_commit()
    assert {"torch", "stable-baselines3", "sb3-contrib", "numba", "intergreen"} <= set(content["versions"])
    assert content["evaluation"]["seeds"] == [900_000]
    assert content["outcome"]["finished"]
    assert content["outcome"]["steps"] == 240


def test_recipe_of_a_run_repeats_it(run, stated):
    again = read_recipe(str(run / "recipe.yaml"))
    assert again.model_dump(mode="json") == stated(run)["recipe"]


def test_features_stated_are_those_of_the_observations(run, pair_file, stated):
    observation = stated(run)["observation"]
    names = feature_names(Episodes(str(pair_file)).layout)
    assert [f"movement_0.{column}" for column in observation["movement"]] == [
        name for name in names if name.startswith("movement_0.")
    ]
    assert [f"signal.{column}" for column in observation["signal"]] == [
        name for name in names if name.startswith("signal.")
    ]


def test_outcome_states_last_and_best_beside_the_baselines_on_the_same_trips(run, pair_file, stated):
    content = stated(run)
    scenario = load_scenario(str(pair_file))
    trials = Trials([Subject("pair", scenario, scenario.default_protocol)], seeds=1)
    for name, figures in content["evaluation"]["baselines"].items():
        assert trials.of(controller_by_name(name)).travel_time_s == figures
    assert set(content["evaluation"]["baselines"]) == {"max-pressure", "advanced-max-pressure"}
    for which in ("last", "best"):
        told = content["outcome"][which]
        told = told["evaluation"] if which == "last" else told
        reached = trials.of(controller_by_name(f"{run}:{which}"))
        assert told["average_travel_time_s"] == reached.mean_s
        assert told["steps"] == 240
        assert told["share_of_max_pressure"] == pytest.approx(
            reached.mean_s / content["evaluation"]["baselines"]["max-pressure"]["pair"]
        )


def test_log_has_a_row_per_update_and_tensorboard_the_same_numbers(run):
    logged = rows(run)
    assert [int(row["steps"]) for row in logged] == [80, 160, 240]
    events = EventAccumulator(str(run / "tensorboard")).Reload()
    for name in ("mean_reward", "value_loss", "learning_rate", "evaluation_travel_time_s"):
        ours = [(int(row["steps"]), pytest.approx(float(row[name]), rel=1e-6)) for row in logged if row[name]]
        assert [(event.step, event.value) for event in events.Scalars(name)] == ours
        assert ours
    assert float(logged[0]["learning_rate"]) > float(logged[-1]["learning_rate"]) > 0


def test_trials_are_on_trips_that_no_training_draws(monkeypatch):
    from intergreen.agents.learning import trials

    asked = []
    draw = trials.training_trips
    monkeypatch.setattr(trials, "training_trips", lambda s, seed, *a, **k: asked.append(seed) or draw(s, seed, *a, **k))
    Trials([Subject("single", load_scenario("single"), "literature-10-5")], seeds=3, horizon_s=10)
    assert asked == [900_000, 900_001, 900_002]


def test_same_seed_trains_the_same_policy(run, recipe_file, tmp_path):
    again = train(prepare(str(recipe_file), out=tmp_path / "again"))
    other = train(prepare(str(recipe_file), out=tmp_path / "other", seed=1))
    first, second, third = (read_network(folder / "policy.npz") for folder in (run, again, other))
    assert same(first, second)
    assert not same(first, third)


def test_best_and_last_policy_are_kept_apart(recipe_with, tmp_path, monkeypatch, stated):
    figures = iter([100.0, 90.0, 91.0, 80.0, 95.0])  # max-pressure, advanced, then the policy three times
    monkeypatch.setattr(Trials, "of", lambda self, controller: Verdict({"pair": next(figures)}))
    kept = []
    recipe = recipe_with("evaluation: {seeds: 1, every_s: 1.0e-9}", without=["evaluation"])
    folder = train(prepare(recipe, out=tmp_path / "run"), progress=lambda share, words: kept.append(words))
    outcome = stated(folder)["outcome"]
    assert (outcome["best"]["steps"], outcome["best"]["average_travel_time_s"]) == (160, 80.0)
    assert outcome["best"]["share_of_max_pressure"] == 0.8
    assert (outcome["last"]["steps"], outcome["last"]["evaluation"]["average_travel_time_s"]) == (240, 95.0)
    assert not same(read_network(folder / "best.npz"), read_network(folder / "policy.npz"))
    assert [row["evaluation_travel_time_s"] for row in rows(folder)] == ["91.0", "80.0", "95.0"]
    assert kept[-1] == "240 decisions, travel time 95 s, max-pressure 100, best 80"


def test_last_policy_spoken_of_is_the_one_in_the_file(recipe_with, tmp_path, stated):
    def stop(share, words):
        if share > 0.5:
            raise KeyboardInterrupt

    recipe = recipe_with("evaluation: {seeds: 1, every_s: 1.0e-9}", without=["evaluation"])
    with pytest.raises(KeyboardInterrupt):
        train(prepare(recipe, out=tmp_path / "run"), progress=stop)
    outcome = stated(tmp_path / "run")["outcome"]
    assert outcome["last"]["steps"] == outcome["steps"] == 0  # evaluated twice since, but not yet written again
    assert outcome["best"]["steps"] in (80, 160)
    train(prepare(None, resume=tmp_path / "run"))
    outcome = stated(tmp_path / "run")["outcome"]
    assert outcome["last"]["steps"] == outcome["last"]["evaluation"]["steps"] == 240


@pytest.mark.parametrize("algorithm", ["ppo", "maskable-ppo", "dqn"])
def test_each_learner_trains_and_leaves_a_controller(algorithm, recipe_with, tmp_path, stated, pair_file):
    recipe = recipe_with(f"algorithm: {algorithm}")
    folder = train(prepare(recipe, out=tmp_path / "run"))
    begun = train(prepare(recipe, out=tmp_path / "begun", steps=4))
    assert stated(folder)["outcome"]["steps"] >= 240
    assert rows(folder)[-1]["evaluation_travel_time_s"]
    assert not same(read_network(folder / "policy.npz"), read_network(begun / "policy.npz"))
    assert travel_time_s(load_scenario(str(pair_file)), controller_by_name(str(folder)), horizon_s=60) > 0


def test_generated_networks_are_trained_on_together(pair_file, tmp_path, monkeypatch, stated):
    asked = {}

    def fake(count, seed, **settings):
        asked.update(settings, count=count, seed=seed)
        told = {key: settings[key] for key in ("features", "reward", "neighbour_share", "horizon_s")}
        return [Episodes(name, movements=12, choices=8, **told) for name in (str(pair_file), "single")]

    monkeypatch.setattr(worlds, "make_worlds", fake)
    path = tmp_path / "recipe.yaml"
    path.write_text(
        f"{{worlds: {{count: 2, junctions: 3, levels: [0.5, 2]}}, steps: 60, horizon_s: 100, width: 8, seed: 3, "
        f"ppo: {{n_steps: 10}}, evaluation: {{scenarios: [{pair_file}], seeds: 1, horizon_s: 100}}}}"
    )
    folder = train(prepare(str(path), out=tmp_path / "run"))
    assert (asked["count"], asked["seed"], asked["horizon_s"]) == (2, 3, 100)
    assert (asked["protocols"], asked["levels"], asked["junctions"]) == (("literature-10-5",), (0.5, 2.0), 3)
    assert stated(folder)["outcome"]["steps"] == 60
    assert list(stated(folder)["outcome"]["best"]["by_scenario"]) == ["pair"]


def test_policy_of_a_few_seconds_beats_fixed_cycle_and_max_pressure_on_one_signal(tmp_path):
    """More is asked of longer runs; this one shows that rewards, actions and observations belong together."""
    path = tmp_path / "recipe.yaml"
    path.write_text(
        "{scenario: single, steps: 60000, replicas: 40, threads: 1, horizon_s: 900, evaluation: {seeds: 1}}"
    )
    trained = train(prepare(str(path), out=tmp_path / "trained"))
    barely = train(prepare(str(path), out=tmp_path / "barely", steps=100))
    scenario = load_scenario("single")
    names = (str(trained), str(barely), "fixed-cycle", "max-pressure")
    learned, *others = (travel_time_s(scenario, controller_by_name(name)) for name in names)
    assert learned < min(others)


def test_time_limit_ends_a_run_and_evaluations_do_not_count(recipe_with, tmp_path, stated):
    recipe = recipe_with("minutes: 1", "evaluation: {seeds: 2, every_s: 1.0e-9}", without=["steps", "evaluation"])
    outcome = stated(train(prepare(recipe, out=tmp_path / "run", minutes=0.01)))["outcome"]
    assert 0.01 <= outcome["minutes"] < 0.03  # an update under way is finished
    assert outcome["evaluation_minutes"] > 0
    assert outcome["finished"]
    assert outcome["steps"] > 0


def spoil_the_reward(monkeypatch, *, after):
    """From decision `after` on, the reward of every signal is no number."""
    calls = iter(range(10_000))
    step = Episodes.step

    def spoiled(self, choice):
        if next(calls) >= after:
            self._senses.reward_table.weight[:] = np.nan
        return step(self, choice)

    monkeypatch.setattr(Episodes, "step", spoiled)


def test_reward_that_is_no_number_ends_the_run_with_one_line(recipe_with, tmp_path, monkeypatch, capsys, stated):
    recipe = recipe_with("checkpoint_s: 1.0e-9")
    spoil_the_reward(monkeypatch, after=50)
    assert main(["train", recipe, "--out", str(tmp_path / "run")]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    line = printed.err.splitlines()[-1]
    assert line.startswith("training: pair: the reward of signal 0 in copy 0 is nan at second ")
    assert "Traceback" not in printed.err
    monkeypatch.undo()
    folder = tmp_path / "run"
    assert stated(folder)["outcome"]["steps"] == 160
    assert controller_by_name(str(folder)).name == "run"
    assert stated(train(prepare(None, resume=folder)))["outcome"]["steps"] == 240


@pytest.mark.parametrize(("algorithm", "section"), [("ppo", "n_steps: 20"), ("dqn", "learning_starts: 40")])
def test_policy_that_is_no_number_ends_the_run_and_is_not_written(algorithm, section, recipe_with, tmp_path):
    line = f"{algorithm}: {{{section}, learning_rate: 1.0e+30}}"
    recipe = recipe_with(f"algorithm: {algorithm}", line, without=[algorithm])
    with pytest.raises(
        FloatingPointError, match=r"are no longer finite numbers after \d+ decisions; lower the learning"
    ):
        train(prepare(recipe, out=tmp_path / "run"))
    assert all(np.isfinite(array).all() for array in read_network(tmp_path / "run" / "policy.npz").arrays.values())


@pytest.mark.parametrize(
    ("words", "request_of"),
    [
        ("holds a run", lambda run, recipe: {"config": recipe, "out": run}),
        ("is a file", lambda run, recipe: {"config": recipe, "out": run / "run.json"}),
        ("no-such: no such recipe, scenario", lambda run, recipe: {"config": "no-such"}),
        ("does not go with --resume", lambda run, recipe: {"config": None, "resume": run, "out": run}),
        ("begun with seed 0, now asked for 5", lambda run, recipe: {"config": None, "resume": run, "seed": 5}),
        ("begun without --drop", lambda run, recipe: {"config": None, "resume": run, "drop_invalid_routes": True}),
        ("begun with scenario", lambda run, recipe: {"config": "single", "resume": run, "steps": 400}),
        ("has used up its budget", lambda run, recipe: {"config": None, "resume": run}),
        ("CONFIG: is missing", lambda run, recipe: {"config": None}),
        ("run.json: not in this folder", lambda run, recipe: {"config": None, "resume": run.parent}),
    ],
)
def test_wrong_request_is_one_line(run, recipe_file, words, request_of):
    request = request_of(run, str(recipe_file))
    with pytest.raises(InputError) as caught:
        prepare(request.pop("config"), **request)
    assert words in str(caught.value)


def test_two_do_not_write_one_run(recipe_file, tmp_path, capsys):
    asked = ["train", str(recipe_file), "--out", str(tmp_path / "run")]
    with alone_in(tmp_path / "run"):
        assert main(asked) == 2
    assert "/run: another process writes this run now; wait until it ends, or name" in capsys.readouterr().err
    assert main(asked) == 0


@pytest.mark.parametrize("where", ["scenario: atlantis", "scenario: single\nevaluation: {scenarios: [atlantis]}"])
def test_recipe_for_a_missing_scenario_is_one_line(where, tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(f"minutes: 1\n{where}")
    with pytest.raises(InputError, match="atlantis: no such scenario, file or folder"):
        prepare(str(path), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_commit_is_that_of_a_checkout_and_of_nothing_else(tmp_path):
    assert source_commit(tmp_path) is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "a"]):
        subprocess.run([*git, *command], check=True, capture_output=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    assert source_commit(tmp_path) == head


def test_without_the_learning_stack_training_says_what_to_install(tmp_path):
    script = (
        "import sys; sys.modules['torch'] = None; from intergreen.agents.cli import main; "
        "sys.exit(main(['train', 'single']))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert 'pip install "intergreen[train]"' in done.stderr
