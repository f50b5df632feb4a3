"""Bundles that the tests of the deployment share."""

import shutil

import pytest
from deployment.bundles import write_random_bundle

from intergreen.agents.deployment.bundle import read_bundle


@pytest.fixture(scope="session")
def bundle_folder(tmp_path_factory):
    """A bundle with random weights; read it, do not write."""
    return write_random_bundle(tmp_path_factory.mktemp("bundles") / "random")


@pytest.fixture(scope="session")
def bundle(bundle_folder):
    return read_bundle(bundle_folder)


@pytest.fixture
def copied_bundle(bundle_folder, tmp_path):
    return shutil.copytree(bundle_folder, tmp_path / "copy")
