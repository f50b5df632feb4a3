"""The smallest training: a scenario of one or two signals, and a recipe that takes a second or two, as files."""

import json
import shutil
from pathlib import Path
from typing import Any

RECIPE: dict[str, Any] = {
    "steps": 240,
    "replicas": 2,
    "threads": 1,
    "width": 8,
    "evaluation": {"seeds": 1},
    "ppo": {"n_steps": 20, "minibatches": 2, "n_epochs": 2},
    "dqn": {"learning_starts": 40, "batch_size": 16, "buffer_size": 400, "target_update_interval": 40},
}


def write_scenario(folder: Path, name: str = "pair", *, signals: int = 2) -> Path:
    """A row of signals for five minutes."""
    path = folder / f"{name}.yaml"
    path.write_text(f"""
name: {name}
network: {{kind: grid, rows: 1, columns: {signals}, spacing_x_m: 150, spacing_y_m: 150, lanes: 3}}
demand: {{kind: turns, entry_vph: 500}}
horizon_s: 300
""")
    return path


def recipe_text(scenario: Path, **others: Any) -> str:
    """The recipe for that scenario with other values, a line for every key."""
    values = {"scenario": str(scenario)} | RECIPE | others
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in values.items())


def write_recipe(scenario: Path, **others: Any) -> Path:
    """The recipe in a file beside the scenario's."""
    path = scenario.with_name("recipe.yaml")
    path.write_text(recipe_text(scenario, **others))
    return path


def changed_run(run: Path, folder: Path, **changes: Any) -> Path:
    """A copy of the run in the folder, whose recipe has other values."""
    copy = shutil.copytree(run, folder)
    content = json.loads((copy / "run.json").read_text())
    content["recipe"] |= changes
    (copy / "run.json").write_text(json.dumps(content))
    return copy
