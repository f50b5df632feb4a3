"""Whoever decides, by name: the controllers of `agents/controllers`, a shipped bundle, or the folder of a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from intergreen.agents.controllers.registry import (
    as_typed,
    bound_names,
    controller_by_name,
    controller_names,
    oracle_names,
    policy_names,
)
from intergreen.agents.controllers.run_folder import RUN
from intergreen.agents.deployment.bundle import MODEL, SUMS, is_bundle
from intergreen.agents.deployment.controller import BundleController
from intergreen.agents.deployment.shipped import bundle_by_name, bundle_names
from intergreen.envs.errors import InputError, meant, shown

if TYPE_CHECKING:
    from intergreen.agents.controllers.base import Controller


def is_named_bundle(name: str) -> bool:
    """Is it the name of a shipped bundle, or a folder that claims to hold one, whole or not?"""
    folder = Path(name)
    return name in bundle_names() or (folder / SUMS).is_file() or (folder / MODEL).is_file()


def decider_by_name(name: str | Path) -> Controller:
    """A fresh controller: whatever `controller_by_name` knows, a shipped bundle, or the folder of a bundle.

    What is there by name is meant by it; a folder here that is called the same is `./NAME`.

    Raises
    ------
    InputError
        If there is none of that name, or its files are wrong.
    """
    name = as_typed(name)
    others = (*controller_names(), *oracle_names(), *bound_names(), *policy_names())
    if name in others:
        return controller_by_name(name)
    if name in bundle_names() or is_bundle(Path(name)) or (Path(name) / SUMS).is_file():
        return BundleController(bundle_by_name(name))
    if Path(name).is_dir() and not (Path(name) / RUN).is_file():
        problem = f"holds neither {RUN} nor {SUMS}"
        raise InputError(name, "", problem, "name the folder of a training run or of a bundle")
    try:
        return controller_by_name(name)
    except InputError as error:
        if "no controller or folder" not in error.problem:
            raise
    names = (*others, *bundle_names())
    known = f"use one of {', '.join(names)}, the folder of a bundle or of a training run, or package.module:name"
    mend = meant(name, names).rstrip() or known
    raise InputError("controller", "", f"no controller or folder is called {shown(name)}", mend)
