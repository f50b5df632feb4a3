"""SUMO's default driver at a stop line and CityFlow's, and the headways with which their queues discharge alike.

SUMO's car-following model of Krauss in whole seconds (`MSCFModel_Krauss`, `MSCFModel::maximumSafeStopSpeedEuler`;
Krauss 1998, "Microscopic modeling of traffic flow", DLR): drivers dawdle by up to `sigma` times their acceleration, and
each has an own factor on the speed limit. The engine drives vehicles of SUMO's types by that rule. The other way about,
a vehicle of CityFlow's kind that is to drive in SUMO gets the `tau` with which its queues discharge as they do here: a
queue is discharged many times over, and when its 4th and 25th vehicle cross is read off, as in the field (HCM 6th ed.,
chapter 31).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from intergreen.envs.arrays import FloatArray

QUEUES, VEHICLES, LONGEST_S = 100, 26, 200
FANNED_QUEUES = 40
YIELD_M = 5.0  # before the line, where CityFlow's cars let others by
BISECTIONS = 12  # to less than a thousandth of a second
FIRST, LAST = 3, 24  # the 4th and the 25th, from 0
LIMIT_MPS = 50 / 3.6
FACTORS = (0.2, 2.0)  # SUMO cuts its factors there
_EPS_M = 0.001  # SUMO's NUMERICAL_EPS


class KraussType(NamedTuple):
    """The parameters of a vehicle type in SUMO."""

    length_m: float
    min_gap_m: float
    accel_mps2: float
    decel_mps2: float
    tau_s: float
    sigma: float
    speed_deviation: float
    top_mps: float = LIMIT_MPS


class Discharge(NamedTuple):
    """How a queue drives on that gets green."""

    headway_s: float  # mean between the 4th and the 25th vehicle
    fourth_s: float  # when the 4th crosses the stop line: the start-up


@lru_cache(maxsize=256)
def sumo_discharge(kind: KraussType) -> Discharge:
    """Of a queue of SUMO's drivers, at 50 km/h or their own highest speed."""
    random = np.random.default_rng(0)
    factor = np.clip(random.normal(1.0, kind.speed_deviation, (QUEUES, VEHICLES)), *FACTORS)
    step_m = kind.length_m + kind.min_gap_m
    position = np.tile(-step_m * np.arange(VEHICLES), (QUEUES, 1))
    speed = np.zeros_like(position)
    crossed = np.full(position.shape, np.nan)
    for second in range(LONGEST_S):
        free = np.minimum(speed + kind.accel_mps2, kind.top_mps * factor)
        gap_m = position[:, :-1] - step_m - position[:, 1:]
        free[:, 1:] = np.minimum(free[:, 1:], _safe_speed(gap_m, speed[:, :-1], kind))
        slack = kind.sigma * np.minimum(free, kind.accel_mps2) * random.random(free.shape)
        speed = np.maximum(free - slack, 0.0)
        moved = position + speed
        passes = (position <= 0.0) & (moved > 0.0)
        crossed[passes] = second - position[passes] / speed[passes]
        position = moved
        if not np.isnan(crossed).any():
            break
    fourth_s, last_s = crossed[:, [FIRST, LAST]].mean(axis=0).tolist()
    return Discharge((last_s - fourth_s) / (LAST - FIRST), fourth_s)


@lru_cache(maxsize=256)
def cityflow_discharge(kind: KraussType, fan_out: float = 0.0) -> Discharge:
    """Of a queue of CityFlow's drivers whose headway is `tau_s`; by the engine's `driving.py` and `junction.py`.

    fan_out : share of them who take another link behind the stop line than the one ahead
    """
    if fan_out == 0.0:
        return _one_queue(kind, [0] * (LAST + 1))
    random = np.random.default_rng(0)
    turns = random.random((FANNED_QUEUES, LAST + 1)) < fan_out
    queues = [_one_queue(kind, (np.cumsum(row) % 2).tolist()) for row in turns]
    return Discharge(*(float(column) for column in np.mean(queues, axis=0)))


