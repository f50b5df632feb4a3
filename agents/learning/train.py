"""A training run from recipe to folder: Stable-Baselines3's PPO, one policy shared by all signals of all copies.

`prepare` checks everything that a person could have got wrong; `train` then works for minutes. A run that was
killed goes on from its last checkpoint. The resumed run meets other traffic than the uninterrupted one would have,
so the two end near each other, not at the same weights.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intergreen.agents.controllers.run_folder import (
    FORMAT,
    OBSERVATION,
    RUN,
    new_run_folder,
    read_run,
    refuse_used,
    shape_of,
)
from intergreen.agents.learning.recipe import Recipe, make_recipe, read_recipe
from intergreen.agents.versions import versions_of
from intergreen.envs.episodes import Episodes
from intergreen.envs.errors import InputError, shown
from intergreen.envs.observation import QUEUE_SCALE_VEH, feature_names
from intergreen.envs.scenario import Scenario, load_scenario

if TYPE_CHECKING:
    from stable_baselines3 import PPO

    from intergreen.agents.learning.keeper import Budget
    from intergreen.agents.progress import Progress
    from intergreen.envs.vector_env import TrafficVecEnv

_NEVER = 2**62
SLOTS = 128  # signals of all copies together, where the recipe does not say how many copies
_SEEDS_APART = 10_000  # training seeds this far apart share no stream of traffic
_SPARED_ON_RESUME = 1_000  # the same, for what a resumed run meets


@dataclass(frozen=True, slots=True)
class Training:
    """A run that is ready to begin, or to go on: everything has been read and checked."""

    recipe: Recipe
    scenario: Scenario
    folder: Path
    run: dict[str, Any]  # the content of run.json
    resumed: bool

    def summary(self) -> str:
        """What will be done, in a few lines: settings, versions, where it goes."""
        settings = self.recipe.model_dump(exclude_none=True)
        ppo = settings.pop("ppo")
        lines = [
            f"{'resuming' if self.resumed else 'training'} on {self.scenario.name}, {self.run['protocol']}",
            *(", ".join(f"{key} {value}" for key, value in part.items()) for part in (settings, ppo)),
            ", ".join(f"{name} {number}" for name, number in self.run["versions"].items()),
            f"run folder {self.folder}",
        ]
        return "\n".join(lines)


def prepare(
    config: str | None,
    *,
    out: Path | None = None,
    resume: Path | None = None,
    drop_invalid_routes: bool = False,
    **changes: Any,
) -> Training:
    """The run that `config`, a recipe or a scenario, describes; or the run of the folder `resume`, to go on.

    Parameters
    ----------
    out : the run's folder; None: a new one below `runs/`
    changes : values that replace the recipe's (`minutes`, `steps`, `seed`, `protocol`); None leaves one as it is.
        A run that goes on takes `minutes` and `steps`, the totals with what it has used already, and no others.

    Raises
    ------
    InputError
        If anything that was read or asked for is wrong, or the learning stack is not installed.
    """
    _require_learning_stack()
    if resume is not None:
        return _prepare_resumed(config, resume, out, changes)
    if config is None:
        raise InputError("command line", "CONFIG", "is missing", "name a recipe, a scenario, or --resume RUN")
    recipe = read_recipe(config, **changes)
    folder = out or new_run_folder(Path(recipe.scenario).stem)
    refuse_used(folder)
    scenario = load_scenario(recipe.scenario, drop_invalid_routes=drop_invalid_routes)
    run = _new_run(recipe, scenario, drop_invalid_routes)
    return Training(recipe, scenario, folder, run, resumed=False)


def train(training: Training, *, progress: Progress | None = None) -> Path:
    """Train until the budget is used up; returns the run's folder."""
    import torch

    from intergreen.agents.controllers.run_folder import CHECKPOINT
    from intergreen.agents.learning.keeper import Budget, Keeper, load_checkpoint

    recipe = training.recipe
    threads = min(recipe.threads, os.cpu_count() or 1)
    torch.set_num_threads(threads)
    env = _vector_env(training, threads)
    _compile(env)
    budget = Budget(recipe)
    model = _model(env, recipe, budget)
    used_s = load_checkpoint(training.folder / CHECKPOINT, model) if training.resumed else 0.0
    if training.resumed:
        env.seed(_traffic_seed(recipe) + _SPARED_ON_RESUME + model.num_timesteps % _SPARED_ON_RESUME)
    budget.start(used_s=used_s, steps=model.num_timesteps)
    keeper = Keeper(training.folder, training.run, budget, checkpoint_s=recipe.checkpoint_s, progress=progress)
    left = (recipe.steps or 2**40) - model.num_timesteps
    model.learn(max(left, 0), callback=keeper, log_interval=_NEVER, reset_num_timesteps=False)
    return training.folder


