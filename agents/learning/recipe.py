"""Recipes: what a training run is told. YAML in, a checked and frozen record out.

The only place that knows the keys and their defaults.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from intergreen.envs.errors import InputError, meant, shown
from intergreen.envs.fault_file import refuse_policy_faults
from intergreen.envs.file_sections import bools_within, takes_bool
from intergreen.envs.observation import DEFAULT_FEATURES, check_features
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.reward import check_reward
from intergreen.envs.scenario import scenario_names
from intergreen.envs.simulators import NATIVE, check_simulator
from intergreen.envs.sumo_config import is_sumo_config
from intergreen.envs.yaml_files import read_yaml

DEFAULT_RECIPE = "single"  # for a scenario in place of a recipe
LEVELS = (0.35, 1.3)  # demand of generated networks, lowest and highest share of what one can carry
_JUDGED_AFTER_WORLDS = ("grid4x4",)
_BUDGET = ("minutes", "steps")


def _is_section(annotation: Any) -> bool:
    """Does a section of settings stand there, which looks through its own?"""
    return annotation in _Settings.__subclasses__() or any(_is_section(one) for one in get_args(annotation))


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _true_is_no_number(cls, values: Any) -> Any:
        for name, value in values.items() if isinstance(values, dict) else ():
            field = cls.model_fields.get(name)
            if field is None or takes_bool(field.annotation) or _is_section(field.annotation):
                continue
            for within, one in bools_within(value):
                raise ValueError(f"{'.'.join((name, *within))} is {str(one).lower()}, which is no number")
        return values


class PPOSettings(_Settings):
    """Proximal policy optimisation, with masks or without; names as in Stable-Baselines3, but for `minibatches`."""

    n_steps: int = Field(default=30, ge=2)  # decisions of each slot between two updates
    minibatches: int = Field(default=4, ge=1)  # per epoch; fewer where the decisions do not divide into so many
    n_epochs: int = Field(default=4, ge=1)
    learning_rate: float = Field(default=2e-3, gt=0)  # at the start; falls to a tenth as the budget is used up
    gamma: float = Field(default=0.95, ge=0, le=1)
    gae_lambda: float = Field(default=0.9, ge=0, le=1)
    decision_s: float | None = Field(default=None, gt=0)  # what gamma and gae_lambda are for; None: any decision
    clip_range: float = Field(default=0.2, gt=0)
    ent_coef: float = Field(default=0.002, ge=0)
    vf_coef: float = Field(default=0.5, ge=0)
    max_grad_norm: float = Field(default=0.5, gt=0)
    normalize_advantage: bool = True
    critic_first: float = Field(default=0.05, ge=0, lt=1)  # share of the budget for the values alone, with a start


class DQNSettings(_Settings):
    """Deep Q-learning; names and meaning as in Stable-Baselines3. "Decisions" are those of all slots together."""

    learning_rate: float = Field(default=1e-3, gt=0)  # at the start; falls to a tenth as the budget is used up
    buffer_size: int = Field(default=50_000, ge=1)  # decisions remembered
    learning_starts: int = Field(default=5_000, ge=0)  # decisions at random before the first update
    batch_size: int = Field(default=256, ge=1)
    tau: float = Field(default=1.0, gt=0, le=1)
    gamma: float = Field(default=0.9, ge=0, le=1)
    train_freq: int = Field(default=1, ge=1)  # decisions of each slot between two updates
    gradient_steps: int = Field(default=2, ge=1)
    target_update_interval: int = Field(default=5_000, ge=1)  # decisions
    exploration_fraction: float = Field(default=0.3, gt=0, le=1)  # share of the budget in which exploring falls
    exploration_initial_eps: float = Field(default=1.0, ge=0, le=1)
    exploration_final_eps: float = Field(default=0.05, ge=0, le=1)
    max_grad_norm: float = Field(default=10.0, gt=0)


class WorldsSettings(_Settings):
    """Generated networks to train on, instead of one scenario; see `worlds.py`."""

    count: int = Field(default=16, ge=1, le=1024)  # networks
    junctions: int = Field(default=0, ge=0, le=1024)  # single junctions, besides
    from_sumo: float = Field(default=0.0, ge=0, le=1)  # share with SUMO's streets, rules and drivers (extra sumo)
    protocols: tuple[str, ...] = Field(default=("literature-10-5",), min_length=1)  # in turn
    failing: float = Field(default=1.0, ge=0, le=1)  # share of them that have the recipe's faults
    levels: tuple[float, float] = LEVELS  # every network draws its demand between the two

    @model_validator(mode="after")
    def _levels_are_a_range(self) -> WorldsSettings:
        lowest, highest = self.levels
        if not 0.0 < lowest <= highest:
            raise ValueError(f"need 0 < lowest <= highest in levels, got {list(self.levels)}")
        return self


class EvaluationSettings(_Settings):
    """How a policy is judged while it trains, on trips that nobody trains on; the time is not training time."""

    every_s: float = Field(default=10.0, gt=0)  # seconds of training between two evaluations
    scenarios: tuple[str, ...] = ()  # none: the recipe's own; for generated networks grid4x4
    worlds: int = Field(default=0, ge=0, le=1024)  # generated networks that nobody trains on, besides
    seeds: int = Field(default=2, ge=1, le=1000)  # runs of each scenario
    horizon_s: int | None = Field(default=None, ge=1)  # None: the scenario's own


class Recipe(_Settings):
    """One training run. Training stops when the first of `minutes` and `steps` is used up."""

    algorithm: Literal["ppo", "maskable-ppo", "dqn"] = "ppo"
    scenario: str | None = None  # name, file or folder; or else:
    worlds: WorldsSettings | None = None
    start: str | None = None  # a run, shipped name or folder, to start from: its weights, features and width
    protocol: str | None = None  # None: the scenario's own; for generated networks, that of the evaluations
    simulator: str = NATIVE  # or sumo: what simulates the episodes, and what the policy is judged in
    horizon_s: int | None = Field(default=None, ge=1)  # seconds of an episode; None: the scenario's
    features: tuple[str, ...] = Field(default=DEFAULT_FEATURES, min_length=1)
    reward: str | dict[str, float] = "delay"
    neighbour_share: float = Field(default=0.0, ge=0)
    demand_scale: tuple[float, float] = (1.0, 1.0)  # factor on the trips, drawn between the two for every episode
    end_locked: bool = False  # episodes end where traffic has locked, and are charged for it; see `envs/locks.py`
    faults: str | None = (
        None  # of detectors, a name or file as --faults takes it: what the policy sees; rewards stay true
    )
    width: int = Field(default=32, ge=1, le=4096)  # of the network's layers
    replicas: int | None = Field(default=None, ge=1, le=4096)  # copies of the network; None: about 128 signals in all
    threads: int = Field(default=2, ge=1)  # for simulation and learner; never more than there are cores
    minutes: float | None = Field(default=None, gt=0)  # wall time, without compiling and evaluating
    averaging: float | None = Field(default=None, ge=0)  # the policy is the mean over its updates, k counts k ** this
    steps: int | None = Field(default=None, ge=1)  # signal decisions, all signals of all copies together
    seed: int = Field(default=0, ge=0, lt=2**31)
    checkpoint_s: float = Field(default=20.0, gt=0)  # wall time between checkpoints
    evaluation: EvaluationSettings = EvaluationSettings()
    ppo: PPOSettings = PPOSettings()
    dqn: DQNSettings = DQNSettings()

    @model_validator(mode="after")
    def _can_begin_and_end(self) -> Recipe:
        if self.minutes is None and self.steps is None:
            raise ValueError("training would never end; give minutes or steps")
        if (self.scenario is None) == (self.worlds is None):
            raise ValueError("need either scenario, a name, file or folder, or worlds, and not both")
        if self.simulator != NATIVE and (self.worlds is not None or self.evaluation.worlds):
            raise ValueError("generated worlds are simulated by native only; give a scenario, or leave simulator out")
        if self.worlds is not None and self.replicas is not None:
            raise ValueError("replicas are of one scenario; of generated worlds there is one each: see worlds.count")
        if self.worlds is not None and self.demand_scale != (1.0, 1.0):
            raise ValueError("demand_scale is of one scenario; generated worlds have worlds.levels")
        lowest, highest = self.demand_scale
        if not 0.0 < lowest <= highest:
            raise ValueError(f"need 0 < lowest <= highest in demand_scale, got {list(self.demand_scale)}")
        return self

    @property
    def judged(self) -> tuple[str, ...]:
        """The scenarios that the policy is evaluated on."""
        return self.evaluation.scenarios or ((self.scenario,) if self.scenario else _JUDGED_AFTER_WORLDS)

    def settings(self) -> dict[str, Any]:
        """What is set and has an effect: no sections of other algorithms, nothing of a start where there is none."""
        unused: dict[str, Any] = {"ppo": True} if self.algorithm == "dqn" else {"dqn": True}
        if self.start is None:
            unused.setdefault("ppo", {"critic_first"})
        return self.model_dump(mode="json", exclude_none=True, exclude=unused)


_SECTIONS: dict[str, type[_Settings]] = {
    "worlds": WorldsSettings,
    "evaluation": EvaluationSettings,
    "ppo": PPOSettings,
    "dqn": DQNSettings,
}


def recipe_names() -> tuple[str, ...]:
    """Names of the shipped recipes."""
    folder = files("intergreen.configs") / "training"
    return tuple(sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml")))


def read_recipe(config: str, **changes: Any) -> Recipe:
    """The recipe of that name or file, or the default recipe on the scenario that `config` names.

    `single` is both: that recipe on that scenario.

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
        return _shipped(config, {"scenario": config, **given} if config in scenario_names() else given)
    path = Path(config)
    if path.is_file() and not is_sumo_config(path):
        content = _read_mapping(path)
        if "network" not in content:  # a scenario file has one, a recipe never
            return make_recipe(config, changed(content, given))
    if not path.exists() and config not in scenario_names() and "/" not in config:
        raise _unknown(config)
    return _shipped(DEFAULT_RECIPE, {"scenario": config, **given})


