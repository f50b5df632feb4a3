"""Observations by whole arrays: what `observation.observe` writes, where nothing is compiled. NumPy only.

The compiled core walks through lanes one by one; an exported policy on a street computer has no compiler, and plain
Python would take half a second for a thousand signals. Equal to `observe` in every bit, which a test holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from intergreen.envs.observation import (
    ARRIVING,
    CLEARANCE,
    CLEARANCE_S,
    GREEN,
    GREEN_TIME,
    GREEN_TIME_S,
    HIGHEST,
    INTERVAL,
    INTERVAL_S,
    LANES,
    LONGEST_GREEN_S,
    N_BINS,
    OCCUPIED,
    OUT_FREE,
    OUT_QUEUE,
    QUEUE,
    RED_TIME,
    RED_TIME_S,
    RIGHT,
    UP_GREEN,
    UP_QUEUE,
    VEHICLES,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from intergreen.envs.arrays import BoolArray, ByteArray, Float32Array, FloatArray, IntArray
    from intergreen.envs.layout import ObservationLayout
    from intergreen.envs.observation import Table
    from intergreen.envs.signals import SignalStatus


class Gathers(NamedTuple):
    """What of a layout does not change: I signals with N movements together, C choices, M movements of the widest."""

    table: Table
    signal: IntArray  # (N,) of each movement
    local: IntArray  # (N,) number within its signal
    still: Float32Array  # (I, M, columns) `exists`, turns and lanes; the rest 0
    serves: Float32Array  # (I, C, M)
    choice_phase: IntArray  # (I, C) local phase, 0 where there is none
    is_choice: BoolArray  # (I, C)
    size: int


def make_gathers(layout: ObservationLayout) -> Gathers:
    """What `observe_arrays` needs, made once."""
    table = layout.table
    counts = np.diff(table.movement_start)
    signal = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    local = (np.arange(len(signal)) - table.movement_start[signal]).astype(np.int32)
    still = np.zeros((len(counts), table.movements, table.movement_columns), np.float32)
    still[signal, local, 0] = 1.0
    column = table.movement_column
    if column[RIGHT] >= 0:
        still[signal, local, column[table.turn]] = 1.0
    if column[LANES] >= 0:
        still[signal, local, column[LANES]] = np.minimum(table.lane_share, HIGHEST)
    is_choice = table.choice_phase >= 0
    choice_phase = np.where(is_choice, table.choice_phase, 0)
    serves = table.phase_serves[table.phase_start[:-1, None] + choice_phase] * is_choice[:, :, None]
    return Gathers(table, signal, local, still, serves.astype(np.float32), choice_phase, is_choice, layout.blocks.size)


def observe_arrays(
    waiting: IntArray,
    vehicles: IntArray,
    arriving: IntArray,
    signals: SignalStatus,
    interval_s: int,
    gathers: Gathers,
) -> Float32Array:
    """Observations (B, I, size) from lane counts (B, L), arriving (B, L, bins), and what the signals show."""
    g, table = gathers, gathers.table
    phase, green_s = signals.phase, signals.green_s
    n_replicas, n_signals = phase.shape
    movements = np.tile(g.still, (n_replicas, 1, 1, 1))
    served = _served(phase, g)  # (B, N)
    _write_queues(movements, waiting, vehicles, arriving, g)
    _write_neighbours(movements, waiting, vehicles, served, g)
    column = table.movement_column
    if column[GREEN] >= 0:
        movements[:, g.signal, g.local, column[GREEN]] = served
    if column[RED_TIME] >= 0:
        movements[:, g.signal, g.local, column[RED_TIME]] = np.minimum(
            signals.red_s[:, table.movement] / RED_TIME_S, HIGHEST
        )
    choices = np.zeros((n_replicas, n_signals, table.choices, 2), np.float32)
    choices[..., 0] = (g.choice_phase == phase[:, :, None]) & g.is_choice
    choices[..., 1] = _allowed(waiting, phase, green_s, signals.granted, served, choices[..., 0] > 0.0, g)
    signal = np.zeros((n_replicas, n_signals, table.signal_columns), np.float32)
    _write_signal(signal, green_s, interval_s, table)
    flat = (movements, choices, signal, np.broadcast_to(g.serves, (n_replicas, *g.serves.shape)))
    return np.concatenate([block.reshape(n_replicas, n_signals, -1) for block in flat], axis=2)


def _served(phase: IntArray, g: Gathers) -> BoolArray:
    """(B, N): does the phase last shown as green serve each movement."""
    shown = phase[:, g.signal]
    row = g.table.phase_start[g.signal] + np.maximum(shown, 0)
    served: BoolArray = (g.table.phase_serves[row, g.local] != 0) & (shown >= 0)
    return served


def _write_queues(
    movements: Float32Array, waiting: IntArray, vehicles: IntArray, arriving: IntArray, g: Gathers
) -> None:
    table, column = g.table, g.table.movement_column
    lanes, starts = table.lanes, table.lane_start
    if column[QUEUE] >= 0:
        movements[:, g.signal, g.local, column[QUEUE]] = _tens(group_sums(waiting[:, lanes], starts))
    if column[ARRIVING] >= 0:
        for step in range(N_BINS):
            total = group_sums(arriving[:, lanes, step], starts)
            movements[:, g.signal, g.local, column[ARRIVING] + step] = _tens(total)
    if column[OCCUPIED] >= 0:
        share = np.minimum(group_sums(vehicles[:, lanes], starts) / table.lane_room, HIGHEST)
        movements[:, g.signal, g.local, column[OCCUPIED]] = share


def _write_neighbours(
    movements: Float32Array, waiting: IntArray, vehicles: IntArray, served: BoolArray, g: Gathers
) -> None:
    table, column = g.table, g.table.movement_column
    if column[OUT_QUEUE] >= 0:
        standing = _between(waiting, table.out_first, table.out_past)
        per_lane = standing / (table.out_past - table.out_first)
        free = 1.0 - _between(vehicles, table.out_first, table.out_past) / table.out_room
        movements[:, g.signal, g.local, column[OUT_QUEUE]] = _tens(per_lane)
        movements[:, g.signal, g.local, column[OUT_FREE]] = np.maximum(0.0, free)
    if column[UP_QUEUE] >= 0:
        queue = group_sums(waiting[:, table.lanes], table.lane_start)
        above = table.up_movement
        movements[:, g.signal, g.local, column[UP_QUEUE]] = _tens(group_sums(queue[:, above], table.up_start))
        moving = group_sums((queue * served)[:, above], table.up_start)
        movements[:, g.signal, g.local, column[UP_GREEN]] = _tens(moving)


def _allowed(
    waiting: IntArray,
    phase: IntArray,
    green_s: IntArray,
    granted: ByteArray,
    served: BoolArray,
    is_current: BoolArray,
    g: Gathers,
) -> BoolArray:
    """(B, I, C): granted by the shield, and not a phase that has been green for too long while others wait."""
    table = g.table
    allowed: BoolArray = (granted[:, table.phase_offset[:, None] + g.choice_phase] != 0) & g.is_choice
    overdue = (phase >= 0) & (green_s >= LONGEST_GREEN_S)
    for b, i in np.argwhere(overdue & is_current.any(axis=2)).tolist():
        mine = slice(table.movement_start[i], table.movement_start[i + 1])
        waits = group_sums(waiting[b : b + 1, table.lanes], table.lane_start)[0, mine] > 0
        wanted = g.serves[i, :, : mine.stop - mine.start].any(axis=0)
        if (waits & wanted & ~served[b, mine]).any():
            allowed[b, i] &= ~is_current[b, i]
    return allowed


def _write_signal(signal: Float32Array, green_s: IntArray, interval_s: int, table: Table) -> None:
    if table.signal_column[GREEN_TIME] >= 0:
        signal[:, :, table.signal_column[GREEN_TIME]] = np.minimum(green_s / GREEN_TIME_S, HIGHEST)
    if table.signal_column[INTERVAL] >= 0:
        signal[:, :, table.signal_column[INTERVAL]] = min(interval_s / INTERVAL_S, HIGHEST)
        signal[:, :, table.signal_column[CLEARANCE]] = np.minimum(table.clearance_s / CLEARANCE_S, HIGHEST)


def group_sums(values: NDArray[np.integer], starts: IntArray) -> NDArray[np.int64]:
    """(B, n) sums of values (B, e) over the entries of each of n groups; a group may be empty."""
    running = np.zeros((len(values), values.shape[1] + 1), np.int64)
    np.cumsum(values, axis=1, out=running[:, 1:])
    return running[:, starts[1:]] - running[:, starts[:-1]]


def _between(values: IntArray, first: IntArray, past: IntArray) -> NDArray[np.int64]:
    """(B, n) sums over lanes first..past-1."""
    running = np.zeros((len(values), values.shape[1] + 1), np.int64)
    np.cumsum(values, axis=1, out=running[:, 1:])
    return running[:, past] - running[:, first]


def _tens(total: NDArray[np.int64] | FloatArray) -> FloatArray:
    tens: FloatArray = np.minimum(total / VEHICLES, HIGHEST)
    return tens
