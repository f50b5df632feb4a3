"""Distillation: the student chooses as the mean of its teachers does, the step is the right one, and wrong requests."""

import csv
import hashlib
import json
import shutil

import numpy as np
import pytest
import torch
from learning.by_hand import BLOCKS, observations, policy_of, prepared
from learning.small_run import changed_run

from intergreen.agents.cli import main
from intergreen.agents.controllers import controller_by_name
from intergreen.agents.controllers.learned import read_policy
from intergreen.agents.controllers.policy_network import read_network, write_network
from intergreen.agents.deployment.recorded import record
from intergreen.agents.learning.distil import distil
from intergreen.agents.learning.network import SignalNetwork
from intergreen.agents.learning.passes import FORBIDDEN
from intergreen.agents.learning.recipe import make_recipe
from intergreen.agents.learning.student import Student, likeness, loaded, target_of
from intergreen.agents.learning.teachers import MeanPolicy, prepare_distillation
from intergreen.agents.learning.trials import Subject, Trials
from intergreen.envs.observation import DEFAULT_FEATURES
from intergreen.envs.scenario import load_scenario

STEPS = 8_000


@pytest.fixture(scope="module")
def teachers(run, tmp_path_factory):
    """Runs of a policy that serves the longest queue, of one that stays where it is, and of one between the two."""
    folders = []
    for number, (queue, current) in enumerate([(20.0, 0.0), (0.0, 8.0), (20.0, 8.0)]):
        folder = shutil.copytree(run, tmp_path_factory.mktemp("teachers") / f"teacher-{number}")
        write_network(folder / "policy.npz", policy_of(queue=queue, current=current))
        folders.append(folder)
    return folders


@pytest.fixture(scope="module")
def taught(teachers, tmp_path_factory):
    """The folder of a wider student of the first two; read it, do not write."""
    return taught_by(teachers[:2], tmp_path_factory.mktemp("taught") / "student", width=12)


def taught_by(folders, out, **settings):
    return distil(prepare_distillation([str(folder) for folder in folders], out=out, **{"steps": STEPS} | settings))


def agreement(policy, other, pair_file, recipe):
    """Share of decisions in which both choose alike, on traffic of a seed that nobody has learned on.

    Where the other's best two choices are as good, as at equal queues, there is nothing to agree about.
    """
    seen = record(policy, recipe.model_copy(update={"seed": 77}), load_scenario(pair_file))
    best = np.sort(other.scores(seen.observations, seen.blocks), axis=1)
    clear = seen.observations[best[:, -1] - best[:, -2] > 0.1]
    assert len(clear) > 0.5 * len(seen.observations)
    return np.mean(policy.best_choices(clear, seen.blocks) == other.best_choices(clear, seen.blocks))


@pytest.fixture(scope="module")
def recipe(run):
    return make_recipe(run, json.loads((run / "run.json").read_text())["recipe"])


def small_policies(random_network, count=2):
    sizes = {"movement_columns": BLOCKS.movement_columns, "signal_columns": BLOCKS.signal_columns}
    return [random_network(seed, **sizes) for seed in range(count)]


def test_student_of_one_chooses_as_it_does_where_neither_has_been(teachers, tmp_path, pair_file, recipe, stated):
    folder = taught_by(teachers[2:], tmp_path / "student", width=12)
    teacher, student = (read_network(one / "policy.npz") for one in (teachers[2], folder))
    assert agreement(student, teacher, pair_file, recipe) > 0.95
    outcome = stated(folder)["outcome"]
    assert outcome["first_likeness"]["agreement"] < 0.5
    assert outcome["last_likeness"]["agreement"] > 0.85
    assert outcome["last_likeness"]["divergence"] < 0.05 * outcome["first_likeness"]["divergence"]


def test_mean_of_two_is_what_is_learned(teachers, taught, pair_file, recipe):
    student = read_network(taught / "policy.npz")
    longest, stays = (read_network(folder / "policy.npz") for folder in teachers[:2])
    assert agreement(student, MeanPolicy([longest, stays]), pair_file, recipe) > 0.95
    assert agreement(student, longest, pair_file, recipe) < 0.8
    assert agreement(student, stays, pair_file, recipe) < 0.8


def test_student_as_wide_as_the_first_teacher_begins_as_it(teachers, tmp_path, stated):
    outcome = stated(taught_by(teachers[:1], tmp_path / "student", steps=1))["outcome"]
    assert outcome["first_likeness"]["agreement"] == 1.0
    assert outcome["first_likeness"]["divergence"] == pytest.approx(0.0, abs=1e-6)


