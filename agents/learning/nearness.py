"""How near lanes are to a signal, by the junctions between: what the seconds lost there say about its choices.

What one choice does fades on its way through the network. What chance does, does not: in copies of the simulation that
differ in one choice everybody in the network soon drives a little otherwise, and the delay of a hundred roads far away
moves by more than the choice was worth. So a second lost counts in full on roads that touch the signal's junction or
one next to it, and half as much for every junction farther away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from intergreen.envs.arrays import FloatArray, IntArray
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.signals import SignalPlan

PER_JUNCTION = 0.5


def nearness(network: RoadNetwork, plan: SignalPlan) -> FloatArray:
    """(I, L): what a second lost on each lane counts for each signal; 0 where no way joins the two."""
    junctions = _junctions_between(network, plan.intersection)
    road = np.minimum(junctions[:, network.road_from], junctions[:, network.road_to])
    near = PER_JUNCTION ** np.maximum(road - 1.0, 0.0)
    return np.ascontiguousarray(near[:, network.lane_road])


def _junctions_between(network: RoadNetwork, start: IntArray) -> FloatArray:
    """(I, J) roads, driven along either way, from each of the `start` to every intersection; inf where none lead."""
    here = np.concatenate((network.road_from, network.road_to))
    there = np.concatenate((network.road_to, network.road_from))
    steps = np.full((len(start), network.n_intersections), np.inf)
    steps[np.arange(len(start)), start] = 0.0
    for row in steps:
        reached, n = np.isfinite(row), 0.0
        while True:
            n += 1.0
            new = np.zeros(len(row), np.bool_)
            new[there[reached[here]]] = True
            new &= ~reached
            if not new.any():
                break
            row[new] = n
            reached |= new
    return steps
