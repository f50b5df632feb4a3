"""A plain recount of the engine's sums from where everybody is after each second, one vehicle at a time.

Only `positions()` and the greens are read. Nobody is seen in the second in which the network is left: that last speed
is the free one, which holds because the vehicle is the first of a lane that leads nowhere.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from math import ceil

import numpy as np

from intergreen.envs.demand import Demand, Trips, VehicleType
from intergreen.envs.network import RoadNetwork
from intergreen.envs.simulation import Positions

HALTED_MPS = 0.1
LINK_LIMIT_MPS = 1e4  # nobody reaches it: inside a junction only the vehicle's own maximum counts


@dataclass(frozen=True)
class Place:
    """Where one vehicle is and how fast."""

    drivable: int  # lane, or number of lanes + link
    distance_m: float
    speed_mps: float


class Recount:
    """Sums over the vehicles of one replica; `see` every second."""

    def __init__(self, network: RoadNetwork, demand: Demand, trips: Trips) -> None:
        self.network, self.demand, self.trips = network, demand, trips
        self.time_s = 0
        self.inside: dict[int, Place] = {}
        self.leg: dict[int, int] = {}  # trip -> which road of its route it is on, or has left last
        self.entered_at: dict[int, int] = {}
        self.finished_at: dict[int, int] = {}
        self.first_seen: dict[tuple[int, int], int] = {}  # (trip, intersection) -> second
        self.last_missed: dict[tuple[int, int], int] = {}
        self.on_approach: dict[int, int] = {}  # trip -> intersection
        self.halted_s: Counter[tuple[int, int]] = Counter()  # (trip, leg): seconds halted on that lane
        self.time_loss_s: dict[int, float] = defaultdict(float)  # by trip
        self.updates = self.stops = self.queue_time = self.max_queue = self.approach_time = self.red_entries = 0
        self.distance_m = 0.0
        self._length = np.concatenate([network.lane_length_m, network.link_length_m]).tolist()
        self._limit = network.lane_speed_limit_mps.tolist() + [LINK_LIMIT_MPS] * network.n_links
        ends_at = network.road_to[network.lane_road]
        signals = set(network.signalled.tolist())
        self._signal = [i if i in signals else None for i in ends_at.tolist()]
        roads = zip(network.movement_from_road.tolist(), network.movement_to_road.tolist(), strict=True)
        self._movement = {pair: m for m, pair in enumerate(roads)}

    def see(self, positions: Positions, green: np.ndarray) -> None:
        """Take in where everybody is at the end of a second that was driven under `green` (M,)."""
        columns = (column.tolist() for column in positions)
        now = {trip: Place(*place) for trip, *place in zip(*columns, strict=True)}
        before = dict(self.inside)
        for trip in now.keys() - before.keys():
            assert trip not in self.finished_at, "came back"
            self.entered_at[trip], self.leg[trip] = self.time_s, 0
            before[trip] = Place(int(self.trips.start_lane[trip]), 0.0, 0.0)
        queue: Counter[int] = Counter()
        for trip, old in before.items():
            self._drive(trip, old, now.get(trip), queue, green)
        self.queue_time += queue.total()
        self.max_queue = max(self.max_queue, *queue.values(), 0)
        self.inside = now
        self.time_s += 1
        self._note_approaches()

    def _drive(self, trip: int, old: Place, new: Place | None, queue: Counter[int], green: np.ndarray) -> None:
        """One vehicle's second; what depends on the place counts where it began."""
        kind = self._type(trip)
        if new is None:
            assert self.leg[trip] == len(self._route(trip)) - 1, "left before the end of its route"
            self.finished_at[trip] = self.time_s
            speed = self._free_speed(trip, old)
            way = (old.speed_mps + speed) / 2
            assert old.distance_m + way > self._length[old.drivable]
        else:
            speed, way = new.speed_mps, self._way(old, new)
        self.updates += 1
        self.distance_m += way
        self.time_loss_s[trip] += 1 - way / min(kind.max_speed_mps, self._limit[old.drivable])
        self.stops += old.speed_mps >= HALTED_MPS > speed
        on_lane = old.drivable < self.network.n_lanes
        if on_lane and speed < HALTED_MPS:
            self.halted_s[trip, self.leg[trip]] += 1
            if self._signal[old.drivable] is not None:
                queue[old.drivable] += 1
        if new is not None and new.drivable != old.drivable:
            if on_lane:
                self.red_entries += not green[self._movement_of(trip, self.leg[trip])]
            if new.drivable < self.network.n_lanes:
                self.leg[trip] += 1
                assert self.network.lane_road[new.drivable] == self._route(trip)[self.leg[trip]], "off its route"

    def _way(self, old: Place, new: Place) -> float:
        """Metres from one place to another along lanes and links."""
        n_lanes, network = self.network.n_lanes, self.network
        if new.drivable == old.drivable:
            return new.distance_m - old.distance_m
        passed = [old.drivable]
        if old.drivable < n_lanes and new.drivable < n_lanes:
            between = (network.link_from_lane == old.drivable) & (network.link_to_lane == new.drivable)
            passed.append(n_lanes + int(np.flatnonzero(between).item()))
        elif old.drivable < n_lanes:
            assert network.link_from_lane[new.drivable - n_lanes] == old.drivable
        else:
            assert network.link_to_lane[old.drivable - n_lanes] == new.drivable
        return sum(self._length[drivable] for drivable in passed) - old.distance_m + new.distance_m

    def _free_speed(self, trip: int, old: Place) -> float:
        ahead = [p for p in self.inside.values() if p.drivable == old.drivable and p.distance_m > old.distance_m]
        assert not ahead, "two left one lane in a second: nobody saw how fast the second of them was"
        kind = self._type(trip)
        return min(kind.max_speed_mps, self._limit[old.drivable], old.speed_mps + kind.max_accel_mps2)

    def _note_approaches(self) -> None:
        was, self.on_approach = self.on_approach, {}
        for trip, place in self.inside.items():
            signal = self._signal[place.drivable] if place.drivable < self.network.n_lanes else None
            if signal is not None:
                self.on_approach[trip] = signal
                self.first_seen.setdefault((trip, signal), self.time_s)
        self.approach_time += len(self.on_approach)
        for trip, signal in was.items():
            if self.on_approach.get(trip) != signal:
                self.last_missed[trip, signal] = self.time_s

    def _route(self, trip: int) -> list[int]:
        route: list[int] = self.demand.route(self.trips.route[trip]).tolist()
        return route

    def _type(self, trip: int) -> VehicleType:
        return self.demand.types[self.trips.type[trip]]

    def _movement_of(self, trip: int, leg: int) -> int:
        route = self._route(trip)
        return self._movement[route[leg], route[leg + 1]]

    @property
    def released(self) -> range:
        return range(int(np.searchsorted(self.trips.release_s, self.time_s)))

    def outside_wait_s(self, trip: int) -> int:
        return self.entered_at.get(trip, self.time_s) - int(self.trips.release_s[trip])

    def approach_time_literature_s(self) -> int:
        """First seen to last missed per (vehicle, signal); who was never missed, to now."""
        return sum(self.last_missed.get(visit, self.time_s) - seen for visit, seen in self.first_seen.items())

    def waits(self) -> dict[int, list[int]]:
        """Movement -> seconds halted on the approach lane, of everybody who has passed it or is on it."""
        out: dict[int, list[int]] = defaultdict(list)
        for trip in self.entered_at:
            route, leg = self._route(trip), self.leg[trip]
            for k in range(min(leg, len(route) - 2) + 1):
                if self._signal[self.network.road_lane_start[route[k]]] is not None:
                    out[self._movement_of(trip, k)].append(self.halted_s[trip, k])
        return out

    def totals(self) -> dict[str, float]:
        """The sums now, by their names in `Totals`."""
        released, now = self.released, self.time_s
        release_s = self.trips.release_s.tolist()
        occupancy = [self._type(trip).occupancy for trip in released]
        loss = sum(self.time_loss_s.values())
        outside = sum(map(self.outside_wait_s, released))
        waits = list(self.waits().values())
        return {
            "released": len(released),
            "entered": len(self.entered_at),
            "finished": len(self.finished_at),
            "running": len(self.inside),
            "waiting_outside": len(released) - len(self.entered_at),
            "halted": sum(p.speed_mps < HALTED_MPS and p.drivable < self.network.n_lanes for p in self.inside.values()),
            "sum_travel_time_s": sum(self.finished_at.get(trip, now) - release_s[trip] for trip in released),
            "total_distance_m": self.distance_m,
            "total_time_s": self.updates,
            "vehicle_updates": self.updates,
            "approach_vehicles": len({trip for trip, _ in self.first_seen}),
            "approach_time_s": self.approach_time,
            "approach_time_literature_s": self.approach_time_literature_s(),
            "time_loss_s": loss,
            "outside_wait_s": outside,
            "person_delay_s": sum(
                (self.time_loss_s[trip] + self.outside_wait_s(trip)) * persons
                for trip, persons in zip(released, occupancy, strict=True)
            ),
            "persons": sum(occupancy),
            "stops": self.stops,
            "queue_time_veh_s": self.queue_time,
            "max_queue_veh": self.max_queue,
            "max_wait_s": max((max(seconds) for seconds in waits), default=0),
            "p95_wait_s": max((bin_start(p95(seconds)) for seconds in waits), default=0),
            "red_entries": self.red_entries,
            "sum_speed": sum(place.speed_mps for place in self.inside.values()),
            "sum_distance_on_drivable": sum(place.distance_m for place in self.inside.values()),
        }


def p95(seconds: list[int]) -> int:
    """The least wait that 95 % do not exceed."""
    return sorted(seconds)[ceil(0.95 * len(seconds)) - 1]


def bin_start(wait_s: int) -> int:
    """A wait rounded down as the engine's histogram does: to 2 s below a minute, to 20 s below ten, then to 600 s."""
    step = 2 if wait_s < 60 else 20 if wait_s < 600 else 600
    return wait_s // step * step
