"""What detectors tell when some of them fail: the simulator's counts in, readings out. One detector on every lane.

Faults are applied in the order of their list, each to what the ones before it left. What a replica meets depends on
its own seed and nothing else. Which detectors fail is drawn once for every kind in a list, so that the 1 % are among
the 10 %: the first kind falls on the same lanes whatever it is, so that kinds compare; the second on lanes drawn anew.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from intergreen.envs.broken_detectors import Detector, aged, broken_detector, random_of
from intergreen.envs.errors import InputError, meant, shown
from intergreen.envs.readings import Readings, readings_of

if TYPE_CHECKING:
    from intergreen.envs.arrays import BoolArray, IntArray
    from intergreen.envs.fault_kinds import DetectorFault
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.simulation import Counts


class Stage(NamedTuple):
    """One fault, whose detectors it falls on (B, L), and what those tell."""

    fault: DetectorFault
    fails: BoolArray
    detector: Detector


class FaultyDetectors:
    """The detectors of B replicas of one network.

    Parameters
    ----------
    faults : those of detectors, in the order in which they are applied
    seeds : one for each replica
    interval_s : they are read every so many seconds; asked in between, they say again what they said, older. So a
        replica meets the same readings whenever others in its batch are asked.

    Raises
    ------
    InputError
        If a fault names a lane that the network does not have.
    """

    def __init__(
        self,
        faults: Sequence[DetectorFault],
        n_replicas: int,
        network: RoadNetwork,
        seeds: Sequence[int],
        *,
        interval_s: int = 1,
    ) -> None:
        self._faults = tuple(faults)
        self._kinds = tuple(dict.fromkeys(fault.kind for fault in faults))
        self._n_replicas = n_replicas
        self._interval_s = interval_s
        self._network = network
        self._seeds = _one_each(seeds, n_replicas)
        self.reset()

    def reset(self, seeds: Sequence[int] | None = None) -> None:
        """Forget all readings and begin again, with other seeds where some are given."""
        if seeds is not None:
            self._seeds = _one_each(seeds, self._n_replicas)
        self._told: tuple[int, Readings] | None = None
        self._stages = [
            Stage(
                fault,
                failing_lanes(fault, self._network, self._seeds, draw=self._kinds.index(fault.kind)),
                broken_detector(fault, self._network, self._seeds, number),
            )
            for number, fault in enumerate(self._faults)
        ]

    @property
    def randoms(self) -> list[np.random.Generator]:
        """What the readings to come are drawn by."""
        return [random for stage in self._stages for random in stage.detector.randoms]

    def read(self, counts: Counts, time_s: int) -> Readings:
        """What the detectors tell of the counts of second `time_s`, which rises from call to call."""
        if time_s % self._interval_s != 0 and self._told is not None:
            return aged(*self._told, time_s)
        readings = readings_of(counts)
        for fault, fails, detector in self._stages:
            if fault.is_on(time_s):
                readings = _where(fails, detector.tell(readings, time_s), readings)
            else:
                detector.watch(readings, time_s)
        self._told = time_s, readings
        return readings


def failing_lanes(fault: DetectorFault, network: RoadNetwork, seeds: Sequence[int], *, draw: int = 0) -> BoolArray:
    """(B, L): whose detectors the fault falls on, of several draws. A share is rounded up to whole detectors."""
    fails = np.zeros((len(seeds), network.n_lanes), np.bool_)
    if fault.lanes is not None:
        fails[:, lane_numbers(fault.lanes, network)] = True
    elif fault.share is not None:
        n_failing = math.ceil(round(fault.share * network.n_lanes, 6))  # 0.1 of 30 are 3, not 3 and a bit
        for b, seed in enumerate(seeds):
            fails[b, random_of(seed, "lanes", draw).permutation(network.n_lanes)[:n_failing]] = True
    return fails


def lane_numbers(names: Sequence[str], network: RoadNetwork) -> IntArray:
    """The lanes that are called so, see `RoadNetwork.lane_name`; InputError for a name that no lane has."""
    known = {network.lane_name(lane): lane for lane in range(network.n_lanes)}
    for name in names:
        if name not in known:
            mend = f"{meant(name, known)}a lane is called by its road's id, an underscore and its number from the left"
            raise InputError(network.name, "lanes", f"the network has no lane {shown(name)}", mend)
    return np.array([known[name] for name in names], np.int32)


def _one_each(seeds: Sequence[int], n_replicas: int) -> tuple[int, ...]:
    if len(seeds) != n_replicas:
        raise ValueError(f"need seeds for {n_replicas} replicas, got {len(seeds)}")
    return tuple(int(seed) for seed in seeds)


def _where(fails: BoolArray, told: Readings, readings: Readings) -> Readings:
    """What failing detectors tell, and what the others read."""
    vehicles, waiting, near = (np.where(fails, one, other) for one, other in zip(told[:3], readings[:3], strict=True))
    arriving = np.where(fails[:, :, None], told.arriving, readings.arriving)
    mean_speed = np.where(fails, told.mean_speed, readings.mean_speed)
    return Readings(vehicles, waiting, near, arriving, mean_speed, np.where(fails, told.age_s, readings.age_s))
