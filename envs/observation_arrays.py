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
    BIN_MIDDLES_S,
    CHOICE_COLUMNS,
    CLEARANCE,
    CLEARANCE_S,
    GREEN,
    GREEN_TIME,
    GREEN_TIME_S,
    HEADWAY_S,
    HIGHEST,
    INTERVAL,
    INTERVAL_S,
    LANES,
    LONGEST_GREEN_S,
    N_BINS,
    OCCUPIED,
    OUT_FREE,
    OUT_FULLEST,
    OUT_QUEUE,
    PASSING,
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
    from intergreen.envs.observation import Blocks, Table
    from intergreen.envs.signals import SignalStatus


class Groups(NamedTuple):
    """Entries in n groups, the largest groups first, by rank: the first entry of every group, then the second of those
    that have two, and so on."""

    n: int
    ranks: tuple[NDArray[np.intp], ...]  # entries of the first so many groups
    place: IntArray  # (n,) of each group among them, largest first


class Observed(NamedTuple):
    """What N signals see, block by block; movements column by column, so that each is filled and read in one go."""

    movements: Float32Array  # (f, N, M)
    choices: Float32Array  # (N, C, 2)
    signal: Float32Array  # (N, s)
    serves: Float32Array  # (N, C, M)

    @property
    def n_signals(self) -> int:
        return len(self.signal)

    @property
    def n_choices(self) -> int:
        return self.choices.shape[1]


class Gathers(NamedTuple):
    """What of a layout does not change: I signals of M movements, those that a signal lacks included, and C choices."""

    table: Table
    movement: NDArray[np.intp]  # (I, M) number in the network; any where there is none
    exists: BoolArray  # (I, M)
    all_exist: bool
    still: Observed  # of the I signals, all that does not change; the rest 0
    serves: BoolArray  # (P + 1, M) whom each of all P phases serves; behind them one that serves nobody
    can_be_served: BoolArray  # (I, M) by any choice
    choice_phase: IntArray  # (I, C) local phase, -2 where there is none
    granted_at: NDArray[np.intp]  # (I, C) its number in the network
    lanes: Groups  # that each of the I M movements starts from
    lanes_in_order: bool  # no movement stands elsewhere among them than in the network
    lane_room: FloatArray  # (I, M)
    lane_clearance_s: Float32Array  # (L,) longest transition of the signal that each lane leads to
    road: NDArray[np.intp]  # (I, M) ahead, one of R; R where there is none
    road_lanes: Groups  # of the R
    road_width: IntArray  # (R,) lanes
    road_room: FloatArray  # (R,)
    above: NDArray[
        np.intp
    ]  # (I, M) which of A sets of movements leads to the road that it starts from; A where there is none
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
    served_by_phase = table.phase_serves != 0
    rows = table.phase_start[:-1, None] + choice_phase
    serves = served_by_phase[rows] & is_choice[:, :, None]
    _, first, road = np.unique(table.out_first, return_index=True, return_inverse=True)
    out_first, out_past = table.out_first[first], table.out_past[first]
    first_above, above = _distinct(table.up_movement, table.up_start)
    up_first, up_past = table.up_start[first_above], table.up_start[first_above + 1]
    starts, ends = placed(table.lane_start[:-1]), placed(table.lane_start[1:])
    lanes = _groups(table.lanes, starts.ravel(), ends.ravel())
    roads = _groups(np.arange(max(out_past), dtype=np.int32), out_first, out_past)
    sets = _groups(place[table.up_movement], up_first, up_past)
    return Gathers(
        table=table,
        movement=placed(table.movement).astype(np.intp),
        exists=exists,
        all_exist=bool(exists.all()),
        still=_still(layout, exists, serves),
        serves=np.concatenate([served_by_phase, np.zeros((1, table.movements), np.bool_)]),
        can_be_served=serves.any(axis=1),
        choice_phase=np.where(is_choice, table.choice_phase, -2).astype(np.int32),
        granted_at=(table.phase_offset[:, None] + choice_phase).astype(np.intp),
        lanes=lanes,
        lanes_in_order=bool((lanes.place == np.arange(lanes.n)).all()),
        lane_room=placed(table.lane_room, 1.0),
        lane_clearance_s=_lane_clearance_s(table),
        road=placed(roads.place[road], roads.n).astype(np.intp),
        road_lanes=roads,
        road_width=_largest_first(out_past - out_first, roads),
        road_room=_largest_first(table.out_room[first], roads),
        above=placed(sets.place[above], sets.n).astype(np.intp),
        above_movements=sets,
    )


