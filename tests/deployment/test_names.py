"""Whoever decides, by name: baselines, bundles and training runs; anything else is one line."""

import os
from pathlib import Path

import pytest

from intergreen.agents.controllers.run_folder import say_if_hidden
from intergreen.agents.deployment.controller import BundleController
from intergreen.agents.deployment.names import decider_by_name
from intergreen.agents.deployment.shipped import bundle_by_name, bundle_names
from intergreen.agents.evaluation.provenance import policy_fingerprint
from intergreen.envs.errors import InputError


def test_folder_of_a_bundle_decides_under_its_name(bundle_folder, monkeypatch):
    for name in (str(bundle_folder), f"{bundle_folder}/", os.path.relpath(bundle_folder)):
        decider = decider_by_name(name)
        assert isinstance(decider, BundleController)
        assert decider.name == "random"
        decider.close()
    monkeypatch.chdir(bundle_folder)
    assert bundle_by_name(".").name == "random"


def test_baseline_decides_under_its_name():
    assert decider_by_name("max-pressure").name == "max-pressure"


def test_path_is_a_folder_and_never_a_name(bundle_folder, monkeypatch):
    monkeypatch.chdir(bundle_folder.parent)
    for path in (bundle_folder, Path(bundle_folder.name)):
        assert decider_by_name(path).name == "random"
    with pytest.raises(InputError, match=r"\./max-pressure: no such folder; name the folder of a training run or of"):
        decider_by_name(Path("max-pressure"))
    with pytest.raises(TypeError, match="need the name of a controller, or the path of a folder, got None"):
        decider_by_name(None)


def test_baseline_is_meant_by_its_name_whatever_folder_is_called_so(bundle_folder, tmp_path, monkeypatch):
    (tmp_path / "webster").symlink_to(bundle_folder)
    monkeypatch.chdir(tmp_path)
    assert decider_by_name("webster").name == "webster"
    assert decider_by_name("./webster").name == "random"


def test_shipped_bundles_are_read_by_their_name():
    for name in bundle_names():
        assert bundle_by_name(name).name == name


@pytest.mark.parametrize("name", ["universal", "universal-0", "universal-0:best"])
def test_shipped_name_is_what_is_shipped_whatever_folder_is_called_so(name, tmp_path, monkeypatch, caplog):
    shipped = policy_fingerprint(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / name.partition(":")[0]).mkdir()
    say_if_hidden.cache_clear()
    assert decider_by_name(name).name == name
    assert policy_fingerprint(name) == shipped
    assert [record.message.partition("; ")[2] for record in caplog.records] == [
        f"the folder of that name is ./{name.partition(':')[0]}"
    ]
    with pytest.raises(InputError, match=r"holds neither|not in this folder"):
        decider_by_name(f"./{name}")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("max-presure", "did you mean 'max-pressure'?"),
        ("nobody at all", "the folder of a bundle or of a training run, or package.module:name"),
        ("a\nb\0c", "no controller or folder is called"),
        ("{folder}/nobody", "/nobody: no such folder; name the folder of a training run or of a bundle"),
        ("{folder}", "holds neither run.json nor SHA256SUMS"),
    ],
)
def test_name_of_nobody_is_one_line(name, words, tmp_path):
    with pytest.raises(InputError) as caught:
        decider_by_name(name.format(folder=tmp_path))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_half_a_bundle_is_named_by_what_it_lacks(copied_bundle):
    """It is no run either: nothing is said of run.json."""
    (copied_bundle / "policy.onnx").unlink()
    with pytest.raises(InputError, match=r"policy\.onnx: is missing"):
        decider_by_name(str(copied_bundle))
