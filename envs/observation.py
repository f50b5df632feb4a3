"""Observations from lane counts: what a policy sees of each signal. Plain functions on arrays, NumPy only.

The batched core compiles `observe` with Numba, whatever runs a trained policy may call it as it is: one source, so that
a policy always sees what it was trained on. Knows no simulator and no learner.

One layout for any intersection, float32, all values from 0 to `HIGHEST`. For M movements and C choices (those of the
widest signal, or more) the vector of a signal holds four blocks, one after the other; each row by row:

| block    | shape  | columns                                                                       |
|----------|--------|-------------------------------------------------------------------------------|
| movement | (M, f) | `exists`, then the movement features asked for                                |
| choice   | (C, 2) | `current`: the phase last shown as green; `allowed`: may be asked for now     |
| signal   | (s,)   | the signal features asked for                                                 |
| serves   | (C, M) | 1 where the choice gives the movement green: the phase-movement incidence     |

Features by name. A name may stand for several columns. "Vehicles" are those on all lanes that the movement starts
from, and on those close before them (`intergreen.envs.network.approaches`); a lane that several movements share counts
in each of them. Who turns about beside others has no row where one of theirs is served with it: it would count their
lanes once more (`intergreen.envs.network.turnarounds`). Units: 1 is ten vehicles, unless said otherwise.

| name         | of       | columns                     | meaning                                                      |
|--------------|----------|-----------------------------|--------------------------------------------------------------|
| `queue`      | movement | `queue`                     | vehicles slower than 0.1 m/s                                 |
| `arriving`   | movement | `arriving_0` .. `_4`        | moving vehicles, by seconds from the stop line at the limit: |
|              |          |                             | up to 2.5, 5, 10, 15, 30                                     |
| `occupied`   | movement | `occupied`                  | all vehicles, as a share of the lanes' room                  |
| `downstream` | movement | `out_queue`,                | vehicles slower than 0.1 m/s per lane of the road ahead;     |
|              |          | `out_free`                  | free share of that road's room, 0 to 1                       |
| `green`      | movement | `green`                     | 1 if the phase last shown as green serves it                 |
| `turn`       | movement | `right`, `left`, `straight` | 1 for its turn                                               |
| `lanes`      | movement | `lanes`                     | lanes it starts from, a shared one divided by its movements; |
|              |          |                             | unit: 1                                                      |
| `upstream`   | movement | `up_queue`,                 | vehicles slower than 0.1 m/s at the signals upstream, on the |
|              |          | `up_green`                  | lanes that lead to the movement's road; those with green now |
| `red_time`   | movement | `red_time`                  | seconds since it had green, 0 if it has; unit: 60 s          |
| `spillback`  | movement | `out_fullest`               | all vehicles on the fullest lane of the road ahead, as a     |
|              |          |                             | share of that lane's room: who wants to go there when it is  |
|              |          |                             | full stands on the junction, whatever room is beside it      |
| `passing`    | movement | `passing`                   | who would cross within the next slot if it had green: those  |
|              |          |                             | who wait and those who come in time, lane by lane at most    |
|              |          |                             | one every `HEADWAY_S`; a slot is the seconds between         |
|              |          |                             | decisions, less the transition where it has no green yet     |
| `green_time` | signal   | `green_time`                | seconds since the present green began; unit: 30 s            |
| `timing`     | signal   | `interval`, `clearance`     | seconds between decisions, and of the longest transition     |
|              |          |                             | between two choices; units: 10 s and 5 s                     |

A signal with fewer movements or choices has 0 in the places it lacks. A phase that has been green for `LONGEST_GREEN_S`
is not `allowed` while vehicles wait for a choice that serves other movements and another one is: where traffic is
locked, nothing that a policy sees changes any more, and the same answer for ever would keep it so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from intergreen.envs.errors import InputError, meant, shown

if TYPE_CHECKING:
    from intergreen.envs.arrays import BoolArray, ByteArray, Float32Array, FloatArray, IntArray

HIGHEST = 10.0
VEHICLES = 10.0  # one unit of every count
GREEN_TIME_S, INTERVAL_S, CLEARANCE_S = 30.0, 10.0, 5.0  # one unit of each time
LONGEST_GREEN_S = 120
RED_TIME_S = 60.0
VEHICLE_ROOM_M = 7.5  # a standing car and its gap
ARRIVAL_BOUNDS_S = (2.5, 5.0, 10.0, 15.0, 30.0)  # upper ends of the distance bins, seconds at the speed limit
N_BINS = len(ARRIVAL_BOUNDS_S)
BIN_MIDDLES_S = (1.25, 3.75, 7.5, 12.5, 22.5)
HEADWAY_S = 2.0  # between vehicles that leave a standing queue on one lane

MOVEMENT_COLUMNS: dict[str, tuple[str, ...]] = {
    "queue": ("queue",),
    "arriving": tuple(f"arriving_{k}" for k in range(N_BINS)),
    "occupied": ("occupied",),
    "downstream": ("out_queue", "out_free"),
    "green": ("green",),
    "turn": ("right", "left", "straight"),
    "lanes": ("lanes",),
    "upstream": ("up_queue", "up_green"),
    "red_time": ("red_time",),
    "spillback": ("out_fullest",),
    "passing": ("passing",),
}
SIGNAL_COLUMNS: dict[str, tuple[str, ...]] = {"green_time": ("green_time",), "timing": ("interval", "clearance")}
CHOICE_COLUMNS = ("current", "allowed")
DEFAULT_FEATURES = ("queue", "arriving", "occupied", "downstream", "green", "turn", "lanes", "green_time", "timing")
ALL_FEATURES = (*MOVEMENT_COLUMNS, *SIGNAL_COLUMNS)

_ALL_MOVEMENT_COLUMNS = tuple(column for columns in MOVEMENT_COLUMNS.values() for column in columns)
_ALL_SIGNAL_COLUMNS = tuple(column for columns in SIGNAL_COLUMNS.values() for column in columns)
_movement, _signal = _ALL_MOVEMENT_COLUMNS.index, _ALL_SIGNAL_COLUMNS.index
QUEUE, ARRIVING, OCCUPIED = _movement("queue"), _movement("arriving_0"), _movement("occupied")
OUT_QUEUE, OUT_FREE = _movement("out_queue"), _movement("out_free")
GREEN, RIGHT, LEFT, STRAIGHT = _movement("green"), _movement("right"), _movement("left"), _movement("straight")
LANES, UP_QUEUE, UP_GREEN = _movement("lanes"), _movement("up_queue"), _movement("up_green")
RED_TIME, OUT_FULLEST, PASSING = _movement("red_time"), _movement("out_fullest"), _movement("passing")
GREEN_TIME, INTERVAL, CLEARANCE = _signal("green_time"), _signal("interval"), _signal("clearance")


@dataclass(frozen=True, slots=True)
class Blocks:
    """Sizes of an observation vector: all that a policy needs to take it apart."""

    movements: int
    movement_columns: int
    choices: int
    signal_columns: int

    @property
    def size(self) -> int:
        """Values in the vector of one signal."""
        return self.serves_at + self.choices * self.movements

    @property
    def choices_at(self) -> int:
        return self.movements * self.movement_columns

    @property
    def signal_at(self) -> int:
        return self.choices_at + self.choices * len(CHOICE_COLUMNS)

    @property
    def serves_at(self) -> int:
        return self.signal_at + self.signal_columns


class Table(NamedTuple):
    """What `observe` needs, as flat arrays. I signals with N movements together, C choices, M movements of the widest.

    An array called ``a_start`` has one entry more than its axis: item ``i`` owns ``a[a_start[i]:a_start[i + 1]]``.
    """

    movement_start: IntArray  # (I + 1,)
    movement: IntArray  # (N,) number in the network
    lane_start: IntArray  # (N + 1,) lanes where vehicles for each movement are seen
    lanes: IntArray
    lane_room: FloatArray  # (N,) vehicles that fit on them
    lane_share: FloatArray  # (N,) lanes, each divided by the movements that share it
    turn: IntArray  # (N,) column of its turn
    out_first: IntArray  # (N,) first lane of the road it leads to
    out_past: IntArray  # (N,)
    out_room: FloatArray  # (N,) vehicles that fit on that road
    fits: FloatArray  # (L,) vehicles that fit on each lane of the network
    up_start: IntArray  # (N + 1,) movements upstream that lead to its road, numbered 0..N-1
    up_movement: IntArray
    up_signal: IntArray  # and their signals
    phase_start: IntArray  # (I + 1,) local phases of each signal
    phase_offset: IntArray  # (I,) number in the network of a signal's first phase
    clearance_s: IntArray  # (I,) longest transition between two choices
    phase_serves: IntArray  # (all phases, M) 1 where it gives the signal's movement green
    choice_phase: IntArray  # (I, C) local phase, -1 where the signal has no such choice
    movement_column: IntArray  # position of each movement column in a row, -1 not asked for
    signal_column: IntArray  # position of each signal column, -1 not asked for
    movements: int  # M
    movement_columns: int
    choices: int  # C
    signal_columns: int


def check_features(features: Sequence[str]) -> None:
    """Raise InputError for a feature that is unknown or named twice."""
    if isinstance(features, str):
        raise InputError("observation", "features", f"are one text, {features!r}", f"write a list, [{features!r}]")
    for k, name in enumerate(features):
        if name not in ALL_FEATURES:
            problem = f"no feature is called {shown(name)}"
            mend = f"{meant(str(name), ALL_FEATURES)}known: {', '.join(ALL_FEATURES)}"
            raise InputError("observation", "features", problem, mend)
        if name in features[:k]:
            raise InputError("observation", "features", f"{name!r} stands there twice", "name it once")


def observe(
    waiting: IntArray,
    vehicles: IntArray,
    arriving: IntArray,
    phase: IntArray,
    green_s: IntArray,
    red_s: IntArray,
    granted: ByteArray,
    interval_s: int,
    table: Table,
    out: Float32Array,
) -> None:
    """Write the observations of one network to `out` (I, size), all of it.

    waiting   (L,) vehicles slower than 0.1 m/s
    vehicles  (L,)
    arriving  (L, N_BINS) moving vehicles by distance, see `arrival_bounds_m`
    phase     (I,) local phase last shown as green, -1 none yet
    green_s   (I,) seconds since that green began
    red_s     (M,) seconds since each movement of the network had green
    granted   (P,) 1 for every phase of the network that the signals would grant now
    """
    for i in range(table.choice_phase.shape[0]):
        for k in range(out.shape[1]):
            out[i, k] = 0.0
        first_movement = table.movement_start[i]
        shown_phase = table.phase_start[i] + phase[i]
        for local in range(table.movement_start[i + 1] - first_movement):
            n = first_movement + local
            at = local * table.movement_columns
            out[i, at] = 1.0
            if table.movement_column[QUEUE] >= 0:
                total = 0
                for k in range(table.lane_start[n], table.lane_start[n + 1]):
                    total += waiting[table.lanes[k]]
                out[i, at + table.movement_column[QUEUE]] = min(total / VEHICLES, HIGHEST)
            if table.movement_column[ARRIVING] >= 0:
                for step in range(N_BINS):
                    total = 0
                    for k in range(table.lane_start[n], table.lane_start[n + 1]):
                        total += arriving[table.lanes[k], step]
                    out[i, at + table.movement_column[ARRIVING] + step] = min(total / VEHICLES, HIGHEST)
            if table.movement_column[OCCUPIED] >= 0:
                total = 0
                for k in range(table.lane_start[n], table.lane_start[n + 1]):
                    total += vehicles[table.lanes[k]]
                out[i, at + table.movement_column[OCCUPIED]] = min(total / table.lane_room[n], HIGHEST)
            if table.movement_column[OUT_QUEUE] >= 0:
                total, inside = 0, 0
                for lane in range(table.out_first[n], table.out_past[n]):
                    total += waiting[lane]
                    inside += vehicles[lane]
                per_lane = total / (table.out_past[n] - table.out_first[n])
                out[i, at + table.movement_column[OUT_QUEUE]] = min(per_lane / VEHICLES, HIGHEST)
                out[i, at + table.movement_column[OUT_FREE]] = max(0.0, 1.0 - inside / table.out_room[n])
            if table.movement_column[OUT_FULLEST] >= 0:
                fullest = 0.0
                for lane in range(table.out_first[n], table.out_past[n]):
                    fullest = max(fullest, vehicles[lane] / table.fits[lane])
                out[i, at + table.movement_column[OUT_FULLEST]] = min(fullest, HIGHEST)
            if table.movement_column[PASSING] >= 0:
                slot_s = interval_s
                if phase[i] < 0 or table.phase_serves[shown_phase, local] == 0:
                    slot_s = max(interval_s - table.clearance_s[i], 0)
                crossing = 0.0
                for k in range(table.lane_start[n], table.lane_start[n + 1]):
                    total = waiting[table.lanes[k]]
                    for step in range(N_BINS):
                        if BIN_MIDDLES_S[step] <= slot_s:
                            total += arriving[table.lanes[k], step]
                    crossing += min(float(total), slot_s / HEADWAY_S)
                out[i, at + table.movement_column[PASSING]] = min(crossing / VEHICLES, HIGHEST)
            if table.movement_column[GREEN] >= 0 and phase[i] >= 0:
                out[i, at + table.movement_column[GREEN]] = table.phase_serves[shown_phase, local]
            if table.movement_column[RIGHT] >= 0:
                out[i, at + table.movement_column[table.turn[n]]] = 1.0
            if table.movement_column[LANES] >= 0:
                out[i, at + table.movement_column[LANES]] = min(table.lane_share[n], HIGHEST)
            if table.movement_column[RED_TIME] >= 0:
                out[i, at + table.movement_column[RED_TIME]] = min(red_s[table.movement[n]] / RED_TIME_S, HIGHEST)
            if table.movement_column[UP_QUEUE] >= 0:
                total, with_green = 0, 0
                for u in range(table.up_start[n], table.up_start[n + 1]):
                    above, signal = table.up_movement[u], table.up_signal[u]
                    has_green = 0
                    if phase[signal] >= 0:
                        row = table.phase_start[signal] + phase[signal]
                        has_green = table.phase_serves[row, above - table.movement_start[signal]]
                    for k in range(table.lane_start[above], table.lane_start[above + 1]):
                        total += waiting[table.lanes[k]]
                        with_green += has_green * waiting[table.lanes[k]]
                out[i, at + table.movement_column[UP_QUEUE]] = min(total / VEHICLES, HIGHEST)
                out[i, at + table.movement_column[UP_GREEN]] = min(with_green / VEHICLES, HIGHEST)
        choices_at = table.movements * table.movement_columns
        signal_at = choices_at + 2 * table.choices
        serves_at = signal_at + table.signal_columns
        overdue = phase[i] >= 0 and green_s[i] >= LONGEST_GREEN_S
        somebody_waits = another_is_granted = False
        current = -1
        for c in range(table.choices):
            local_phase = table.choice_phase[i, c]
            if local_phase < 0:
                continue
            out[i, choices_at + 2 * c + 1] = granted[table.phase_offset[i] + local_phase]
            if local_phase == phase[i]:
                out[i, choices_at + 2 * c] = 1.0
                current = c
            elif granted[table.phase_offset[i] + local_phase] != 0:
                another_is_granted = True
            row = table.phase_start[i] + local_phase
            for local in range(table.movement_start[i + 1] - first_movement):
                serves = table.phase_serves[row, local]
                out[i, serves_at + c * table.movements + local] = serves
                if overdue and serves == 1 and table.phase_serves[shown_phase, local] == 0:
                    for k in range(
                        table.lane_start[first_movement + local], table.lane_start[first_movement + local + 1]
                    ):
                        somebody_waits = somebody_waits or waiting[table.lanes[k]] > 0
        if current >= 0 and somebody_waits and another_is_granted:
            out[i, choices_at + 2 * current + 1] = 0.0
        if table.signal_column[GREEN_TIME] >= 0:
            out[i, signal_at + table.signal_column[GREEN_TIME]] = min(green_s[i] / GREEN_TIME_S, HIGHEST)
        if table.signal_column[INTERVAL] >= 0:
            out[i, signal_at + table.signal_column[INTERVAL]] = min(interval_s / INTERVAL_S, HIGHEST)
            out[i, signal_at + table.signal_column[CLEARANCE]] = min(table.clearance_s[i] / CLEARANCE_S, HIGHEST)


def allowed_choices(observation: Float32Array, blocks: Blocks) -> BoolArray:
    """(..., C): what may be asked for now, read from observations (..., size)."""
    flags = observation[..., blocks.choices_at : blocks.signal_at]
    allowed: BoolArray = flags[..., len(CHOICE_COLUMNS) - 1 :: len(CHOICE_COLUMNS)] > 0.0
    return allowed