def blank(gathers: Gathers, n_replicas: int) -> Observed:
    """Room for the observations of so many replicas, with all in it that does not change."""
    still = gathers.still
    return Observed(
        np.tile(still.movements, (1, n_replicas, 1)),
        np.tile(still.choices, (n_replicas, 1, 1)),
        np.tile(still.signal, (n_replicas, 1)),
        np.tile(still.serves, (n_replicas, 1, 1)),
    )


def observe_arrays(
    waiting: Float32Array,
    vehicles: Float32Array,
    arriving: Float32Array,
    signals: SignalStatus,
    interval_s: int,
    gathers: Gathers,
    out: Observed | None = None,
) -> Observed:
    """Observations of B times I signals from lane counts (B, L), arriving (bins, B, L), and what the signals show.

    The counts are whole numbers, as 32 bits hold them exactly.

    out  of `blank`, or of an earlier call: what changes is overwritten; None: room of its own
    """
    g, table = gathers, gathers.table
    phase = signals.phase
    if out is None:
        out = blank(g, len(phase))
    movements = out.movements.reshape(-1, *phase.shape, table.movements)  # (f, B, I, M), a view as all below
    choices = out.choices.reshape(*phase.shape, table.choices, 2)
    queue = _by_movement(waiting, g)
    served = _served(phase, g)
    _write_own(movements, queue, vehicles, arriving, g)
    _write_neighbours(movements, queue, waiting, vehicles, served, g)
    column = table.movement_column
    if column[PASSING] >= 0:
        crossing = _crossing(waiting, arriving, served, interval_s, g)
        _write_share(crossing, VEHICLES, movements[column[PASSING]])
    if column[GREEN] >= 0:
        movements[column[GREEN]] = served
    if column[RED_TIME] >= 0:
        red_s = signals.red_s.take(g.movement, axis=1)
        if not g.all_exist:
            red_s *= g.exists
        _write_share(red_s, RED_TIME_S, movements[column[RED_TIME]])
    is_current = g.choice_phase == phase[:, :, None]
    choices[..., 0] = is_current
    choices[..., 1] = _allowed(queue, signals, served, is_current, g)
    _write_signal(out.signal.reshape(*phase.shape, -1), signals.green_s, interval_s, table)
    return out


def vectors(observed: Observed) -> Float32Array:
    """(N, size) as `observe` writes them."""
    n = observed.n_signals
    movements = observed.movements.transpose(1, 2, 0)
    parts = movements, observed.choices, observed.signal, observed.serves
    return np.concatenate([part.reshape(n, -1) for part in parts], axis=1)


def taken_apart(observation: Float32Array, blocks: Blocks) -> Observed:
    """Of vectors (N, size)."""
    b, n = blocks, len(observation)
    movements = observation[:, : b.choices_at].reshape(n, b.movements, b.movement_columns)
    return Observed(
        np.ascontiguousarray(movements.transpose(2, 0, 1)),
        observation[:, b.choices_at : b.signal_at].reshape(n, b.choices, len(CHOICE_COLUMNS)),
        observation[:, b.signal_at : b.serves_at],
        observation[:, b.serves_at :].reshape(n, b.choices, b.movements),
    )


def queues(waiting: Float32Array, gathers: Gathers) -> Float32Array:
    """(B, I, M) vehicles that wait for each movement, from those on each lane (B, L)."""
    return _by_movement(waiting, gathers)


def _by_movement(values: Float32Array, g: Gathers) -> Float32Array:
    """(B, I, M) sums of values (B, L) over the lanes of each movement."""
    sums = _group_sums(values, g.lanes)
    if not g.lanes_in_order:
        sums = sums.take(g.lanes.place, axis=1)
    return sums.reshape(len(values), *g.movement.shape)


