"""The main job in minutes: train a small policy on the embedded grid, export it, compare the bundle with the baselines.

The comparison runs on seeds that the training cannot have drawn.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from intergreen.agents.evaluation.compare import comparison_cells, run_cells
from intergreen.agents.evaluation.exporting import export_run
from intergreen.agents.learning.prepare import Training, prepare
from intergreen.agents.learning.train import train
from intergreen.agents.progress import Progress

RECIPE = "quick"
BASELINES = ("fixed-time", "fixed-cycle", "max-pressure", "advanced-max-pressure")
SEEDS = range(5)
_TRAINED, _EXPORTED = 0.7, 0.85  # shares of the demo's time, for the bar
POLICY = "policy"  # the bundle's folder has it before the run's time


def prepare_demo(folder: Path, *, minutes: float, seed: int | None) -> Training:
    """The demo's training, checked and ready to begin; every demo has a run of its own below `folder`."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    return prepare(RECIPE, out=folder / f"{RECIPE}-{stamp}", minutes=minutes, seed=seed)


def run_demo(training: Training, *, threads: int = 1, progress: Progress | None = None) -> list[dict[str, Any]]:
    """Train, export, then evaluate the baselines and the bundle; one `evaluate` object each."""
    run = train(training, progress=_stretch(progress, 0.0, _TRAINED))
    exporting = _stretch(progress, _TRAINED, _EXPORTED)
    bundle = export_run(run, bundle_of(run), scenarios=(), threads=threads, progress=exporting)
    assert training.recipe.scenario is not None
    names = [*BASELINES, str(bundle)]
    cells = comparison_cells([training.recipe.scenario], names, protocol_name=training.run["protocol"])
    return run_cells(cells, seeds=SEEDS, threads=threads, progress=_stretch(progress, _EXPORTED, 1.0))


def bundle_of(run: Path) -> Path:
    """Where the demo's bundle of a run lies: beside it."""
    return run.with_name(run.name.replace(RECIPE, POLICY, 1))


def _stretch(progress: Progress | None, begin: float, end: float) -> Progress | None:
    """The callback for the part of the work between two shares of the whole."""
    if progress is None:
        return None
    return lambda share, words: progress(begin + (end - begin) * share, words)
