"""Recipes: what a training run is told. YAML in, a checked and frozen record out.

The only place that knows the keys and their defaults.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from intergreen.envs.errors import InputError, shown
from intergreen.envs.files import read_yaml
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.reward import reward_by_name
from intergreen.envs.scenario import scenario_names

DEFAULT_RECIPE = "quick"


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class PPOSettings(_Settings):
    """Proximal policy optimisation; names and meaning as in Stable-Baselines3, but for `minibatches`."""

    n_steps: int = Field(default=30, ge=2)  # decisions of each slot between two updates
    minibatches: int = Field(default=4, ge=1)  # per epoch; fewer where the decisions do not divide into so many
    n_epochs: int = Field(default=4, ge=1)
    learning_rate: float = Field(default=2e-3, gt=0)  # at the start; falls to a tenth as the budget is used up
    gamma: float = Field(default=0.95, ge=0, le=1)
    gae_lambda: float = Field(default=0.9, ge=0, le=1)
    clip_range: float = Field(default=0.2, gt=0)
    ent_coef: float = Field(default=0.002, ge=0)
    vf_coef: float = Field(default=0.5, ge=0)
    max_grad_norm: float = Field(default=0.5, gt=0)


class Recipe(_Settings):
    """One training run. Training stops when the first of `minutes` and `steps` is used up."""

    scenario: str = "grid4x4"
    protocol: str | None = None  # None: the scenario's own
    horizon_s: int | None = Field(default=None, ge=1)  # seconds of an episode; None: the scenario's
    reward: str = "queue"
    replicas: int | None = Field(default=None, ge=1, le=4096)  # copies of the network; None: about 128 signals in all
    threads: int = Field(default=2, ge=1)  # for simulation and learner; never more than there are cores
    minutes: float | None = Field(default=2.0, gt=0)  # wall time, compiling left out
    steps: int | None = Field(default=None, ge=1)  # signal decisions, all signals of all copies together
    seed: int = Field(default=0, ge=0, lt=2**31)
    checkpoint_s: float = Field(default=20.0, gt=0)  # wall time between checkpoints
    hidden: tuple[int, ...] = (64, 64)  # widths of the hidden layers, tanh between them
    ppo: PPOSettings = PPOSettings()

    @model_validator(mode="after")
    def _ends(self) -> Recipe:
        if self.minutes is None and self.steps is None:
            raise ValueError("training would never end; give minutes or steps")
        if any(not 1 <= width <= 4096 for width in self.hidden):
            raise ValueError(f"need widths from 1 to 4096 in hidden, got {list(self.hidden)}")
        return self


def recipe_names() -> tuple[str, ...]:
    """Names of the shipped recipes."""
    folder = files("intergreen.configs") / "training"
    return tuple(sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml")))


def read_recipe(config: str, **changes: Any) -> Recipe:
    """The recipe of that name or file, or the default recipe on the scenario that `config` names.

    Parameters
    ----------
    changes : values from the command line that replace the recipe's; None leaves a value as it is

    Raises
    ------
    InputError
        If there is no such recipe or scenario, a key is unknown, or a value cannot be used.
    """
    given = {key: value for key, value in changes.items() if value is not None}
    if config in recipe_names():
        return _shipped(config, given)
    path = Path(config)
    if path.is_file():
        content = _read_mapping(path)
        if "network" not in content:  # a scenario file has one, a recipe never
            return make_recipe(config, {**content, **given})
    if not path.exists() and config not in scenario_names() and "/" not in config:
        raise _unknown(config)
    return _shipped(DEFAULT_RECIPE, {"scenario": config, **given})


def make_recipe(source: str | Path, values: Mapping[str, Any]) -> Recipe:
    """The recipe with these values; `source` is where they come from, for the message."""
    try:
        recipe = Recipe.model_validate(dict(values))
    except ValidationError as error:
        raise _refusal(source, error) from None
    try:
        reward_by_name(recipe.reward)
        if recipe.protocol is not None:
            protocol_by_name(recipe.protocol)
    except InputError as error:
        field = "reward" if error.file == "reward" else "protocol"
        raise InputError(source, field, error.problem, error.mend) from None
    return recipe


def _shipped(name: str, changes: Mapping[str, Any]) -> Recipe:
    with as_file(files("intergreen.configs") / "training" / f"{name}.yaml") as path:
        return make_recipe(name, {**_read_mapping(path), **changes})


def _read_mapping(path: Path) -> dict[str, Any]:
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise InputError(path, "", f"is {shown(content)}", "write keys and values")
    return content


def _refusal(source: str | Path, error: ValidationError) -> InputError:
    """The first complaint as one line, with the known keys where one is unknown."""
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = list((PPOSettings if first["loc"][0] == "ppo" else Recipe).model_fields)
        near = difflib.get_close_matches(str(first["loc"][-1]), known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        return InputError(source, place, "unknown key", f"{hint}known keys: {', '.join(known)}")
    problem = first["msg"].removeprefix("Value error, ")
    value = "" if first["type"] == "value_error" else f", got {shown(first['input'])}"
    return InputError(source, place, f"{problem[0].lower()}{problem[1:]}{value}", "mend the value")


def _unknown(config: str) -> InputError:
    names = (*recipe_names(), *scenario_names())
    near = difflib.get_close_matches(config, names, n=1)
    known = f"use one of {', '.join(names)}, a YAML file, or a folder with roadnet.json and flow.json"
    mend = f"did you mean {near[0]!r}?" if near else known
    return InputError(config, "", "no such recipe, scenario, file or folder", mend)