def _one_queue(kind: KraussType, link: list[int]) -> Discharge:
    """link : of each vehicle, behind the stop line"""
    accel, b, headway_s = kind.accel_mps2, kind.decel_mps2, kind.tau_s
    at = [-(kind.length_m + kind.min_gap_m) * k for k in range(LAST + 1)]
    speed = [0.0] * len(at)
    crossed = [0.0] * len(at)
    for second in range(LONGEST_S):
        before = list(zip(at, speed, strict=True))
        for k, (x, v) in enumerate(before):
            wanted = min(v + accel, kind.top_mps)
            if k > 0:
                ahead, u = before[k - 1]
                gap = ahead - kind.length_m - x
                wanted = min(wanted, _no_collision(u, v, b, gap, kind.min_gap_m))
                wanted = min(wanted, (gap + u + max(v - u, 0.0) / 2.0 - v * 0.5) / (headway_s + 0.5))
                if x <= 0.0 and v * v / 2.0 / b < -x - YIELD_M and _is_in_the_way(before, link, k, kind.length_m):
                    wanted = min(wanted, _stop_before(-x - YIELD_M, v, accel, b))
            speed[k] = max(wanted, v - b, 0.0)
            at[k] = x + (v + speed[k]) * 0.5
            if x <= 0.0 < at[k]:
                crossed[k] = second - x / (at[k] - x)
        if at[LAST] > 0.0:
            break
    return Discharge((crossed[LAST] - crossed[FIRST]) / (LAST - FIRST), crossed[FIRST])


@lru_cache(maxsize=256)
def equal_tau_s(kind: KraussType, fan_out: float = 0.0) -> float:
    """SUMO's `tau` [s] with which a queue of its drivers discharges as one of CityFlow's with that as their headway."""
    target_s = cityflow_discharge(kind, fan_out).headway_s
    return _bisected(
        lambda tau_s: sumo_discharge(kind._replace(tau_s=tau_s)).headway_s, target_s, 0.1, kind.tau_s + 2.0
    )


def _bisected(rising: Callable[[float], float], target: float, low: float, high: float) -> float:
    """Where `rising` reaches the target, between `low` and `high`; the nearer end where it does not."""
    for _ in range(BISECTIONS):
        middle = (low + high) / 2.0
        if rising(middle) < target:
            low = middle
        else:
            high = middle
    return (low + high) / 2.0


def _is_in_the_way(before: list[tuple[float, float]], link: list[int], k: int, length_m: float) -> bool:
    """Does one ahead of vehicle k, the first before the line or with its tail before it, take another link?"""
    front = next(j for j, one in enumerate(before) if one[0] <= 0.0)
    ahead = range(max(0, front - 3), k)
    return any(link[j] != link[k] and (j == front or 0.0 < before[j][0] <= length_m) for j in ahead)


def _stop_before(distance: float, speed: float, accel: float, b: float) -> float:
    """The engine's `stop_before_speed`."""
    faster = speed + accel
    if (speed + faster) / 2.0 + faster * faster / b / 2.0 < distance:
        return faster
    steps = 2.0 * distance / (speed + 1e-8)
    return speed - speed / (math.floor(steps) if steps >= 1.0 else steps) if speed > 0.0 else 0.0


def _no_collision(leader: float, own: float, b: float, gap: float, min_gap: float) -> float:
    """The engine's `no_collision_speed`, with one deceleration."""
    discriminant = 0.25 - 2.0 / b * (own * 0.5 + min_gap - 0.5 * leader * leader / b - gap)
    if discriminant < 0.0:
        return -np.inf
    return min(b * (math.sqrt(discriminant) - 0.5), 2.0 * leader - b + 2.0 * (gap - min_gap))


def _safe_speed(gap_m: FloatArray, leader_mps: FloatArray, kind: KraussType) -> FloatArray:
    """The highest speed from which a driver can still stop behind the leader's stop."""
    b, t = kind.decel_mps2, kind.tau_s
    steps = np.floor(leader_mps / b)
    g = gap_m + steps * leader_mps - b * steps * (steps + 1.0) / 2.0 - _EPS_M
    n = np.floor(0.5 - t + 0.5 * np.sqrt(np.maximum(1.0 + 4.0 * (2.0 * g / b - t + t * t), 0.0)))
    n = np.maximum(n, 0.0)
    braking_m = 0.5 * n * (n - 1.0) * b + n * b * t
    return np.asarray(np.where(g < 0.0, 0.0, n * b + (g - braking_m) / (n + t)))
