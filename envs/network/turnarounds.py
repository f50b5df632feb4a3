"""Who turns about at a signal, from lanes that others use as well."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from intergreen.envs.arrays import BoolArray
    from intergreen.envs.network.road_network import RoadNetwork


def turns_about_beside_others(network: RoadNetwork) -> BoolArray:
    """(M,) those that turn about from lanes which another movement of a signal uses as well, and have green whenever
    that one has: who serves the other serves them, and their lanes are counted there."""
    if not network.movement_turns_about.any():
        return np.zeros(network.n_movements, np.bool_)
    beside = network.movement_turns_about.copy()
    first, starts = network.start_lanes_by_movement()
    lanes = [frozenset(starts[first[m] : first[m + 1]].tolist()) for m in range(network.n_movements)]
    greens = _greens(network)
    others = np.flatnonzero(~beside)
    of_road: dict[int, list[int]] = {}
    for m in others.tolist():
        of_road.setdefault(int(network.movement_from_road[m]), []).append(m)
    for m in np.flatnonzero(beside).tolist():
        same_road = of_road.get(int(network.movement_from_road[m]), [])
        beside[m] = any(lanes[m] <= lanes[other] and greens[other] <= greens[m] for other in same_road if greens[other])
    return beside


def _greens(network: RoadNetwork) -> list[set[int]]:
    """The phases in which each movement has green."""
    greens: list[set[int]] = [set() for _ in range(network.n_movements)]
    phase = np.repeat(np.arange(len(network.phase_movement_start) - 1), np.diff(network.phase_movement_start))
    for m, p in zip(network.phase_movements.tolist(), phase.tolist(), strict=True):
        greens[m].add(p)
    return greens
