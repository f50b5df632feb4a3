"""What a stored number depends on beside the scenario (`intergreen.envs.scenario_fingerprint`), in few characters each:
a policy's weights, SUMO and its files, the library's own sources.

Two runs with the same fingerprints, rules and seed give the same numbers, so the second need not be made.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING

from intergreen.agents.controllers.registry import bound_names, controller_names, oracle_names, policy_names, run_folder
from intergreen.agents.controllers.run_folder import BEST, POLICY, RUN
from intergreen.agents.deployment.bundle import SUMS
from intergreen.agents.deployment.shipped import bundle_names
from intergreen.agents.versions import versions_of
from intergreen.envs.scenario_fingerprint import DIGITS

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from intergreen.envs.scenario import Scenario

_PACKAGES = ("intergreen", "numpy", "numba")
_SUMO_PACKAGE = "libsumo"
_ENDINGS = (":best", ":last")
# What decides numbers; tables, pages and the command line do not.
_SOURCES = (
    ("intergreen.envs", ""),
    ("intergreen.agents", "controllers"),
    ("intergreen.agents", "deployment"),
    ("intergreen.agents", "evaluation/batch.py"),
    ("intergreen.agents", "evaluation/free_flow.py"),
    ("intergreen.agents", "evaluation/run.py"),
    ("intergreen.agents", "evaluation/metrics.py"),
    ("intergreen.agents", "evaluation/safety.py"),
)


def library_identity() -> dict[str, str]:
    """Versions that numbers depend on, and a fingerprint of the sources: between two releases, edits count as well."""
    versions = versions_of(*_PACKAGES)
    return {**{name: versions[name] for name in _PACKAGES}, "sources": source_fingerprint()}


@lru_cache(maxsize=1)
def source_fingerprint() -> str:
    """Of every source file that decides numbers."""
    digest = hashlib.sha256()
    for package, place in _SOURCES:
        root = files(package)
        for name, content in _python_files(root.joinpath(place) if place else root, place):
            digest.update(f"{package}/{name} {len(content)}\n".encode())
            digest.update(content)
    return digest.hexdigest()[:DIGITS]


def sumo_identity(scenario: Scenario) -> str:
    """Of what a number from SUMO depends on beside the scenario: its version, and the files that it reads itself."""
    digest = hashlib.sha256(versions_of(_SUMO_PACKAGE)[_SUMO_PACKAGE].encode())
    for path in (scenario.sumo_net, *scenario.sumo_additional):
        content = b"" if path is None else path.read_bytes()
        digest.update(f"\n{len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()[:DIGITS]


def policy_fingerprint(name: str) -> str:
    """Of the weights behind a controller's name; an empty text for a baseline, whose source is the library's."""
    if name in (*controller_names(), *bound_names(), *oracle_names()):  # also where a folder of that name is about
        return ""
    if name in bundle_names():
        with as_file(files("intergreen.checkpoints") / name) as folder:
            return _of_files(folder, (SUMS,))
    if (Path(name) / SUMS).is_file():
        return _of_files(Path(name), (SUMS,))
    run, ending = name, ""
    for one in _ENDINGS:
        if name.endswith(one):
            run, ending = name.removesuffix(one), one
    if Path(run).is_dir() or run in policy_names():
        with run_folder(run) as folder:
            return _of_files(folder, (RUN, BEST if ending == ":best" else POLICY))
    return ""


def _of_files(folder: Path, wanted: tuple[str, ...]) -> str:
    digest = hashlib.sha256()
    for one in wanted:
        digest.update((folder / one).read_bytes())
    return digest.hexdigest()[:DIGITS]


def _python_files(place: Traversable, name: str) -> list[tuple[str, bytes]]:
    if place.is_file():
        return [(name, place.read_bytes())]
    found = []
    for entry in sorted(place.iterdir(), key=lambda one: one.name):
        if entry.is_dir() or entry.name.endswith(".py"):
            found += _python_files(entry, f"{name}/{entry.name}")
    return found
