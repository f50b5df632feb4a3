"""Shipped bundles by name, other ones by folder. Knows no controller, so that a runtime can read them too."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

from intergreen.agents.deployment.bundle import SUMS, read_bundle

if TYPE_CHECKING:
    from intergreen.agents.deployment.bundle import Bundle

_CHECKPOINTS = "intergreen.checkpoints"


def bundle_names() -> tuple[str, ...]:
    """Names of the shipped bundles."""
    shipped = files(_CHECKPOINTS).iterdir()
    return tuple(sorted(entry.name for entry in shipped if entry.is_dir() and (entry / SUMS).is_file()))


def bundle_by_name(name: str | Path) -> Bundle:
    """The shipped bundle of that name, or the bundle in that folder."""
    if not isinstance(name, Path) and name in bundle_names():
        with as_file(files(_CHECKPOINTS) / name) as folder:
            return read_bundle(folder)
    return read_bundle(name)
