"""The log of a shadow run: a row for a decision of a signal, as CSV or as JSON lines. Counts of lanes, no vehicles."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from intergreen.agents.deployment.ladder import RUNG_NAMES, Rung
from intergreen.envs.errors import InputError
from intergreen.envs.files import replacing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from intergreen.agents.evaluation.shadow_watch import Watched

LINES = (".jsonl", ".json")
COLUMNS = (
    "second",
    "seed",
    "signal",
    "shown",  # phase, by its number in the network file
    "wanted",
    "waiting_shown",  # vehicles that stand on the lanes that the phase serves
    "waiting_wanted",
    "released_shown",  # vehicles that could leave before the next decision
    "released_wanted",
    "rung",
)


def require_log_name(log: Path | None) -> None:
    """Refuse a name that says nothing about the form."""
    if log is not None and log.suffix not in (".csv", *LINES):
        raise InputError("command line", "--log", f"cannot tell the form of {str(log)!r}", "end it in .csv or .jsonl")


def log_rows(watched: Sequence[Watched], signals: Sequence[str], *, every: bool) -> Iterator[dict[str, Any]]:
    """Rows seed by seed in the order of time: all decisions, or those in which the two differ.

    signals  the intersections' names, in the order of the plan
    """
    for one in watched:
        which = np.ones_like(one.shown.phase, np.bool_) if every else one.shown.phase != one.wanted.phase
        for b, t, i in np.argwhere(which.transpose(1, 0, 2)).tolist():
            yield {
                "second": int(one.second[t]),
                "seed": one.seeds[b],
                "signal": signals[i],
                "shown": int(one.shown.phase[t, b, i]),
                "wanted": int(one.wanted.phase[t, b, i]),
                "waiting_shown": int(one.shown.waiting[t, b, i]),
                "waiting_wanted": int(one.wanted.waiting[t, b, i]),
                "released_shown": float(one.shown.released[t, b, i]),
                "released_wanted": float(one.wanted.released[t, b, i]),
                "rung": None if one.rung is None else RUNG_NAMES[Rung(one.rung[t, b, i])],
            }


def write_log(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write the rows at once, in the form that the name asks for."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        if path.suffix in LINES:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        else:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
