"""The network as a page draws it: lines of lanes and lane links, and which belong to which movement and signal.

Places are whole decimetres, lengths centimetres. Each point comes with where it moves to as roads are drawn wider, so
that the page can keep them visible from afar (`street_map.Paths`). Points that a line does without are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from intergreen.envs.street_map import Paths

if TYPE_CHECKING:
    from intergreen.envs.arrays import FloatArray, IntArray
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.signals import SignalPlan

_STRAIGHT_ENOUGH_M = 0.12
_PER_M, _CM_PER_M = 10, 100


def world_arrays(network: RoadNetwork, plan: SignalPlan) -> dict[str, IntArray]:
    """Whole numbers by name; `x` and `y` are differences to the point before, over all drivables."""
    middle, wider = Paths(network, 1.0), Paths(network, 2.0)
    needed = _Needed()
    counts, points, aside = [], [], []
    for drivable in range(network.n_lanes + network.n_links):
        line, moved = middle.points_of(drivable), wider.points_of(drivable)
        kept = needed.of(line)
        counts.append(len(kept))
        points.append(line[kept])
        aside.append((moved - line)[kept])
    xy, away = _whole(np.concatenate(points), _PER_M), _whole(np.concatenate(aside), _PER_M)
    step = np.diff(xy, axis=0, prepend=0)
    at_signal = [network.movements_of(j) for j in plan.intersection.tolist()]
    signal_xy = _whole(network.intersection_xy[plan.intersection], _PER_M)
    return {
        "n_points": np.array(counts, np.int32),
        "x": step[:, 0],
        "y": step[:, 1],
        "aside_x": away[:, 0],
        "aside_y": away[:, 1],
        "length": _whole(np.concatenate([network.lane_length_m, network.link_length_m]), _CM_PER_M),
        "lane_width": _whole(network.lane_width_m, _CM_PER_M),
        "lane_limit": _whole(network.lane_speed_limit_mps, _CM_PER_M),
        "lane_road": network.lane_road,
        "link_from": network.link_from_lane,
        "link_movement": network.link_movement,
        "movement_junction": network.movement_intersection,
        "movement_turn": network.movement_turn.astype(np.int32),
        "signal_x": signal_xy[:, 0],
        "signal_y": signal_xy[:, 1],
        "signal_first": np.array([part.start for part in at_signal], np.int32),
        "signal_movements": np.array([part.stop - part.start for part in at_signal], np.int32),
    }


def world_facts(network: RoadNetwork, plan: SignalPlan) -> dict[str, Any]:
    """Names and phases, by signal."""
    return {
        "signals": [network.intersection_ids[j] for j in plan.intersection.tolist()],
        "roads": list(network.road_ids),
        "phases": [plan.choices[i, :n].tolist() for i, n in enumerate(plan.n_choices.tolist())],
        "clearance": plan.clearance_phase.tolist(),
    }


class _Needed:
    """Which points of a line it needs (Douglas and Peucker 1973); lines of the same shape are worked out once."""

    def __init__(self) -> None:
        self._known: dict[bytes, list[int]] = {}

    def of(self, line: FloatArray) -> list[int]:
        if len(line) == 2:
            return [0, 1]
        shape = np.round(line - line[0], 2).tobytes()
        if shape not in self._known:
            self._known[shape] = [0, *_bends(line, 0, len(line) - 1), len(line) - 1]
        return self._known[shape]


def _bends(line: FloatArray, first: int, last: int) -> list[int]:
    if last - first < 2:
        return []
    chord = line[last] - line[first]
    between = line[first + 1 : last] - line[first]
    size = float(np.hypot(*chord))
    away = np.hypot(*between.T) if size < 1e-9 else np.abs(chord[0] * between[:, 1] - chord[1] * between[:, 0]) / size
    if away.max() <= _STRAIGHT_ENOUGH_M:
        return []
    at = first + 1 + int(away.argmax())
    return [*_bends(line, first, at), at, *_bends(line, at, last)]


def _whole(values: FloatArray, per_unit: int) -> IntArray:
    whole: IntArray = np.round(values * per_unit).astype(np.int32)
    return whole
