"""Two signals so near each other that who waits between them soon stands in the junction of the other one.

If both at once let people turn who must give way, in each direction the first one waits for those who come the other
way, and these stand behind the one who waits there: traffic locks, and no change of the lamps undoes it. So once the
road between two such signals has been full, and for a while after, one of them at most shows a phase in which who comes
from that road must give way; the other empties it in a phase in which all who are on it go first. The two change
places, once the road of both is empty, before somebody who would have green in the other phase waits for long; and a
full road is emptied so before its traffic gives way. For the same reason the two signals of a diamond interchange are
run as one (NCHRP Report 812, *Signal Timing Manual*, 2nd edition, 2015). Where the road has no phase of that kind
nothing changes, and nothing is wished that the shield would refuse.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from intergreen.agents.controllers.parted_lanes import standing_room
from intergreen.agents.controllers.usable import usable
from intergreen.envs.network.approaches import links_from_signals
from intergreen.envs.yielding import goes_second

if TYPE_CHECKING:
    from intergreen.envs.arrays import ByteArray, Float32Array, FloatArray, IntArray
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.signals import SignalPlan, SignalStatus

    Counts = IntArray | FloatArray | Float32Array

NEAR_M = 30.0  # of road between two signals, at most: four cars
REMEMBERED_S = 900  # that a road was full: a lock comes within one decision, too soon to wait for the next full road
LONGEST_RED_S = 90  # of who stands and would have green in the phase that is not shown


class NearSignals:
    """Those of a network under a plan, two by two, with the movements that must give way between them."""

    def __init__(self, network: RoadNetwork, plan: SignalPlan) -> None:
        turns = _yielding_turns(network, plan)
        self._pairs = [
            (one, other)
            for n, one in enumerate(turns)
            for other in turns[:n]
            if one.intersection in other.behind and other.intersection in one.behind
        ]
        self._until_s = np.zeros((0, len(self._pairs)), np.int64)  # (B, pairs) kept apart; no copies before the first

    def apart(self, wanted: IntArray, vehicles: Counts, signals: SignalStatus, time_s: int) -> IntArray:
        """The wishes (B, I), but that one signal at most of each pair lets the other's traffic turn and give way, and
        none begins to while that traffic fills the road; for `REMEMBERED_S` from when it has filled one of the two.

        The other one is that which empties its road already, unless somebody there has waited for too long, then the
        one with more vehicles on that road, then behind it. `vehicles` (B, L) on each lane.
        """
        if not self._pairs:
            return wanted
        parted = wanted.copy()
        if len(self._until_s) != len(wanted):
            self._until_s = np.full((len(wanted), len(self._pairs)), time_s)
        for b, wishes in enumerate(parted):
            known = usable(vehicles[b].astype(np.float64))
            now = _Now(known, signals.phase[b].tolist(), signals.red_s[b], signals.granted[b])
            for k, pair in enumerate(self._pairs):
                if any(turn.is_full(now) for turn in pair):
                    self._until_s[b, k] = time_s + REMEMBERED_S
                if time_s >= self._until_s[b, k]:
                    continue
                for turn in pair:
                    wishes[turn.signal] = turn.begun(int(wishes[turn.signal]), now)
                if all(wishes[turn.signal] in turn.gives_way for turn in pair):
                    _keep_apart(pair, wishes, now)
        return parted


class _Now(NamedTuple):
    """What one replica tells."""

    vehicles: Counts  # (L,)
    phase: list[int]  # (I,)
    red_s: IntArray  # (M,)
    granted: ByteArray  # (P,)


def _keep_apart(pair: tuple[_Turn, _Turn], wishes: IntArray, now: _Now) -> None:
    """One of two that both wish to let people turn and give way empties its road instead, in `wishes` (I,)."""
    one, other = pair
    needs = one.need(now), other.need(now)
    first, second = (one, other) if needs[0] > needs[1] else (other, one)
    served = first.served(now), second.served(now)
    if served[0] is not None:
        wishes[first.signal] = served[0]
        in_time = needs[0][0] and needs[1][0]
        fills = now.phase[first.signal] in first.gives_way or now.vehicles[second.lanes].any()
        if not in_time and fills and now.phase[second.signal] not in second.gives_way and served[1] is not None:
            wishes[second.signal] = served[1]  # who changes places with a full road locks, too
    elif served[1] is not None:
        wishes[second.signal] = served[1]


class _Turn(NamedTuple):
    """A movement from a short road behind which another signal stands, that must give way in some phases only."""

    signal: int
    intersection: int
    behind: frozenset[int]  # intersections with a signal
    phase_offset: int
    gives_way: tuple[int, ...]  # choices
    goes_first: tuple[int, ...]  # choices
    lanes: IntArray  # (n,) at its stop line
    fill: FloatArray  # (n,) vehicles that stand on each of them, at most; 1 where none does
    lanes_behind: IntArray  # before the signals behind
    others: tuple[tuple[int, IntArray], ...]  # movements, with their lanes, that none of `goes_first` serves

    def is_full(self, now: _Now) -> bool:
        """Has the road no room for another one who turns?"""
        return bool((now.vehicles[self.lanes] >= self.fill).any())

    def need(self, now: _Now) -> tuple[bool, bool, float, float]:
        """What decides which of two empties its road."""
        in_time = not any(now.red_s[m] >= LONGEST_RED_S and now.vehicles[lanes].any() for m, lanes in self.others)
        road, behind = (float(now.vehicles[lanes].sum()) for lanes in (self.lanes, self.lanes_behind))
        return in_time, now.phase[self.signal] in self.goes_first, road, behind

    def begun(self, wish: int, now: _Now) -> int:
        """The wish; if it begins to let a full road turn and give way, one to empty it before.

        Else the last ones, with a part of them in the junction behind, stop whoever turns there.
        """
        begins = wish in self.gives_way and now.phase[self.signal] not in (*self.gives_way, *self.goes_first)
        if not begins or not self.is_full(now):
            return wish
        first = self.served(now)
        return wish if first is None else first

    def served(self, now: _Now) -> int | None:
        """The granted phase in which it goes first, the present one before others; None: there is none."""
        shown = [p for p in self.goes_first if now.granted[self.phase_offset + p]]
        phase = now.phase[self.signal]
        return phase if phase in shown else next(iter(shown), None)


def _yielding_turns(network: RoadNetwork, plan: SignalPlan) -> list[_Turn]:
    second, first = goes_second(network)
    signalled, roads = set(plan.intersection.tolist()), network.movement_from_road
    turns = []
    for m in _from_short_lanes(network, np.unique(second)):
        j = int(network.movement_intersection[m])
        if j not in signalled:
            continue
        i = int(np.flatnonzero(plan.intersection == j)[0])
        start = int(network.movement_start[j])
        foes = first[(second == m) & (network.movement_intersection[first] == j)] - start
        matrix = network.phase_matrix(j)
        green = [p for p in plan.choices[i].tolist() if p >= 0 and matrix[p, m - start]]
        gives_way = tuple(p for p in green if matrix[p, foes].any())
        beside = matrix[list(gives_way)].any(axis=0) & (roads[start : start + matrix.shape[1]] == roads[m])
        goes_first = tuple(p for p in green if p not in gives_way and matrix[p, beside].all())
        if not gives_way or not goes_first:
            continue
        lanes = network.start_lanes(m)
        links = np.concatenate([links_from_signals(network, lane, reach_m=NEAR_M) for lane in lanes.tolist()])
        behind = frozenset(network.movement_intersection[network.link_movement[links]].tolist()) - {j}
        if behind:
            before = np.unique(network.link_from_lane[links])
            only = matrix[list(gives_way)].any(axis=0) & ~matrix[list(goes_first)].any(axis=0)
            others = tuple((o, network.start_lanes(o)) for o in (start + np.flatnonzero(only)).tolist())
            fill = np.maximum(standing_room(network.lane_length_m[lanes]), 1.0)
            offset = int(plan.phase_offset[i])
            turns.append(_Turn(i, j, behind, offset, gives_way, goes_first, lanes, fill, before, others))
    return turns


def _from_short_lanes(network: RoadNetwork, movements: IntArray) -> list[int]:
    starts, lanes = network.start_lanes_by_movement()
    far = np.flatnonzero(network.lane_length_m[lanes] > NEAR_M)
    is_far = np.zeros(network.n_movements, np.bool_)
    is_far[np.searchsorted(starts, far, side="right") - 1] = True
    short: list[int] = movements[~is_far[movements]].tolist()
    return short
