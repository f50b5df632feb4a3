"""The sums that metrics are made of, from what SUMO tells of every vehicle in every second. NumPy only, one replica.

The definitions are those of the native engine (`motion.py`, `visits.py`): halted is slower than 0.1 m/s, time is lost
against the lane's limit as the driver takes it, waits are counted on the approach lane of the movement. What SUMO does
not tell of is NaN: entries on red, overlaps, and the literature's way of timing approaches that are come back to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from intergreen.envs.simulation.motion import HALTED_BELOW_MPS
from intergreen.envs.simulation.visits import WAIT_BIN_START_S

if TYPE_CHECKING:
    from intergreen.envs.arrays import FloatArray, IntArray
    from intergreen.envs.demand import Trips
    from intergreen.envs.simulation.sumo_world import SumoWorld

_NOWHERE = -1


class Second(NamedTuple):
    """The n vehicles in the network after a second."""

    trip: IntArray  # (n,)
    lane: IntArray  # (n,) -1 inside a junction, or on a lane that is not ours
    limit_mps: FloatArray  # (n,) of where they are
    speed_mps: FloatArray  # (n,)
    seen: IntArray  # (n,) `lane`, or the one behind the cut of a street that they are crossing before a stop line
    crossing_m: FloatArray  # (n,) of those who do, the length of the way over the cut; 0


class Sums:
    """One replica from its first second to now."""

    def __init__(self, world: SumoWorld, trips: Trips) -> None:
        self._world, self._trips = world, trips
        n = len(trips)
        types = world.demand.types
        self._occupancy = np.array([kind.occupancy for kind in types])[trips.type] if n else np.zeros(0)
        self._routes = [world.demand.route(route).tolist() for route in trips.route.tolist()]
        self.now = -1  # second that is being added; SUMO's first only puts vehicles on the road
        self.entered = np.full(n, -1, np.int32)  # first second of driving
        self.finished = np.full(n, -1, np.int32)
        self.factor, self.top_mps = np.ones(n), np.full(n, np.inf)
        self._speed, self._lane = np.zeros(n), np.full(n, _NOWHERE, np.int32)
        self._place = np.zeros(n, np.int32)  # on the route
        self._approached = np.zeros(n, np.bool_)
        self._waited = np.zeros(n, np.int32)
        self._loss_s, self._distance_m, self._stops = np.zeros(n), 0.0, 0
        self._updates = self._approach_s = self._queue_s = self._max_queue = 0
        self._wait_max = np.zeros(world.n_movements)
        self._wait_count = np.zeros((world.n_movements, len(WAIT_BIN_START_S)), np.int64)
        none, nothing = np.zeros(0, np.int32), np.zeros(0)
        self.seen = Second(none, none, nothing, nothing, none, nothing)

    def enter(self, trip: int, factor: float, top_mps: float) -> None:
        """A vehicle has been put on the road in the second that is about to be added, and drives from the next on."""
        self.entered[trip], self.factor[trip], self.top_mps[trip] = self.now + 1, factor, top_mps
        self._speed[trip] = 0.0

    def begin(self) -> None:
        """The first second is about to be added; who is on the road already drives in it."""
        self.now = 0

    def finish(self, trip: int) -> None:
        """A vehicle has come to its end in that second."""
        self.finished[trip] = self.now
        self._lane[trip] = _NOWHERE

    def add(self, second: Second) -> None:
        """Add a second."""
        drove = self.entered[second.trip] <= self.now
        self.seen = Second._make(values[drove] for values in second)
        trip, lane, limit_mps, speed = self.seen[:4]
        world, halted = self._world, speed < HALTED_BELOW_MPS
        self._leave_approaches(trip, lane)
        free = np.minimum(limit_mps * self.factor[trip], self.top_mps[trip])
        self._loss_s[trip] += 1.0 - speed / free
        self._distance_m += float(speed.sum())
        self._stops += int(np.count_nonzero(halted & (self._speed[trip] >= HALTED_BELOW_MPS)))
        self._updates += len(trip)
        on_approach = (lane >= 0) & world.is_approach[lane]
        self._approached[trip[on_approach]] = True
        self._approach_s += int(np.count_nonzero(on_approach))
        self._waited[trip[on_approach & halted]] += 1
        stands = (self.seen.seen >= 0) & world.queues[self.seen.seen] & halted
        queue = np.bincount(self.seen.seen[stands], minlength=world.n_lanes)
        self._queue_s += int(queue.sum())
        self._max_queue = max(self._max_queue, int(queue.max(initial=0)))
        self._speed[trip], self._lane[trip] = speed, lane
        self.now += 1

    def waiting_outside(self) -> IntArray:
        """Trips that would be in the network if there had been room."""
        n = self._released()
        return np.flatnonzero(self.entered[:n] < 0).astype(np.int32)

    def totals(self) -> dict[str, float]:
        """The fields of `Totals`, for this replica."""
        n = self._released()
        release = self._trips.release_s[:n]
        outside_s = np.where(self.entered[:n] >= 0, self.entered[:n], self.now) - release
        until = np.where(self.finished[:n] >= 0, self.finished[:n], self.now)
        finished, entered = int((self.finished >= 0).sum()), int((self.entered[:n] >= 0).sum())
        speed, lane = self.seen.speed_mps, self.seen.lane
        longest, p95 = self._waits()
        return {
            "released": n,
            "entered": entered,
            "finished": finished,
            "running": entered - finished,
            "waiting_outside": n - entered,
            "halted": int(np.count_nonzero((speed < HALTED_BELOW_MPS) & (lane >= 0))),
            "sum_travel_time_s": float((until - release).sum()),
            "total_distance_m": self._distance_m,
            "total_time_s": self._updates,
            "approach_vehicles": int(self._approached.sum()),
            "approach_time_s": self._approach_s,
            "approach_time_literature_s": np.nan,
            "time_loss_s": float(self._loss_s.sum()),
            "outside_wait_s": float(outside_s.sum()),
            "person_delay_s": float(((self._loss_s[:n] + outside_s) * self._occupancy[:n]).sum()),
            "persons": float(self._occupancy[:n].sum()),
            "stops": self._stops,
            "queue_time_veh_s": self._queue_s,
            "max_queue_veh": self._max_queue,
            "max_wait_s": longest,
            "p95_wait_s": p95,
            "red_entries": np.nan,
            "overlaps": np.nan,
            "vehicle_updates": self._updates,
            "sum_speed": float(speed.sum()),
            "sum_distance_on_drivable": np.nan,
        }

    def _released(self) -> int:
        return int(np.searchsorted(self._trips.release_s, self.now))

    def _leave_approaches(self, trip: IntArray, lane: IntArray) -> None:
        """Note the waits of all who have left the approach lane that they were on."""
        world, before = self._world, self._lane[trip]
        left = (before >= 0) & ((lane < 0) | (world.lane_road[lane] != world.lane_road[before]))
        for k in np.flatnonzero(left).tolist():
            vehicle, lane_before = int(trip[k]), int(before[k])
            movement = self._movement(vehicle, lane_before)
            if world.is_approach[lane_before] and movement is not None:
                waited = self._waited[vehicle]
                self._wait_max[movement] = max(self._wait_max[movement], waited)
                self._wait_count[movement, _bin(waited)] += 1
            self._waited[vehicle] = 0
            self._place[vehicle] += 1

    def _movement(self, vehicle: int, lane: int) -> int | None:
        """What a vehicle on `lane` is about to do; its place on the route becomes that of the lane's road."""
        route, road = self._routes[vehicle], int(self._world.lane_road[lane])
        place = self._place[vehicle]
        if place >= len(route) or route[place] != road:
            if road not in route[place:]:
                return None  # SUMO has put it elsewhere
            place = self._place[vehicle] = route.index(road, place)
        return self._world.movement_of.get((lane, route[place + 1])) if place + 1 < len(route) else None

    def _waits(self) -> tuple[float, float]:
        """Longest, and longest 95th percentile over the movements [s]; who still waits counts by the seconds so far."""
        longest, counts = self._wait_max.copy(), self._wait_count.copy()
        for vehicle, lane in zip(self.seen.trip.tolist(), self.seen.lane.tolist(), strict=True):
            if lane >= 0 and self._world.is_approach[lane]:
                movement = self._movement(vehicle, lane)
                if movement is not None:
                    longest[movement] = max(longest[movement], self._waited[vehicle])
                    counts[movement, _bin(self._waited[vehicle])] += 1
        total = counts.sum(axis=1)
        reached = counts.cumsum(axis=1) >= np.ceil(0.95 * total)[:, None]
        p95 = np.where(total > 0, WAIT_BIN_START_S[reached.argmax(axis=1)], 0.0)
        return float(longest.max(initial=0)), float(p95.max(initial=0))


def _bin(waited_s: int) -> int:
    return int(np.searchsorted(WAIT_BIN_START_S, waited_s, side="right")) - 1
