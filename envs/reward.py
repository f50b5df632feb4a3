"""Rewards by name: what a signal is told after each period. Plain functions on arrays, which the core compiles.

Every reward is the mean over the seconds of the period and over the signal's lanes, in units of ten vehicles per lane:
so it mostly lies between 0 and a few units below, whatever the network's size, its lanes or the decision interval.
In all but `pressure`, a vehicle that cannot enter and waits outside counts when it comes to that, as if it stood on
the approach for `BACKLOG_PERIODS`, and is given back when it enters: a backlog that stands for long would drown what
the signal can still do about it. For a discount of 1 - 1 / BACKLOG_PERIODS, and about so for others with as many
periods as they look ahead (`backlog_periods`), that moves rewards in time and changes no
policy's rank (Ng, Harada and Russell 1999, "Policy invariance under reward transformations", ICML; the backlog is the
potential).

| name           | minus the ...                                                                                 |
|----------------|-----------------------------------------------------------------------------------------------|
| `queue`        | vehicles slower than 0.1 m/s on the signal's incoming lanes                                   |
| `delay`        | vehicles on the incoming lanes, less the sum of their speeds over the lane's free speed       |
| `person-delay` | people in the vehicles on the incoming lanes, each by the share of the free speed they lack   |
|                | (incoming: as the signal sees them, also behind a cut of the street shortly before it)        |
| `pressure`     | difference between the mean queues of incoming and outgoing lanes, without its sign (Wei et   |
|                | al. 2019, "PressLight", KDD)                                                                  |

A reward is one name, or names with weights: `{"delay": 1.0, "pressure": 0.2}`. A new one is a name in `REWARDS` and its
term in `reward_of`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from intergreen.envs.errors import InputError, meant, shown
from intergreen.envs.network.approaches import approach_lanes_by_movement

if TYPE_CHECKING:
    from intergreen.envs.arrays import FloatArray, IntArray
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.signals import SignalPlan
    from intergreen.envs.simulation import LaneSums

REWARDS = ("queue", "delay", "person-delay", "pressure")
BACKLOG_PERIODS = 20
PERSON_DELAY = REWARDS.index("person-delay")
REWARD_VEHICLES = 10.0  # one unit, per lane

RewardSpec = str | Mapping[str, float]


class RewardTable(NamedTuple):
    """What `reward_of` needs: I signals; an array called ``a_start`` has one entry more than its axis."""

    incoming_start: IntArray  # (I + 1,)
    incoming: IntArray  # lanes
    outgoing_start: IntArray  # (I + 1,)
    outgoing: IntArray
    weight: FloatArray  # (len(REWARDS),)
    backlog_periods: float


def make_reward(
    spec: RewardSpec, network: RoadNetwork, plan: SignalPlan, *, backlog_periods: float = BACKLOG_PERIODS
) -> RewardTable:
    """The table of the reward that `spec` names.

    backlog_periods  for which a vehicle counts that begins to wait outside

    Raises
    ------
    InputError
        If a name is unknown, a weight or `backlog_periods` is no number that it can be, or there is nothing to reward.
    """
    weight = np.array(_weights(spec))
    if not _is_number(backlog_periods) or backlog_periods < 0:
        raise InputError("reward", "backlog_periods", f"is {shown(backlog_periods)}", "give a finite number, 0 or more")
    seen_start, seen = approach_lanes_by_movement(network)
    incoming, outgoing = [], []
    for j in plan.intersection:
        movements = range(network.movement_start[j], network.movement_start[j + 1])
        here = set(_lanes_of(network, {int(network.movement_from_road[m]) for m in movements}))
        incoming.append(sorted(here.union(seen[seen_start[movements.start] : seen_start[movements.stop]].tolist())))
        outgoing.append(_lanes_of(network, {int(network.movement_to_road[m]) for m in movements}))
    return RewardTable(
        _starts(incoming), _joined(incoming), _starts(outgoing), _joined(outgoing), weight, float(backlog_periods)
    )


def check_reward(spec: RewardSpec) -> None:
    """Raise InputError if `spec` names no reward."""
    _weights(spec)


def reward_of(signal: int, seconds: int, sums: LaneSums, table: RewardTable) -> float:
    """The reward of one signal for a period of `seconds`; `sums` are those of one network, (L,) each."""
    first, past = table.incoming_start[signal], table.incoming_start[signal + 1]
    queue, delay, person_delay, backlog, person_backlog = 0.0, 0.0, 0.0, 0.0, 0.0
    for k in range(first, past):
        lane = table.incoming[k]
        queue += sums.queue[lane]
        delay += sums.delay[lane]
        person_delay += sums.person_delay[lane]
        backlog += sums.backlog[lane]
        person_backlog += sums.person_backlog[lane]
    n_incoming = max(past - first, 1)
    first, past = table.outgoing_start[signal], table.outgoing_start[signal + 1]
    queue_beyond = 0.0
    for k in range(first, past):
        queue_beyond += sums.queue[table.outgoing[k]]
    pressure = abs(queue / n_incoming - queue_beyond / max(past - first, 1))
    stay = table.backlog_periods * seconds
    total = table.weight[0] * (queue + stay * backlog) + table.weight[1] * (delay + stay * backlog)
    total += table.weight[2] * (person_delay + stay * person_backlog)
    return -(total / n_incoming + table.weight[3] * pressure) / (seconds * REWARD_VEHICLES)


def neighbour_mixing(network: RoadNetwork, plan: SignalPlan, share: float) -> FloatArray | None:
    """(I, I): rewards (B, I) @ this gives every signal its own plus `share` of its neighbours' mean; None for share 0.

    Neighbours are joined by a road in either direction.
    """
    if share == 0.0:
        return None
    signal_of = np.full(network.n_intersections, -1)
    signal_of[plan.intersection] = np.arange(plan.n_signals)
    ends = np.stack([signal_of[network.road_from], signal_of[network.road_to]])
    ends = ends[:, (ends >= 0).all(axis=0)]
    linked = np.zeros((plan.n_signals, plan.n_signals))
    linked[ends[0], ends[1]] = linked[ends[1], ends[0]] = 1.0
    np.fill_diagonal(linked, 0.0)
    mean = linked / np.maximum(linked.sum(axis=0), 1.0)  # column i: the neighbours of i
    mixing: FloatArray = np.eye(plan.n_signals) + share * mean
    return mixing


def _weights(spec: RewardSpec) -> list[float]:
    if not isinstance(spec, str | Mapping):
        raise InputError("reward", "", f"is {shown(spec)}", f"give one of {', '.join(REWARDS)}, or names with weights")
    weights = {spec: 1.0} if isinstance(spec, str) else dict(spec)
    for name, weight in weights.items():
        if name not in REWARDS:
            problem = f"no reward is called {shown(name)}"
            raise InputError("reward", "name", problem, f"{meant(str(name), REWARDS)}use one of {', '.join(REWARDS)}")
        if not _is_number(weight):
            raise InputError("reward", name, f"has weight {shown(weight)}", "give a finite number")
    if not any(weights.values()):
        raise InputError("reward", "weights", "are all zero", f"give a weight to one of {', '.join(REWARDS)}")
    if max(weights.values()) <= 0.0:
        problem = "are all below zero, which rewards what is meant to be less"
        raise InputError("reward", "weights", problem, "leave the minus out: every reward has one")
    return [float(weights.get(name, 0.0)) for name in REWARDS]


def _is_number(value: object) -> bool:
    """Is it a finite one? True and False are none."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _lanes_of(network: RoadNetwork, roads: set[int]) -> list[int]:
    start = network.road_lane_start
    return [lane for road in sorted(roads) for lane in range(start[road], start[road + 1])]


def _starts(lists: list[list[int]]) -> IntArray:
    return np.concatenate(([0], np.cumsum([len(one) for one in lists]))).astype(np.int32)


def _joined(lists: list[list[int]]) -> IntArray:
    return np.array([lane for one in lists for lane in one], np.int32)
