"""Observations from lane counts: what a policy sees of each signal. Plain functions on arrays, NumPy only.

The environments, the learned controller and whatever runs a trained policy call this one place, so that a policy
always sees what it was trained on. Knows no simulator and no learner.

Observation of one signal, float32, F = M + P, for the widest signal of the network (M movements, P phases):

| index     | name        | meaning                                             | range  | unit           |
|-----------|-------------|-----------------------------------------------------|--------|----------------|
| 0 .. M-1  | `queue_m`   | vehicles slower than 0.1 m/s on the incoming lanes  | 0 to 1 | 40 vehicles    |
|           |             | of the signal's m-th movement                       |        |                |
| M .. F-1  | `phase_p`   | 1 if local phase p was the last one shown as green  | 0, 1   | -              |

Movements stand in the network's order. A lane that several movements share counts in each of them. Queues of more
than 40 vehicles look like 40. A signal with fewer movements or phases has 0 in the places it lacks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from intergreen.envs.arrays import ReadOnlyRecord

if TYPE_CHECKING:
    from intergreen.envs.arrays import BoolArray, Float32Array, IntArray
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.signals import SignalPlan

QUEUE_SCALE_VEH = 40.0  # 300 m of standing cars, 7.5 m each: what fits on the lanes of most of the networks
NO_LANE = -1


@dataclass(frozen=True, slots=True, eq=False)
class ObservationLayout(ReadOnlyRecord):
    """Where the features of I signals come from; read-only arrays.

    movement_lanes  (I, M, K) int32, lanes that each movement starts from, padded with -1
    approach_lanes  (I, A) int32, all incoming lanes of each signal, padded with -1
    n_movements     (I,) int32
    n_phases        (I,) int32
    n_choices       (I,) int32
    """

    movement_lanes: IntArray
    approach_lanes: IntArray
    n_movements: IntArray
    n_phases: IntArray
    n_choices: IntArray

    @property
    def n_signals(self) -> int:
        return len(self.n_movements)

    @property
    def widest(self) -> tuple[int, int, int]:
        """Movements, phases and choices of the widest signal: what a policy's inputs and outputs are made for."""
        return self.movement_lanes.shape[1], int(self.n_phases.max()), int(self.n_choices.max())

    @property
    def n_features(self) -> int:
        movements, phases, _ = self.widest
        return movements + phases


def make_layout(network: RoadNetwork, plan: SignalPlan) -> ObservationLayout:
    """The layout for the signals of `plan`; a network without signals has nothing to observe: ValueError."""
    if plan.n_signals == 0:
        raise ValueError(f"network {network.name!r} has no signal with two phases or more: there is nothing to control")
    starts = network.movement_start
    movements = [range(starts[j], starts[j + 1]) for j in plan.intersection]
    return ObservationLayout(
        movement_lanes=_padded([[_movement_lanes(network, m) for m in of_signal] for of_signal in movements]),
        approach_lanes=_padded([[_approach_lanes(network, of_signal)] for of_signal in movements])[:, 0],
        n_movements=np.array([len(of_signal) for of_signal in movements], dtype=np.int32),
        n_phases=plan.n_phases.copy(),
        n_choices=plan.n_choices.copy(),
    )


def feature_names(layout: ObservationLayout) -> tuple[str, ...]:
    """Names of the F features, in their order."""
    movements, phases, _ = layout.widest
    return (*(f"queue_{m}" for m in range(movements)), *(f"phase_{p}" for p in range(phases)))


def observe(waiting: IntArray, phase: IntArray, layout: ObservationLayout) -> Float32Array:
    """Observations (B, I, F).

    waiting  (B, L) vehicles slower than 0.1 m/s
    phase    (B, I) local phase last shown as green, -1 none yet
    """
    movements, phases, _ = layout.widest
    observation = np.empty((*phase.shape, movements + phases), dtype=np.float32)
    queue_veh = on_lanes(waiting, layout.movement_lanes)  # (B, I, M)
    observation[..., :movements] = np.minimum(queue_veh / QUEUE_SCALE_VEH, 1.0)
    observation[..., movements:] = phase[..., None] == np.arange(phases)
    return observation


def on_lanes(counts: IntArray, lanes: IntArray) -> IntArray:
    """Sums (B, ...) of the counts (B, L) over the last axis of `lanes` (..., K), -1 where there is no lane."""
    sums: IntArray = np.where(lanes >= 0, counts[:, lanes], 0).sum(axis=-1, dtype=np.int32)
    return sums


def legal_choices(layout: ObservationLayout) -> BoolArray:
    """(I, C): does the signal have that many choices?"""
    legal: BoolArray = np.arange(layout.widest[2]) < layout.n_choices[:, None]
    return legal


def _movement_lanes(network: RoadNetwork, movement: int) -> list[int]:
    links = slice(network.movement_link_start[movement], network.movement_link_start[movement + 1])
    return sorted(set(network.link_from_lane[links].tolist()))


def _approach_lanes(network: RoadNetwork, movements: range) -> list[int]:
    """All lanes of the roads that the movements come from."""
    roads = sorted(set(network.movement_from_road[movements.start : movements.stop].tolist()))
    return [lane for r in roads for lane in range(network.road_lane_start[r], network.road_lane_start[r + 1])]


def _padded(lists: list[list[list[int]]]) -> IntArray:
    """A table (I, M, K) of the lanes in `lists`, as wide as the longest ones."""
    most = max(len(of_signal) for of_signal in lists)
    longest = max((len(lanes) for of_signal in lists for lanes in of_signal), default=0)
    table = np.full((len(lists), most, longest), NO_LANE, dtype=np.int32)
    for i, of_signal in enumerate(lists):
        for m, lanes in enumerate(of_signal):
            table[i, m, : len(lanes)] = lanes
    return table
