"""What is asked for, made ready: a new training run, or one to go on with, read and checked before anything begins."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from intergreen.agents.controllers.registry import policy_names
from intergreen.agents.controllers.run_folder import (
    FORMAT,
    RECIPE,
    RUN,
    features_in,
    new_run_folder,
    observation_stated,
    read_run,
    refuse_used,
)
from intergreen.agents.learning.origin import source_commit
from intergreen.agents.learning.recipe import Recipe, changed, make_recipe, read_recipe
from intergreen.agents.learning.start import fitted, read_start
from intergreen.agents.learning.trained import TrainedPolicy
from intergreen.agents.learning.trials import FIRST_SEED
from intergreen.agents.versions import versions_of
from intergreen.envs.errors import InputError, shown
from intergreen.envs.fault_file import fault_names
from intergreen.envs.layout import make_layout
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import Scenario, load_scenario, scenario_names
from intergreen.envs.scenario_fingerprint import scenario_fingerprint
from intergreen.envs.sumo_net_file import require_sumo
from intergreen.envs.verification import refuse_unsafe

_LOG = logging.getLogger(__name__)
_FREE_ON_RESUME = {"minutes", "steps", "threads", "checkpoint_s"}
_OF_START = {"features", "width"}  # what a recipe has from the run that it starts from
_PACKAGES = ("intergreen", "numpy", "numba", "torch", "stable-baselines3", "sb3-contrib", "gymnasium")


@dataclass(frozen=True, slots=True)
class Training:
    """A run that is ready to begin, or to go on: everything has been read and checked."""

    recipe: Recipe
    scenario: Scenario | None  # None: generated networks
    judged: tuple[Scenario, ...]  # what the policy is evaluated on
    folder: Path
    run: dict[str, Any]  # the content of run.json
    resumed: bool
    start: TrainedPolicy | None = None  # the policy that it begins with

    def summary(self) -> str:
        """What will be done, in a few lines: settings, versions, where it goes."""
        settings = self.recipe.settings()
        parts = [settings, *(settings.pop(name) for name in ("evaluation", "ppo", "dqn") if name in settings)]
        trained_on = "generated networks" if self.scenario is None else self.scenario.name
        lines = [
            f"{'resuming' if self.resumed else 'training'} on {trained_on}, {self.run['protocol'] or 'own protocols'}",
            *(", ".join(f"{key} {_words(value)}" for key, value in part.items() if value != []) for part in parts),
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
    changes : values that replace the recipe's (`minutes`, `seed`, `protocol`, `start`); None leaves one as it is.
        `minutes` or `steps` replace the whole budget, both of them. A run that goes on takes these, the totals with
        what it has used already, and no others.

    Raises
    ------
    InputError
        If anything that was read or asked for is wrong, or the learning stack is not installed.
    """
    require_learning_stack("train")
    if resume is not None:
        return _prepare_resumed(config, resume, out, changes, drop_invalid_routes=drop_invalid_routes)
    if config is None:
        raise InputError("command line", "CONFIG", "is missing", "name a recipe, a scenario, or --resume RUN")
    recipe = read_recipe(config, **changes)
    _say_if_unused(config, recipe)
    folder = out or new_run_folder(Path(recipe.scenario or config).stem)
    return new_training(recipe, folder, drop_invalid_routes=drop_invalid_routes)


def _say_if_unused(config: str, recipe: Recipe) -> None:
    """Tell of settings for a learner that the recipe does not train with; it may have them for another day."""
    name = "ppo" if recipe.algorithm == "dqn" else "dqn"
    section = getattr(recipe, name)
    if section != type(section)():
        _LOG.warning("%s: %s: not read: the recipe trains with %s", config, name, recipe.algorithm)


def new_training(recipe: Recipe, folder: Path, *, drop_invalid_routes: bool = False) -> Training:
    """A run of the recipe that has not begun, in a folder that holds none.

    Raises
    ------
    InputError
        If the folder is in use, or a scenario is wrong.
    """
    refuse_used(folder)
    if _needs_sumo(recipe):
        require_sumo("worlds.from_sumo")
    start = read_start(recipe)
    recipe = fitted(_with_full_paths(recipe), start)
    scenario, judged = _scenarios(recipe, drop_invalid_routes)
    run = _new_run(recipe, scenario, judged, drop_invalid_routes)
    if start is not None:
        run["start"] = start.stated()
    return Training(recipe, scenario, judged, folder, run, resumed=False, start=start)


def _needs_sumo(recipe: Recipe) -> bool:
    """Whether its networks are of SUMO's making."""
    return recipe.worlds is not None and recipe.worlds.from_sumo > 0.0