def test_target_is_the_normalised_geometric_mean_of_probabilities():
    scores = [torch.tensor([[1.0, 3.0, FORBIDDEN]]), torch.tensor([[11.0, 10.0, FORBIDDEN]])]
    product = torch.sqrt(torch.softmax(scores[0], dim=1) * torch.softmax(scores[1], dim=1))
    torch.testing.assert_close(target_of(scores), product / product.sum())
    assert target_of(scores)[0, 2] == 0.0


def test_likeness_is_what_its_names_say():
    targets = torch.tensor([[0.5, 0.5, 0.0], [0.2, 0.8, 0.0]])
    scores = torch.tensor([[0.0, -1.0, FORBIDDEN], [0.0, -1.0, FORBIDDEN]])
    entropy = -(np.log(0.5) + 0.2 * np.log(0.2) + 0.8 * np.log(0.8)) / 2
    lost = np.log(1 + np.exp(-1)) + (0.5 + 0.8) / 2
    assert likeness(scores, targets) == pytest.approx((lost, lost - entropy, 0.5), abs=1e-6)
    assert likeness(targets.log().clamp(min=FORBIDDEN), targets) == pytest.approx((entropy, 0.0, 1.0), abs=1e-6)


def test_step_is_adams_by_the_slopes_of_autograd(random_network):
    teachers, seen = small_policies(random_network), observations(700, 0)
    torch.manual_seed(0)
    network = SignalNetwork(BLOCKS, width=6)
    twin = SignalNetwork(BLOCKS, width=6)
    twin.load_state_dict(network.state_dict())
    student, inputs = Student(network, teachers, max_grad_norm=0.05), prepared(seen)
    scores, targets = student.answer(inputs)
    weights = 1.0 + 9.0 * torch.rand(700, 1)
    student.learn(inputs, targets, weights, torch.arange(50, 650), rate=0.01)

    optimizer = torch.optim.Adam(twin.parameters(), lr=0.01)
    theirs = [loaded(teacher, BLOCKS).plain_forward(seen)[0].detach() for teacher in teachers]
    torch.testing.assert_close(targets, target_of(theirs))
    torch.testing.assert_close(scores, twin.plain_forward(seen)[0].detach())
    logs = torch.log_softmax(twin.plain_forward(seen)[0], dim=1)
    (-(weights * targets * logs).sum(dim=1)[50:650].mean()).backward()
    torch.nn.utils.clip_grad_norm_([p for p in twin.parameters() if p.grad is not None], 0.05)
    optimizer.step()
    moved = student.actor.policy().arrays
    for name in sorted(set(moved) - {"score.bias"}):  # which no probability depends on: its slope is rounding
        torch.testing.assert_close(
            torch.from_numpy(moved[name]), twin.state_dict()[name], atol=2e-4, rtol=0, msg=lambda w, n=name: f"{n}: {w}"
        )


def test_targets_follow_choices_into_another_order_and_never_fall_on_a_forbidden_one(random_network):
    seen = observations(40, 1)
    movements, choices, signal, serves = seen.split([30, 8, 2, 24], dim=1)
    order = torch.tensor([2, 0, 3, 1])
    turned = [movements, choices.view(-1, 4, 2)[:, order].flatten(1), signal]
    turned.append(serves.view(-1, 4, 6)[:, order].flatten(1))
    student = Student(SignalNetwork(BLOCKS, width=6), small_policies(random_network), max_grad_norm=1.0)
    _, targets = student.answer(prepared(seen))
    _, others = student.answer(prepared(torch.cat(turned, dim=1)))
    torch.testing.assert_close(others, targets[:, order])
    assert (targets[choices.view(-1, 4, 2)[:, :, 1] == 0.0] == 0.0).all()


def test_only_choices_that_are_allowed_are_drawn(teachers, tmp_path, monkeypatch):
    from intergreen.envs.vector_env import TrafficVecEnv

    begin_step = TrafficVecEnv.step_async
    asked = []

    def watched(env, actions):
        asked.append(bool(env.action_masks()[np.arange(env.num_envs), actions].all()))
        begin_step(env, actions)

    monkeypatch.setattr(TrafficVecEnv, "step_async", watched)
    taught_by(teachers[:2], tmp_path / "student", steps=400)
    assert len(asked) > 100
    assert all(asked[1:])  # the first is the one that compiles


def test_same_seed_teaches_the_same_and_another_otherwise(teachers, tmp_path):
    settings = {"steps": 400, "width": 12}
    first, again, other = (
        read_network(taught_by(teachers[:2], tmp_path / name, seed=seed, **settings) / "policy.npz").arrays
        for name, seed in (("first", 3), ("again", 3), ("other", 4))
    )
    assert all(np.array_equal(array, again[name]) for name, array in first.items())
    assert not np.array_equal(first["served.weight"], other["served.weight"])


