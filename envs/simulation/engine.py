"""The simulator: parallel copies of one network, a second at a time, told only which movements have green."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy as copy_of
from typing import Any, Protocol

import numpy as np

from intergreen.envs.arrays import ByteArray, FloatArray, IntArray, copy_rows
from intergreen.envs.demand import Demand, Trips, VehicleType
from intergreen.envs.errors import CapacityError
from intergreen.envs.network import RoadNetwork
from intergreen.envs.simulation.calls import KernelCalls
from intergreen.envs.simulation.compile import inlined, kernel
from intergreen.envs.simulation.counts import (
    Counts,
    LinkCounts,
    Positions,
    copy_positions,
    count_lanes,
    count_links,
    count_queues,
    count_segments,
)
from intergreen.envs.simulation.lane_change import Changes, allocate_changes, replica_changes
from intergreen.envs.simulation.loops import build_loops
from intergreen.envs.simulation.paces import draw_paces
from intergreen.envs.simulation.packed import opened
from intergreen.envs.simulation.routes import build_route_table
from intergreen.envs.simulation.state import (
    ERROR_DRIVABLE,
    FINISHED,
    N_TRIPS,
    RELEASED,
    STEP,
    State,
    TripRows,
    allocate,
    replica_state,
    replica_trips,
)
from intergreen.envs.simulation.statics import build_statics
from intergreen.envs.simulation.step import advance_one_second
from intergreen.envs.simulation.totals import Totals, lost_seconds, movement_waits, read_totals
from intergreen.envs.simulation.turns import take_turn


class Simulator(Protocol):
    """What a simulation back end offers: B copies of a network, greens in, counts out."""

    network: RoadNetwork
    n_replicas: int

    @property
    def green(self) -> ByteArray: ...  # (B, M) 1 where a movement has green; written between calls of `advance`

    @property
    def time_s(self) -> int: ...

    def reset(self, trips: Sequence[Trips], seeds: Sequence[int]) -> None: ...

    def advance(self, seconds: int) -> None: ...

    def counts(self, near_m: FloatArray, bounds_m: FloatArray) -> Counts: ...

    def positions(self, replica: int = 0) -> Positions: ...

    def totals(self) -> Totals: ...


class Engine:
    """The native `Simulator`.

    `green` (B, M) says which movements have green; write to it between calls of `advance`.

    Parameters
    ----------
    demand : gives the routes and vehicle types that the trips of every `reset` refer to
    threads : replicas are shared out among so many threads; the result does not depend on it
    lane_change : drivers change lanes to pass queues (CityFlow's `laneChange`)
    """

    def __init__(
        self,
        network: RoadNetwork,
        demand: Demand,
        *,
        replicas: int = 1,
        threads: int = 1,
        lane_change: bool = False,
    ) -> None:
        if replicas < 1 or threads < 1:
            raise ValueError(f"need replicas >= 1 and threads >= 1, got {replicas} and {threads}")
        self.network = network
        self.n_replicas = replicas
        self.statics = build_statics(network, demand.types)
        self.routes = build_route_table(network, demand)
        self.loops = build_loops(network, demand, self.routes)
        self._types = demand.types
        self._lane_change = lane_change
        self._threads = threads
        self._pool: ThreadPoolExecutor | None = None
        self._share_among_threads()
        self.trips = _no_trips(replicas)
        self.state = self._allocate(self.trips)
        self.changes = self._allocate_changes()

    def reset(self, trips: Sequence[Trips], seeds: Sequence[int]) -> None:
        """Empty the network and set the trips of every replica; a seed draws the priorities that decide ties."""
        if len(trips) != self.n_replicas or len(seeds) != self.n_replicas:
            raise ValueError(f"need trips and seeds for {self.n_replicas} replicas, got {len(trips)} and {len(seeds)}")
        copies = 2 if self._lane_change else 1
        self.trips = _trip_rows(trips, seeds, self.routes.row_start, self._types, copies=copies)
        self.state = self._allocate(self.trips)
        self.changes = self._allocate_changes()
        self.state.tally[:, N_TRIPS] = [len(t.release_s) for t in trips]

    def fork(self, replicas: int) -> Engine:
        """An engine of the same network with room for `replicas` copies of this one's replicas, for `copy_from`."""
        other = copy_of(self)
        other.n_replicas = replicas
        other._share_among_threads()
        other.trips = TripRows(*(np.zeros((replicas, rows.shape[1]), rows.dtype) for rows in self.trips))
        other.state = other._allocate(other.trips)
        other.changes = other._allocate_changes()
        return other

    def copy_from(self, other: Engine, rows: IntArray) -> None:
        """Make every replica go on exactly as replica `rows[b]` of the engine that this one was forked from."""
        copy_rows(self.trips, other.trips, rows)
        copy_rows(self.state, other.state, rows)
        if self.changes is not None and other.changes is not None:
            copy_rows(self.changes, other.changes, rows)

    @property
    def green(self) -> ByteArray:
        """(B, M) uint8, 1 where a movement has green; a view to write to."""
        return self.state.green

    @property
    def time_s(self) -> int:
        """Seconds simulated since the reset."""
        return int(self.state.tally[0, STEP])

    def advance(self, seconds: int) -> None:
        """Simulate `seconds` with the greens as they are."""
        arguments = self.statics, self.routes, self.loops, self.trips, self.state, self.changes
        self.share_out(_advance, arguments, seconds)

    def share_out(self, kernel: Callable[..., None], arguments: tuple[Any, ...], *numbers: int) -> None:
        """Run `kernel(packed, *numbers)`, which takes turns at all replicas, on the engine's threads, then check for
        overflow. Packed are turns and arguments, arrays and named tuples of them; quickest where they are the objects
        of the last call."""
        run, packed = self._calls.call(kernel, arguments, len(numbers))
        self._calls.turns[0] = 0
        others = [self._pool.submit(run, packed, *numbers) for _ in range(self._helpers)] if self._pool else []
        run(packed, *numbers)
        for other in others:
            other.result()
        self._check_capacity()

    def counts(self, near_m: FloatArray, bounds_m: FloatArray) -> Counts:
        """Lane counts now.

        near_m    (L,) m: how far from the stop line a moving vehicle counts as near
        bounds_m  (L, bins) m: how far from it the distance bins of `arriving` reach, ascending
        """
        shape = (self.n_replicas, self.network.n_lanes)
        waiting, vehicles, near = (np.empty(shape, np.int32) for _ in range(3))
        out = Counts(vehicles, waiting, near, np.empty((*shape, bounds_m.shape[1]), np.int32), np.empty(shape))
        count_lanes(self.statics, self.state, near_m, bounds_m, *out)
        return out

    def link_counts(self) -> LinkCounts:
        """Counts on the lane links now."""
        shape = (self.n_replicas, self.network.n_links)
        out = LinkCounts(np.empty(shape, np.int32), np.empty(shape, np.int32), np.empty(shape))
        count_links(self.statics, self.state, *out)
        return out

    def movement_queues(self) -> IntArray:
        """(B, M) vehicles now waiting on a lane (slower than 0.1 m/s), by the movement they will make."""
        out = np.empty((self.n_replicas, self.network.n_movements), np.int32)
        count_queues(self.statics, self.state, out)
        return out

    def movement_waits(self, replica: int = 0) -> tuple[FloatArray, FloatArray]:
        """Most and 95th-percentile seconds stood on the approach lane, by movement, so far; both (M,)."""
        return movement_waits(self.statics, self.state, replica)

    def segment_vehicles(self, n_segments: int) -> IntArray:
        """(B, L, n_segments) vehicles in equal segments of each lane, the one at the stop line first."""
        out = np.empty((self.n_replicas, self.network.n_lanes, n_segments), np.int32)
        count_segments(self.statics, self.state, n_segments, out)
        return out

    def positions(self, replica: int = 0) -> Positions:
        """Where everybody in one replica is now, for recording and replay; who changes lanes is on both."""
        n = int(self.state.n_inside[replica].sum())
        out = Positions(np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n), np.empty(n))
        copy_positions(self.statics, self.state, replica, *out)
        if self.changes is not None:  # shadows carry the second number of their trip
            out.trip[:] %= self.trips.release.shape[1] // 2
        return out

    def totals(self) -> Totals:
        """What has happened so far, for the metrics."""
        return read_totals(self.statics, self.loops, self.trips, self.state, self.changes)

    def passed(self) -> IntArray:
        """(B, 2) trips released and finished so far."""
        return self.state.tally[:, [RELEASED, FINISHED]].astype(np.int32)

    def delay_s(self) -> FloatArray:
        """(B,) seconds lost against free flow so far, in the network and waiting to enter."""
        return lost_seconds(self.trips, self.state)

    def close_lane(self, lane: int, *, replica: int | slice = slice(None)) -> None:
        """Let nobody enter `lane` any more but who could not stop before it; who is on it drives on."""
        self.state.closed[replica, lane] = 1

    def reopen_lane(self, lane: int, *, replica: int | slice = slice(None)) -> None:
        """Undo `close_lane`."""
        self.state.closed[replica, lane] = 0

    def set_speed_limit(self, lane: int, speed_mps: float, *, replica: int | slice = slice(None)) -> None:
        """Change the limit of `lane`; free-flow time, and so delay, keeps counting with the original one."""
        if not speed_mps >= 0.0:
            raise ValueError(f"need a speed limit >= 0 m/s, got {speed_mps}")
        self.state.limit[replica, lane] = speed_mps

    def close(self) -> None:
        """End the threads that share out the replicas; what is asked for afterwards goes on without them."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_pool": None}  # threads stay where they are; a copy has its own

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._start_helpers()

    def _share_among_threads(self) -> None:
        self._helpers = min(self._threads, self.n_replicas) - 1  # beside the thread that calls
        self._start_helpers()
        self._calls = KernelCalls(self.n_replicas)

    def _start_helpers(self) -> None:
        self._pool = ThreadPoolExecutor(self._helpers) if self._helpers > 0 else None

    def _allocate(self, trips: TripRows) -> State:
        return allocate(
            self.statics,
            replicas=self.n_replicas,
            trips=trips.release.shape[1],
            movements=self.network.n_movements,
            hot_words=self.network.n_intersections * self.statics.mask_words,
            loops=self.loops.n_slots,
        )

    def _allocate_changes(self) -> Changes | None:
        if not self._lane_change:
            return None
        vehicles = self.trips.release.shape[1]
        return allocate_changes(self.network.lane_width_m, replicas=self.n_replicas, vehicles=vehicles)

    def _check_capacity(self) -> None:
        full = self.state.tally[:, ERROR_DRIVABLE].tolist()
        if max(full) < 0:
            return
        replica = next(b for b, drivable in enumerate(full) if drivable >= 0)
        drivable = full[replica]
        n_lanes = self.network.n_lanes
        if drivable < n_lanes:
            name = f"lane {self.network.lane_name(drivable)}"
        else:
            link = drivable - n_lanes
            ends = (self.network.link_from_lane[link], self.network.link_to_lane[link])
            name = "lane link {} to {}".format(*(self.network.lane_name(int(e)) for e in ends))
        raise CapacityError(
            f"{name} is full: {self.statics.capacity[drivable]} vehicles on {self.statics.length[drivable]:.1f} m "
            f"in replica {replica} at second {self.time_s}; streams pile up there, check its geometry and signals"
        )


@kernel
def _advance(packed, seconds):
    _advance_all(*opened(packed), seconds)


@inlined
def _advance_all(turns, net, routes, loops, trips, state, changes, seconds):
    b = take_turn(turns, state.tally.shape[0])
    while b < state.tally.shape[0]:
        mine = replica_state(state, b)
        my_trips = replica_trips(trips, b)
        my_changes = None if changes is None else replica_changes(changes, b)
        for _ in range(seconds):
            advance_one_second(net, routes, loops, my_trips, mine, my_changes)
        b = take_turn(turns, state.tally.shape[0])


def _no_trips(replicas: int) -> TripRows:
    return _rows(replicas, 1)


def _rows(replicas: int, width: int) -> TripRows:
    release, first_row, start_lane, kind, priority = (np.zeros((replicas, width), np.int32) for _ in range(5))
    return TripRows(release, first_row, start_lane, kind, priority, pace=np.ones((replicas, width)))


def _trip_rows(
    trips: Sequence[Trips], seeds: Sequence[int], row_start: IntArray, types: Sequence[VehicleType], *, copies: int
) -> TripRows:
    """The trips of all replicas in arrays of one width; with lane changing a second copy, for the shadows."""
    width = max(1, *(len(t.release_s) for t in trips))
    rows = _rows(len(trips), copies * width)
    for b, (trip, seed) in enumerate(zip(trips, seeds, strict=True)):
        n = len(trip.release_s)
        paces = draw_paces(types, trip.type)
        priority = np.random.default_rng(seed).permutation(copies * n).reshape(copies, n)
        for copy in range(copies):
            part = slice(copy * width, copy * width + n)
            rows.release[b, part] = trip.release_s
            rows.first_row[b, part] = row_start[trip.route]
            rows.start_lane[b, part] = trip.start_lane
            rows.kind[b, part] = trip.type
            rows.priority[b, part] = priority[copy]
            rows.pace[b, part] = paces
    return rows
