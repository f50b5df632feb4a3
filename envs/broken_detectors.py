"""Detectors that fail, one class for each way to remember: true readings in, what such a detector tells out.

Each answers for every lane of every replica; who mixes in the lanes that do not fail is `detector_faults`.
"""

from __future__ import annotations

import zlib
from collections import deque
from typing import TYPE_CHECKING, Protocol

import numpy as np

from intergreen.envs.fault_kinds import (
    Dead,
    Delay,
    Drop,
    Freeze,
    Huge,
    Infinite,
    Negative,
    Noise,
    NotANumber,
    Stick,
    Undercount,
    WrongLane,
)
from intergreen.envs.readings import Readings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from intergreen.envs.arrays import FloatArray, IntArray
    from intergreen.envs.fault_kinds import DetectorFault
    from intergreen.envs.network import RoadNetwork

HUGE = 1e9
_EVERY_VALUE = {Dead: 0.0, NotANumber: np.nan, Infinite: np.inf, Negative: -1.0, Huge: HUGE}


class Detector(Protocol):
    """What a detector with a fault tells; the readings that it is given are never written to.

    randoms  what readings to come are drawn by, one for each replica; most draw nothing
    """

    randoms: Sequence[np.random.Generator]

    def watch(self, readings: Readings, time_s: int) -> None:
        """A reading while the fault is off."""
        ...

    def tell(self, readings: Readings, time_s: int) -> Readings:
        """What is told instead of a reading while the fault is on."""
        ...


def broken_detector(fault: DetectorFault, network: RoadNetwork, seeds: Sequence[int], number: int) -> Detector:
    """The detectors of all replicas with this fault; `number` in its list, so that two equal faults err apart."""
    if isinstance(fault, Drop):
        return _Silent()
    if isinstance(fault, Freeze):
        return _Frozen()
    if isinstance(fault, Delay):
        return _Late(fault.seconds)
    if isinstance(fault, Noise):
        return _Noisy(fault, [random_of(seed, fault.kind, number) for seed in seeds])
    if isinstance(fault, Undercount):
        hides = Noise(share=0.0, sd=0.0, undercount=fault.per_veh)
        return _Noisy(hides, [random_of(seed, fault.kind, number) for seed in seeds])
    if isinstance(fault, Stick):
        return _Stuck(fault.waiting_veh)
    if isinstance(fault, WrongLane):
        return _Misplaced(neighbour_lanes(network))
    return _Constant(_EVERY_VALUE[type(fault)])


def random_of(seed: int, purpose: str, number: int) -> np.random.Generator:
    """Random numbers that belong to a replica's seed, a purpose, and the `number` of what needs them."""
    return np.random.default_rng([seed, zlib.crc32(purpose.encode()), number])


def aged(read_s: int, readings: Readings, time_s: int) -> Readings:
    """What was read in second `read_s`, as it is in second `time_s`."""
    return readings._replace(age_s=readings.age_s + np.int32(time_s - read_s))


def neighbour_lanes(network: RoadNetwork) -> IntArray:
    """(L,) the lane to the right on the same road, for the rightmost the one to its left, or itself."""
    lane, road = np.arange(network.n_lanes), network.lane_road
    first, past = network.road_lane_start[road], network.road_lane_start[road + 1]
    neighbour: IntArray = np.where(lane + 1 < past, lane + 1, np.maximum(lane - 1, first)).astype(np.int32)
    return neighbour


class _Memoryless:
    randoms: Sequence[np.random.Generator] = ()

    def watch(self, readings: Readings, time_s: int) -> None:
        """Nothing to keep."""


class _Constant(_Memoryless):
    def __init__(self, value: float) -> None:
        self._value = value

    def tell(self, readings: Readings, time_s: int) -> Readings:
        return _every_value(readings, self._value)


class _Stuck(_Memoryless):
    def __init__(self, waiting_veh: int) -> None:
        self._waiting_veh = float(waiting_veh)

    def tell(self, readings: Readings, time_s: int) -> Readings:
        full = np.full_like(readings.vehicles, self._waiting_veh)
        return _every_value(readings, 0.0)._replace(vehicles=full, waiting=full)


