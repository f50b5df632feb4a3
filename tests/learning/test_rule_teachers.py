"""Rules as teachers: only where they do better, and what they would do is what is learned."""

import shutil

import numpy as np
import pytest
import torch
from learning.by_hand import policy_of
from learning.small_run import changed_run

from intergreen.agents.cli import main
from intergreen.agents.controllers import AdvancedMaxPressure, MaxPressure, Setup, controller_by_name
from intergreen.agents.controllers.base import near_distance_m
from intergreen.agents.controllers.policy_network import write_network
from intergreen.agents.learning.distil import distil
from intergreen.agents.learning.rule_teachers import BETTER, WEIGHT, RuleTeacher, rule_teachers
from intergreen.agents.learning.teachers import prepare_distillation
from intergreen.agents.learning.trials import Subject, Trials
from intergreen.envs.episodes import Episodes
from intergreen.envs.scenario import load_scenario


@pytest.fixture(scope="module")
def stays(run, tmp_path_factory):
    """A run of a policy that stays where it is, which any rule does better than."""
    folder = shutil.copytree(run, tmp_path_factory.mktemp("stays") / "run")
    write_network(folder / "policy.npz", policy_of(queue=0.0, current=8.0))
    return folder


def test_rule_that_does_better_teaches_and_no_other(pair_file, stays):
    worlds = [Episodes(str(pair_file), replicas=3), Episodes("single", horizon_s=900)]
    good, shares = controller_by_name("universal-0"), []
    assert rule_teachers(worlds, good, shares.append) == []
    assert shares == [0.5, 1.0]
    (first, second) = rule_teachers(worlds, controller_by_name(str(stays)), shares.append)
    assert (first.slots, second.slots) == (slice(0, 6), slice(6, 7))
    assert (first.world, second.world) == tuple(worlds)
    scenario = load_scenario(pair_file)
    trials = Trials([Subject("", scenario, scenario.default_protocol)], seeds=3, horizon_s=worlds[0].horizon_s)
    own_s, mine_s = (trials.of(one).mean_s for one in (controller_by_name(str(stays)), first.rule))
    assert first.share == pytest.approx(mine_s / own_s)
    assert first.share <= BETTER
    assert mine_s == min(trials.of(rule).mean_s for rule in (MaxPressure(), AdvancedMaxPressure()))


def test_targets_are_what_the_rule_would_do_where_there_is_a_choice(pair_file):
    world = Episodes(str(pair_file), replicas=2)
    world.reset([np.random.default_rng(seed) for seed in range(2)])
    rule = AdvancedMaxPressure()
    rule.start(Setup(world.scenario.network, world.plan, world.protocol, 2))
    world.core.near_m = near_distance_m(world.scenario.network, world.protocol.interval_s)
    teacher = RuleTeacher(world, rule, slice(3, 7), 0.9)
    choices = world.layout.blocks.choices
    changed = 0
    for step in range(30):
        targets, weights = torch.full((9, choices), 1.0 / choices), torch.ones(9, 1)
        allowed = world.allowed()
        teacher.teach(targets, weights)
        assert (weights[:3] == 1.0).all()
        assert (weights[7:] == 1.0).all()
        assert (targets[:3] == 1.0 / choices).all()
        assert (targets[7:] == 1.0 / choices).all()
        wanted = rule.decide(world.core.counts(), world.core.signals(world.protocol.interval_s), world.time_s)
        for slot, (b, i) in enumerate(np.ndindex(2, 2), start=3):
            (choice,) = np.flatnonzero(world.plan.choices[i] == wanted[b, i])
            if allowed[b, i].sum() > 1 and allowed[b, i, choice]:
                assert targets[slot].tolist() == np.eye(choices)[choice].tolist()
                assert weights[slot] == WEIGHT
                changed += 1
            else:
                assert (targets[slot] == 1.0 / choices).all()
                assert weights[slot] == 1.0
        world.step(np.full((2, 2), step // 3 % 2, np.int32))
    assert changed > 60


def test_student_learns_from_the_rule_in_the_policys_place(stays, pair_file, tmp_path, stated):
    folder = distil(prepare_distillation([str(stays)], out=tmp_path / "student", steps=20_000, width=12, rules=True))
    content = stated(folder)
    assert content["rules"] == {"worlds": 1, "taught_in": 1, "shares": [pytest.approx(0.5, abs=0.45)]}
    scenario = load_scenario(pair_file)
    trials = Trials([Subject("pair", scenario, scenario.default_protocol)], seeds=4)
    before, after, rule = (
        trials.of(one).mean_s
        for one in (controller_by_name(str(stays)), controller_by_name(str(folder)), AdvancedMaxPressure())
    )
    assert after < 0.5 * (before + rule)
    assert content["outcome"]["last_likeness"]["agreement"] > 0.8


def test_card_has_the_command_with_rules(stays, tmp_path, capsys):
    assert main(["distil", str(stays), "--rules", "--steps", "80", "--out", str(tmp_path / "student")]) == 0
    assert "and rules where they do better into a policy" in capsys.readouterr().err
    assert main(["export", str(tmp_path / "student"), "--to", str(tmp_path / "bundle"), "--seeds", "0"]) == 0
    card = (tmp_path / "bundle" / "MODEL_CARD.md").read_text()
    assert f"distilled from {stays}, and from rules where they do better, in 1 of 1 networks" in card
    assert f"`intergreen distil {stays} --rules`" in card


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"simulator": "sumo"}, "simulator: was trained in sumo, where rules cannot be tried"),
        ({"faults": "dead-10"}, "faults: was trained with detectors that fail, and rules would see"),
    ],
)
def test_rules_are_refused_in_one_line_where_they_would_see_something_else(changes, words, stays, tmp_path, capsys):
    wrong = changed_run(stays, tmp_path / "wrong", **changes)
    assert main(["distil", str(wrong), "--rules", "--out", str(tmp_path / "out")]) == 2
    printed = capsys.readouterr().err
    assert words in printed
    assert printed.count("\n") == 1
    assert not (tmp_path / "out").exists()
