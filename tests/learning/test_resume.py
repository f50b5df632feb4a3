"""Going on after a kill: to the same weights, bit for bit, where the budget is in steps."""

import json
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
import yaml
from learning.small_run import write_recipe, write_scenario

from intergreen.agents.controllers import controller_by_name
from intergreen.agents.controllers.policy_network import read_network
from intergreen.agents.controllers.run_folder import write_run
from intergreen.agents.learning.prepare import prepare
from intergreen.agents.learning.train import train
from intergreen.envs.episode_state import episode_state, restore_episodes
from intergreen.envs.errors import InputError
from intergreen.envs.vector_env import TrafficVecEnv

OFTEN = "checkpoint_s: 1.0e-9"  # after every update


def checkpoint(folder):
    return torch.load(folder / "checkpoint.pt", weights_only=True)


def steps_logged(folder):
    lines = (folder / "progress.csv").read_text().splitlines()
    place = lines[0].split(",").index("steps")
    return [int(line.split(",")[place]) for line in lines[1:]]


def assert_same_policy(folder, other):
    first, second = (read_network(path / "policy.npz").arrays for path in (folder, other))
    assert all(np.array_equal(first[name], second[name]) for name in first)
    first, second = (checkpoint(path) for path in (folder, other))
    assert all(torch.equal(first["policy"][name], second["policy"][name]) for name in first["policy"])
    assert first["averaged"] == second["averaged"]
    assert all(torch.equal(first["average"][name], second["average"][name]) for name in first["average"])
    for k, moments in first["optimizer"]["state"].items():
        assert torch.equal(moments["exp_avg_sq"], second["optimizer"]["state"][k]["exp_avg_sq"])


def interrupted(recipe, folder, *, at_share):
    """A run stopped from outside once that share of its budget is used up."""

    def stop(share, words):
        if share > at_share:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(prepare(recipe, out=folder), progress=stop)
    return folder


ADJUSTED = (
    "averaging: 3",
    "ppo: {n_steps: 20, minibatches: 2, n_epochs: 2, decision_s: 5}",
)


@pytest.mark.parametrize("adjusted", [(), ADJUSTED], ids=["plain", "adjusted"])
@pytest.mark.parametrize("algorithm", ["ppo", "maskable-ppo"])
def test_interrupted_run_ends_where_an_uninterrupted_one_does(algorithm, adjusted, recipe_with, tmp_path, stated):
    replaced = ["steps", "ppo"] if adjusted else ["steps"]
    recipe = recipe_with(f"algorithm: {algorithm}", OFTEN, "steps: 480", *adjusted, without=replaced)
    whole = train(prepare(recipe, out=tmp_path / "whole"))
    folder = interrupted(recipe, tmp_path / "stopped", at_share=0.5)
    assert not stated(folder)["outcome"]["finished"]
    assert checkpoint(folder)["steps"] == 240
    assert checkpoint(folder)["averaged"] == (3 if adjusted else 0)
    assert controller_by_name(str(folder)).name == "stopped"
    train(prepare(recipe, resume=folder))
    assert stated(folder)["outcome"]["finished"]
    assert steps_logged(folder) == steps_logged(whole) == [80, 160, 240, 320, 400, 480]
    assert_same_policy(whole, folder)


