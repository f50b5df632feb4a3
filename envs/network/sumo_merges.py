"""Lanes that end beside others that go on: behind a signal, and behind an on-ramp.

SUMO's drivers leave such a lane along the road, one after the other with those whose lane goes on. Ours keep their
lane, so the end of one gets connections of its own: those of the lane beside it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from intergreen.envs.network.sumo_net import TURNAROUND

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from intergreen.envs.network.sumo_links import Path
    from intergreen.envs.network.sumo_net import SumoConnection, SumoNet

SHORTEST_M = 15.0  # room for two; what is shorter is a corner of the drawing


def with_merges(net: SumoNet, paths: Sequence[Path | None]) -> SumoNet:
    """The network with connections from the lanes for cars that end although others of their road go on; at signals,
    where lanes are for whom the programme serves, they stay as they are."""
    onward: dict[str, dict[int, list[int]]] = {}
    for number, (c, path) in enumerate(zip(net.connections, paths, strict=True)):
        if path is not None:
            onward.setdefault(c.start_edge, {}).setdefault(c.start_lane, []).append(number)
    merges = [merge for edge, by_lane in onward.items() for merge in _merges(net, edge, by_lane)]
    return replace(net, connections=[*net.connections, *merges])


def _merges(net: SumoNet, edge: str, by_lane: dict[int, list[int]]) -> Iterator[SumoConnection]:
    """Of one road, by the numbers of the connections of each lane that has some."""
    if any(net.connections[number].signal for numbers in by_lane.values() for number in numbers):
        return
    for lane, there in enumerate(net.edges[edge].lanes):
        if not there.for_cars or lane in by_lane or there.length_m < SHORTEST_M:
            continue
        beside = min(by_lane, key=lambda other: abs(other - lane))
        for number in by_lane[beside]:
            joined = net.connections[number]
            if joined.direction != TURNAROUND:
                yield joined._replace(start_lane=lane, via="", beside=number)
