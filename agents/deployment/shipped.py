"""Shipped bundles by name, other ones by folder. Knows no controller, so that a runtime can read them too.

What is shipped goes by its name wherever it is asked for; a folder here that is called the same is `./NAME`.
"""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

from intergreen.agents.controllers.run_folder import say_if_hidden
from intergreen.agents.deployment.bundle import SUMS, read_bundle
from intergreen.envs.errors import InputError

if TYPE_CHECKING:
    from intergreen.agents.deployment.bundle import Bundle

_CHECKPOINTS = "intergreen.checkpoints"


def bundle_names() -> tuple[str, ...]:
    """Names of the shipped bundles."""
    shipped = files(_CHECKPOINTS).iterdir()
    return tuple(sorted(entry.name for entry in shipped if entry.is_dir() and (entry / SUMS).is_file()))


def bundle_by_name(name: str | Path) -> Bundle:
    """The shipped bundle of that name, or the bundle in that folder; a `Path` is always a folder.

    Raises
    ------
    InputError
        If there is neither, or a file of the bundle is wrong.
    """
    if not isinstance(name, Path) and name in bundle_names():
        say_if_hidden(name)
        with as_file(files(_CHECKPOINTS) / name) as folder:
            return read_bundle(folder)
    if not Path(name).is_dir():
        mend = f"name the folder of a bundle (intergreen export makes one), or one of {', '.join(bundle_names())}"
        raise InputError(name, "", "no such folder", mend)
    return read_bundle(name)