def test_folder_states_who_taught_it_and_how_far_it_came(taught, teachers, pair_file, stated):
    assert {path.name for path in taught.iterdir()} == {"policy.npz", "progress.csv", "recipe.yaml", "run.json"}
    content = stated(taught)
    sums = [hashlib.sha256((one / "policy.npz").read_bytes()).hexdigest() for one in teachers[:2]]
    assert content["made_by"] == "intergreen distil"
    assert content["teachers"] == [
        {"name": str(one), "sha256": found} for one, found in zip(teachers, sums, strict=False)
    ]
    assert (content["recipe"]["width"], content["recipe"]["steps"], content["seed"]) == (12, STEPS, 0)
    outcome = content["outcome"]
    assert outcome["finished"]
    assert outcome["steps"] == STEPS
    scenario = load_scenario(str(pair_file))
    trials = Trials([Subject("pair", scenario, scenario.default_protocol)], seeds=1)
    reached = trials.of(controller_by_name(str(taught))).mean_s
    assert outcome["last"]["evaluation"]["average_travel_time_s"] == reached
    assert outcome["mean_of_teachers"]["average_travel_time_s"] > 0
    with (taught / "progress.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["steps"]) for row in rows] == list(range(0, STEPS + 1, 80))
    assert float(rows[-1]["evaluation_travel_time_s"]) == pytest.approx(reached, abs=0.01)
    assert float(rows[-1]["agreement"]) == outcome["last_likeness"]["agreement"]


def test_mean_of_weights_is_written_where_the_recipe_asks_for_it(teachers, tmp_path):
    averaged = changed_run(teachers[0], tmp_path / "averaged", averaging=3.0)
    settings = {"steps": 400, "width": 12}
    plain = read_network(taught_by([teachers[0]], tmp_path / "plain", **settings) / "policy.npz")
    mean = read_network(taught_by([averaged], tmp_path / "mean", **settings) / "policy.npz")
    assert not np.array_equal(plain.arrays["served.weight"], mean.arrays["served.weight"])


def test_student_is_a_controller_a_teacher_and_a_bundle(taught, pair_file, tmp_path, capsys):
    assert main(["evaluate", str(pair_file), "--controller", str(taught), "--seeds", "0"]) == 0
    assert main(["export", str(taught), "--to", str(tmp_path / "bundle"), "--seeds", "0"]) == 0
    assert main(["distil", str(taught), "--steps", "80", "--out", str(tmp_path / "again")]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "again")
    card = (tmp_path / "bundle" / "MODEL_CARD.md").read_text()
    assert "distilled from the mean of" in card
    assert "| trained again by | `intergreen distil " in card
    network, features = read_policy(tmp_path / "again")
    assert (network.width, features) == (12, tuple(DEFAULT_FEATURES))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"algorithm": "dqn"}, "was trained by dqn"),
        ({"steps": "many"}, "run.json: steps"),
    ],
)
def test_run_that_cannot_teach_is_refused_in_one_line(changes, words, teachers, tmp_path, capsys):
    wrong = changed_run(teachers[1], tmp_path / "wrong", **changes)
    assert main(["distil", f"{teachers[0]},{wrong}", "--out", str(tmp_path / "out")]) == 2
    printed = capsys.readouterr()
    assert words in printed.err
    assert printed.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_share_of_the_networks_may_be_sumos(tmp_path, monkeypatch):
    monkeypatch.setattr("intergreen.agents.learning.prepare.require_sumo", lambda who: None)
    asked = prepare_distillation(["universal-0"], out=tmp_path / "asked", from_sumo=0.25).training
    own = prepare_distillation(["universal-0"], out=tmp_path / "own").training
    assert asked.recipe.worlds == own.recipe.worlds.model_copy(update={"from_sumo": 0.25})
    assert "eclipse-sumo" in asked.run["versions"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{run},universal-0"], "universal-0: features: are not those of {run}: universal-0 alone sees"),
        (["{run},no-such"], "no-such: no such folder"),
        (["max-pressure"], "max-pressure: no such folder"),
        (["{run},{run}"], "command line: RUN,RUN,...: '{run},{run}' has a name twice"),
        (["{run},"], "an empty name"),
        (["{run}", "--steps", "0"], "--steps"),
        (["{run}", "--width", "-1"], "--width"),
        (["{run}", "--width", "5000"], "width"),
        (["{run}", "--out", "{run}"], "holds a run"),
        (["{run}", "--from-sumo", "0.5"], "--from-sumo: is a share of generated networks, and there are none"),
        (["universal-0", "--from-sumo", "1.5"], "worlds.from_sumo"),
        ([], "Missing argument"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_request_is_refused_in_one_line(arguments, words, run, capsys):
    assert main(["distil", *(word.format(run=run) for word in arguments)]) == 2
    printed = capsys.readouterr()
    assert words.format(run=run) in printed.err
    assert printed.err.count("\n") == 1
