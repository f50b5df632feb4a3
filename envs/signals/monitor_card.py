"""The monitor's program card: who may have right of way together, and the least times, for signals given one by one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from intergreen.envs.arrays import ByteArray, IntArray

# How long a fault must persist: a CMU-212 must find a conflict of 500 ms, a Reno a dark channel of 800 ms, red with
# yellow of 1000 ms (the makers' manuals).
CONFLICT_S, RED_FAIL_S, DUAL_S = 0.5, 0.8, 1.0

NEVER = 1 << 30  # a tick that does not come


@dataclass(frozen=True, slots=True, eq=False)
class Channels:
    """What the card says of one signal, in seconds; n channels. A single number stands for all its channels.

    Parameters
    ----------
    columns : (n,) the channels' columns in a row of aspects
    permissive : (n, n) bool, the pair may have right of way together; symmetric, True on the diagonal
    intergreen_s : (n, n) least time from the end of green of the row's channel to the start of green of the column's;
        read where the pair is not permissive
    yellow_s : (n,) least yellow; 0: none is required
    min_green_s : (n,) 0: none
    red_revert_s : (n,) least time from the end of right of way to the next green of the same channel; 0: none
    longest_wait_s : (n,) longest wait of a call; 0: not watched
    longest_yellow_s : (n,) 0: no limit
    red_amber_s : longest red and amber before green; 0: not allowed
    """

    columns: ArrayLike
    permissive: ArrayLike
    intergreen_s: ArrayLike
    yellow_s: ArrayLike
    min_green_s: ArrayLike = 0.0
    red_revert_s: ArrayLike = 0.0
    longest_wait_s: ArrayLike = 0.0
    longest_yellow_s: ArrayLike = 0.0
    red_amber_s: float = 0.0


class MonitorCard(NamedTuple):
    """The program card: I signals with N channels in all; times in ticks.

    Signal i owns the channels channel_start[i]:channel_start[i + 1] and the entries of its n x n matrices, row by row,
    from matrix_start[i].
    """

    channel_start: IntArray  # (I + 1,)
    channel: IntArray  # (N,) column in a row of aspects
    signal: IntArray  # (N,)
    first_column: IntArray  # (I,) where a signal's columns are consecutive, the first of them; -1 elsewhere
    row_past: IntArray  # (I,) one past the last signal whose columns go on from this one's without a gap
    matrix_start: IntArray  # (I + 1,)
    permissive: ByteArray  # (sum of n n,) 1 where the pair may have right of way together
    clearance: IntArray  # (sum of n n,) least ticks from the end of green of the row to the start of the column's
    yellow: IntArray  # (N,) least yellow, 0 none required
    longest_yellow: IntArray  # (N,) 0 no limit
    green: IntArray  # (N,) least green, 0 none
    red_revert: IntArray  # (N,) least stop before the next green, 0 none
    longest_wait: IntArray  # (N,) 0 not watched
    red_amber: IntArray  # (I,) longest red and amber
    conflict_ticks: int  # how long a conflict must last to be a fault
    red_fail_ticks: int
    dual_ticks: int
    tick_s: float


def make_card(signals: Sequence[Channels], *, tick_s: float = 1.0) -> MonitorCard:
    """The program card for ticks of `tick_s`; seconds go to the nearest tick, halves up.

    Raises
    ------
    ValueError
        Shapes that do not fit together, a matrix `permissive` that is not symmetric or not True on its diagonal, a
        column named twice within a signal, a time that is negative or not finite
    """
    if not (math.isfinite(tick_s) and tick_s > 0):
        raise ValueError(f"tick_s must be a positive number of seconds, got {tick_s}")
    checked = _all_checked(signals, tick_s)
    sizes = [len(one["columns"]) for one in checked]

    def joined(name: str) -> IntArray:
        return np.concatenate([np.zeros(0, np.int32), *(one[name].ravel() for one in checked)]).astype(np.int32)

    return MonitorCard(
        channel_start=np.cumsum([0, *sizes], dtype=np.int32),
        channel=joined("columns"),
        signal=np.repeat(np.arange(len(sizes), dtype=np.int32), sizes),
        first_column=np.array([_first_column(one["columns"]) for one in checked], np.int32),
        row_past=_row_past([one["columns"] for one in checked]),
        matrix_start=np.cumsum([0, *(n * n for n in sizes)], dtype=np.int32),
        permissive=joined("permissive").astype(np.uint8),
        clearance=joined("intergreen_s"),
        yellow=joined("yellow_s"),
        longest_yellow=joined("longest_yellow_s"),
        green=joined("min_green_s"),
        red_revert=joined("red_revert_s"),
        longest_wait=joined("longest_wait_s"),
        red_amber=joined("red_amber_s"),
        conflict_ticks=max(1, _nearest_tick(CONFLICT_S, tick_s)),
        red_fail_ticks=max(1, _nearest_tick(RED_FAIL_S, tick_s)),
        dual_ticks=max(1, _nearest_tick(DUAL_S, tick_s)),
        tick_s=float(tick_s),
    )


def _all_checked(signals: Sequence[Channels], tick_s: float) -> list[dict[str, NDArray[Any]]]:
    """Signals that share all their times are checked once, but for their columns."""
    shared: dict[tuple[int, ...], dict[str, NDArray[Any]]] = {}
    names = [field.name for field in fields(Channels) if field.name != "columns"]
    checked = []
    for i, one in enumerate(signals):
        columns = _checked_columns(one, i)
        key = len(columns), *(id(getattr(one, name)) for name in names)  # which `signals` keeps from being used again
        if key not in shared:
            shared[key] = _checked(one, columns, i, tick_s)
        checked.append(shared[key] | {"columns": columns})
    return checked


def _checked_columns(one: Channels, i: int) -> NDArray[Any]:
    columns = np.asarray(one.columns)
    n = len(columns) if columns.ndim == 1 else -1
    wrong = n < 0 or (n and (columns.dtype.kind not in "ui" or columns.min() < 0))
    if wrong or len(set(columns.tolist())) != n:
        raise ValueError(f"signal {i}: columns must be a list of different column numbers, got {columns.tolist()}")
    return columns


def _checked(one: Channels, columns: NDArray[Any], i: int, tick_s: float) -> dict[str, NDArray[Any]]:
    """The fields of one signal as arrays of whole numbers, times in ticks."""
    permissive, n = np.asarray(one.permissive), len(columns)
    if permissive.shape != (n, n) or permissive.dtype.kind != "b":
        raise ValueError(
            f"signal {i}: permissive must be a ({n}, {n}) matrix of True and False, "
            f"got shape {permissive.shape} of {permissive.dtype}"
        )
    _check_pairs(columns, permissive, i)
    values = {"permissive": permissive}
    for field in fields(Channels):
        if field.name not in ("columns", "permissive"):
            shape = {"intergreen_s": (n, n), "red_amber_s": (1,)}.get(field.name, (n,))
            values[field.name] = _ticks(getattr(one, field.name), shape, f"signal {i}: {field.name}", tick_s)
    return values


def _first_column(columns: NDArray[Any]) -> int:
    consecutive = len(columns) > 0 and bool((np.diff(columns) == 1).all())
    return int(columns[0]) if consecutive else -1


def _row_past(columns: Sequence[NDArray[Any]]) -> IntArray:
    past = np.arange(1, len(columns) + 1, dtype=np.int32)
    first = [_first_column(one) for one in columns]
    for i in range(len(columns) - 2, -1, -1):
        if -1 not in first[i : i + 2] and first[i + 1] == first[i] + len(columns[i]):
            past[i] = past[i + 1]
    return past


def _check_pairs(columns: NDArray[Any], permissive: NDArray[Any], i: int) -> None:
    for a, b in np.argwhere(permissive != permissive.T):
        raise ValueError(
            f"signal {i}: permissive must be symmetric, columns {columns[a]} and {columns[b]} "
            f"are {permissive[a, b]} one way and {permissive[b, a]} the other"
        )
    for a in np.flatnonzero(~permissive.diagonal()):
        raise ValueError(f"signal {i}: permissive must be True on its diagonal, column {columns[a]} is False")


def _ticks(seconds: ArrayLike, shape: tuple[int, ...], name: str, tick_s: float) -> IntArray:
    try:
        values = np.asarray(seconds, np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be numbers of seconds, got {seconds!r}") from error
    if values.ndim and values.shape != shape:
        raise ValueError(f"{name} must be one number or of shape {shape}, got shape {values.shape}")
    longest_s = (NEVER // 2) * tick_s
    wrong = values[~(np.isfinite(values) & (values >= 0) & (values <= longest_s))]
    if wrong.size:
        raise ValueError(f"{name} must be from 0 to {longest_s:g} s, got {wrong.flat[0]:g}")
    return np.broadcast_to(_nearest_tick(values, tick_s), shape).astype(np.int32)


def _nearest_tick(seconds: Any, tick_s: float) -> Any:
    """Whole ticks, halves up; the tolerance is for seconds such as 0.3 that no float meets exactly."""
    return np.floor(np.asarray(seconds) / tick_s + 0.5 + 1e-9).astype(np.int64)[()]
