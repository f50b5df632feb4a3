"""How full the lanes of each phase are: flow ratios by lane groups, with turns that yield counted as several vehicles.

A phase's critical ratio is that of its fullest lanes, as in the Highway Capacity Manual (HCM 6th ed., ch. 19): those
who may choose among lanes spread over them, so what counts for any lanes side by side is everybody who has no others.
A turn that gives way to a stream with green goes when that leaves gaps; each of its vehicles takes as long as
`SATURATION_VPHPL` through the discharge of a permitted left turn (ch. 31). The time in which the other stream's queue
drives off is not taken from its green.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from intergreen.envs.yielding import goes_second

if TYPE_CHECKING:
    from collections.abc import Sequence

    from intergreen.envs.arrays import BoolArray, FloatArray, IntArray
    from intergreen.envs.network import RoadNetwork

SATURATION_VPHPL = 1800.0  # headway of 2 s, the literature's driver; HCM 6th ed. has 1900 as its base
CRITICAL_HEADWAY_S, FOLLOW_UP_S = 4.5, 2.5  # of permitted left turns, HCM 6th ed., ch. 31


class CriticalRatios:
    """Of the phases of any signal of a network, for flows (M,) in veh/h of every movement."""

    def __init__(self, network: RoadNetwork, flows_vph: FloatArray) -> None:
        self._network, self._flows_vph = network, flows_vph
        self._second, self._first = goes_second(network)

    def of(self, j: int, turns: Sequence[int]) -> FloatArray:
        """(p,) of the local phases `turns` of intersection `j`; flow with several phases is shared among them."""
        here = self._network.movements_of(j)
        serves = self._network.phase_matrix(j)[list(turns)]
        lanes = [self._network.start_lanes(m) for m in range(here.start, here.stop)]
        driven = can_drive(serves, lanes)
        share = self._flows_vph[here] / np.maximum(driven.sum(axis=0), 1)
        load_vph = driven * share * self._vehicles_each(here, serves)
        ratio = np.zeros(len(serves))
        from_road = self._network.movement_from_road[here]
        for road in np.unique(from_road):
            mine = [m for m in np.flatnonzero(from_road == road) if len(lanes[m])]
            ratio = np.maximum(ratio, fullest_lanes(load_vph[:, mine], [lanes[m] for m in mine]) / SATURATION_VPHPL)
        return ratio

    def _vehicles_each(self, here: slice, serves: BoolArray) -> FloatArray:
        """(p, m) how many vehicles that need not yield take as long as one of the movement's."""
        opposing_vph = np.zeros(serves.shape)
        pairs = (self._second >= here.start) & (self._second < here.stop)
        for second, first in zip(self._second[pairs] - here.start, self._first[pairs] - here.start, strict=True):
            both = serves[:, second] & serves[:, first]
            opposing_vph[both, second] += self._flows_vph[here.start + first]
        elsewhere = serves.all(axis=0) & (len(serves) > 1)  # a turn that is always green has other phases' gaps
        yields = (opposing_vph > 0.0) & ~elsewhere
        return np.where(yields, SATURATION_VPHPL / permitted_vph(opposing_vph), 1.0)


def can_drive(serves: BoolArray, lanes: Sequence[IntArray]) -> BoolArray:
    """(p, m): has the movement green, and a lane on which everybody has green; just green, if no phase gives it both.

    Where a lane is for two movements, who waits for the other's phase keeps both waiting.

    Parameters
    ----------
    serves : (p, m) green
    lanes : those that each of the m movements starts from
    """
    of_lane: dict[int, list[int]] = {}
    for m, some in enumerate(lanes):
        for lane in some.tolist():
            of_lane.setdefault(lane, []).append(m)
    is_free = {lane: serves[:, sharing].all(axis=1) for lane, sharing in of_lane.items()}
    free = np.zeros(serves.shape, np.bool_)
    for m, some in enumerate(lanes):
        for lane in some.tolist():
            free[:, m] |= is_free[lane]
    return np.where(free.any(axis=0), free, serves)


def fullest_lanes(load_vph: FloatArray, lanes: Sequence[IntArray]) -> FloatArray:
    """(p,) veh/h on each lane of the fullest group of lanes side by side, if drivers spread as evenly as they can.

    Of any lanes, those who have no others must use them; the fullest such group is what no spreading avoids.

    >>> left, through = np.array([0]), np.array([0, 1])
    >>> fullest_lanes(np.array([[100.0, 500.0], [400.0, 200.0]]), [left, through])
    array([300., 400.])

    Parameters
    ----------
    load_vph : (p, m)
    lanes : one or more of each of the m movements
    """
    first, last = np.array([some.min() for some in lanes]), np.array([some.max() for some in lanes])
    fullest = np.zeros(len(load_vph))
    for start in np.unique(first):
        for end in np.unique(last[last >= start]):
            within = (first >= start) & (last <= end)
            fullest = np.maximum(fullest, load_vph[:, within].sum(axis=1) / (end - start + 1))
    return fullest


def permitted_vph(opposing_vph: FloatArray) -> FloatArray:
    """Discharge of a lane whose drivers cross a stream of `opposing_vph` in its gaps; HCM 6th ed., ch. 31.

    >>> permitted_vph(np.array([200.0, 800.0])).round()
    array([1201.,  690.])
    """
    flow = np.maximum(opposing_vph, 1.0) / 3600.0
    discharge: FloatArray = np.exp(-flow * CRITICAL_HEADWAY_S) / (1.0 - np.exp(-flow * FOLLOW_UP_S))
    return 3600.0 * flow * discharge