def _prepare_resumed(
    config: str | None, resume: Path, out: Path | None, changes: dict[str, Any], *, drop_invalid_routes: bool
) -> Training:
    """The run in `resume`; what it was begun with cannot be changed, only for how long it goes on."""
    if out is not None:
        raise InputError(
            "command line", "--out", "does not go with --resume", "leave it out: a run stays in its folder"
        )
    run = read_run(resume)
    features_in(run, resume)
    if "made_by" in run:
        problem = f"was made by {shown(run['made_by'])}, and there is no training to go on with"
        raise InputError(resume, "", problem, f"begin another run with --start {resume}")
    stored = run.get("recipe")
    if not isinstance(stored, dict):
        raise InputError(resume / RUN, "recipe", f"is {shown(stored)}", "name the folder that `intergreen train` wrote")
    if drop_invalid_routes and not run.get("drop_invalid_routes"):
        problem = "was begun without --drop-invalid-routes"
        raise InputError(resume, "recipe", problem, "go on with the same, or begin another run")
    given = {key: value for key, value in changes.items() if value is not None}
    longer: dict[str, Any] = {key: given[key] for key in ("minutes", "steps") if key in given}
    recipe = make_recipe(resume / RUN, changed(stored, longer))
    _refuse_edited(resume, recipe)
    asked = make_recipe("command line", changed(stored, given)) if config is None else read_recipe(config, **given)
    _refuse_other_recipe(resume, recipe, asked)
    _tell_what_stays(config, recipe, asked)
    outcome = _outcome_of(run, resume)
    for key, value in longer.items():
        used = outcome.get(key)
        if isinstance(used, int | float) and value < used:
            problem = f"has used {used:g} {key} already, more than {value:g}"
            raise InputError(resume, f"--{key}", problem, "give the total, with what has been used")
    if outcome.get("finished") and not longer:
        problem = "has used up its budget"
        raise InputError(resume, "", problem, "raise it with --minutes or --steps, the time used so far included")
    scenario, judged = _scenarios(recipe, bool(run.get("drop_invalid_routes")))
    _refuse_other_scenarios(resume, run, _what_is_simulated(recipe, scenario, judged))
    run["recipe"] = recipe.model_dump(mode="json")
    return Training(recipe, scenario, judged, resume, run, resumed=True)


def _outcome_of(run: Mapping[str, Any], folder: Path) -> Mapping[str, Any]:
    """How far the run has come; empty before its first checkpoint."""
    outcome = run.get("outcome", {})
    sections = (
        (outcome, outcome.get("last", {}), outcome.get("best") or {}) if isinstance(outcome, dict) else (outcome,)
    )
    if not all(isinstance(section, dict) for section in sections):
        raise InputError(
            folder / RUN, "outcome", f"is {shown(outcome)}", "name the folder that `intergreen train` wrote"
        )
    return outcome


def _refuse_edited(folder: Path, recipe: Recipe) -> None:
    """The copy of the recipe in a run's folder is for people to read: whoever has changed it expects that to count."""
    copy = folder / RECIPE
    if not copy.is_file():
        return
    mine, there = (one.model_dump(exclude=_FREE_ON_RESUME) for one in (recipe, read_recipe(str(copy))))
    for key, value in mine.items():
        if there[key] != value:
            problem = f"is {shown(there[key])}, and the run was begun with {shown(value)}"
            raise InputError(copy, key, problem, "put it back, or begin another run with that file as its recipe")


def _refuse_other_recipe(folder: Path, recipe: Recipe, asked: Recipe) -> None:
    free = _FREE_ON_RESUME if recipe.start is None else _FREE_ON_RESUME | _OF_START
    mine = recipe.model_dump(exclude=free)
    other = _with_full_paths(asked).model_dump(exclude=free)
    for key, value in mine.items():
        if other[key] != value:
            problem = f"was begun with {key} {shown(value)}, now asked for {shown(other[key])}"
            raise InputError(folder, "recipe", problem, "go on with the same, or begin another run")


def _tell_what_stays(config: str | None, recipe: Recipe, asked: Recipe) -> None:
    """Say which numbers of the file that was named do not count: the budget is the run's, whatever it began with."""
    mine, other = recipe.model_dump(include=_FREE_ON_RESUME), asked.model_dump(include=_FREE_ON_RESUME)
    stays = [f"{key} {shown(mine[key])}, not {shown(other[key])}" for key in sorted(mine) if mine[key] != other[key]]
    if config is not None and stays:
        words = "the run goes on with its own %s of %s; --steps and --minutes raise its budget"
        _LOG.warning(words, ", ".join(stays), config)


