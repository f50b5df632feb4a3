"""Observations by whole arrays: what `observation.observe` writes, where nothing is compiled. NumPy only.

The compiled core walks through lanes one by one; an exported policy on a street computer has no compiler, and plain
Python would take half a second for a thousand signals. Equal to `observe` in every bit, which a test holds.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

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

    from intergreen.envs.arrays import BoolArray, Float32Array, FloatArray, IntArray
    from intergreen.envs.layout import ObservationLayout
    from intergreen.envs.observation import Table
    from intergreen.envs.signals import SignalStatus


class Groups(NamedTuple):
    """Entries in n groups, by rank: the first of every group, then the second of those that have two, and so on."""

    n: int
    ranks: tuple[tuple[IntArray | None, IntArray], ...]  # the groups that have an entry of this rank, None: all; where


class Gathers(NamedTuple):
    """What of a layout does not change: I signals of M movements, those that a signal lacks included, and C choices."""

    table: Table
    movement: IntArray  # (I, M) number in the network; any where there is none
    lacking: tuple[IntArray, IntArray]  # signal and place of every movement that there is not
    still: Float32Array  # (I, size) vectors of all that does not change; the rest 0
    serves: BoolArray  # (I, C, M)
    can_be_served: BoolArray  # (I, M) by any choice
    choice_phase: IntArray  # (I, C) local phase, -2 where there is none
    granted_at: IntArray  # (I, C) its number in the network
    lanes: Groups  # that each of the I M movements starts from
    lane_room: FloatArray  # (I, M)
    road: IntArray  # (I, M) ahead, one of R
    road_lanes: Groups  # of the R
    road_width: IntArray  # (R,) lanes
    road_room: FloatArray  # (R,)
    above: IntArray  # (I, M) which of A sets of movements leads to the road that it starts from
    above_movements: Groups  # of the A; places among the I M


def make_gathers(layout: ObservationLayout) -> Gathers:
    """What `observe_arrays` needs, made once."""
    table = layout.table
    counts = np.diff(table.movement_start)
    exists = np.arange(table.movements) < counts[:, None]  # (I, M)
    place = np.flatnonzero(exists).astype(np.int32)  # (N,) of each movement among the I M

    def placed(values: Any, rest: float = 0) -> Any:
        everywhere = np.full(exists.shape, rest, values.dtype)
        everywhere[exists] = values
        return everywhere

    is_choice = table.choice_phase >= 0
    choice_phase = np.where(is_choice, table.choice_phase, 0)
    serves = (table.phase_serves[table.phase_start[:-1, None] + choice_phase] != 0) & is_choice[:, :, None]
    _, first, road = np.unique(table.out_first, return_index=True, return_inverse=True)
    out_first, out_past = table.out_first[first], table.out_past[first]
    first_above, above = _distinct(table.up_movement, table.up_start)
    up_first, up_past = table.up_start[first_above], table.up_start[first_above + 1]
    starts, ends = placed(table.lane_start[:-1]), placed(table.lane_start[1:])
    return Gathers(
        table=table,
        movement=placed(table.movement),
        lacking=(np.nonzero(~exists)[0].astype(np.int32), np.nonzero(~exists)[1].astype(np.int32)),
        still=_still(layout, exists, serves),
        serves=serves,
        can_be_served=serves.any(axis=1),
        choice_phase=np.where(is_choice, table.choice_phase, -2).astype(np.int32),
        granted_at=(table.phase_offset[:, None] + choice_phase).astype(np.int32),
        lanes=_groups(table.lanes, starts.ravel(), ends.ravel()),
        lane_room=placed(table.lane_room, 1.0),
        road=placed(road.astype(np.int32)),
        road_lanes=_groups(np.arange(max(out_past), dtype=np.int32), out_first, out_past),
        road_width=out_past - out_first,
        road_room=table.out_room[first],
        above=placed(above),
        above_movements=_groups(place[table.up_movement], up_first, up_past),
    )


def observe_arrays(
    waiting: IntArray,
    vehicles: IntArray,
    arriving: IntArray,
    signals: SignalStatus,
    interval_s: int,
    gathers: Gathers,
    out: Float32Array | None = None,
) -> Float32Array:
    """Observations (B, I, size) from lane counts (B, L), arriving (B, L, bins), and what the signals show.

    out  (B, I, size) overwritten and returned; None: room of its own
    """
    g, table = gathers, gathers.table
    phase = signals.phase
    if out is None:
        out = np.empty((len(phase), *g.still.shape), np.float32)
    out[:] = g.still
    choices_at = table.movements * table.movement_columns
    signal_at = choices_at + 2 * table.choices
    movements = out[:, :, :choices_at].reshape(*phase.shape, table.movements, table.movement_columns)  # a view
    queue = queues(waiting, g)
    served = _served(phase, g)
    _write_own(movements, queue, vehicles, arriving, g)
    _write_neighbours(movements, queue, waiting, vehicles, served, g)
    column = table.movement_column
    if column[GREEN] >= 0:
        movements[..., column[GREEN]] = served
    if column[RED_TIME] >= 0:
        _write_share(signals.red_s[:, g.movement], RED_TIME_S, movements[..., column[RED_TIME]])
    movements[:, *g.lacking] = 0.0
    is_current = g.choice_phase == phase[:, :, None]
    out[:, :, choices_at:signal_at:2] = is_current
    out[:, :, choices_at + 1 : signal_at : 2] = _allowed(queue, signals, served, is_current, g)
    _write_signal(out[:, :, signal_at : signal_at + table.signal_columns], signals.green_s, interval_s, table)
    return out


def queues(waiting: IntArray, gathers: Gathers) -> IntArray:
    """(B, I, M) vehicles that wait for each movement, from those on each lane (B, L)."""
    return group_sums(waiting, gathers.lanes).reshape(len(waiting), *gathers.movement.shape)


def group_sums(values: NDArray[np.integer], groups: Groups) -> IntArray:
    """(B, n, ...) sums of values (B, e, ...) over the entries of each group; an empty one has 0."""
    total: IntArray | None = None
    for which, entry in groups.ranks:
        if which is None:
            taken: IntArray = np.asarray(values.take(entry, axis=1))
            total = taken if total is None else total + taken
            continue
        if total is None:
            total = np.zeros((len(values), groups.n, *values.shape[2:]), np.int32)
        total[:, which] += values.take(entry, axis=1)
    return np.zeros((len(values), groups.n, *values.shape[2:]), np.int32) if total is None else total


def _groups(entries: IntArray, first: IntArray, past: IntArray) -> Groups:
    """Group k has the entries first[k]..past[k]-1."""
    sizes = past - first
    ranks: list[tuple[IntArray | None, IntArray]] = []
    for rank in range(max(sizes, default=0)):
        which = np.flatnonzero(sizes > rank).astype(np.int32)
        ranks.append((None if len(which) == len(sizes) else which, entries[first[which] + rank]))
    return Groups(len(sizes), tuple(ranks))


def _distinct(entries: IntArray, starts: IntArray) -> tuple[IntArray, IntArray]:
    """Groups of which many are equal: the first of each that differs, and which of them every group is equal to."""
    values, ends = entries.tolist(), starts.tolist()
    number: dict[tuple[int, ...], int] = {}
    first, same_as = [], []
    for k, (start, past) in enumerate(itertools.pairwise(ends)):
        group = tuple(values[start:past])
        if group not in number:
            number[group] = len(number)
            first.append(k)
        same_as.append(number[group])
    return np.array(first, np.int32), np.array(same_as, np.int32)


def _still(layout: ObservationLayout, exists: BoolArray, serves: BoolArray) -> Float32Array:
    table, blocks, column = layout.table, layout.blocks, layout.table.movement_column
    still = np.zeros((len(exists), blocks.size), np.float32)
    movements = still[:, : blocks.choices_at].reshape(*exists.shape, blocks.movement_columns)  # a view
    signal, local = np.nonzero(exists)
    movements[signal, local, 0] = 1.0
    if column[RIGHT] >= 0:
        movements[signal, local, column[table.turn]] = 1.0
    if column[LANES] >= 0:
        movements[signal, local, column[LANES]] = np.minimum(table.lane_share, HIGHEST)
    still[:, blocks.serves_at :] = serves.reshape(len(exists), -1)
    return still


def _served(phase: IntArray, g: Gathers) -> BoolArray:
    """(B, I, M): does the phase last shown as green serve each movement."""
    row = g.table.phase_start[:-1] + np.maximum(phase, 0)
    served: BoolArray = (g.table.phase_serves.take(row, axis=0) != 0) & (phase >= 0)[:, :, None]
    return served


def _write_own(movements: Float32Array, queue: IntArray, vehicles: IntArray, arriving: IntArray, g: Gathers) -> None:
    column = g.table.movement_column
    if column[QUEUE] >= 0:
        _write_share(queue, VEHICLES, movements[..., column[QUEUE]])
    if column[ARRIVING] >= 0:
        total = group_sums(arriving, g.lanes)
        for step in range(N_BINS):
            share = movements[..., column[ARRIVING] + step]
            _write_share(total[:, :, step].reshape(share.shape), VEHICLES, share)
    if column[OCCUPIED] >= 0:
        occupied = group_sums(vehicles, g.lanes).reshape(queue.shape) / g.lane_room
        movements[..., column[OCCUPIED]] = np.minimum(occupied, HIGHEST)


def _write_neighbours(
    movements: Float32Array, queue: IntArray, waiting: IntArray, vehicles: IntArray, served: BoolArray, g: Gathers
) -> None:
    """Movements that lead to one road see the same ahead, those that start from one the same behind: computed once."""
    column = g.table.movement_column
    if column[OUT_QUEUE] >= 0:
        per_lane = group_sums(waiting, g.road_lanes) / g.road_width
        free = 1.0 - group_sums(vehicles, g.road_lanes) / g.road_room
        movements[..., column[OUT_QUEUE]] = _tens(per_lane)[:, g.road]
        movements[..., column[OUT_FREE]] = np.maximum(0.0, free).astype(np.float32)[:, g.road]
    if column[UP_QUEUE] >= 0:
        for counted, at in ((queue, column[UP_QUEUE]), (queue * served, column[UP_GREEN])):
            total = group_sums(counted.reshape(len(queue), -1), g.above_movements)
            movements[..., at] = _tens(total)[:, g.above]


def _allowed(queue: IntArray, signals: SignalStatus, served: BoolArray, is_current: BoolArray, g: Gathers) -> BoolArray:
    """(B, I, C): granted by the shield, and not a phase that has been green for too long while others wait."""
    allowed: BoolArray = (signals.granted[:, g.granted_at] != 0) & (g.choice_phase >= 0)
    overdue = (signals.phase >= 0) & (signals.green_s >= LONGEST_GREEN_S)
    if overdue.any():
        others_wait = ((queue > 0) & g.can_be_served & ~served).any(axis=2)
        allowed &= ~(is_current & (overdue & others_wait)[:, :, None])
    return allowed


def _write_signal(signal: Float32Array, green_s: IntArray, interval_s: int, table: Table) -> None:
    if table.signal_column[GREEN_TIME] >= 0:
        _write_share(green_s, GREEN_TIME_S, signal[:, :, table.signal_column[GREEN_TIME]])
    if table.signal_column[INTERVAL] >= 0:
        signal[:, :, table.signal_column[INTERVAL]] = min(interval_s / INTERVAL_S, HIGHEST)
        signal[:, :, table.signal_column[CLEARANCE]] = np.minimum(table.clearance_s / CLEARANCE_S, HIGHEST)


def _write_share(values: IntArray, unit: float, out: Float32Array) -> None:
    """Overwrite `out` with whole numbers by the unit. A quotient of two numbers that 32 bits hold exactly is the same
    whether it is rounded once, or to 64 bits before (Figueroa 1995, When is double rounding innocuous?)."""
    np.divide(values, unit, out=out, dtype=np.float32, casting="same_kind")
    np.minimum(out, np.float32(HIGHEST), out=out)


def _tens(total: IntArray | FloatArray) -> Float32Array:
    tens: Float32Array = np.minimum(total / VEHICLES, HIGHEST).astype(np.float32)
    return tens
