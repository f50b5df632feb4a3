"""Coordination: one cycle for all signals, and offsets so that a platoon meets green after its way to the next signal.

The common cycle is the longest that any signal needs by Webster (1958), as the Signal Timing Manual, 2nd edition (NCHRP
Report 812, 2015, chapter 7) has it for a coordinated system; splits are Webster's within that cycle. The offset between
two neighbours is the free-flow travel time from stop line to stop line of the heaviest chain of two movements
between them, green to green, modulo the cycle. Where streets make a circle not all such offsets can be kept: they are
kept along a spanning tree that is grown from the heaviest chain, always by the heaviest one that reaches a new signal.
"""

from __future__ import annotations

import heapq
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from intergreen.agents.controllers.programme import (
    Programme,
    Share,
    cycle_shares,
    programme_of,
    split_of,
    transition_before_s,
)
from intergreen.envs.network.road_network import STRAIGHT, TURN_SPEED_MPS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from intergreen.envs.arrays import FloatArray, IntArray
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.signals import SignalPlan


class Chain(NamedTuple):
    """From signal `start` by one movement onto a road, and by the next one through signal `end`."""

    start: int
    end: int
    first: int  # movement at `start`
    second: int  # movement at `end`
    volume_vph: float  # that drives both, as far as the volumes of either tell
    travel_s: float  # from stop line to stop line


def coordinated_programme(network: RoadNetwork, plan: SignalPlan, flows_vph: FloatArray) -> Programme:
    """Common cycle, splits and offsets for flows (M,) in veh/h of every movement."""
    shares = cycle_shares(network, plan, flows_vph)
    cycle_s = common_cycle_s(shares)
    programme = programme_of([(share.turns, whole_slots_s(share, cycle_s)) for share in shares])
    chains = tree_of(heaviest_chains(network, plan, shares, flows_vph), plan.n_signals)
    return replace(programme, offset_s=offsets_s(network, plan, programme, chains))


def common_cycle_s(shares: Sequence[Share]) -> int:
    """The longest of Webster's cycles, and long enough for every signal's least greens."""
    least = max((float((share.lost_s + share.least_s).sum()) for share in shares), default=0.0)
    return int(np.ceil(max(least, max((share.cycle_s for share in shares), default=1.0))))


def whole_slots_s(share: Share, cycle_s: int) -> FloatArray:
    """(p,) seconds of each phase that add up to the cycle: least greens first, the rest by the critical ratios."""
    exact = share.lost_s + share.least_s
    wanted = share.lost_s + split_of(share) * (cycle_s - share.lost_s.sum())
    lacking = np.maximum(wanted - exact, 0.0)
    spare = cycle_s - exact.sum()
    exact = exact + spare * (lacking / lacking.sum() if lacking.sum() > 0.0 else 1.0 / len(exact))
    slots: FloatArray = np.floor(exact)
    last = np.argsort(slots - exact, kind="stable")[: int(cycle_s - slots.sum())]  # the largest remainders
    slots[last] += 1.0
    return slots


def heaviest_chains(
    network: RoadNetwork, plan: SignalPlan, shares: Sequence[Share], flows_vph: FloatArray
) -> list[Chain]:
    """For every road between two signals its heaviest chain, of movements that begin somewhere in the cycle."""
    signal_of = np.full(network.n_intersections, -1)
    signal_of[plan.intersection] = np.arange(plan.n_signals)
    begins = np.zeros(network.n_movements, np.bool_)
    for i, share in enumerate(shares):
        greens = network.phase_matrix(int(plan.intersection[i]))[share.turns]
        begins[network.movements_of(int(plan.intersection[i]))] = greens.any(axis=0) & ~greens.all(axis=0)
    chains = []
    for road in range(network.n_roads):
        start = int(signal_of[network.road_from[road]])
        into = np.flatnonzero((network.movement_to_road == road) & begins)
        if start < 0 or not len(into):
            continue
        first = _heaviest(into, flows_vph)
        last_road, travel_s = way_to_signal(network, road, signal_of, flows_vph)
        end = int(signal_of[network.road_to[last_road]])
        out = np.flatnonzero((network.movement_from_road == last_road) & begins)
        if end < 0 or start == end or not len(out):
            continue
        second = _heaviest(out, flows_vph)
        onward = flows_vph[second] / max(float(flows_vph[network.movement_from_road == last_road].sum()), 1e-9)
        volume = float(flows_vph[first] * onward)
        chains.append(Chain(start, end, first, second, volume, travel_time_s(network, first, road) + travel_s))
    return chains