def changed(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The values with the changes; a budget among them replaces the whole budget.

    >>> changed({"minutes": 1.0, "seed": 3}, {"steps": 500})
    {'minutes': None, 'seed': 3, 'steps': 500}
    """
    replaced = {key: None for key in _BUDGET if key in values} if set(_BUDGET) & set(changes) else {}
    return {**values, **replaced, **changes}


def with_worlds(
    recipe: Recipe | None, *, from_sumo: float | None = None, protocols: Sequence[str] | None = None
) -> dict[str, Any]:
    """The generated networks of the recipe, as many of them from SUMO and with these timings in turn; None: as it has.

    Raises
    ------
    InputError
        If something is asked of generated networks, and there are none.
    """
    asked = {"from_sumo": from_sumo, "protocols": None if protocols is None else tuple(protocols)}
    changes = {name: value for name, value in asked.items() if value is not None}
    if recipe is not None and recipe.worlds is not None:
        return recipe.worlds.model_dump() | changes
    option, what = ("--from-sumo", "is a share") if from_sumo is not None else ("--protocols", "are timings")
    problem = f"{what} of generated networks, and there are none"
    mend = "the scenario" if recipe is None else "name a run that learned on some"
    raise InputError("command line", option, problem, f"leave it out, or {mend}")


def make_recipe(source: str | Path, values: Mapping[str, Any]) -> Recipe:
    """The recipe with these values; `source` is where they come from, for the message."""
    try:
        recipe = Recipe.model_validate(dict(values))
    except ValidationError as error:
        raise _refusal(source, error) from None
    _check_names(source, "reward", lambda: check_reward(recipe.reward))
    _check_names(source, "simulator", lambda: check_simulator(recipe.simulator))
    _check_names(source, "features", lambda: check_features(recipe.features))
    if recipe.faults is not None:
        _check_names(source, "faults", lambda: refuse_policy_faults(recipe.faults or ""))
    for field, names in (("protocol", (recipe.protocol,)), ("worlds.protocols", _protocols(recipe))):
        for name in names:
            if name is not None:
                _check_names(source, field, lambda name=name: protocol_by_name(name))  # type: ignore[misc]
    return recipe


def _check_names(source: str | Path, field: str, check: Callable[[], object]) -> None:
    """A complaint about a name becomes one about that field of the recipe."""
    try:
        check()
    except InputError as error:
        raise InputError(source, field, error.problem, error.mend) from None


def _protocols(recipe: Recipe) -> tuple[str, ...]:
    return () if recipe.worlds is None else recipe.worlds.protocols


def _shipped(name: str, changes: Mapping[str, Any]) -> Recipe:
    with as_file(files("intergreen.configs") / "training" / f"{name}.yaml") as path:
        return make_recipe(name, changed(_read_mapping(path), changes))


def _read_mapping(path: Path) -> dict[str, Any]:
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise InputError(path, "", f"is {shown(content)}", "write keys and values")
    return content


def _refusal(source: str | Path, error: ValidationError) -> InputError:
    """The first complaint as one line, with the known keys where one is unknown."""
    first = error.errors(include_url=False)[0]
    parts = [str(part) for part in first["loc"]]
    place = parts[0] if parts[:1] == ["reward"] else ".".join(parts)  # what follows is pydantic's name of a type
    if first["type"] == "extra_forbidden":
        known = list(_SECTIONS.get(parts[0], Recipe).model_fields)
        return InputError(source, place, "unknown key", f"{meant(parts[-1], known)}known keys: {', '.join(known)}")
    problem = first["msg"].removeprefix("Value error, ")
    value = "" if first["type"] == "value_error" else f", got {shown(first['input'])}"
    return InputError(source, place, f"{problem[0].lower()}{problem[1:]}{value}", "mend the value")


def _unknown(config: str) -> InputError:
    names = tuple(dict.fromkeys((*recipe_names(), *scenario_names())))
    folder = "a folder with roadnet.json and flow.json or with a .sumocfg"
    known = f"use one of {', '.join(names)}, a YAML file, a .sumocfg, or {folder}"
    mend = meant(config, names).rstrip() or known
    return InputError(config, "", "no such recipe, scenario, file or folder", mend)
