"""A training run of a second or two on two signals, made once."""

import pytest

from intergreen.agents.learning.train import prepare, train

SCENARIO = """
name: pair
network: {kind: grid, rows: 1, columns: 2, spacing_x_m: 150, spacing_y_m: 150, lanes: 3}
demand: {kind: turns, entry_vph: 500}
horizon_s: 300
"""
RECIPE = """
scenario: {scenario}
minutes: null
steps: 240
replicas: 2
threads: 1
hidden: [16, 8]
ppo: {{n_steps: 20, minibatches: 2, n_epochs: 2}}
"""


@pytest.fixture(scope="session")
def pair_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("scenarios") / "pair.yaml"
    path.write_text(SCENARIO)
    return path


@pytest.fixture(scope="session")
def recipe_file(pair_file):
    path = pair_file.with_name("recipe.yaml")
    path.write_text(RECIPE.format(scenario=pair_file))
    return path


@pytest.fixture(scope="session")
def run(recipe_file, tmp_path_factory):
    """The folder of a finished run; read it, do not write."""
    return train(prepare(str(recipe_file), out=tmp_path_factory.mktemp("runs") / "pair"))
