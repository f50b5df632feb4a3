"""Networks and demands as small as they can fail."""

import dataclasses
import os
from pathlib import Path

import pytest

from intergreen.envs.scenario import Scenario, load_scenario

os.environ.setdefault("SDL_VIDEODRIVER", "dummy")  # windows without a screen

PAIR = """
name: pair
network: {kind: grid, rows: 1, columns: 2, spacing_x_m: 150, spacing_y_m: 150, lanes: 2}
demand: {kind: turns, entry_vph: 500}
horizon_s: 300
"""


@pytest.fixture(scope="session")
def pair_file(tmp_path_factory) -> Path:
    """Two signals, a few minutes."""
    path = tmp_path_factory.mktemp("scenarios") / "pair.yaml"
    path.write_text(PAIR)
    return path


@pytest.fixture(scope="session")
def pair(pair_file) -> Scenario:
    return load_scenario(pair_file)


@pytest.fixture(scope="session")
def fixed_pair(pair) -> Scenario:
    """The same with a demand of its own, as a folder has it."""
    return dataclasses.replace(pair, fixed_demand=True)
