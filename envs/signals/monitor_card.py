"""The monitor's program card: who may have right of way together, and the least times, for signals given one by one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

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
    red_amber_s: ArrayLike = 0.0


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
    clearance_before: IntArray  # (sum of n n,) least ticks from the column's end of green to the row's start
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
    columns = [_column_list(one, i) for i, one in enumerate(signals)]
    sizes = np.array([len(own) for own in columns], np.int32)
    parts = [
        {"columns": own} | _shaped(one, len(own), i) for i, (one, own) in enumerate(zip(signals, columns, strict=True))
    ]

    def joined(name: str) -> NDArray[Any]:
        return np.concatenate([np.zeros(0, np.bool_ if name == "permissive" else np.int32), *(p[name] for p in parts)])

    return make_joined_card(sizes, Channels(*(joined(f.name) for f in fields(Channels))), tick_s=tick_s)


def make_joined_card(sizes: IntArray, channels: Channels, *, tick_s: float = 1.0) -> MonitorCard:
    """The same from fields that hold those of all signals, one after the other, matrices row by row.

    sizes : (I,) channels of each signal; `red_amber_s` has an entry for each
    """
    if not (math.isfinite(tick_s) and tick_s > 0):
        raise ValueError(f"tick_s must be a positive number of seconds, got {tick_s}")
    start, matrix_start = _starts(sizes), _starts(sizes * sizes)
    columns, permissive = np.asarray(channels.columns), np.asarray(channels.permissive)
    if columns.shape != (start[-1],) or permissive.shape != (matrix_start[-1],):
        raise ValueError(f"signals of {sizes.tolist()} channels do not fit {columns.shape} and {permissive.shape}")
    _check_columns(columns, start)
    mirrored = _mirrored(matrix_start, sizes)
    _check_pairs(columns, permissive, start, matrix_start, mirrored)

    def ticks(name: str, starts: IntArray) -> IntArray:
        return _ticks(getattr(channels, name), name, starts, tick_s)

    return MonitorCard(
        channel_start=start,
        channel=columns.astype(np.int32),
        signal=np.repeat(np.arange(len(sizes), dtype=np.int32), sizes),
        first_column=_first_columns(columns, start),
        row_past=_row_past(columns, start),
        matrix_start=matrix_start,
        permissive=permissive.astype(np.uint8),
        clearance_before=ticks("intergreen_s", matrix_start)[mirrored],
        yellow=ticks("yellow_s", start),
        longest_yellow=ticks("longest_yellow_s", start),
        green=ticks("min_green_s", start),
        red_revert=ticks("red_revert_s", start),
        longest_wait=ticks("longest_wait_s", start),
        red_amber=ticks("red_amber_s", np.arange(len(sizes) + 1, dtype=np.int32)),
        conflict_ticks=max(1, _nearest_tick(CONFLICT_S, tick_s)),
        red_fail_ticks=max(1, _nearest_tick(RED_FAIL_S, tick_s)),
        dual_ticks=max(1, _nearest_tick(DUAL_S, tick_s)),
        tick_s=float(tick_s),
    )


def _starts(sizes: IntArray) -> IntArray:
    return np.concatenate(([0], np.cumsum(sizes))).astype(np.int32)


def _signal_at(starts: IntArray, entry: int) -> int:
    return int(np.searchsorted(starts, entry, side="right")) - 1


def _column_list(one: Channels, i: int) -> NDArray[Any]:
    columns = np.asarray(one.columns)
    if columns.ndim != 1 or (len(columns) and columns.dtype.kind not in "ui"):
        _refuse_columns(columns, i)
    return columns.astype(np.int64)


def _refuse_columns(columns: NDArray[Any], i: int) -> NoReturn:
    raise ValueError(f"signal {i}: columns must be a list of different column numbers, got {columns.tolist()}")


def _shaped(one: Channels, n: int, i: int) -> dict[str, NDArray[Any]]:
    """The other fields of one signal as flat arrays, single numbers repeated for all its channels."""
    permissive = np.asarray(one.permissive)
    if permissive.shape != (n, n) or permissive.dtype.kind != "b":
        raise ValueError(
            f"signal {i}: permissive must be a ({n}, {n}) matrix of True and False, "
            f"got shape {permissive.shape} of {permissive.dtype}"
        )
    values = {"permissive": permissive.reshape(-1)}
    for name in (field.name for field in fields(Channels) if field.name not in ("columns", "permissive")):
        shape = {"intergreen_s": (n, n), "red_amber_s": (1,)}.get(name, (n,))
        seconds = _numbers(getattr(one, name), f"signal {i}: {name}")
        if seconds.ndim and seconds.shape != shape:
            raise ValueError(f"signal {i}: {name} must be one number or of shape {shape}, got shape {seconds.shape}")
        values[name] = np.broadcast_to(seconds, shape).reshape(-1)
    return values


def _check_columns(columns: NDArray[Any], start: IntArray) -> None:
    signal = np.repeat(np.arange(len(start) - 1), np.diff(start))
    order = np.lexsort((columns, signal))
    again = (np.diff(columns[order]) == 0) & (np.diff(signal[order]) == 0)
    wrong = np.concatenate([signal[columns < 0], signal[order[1:][again]]])
    if len(wrong):
        i = int(wrong.min())
        _refuse_columns(columns[start[i] : start[i + 1]], i)


def _mirrored(matrix_start: IntArray, sizes: IntArray) -> NDArray[np.intp]:
    """Of every entry of all matrices, where that of the same pair the other way stands."""
    width, first = np.repeat(sizes, sizes * sizes), np.repeat(matrix_start[:-1], sizes * sizes)
    row, column = np.divmod(np.arange(len(first)) - first, width)
    return np.asarray(first + column * width + row, np.intp)


def _check_pairs(
    columns: NDArray[Any],
    permissive: NDArray[Any],
    start: IntArray,
    matrix_start: IntArray,
    mirrored: NDArray[np.intp],
) -> None:
    wrong = np.where(mirrored == np.arange(len(permissive)), ~permissive, permissive != permissive[mirrored])
    for k in np.flatnonzero(wrong)[:1].tolist():
        i = _signal_at(matrix_start, k)
        row, column = divmod(k - int(matrix_start[i]), int(start[i + 1] - start[i]))
        a, b = columns[start[i] + row], columns[start[i] + column]
        if a == b:
            raise ValueError(f"signal {i}: permissive must be True on its diagonal, column {a} is False")
        raise ValueError(
            f"signal {i}: permissive must be symmetric, columns {a} and {b} "
            f"are {permissive[k]} one way and {permissive[mirrored[k]]} the other"
        )


def _first_columns(columns: NDArray[Any], start: IntArray) -> IntArray:
    gaps = np.concatenate(([0], np.cumsum(np.diff(columns, prepend=-1) != 1)))  # up to each column, its own included
    first, past = start[:-1], start[1:]
    has_any = past > first
    consecutive = has_any & (gaps[past] == gaps[np.minimum(first + 1, len(columns))])
    own = columns[np.minimum(first, max(0, len(columns) - 1))] if len(columns) else np.zeros(len(first), np.int32)
    return np.where(consecutive, own, -1).astype(np.int32)


def _row_past(columns: NDArray[Any], start: IntArray) -> IntArray:
    first, sizes = _first_columns(columns, start), np.diff(start)
    goes_on = (first[:-1] >= 0) & (first[1:] >= 0) & (first[1:] == first[:-1] + sizes[:-1])
    past = np.arange(1, len(sizes) + 1, dtype=np.int32)
    for i in np.flatnonzero(goes_on)[::-1].tolist():
        past[i] = past[i + 1]
    return past


def _numbers(seconds: ArrayLike, name: str) -> NDArray[np.float64]:
    try:
        return np.asarray(seconds, np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be numbers of seconds, got {seconds!r}") from error


def _ticks(seconds: ArrayLike, name: str, starts: IntArray, tick_s: float) -> IntArray:
    values = np.broadcast_to(np.asarray(seconds, np.float64), (int(starts[-1]),))
    longest_s = (NEVER // 2) * tick_s
    for k in np.flatnonzero(~(np.isfinite(values) & (values >= 0) & (values <= longest_s)))[:1].tolist():
        where = f"signal {_signal_at(starts, k)}: {name}"
        raise ValueError(f"{where} must be from 0 to {longest_s:g} s, got {values[k]:g}")
    ticks: IntArray = _nearest_tick(values, tick_s).astype(np.int32)
    return ticks


def _nearest_tick(seconds: Any, tick_s: float) -> Any:
    """Whole ticks, halves up; the tolerance is for seconds such as 0.3 that no float meets exactly."""
    return np.floor(np.asarray(seconds) / tick_s + 0.5 + 1e-9).astype(np.int64)[()]