def _scenarios(recipe: Recipe, drop_invalid_routes: bool) -> tuple[Scenario | None, tuple[Scenario, ...]]:
    """The scenario that is trained on, and those that the policy is judged on; all fit to be controlled."""
    names = {name for name in (recipe.scenario, *recipe.judged) if name is not None}
    loaded = {name: load_scenario(name, drop_invalid_routes=drop_invalid_routes) for name in names}
    for scenario in loaded.values():
        protocol = protocol_by_name(recipe.protocol or scenario.default_protocol)
        plan = protocol.plan(scenario.network)
        refuse_unsafe(scenario.network, plan)
        make_layout(scenario.network, plan, features=recipe.features)
    own = None if recipe.scenario is None else loaded[recipe.scenario]
    judged = {path: loaded[path] for path in recipe.judged}
    for path, scenario in judged.items():
        other = next((there for there, one in judged.items() if one.name == scenario.name and there != path), None)
        if other is not None:
            problem = f"{path} and {other} are both called {shown(scenario.name)}"
            raise InputError("recipe", "evaluation.scenarios", problem, "rename one")
    return own, tuple(judged.values())


def _what_is_simulated(recipe: Recipe, scenario: Scenario | None, judged: Sequence[Scenario]) -> dict[str, Any]:
    """What `run.json` says of the scenarios: those of a run that goes on must be the same."""
    return {
        "scenario": None if scenario is None else scenario.name,
        "fingerprint": None if scenario is None else scenario_fingerprint(scenario),
        "protocol": recipe.protocol or (None if scenario is None else scenario.default_protocol),
        "evaluation": {
            "scenarios": [one.name for one in judged],
            "fingerprints": [scenario_fingerprint(one) for one in judged],
            "seeds": list(range(FIRST_SEED, FIRST_SEED + recipe.evaluation.seeds)),
            "protocols": [recipe.protocol or one.default_protocol for one in judged],
        },
    }


def _refuse_other_scenarios(folder: Path, run: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """A file may have changed since: stored traffic would go on among other trips, and figures would not compare."""
    before = run.get("evaluation")
    before = before if isinstance(before, dict) else {}
    what = {"protocol": "timing", "fingerprint": "network or demand"}
    own = [(now["scenario"], words, run.get(key), now[key]) for key, words in what.items()]
    judged = [
        (", ".join(now["evaluation"]["scenarios"]), words, before.get(f"{key}s"), now["evaluation"][f"{key}s"])
        for key, words in what.items()
    ]
    for name, words, then, today in own + judged:
        if then != today:
            problem = f"{name} had another {words} when the run began"
            raise InputError(folder, "scenario", problem, "restore what it was, or begin another run")


def _new_run(
    recipe: Recipe, scenario: Scenario | None, judged: Sequence[Scenario], drop_invalid_routes: bool
) -> dict[str, Any]:
    """The content of `run.json` before the first step."""
    return {
        "format": FORMAT,
        **_what_is_simulated(recipe, scenario, judged),
        "observation": observation_stated(recipe.features),
        "seed": recipe.seed,
        "recipe": recipe.model_dump(mode="json"),
        "drop_invalid_routes": drop_invalid_routes,
        "began": datetime.now().astimezone().isoformat(timespec="seconds"),
        "git_commit": source_commit(),
        "versions": versions_of(*_PACKAGES, *(("eclipse-sumo",) if _needs_sumo(recipe) else ())),
    }


def _with_full_paths(recipe: Recipe) -> Recipe:
    """Scenarios and runs by their full path where they are files or folders, to be resumed from anywhere."""
    scenario = None if recipe.scenario is None else _full_path(recipe.scenario)
    judged = tuple(_full_path(name) for name in recipe.evaluation.scenarios)
    evaluation = recipe.evaluation.model_copy(update={"scenarios": judged})
    faults = recipe.faults
    if faults is not None and faults not in fault_names():
        faults = str(Path(faults).resolve())
    start = recipe.start
    if start is not None and start not in policy_names() and Path(start).exists():
        start = str(Path(start).resolve())
    changes = {"scenario": scenario, "evaluation": evaluation, "faults": faults, "start": start}
    return recipe.model_copy(update=changes)


def _full_path(name: str) -> str:
    path = Path(name)
    return name if name in scenario_names() or not path.exists() else str(path.resolve())


def _words(value: object) -> str:
    return " ".join(str(part) for part in value) if isinstance(value, list) else str(value)


def require_learning_stack(command: str) -> None:
    """Refuse a command that needs the learning stack where it is not installed."""
    missing = [name for name in ("torch", "stable_baselines3", "sb3_contrib", "tensorboard") if not _is_there(name)]
    if missing:
        problem = f"needs {' and '.join(missing)}, not installed here"
        raise InputError(f"intergreen {command}", "", problem, 'pip install "intergreen[train]"')


def _is_there(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ValueError:  # what import machinery says of a module that was blocked by setting it to None
        return False
