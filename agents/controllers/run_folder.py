"""The files of a training run. Each is written under a temporary name and renamed; none is read by unpickling.

run.json       what the run is: recipe, what its policy sees, versions, seed, how far it has come, how it does
recipe.yaml    the recipe as it was resolved: `intergreen train RUN/recipe.yaml` repeats the run
policy.npz     the last policy's weights: all that a controller needs beside run.json
best.npz       those of the policy that did best in the evaluations so far
checkpoint.pt  weights, optimiser, counters, random states and traffic, to go on from
progress.csv   one row per update
tensorboard/   the same for TensorBoard

`intergreen distil` and `intergreen refine` write run.json, policy.npz and progress.csv, and as recipe.yaml what was
learned on.
"""

from __future__ import annotations

import csv
import io
import json
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from intergreen.envs.errors import InputError, shown
from intergreen.envs.files import write_json, write_text
from intergreen.envs.observation import CHOICE_COLUMNS, MOVEMENT_COLUMNS, SIGNAL_COLUMNS, check_features

_LOG = logging.getLogger(__name__)
FORMAT = 2
RUN, RECIPE, POLICY, BEST = "run.json", "recipe.yaml", "policy.npz", "best.npz"
# As `made_by`, where `intergreen train` states nothing: a model that was trained in Python; one that other runs taught;
# one that a run has become by looking ahead.
SAVED, DISTILLED, REFINED = "save_as_run", "intergreen distil", "intergreen refine"
CHECKPOINT, LOG, TENSORBOARD = "checkpoint.pt", "progress.csv", "tensorboard"
_MEND = "name the folder that `intergreen train` wrote"


def observation_columns(features: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names of the values that a policy with these features sees of a movement, and of a signal as a whole."""
    movement = [column for name, columns in MOVEMENT_COLUMNS.items() if name in features for column in columns]
    signal = [column for name, columns in SIGNAL_COLUMNS.items() if name in features for column in columns]
    return ["exists", *movement], signal


def observation_stated(features: Sequence[str]) -> dict[str, list[str]]:
    """What `run.json` says of the observation."""
    movement, signal = observation_columns(features)
    return {"features": list(features), "movement": movement, "choice": list(CHOICE_COLUMNS), "signal": signal}


@cache
def say_if_hidden(name: str) -> None:
    """Tell, once, that a shipped name was taken for what is shipped although a folder here is called so too."""
    if Path(name).is_dir():
        _LOG.warning("%s: taken for the shipped policy; the folder of that name is ./%s", name, name)


def new_run_folder(name: str) -> Path:
    """A path below `runs/` that nobody uses: the name and the time to the second."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    return Path("runs") / f"{name.replace('/', '-')}-{stamp}"


def refuse_used(folder: Path) -> None:
    """A run is never overwritten: InputError where `folder` holds one, or is a file."""
    if folder.exists() and not folder.is_dir():
        raise InputError(folder, "", "is a file", "name a folder for the run")
    if (folder / RUN).exists():
        mend = "name another folder, or go on with `intergreen train --resume`"
        raise InputError(folder, "", "holds a run", mend)


def read_run(folder: Path) -> dict[str, Any]:
    """The content of `run.json`, checked as far as loading needs it.

    Raises
    ------
    InputError
        If the file is missing, broken, or of a format this version does not know.
    """
    path = folder / RUN
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if not folder.is_dir():
            raise InputError(folder, "", "no such folder", _MEND) from None
        raise InputError(folder, RUN, "not in this folder", _MEND) from None
    except (ValueError, RecursionError) as error:
        raise InputError(path, "", f"not valid JSON: {shown(str(error))}", _MEND) from None
    if not isinstance(run, dict) or run.get("format") != FORMAT:
        found = run.get("format") if isinstance(run, dict) else run
        raise InputError(path, "format", f"is {shown(found)}", f"this version reads format {FORMAT}")
    return run


def features_in(run: Mapping[str, Any], folder: Path) -> tuple[str, ...]:
    """The features that the policy of the run sees.

    Raises
    ------
    InputError
        If this version does not know them, or makes other values of them.
    """
    stated = run.get("observation")
    if not isinstance(stated, dict) or not _is_list_of_names(stated.get("features")):
        raise InputError(folder / RUN, "observation", f"is {shown(stated)}", _MEND)
    features = stated["features"]
    try:
        check_features(features)
    except InputError as error:
        problem = f"its policy sees what this version does not know: {error.problem}"
        raise InputError(folder / RUN, "observation", problem, error.mend) from None
    known = observation_stated(features)
    for block, columns in known.items():
        if stated.get(block) != columns:
            problem = f"another layout: {block} {shown(stated.get(block))}, in this version {shown(columns)}"
            raise InputError(folder / RUN, "observation", problem, "use the version named in run.json, or train again")
    return tuple(features)


def _is_list_of_names(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(name, str) for name in value)


def write_run(folder: Path, run: Mapping[str, Any]) -> None:
    """Write `run.json`."""
    write_json(folder / RUN, run)


def write_log(folder: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write all rows of the log; their keys, in the order in which they first appear, are the columns."""
    text = io.StringIO()
    if rows:
        columns = list(dict.fromkeys(name for row in rows for name in row))
        writer = csv.DictWriter(text, fieldnames=columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    write_text(folder / LOG, text.getvalue())


def read_log(folder: Path, *, up_to_steps: int) -> list[dict[str, Any]]:
    """The rows that a run resumed at `up_to_steps` goes on from."""
    path = folder / LOG
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [
            row
            for row in csv.DictReader(file)
            if (row.get("steps") or "").isdigit() and int(row["steps"]) <= up_to_steps
        ]
