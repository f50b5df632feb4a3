"""From a training run to a bundle: the same choices, the same travel times, the same bytes; refusals in one line."""

import json
import shutil
import subprocess
import sys

import numpy as np
import onnx
import pytest
import torch
from deployment.bundles import random_network
from deployment.observations import random_observations
from hypothesis import given, settings
from hypothesis import strategies as st
from learning.small_run import write_recipe, write_scenario

from intergreen.agents.cli import main
from intergreen.agents.controllers.policy_network import read_network
from intergreen.agents.controllers.registry import controller_by_name
from intergreen.agents.controllers.run_folder import POLICY, observation_columns, read_run
from intergreen.agents.deployment.bundle import CARD, MOST_BYTES, OBSERVATION, PROOF, SIGNALS, SUMS, read_bundle
from intergreen.agents.deployment.draft import _checked, compare_choices
from intergreen.agents.deployment.graph import policy_graph
from intergreen.agents.deployment.names import decider_by_name
from intergreen.agents.deployment.recorded import Recorded
from intergreen.agents.evaluation import exporting
from intergreen.agents.evaluation.exporting import export_run, refuse_in_use
from intergreen.agents.evaluation.run import evaluate
from intergreen.agents.learning.network import SignalNetwork
from intergreen.agents.learning.prepare import prepare
from intergreen.agents.learning.train import train
from intergreen.envs.choices import chosen_phases, start_phase
from intergreen.envs.errors import InputError
from intergreen.envs.layout import make_layout
from intergreen.envs.network.fingerprint import fingerprint_of
from intergreen.envs.observation import DEFAULT_FEATURES, Blocks
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import load_scenario
from intergreen.envs.senses import observe_all

PROTOCOL = "literature-10-5"  # the scenario's own


@pytest.fixture(scope="module")
def pair_file(tmp_path_factory):
    return write_scenario(tmp_path_factory.mktemp("scenarios"))


@pytest.fixture(scope="module")
def run(pair_file, tmp_path_factory):
    """The folder of a training run of a second or two; read it, do not write."""
    return train(prepare(str(write_recipe(pair_file)), out=tmp_path_factory.mktemp("runs") / "pair"))


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    """A bundle of that run, measured on one seed for its card; read it, do not write."""
    return export_run(run, tmp_path_factory.mktemp("bundles") / "pair", seeds=[0])


class TorchPolicy:
    """The trained network in PyTorch as a controller: the best of what its actor scores."""

    name, interval_s, own_clearance = "torch", None, False

    def __init__(self, arrays, features):
        self.arrays, self.features = arrays, features

    def start(self, setup):
        self.setup = setup
        self.layout = make_layout(setup.network, setup.plan, features=self.features)
        self.network = SignalNetwork(self.layout.blocks, width=len(self.arrays["movement.bias"]))
        state = {name: torch.from_numpy(array) for name, array in self.arrays.items()}
        assert not self.network.load_state_dict(state, strict=False).unexpected_keys
        return start_phase(setup.plan, setup.n_replicas)

    def decide(self, counts, signals, time_s):
        observation = observe_all(counts, signals, self.setup.protocol.interval_s, self.layout)
        best = self.network.best_choices(torch.from_numpy(observation.reshape(-1, self.layout.blocks.size)))
        return chosen_phases(self.setup.plan, best.numpy().reshape(signals.phase.shape).astype(np.int32))


def test_bundle_drives_to_the_last_digit_as_the_training_did(run, exported, pair_file):
    scenario, protocol = load_scenario(str(pair_file)), protocol_by_name(PROTOCOL)
    features = read_bundle(exported).features
    deciders = (
        decider_by_name(str(exported)),
        TorchPolicy(read_network(run / POLICY).arrays, features),
        controller_by_name(str(run)),
    )
    found = [evaluate(scenario, one, protocol, seeds=range(5)) for one in deciders]
    assert deciders[0].log == []
    first = found[0]["metrics"]
    assert len(set(first["average_travel_time_s"]["per_seed"])) == 5
    assert all(one["metrics"] == first for one in found[1:])
    assert [one["safety"] for one in found] == [found[0]["safety"]] * 3


