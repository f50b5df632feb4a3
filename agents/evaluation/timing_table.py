"""`intergreen timing`: the seconds of every movement of every signal under a protocol, one row a movement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from intergreen.agents.deployment.proofs import signals_stated
from intergreen.agents.tables import TextTable, table_of
from intergreen.envs.errors import InputError, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from intergreen.agents.deployment.proofs import Junctions


def signal_timings(scenario: Junctions, protocol: str, *, signal: str | None = None) -> list[dict[str, Any]]:
    """One object for every signal plan that differs: movements, phases, matrices and times, as bundles state them.

    signal : the id of an intersection; None: all of them

    Raises
    ------
    InputError
        If there is no signal of that id.
    """
    stated = signals_stated([scenario], [protocol])
    if signal is None:
        return stated
    own = [one for one in stated if signal in one["intersections"]]
    if not own:
        names = ", ".join(name for one in stated for name in one["intersections"])
        raise InputError("command line", "--signal", f"no signal is called {shown(signal)}", f"use one of {names}")
    return [one | {"intersections": [signal]} for one in own]


def timing_tables(stated: Sequence[dict[str, Any]]) -> list[TextTable]:
    """A table for every plan, a row for every movement."""
    return [
        table_of(
            f"{', '.join(one['intersections'])} · {one['protocol']}",
            [_row(one, m) for m in range(len(one["movements"]))],
        )
        for one in stated
    ]


def _row(one: dict[str, Any], m: int) -> dict[str, object]:
    needed = [seconds for seconds in one["intergreen_s"][m] if seconds]
    return {
        "movement": one["movements"][m],
        "green in phases": ", ".join(str(p) for p in one["choices"] if m in one["phases"][p]) or "none",
        "yellow [s]": one["yellow_s"][m],
        "intergreen [s]": _range(needed),
        "longest before": one["movements"][one["intergreen_s"][m].index(max(needed))] if needed else None,
        "minimum green [s]": one["min_green_s"][m] or None,  # the literature's timing knows no bounds
        "maximum green [s]": one["max_green_s"][m] or None,
    }


def _range(seconds: Sequence[int]) -> str | None:
    """Shortest to longest towards the movements that conflict; None where none does."""
    if not seconds:
        return None
    low, high = min(seconds), max(seconds)
    return str(low) if low == high else f"{low}–{high}"
