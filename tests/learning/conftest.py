"""A training run of a second or two on two signals, made once."""

import json
import shutil

import numpy as np
import pytest
from learning.small_run import write_recipe, write_scenario

from intergreen.agents.controllers.policy_network import PolicyNetwork, actor_shapes
from intergreen.agents.learning.prepare import prepare
from intergreen.agents.learning.train import train


@pytest.fixture(scope="session")
def pair_file(tmp_path_factory):
    return write_scenario(tmp_path_factory.mktemp("scenarios"))


@pytest.fixture(scope="session")
def recipe_file(pair_file):
    return write_recipe(pair_file)


@pytest.fixture(scope="session")
def run(recipe_file, tmp_path_factory):
    """The folder of a finished run; read it, do not write."""
    return train(prepare(str(recipe_file), out=tmp_path_factory.mktemp("runs") / "pair"))


@pytest.fixture
def copied_run(run, tmp_path):
    return shutil.copytree(run, tmp_path / "copy")


@pytest.fixture
def recipe_with(recipe_file, tmp_path):
    """Writes the recipe with more or other lines; returns the file."""

    def write(*lines, without=()):
        kept = [line for line in recipe_file.read_text().splitlines() if not line.startswith(tuple(without) or ("\0",))]
        path = tmp_path / "changed.yaml"
        path.write_text("\n".join([*kept, *lines]))
        return str(path)

    return write


@pytest.fixture(scope="session")
def random_network():
    """A policy with random weights."""

    def draw(seed, *, movement_columns, signal_columns, width=8):
        random = np.random.default_rng(seed)
        shapes = actor_shapes(width, movement_columns, signal_columns)
        return PolicyNetwork({name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()})

    return draw


@pytest.fixture(scope="session")
def stated():
    """The content of a run's run.json."""
    return lambda folder: json.loads((folder / "run.json").read_text())