class _Misplaced(_Memoryless):
    def __init__(self, source: IntArray) -> None:
        self._source = source

    def tell(self, readings: Readings, time_s: int) -> Readings:
        vehicles, waiting, near, arriving, mean_speed = (values[:, self._source] for values in readings[:5])
        return Readings(vehicles, waiting, near, arriving, mean_speed, readings.age_s[:, self._source])


class _Noisy(_Memoryless):
    """Counts are multiplied and rounded at random, so that they are right on average; all counts of a lane by the same
    factor and the same way, so that nobody waits who is not there."""

    def __init__(self, fault: Noise, randoms: Sequence[np.random.Generator]) -> None:
        self._fault = fault
        self.randoms = randoms

    def tell(self, readings: Readings, time_s: int) -> Readings:
        n_lanes = readings.vehicles.shape[1]
        normal = np.stack([random.standard_normal(n_lanes) for random in self.randoms])
        luck = np.stack([random.random(n_lanes) for random in self.randoms])  # of the rounding
        with np.errstate(all="ignore"):  # an earlier fault may have left no numbers
            seen = 1.0 / (1.0 + self._fault.undercount * np.maximum(readings.waiting, 0.0))
            factor = np.maximum(1.0 + self._fault.sd * normal, 0.0) * seen
            return _multiplied(readings, factor, luck)


class _Silent:
    """Nothing arrives: the last reading grows old. NaN where there never was one, as old as the run."""

    randoms: Sequence[np.random.Generator] = ()

    def __init__(self) -> None:
        self._last: tuple[int, Readings] | None = None

    def watch(self, readings: Readings, time_s: int) -> None:
        self._last = time_s, readings

    def tell(self, readings: Readings, time_s: int) -> Readings:
        return _unread(readings, time_s) if self._last is None else aged(*self._last, time_s)


class _Frozen:
    randoms: Sequence[np.random.Generator] = ()

    def __init__(self) -> None:
        self._last: Readings | None = None

    def watch(self, readings: Readings, time_s: int) -> None:
        self._last = readings

    def tell(self, readings: Readings, time_s: int) -> Readings:
        if self._last is None:
            self._last = readings
        return self._last._replace(age_s=np.zeros_like(readings.age_s))


class _Late:
    """Readings under way: the first one is the newest that is old enough, once there is one."""

    randoms: Sequence[np.random.Generator] = ()

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._under_way: deque[tuple[int, Readings]] = deque()

    def watch(self, readings: Readings, time_s: int) -> None:
        self._under_way.append((time_s, readings))
        while len(self._under_way) > 1 and self._under_way[1][0] <= time_s - self._seconds:
            self._under_way.popleft()

    def tell(self, readings: Readings, time_s: int) -> Readings:
        self.watch(readings, time_s)
        arrived_s, arrived = self._under_way[0]
        if arrived_s > time_s - self._seconds:
            return _unread(readings, time_s)
        return aged(arrived_s, arrived, time_s)


def _every_value(readings: Readings, value: float) -> Readings:
    """A fresh reading of one value everywhere."""
    vehicles, waiting, near, arriving, mean_speed = (np.full_like(values, value) for values in readings[:5])
    return Readings(vehicles, waiting, near, arriving, mean_speed, np.zeros_like(readings.age_s))


def _unread(readings: Readings, time_s: int) -> Readings:
    return _every_value(readings, np.nan)._replace(age_s=np.full_like(readings.age_s, time_s))


def _multiplied(readings: Readings, factor: FloatArray, luck: FloatArray) -> Readings:
    """Counts times `factor` (B, L), rounded up where what is left over exceeds 1 - `luck` (B, L).

    The same rounding keeps the order of counts, so no lane has more that wait than it has vehicles; what moves is
    held within the rest.
    """
    vehicles, waiting, near = (np.floor(values * factor + luck) for values in readings[:3])
    moving = vehicles - waiting
    within = np.floor(np.cumsum(readings.arriving, axis=2) * factor[:, :, None] + luck[:, :, None])
    within = np.minimum(within, moving[:, :, None])  # (B, L, bins) up to the end of each distance bin
    return readings._replace(
        vehicles=vehicles,
        waiting=waiting,
        near=np.minimum(near, moving),
        arriving=np.diff(within, axis=2, prepend=0.0),
        mean_speed=np.where(vehicles > 0.0, readings.mean_speed, 0.0),
    )
