"""The files of a training run. Each is written under a temporary name and renamed; none is read by unpickling.

run.json       what the run is: recipe, shape of what the policy sees and chooses, versions, how far it has come
policy.npz     the policy's weights: all that a controller needs beside run.json
checkpoint.pt  weights, optimiser and counters, to go on from
progress.csv   one row per update
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intergreen.envs.errors import InputError, shown
from intergreen.envs.files import write_json, write_text

if TYPE_CHECKING:
    from intergreen.envs.observation import ObservationLayout

FORMAT = 1
RUN, POLICY, CHECKPOINT, LOG = "run.json", "policy.npz", "checkpoint.pt", "progress.csv"
OBSERVATION = "queue-phase"  # the observation of intergreen.envs.observation
_MEND = "name the folder that `intergreen train` wrote"


@dataclass(frozen=True, slots=True)
class PolicyShape:
    """What a policy was made for: the widest signal of its network."""

    movements: int
    phases: int
    choices: int

    def __str__(self) -> str:
        return f"{self.movements} movements, {self.phases} phases and {self.choices} choices"


def shape_of(layout: ObservationLayout) -> PolicyShape:
    """The shape that a policy for this layout has."""
    return PolicyShape(*layout.widest)


def new_run_folder(name: str) -> Path:
    """A path below `runs/` that nobody uses: the name and the time to the second."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    return Path("runs") / f"{name.replace('/', '-')}-{stamp}"


def refuse_used(folder: Path) -> None:
    """A run is never overwritten: InputError where `folder` holds one, or is a file."""
    if folder.exists() and not folder.is_dir():
        raise InputError("command line", "--out", f"{str(folder)!r} is a file", "name a folder")
    if (folder / RUN).exists():
        mend = "name another folder, or go on with --resume"
        raise InputError("command line", "--out", f"{str(folder)!r} holds a run", mend)


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
        raise InputError(folder, RUN, "not in this folder", _MEND) from None
    except (ValueError, RecursionError) as error:
        raise InputError(path, "", f"not valid JSON: {shown(str(error))}", _MEND) from None
    if not isinstance(run, dict) or run.get("format") != FORMAT:
        found = run.get("format") if isinstance(run, dict) else run
        raise InputError(path, "format", f"is {shown(found)}", f"this version reads format {FORMAT}")
    if run.get("observation") != OBSERVATION:
        mend = f"this version knows {OBSERVATION!r}"
        raise InputError(path, "observation", f"is {shown(run.get('observation'))}", mend)
    return run


def shape_in(run: Mapping[str, Any], folder: Path) -> PolicyShape:
    """The shape that `run.json` states."""
    shape = run.get("shape")
    values = [shape.get(field.name) for field in fields(PolicyShape)] if isinstance(shape, dict) else []
    numbers = [value for value in values if type(value) is int and value > 0]
    if len(numbers) != len(fields(PolicyShape)):
        raise InputError(folder / RUN, "shape", f"is {shown(shape)}", _MEND)
    return PolicyShape(*numbers)


def write_run(folder: Path, run: Mapping[str, Any]) -> None:
    """Write `run.json`."""
    write_json(folder / RUN, run)


def write_log(folder: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write all rows of the log; the first one names the columns."""
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
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
