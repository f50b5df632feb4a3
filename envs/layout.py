"""Where the features of a network's signals come from: what `observe` reads, made once for a network and a plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from intergreen.envs.arrays import ranges
from intergreen.envs.network.approaches import approach_lanes_by_movement, stop_line_ahead_m
from intergreen.envs.network.road_network import require_signals
from intergreen.envs.network.turnarounds import turns_about_beside_others
from intergreen.envs.observation import (
    ARRIVAL_BOUNDS_S,
    CHOICE_COLUMNS,
    DEFAULT_FEATURES,
    LEFT,
    MOVEMENT_COLUMNS,
    RIGHT,
    SIGNAL_COLUMNS,
    STRAIGHT,
    VEHICLE_ROOM_M,
    Blocks,
    Table,
    check_features,
)
from intergreen.envs.signals.pairs import greens_of, pairs_of

if TYPE_CHECKING:
    from intergreen.envs.arrays import FloatArray, IntArray
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.signals import SignalPlan

_TURN_COLUMN = np.array([-1, RIGHT, LEFT, STRAIGHT], np.int32)  # by the network's kinds of turn, which begin with 1


@dataclass(frozen=True, slots=True, eq=False)
class ObservationLayout:
    """Where the features of I signals come from, and how wide the vector is."""

    features: tuple[str, ...]
    blocks: Blocks
    table: Table

    @property
    def n_signals(self) -> int:
        return len(self.table.choice_phase)

    @property
    def n_choices(self) -> IntArray:
        """(I,) choices of each signal."""
        return np.count_nonzero(self.table.choice_phase >= 0, axis=1).astype(np.int32)


def make_layout(
    network: RoadNetwork,
    plan: SignalPlan,
    *,
    features: Sequence[str] = DEFAULT_FEATURES,
    movements: int | None = None,
    choices: int | None = None,
) -> ObservationLayout:
    """The layout for the signals of `plan`.

    Parameters
    ----------
    features : names from the table of `observation.py`
    movements, choices : room for so many, at least those of the widest signal; None: just that

    Raises
    ------
    InputError
        If a feature is unknown or named twice, or the network has no signals.
    """
    check_features(features)
    require_signals(network, network.name, mend="use another network")
    owned, counts = _rows(network, plan)
    most = int(counts.max())
    movements = most if movements is None else movements
    choices = plan.choices.shape[1] if choices is None else choices
    if movements < most or choices < plan.choices.shape[1]:
        raise ValueError(f"need room for {most} movements and {plan.choices.shape[1]} choices")
    movement_column, row = _columns(MOVEMENT_COLUMNS, features, first=1)
    signal_column, signal_columns = _columns(SIGNAL_COLUMNS, features, first=0)
    first_lane, lanes_of_all = approach_lanes_by_movement(network)
    n_lanes = np.diff(first_lane)[owned]
    lane_start, lanes = _starts(n_lanes), lanes_of_all[ranges(first_lane[owned], n_lanes)]
    first_start, starts_of_all = network.start_lanes_by_movement()
    n_starts = np.diff(first_start)[owned]
    starting, start_lanes = _starts(n_starts), starts_of_all[ranges(first_start[owned], n_starts)]
    sharing = np.bincount(start_lanes, minlength=network.n_lanes)
    out_road = network.movement_to_road[owned]
    road_length_m = _sums(network.lane_length_m, network.road_lane_start)
    up_start, up_movement = _upstream(network, owned)
    choice_phase = np.full((plan.n_signals, choices), -1, np.int32)
    choice_phase[:, : plan.choices.shape[1]] = plan.choices
    phase_serves = _phase_serves(network, plan, owned, movements)
    phase_start = _starts(plan.n_phases)
    table = Table(
        movement_start=_starts(counts),
        movement=_int32(owned),
        lane_start=lane_start,
        lanes=lanes,
        lane_room=_room(_sums(network.lane_length_m[lanes], lane_start)),
        lane_share=_sums(1.0 / sharing[start_lanes], starting),
        turn=_TURN_COLUMN[network.movement_turn[owned]],
        out_first=_int32(network.road_lane_start[out_road]),
        out_past=_int32(network.road_lane_start[out_road + 1]),
        out_room=_room(road_length_m)[out_road],
        fits=_room(network.lane_length_m),
        up_start=up_start,
        up_movement=up_movement,
        up_signal=np.repeat(np.arange(plan.n_signals, dtype=np.int32), counts)[up_movement],
        phase_start=phase_start,
        phase_offset=plan.phase_offset,
        clearance_s=plan.longest_transition_s,
        phase_serves=phase_serves,
        choice_phase=choice_phase,
        movement_column=movement_column,
        signal_column=signal_column,
        movements=movements,
        movement_columns=row,
        choices=choices,
        signal_columns=signal_columns,
    )
    return ObservationLayout(tuple(features), Blocks(movements, row, choices, signal_columns), table)


def feature_names(layout: ObservationLayout) -> tuple[str, ...]:
    """Names of the values of a signal's vector, in their order."""
    blocks = layout.blocks
    row = ("exists", *_asked_for(MOVEMENT_COLUMNS, layout.features))
    return (
        *(f"movement_{m}.{column}" for m in range(blocks.movements) for column in row),
        *(f"choice_{c}.{column}" for c in range(blocks.choices) for column in CHOICE_COLUMNS),
        *(f"signal.{column}" for column in _asked_for(SIGNAL_COLUMNS, layout.features)),
        *(f"choice_{c}.serves_{m}" for c in range(blocks.choices) for m in range(blocks.movements)),
    )


