"""Training that starts from a trained policy: its weights, its features and width, and the values learned first."""

import json
import shutil

import numpy as np
import pytest

from intergreen.agents.cli import main
from intergreen.agents.controllers.policy_network import read_network
from intergreen.agents.controllers.run_folder import RUN
from intergreen.agents.learning import train as training
from intergreen.agents.learning.critic_first import held_layers
from intergreen.agents.learning.prepare import prepare
from intergreen.agents.learning.recipe import read_recipe
from intergreen.agents.learning.teachers import prepare_distillation
from intergreen.agents.learning.trained import read_trained
from intergreen.envs.errors import InputError

OFTEN = "checkpoint_s: 0.000001"
VALUES_ALONE = "ppo: {n_steps: 20, minibatches: 2, n_epochs: 2, critic_first: 0.9}"


def policy(folder):
    return read_network(folder / "policy.npz").arrays


def equal(first, second):
    return {name for name, array in first.items() if np.array_equal(array, second[name])}


@pytest.fixture
def models(monkeypatch):
    """The learners that trainings make, as they are when training ends."""
    from intergreen.agents.learning import model

    made, make = [], model.make_model

    def remember(*arguments):
        made.append(make(*arguments))
        return made[-1]

    monkeypatch.setattr(model, "make_model", remember)
    return made


@pytest.mark.parametrize("algorithm", ["ppo", "maskable-ppo"])
def test_values_learn_alone_and_then_everything(algorithm, run, recipe_with, tmp_path, models):
    """Three updates: the first two before 0.9 of the budget is used up, the third after 0.6."""
    lines = (f"algorithm: {algorithm}", f"start: {run}")
    held = training.train(prepare(recipe_with(*lines, VALUES_ALONE, without=["ppo"]), out=tmp_path / "held"))
    start = policy(run)
    assert equal(policy(held), start) == set(start)
    network = models[0].policy.mlp_extractor.network
    moved = [one for one in network.parameters() if one not in set(held_layers(network))]
    assert len(moved) == 4
    assert all(models[0].policy.optimizer.state[one]["step"] == 12 for one in moved)
    soon = VALUES_ALONE.replace("0.9", "0.6")
    free = training.train(prepare(recipe_with(*lines, soon, without=["ppo"]), out=tmp_path / "free"))
    assert equal(policy(free), start) == set()
    assert all(float(np.abs(array - start[name]).max()) < 0.1 for name, array in policy(free).items())


def test_dqn_starts_from_values(run, recipe_with, tmp_path, models):
    first = training.train(prepare(recipe_with("algorithm: dqn"), out=tmp_path / "first"))
    late = ("algorithm: dqn", f"start: {first}", "dqn: {learning_starts: 100000}")
    second = training.train(prepare(recipe_with(*late, without=["dqn"]), out=tmp_path / "second"))
    assert equal(policy(second), policy(first)) == set(policy(first))
    online, target = models[1].q_net.state_dict(), models[1].q_net_target.state_dict()
    assert all(bool((online[name] == target[name]).all()) for name in online)


def test_features_and_width_are_those_of_the_start(run, recipe_with, tmp_path, stated):
    recipe = recipe_with(f"start: {run}", "width: 20", "features: [queue]", without=["width"])
    prepared = prepare(recipe, out=tmp_path / "second")
    assert f"start {run}" in prepared.summary()
    assert "critic_first 0.05" in prepared.summary()
    assert "critic_first" not in prepare(recipe_with(), out=tmp_path / "third").summary()
    folder = training.train(prepared)
    before, after = stated(run), stated(folder)
    assert after["observation"] == before["observation"]
    assert after["recipe"]["width"] == before["recipe"]["width"] == 8
    assert after["start"]["name"] == str(run)
    assert len(after["start"]["sha256"]) == 64
    assert read_recipe(str(folder / "recipe.yaml")).model_dump(mode="json") == after["recipe"]
    student = prepare_distillation([str(folder), str(run)], out=tmp_path / "student").training
    assert (student.start, student.recipe.start) == (None, None)


def test_interrupted_run_goes_on_without_the_run_it_started_from(run, recipe_with, tmp_path, stated):
    first = shutil.copytree(run, tmp_path / "first")
    recipe = recipe_with(f"start: {first}", OFTEN, VALUES_ALONE, without=["ppo"])
    whole = training.train(prepare(recipe, out=tmp_path / "whole"))

    def stop(share, words):
        if share > 0.3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        training.train(prepare(recipe, out=tmp_path / "stopped"), progress=stop)
    shutil.rmtree(first)
    for config in (recipe, None):  # a recipe that does not name the features, and the one that was stored
        prepare(config, resume=tmp_path / "stopped")
    training.train(prepare(None, resume=tmp_path / "stopped"))
    assert stated(tmp_path / "stopped")["outcome"]["finished"]
    assert equal(policy(tmp_path / "stopped"), policy(whole)) == set(policy(whole))


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["start: {run}/nowhere"], "nowhere: no such folder; name the folder that `intergreen train` wrote, or one of"),
        (["start: unversal"], "unversal: no such folder; name the folder that `intergreen train` wrote, or one of"),
        (["start: {run}", "algorithm: dqn"], "algorithm: was trained by ppo, now asked for dqn"),
        (["start: 5"], "start: input should be a valid string"),
        (["start: {run}", "ppo: {critic_first: 1.0}"], "ppo.critic_first: input should be less than 1"),
        (["start: {run}", "ppo: {critics_first: 0.1}"], "did you mean 'critic_first'?"),
    ],
)
def test_start_that_cannot_be_is_one_line(lines, words, run, recipe_with, tmp_path):
    with pytest.raises(InputError) as caught:
        prepare(recipe_with(*(one.replace("{run}", str(run)) for one in lines), without=["ppo"]), out=tmp_path / "new")
    assert words in str(caught.value)
    assert not (tmp_path / "new").exists()


def test_command_line_starts_from_a_run(run, recipe_file, tmp_path, stated, capsys):
    assert main(["train", str(recipe_file), "--start", str(run), "--out", str(tmp_path / "new")]) == 0
    assert f"start {run}" in capsys.readouterr().err
    assert stated(tmp_path / "new")["recipe"]["start"] == str(run)
    assert main(["train", "--resume", str(tmp_path / "new"), "--start", "universal-0", "--steps", "400"]) == 2
    assert f"begun with start '{run}', now asked for 'universal-0'" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["universal", "quick"])
def test_shipped_bundle_is_no_run_and_says_which_is(name):
    with pytest.raises(InputError, match=rf"{name}: is an exported bundle, .*; name a run, as universal-even, "):
        read_trained(name)


@pytest.mark.parametrize("made_by", ["save_as_run", "intergreen refine"])
def test_run_without_a_training_cannot_be_resumed(made_by, run, tmp_path):
    shutil.copytree(run, tmp_path / "other")
    told = json.loads((tmp_path / "other" / RUN).read_text())
    (tmp_path / "other" / RUN).write_text(json.dumps(told | {"made_by": made_by}))
    with pytest.raises(InputError, match=rf"other: was made by '{made_by}', .*; begin another run with --start "):
        prepare(None, resume=tmp_path / "other", steps=10**6)
