"""What a phase would serve: the vehicles that wait on the lanes of its movements, and how many could leave there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from intergreen.agents.controllers.critical_ratios import SATURATION_VPHPL
from intergreen.agents.controllers.pressure import served_movements
from intergreen.envs.network.approaches import approach_lanes

if TYPE_CHECKING:
    from intergreen.envs.arrays import FloatArray, IntArray
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.signals import SignalPlan


class Served(NamedTuple):
    """What one phase of every signal would serve, T decisions × B replicas × I signals."""

    phase: IntArray  # local, -1 none
    waiting: IntArray  # vehicles on the lanes of its movements
    released: FloatArray  # how many could leave before the next decision, of those and of who drives within reach


@dataclass(frozen=True, slots=True)
class PhaseLanes:
    """The lanes whose queue a phase serves, those of right turns alone left out as every pressure rule does.

    first  (I,) row of each signal's local phase 0
    lane   (P + 1, K) lanes of each phase, padded with L; the last row is that of no phase
    """

    first: IntArray
    lane: IntArray


def phase_lanes(network: RoadNetwork, plan: SignalPlan) -> PhaseLanes:
    """Lanes of every phase of the plan's signals."""
    rows = []
    for offset, n in zip(plan.phase_offset.tolist(), plan.n_phases.tolist(), strict=True):
        for phase in range(offset, offset + n):
            lanes = [approach_lanes(network, m) for m in served_movements(network, phase)]
            rows.append(np.unique(np.concatenate([*lanes, []])).astype(np.int32))
    lane = np.full((len(rows) + 1, max((len(row) for row in rows), default=0)), network.n_lanes, np.int32)
    for k, row in enumerate(rows):
        lane[k, : len(row)] = row
    return PhaseLanes((np.cumsum(plan.n_phases) - plan.n_phases).astype(np.int32), lane)


def served_of(
    phase: IntArray, waiting: IntArray, near: IntArray, green_s: FloatArray, lanes: PhaseLanes
) -> tuple[IntArray, FloatArray]:
    """(B, I) vehicles that wait on the lanes of the local phases (B, I), and how many can leave in `green_s` (B, I).

    A lane discharges at saturation flow, 1800 veh/h, and no more than wait there (B, L) or drive within reach of its
    stop line (B, L) now.
    """
    row = np.where(phase >= 0, lanes.first + phase, len(lanes.lane) - 1)
    at = np.arange(len(phase))[:, None, None], lanes.lane[row]
    queue, coming = (np.pad(counts, ((0, 0), (0, 1)))[at] for counts in (waiting, near))
    room = green_s[:, :, None] * (SATURATION_VPHPL / 3600.0)
    return queue.sum(axis=2, dtype=np.int32), np.minimum(queue + coming, room).sum(axis=2)
