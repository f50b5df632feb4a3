"""Refining: what a choice would have saved is found beside the traffic, is learned, and makes a policy better."""

import csv
import hashlib
import shutil

import numpy as np
import pytest
import torch
from learning.by_hand import BLOCKS, observations
from learning.small_run import changed_run

from intergreen.agents.cli import main
from intergreen.agents.controllers import controller_by_name
from intergreen.agents.controllers.policy_network import read_network
from intergreen.agents.learning.actor_steps import ActorSteps
from intergreen.agents.learning.looking_ahead import LookAhead
from intergreen.agents.learning.moments import Moments, Traffic
from intergreen.agents.learning.nearness import nearness
from intergreen.agents.learning.network import SignalNetwork
from intergreen.agents.learning.refine import learn_from, refine, slopes
from intergreen.agents.learning.refinement import prepare_refinement
from intergreen.agents.learning.student import loaded
from intergreen.agents.learning.trials import Subject, Trials
from intergreen.envs.choices import chosen_phases
from intergreen.envs.episodes import Episodes
from intergreen.envs.reward import make_reward
from intergreen.envs.scenario import load_scenario
from intergreen.envs.vector_env import TrafficVecEnv

SMALL = {"rounds": 1, "moments": 300, "look_ahead_s": 60}


def first_allowed(observation):
    """A policy that is easily said: always the first choice."""
    return np.zeros(len(observation), np.int32)


@pytest.fixture(scope="module")
def poor(run, tmp_path_factory):
    """A run whose policy has hardly begun to learn."""
    return shutil.copytree(run, tmp_path_factory.mktemp("start") / "poor")