def _group_sums(values: Float32Array, groups: Groups) -> Float32Array:
    """(B, n) sums of values (B, e) over the entries of each group, the largest groups first; an empty one has 0."""
    if not groups.ranks or len(groups.ranks[0]) < groups.n:
        total = np.zeros((len(values), groups.n), np.float32)
        rest = groups.ranks
    else:
        total, rest = values.take(groups.ranks[0], axis=1), groups.ranks[1:]
    for entries in rest:
        total[:, : len(entries)] += values.take(entries, axis=1)
    return total


def _group_highest(values: FloatArray, groups: Groups) -> FloatArray:
    """(B, n) highest of values (B, e) over the entries of each group, the largest groups first; none may be empty."""
    highest = values.take(groups.ranks[0], axis=1)
    for entries in groups.ranks[1:]:
        first = highest[:, : len(entries)]
        np.maximum(first, values.take(entries, axis=1), out=first)
    return highest


def _groups(entries: IntArray, first: IntArray, past: IntArray) -> Groups:
    """Group k has the entries first[k]..past[k]-1."""
    sizes = past - first
    order = np.argsort(-sizes, kind="stable")
    place = np.empty(len(order), np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    begins = first[order]
    counts = [int((sizes > rank).sum()) for rank in range(max(sizes, default=0))]
    ranks = tuple(entries[begins[:n] + rank].astype(np.intp) for rank, n in enumerate(counts))
    return Groups(len(sizes), ranks, place)


def _largest_first(values: Any, groups: Groups) -> Any:
    """(n,) values of the groups in the order of their sums."""
    return values[np.argsort(groups.place)]


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


def _still(layout: ObservationLayout, exists: BoolArray, serves: BoolArray) -> Observed:
    table, blocks, column = layout.table, layout.blocks, layout.table.movement_column
    movements = np.zeros((blocks.movement_columns, *exists.shape), np.float32)
    signal, local = np.nonzero(exists)
    movements[0, signal, local] = 1.0
    if column[RIGHT] >= 0:
        movements[column[table.turn], signal, local] = 1.0
    if column[LANES] >= 0:
        movements[column[LANES], signal, local] = np.minimum(table.lane_share, HIGHEST)
    n = len(exists)
    choices = np.zeros((n, blocks.choices, len(CHOICE_COLUMNS)), np.float32)
    return Observed(movements, choices, np.zeros((n, blocks.signal_columns), np.float32), serves.astype(np.float32))


def _served(phase: IntArray, g: Gathers) -> BoolArray:
    """(B, I, M): does the phase last shown as green serve each movement."""
    row = np.where(phase >= 0, g.table.phase_start[:-1] + phase, len(g.serves) - 1)
    served: BoolArray = g.serves.take(row, axis=0)
    return served


def _write_own(
    movements: Float32Array, queue: Float32Array, vehicles: Float32Array, arriving: Float32Array, g: Gathers
) -> None:
    column = g.table.movement_column
    if column[QUEUE] >= 0:
        _write_share(queue, VEHICLES, movements[column[QUEUE]])
    if column[ARRIVING] >= 0:
        for step in range(N_BINS):
            share = movements[column[ARRIVING] + step]
            _write_share(_by_movement(arriving[step], g), VEHICLES, share)
    if column[OCCUPIED] >= 0:
        share = movements[column[OCCUPIED]]
        np.divide(_by_movement(vehicles, g), g.lane_room, out=share, casting="same_kind")  # rounded from 64 bits
        np.minimum(share, np.float32(HIGHEST), out=share)


def _crossing(
    waiting: Float32Array, arriving: Float32Array, served: BoolArray, interval_s: int, g: Gathers
) -> Float32Array:
    """(B, I, M) who would cross in the next slot: as long as a slot is for who has green, less the transition else."""
    whole_s = np.full(1, interval_s, np.float32)
    with_green, without = (
        _by_movement(_crossing_lanes(waiting, arriving, slot_s), g)
        for slot_s in (whole_s, np.maximum(whole_s - g.lane_clearance_s, np.float32(0.0)))
    )
    return np.where(served, with_green, without)


def _crossing_lanes(waiting: Float32Array, arriving: Float32Array, slot_s: Float32Array) -> Float32Array:
    """(B, L) who would leave each lane within its slot (L,) or that of all (1,); halves, which 32 bits hold exactly."""
    total = waiting.copy()
    for step, middle_s in enumerate(BIN_MIDDLES_S):
        in_time = middle_s <= slot_s
        if in_time.all():
            total += arriving[step]
        elif in_time.any():
            total += arriving[step] * in_time
    np.minimum(total, slot_s / np.float32(HEADWAY_S), out=total)
    return total


def _lane_clearance_s(table: Table) -> Float32Array:
    clearance_s = np.zeros(len(table.fits), np.float32)
    by_movement = np.repeat(table.clearance_s, np.diff(table.movement_start))
    clearance_s[table.lanes] = np.repeat(by_movement, np.diff(table.lane_start))
    return clearance_s


def _write_neighbours(
    movements: Float32Array,
    queue: Float32Array,
    waiting: Float32Array,
    vehicles: Float32Array,
    served: BoolArray,
    g: Gathers,
) -> None:
    """Movements that lead to one road see the same ahead, those that start from one the same behind: computed once."""
    column = g.table.movement_column
    if column[OUT_QUEUE] >= 0:
        per_lane = _group_sums(waiting, g.road_lanes) / g.road_width
        free = 1.0 - _group_sums(vehicles, g.road_lanes) / g.road_room
        _spread(np.minimum(per_lane / VEHICLES, HIGHEST), g.road, movements[column[OUT_QUEUE]])
        _spread(np.maximum(0.0, free), g.road, movements[column[OUT_FREE]])
    if column[OUT_FULLEST] >= 0:
        fullest = np.minimum(_group_highest(vehicles / g.table.fits, g.road_lanes), HIGHEST)
        _spread(fullest, g.road, movements[column[OUT_FULLEST]])
    if column[UP_QUEUE] >= 0:
        for counted, at in ((queue, column[UP_QUEUE]), (queue * served, column[UP_GREEN])):
            total = _group_sums(counted.reshape(len(queue), -1), g.above_movements)
            _write_share(total, VEHICLES, total)
            _spread(total, g.above, movements[at])


def _spread(values: FloatArray | Float32Array, which: NDArray[np.intp], out: Float32Array) -> None:
    """Overwrite `out` (B, I, M) with those of values (B, n), 0 where it is none of the n."""
    known = np.zeros((len(values), values.shape[1] + 1), np.float32)
    known[:, :-1] = values
    np.take(known, which, axis=1, out=out, mode="clip")  # which spares a copy; nothing is clipped


def _allowed(
    queue: Float32Array, signals: SignalStatus, served: BoolArray, is_current: BoolArray, g: Gathers
) -> BoolArray:
    """(B, I, C): granted by the shield, and not a phase that has been green for too long while others wait."""
    allowed: BoolArray = (signals.granted.take(g.granted_at, axis=1) != 0) & (g.choice_phase >= 0)
    overdue = (signals.phase >= 0) & (signals.green_s >= LONGEST_GREEN_S)
    if overdue.any():
        others_wait = ((queue > 0) & g.can_be_served & ~served).any(axis=2)
        another_is_granted = (allowed & ~is_current).any(axis=2)
        allowed &= ~(is_current & (overdue & others_wait & another_is_granted)[:, :, None])
    return allowed


def _write_signal(signal: Float32Array, green_s: IntArray, interval_s: int, table: Table) -> None:
    if table.signal_column[GREEN_TIME] >= 0:
        _write_share(green_s, GREEN_TIME_S, signal[:, :, table.signal_column[GREEN_TIME]])
    if table.signal_column[INTERVAL] >= 0:
        signal[:, :, table.signal_column[INTERVAL]] = min(interval_s / INTERVAL_S, HIGHEST)
        signal[:, :, table.signal_column[CLEARANCE]] = np.minimum(table.clearance_s / CLEARANCE_S, HIGHEST)


def _write_share(values: IntArray | Float32Array, unit: float, out: Float32Array) -> None:
    """Overwrite `out` with whole numbers by the unit. A quotient of two numbers that 32 bits hold exactly is the same
    whether it is rounded once, or to 64 bits before (Figueroa 1995, When is double rounding innocuous?)."""
    np.divide(values, unit, out=out, dtype=np.float32, casting="same_kind")
    np.minimum(out, np.float32(HIGHEST), out=out)
