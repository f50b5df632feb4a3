"""Whoever decides, by name: baselines, bundles and training runs; anything else is one line."""

import os

import pytest

from intergreen.agents.deployment.controller import BundleController
from intergreen.agents.deployment.names import decider_by_name
from intergreen.agents.deployment.shipped import bundle_by_name, bundle_names
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


def test_shipped_bundles_are_read_by_their_name():
    for name in bundle_names():
        assert bundle_by_name(name).name == name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("max-presure", "did you mean 'max-pressure'?"),
        ("nobody at all", "or the folder of a bundle or of a training run"),
        ("a\nb\0c", "no controller or folder is called"),
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