def arrival_bounds_m(network: RoadNetwork) -> FloatArray:
    """(L, N_BINS) m: how far from its end the distance bins of each lane reach; they begin at the stop line."""
    bounds_m = network.lane_speed_limit_mps[:, None] * np.array(ARRIVAL_BOUNDS_S)
    within: FloatArray = np.maximum(bounds_m - stop_line_ahead_m(network)[:, None], 0.0)
    return within


def _columns(known: dict[str, tuple[str, ...]], features: Sequence[str], *, first: int) -> tuple[IntArray, int]:
    """Position of every known column, -1 for those not asked for, and the width of a row."""
    asked = _asked_for(known, features)
    every = [column for columns in known.values() for column in columns]
    position = [first + asked.index(column) if column in asked else -1 for column in every]
    return np.array(position, np.int32), first + len(asked)


def _asked_for(known: dict[str, tuple[str, ...]], features: Sequence[str]) -> list[str]:
    """The columns of the features, in the order of `known`: the order of the names does not matter."""
    return [column for name, columns in known.items() if name in features for column in columns]


def _room(length_m: FloatArray) -> FloatArray:
    """Vehicles that fit on lanes of so many metres."""
    return np.maximum(1.0, length_m / VEHICLE_ROOM_M)


def _sums(values: FloatArray, starts: IntArray) -> FloatArray:
    """Of every values[starts[k]:starts[k + 1]], with the bits that summing it alone has: `reduceat` has others."""
    sizes = np.diff(starts)
    total = np.zeros(len(sizes))
    for size in np.unique(sizes).tolist():
        which = np.flatnonzero(sizes == size)
        total[which] = values[starts[which][:, None] + np.arange(size)].sum(axis=1)
    return total


def _upstream(network: RoadNetwork, owned: IntArray) -> tuple[IntArray, IntArray]:
    """Where those begin that lead to the road of each of the N movements, and which of the N they are."""
    to_road = network.movement_to_road[owned]
    leading = np.argsort(to_road, kind="stable").astype(np.int32)
    first = _int32(np.searchsorted(to_road[leading], np.arange(network.n_roads + 1)))
    road = network.movement_from_road[owned]
    sizes = np.diff(first)[road]
    return _starts(sizes), leading[ranges(first[road], sizes)]


def _rows(network: RoadNetwork, plan: SignalPlan) -> tuple[IntArray, IntArray]:
    """The movements that have rows, signal by signal, and how many each signal has: those that turn about beside others
    would count the same lanes once more."""
    sizes = np.diff(network.movement_start)[plan.intersection]
    owned = ranges(network.movement_start[plan.intersection], sizes)
    has_row = ~turns_about_beside_others(network)[owned]
    signal = np.repeat(np.arange(plan.n_signals), sizes)
    return owned[has_row], _int32(np.bincount(signal[has_row], minlength=plan.n_signals))


def _phase_serves(network: RoadNetwork, plan: SignalPlan, owned: IntArray, movements: int) -> IntArray:
    pairs = pairs_of(network, plan.intersection)
    greens = greens_of(network, pairs)
    has_row = np.isin(pairs.movement[greens.movement], owned)
    phase = np.repeat(np.arange(len(greens.phase)), np.diff(greens.start))[has_row]
    widths = _int32(np.bincount(phase, minlength=len(greens.phase)))
    serves = np.zeros((len(widths), movements), np.int32)
    serves[phase, ranges(np.zeros_like(widths), widths)] = greens.is_green[has_row]
    return serves


def _starts(counts: Sequence[int] | IntArray) -> IntArray:
    return _int32(np.concatenate(([0], np.cumsum(counts))))


def _int32(values: object) -> IntArray:
    return np.ascontiguousarray(values, dtype=np.int32)
