"""`intergreen export`: a training run becomes a bundle, with the results that its card tells measured on the bundle."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from intergreen.agents.controllers.run_folder import RUN, read_run
from intergreen.agents.deployment.bundle import CARD, MOST_BYTES, SUMS, read_bundle, sums_of
from intergreen.agents.deployment.card import Result, card_text, is_unfinished
from intergreen.agents.deployment.controller import BundleController
from intergreen.agents.deployment.draft import draft_bundle, own_scenario
from intergreen.agents.deployment.names import decider_by_name
from intergreen.agents.evaluation.run import evaluate
from intergreen.agents.learning.prepare import require_learning_stack
from intergreen.agents.learning.recipe import make_recipe
from intergreen.agents.progress import part_of
from intergreen.envs.errors import InputError
from intergreen.envs.files import naming
from intergreen.envs.network.fingerprint import fingerprint_of
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import load_scenario

if TYPE_CHECKING:
    from collections.abc import Sequence

    from intergreen.agents.deployment.draft import Draft
    from intergreen.agents.learning.recipe import Recipe
    from intergreen.agents.progress import Progress
    from intergreen.envs.scenario import Scenario

_LOG = logging.getLogger(__name__)
METRIC = "average_travel_time_s"
COMPARED = ("fixed-time", "max-pressure", "advanced-max-pressure")
SEEDS = range(5)


def export_run(
    run: Path,
    folder: Path,
    *,
    best: bool = False,
    scenarios: Sequence[str] | None = None,
    protocol: str | None = None,
    seeds: Sequence[int] = SEEDS,
    threads: int = 1,
    progress: Progress | None = None,
) -> Path:
    """Write the bundle of the training run in `run` to `folder`, which must not be there yet or hold a bundle.

    Parameters
    ----------
    best : the policy that was best in the run's evaluations instead of its last
    scenarios : measured for the card; None: what the run was judged on; none at all: nothing is measured
    protocol : of these measurements; None: what the run was judged under, its own or each scenario's

    Raises
    ------
    InputError
        If the run is broken, the export chooses otherwise than the network, a plan is not safe, `folder` is in use,
        or what is to be measured is not there, or is no network for this policy.
    """
    refuse_in_use(folder)
    require_learning_stack("export")
    if is_unfinished(stated := read_run(run)):
        words = "%s: unfinished: its last policy has learned for %s steps; intergreen train --resume goes on"
        _LOG.warning(words, run, f"{stated['outcome']['steps']:,}")
    loaded = _to_measure(run, scenarios)
    protocol = _recipe(run).protocol if protocol is None else protocol_by_name(protocol).name
    draft = draft_bundle(run, best=best, threads=threads, progress=part_of(progress, 0, 2, ""))
    partial = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        _write(partial, draft, card_text(folder.name, draft, []))
        results = _measured(partial, loaded, protocol, seeds, threads, part_of(progress, 1, 2, ""))
        _write(partial, draft, card_text(folder.name, draft, results))
        read_bundle(partial)
        _replace(folder, partial)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return folder


def refuse_in_use(folder: Path) -> None:
    """InputError where `folder` holds anything but a bundle: it is replaced as a whole."""
    if not folder.name or folder.name == "..":
        raise InputError("command line", "--to", f"{str(folder)!r} has no name for the policy", "name a new folder")
    if folder.is_symlink() or (folder.exists() and not (folder.is_dir() and _holds_a_bundle_or_nothing(folder))):
        problem = f"{str(folder)!r} is in use, and is no bundle"
        raise InputError("command line", "--to", problem, "name a new folder")


def _holds_a_bundle_or_nothing(folder: Path) -> bool:
    names = {entry.name for entry in folder.iterdir()}
    return not names or (SUMS in names and names <= {SUMS, *MOST_BYTES})


def _recipe(run: Path) -> Recipe:
    return make_recipe(run / RUN, read_run(run)["recipe"])


def _to_measure(run: Path, names: Sequence[str] | None) -> list[Scenario]:
    """The scenarios of these names, all of which the policy can run on; None: those that the run was judged on."""
    recipe = _recipe(run)
    own = None if recipe.scenario is None else fingerprint_of(own_scenario(run, recipe.scenario, read_run(run)).network)
    loaded = [load_scenario(name, drop_invalid_routes=True) for name in (recipe.judged if names is None else names)]
    if own is None:
        return loaded
    fitting = [scenario for scenario in loaded if fingerprint_of(scenario.network) == own]
    if names is not None and len(fitting) < len(loaded):
        other = next(scenario.name for scenario in loaded if scenario not in fitting)
        problem = f"{other!r} has another network than {recipe.scenario!r}, which the policy was trained on"
        mend = "leave it out; what is trained on one network is exported for that one (recipe universal: for any)"
        raise InputError("command line", "--scenarios", problem, mend)
    return fitting


def _write(folder: Path, draft: Draft, card: str) -> None:
    contents = dict(draft.contents) | {CARD: card.encode()}
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in (contents | {SUMS: sums_of(contents)}).items():
        with naming(folder / name):
            (folder / name).write_bytes(data)


def _replace(folder: Path, partial: Path) -> None:
    """The new bundle in place of an old one; the folder is never half of each."""
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    if folder.exists():
        folder.rename(old)
    partial.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _measured(
    bundle: Path,
    scenarios: Sequence[Scenario],
    protocol: str | None,
    seeds: Sequence[int],
    threads: int,
    progress: Progress | None,
) -> list[Result]:
    results = []
    for number, scenario in enumerate(scenarios):
        timing = protocol_by_name(protocol or scenario.default_protocol)
        drawn = seeds[:1] if scenario.fixed_demand else seeds
        means = {}
        for k, name in enumerate((*COMPARED, "policy")):
            if progress is not None:
                progress((number + k / (len(COMPARED) + 1)) / len(scenarios), f"{scenario.name} {name}")
            controller = BundleController(read_bundle(bundle)) if name == "policy" else decider_by_name(name)
            found = evaluate(scenario, controller, timing, seeds=drawn, threads=threads)["metrics"][METRIC]
            means[name] = float(found["mean"])
        low, high = found["ci95"]
        results.append(Result(scenario.name, timing.name, len(drawn), means, (low, high)))
    return results
