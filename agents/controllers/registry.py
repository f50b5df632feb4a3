"""Controllers by name: a baseline, a shipped policy, a training run's folder, with `:best` for its best policy, or a
class of one's own as `package.module:name`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path

from intergreen.agents.controllers.actuated import Actuated
from intergreen.agents.controllers.advanced_max_pressure import AdvancedMaxPressure
from intergreen.agents.controllers.base import Controller
from intergreen.agents.controllers.efficient_max_pressure import EfficientMaxPressure
from intergreen.agents.controllers.fixed_cycle import FixedCycle
from intergreen.agents.controllers.fixed_time import FixedTime
from intergreen.agents.controllers.free_flow import FreeFlow
from intergreen.agents.controllers.greedy_queue import GreedyQueue
from intergreen.agents.controllers.max_pressure import MaxPressure
from intergreen.agents.controllers.own import names_own, own_controller, refuse_file
from intergreen.agents.controllers.random_phases import RandomPhases
from intergreen.agents.controllers.rollout import Rollout
from intergreen.agents.controllers.run_folder import RUN, say_if_hidden
from intergreen.agents.controllers.sotl import Sotl
from intergreen.agents.controllers.webster import Coordinated, Webster
from intergreen.envs.errors import InputError, meant, shown

_WEIGHTED = f"{AdvancedMaxPressure.name}:"  # the weight of arriving vehicles behind it
_BEST, _LAST = ":best", ":last"  # behind a run's folder
_CHECKPOINTS, _SUMS = "intergreen.checkpoints", "SHA256SUMS"  # where what is shipped lies, and what only bundles have
_BASELINES: dict[str, Callable[[], Controller]] = {
    RandomPhases.name: RandomPhases,
    FixedTime.name: FixedTime,
    FixedCycle.name: FixedCycle,
    Webster.name: Webster,
    Coordinated.name: Coordinated,
    Actuated.name: Actuated,
    Sotl.name: Sotl,
    GreedyQueue.name: GreedyQueue,
    MaxPressure.name: MaxPressure,
    EfficientMaxPressure.name: EfficientMaxPressure,
    AdvancedMaxPressure.name: AdvancedMaxPressure,
}
_BOUNDS: dict[str, Callable[[], Controller]] = {FreeFlow.name: FreeFlow}
_ORACLES: dict[str, Callable[[], Controller]] = {Rollout.name: Rollout}


def bound_names() -> tuple[str, ...]:
    """Names of what stands in a table beside the controllers without being one."""
    return tuple(_BOUNDS)


def oracle_names() -> tuple[str, ...]:
    """Names of controllers that know what no controller on a street can know."""
    return tuple(_ORACLES)


def controller_names() -> tuple[str, ...]:
    """Names of the baselines."""
    return tuple(_BASELINES)


def policy_names() -> tuple[str, ...]:
    """Names of the shipped policies: the run folders in `checkpoints/`."""
    shipped = files(_CHECKPOINTS).iterdir()
    return tuple(sorted(entry.name for entry in shipped if entry.is_dir() and (entry / RUN).is_file()))


@contextmanager
def run_folder(run: str) -> Iterator[Path]:
    """The folder of a shipped policy, or else the one whose path this is.

    Raises
    ------
    InputError
        If that is an exported bundle, shipped or not.
    """
    if run in policy_names():
        say_if_hidden(run)
        with as_file(files(_CHECKPOINTS) / run) as folder:
            yield folder
        return
    folder = Path(run)
    shipped = files(_CHECKPOINTS) / run / _SUMS
    if (folder.name == run and shipped.is_file()) or ((folder / _SUMS).is_file() and not (folder / RUN).exists()):
        problem = "is an exported bundle, which holds a policy and not how it was trained"
        mend = f"name a run, as universal-even, which `universal` is made of; {', '.join(policy_names())} are shipped"
        raise InputError(run, "", problem, mend)
    yield folder


def as_typed(name: str | Path) -> str:
    """A name as on the command line, where a folder is never taken for what is shipped if it is written as a path."""
    if not isinstance(name, str | Path):
        raise TypeError(f"need the name of a controller, or the path of a folder, got {name!r}")
    if isinstance(name, Path):
        return str(name) if name.is_absolute() else f"./{name}"
    return name


def controller_by_name(name: str | Path) -> Controller:
    """A fresh controller: a baseline or a shipped policy by its name, the learned policy of a run folder, or your own.

    `advanced-max-pressure:2` counts arriving vehicles twice, as the literature does at 5 s on some networks.
    `RUN` and `RUN:last` are the policy that a run ended with, `RUN:best` the one that did best in its evaluations.
    `package.module:name` imports that module and calls its class or function `name`, without arguments.
    The name of what is shipped means just that; a folder here that is called the same is `./NAME`.

    Raises
    ------
    InputError
        If `name` is none of these.
    """
    name = as_typed(name)
    for kind in (_BASELINES, _ORACLES, _BOUNDS):
        if name in kind:
            return kind[name]()
    if name.startswith(_WEIGHTED):
        return _weighted(name)
    for ending in ("", _LAST, _BEST):
        run = name.removesuffix(ending)
        if name.endswith(ending) and (Path(run).is_dir() or run in policy_names()):
            return _of_run(run, best=ending == _BEST)
    run, colon, which = name.rpartition(":")
    if colon and (run in policy_names() or (Path(run) / RUN).is_file()):
        problem = f"a run has no policy {shown(which)}"
        raise InputError(
            "controller", "", problem, f"write {run}, or {run}{_BEST} for the one that was best in training"
        )
    refuse_file(name)
    if is_own(name):
        return own_controller(name)
    if os.sep in name and not Path(name).exists():
        raise InputError(name, "", "no such folder", "name the folder of a training run or of a bundle")
    names = (*_BASELINES, *_ORACLES, *_BOUNDS, *policy_names())
    known = f"use one of {', '.join(names)}, the folder of a training run, or package.module:name"
    mend = meant(name, names).rstrip() or known
    bundles = "bundles are read by agents.deployment.names.decider_by_name"
    raise InputError("controller", "", f"no controller or folder is called {shown(name)}", f"{mend}; {bundles}")


def is_own(name: str) -> bool:
    """Does `controller_by_name` import it from a module of the user's? What ends like a run's policy is none."""
    return names_own(name) and not name.endswith((_BEST, _LAST))


def _of_run(run: str, *, best: bool) -> Controller:
    from intergreen.agents.controllers.learned import load_policy_controller  # it needs the compiler

    with run_folder(run) as folder:
        return load_policy_controller(folder, best=best)


def _weighted(name: str) -> Controller:
    try:
        return AdvancedMaxPressure(demand_weight=float(name.removeprefix(_WEIGHTED)))
    except ValueError:
        mend = f"write a number >= 0, as in {_WEIGHTED}2"
        raise InputError("controller", "", f"no weight stands in {shown(name)}", mend) from None
