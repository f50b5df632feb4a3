"""The lanes before every signal, and for which of them each choice opens a way: what rules look at that go by lanes.

Movements that have green in every choice count for none: nobody on them ever waits for a phase. In the literature's
networks these are the right turns.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from intergreen.agents.controllers.usable import usable
from intergreen.envs.network.approaches import approach_lanes_by_movement

if TYPE_CHECKING:
    from intergreen.envs.arrays import BoolArray, FloatArray, IntArray
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.signals import SignalPlan


@dataclass(frozen=True, slots=True, eq=False)
class SignalLanes:
    """I signals of at most C choices and K lanes.

    lane    (I, K) number in the network; where a signal has fewer, 0 and `serves` and `opens` are False
    serves  (I, C, K) some movement from the lane has green in the choice
    opens   (I, C + 1, C, K) from the lane, the second choice gives green to a movement that the first has not; the last
            row is for no choice at all
    choice  (I, P + 1) the index of a local phase among the choices, C where it is none; P at most, the last for -1
    """

    lane: IntArray
    serves: BoolArray
    opens: BoolArray
    choice: IntArray

    def at(self, counts: IntArray | FloatArray) -> IntArray | FloatArray:
        """(B, I, K) the usable counts (B, L) on the signals' lanes, those of lanes that are not there included."""
        return usable(counts)[:, self.lane]

    def choice_of(self, phase: IntArray) -> IntArray:
        """(B, I) index among the choices of the local phases (B, I), C where a phase is none of them."""
        index: IntArray = self.choice[np.arange(len(self.choice)), phase]  # -1 is the last column
        return index

    def served(self, choice: IntArray) -> BoolArray:
        """(B, I, K) lanes with a green movement in the choices (B, I); none in choice C."""
        none = np.zeros_like(self.serves[:, :1])
        padded = np.concatenate([self.serves, none], axis=1)
        rows: BoolArray = padded[np.arange(len(padded)), choice]
        return rows

    def opened(self, choice: IntArray) -> BoolArray:
        """(B, I, C, K) lanes for which each choice opens a way that the choices (B, I) have not."""
        rows: BoolArray = self.opens[np.arange(len(self.opens)), choice]
        return rows


def signal_lanes(network: RoadNetwork, plan: SignalPlan) -> SignalLanes:
    """The lanes of every signal of the plan."""
    start, lanes_of = approach_lanes_by_movement(network)
    seen = [lanes_of[first:past].tolist() for first, past in itertools.pairwise(start.tolist())]
    parts = [_ways(network, plan, i, seen) for i in range(plan.n_signals)]
    n_choices, n_lanes = plan.choices.shape[1], max((len(lanes) for lanes, _ in parts), default=1)
    lane = np.zeros((plan.n_signals, max(1, n_lanes)), np.int32)
    serves = np.zeros((plan.n_signals, n_choices, lane.shape[1]), np.bool_)
    opens = np.zeros((plan.n_signals, n_choices + 1, n_choices, lane.shape[1]), np.bool_)
    for i, (lanes, ways) in enumerate(parts):
        n, k = int(plan.n_choices[i]), len(lanes)
        lane[i, :k] = lanes
        serves[i, :n, :k] = ways.any(axis=1)
        opens[i, :n, :n, :k] = (ways[None] & ~ways[:, None]).any(axis=2)
        opens[i, n_choices, :n, :k] = serves[i, :n, :k]
    return SignalLanes(lane, serves, opens, _choice_index(plan))


def _ways(network: RoadNetwork, plan: SignalPlan, i: int, seen: list[list[int]]) -> tuple[list[int], BoolArray]:
    """The lanes of contested movements, and (C, m, K): from which of them which movement goes in which choice.

    seen  lanes of every movement of the network
    """
    j = int(plan.intersection[i])
    green = network.phase_matrix(j)[plan.choices[i, : plan.n_choices[i]]]
    contested = np.flatnonzero(green.any(axis=0) & ~green.all(axis=0))
    starts = [seen[m] for m in (network.movement_start[j] + contested).tolist()]
    lanes = sorted({lane for some in starts for lane in some})
    on_lane = np.array([[lane in some for lane in lanes] for some in starts], np.bool_).reshape(len(starts), len(lanes))
    return lanes, green[:, contested, None] & on_lane


def _choice_index(plan: SignalPlan) -> IntArray:
    n_choices = plan.choices.shape[1]
    index = np.full((plan.n_signals, plan.is_choice.shape[1] + 1), n_choices, np.int32)
    for i, n in enumerate(plan.n_choices.tolist()):
        index[i, plan.choices[i, :n]] = np.arange(n)
    return index


def shown_or_wanted(phase: IntArray, green_s: IntArray, wanted: IntArray) -> IntArray:
    """(B, I) the present green, or during a transition what was wanted: a wish must stand until it is shown."""
    present: IntArray = np.where(green_s > 0, phase, wanted)
    return present