def test_killed_run_ends_where_an_uninterrupted_one_does(recipe_with, tmp_path, stated):
    recipe = recipe_with(OFTEN, "steps: 8000", without=["steps"])
    folder, whole = tmp_path / "killed", tmp_path / "whole"
    process = subprocess.Popen(
        [sys.executable, "-m", "intergreen.agents", "train", recipe, "--out", str(folder)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until = time.monotonic() + 120
        while time.monotonic() < until and process.poll() is None:
            if (folder / "run.json").exists() and stated(folder)["outcome"]["steps"] >= 800:
                break
            time.sleep(0.002)
    finally:
        process.kill()
    assert process.wait() == -9
    assert 800 <= stated(folder)["outcome"]["steps"] < 8000
    train(prepare(None, resume=folder))
    train(prepare(recipe, out=whole))
    assert_same_policy(whole, folder)
    leftovers = [path.name for path in folder.iterdir() if path.name.startswith(".")]
    assert len(leftovers) <= 1  # what was being written when it was killed


def test_dqn_goes_on_with_its_weights_and_gathers_anew(recipe_with, tmp_path, stated):
    recipe = recipe_with("algorithm: dqn", "steps: 4400", "checkpoint_s: 0.1", without=["steps"])
    folder = interrupted(recipe, tmp_path / "run", at_share=0.4)
    before = checkpoint(folder)
    train(prepare(None, resume=folder))
    after = checkpoint(folder)
    assert after["steps"] == stated(folder)["outcome"]["steps"] == 4400
    assert after["updates"] > before["updates"] > 0
    assert after["updates"] <= 2 * (4400 // 4)  # none on what it has forgotten


def test_finished_run_goes_on_with_a_larger_budget(copied_run):
    before = checkpoint(copied_run)
    with pytest.raises(InputError, match="has used up its budget; raise it with --minutes or --steps"):
        prepare(None, resume=copied_run)
    assert train(prepare(None, resume=copied_run, steps=400)) == copied_run
    after = checkpoint(copied_run)
    assert (before["steps"], after["steps"]) == (240, 400)
    assert steps_logged(copied_run) == [80, 160, 240, 320, 400]
    assert yaml.safe_load((copied_run / "recipe.yaml").read_text())["steps"] == 400
    moments = [content["optimizer"]["state"][0]["step"] for content in (before, after)]
    assert moments[1] > moments[0] > 0


def test_budget_of_the_recipe_that_is_named_does_not_count_and_that_is_told(copied_run, caplog):
    stated = yaml.safe_load((copied_run / "recipe.yaml").read_text())
    recipe = copied_run.parent / "longer.yaml"
    recipe.write_text(yaml.safe_dump(stated | {"steps": 9_000, "checkpoint_s": 7.0}))
    prepare(str(recipe), resume=copied_run, steps=400)
    (told,) = caplog.messages
    assert "goes on with its own checkpoint_s" in told
    assert "not 7.0 of" in told
    assert "steps 400" not in told


def test_resuming_with_nothing_left_to_do_changes_nothing(copied_run, run, stated):
    train(prepare(None, resume=copied_run, steps=240))
    assert_same_policy(run, copied_run)
    assert stated(copied_run)["outcome"]["best"] == stated(run)["outcome"]["best"]


@pytest.mark.parametrize(("old", "new"), [("learning_rate: 0.002", "learning_rate: 0.01"), ("seed: ", "seed: 4")])
def test_copy_of_the_recipe_that_was_changed_is_told_and_not_passed_over(old, new, copied_run):
    copy = copied_run / "recipe.yaml"
    written = copy.read_text()
    assert old in written
    copy.write_text(written.replace(old, new, 1))
    key = "ppo" if "rate" in old else "seed"
    with pytest.raises(InputError, match=rf"recipe\.yaml: {key}: is .*, and the run was begun with .*; put it back"):
        prepare(None, resume=copied_run, steps=100_000)
    copy.unlink()
    assert prepare(None, resume=copied_run, steps=100_000).resumed


def test_budget_below_what_has_been_used_is_refused(copied_run):
    with pytest.raises(InputError, match=r"--steps: has used 240 steps already, more than 100; give the total"):
        prepare(None, resume=copied_run, steps=100)


@pytest.mark.parametrize("lane_change", ["", "-lane-change"])
def test_traffic_goes_on_as_if_it_had_not_been_stored(lane_change, pair_file):
    def make():
        return TrafficVecEnv(str(pair_file), replicas=3, protocol=f"literature-10-5{lane_change}", reward="delay")

    random = np.random.default_rng(0)
    env, other = make(), make()
    env.seed(5)
    env.reset()
    other.reset()
    actions = random.integers(0, env.action_space.n, (50, env.num_envs))
    for row in actions[:20]:
        env.step(row)
    restore_episodes(other, episode_state(env))
    for row in actions[20:]:  # 30 decisions an episode: the end and the next beginning are among them
        for one, two in zip(env.step(row)[:3], other.step(row)[:3], strict=True):
            assert np.array_equal(one, two)


@pytest.mark.parametrize("kind", ["noise", "undercount", "dead", "wrong-lane"])
def test_failing_detectors_tell_what_they_would_have_told(kind, pair_file):
    def make():
        return TrafficVecEnv(str(pair_file), replicas=2, faults=f"{kind}-10")

    env, other = make(), make()
    env.seed(5)
    env.reset()
    other.reset()
    actions = np.random.default_rng(0).integers(0, env.action_space.n, (50, env.num_envs))
    for row in actions[:20]:
        env.step(row)
    restore_episodes(other, episode_state(env))
    for row in actions[20:]:
        for one, two in zip(env.step(row)[:3], other.step(row)[:3], strict=True):
            assert np.array_equal(one, two)


@pytest.mark.parametrize(("scenario", "replicas"), [("single", 2), ("pair", 3)])
def test_traffic_of_another_network_is_refused(scenario, replicas, pair_file):
    env = TrafficVecEnv(str(pair_file), replicas=2)
    other = TrafficVecEnv(str(pair_file) if scenario == "pair" else scenario, replicas=replicas)
    env.reset()
    other.reset()
    with pytest.raises(ValueError, match=r"another number of networks or copies|this network needs"):
        restore_episodes(env, episode_state(other))


def test_traffic_on_other_routes_is_refused(tmp_path):
    envs = []
    for vph in (500, 50):
        path = write_scenario(tmp_path)
        path.write_text(path.read_text().replace("500", str(vph)))
        envs.append(TrafficVecEnv(str(path)))
        envs[-1].reset()
    with pytest.raises(ValueError, match="pair: the state's trips have other routes"):
        restore_episodes(envs[1], episode_state(envs[0]))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("entry_vph: 500", "entry_vph: 510", "pair had another network or demand when the run began"),
        ("spacing_x_m: 150", "spacing_x_m: 160", "pair had another network or demand when the run began"),
        ("horizon_s: 300", "horizon_s: 300\nprotocol: us-mutcd-5", "pair had another timing when the run began"),
    ],
)
def test_run_whose_scenario_has_changed_since_is_not_gone_on_with(old, new, words, tmp_path):
    path = write_scenario(tmp_path)
    folder = train(prepare(str(write_recipe(path)), out=tmp_path / "run"))
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(InputError, match=words):
        prepare(None, resume=folder, steps=400)


def test_run_that_is_judged_on_a_changed_scenario_is_not_gone_on_with(tmp_path):
    path = write_scenario(tmp_path)
    recipe = write_recipe(path, evaluation={"scenarios": [str(write_scenario(tmp_path, "judge"))], "seeds": 1})
    folder = train(prepare(str(recipe), out=tmp_path / "run"))
    judge = tmp_path / "judge.yaml"
    judge.write_text(judge.read_text().replace("500", "510"))
    with pytest.raises(InputError, match="judge had another network or demand when the run began"):
        prepare(None, resume=folder, steps=400)


def break_archive(folder):
    (folder / "checkpoint.pt").write_bytes(b"PK not an archive")


def cut_off(folder):
    content = (folder / "checkpoint.pt").read_bytes()
    (folder / "checkpoint.pt").write_bytes(content[: len(content) // 2])


def other_recipe(folder, **values):
    run = json.loads((folder / "run.json").read_text())
    run["recipe"] |= values
    (folder / "run.json").write_text(json.dumps(run))
    (folder / "recipe.yaml").write_text(yaml.safe_dump(run["recipe"]))


def other_width(folder):
    other_recipe(folder, width=16)


def other_features(folder):
    other_recipe(folder, features=["queue", "timing"])


@pytest.mark.parametrize("spoil", [break_archive, cut_off, other_width, other_features])
def test_broken_or_foreign_checkpoint_is_one_line(spoil, copied_run):
    spoil(copied_run)
    with pytest.raises(InputError, match=r"checkpoint\.pt: is damaged, or holds no checkpoint of this run") as caught:
        train(prepare(None, resume=copied_run, steps=400))
    assert "\n" not in str(caught.value)


def test_checkpoint_of_signals_that_saw_other_rows_is_one_line(copied_run):
    """As another version may tell them of the same network."""
    file = copied_run / "checkpoint.pt"
    content = torch.load(file, weights_only=True)
    content["observation"] = content["observation"][:, :-3]
    torch.save(content, file)
    with pytest.raises(
        InputError, match=r"checkpoint\.pt: was written where \d+ signals saw \d+ values each; now"
    ) as caught:
        train(prepare(None, resume=copied_run, steps=400))
    assert "\n" not in str(caught.value)


def test_missing_checkpoint_is_one_line(copied_run):
    (copied_run / "checkpoint.pt").unlink()
    with pytest.raises(InputError, match=r"checkpoint\.pt: is missing"):
        train(prepare(None, resume=copied_run, steps=400))


def test_run_of_another_observation_layout_is_not_gone_on_with(copied_run):
    run = json.loads((copied_run / "run.json").read_text())
    run["observation"]["movement"].append("colour")
    (copied_run / "run.json").write_text(json.dumps(run))
    with pytest.raises(InputError, match="observation: another layout: movement"):
        prepare(None, resume=copied_run, steps=400)


@pytest.mark.parametrize(
    "outcome", [None, [], "done", {"last": None}, {"finished": False, "best": "policy.npz"}], ids=repr
)
def test_outcome_that_is_none_is_one_line(outcome, recipe_file, tmp_path):
    training = prepare(str(recipe_file), out=tmp_path / "run")
    training.folder.mkdir()
    write_run(training.folder, training.run | {"outcome": outcome})
    with pytest.raises(InputError, match=r"run\.json: outcome: is .*; name the folder that `intergreen train` wrote$"):
        prepare(None, resume=training.folder, steps=400)