@pytest.fixture(scope="module")
def refined(poor, tmp_path_factory):
    """Of few moments, but many times over."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("intergreen.agents.learning.refine.EPOCHS", 60)
        return refined_from(poor, tmp_path_factory.mktemp("refined") / "run", rounds=2, moments=1_500)


def refined_from(folder, out, **settings):
    return refine(prepare_refinement(str(folder), out=out, **(SMALL | settings)))


def driven(pair_file, seed=5, seconds=100):
    """Two episodes side by side, a while after they began."""
    world = Episodes(str(pair_file), replicas=2)
    world.reset([np.random.default_rng(seed), np.random.default_rng(seed + 1)])
    for _ in range(seconds // world.protocol.interval_s):
        world.step(np.zeros((2, 2), np.int32))
    return world


@pytest.mark.parametrize("b", [0, 1])
def test_gain_is_what_driving_on_with_the_choice_saves(pair_file, b):
    looked, best = driven(pair_file), np.zeros(2, np.int32)
    allowed = looked.allowed()[b]
    gains = LookAhead(looked, first_allowed, seconds=60).gains(b, best, allowed, np.array([1]))[0]
    assert np.count_nonzero(gains) >= 1
    decisions = 1 + 60 // looked.protocol.interval_s

    def lost_s(choice):
        """On each lane, those included who wait to enter it; second by second."""
        other = driven(pair_file)
        reward = make_reward("delay", other.scenario.network, other.plan)
        senses = other.core.senses(other.layout, reward)
        lost, outside = np.zeros(other.scenario.network.n_lanes), np.zeros(other.scenario.network.n_lanes)
        for number in range(decisions):
            row = np.array([[0, choice if number == 0 else 0]] * 2, np.int32)
            other.core.run(chosen_phases(other.plan, row), other.protocol.interval_s, senses)
            lost += senses.sums.delay[b] + outside * other.protocol.interval_s
            outside += senses.sums.backlog[b]
        return lost

    near = nearness(looked.scenario.network, looked.plan)[1]
    kept = lost_s(0)
    unit = max(kept.sum() / (2 * decisions), 0.5 * looked.protocol.interval_s)
    for choice in range(len(gains)):
        expected = near @ (kept - lost_s(choice)) / unit if allowed[1, choice] else 0.0
        assert gains[choice] == pytest.approx(expected, abs=1e-9), choice


def test_seconds_lost_on_lanes_are_those_of_the_drivers_but_for_the_junctions(pair_file):
    """The reward's lane seconds against the engine's own account of every trip."""
    looked = driven(pair_file)
    look = LookAhead(looked, first_allowed, seconds=60)
    lost_s = look._lost_s(0, np.zeros((1, 2), np.int32))
    before = looked.core.delay_s()[0]
    for _ in range(1 + 60 // looked.protocol.interval_s):
        looked.core.run(chosen_phases(looked.plan, np.zeros((2, 2), np.int32)), looked.protocol.interval_s)
    assert lost_s.sum() == pytest.approx(looked.core.delay_s()[0] - before, rel=0.1)


def test_looking_ahead_leaves_the_traffic_alone(pair_file):
    looked, other = driven(pair_file), driven(pair_file)
    look = LookAhead(looked, first_allowed, seconds=60)
    for _ in range(10):
        for b in range(2):
            look.gains(b, np.zeros(2, np.int32), looked.allowed()[b], np.array([0, 1]))
        seen, told = looked.step(np.ones((2, 2), np.int32))
        expected, worth = other.step(np.ones((2, 2), np.int32))
        np.testing.assert_array_equal(seen, expected)
        np.testing.assert_array_equal(told, worth)


def test_choice_that_is_thought_best_or_not_allowed_has_no_gain(pair_file):
    looked = driven(pair_file)
    allowed = looked.allowed()[0].copy()
    allowed[:, 2:] = False
    best = np.array([1, 0], np.int32)
    gains = LookAhead(looked, first_allowed, seconds=60).gains(0, best, allowed, np.array([0, 1]))
    assert gains[0, 1] == gains[1, 0] == 0.0
    assert (gains[~allowed] == 0.0).all()
    assert np.count_nonzero(gains) == 2


def test_every_world_has_its_share_of_moments(pair_file, random_network, monkeypatch):
    looked, gains = [], LookAhead.gains

    def counted(look, b, best, allowed, signals):
        looked.extend([len(best)] * len(signals))
        return gains(look, b, best, allowed, signals)

    monkeypatch.setattr(LookAhead, "gains", counted)
    one = load_scenario("single")
    env = TrafficVecEnv([str(pair_file), one], replicas=2, threads=1)
    env.seed(0)
    policy = random_network(0, movement_columns=env.blocks.movement_columns, signal_columns=env.blocks.signal_columns)
    shares = []
    moments = Traffic(env, loaded(policy, env.blocks), look_ahead_s=30, seed=0).moments(400, shares.append)
    env.close()
    assert len(moments.observation) == len(moments.gain) == len(looked) >= 400
    assert 0.35 < looked.count(2) / len(looked) < 0.65  # the pair has two signals
    assert shares[-1] == 1.0
    assert shares == sorted(shares)
    allowed = moments.observation[:, env.blocks.choices_at : env.blocks.signal_at].reshape(len(moments.gain), -1, 2)
    assert (moments.gain[allowed[:, :, 1] == 0.0] == 0.0).all()
    assert (moments.gain != 0.0).any(axis=1).mean() > 0.5


def test_slopes_are_those_of_autograd():
    random = np.random.default_rng(0)
    scores = torch.from_numpy(random.normal(size=(50, 5)))
    gain = torch.from_numpy(random.normal(size=(50, 5)))
    asked = scores.clone().requires_grad_()
    (-(torch.softmax(asked, dim=1) * gain).sum()).backward()
    torch.testing.assert_close(slopes(scores, gain), asked.grad)


def test_policy_moves_to_the_choices_that_save_and_says_how_much_on_moments_it_has_not_learned_from():
    seen = observations(6_000, 0)
    torch.manual_seed(0)
    actor = ActorSteps(SignalNetwork(BLOCKS, width=16), max_grad_norm=0.5)
    flags = seen[:, BLOCKS.choices_at : BLOCKS.signal_at].view(-1, BLOCKS.choices, 2)
    is_allowed = flags[:, :, 1] == 1.0
    gain = torch.where(flags[:, :, 0] == 1.0, 1.0, -1.0).masked_fill(~is_allowed, 0.0)  # to stay is what saves
    moments = Moments(seen.numpy(), gain.numpy())
    first = learn_from(moments, actor, BLOCKS)
    for _ in range(30):
        last = learn_from(moments, actor, BLOCKS)
    possible = float(gain.masked_fill(~is_allowed, -torch.inf)[-600:].max(dim=1).values.mean())
    assert first.gain < last.gain
    assert last.gain > 0.9 * possible
    assert last.agreement > first.agreement


def test_refining_makes_a_poor_policy_better_on_trips_that_it_has_not_seen(refined, poor, pair_file, stated):
    scenario = load_scenario(pair_file)
    trials = Trials([Subject("pair", scenario, scenario.default_protocol)], seeds=4)
    before, after = (trials.of(controller_by_name(str(folder))).mean_s for folder in (poor, refined))
    assert after < 0.9 * before
    outcome = stated(refined)["outcome"]
    assert outcome["last"]["evaluation"]["average_travel_time_s"] < outcome["start"]["average_travel_time_s"]


def test_same_seed_refines_the_same_and_another_otherwise(poor, tmp_path):
    first, again, other = (
        read_network(refined_from(poor, tmp_path / name, seed=seed) / "policy.npz").arrays
        for name, seed in (("first", 3), ("again", 3), ("other", 4))
    )
    assert all(np.array_equal(array, again[name]) for name, array in first.items())
    assert not np.array_equal(first["served.weight"], other["served.weight"])


def test_single_moment_asked_for_is_enough_to_learn_from_and_to_hold_out(poor, tmp_path, stated):
    outcome = stated(refined_from(poor, tmp_path / "few", moments=1))["outcome"]
    assert outcome["finished"]
    assert outcome["moments"] >= 10


def test_folder_states_what_it_came_from_and_what_each_round_gained(refined, poor, stated):
    assert {path.name for path in refined.iterdir()} == {"policy.npz", "progress.csv", "recipe.yaml", "run.json"}
    content = stated(refined)
    sha256 = hashlib.sha256((poor / "policy.npz").read_bytes()).hexdigest()
    assert content["made_by"] == "intergreen refine"
    expected = {
        "name": str(poor),
        "sha256": sha256,
        "rounds": 2,
        "moments": 1_500,
        "look_ahead_s": 60,
        "average": False,
    }
    assert content["refined"] == expected
    with (refined / "progress.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["round"] for row in rows] == ["1", "2"]
    assert all(int(row["moments"]) >= 1_500 for row in rows)
    assert float(rows[0]["gain"]) > 0.0
    outcome = content["outcome"]
    assert outcome["finished"]
    assert outcome["moments"] == sum(int(row["moments"]) for row in rows)
    reached = outcome["last"]["evaluation"]["average_travel_time_s"]
    assert float(rows[-1]["evaluation_travel_time_s"]) == pytest.approx(reached, abs=0.01)


def test_stopped_in_a_later_round_it_leaves_what_the_earlier_ones_have_made(poor, tmp_path, monkeypatch, stated):
    learned = []

    def once(*arguments):
        if learned:
            raise KeyboardInterrupt
        learned.append(learn_from(*arguments))
        return learned[0]

    monkeypatch.setattr("intergreen.agents.learning.refine.learn_from", once)
    with pytest.raises(KeyboardInterrupt):
        refined_from(poor, tmp_path / "stopped", rounds=3)
    outcome = stated(tmp_path / "stopped")["outcome"]
    assert not outcome["finished"]
    learned.clear()
    alone = refined_from(poor, tmp_path / "alone", rounds=1)
    first, same = (read_network(folder / "policy.npz").arrays for folder in (tmp_path / "stopped", alone))
    assert all(np.array_equal(array, same[name]) for name, array in first.items())


def test_mean_of_all_weights_is_written_where_that_is_asked_for(poor, tmp_path, stated):
    one, mean = (refined_from(poor, tmp_path / name, average=name == "mean") for name in ("one", "mean"))
    before, after, written = (read_network(folder / "policy.npz").arrays for folder in (poor, one, mean))
    for name, array in written.items():
        assert not np.array_equal(before[name], after[name])
        assert array == pytest.approx((before[name] + after[name]) / 2.0, abs=1e-6)
    assert stated(mean)["refined"]["average"]


def test_refined_policy_is_a_controller_a_start_and_a_bundle(refined, pair_file, tmp_path, capsys):
    assert main(["evaluate", str(pair_file), "--controller", str(refined), "--seeds", "0"]) == 0
    assert main(["export", str(refined), "--to", str(tmp_path / "bundle"), "--seeds", "0"]) == 0
    options = ["--rounds", "1", "--moments", "20", "--look-ahead", "20"]
    assert main(["refine", str(refined), *options, "--out", str(tmp_path / "again")]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "again")
    card = (tmp_path / "bundle" / "MODEL_CARD.md").read_text()
    assert "2 rounds of 1,500 moments, 60 s ahead" in card
    again = next(line for line in card.splitlines() if line.startswith("| trained again by | `intergreen refine "))
    assert f" {pair_file} --rounds 2 --moments 1500 --look-ahead 60 --seed " in again


def test_policy_for_any_network_is_refined_for_one(tmp_path, stated):
    settings = {"protocol": "literature-5-2", "rounds": 1, "moments": 40, "look_ahead_s": 20}
    folder = refine(prepare_refinement("universal-0", "single", out=tmp_path / "run", **settings))
    content = stated(folder)
    assert (content["scenario"], content["protocol"]) == ("single", "literature-5-2")
    assert content["recipe"]["worlds"] is None
    assert content["evaluation"]["scenarios"] == ["single"]
    assert content["evaluation"]["protocols"] == ["literature-5-2"]
    start, now = (controller_by_name(name) for name in ("universal-0", str(folder)))
    scenario = load_scenario("single")
    trials = Trials([Subject("single", scenario, "literature-5-2")], seeds=2)
    assert content["outcome"]["start"]["average_travel_time_s"] == trials.of(start).mean_s
    assert content["outcome"]["last"]["evaluation"]["average_travel_time_s"] == trials.of(now).mean_s


def test_policy_for_any_network_is_refined_on_some_of_sumos_where_asked(tmp_path, monkeypatch):
    monkeypatch.setattr("intergreen.agents.learning.prepare.require_sumo", lambda who: None)
    refinements = [
        prepare_refinement("universal-0", out=tmp_path / "run", from_sumo=0.25),
        prepare_refinement("universal-0", out=tmp_path / "own"),
    ]
    asked_says, own_says = (refinement.summary().splitlines()[0] for refinement in refinements)
    assert asked_says.endswith("(width 48) on generated networks (25 % SUMO's), own protocols")
    assert own_says.endswith("(width 48) on generated networks, own protocols")
    asked, own = (refinement.training for refinement in refinements)
    assert asked.recipe.worlds == own.recipe.worlds.model_copy(update={"from_sumo": 0.25})
    assert "eclipse-sumo" in asked.run["versions"]
    assert "eclipse-sumo" not in own.run["versions"]


def test_policy_for_any_network_is_refined_under_the_timings_that_are_asked_for(tmp_path, pair_file, capsys):
    asked, own = (
        prepare_refinement("universal-0", out=tmp_path / "run", protocols=protocols).training.recipe.worlds
        for protocols in (["us-mutcd-5", "resco"], None)
    )
    assert asked == own.model_copy(update={"protocols": ("us-mutcd-5", "resco")})
    refused = [
        (["--protocols", "us-mutcd-5,resco-3-3"], "worlds.protocols: the clearance of 3 s does not fit"),
        ([str(pair_file), "--protocols", "us-mutcd-5"], "--protocols: are timings of generated networks"),
        (["--protocol", "us-mutcd-5"], "ask for the timings of generated networks with --protocols"),
    ]
    for options, words in refused:
        assert main(["refine", "universal-0", *options, "--out", str(tmp_path / "run")]) == 2
        printed = capsys.readouterr().err
        assert words in printed
        assert printed.count("\n") == 1


def test_networks_of_sumos_are_refused_in_one_line_where_there_is_no_sumo(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("intergreen.envs.sumo_net_file.find_spec", lambda name: None)
    assert main(["refine", "universal-0", "--from-sumo", "0.5", "--out", str(tmp_path / "run")]) == 2
    printed = capsys.readouterr().err
    assert "worlds.from_sumo: SUMO is not installed" in printed
    assert "intergreen[sumo]" in printed
    assert printed.count("\n") == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"algorithm": "dqn"}, "was trained by dqn"),
        ({"simulator": "sumo"}, "was trained in sumo"),
        ({"faults": "dead-10"}, "was trained with detectors that fail"),
        ({"steps": "many"}, "run.json: steps"),
    ],
)
def test_run_that_cannot_be_refined_is_refused_in_one_line(changes, words, poor, tmp_path, capsys):
    wrong = changed_run(poor, tmp_path / "wrong", **changes)
    assert main(["refine", str(wrong), "--out", str(tmp_path / "out")]) == 2
    printed = capsys.readouterr()
    assert words in printed.err
    assert printed.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["no-such"], "no-such: no such folder"),
        (["{run}", "no-such"], "no-such: no such scenario"),
        (["{run}", "single", "--protocol", "literature"], "protocol: no protocol is called 'literature'"),
        (["{run}", "--protocol", "literature-5-2"], "--protocol: is the timing of a scenario"),
        (["max-pressure"], "max-pressure: no such folder"),
        (["{run}", "--rounds", "0"], "--rounds"),
        (["{run}", "--moments", "-1"], "--moments"),
        (["{run}", "--look-ahead", "0"], "--look-ahead"),
        (["{run}", "--from-sumo", "0.5"], "--from-sumo: is a share of generated networks"),
        (["universal-0", "single", "--from-sumo", "0.5"], "--from-sumo: is a share of generated networks"),
        (["universal-0", "--from-sumo", "1.5"], "worlds.from_sumo"),
        (["{run}", "--out", "{run}"], "holds a run"),
        ([], "Missing argument"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_request_is_refused_in_one_line(arguments, words, run, capsys):
    assert main(["refine", *(word.format(run=run) for word in arguments)]) == 2
    printed = capsys.readouterr()
    assert words.format(run=run) in printed.err
    assert printed.err.count("\n") == 1
