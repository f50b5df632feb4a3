"""Training runs: what they leave behind, going on after a kill, and wrong requests."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch

from intergreen.agents.controllers import controller_by_name
from intergreen.agents.controllers.policy_weights import read_weights
from intergreen.agents.evaluation.run import evaluate
from intergreen.agents.learning.recipe import make_recipe
from intergreen.agents.learning.train import prepare, train
from intergreen.envs.errors import InputError
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import load_scenario


def checkpoint(folder):
    return torch.load(folder / "checkpoint.pt", weights_only=True)


def steps_logged(folder):
    lines = (folder / "progress.csv").read_text().splitlines()
    place = lines[0].split(",").index("steps")
    return [int(line.split(",")[place]) for line in lines[1:]]


def travel_time_s(scenario, controller, *, horizon_s=900):
    protocol = protocol_by_name(scenario.default_protocol)
    result = evaluate(scenario, controller, protocol, seeds=[0, 1], horizon_s=horizon_s)
    return result["metrics"]["average_travel_time_s"]["mean"]


@pytest.fixture
def copied_run(run, tmp_path):
    return shutil.copytree(run, tmp_path / "copy")


def test_run_leaves_what_it_was_and_how_far_it_came(run, pair_file):
    assert sorted(path.name for path in run.iterdir()) == ["checkpoint.pt", "policy.npz", "progress.csv", "run.json"]
    stated = json.loads((run / "run.json").read_text())
    assert stated["recipe"]["scenario"] == str(pair_file)
    assert stated["outcome"]["finished"]
    assert stated["outcome"]["steps"] == checkpoint(run)["steps"] == 240
    assert len(stated["features"]) == stated["shape"]["movements"] + stated["shape"]["phases"]
    assert {"torch", "stable-baselines3", "numba", "intergreen"} <= set(stated["versions"])
    assert steps_logged(run) == [80, 160, 240]


def test_same_seed_trains_the_same_policy(run, recipe_file, tmp_path):
    again = train(prepare(str(recipe_file), out=tmp_path / "again"))
    other = train(prepare(str(recipe_file), out=tmp_path / "other", seed=1))
    weights = [read_weights(folder / "policy.npz").weight[0] for folder in (run, again, other)]
    assert np.array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])


def test_policy_of_a_few_seconds_beats_a_fixed_cycle_on_one_signal(tmp_path):
    """More is asked of longer runs; this one shows that rewards, actions and observations belong together."""
    recipe = make_recipe(
        "test", {"scenario": "single", "minutes": None, "steps": 48_000, "replicas": 100, "horizon_s": 900}
    )
    path = tmp_path / "recipe.yaml"
    path.write_text(json.dumps(recipe.model_dump(mode="json")))
    trained = train(prepare(str(path), out=tmp_path / "trained"))
    barely = train(prepare(str(path), out=tmp_path / "barely", steps=100))
    scenario = load_scenario("single")
    names = (str(trained), str(barely), "fixed-cycle")
    learned, untrained, cycle = (travel_time_s(scenario, controller_by_name(name)) for name in names)
    assert learned < cycle
    assert learned < untrained


def test_resumed_run_goes_on_from_its_checkpoint(copied_run):
    before = checkpoint(copied_run)
    with pytest.raises(InputError, match="has used up its budget; raise it with --minutes or --steps"):
        prepare(None, resume=copied_run)
    folder = train(prepare(None, resume=copied_run, steps=400))
    after = checkpoint(folder)
    assert (folder, before["steps"], after["steps"]) == (copied_run, 240, 400)
    assert steps_logged(copied_run) == [80, 160, 240, 320, 400]
    moments = [content["optimizer"]["state"][0]["step"] for content in (before, after)]
    assert moments[1] > moments[0] > 0


def test_checkpoint_brings_back_weights_and_optimiser(copied_run):
    """Resuming with nothing left to do writes the same checkpoint again."""
    before = checkpoint(copied_run)
    train(prepare(None, resume=copied_run, steps=240))
    after = checkpoint(copied_run)
    for name, tensor in before["policy"].items():
        assert torch.equal(tensor, after["policy"][name])
    for k, moments in before["optimizer"]["state"].items():
        assert torch.equal(moments["exp_avg_sq"], after["optimizer"]["state"][k]["exp_avg_sq"])


def test_interrupted_run_can_be_used_and_resumed(recipe_file, tmp_path):
    recipe = recipe_file.read_text() + "checkpoint_s: 0.001\n"
    path = tmp_path / "recipe.yaml"
    path.write_text(recipe)

    def interrupt(share, words):
        if share > 0.5:
            raise KeyboardInterrupt

    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train(prepare(str(path), out=folder), progress=interrupt)
    assert not json.loads((folder / "run.json").read_text())["outcome"]["finished"]
    assert checkpoint(folder)["steps"] == 80
    assert controller_by_name(str(folder)).name == "run"
    train(prepare(str(path), resume=folder))
    assert steps_logged(folder) == [80, 160, 240]


def test_time_limit_ends_a_run(recipe_file, tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(recipe_file.read_text().replace("steps: 240", "steps: null").replace("minutes: null", "minutes: 1"))
    folder = train(prepare(str(path), out=tmp_path / "run", minutes=0.01))
    outcome = json.loads((folder / "run.json").read_text())["outcome"]
    assert 0.01 <= outcome["minutes"] < 0.03  # an update under way is finished
    assert outcome["finished"]
    assert outcome["steps"] > 0


@pytest.mark.parametrize(
    ("words", "request_of"),
    [
        ("holds a run", lambda run, recipe: {"config": recipe, "out": run}),
        ("is a file", lambda run, recipe: {"config": recipe, "out": run / "run.json"}),
        ("no-such: no such recipe, scenario", lambda run, recipe: {"config": "no-such"}),
        ("does not go with --resume", lambda run, recipe: {"config": None, "resume": run, "out": run}),
        ("begun with seed 0, now asked for 5", lambda run, recipe: {"config": None, "resume": run, "seed": 5}),
        ("begun with scenario", lambda run, recipe: {"config": "single", "resume": run, "steps": 400}),
        ("CONFIG: is missing", lambda run, recipe: {"config": None}),
        ("run.json: not in this folder", lambda run, recipe: {"config": None, "resume": run.parent}),
    ],
)
def test_wrong_request_is_one_line(run, recipe_file, words, request_of):
    request = request_of(run, str(recipe_file))
    with pytest.raises(InputError) as caught:
        prepare(request.pop("config"), **request)
    assert words in str(caught.value)


def test_recipe_for_a_missing_scenario_is_one_line(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text("scenario: atlantis")
    with pytest.raises(InputError, match="atlantis: no such scenario, file or folder"):
        prepare(str(path), out=tmp_path / "run")


def test_broken_checkpoint_is_one_line(copied_run):
    (copied_run / "checkpoint.pt").write_bytes(b"PK not an archive")
    with pytest.raises(InputError, match=r"checkpoint\.pt: holds no checkpoint of this run"):
        train(prepare(None, resume=copied_run, steps=400))


def test_without_the_learning_stack_training_says_what_to_install(tmp_path):
    script = (
        "import sys; sys.modules['torch'] = None; from intergreen.agents.cli import main; "
        "sys.exit(main(['train', 'single']))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert 'pip install "intergreen[train]"' in done.stderr