def test_bundle_tells_what_it_was_made_for(run, exported, pair_file):
    bundle, network = read_bundle(exported), load_scenario(str(pair_file)).network
    assert bundle.name == "pair"
    assert bundle.protocols == (PROTOCOL,)
    assert bundle.network == fingerprint_of(network)
    onnx.checker.check_model(onnx.load_from_string(bundle.model), full_check=True)
    stated = json.loads((exported / SIGNALS).read_text())
    proofs = json.loads((exported / PROOF).read_text())["proofs"]
    assert {one["plan_hash"] for one in stated["signals"]} == {one["plan_hash"] for one in proofs} == bundle.proved
    assert {one["protocol"] for one in proofs} >= {PROTOCOL, "us-mutcd-5"}
    assert (bundle.envelope.movement[0] <= bundle.envelope.movement[1]).all()
    card = (exported / CARD).read_text()
    assert "algorithm: ppo" in card


def test_ranges_are_those_that_training_meets(exported):
    stated = json.loads((exported / OBSERVATION).read_text())
    seen = {row["column"]: row["seen"] for row in (*stated["movement"], *stated["signal"])}
    assert seen["exists"] == [0.0, 1.0]
    assert seen["interval"] == [1.0, 1.0]
    assert 0.0 < seen["queue"][1] <= 10.0


def test_sums_are_what_sha256sum_checks(exported):
    if shutil.which("sha256sum") is None:
        pytest.skip("no sha256sum here")
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", SUMS], cwd=exported, check=True)


@settings(max_examples=5)
@given(seed=st.integers(0, 2**32 - 1))
def test_export_that_would_choose_otherwise_is_noticed(seed):
    movement, signal = observation_columns(DEFAULT_FEATURES)
    blocks = Blocks(6, len(movement), 4, len(signal))
    observation = random_observations(np.random.default_rng(seed), blocks, 200)
    recorded = Recorded(observation, blocks, None)
    network = random_network(seed=seed)
    same = compare_choices(network, policy_graph(network, {}), recorded)
    assert same.otherwise == {"ONNX Runtime": 0, "NumPy": 0}
    assert same.apart < 0.01  # of scores of some hundreds
    other = compare_choices(network, policy_graph(random_network(seed=seed + 1), {}), recorded)
    with pytest.raises(InputError, match="ONNX Runtime does not choose as PyTorch does"):
        _checked("run", other)


def told(capsys, *arguments):
    """The status, and the one line on stderr."""
    status = main(["export", *map(str, arguments)])
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    return status, lines[0]


def ready(monkeypatch):
    monkeypatch.setattr("intergreen.agents.commands.deploy.make_engine_ready", lambda: None)


def test_folder_in_use_is_refused_before_any_work(run, tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    for to, words in (
        (tmp_path / "mine", "is in use, and is no bundle"),
        (tmp_path / "mine" / "thesis.txt", "is a file"),
    ):
        status, line = told(capsys, run, "--to", to)
        assert status == 2
        assert words in line
        assert str(to) in line
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize("beside", ["debian.iso", "notes/notes.txt"])
def test_folder_that_holds_sums_of_other_files_is_never_replaced(exported, tmp_path, beside):
    """SHA256SUMS is what everybody calls such a file."""
    folder = shutil.copytree(exported, tmp_path / "copy")
    (folder / beside).parent.mkdir(exist_ok=True)
    (folder / beside).write_text("irreplaceable")
    with pytest.raises(InputError, match="is in use, and is no bundle"):
        refuse_in_use(folder)
    only_sums = tmp_path / "images"
    only_sums.mkdir()
    (only_sums / SUMS).write_text("")
    (only_sums / "debian.iso").write_text("irreplaceable")
    with pytest.raises(InputError, match="is in use, and is no bundle"):
        refuse_in_use(only_sums)


@pytest.mark.parametrize("folder", [".", "..", "a/.."])
def test_folder_without_a_name_is_refused_before_any_work(tmp_path, monkeypatch, capsys, folder):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").mkdir()
    status, line = told(capsys, "a run", "--to", folder)
    assert status == 2
    assert "has no name for the policy" in line


def test_run_that_is_not_there_is_one_line(tmp_path, capsys, monkeypatch):
    ready(monkeypatch)
    status, line = told(capsys, tmp_path / "nowhere", "--to", tmp_path / "x")
    assert status == 2
    assert "no such folder; name the folder" in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["universal", "here"])