def _prepare_resumed(config: str | None, resume: Path, out: Path | None, changes: dict[str, Any]) -> Training:
    """The run in `resume`; what it was begun with cannot be changed, only for how long it goes on."""
    if out is not None:
        raise InputError(
            "command line", "--out", "does not go with --resume", "leave it out: a run stays in its folder"
        )
    run = read_run(resume)
    stored = run.get("recipe")
    if not isinstance(stored, dict):
        raise InputError(resume / RUN, "recipe", f"is {shown(stored)}", "name the folder that `intergreen train` wrote")
    given = {key: value for key, value in changes.items() if value is not None}
    recipe = make_recipe(resume / RUN, {**stored, **{k: given[k] for k in ("minutes", "steps") if k in given}})
    asked = read_recipe(config, **given) if config is not None else make_recipe("command line", {**stored, **given})
    _refuse_other_recipe(resume, recipe, asked)
    if run.get("outcome", {}).get("finished") and not {"minutes", "steps"} & set(given):
        problem = "has used up its budget"
        raise InputError(resume, "", problem, "raise it with --minutes or --steps, the time used so far included")
    scenario = load_scenario(recipe.scenario, drop_invalid_routes=bool(run.get("drop_invalid_routes")))
    run["recipe"] = recipe.model_dump(mode="json")
    return Training(recipe, scenario, resume, run, resumed=True)


def _refuse_other_recipe(folder: Path, recipe: Recipe, asked: Recipe) -> None:
    free = {"minutes", "steps", "threads", "checkpoint_s"}
    mine, other = recipe.model_dump(exclude=free), _with_full_path(asked).model_dump(exclude=free)
    for key, value in mine.items():
        if other[key] != value:
            problem = f"was begun with {key} {shown(value)}, now asked for {shown(other[key])}"
            raise InputError(folder, "recipe", problem, "go on with the same, or begin another run")


def _new_run(recipe: Recipe, scenario: Scenario, drop_invalid_routes: bool) -> dict[str, Any]:
    """The content of `run.json` before the first step."""
    episodes = Episodes(scenario, protocol=recipe.protocol, horizon_s=recipe.horizon_s, reward=recipe.reward)
    shape = shape_of(episodes.layout)
    return {
        "format": FORMAT,
        "scenario": scenario.name,
        "protocol": episodes.protocol.name,
        "observation": OBSERVATION,
        "shape": {"movements": shape.movements, "phases": shape.phases, "choices": shape.choices},
        "features": list(feature_names(episodes.layout)),
        "queue_scale_veh": QUEUE_SCALE_VEH,
        "policy": {"kind": "mlp", "activation": "tanh", "hidden": list(recipe.hidden)},
        "recipe": _with_full_path(recipe).model_dump(mode="json"),
        "drop_invalid_routes": drop_invalid_routes,
        "began": datetime.now().astimezone().isoformat(timespec="seconds"),
        "versions": versions_of("intergreen", "numpy", "numba", "torch", "stable-baselines3", "gymnasium"),
    }


def _with_full_path(recipe: Recipe) -> Recipe:
    """The scenario by its full path where it is a file or folder, so that the run can be resumed from anywhere."""
    from intergreen.envs.scenario import scenario_names

    path = Path(recipe.scenario)
    if recipe.scenario in scenario_names() or not path.exists():
        return recipe
    return recipe.model_copy(update={"scenario": str(path.resolve())})


def _vector_env(training: Training, threads: int) -> TrafficVecEnv:
    from intergreen.envs.vector_env import TrafficVecEnv

    recipe = training.recipe
    return TrafficVecEnv(
        training.scenario,
        replicas=recipe.replicas or -(-SLOTS // len(training.scenario.network.signalled)),
        threads=threads,
        protocol=recipe.protocol,
        horizon_s=recipe.horizon_s,
        reward=recipe.reward,
    )


def _compile(env: TrafficVecEnv) -> None:
    """One decision that is forgotten, so that compiling is not counted as training."""
    import numpy as np

    env.seed(0)
    env.reset()
    env.step(np.zeros(env.num_envs, dtype=np.int32))


def _model(env: TrafficVecEnv, recipe: Recipe, budget: Budget) -> PPO:
    from stable_baselines3 import PPO
    from stable_baselines3.common.logger import Logger

    settings = recipe.ppo.model_dump(exclude={"learning_rate", "minibatches"})
    widths = list(recipe.hidden)
    model = PPO(
        "MlpPolicy",
        env,
        learning_rate=budget.learning_rate,
        policy_kwargs={"net_arch": {"pi": widths, "vf": widths}},
        batch_size=batch_size(env.num_envs * recipe.ppo.n_steps, minibatches=recipe.ppo.minibatches),
        seed=recipe.seed,
        device="cpu",
        **settings,
    )
    env.seed(_traffic_seed(recipe))
    model.set_logger(Logger(folder=None, output_formats=[]))
    return model


def batch_size(decisions: int, *, minibatches: int) -> int:
    """Decisions in one of at most `minibatches` equal parts, at least two in each.

    >>> batch_size(7680, minibatches=4), batch_size(7, minibatches=4), batch_size(6, minibatches=4)
    (1920, 7, 2)
    """
    parts = max(k for k in range(1, minibatches + 1) if decisions % k == 0 and decisions // k >= 2)
    return decisions // parts


def _traffic_seed(recipe: Recipe) -> int:
    return recipe.seed * _SEEDS_APART


def _require_learning_stack() -> None:
    missing = [name for name in ("torch", "stable_baselines3") if not _is_there(name)]
    if missing:
        problem = f"training needs {' and '.join(missing)}, not installed here"
        raise InputError("intergreen train", "", problem, 'pip install "intergreen[train]"')


def _is_there(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ValueError:  # what import machinery says of a module that was blocked by setting it to None
        return False
