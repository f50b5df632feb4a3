"""SUMO as a second simulator behind the engine's protocol: parallel copies of one network, a second at a time.

One copy runs in this process, if no other simulation has; all others, and those of later resets, in new processes of
their own, side by side: `sumo_library.has_run_here` says why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from intergreen.envs.aspects import GREEN, RED
from intergreen.envs.errors import SimulationError
from intergreen.envs.simulation.counts import Counts, LaneSums, Positions
from intergreen.envs.simulation.sumo_library import has_run_here
from intergreen.envs.simulation.sumo_run import INCIDENTS, LaneSeconds, Seen, SumoRun
from intergreen.envs.simulation.sumo_worker import Worker
from intergreen.envs.simulation.totals import Totals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from intergreen.envs.arrays import ByteArray, FloatArray, IntArray
    from intergreen.envs.demand import Trips
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.simulation.sumo_world import SumoWorld


class SumoSimulator:
    """The `Simulator` that SUMO is.

    `green` (B, M) says which movements have green where `advance` is not told of all lamps; write to it between calls.
    """

    def __init__(self, network: RoadNetwork, world: SumoWorld, *, replicas: int = 1) -> None:
        self._runs: list[_Here | Worker] = []
        if replicas < 1:
            raise ValueError(f"need replicas >= 1, got {replicas}")
        self.network, self.n_replicas = network, replicas
        self._world = world
        self.green: ByteArray = np.zeros((replicas, network.n_movements), np.uint8)
        self.displayed: ByteArray = np.zeros((replicas, network.n_movements), np.uint8)
        self.calls: ByteArray = np.zeros((replicas, network.n_movements), np.uint8)
        self.time_s = 0
        self._seeds: Sequence[int] = range(replicas)

    def reset(self, trips: Sequence[Trips], seeds: Sequence[int]) -> None:
        """Empty the network and set the trips of every replica; a seed is SUMO's `--seed`.

        Raises
        ------
        SimulationError
            If SUMO refuses network or trips, or a process has ended.
        """
        if len(trips) != self.n_replicas or len(seeds) != self.n_replicas:
            raise ValueError(f"need trips and seeds for {self.n_replicas} replicas, got {len(trips)} and {len(seeds)}")
        self._seeds, self.time_s = [int(seed) for seed in seeds], 0
        self.close()
        in_process = self.n_replicas == 1 and not has_run_here()
        for b in range(self.n_replicas):
            try:
                self._runs.append(_Here(self._world) if in_process else Worker(self._world))
            except RuntimeError as error:
                raise self._failure(b, error) from None
        self._ask("reset", list(zip(trips, self._seeds, strict=True)))
        self.displayed[:], self.calls[:] = 0, 0

    def advance(self, seconds: int, aspects: ByteArray | None = None) -> None:
        """Simulate `seconds` with lamps as they are: `aspects` (B, M), or green and red by `green`."""
        lit = np.where(self.green != 0, GREEN, RED).astype(np.uint8) if aspects is None else aspects
        for _ in range(seconds):
            seen: list[Seen] = self._ask("advance", [(row,) for row in lit])
            for b, one in enumerate(seen):
                self.displayed[b] = one.displayed
                if self._world.hears_calls:
                    self.calls[b] = one.calls
            self.time_s += 1

    def counts(self, near_m: FloatArray, bounds_m: FloatArray) -> Counts:
        """Lane counts now; as the engine's."""
        if self.time_s == 0:
            return self._nobody(bounds_m.shape[1])
        rows = self._ask("counts", [(near_m, bounds_m)] * self.n_replicas)
        return Counts(*(np.stack(column) for column in zip(*rows, strict=True)))

    def totals(self) -> Totals:
        """What has happened so far, for the metrics; what SUMO does not tell is NaN."""
        rows = self._ask("totals", [()] * self.n_replicas)
        return Totals(*(np.array([row[name] for row in rows]) for name in Totals._fields))

    def incidents(self) -> dict[str, IntArray]:
        """(B,) each: teleports, vehicles in collisions, emergency stops so far."""
        rows = np.array(self._ask("told_incidents", [()] * self.n_replicas)).reshape(self.n_replicas, -1)
        return dict(zip(INCIDENTS, rows.T.astype(np.int32), strict=True))

    def take_lane_sums(self, sums: LaneSums) -> None:
        """Overwrite queue and delays of `sums` (B, L) with those of the seconds since the last call."""
        rows: list[LaneSeconds] = self._ask("take_lane_seconds", [()] * self.n_replicas)
        for b, row in enumerate(rows):
            sums.queue[b], sums.delay[b], sums.person_delay[b] = row

    def waiting_outside(self) -> list[tuple[IntArray, FloatArray]]:
        """Of every replica, (L,) vehicles and people that wait outside, by the lane their trips begin on."""
        return self._ask("waiting_outside", [()] * self.n_replicas)

    def positions(self, replica: int = 0) -> Positions:
        """Where everybody on the lanes of one replica is now; who is inside a junction is left out."""
        if self.time_s == 0:
            return Positions(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0), np.zeros(0))
        run = self._runs[replica]
        run.send("positions")
        return Positions(*self._receive(replica))

    @property
    def worker_cpu_s(self) -> float:
        """CPU seconds that the simulations of this reset have taken in other processes."""
        return sum(run.cpu_s for run in self._runs if isinstance(run, Worker))

    @property
    def worker_pids(self) -> list[int]:
        return [run.pid for run in self._runs if isinstance(run, Worker)]

    def close(self) -> None:
        """End all simulations and their processes."""
        runs, self._runs = self._runs, []
        for run in runs:
            run.close()

    def __del__(self) -> None:
        """Wait for nothing: the collector may come in the middle of what a worker's end would wait for."""
        for run in self._runs:
            run.leave()

    def _ask(self, method: str, arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
        """The answers of all replicas, which work side by side."""
        if not self._runs:
            raise ValueError("nothing is running: call reset() first")
        for b, (run, given) in enumerate(zip(self._runs, arguments, strict=True)):
            try:
                run.send(method, *given)
            except RuntimeError as error:
                raise self._failure(b, error) from None
        return [self._receive(b) for b in range(self.n_replicas)]

    def _receive(self, b: int) -> Any:
        try:
            return self._runs[b].receive()
        except RuntimeError as error:
            raise self._failure(b, error) from None

    def _failure(self, b: int, error: RuntimeError) -> SimulationError:
        """Everything ends: the runs of the other seeds stand in the middle of a second."""
        seed, time_s = self._seeds[b], self.time_s
        self.close()
        return SimulationError(f"{self.network.name}: seed {seed}, second {time_s}: {error}")

    def _nobody(self, n_bins: int) -> Counts:
        shape = (self.n_replicas, self.network.n_lanes)
        vehicles, waiting, near = (np.zeros(shape, np.int32) for _ in range(3))
        return Counts(vehicles, waiting, near, np.zeros((*shape, n_bins), np.int32), np.zeros(shape))


class _Here:
    """A run in this process, asked as a worker is."""

    def __init__(self, world: SumoWorld) -> None:
        self._run = SumoRun(world)
        self._answer: Any = None

    def send(self, method: str, *arguments: Any) -> None:
        self._answer = getattr(self._run, method)(*arguments)

    def receive(self) -> Any:
        return self._answer

    def close(self) -> None:
        self._run.close()

    leave = close