def test_bundle_is_no_run_and_says_so(name, tmp_path, capsys, monkeypatch):
    ready(monkeypatch)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / SUMS).touch()
    status, line = told(capsys, name, "--to", tmp_path / "x")
    assert status == 2
    assert line.startswith(f"{name}: is an exported bundle, ")
    assert "universal-even" in line
    assert not (tmp_path / "x").exists()


def test_unfinished_run_is_exported_as_one(run, tmp_path, caplog):
    stopped = shutil.copytree(run, tmp_path / "stopped")
    stated = json.loads((stopped / "run.json").read_text())
    stated["outcome"] |= {"finished": False, "steps": 240}
    (stopped / "run.json").write_text(json.dumps(stated))
    for folder, said in ((stopped, True), (run, False)):
        caplog.clear()
        card = (export_run(folder, tmp_path / "bundle", scenarios=()) / CARD).read_text()
        assert ("unfinished: 240 steps of " in card) == said
        assert ("stopped: unfinished: its last policy has learned for 240 steps" in caplog.text) == said


def test_run_of_another_format_is_one_line(run, tmp_path, capsys, monkeypatch):
    ready(monkeypatch)
    copy = shutil.copytree(run, tmp_path / "copy")
    stated = json.loads((copy / "run.json").read_text())
    (copy / "run.json").write_text(json.dumps(stated | {"format": 1}))
    status, line = told(capsys, copy, "--to", tmp_path / "x")
    assert status == 2
    assert "format: is 1; this version reads format 2" in line
    assert list(tmp_path.iterdir()) == [copy]


def test_scenario_that_the_policy_cannot_run_on_is_refused_before_any_work(run, tmp_path, capsys, monkeypatch):
    ready(monkeypatch)
    monkeypatch.setattr(exporting, "draft_bundle", lambda *a, **k: pytest.fail("worked before it looked"))
    for scenario, words in {
        "single": "command line: --scenarios: 'single' has another network than",
        "sinngle": "sinngle: no such scenario, file or folder; did you mean 'single'?",
    }.items():
        status, line = told(capsys, run, "--to", tmp_path / "x", "--scenarios", scenario)
        assert status == 2
        assert words in line
    status, line = told(capsys, run, "--to", tmp_path / "x", "--protocol", "literature-5-10")
    assert status == 2
    assert "the clearance of 10 s does not fit" in line
    assert list(tmp_path.iterdir()) == []


def test_card_of_a_run_that_was_judged_elsewhere_tells_of_its_own_network_only(run, tmp_path):
    copy = shutil.copytree(run, tmp_path / "copy")
    stated = json.loads((copy / "run.json").read_text())
    own = stated["recipe"]["scenario"]
    stated["recipe"]["evaluation"]["scenarios"] = ["single", own]
    (copy / "run.json").write_text(json.dumps(stated))
    assert [scenario.name for scenario in exporting._to_measure(copy, None)] == ["pair"]


def test_run_whose_scenario_has_gone_says_where_to_export(run, tmp_path, capsys, monkeypatch):
    ready(monkeypatch)
    copy = shutil.copytree(run, tmp_path / "copy")
    stated = json.loads((copy / "run.json").read_text())
    stated["recipe"]["scenario"] = str(tmp_path / "gone.yaml")
    (copy / "run.json").write_text(json.dumps(stated))
    status, line = told(capsys, copy, "--to", tmp_path / "x")
    assert status == 2
    assert "gone.yaml', which cannot be read here" in line
    assert "export where the scenario is" in line