def way_to_signal(network: RoadNetwork, road: int, signal_of: IntArray, flows_vph: FloatArray) -> tuple[int, float]:
    """The last road before the next signal on the way of most traffic, and the seconds to there behind `road`.

    Files cut streets at junctions without a signal.
    """
    seconds, passed = 0.0, {road}
    while signal_of[network.road_to[road]] < 0:
        onward = np.flatnonzero(network.movement_from_road == road)
        if not len(onward):
            break
        movement = _heaviest(onward, flows_vph)
        road = int(network.movement_to_road[movement])
        if road in passed:
            break
        passed.add(road)
        seconds += travel_time_s(network, movement, road)
    return road, seconds


def _heaviest(movements: np.ndarray, flows_vph: FloatArray) -> int:
    return int(movements[np.argmax(flows_vph[movements])])


def travel_time_s(network: RoadNetwork, movement: int, road: int) -> float:
    """From the movement's stop line through the junction and along the road that it leads to, at the speed limits."""
    lane, link = int(network.road_lane_start[road]), int(network.movement_link_start[movement])
    limit_mps = float(network.lane_speed_limit_mps[lane])
    inside_mps = min(limit_mps, float(network.link_speed_limit_mps[link]))
    if network.movement_turn[movement] != STRAIGHT:
        inside_mps = min(inside_mps, TURN_SPEED_MPS)
    return float(network.link_length_m[link]) / inside_mps + float(network.lane_length_m[lane]) / limit_mps


def tree_of(chains: Sequence[Chain], n_signals: int) -> list[Chain]:
    """A spanning tree (a forest, where signals are not connected) of the heaviest chains, each after what it joins."""
    touching: list[list[int]] = [[] for _ in range(n_signals)]
    for c, chain in enumerate(chains):
        touching[chain.start].append(c)
        touching[chain.end].append(c)
    reached, tree = np.zeros(n_signals, np.bool_), []
    for root in sorted(range(len(chains)), key=lambda c: (-chains[c].volume_vph, c)):
        if reached[chains[root].start]:
            continue
        reached[chains[root].start] = True
        heap = [(-chains[c].volume_vph, c) for c in touching[chains[root].start]]
        heapq.heapify(heap)
        while heap:
            chain = chains[heapq.heappop(heap)[1]]
            new = chain.end if reached[chain.start] else chain.start
            if reached[new]:
                continue
            reached[new] = True
            tree.append(chain)
            for c in touching[new]:
                heapq.heappush(heap, (-chains[c].volume_vph, c))
    return tree


def offsets_s(network: RoadNetwork, plan: SignalPlan, programme: Programme, tree: Sequence[Chain]) -> IntArray:
    """(I,) offsets that let green follow green along every chain of the tree."""
    cycle_s = programme.cycle_s
    offset, known = np.zeros(plan.n_signals), np.zeros(plan.n_signals, np.bool_)
    for chain in tree:
        first = green_begins_s(network, plan, programme, chain.start, chain.first)
        second = green_begins_s(network, plan, programme, chain.end, chain.second)
        later_s = first + chain.travel_s - second
        if known[chain.end]:
            offset[chain.start] = offset[chain.end] - later_s
        else:
            offset[chain.end] = offset[chain.start] + later_s
        known[[chain.start, chain.end]] = True
    whole: IntArray = np.round(offset).astype(np.int32) % cycle_s
    return whole


def green_begins_s(network: RoadNetwork, plan: SignalPlan, programme: Programme, i: int, movement: int) -> float:
    """Seconds into the cycle of signal `i` at which the movement's green begins; the first, if it has several."""
    j = int(plan.intersection[i])
    slots = np.diff(programme.end_s[i], prepend=0)
    turns = programme.phase[i][slots > 0].tolist()
    green = network.phase_matrix(j)[turns, movement - int(network.movement_start[j])]
    begins = np.flatnonzero(green & ~np.roll(green, 1))
    turn = int(begins[0]) if len(begins) else 0
    return float(programme.end_s[i, turn] - slots[turn] + transition_before_s(plan, i, turns)[turn])