def test_run_whose_network_has_changed_since_is_refused(run, tmp_path, capsys, monkeypatch):
    ready(monkeypatch)
    copy = shutil.copytree(run, tmp_path / "copy")
    stated = json.loads((copy / "run.json").read_text())
    stated["fingerprint"] = "0" * len(stated["fingerprint"])
    (copy / "run.json").write_text(json.dumps(stated))
    status, line = told(capsys, copy, "--to", tmp_path / "x")
    assert status == 2
    assert "had another network or demand when the policy was trained; restore what it was, or train again" in line


def test_command_writes_the_same_bytes_again_and_names_the_folder(run, exported, tmp_path, capsys, monkeypatch):
    ready(monkeypatch)
    again = tmp_path / "pair"
    assert main(["export", str(run), "--to", str(again), "--seeds", "0"]) == 0
    assert capsys.readouterr().out.strip() == str(again)
    assert list(tmp_path.iterdir()) == [again]
    assert {entry.name for entry in again.iterdir()} == {*MOST_BYTES, SUMS}
    for name in (*MOST_BYTES, SUMS):
        assert (again / name).read_bytes() == (exported / name).read_bytes(), name
    assert "| pair | literature-10-5 | 1 |" in (again / CARD).read_text()


@pytest.mark.parametrize(
    ("name", "best"), [("universal-2", False), ("universal-2:last", False), ("universal-2:best", True)]
)
def test_command_takes_what_is_shipped_by_its_name(name, best, tmp_path, monkeypatch, capsys):
    ready(monkeypatch)
    asked = []

    def kept(run, to, **how):
        asked.append((read_run(run)["seed"], how["best"]))
        return to

    monkeypatch.setattr(exporting, "export_run", kept)
    assert main(["export", name, "--to", str(tmp_path / "x")]) == 0
    assert asked == [(2, best)]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError(28, "No space left on device"), InputError("a", "b", "c")])
@pytest.mark.parametrize("old", [False, True], ids=["new", "in place of an old one"])
def test_interrupted_export_leaves_no_half_bundle(run, exported, tmp_path, monkeypatch, stop, old):
    folder = tmp_path / "pair"
    if old:
        shutil.copytree(exported, folder)
        (folder / CARD).write_text("the old one")

    def interrupted(*arguments):
        raise stop

    monkeypatch.setattr(exporting, "draft_bundle", lambda *a, **k: Drafted(exported))
    monkeypatch.setattr(exporting, "card_text", lambda *arguments: "card")
    monkeypatch.setattr(exporting, "_measured", interrupted)
    with pytest.raises((KeyboardInterrupt, OSError, InputError)):
        export_run(run, folder, scenarios=[])
    assert list(tmp_path.iterdir()) == ([folder] if old else [])
    if old:
        assert (folder / CARD).read_text() == "the old one"


class Drafted:
    """What is exported, drafted already."""

    def __init__(self, folder):
        self.contents = {name: (folder / name).read_bytes() for name in MOST_BYTES if name != CARD}


def test_missing_learning_stack_is_told_with_the_extra(run, tmp_path, monkeypatch, capsys):
    ready(monkeypatch)
    monkeypatch.setitem(sys.modules, "stable_baselines3", None)
    status, line = told(capsys, run, "--to", tmp_path / "x")
    assert status == 2
    assert line == 'intergreen export: needs stable_baselines3, not installed here; pip install "intergreen[train]"'
    assert list(tmp_path.iterdir()) == []


def test_missing_onnx_is_told_with_the_extra(run, tmp_path, monkeypatch, capsys):
    ready(monkeypatch)
    monkeypatch.setitem(sys.modules, "onnx", None)
    status, line = told(capsys, run, "--to", tmp_path / "x")
    assert status == 2
    assert "the package onnx, not installed here" in line
    assert 'pip install "intergreen[train]"' in line
    assert list(tmp_path.iterdir()) == []
