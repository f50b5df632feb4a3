"""The engine's slow, plain-Python twin: CityFlow's rules in plain words, objects and lists.

Written from the specification, never from the kernels, so that a mistake in one is not a mistake in both. It knows no
shortcut: every vehicle looks at everything it might have to mind. A drivable is a lane (0..L-1) or a lane link
(L..L+K-1).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from itertools import pairwise

from simulation.twin_vehicle import NEVER, TURN_SPEED_MPS, YIELD_DISTANCE_M, Vehicle, leads_into_cycle

from intergreen.envs.demand import Demand, Trips
from intergreen.envs.network import STRAIGHT, RoadNetwork

LINK_LIMIT_MPS = 1e4
HALTED_BELOW_MPS = 0.1
ENTERABLE_SPEED_MPS = 2.0  # the last vehicle of a lane at this speed or more leaves room in time


class Twin:
    """A run of one network and its trips, lane changing off.

    Public after each `step`: `time_s`, `released`, `finished`, `red_entries` (vehicles that came onto a red link),
    `overlaps` (arrivals on top of the vehicle ahead) and the read-outs at the end. `lane_limit_mps` (L,) and
    `closed_lanes` may be changed between steps: nobody enters a closed lane, who can still stop for it does.
    """

    def __init__(self, network: RoadNetwork, demand: Demand, trips: Trips, priorities: Sequence[int]) -> None:
        self.network = network
        self.n_lanes = network.n_lanes
        n_drivables = network.n_lanes + network.n_links
        self.length = network.lane_length_m.tolist() + network.link_length_m.tolist()
        self.lane_limit_mps = network.lane_speed_limit_mps.tolist()
        self.link_from = network.link_from_lane.tolist()
        self.link_to = network.link_to_lane.tolist()
        self.link_movement = network.link_movement.tolist()
        self.rank = network.movement_turn[network.link_movement].tolist()  # STRAIGHT is the highest
        self.links_of_lane = _rows(network.lane_link_start, network.lane_links)
        self.crossings = _crossings(network)
        self.notified: dict[tuple[int, int], tuple[Vehicle, float]] = {}  # (link, foe link): who comes, how far
        self.green: list[bool] = []
        self.on: list[list[Vehicle]] = [[] for _ in range(n_drivables)]  # front vehicle first
        self.queue: list[deque[Vehicle]] = [deque() for _ in range(self.n_lanes)]
        self.to_release = deque(self._vehicles(demand, trips, priorities))
        self.time_s = 0
        self.released = 0
        self.released_at_sum = 0
        self.finished = 0
        self.finished_travel_time_s = 0
        self.red_entries = 0
        self.overlaps = 0
        self.closed_lanes: set[int] = set()

    def _vehicles(self, demand: Demand, trips: Trips, priorities: Sequence[int]) -> list[Vehicle]:
        routes = _rows(demand.route_start, demand.route_roads)
        out = []
        for i, (release_s, route, kind, lane) in enumerate(
            zip(trips.release_s.tolist(), trips.route, trips.type, trips.start_lane.tolist(), strict=True)
        ):
            path = self._path(lane, routes[route])
            out.append(Vehicle(i, demand.types[kind], path, release_s, int(priorities[i])))
        return out

    def _path(self, lane: int, roads: list[int]) -> list[int]:
        """Drivables from the first lane to the last: lanes are not changed, so the route decides."""
        path = [lane]
        for j in range(len(roads) - 1):
            after = roads[j + 2] if j + 2 < len(roads) else None
            links = [k for k in self.links_of_lane[lane] if self._serves(k, roads[j + 1], after)]
            if not links:
                break
            index = self.network.lane_index
            link = min(links, key=lambda k: abs(int(index[self.link_to[k]]) - int(index[lane])))  # first on ties
            lane = self.link_to[link]
            path += [self.n_lanes + link, lane]
        return path

    def _serves(self, link: int, road: int, after: int | None) -> bool:
        end = self.link_to[link]
        lane_road = self.network.lane_road
        if lane_road[end] != road:
            return False
        return after is None or any(lane_road[self.link_to[k]] == after for k in self.links_of_lane[end])

    # one step -------------------------------------------------------------------------------------------------

    def step(self, movement_green: Sequence[bool]) -> None:
        """Let one second pass; movement_green (M,) says which movements are open in it."""
        self.green = [bool(movement_green[m]) for m in self.link_movement]
        self._release()
        self._enter()
        self._notify()
        vehicles = self.running
        decisions = [self._decide(vehicle) for vehicle in vehicles]
        self._move(vehicles, decisions)
        self._find_leaders()
        self.time_s += 1

    def _release(self) -> None:
        while self.to_release and self.to_release[0].release_s <= self.time_s:
            vehicle = self.to_release.popleft()
            self.released += 1
            self.released_at_sum += vehicle.release_s
            self.queue[vehicle.drivable].append(vehicle)

    def _enter(self) -> None:
        """Of each lane's waiting vehicles the first comes in, if the lane's last vehicle has left room."""
        for lane, queue in enumerate(self.queue):
            if not queue or lane in self.closed_lanes:
                continue
            tail = self.on[lane][-1] if self.on[lane] else None
            if tail is None or tail.distance > tail.kind.length_m + queue[0].kind.min_gap_m:
                vehicle = queue.popleft()
                self.on[lane].append(vehicle)
                self._find_leader(vehicle, tail)

    def _notify(self) -> None:
        """Tell each crossing who comes next on each of its links and how far away that vehicle is."""
        self.notified.clear()
        for link, crossings in enumerate(self.crossings):
            left = list(crossings)  # nearest first, so the far end is at the back
            length = self.length[self.n_lanes + link]
            tail = self.on[self.link_to[link]][-1:]
            if tail and tail[0].previous == self.n_lanes + link:
                self._notify_of_left(link, left, tail[0], length)
            for vehicle in self.on[self.n_lanes + link]:
                self._notify_of_passing(link, left, vehicle)
            front = self.on[self.link_from[link]][:1]
            if front and front[0].ahead(1) == self.n_lanes + link and self.green[link]:
                to_link = self.length[self.link_from[link]] - front[0].distance
                for d, foe, _ in left:
                    self.notified[link, foe] = (front[0], to_link + d)

    def _notify_of_left(self, link: int, left: list, vehicle: Vehicle, length: float) -> None:
        """The vehicle has left the link, but its tail may still stand on crossings."""
        while left:
            d, foe, _ = left[-1]
            from_cross = length - d
            if from_cross + (vehicle.distance - vehicle.kind.length_m) >= 0:
                return
            self.notified[link, foe] = (vehicle, -(vehicle.distance + from_cross))
            left.pop()

    def _notify_of_passing(self, link: int, left: list, vehicle: Vehicle) -> None:
        while left:
            d, foe, _ = left[-1]
            if vehicle.distance > d and vehicle.distance - d - vehicle.kind.length_m > 0:
                return
            self.notified[link, foe] = (vehicle, d - vehicle.distance)
            left.pop()

    def _decide(self, me: Vehicle) -> tuple[float, Vehicle | None]:
        """Next speed of one vehicle (may be negative), and who made it yield."""
        drivable = me.drivable
        limit = self.lane_limit_mps[drivable] if drivable < self.n_lanes else LINK_LIMIT_MPS
        v = min(me.kind.max_speed_mps, me.speed + me.kind.max_accel_mps2, limit, me.follow_speed())
        blocker = None
        if self._minds_junction(me):
            at_junction, blocker = self._junction_speed(me)
            v = min(v, at_junction)
        return max(v, me.speed - me.kind.max_decel_mps2), blocker

    def _minds_junction(self, me: Vehicle) -> bool:
        if me.drivable >= self.n_lanes:
            return True
        return me.ahead(1) is not None and self.length[me.drivable] - me.distance <= me.zone()

    def _junction_speed(self, me: Vehicle) -> tuple[float, Vehicle | None]:
        v = me.kind.max_speed_mps
        if me.drivable < self.n_lanes:
            link = me.ahead(1) - self.n_lanes
            to_stop_line = self.length[me.drivable] - me.distance
            barred = (
                not self.green[link] or self._is_full(self.link_to[link], me) or self.link_to[link] in self.closed_lanes
            )
            if barred and me.braking_distance() <= to_stop_line:
                return min(v, me.stop_before(to_stop_line)), None
            if self.rank[link] < STRAIGHT:
                v = min(v, TURN_SPEED_MPS)
            on_link = -to_stop_line
        else:
            link = me.drivable - self.n_lanes
            on_link = me.distance
        for d, foe, _ in self.crossings[link]:
            if d >= on_link and not self._may_pass(me, d - on_link, link, foe):
                stop = me.stop_before(d - on_link - YIELD_DISTANCE_M)
                return min(v, stop), self.notified[foe, link][0]
        return v, None

    def _is_full(self, lane: int, me: Vehicle) -> bool:
        if not self.on[lane]:
            return False
        tail = self.on[lane][-1]
        return tail.distance <= tail.kind.length_m + me.kind.length_m and tail.speed < ENTERABLE_SPEED_MPS

    def _may_pass(self, me: Vehicle, d1: float, link: int, foe_link: int) -> bool:
        if (foe_link, link) not in self.notified:
            return True
        foe, d2 = self.notified[foe_link, link]
        if not me.can_yield(d1):
            return True
        if foe.can_yield(d2) and self._goes_first(me, d1, link, foe, d2, foe_link):
            return True
        return leads_into_cycle(foe)

    def _goes_first(self, me: Vehicle, d1: float, link: int, foe: Vehicle, d2: float, foe_link: int) -> bool:
        mine, other = self.rank[link], self.rank[foe_link]
        if mine > other:
            return True
        if d2 <= 0:
            return d2 + foe.kind.length_m < 0
        foe_steps = foe.reach_steps(d2, turns=other < STRAIGHT)
        my_steps = me.reach_steps(d1, turns=mine < STRAIGHT)
        if mine < other or foe_steps != my_steps:
            return foe_steps > my_steps
        if me.entered_link != foe.entered_link:
            return me.entered_link < foe.entered_link
        if d1 != d2:
            return d1 < d2
        return me.priority > foe.priority

    def _move(self, vehicles: list[Vehicle], decisions: list[tuple[float, Vehicle | None]]) -> None:
        movers: list[tuple[float, int, Vehicle]] = []
        after = []
        for vehicle, (v, _) in zip(vehicles, decisions, strict=True):
            if v < 0:
                travelled, v = 0.5 * vehicle.speed * vehicle.speed / vehicle.kind.max_decel_mps2, 0.0
            else:
                travelled = (vehicle.speed + v) / 2
            at, distance = vehicle.at, travelled + vehicle.distance
            while at < len(vehicle.path) and distance > self.length[vehicle.path[at]]:
                distance -= self.length[vehicle.path[at]]
                at += 1
            after.append((v, at, distance))
            self._count_red_entries(vehicle, at)
            if at == len(vehicle.path):
                self._finish(vehicle)
            elif at != vehicle.at:
                self.on[vehicle.drivable].remove(vehicle)
                movers.append((distance, at, vehicle))
        # CityFlow leaves exact ties to its memory layout; in its one known tie (newyork_16x3 under mp, second 3137)
        # the later trip is in front
        movers.sort(key=lambda mover: (-mover[0], -mover[2].trip))
        for _, at, vehicle in movers:
            self.on[vehicle.path[at]].append(vehicle)
        for vehicle, (_, blocker), (v, at, distance) in zip(vehicles, decisions, after, strict=True):
            if vehicle.gone:
                continue
            if at != vehicle.at:
                vehicle.previous = vehicle.drivable
                vehicle.at = at
                vehicle.entered_link = self.time_s if vehicle.drivable >= self.n_lanes else NEVER
            vehicle.speed, vehicle.distance = v, distance
            vehicle.blocker = blocker if blocker is not None and not blocker.gone else None
        self._count_overlaps([vehicle for _, _, vehicle in movers])

    def _count_overlaps(self, arrived: list[Vehicle]) -> None:
        for vehicle in arrived:
            line = self.on[vehicle.drivable]
            place = line.index(vehicle)
            if place > 0 and line[place - 1].distance - line[place - 1].kind.length_m < vehicle.distance:
                self.overlaps += 1

    def _count_red_entries(self, vehicle: Vehicle, at: int) -> None:
        for drivable in vehicle.path[vehicle.at + 1 : at + 1]:
            if drivable >= self.n_lanes and not self.green[drivable - self.n_lanes]:
                self.red_entries += 1

    def _finish(self, vehicle: Vehicle) -> None:
        vehicle.gone = True
        self.on[vehicle.drivable].remove(vehicle)
        self.finished += 1
        self.finished_travel_time_s += self.time_s - vehicle.release_s
        self.released_at_sum -= vehicle.release_s

    def _find_leaders(self) -> None:
        for vehicles in self.on:
            ahead = None
            for vehicle in vehicles:
                self._find_leader(vehicle, ahead)
                ahead = vehicle

    def _find_leader(self, me: Vehicle, ahead: Vehicle | None) -> None:
        if ahead is not None:
            me.leader = ahead
            me.gap = ahead.distance - ahead.kind.length_m - me.distance
            return
        me.leader = None
        way = self.length[me.drivable] - me.distance
        steps = 1
        while (drivable := me.ahead(steps)) is not None:
            for other in self._beside(drivable):
                if self.on[other]:
                    last = self.on[other][-1]
                    gap = way + last.distance - last.kind.length_m
                    if me.leader is None or gap < me.gap:
                        me.leader, me.gap = last, gap
            way += self.length[drivable]
            if me.leader is not None or way > me.zone():
                return
            steps += 1

    def _beside(self, drivable: int) -> list[int]:
        """A lane alone; a link with all links that start at the same lane, since their first metres overlap."""
        if drivable < self.n_lanes:
            return [drivable]
        return [self.n_lanes + k for k in self.links_of_lane[self.link_from[drivable - self.n_lanes]]]

    # read-outs ------------------------------------------------------------------------------------------------

    @property
    def running(self) -> list[Vehicle]:
        return [vehicle for vehicles in self.on for vehicle in vehicles]

    @property
    def waiting_outside(self) -> int:
        return sum(len(queue) for queue in self.queue)

    @property
    def halted(self) -> int:
        """Vehicles on lanes slower than 0.1 m/s."""
        return sum(self.lane_waiting())

    @property
    def sum_speed(self) -> float:
        return math.fsum(vehicle.speed for vehicle in self.running)

    @property
    def sum_distance(self) -> float:
        return math.fsum(vehicle.distance for vehicle in self.running)

    @property
    def average_travel_time_s(self) -> float:
        """Over all released vehicles, those under way or waiting up to now."""
        under_way = self.released - self.finished
        total = self.finished_travel_time_s + under_way * self.time_s - self.released_at_sum
        return total / self.released if self.released else 0.0

    def lane_vehicles(self) -> list[int]:
        """(L,) vehicles on each lane."""
        return [len(vehicles) for vehicles in self.on[: self.n_lanes]]

    def lane_waiting(self) -> list[int]:
        """(L,) vehicles slower than 0.1 m/s on each lane."""
        return [sum(v.speed < HALTED_BELOW_MPS for v in vehicles) for vehicles in self.on[: self.n_lanes]]

    def positions(self) -> dict[int, tuple[int, float, float]]:
        """Trip index -> (drivable, distance on it, speed) of every vehicle on the road."""
        return {v.trip: (v.drivable, v.distance, v.speed) for v in self.running}


def _rows(start, values) -> list[list[int]]:
    """Compressed rows as lists."""
    values = values.tolist()
    return [values[a:b] for a, b in pairwise(start)]


def _crossings(network: RoadNetwork) -> list[list[tuple[float, int, float]]]:
    """Per link its crossings, nearest first: (own distance, foe link, distance on the foe link)."""
    columns = zip(
        network.crossing_distance_m.tolist(),
        network.crossing_foe_link.tolist(),
        network.crossing_foe_distance_m.tolist(),
        strict=True,
    )
    crossings = list(columns)
    start = network.crossing_start.tolist()
    return [crossings[a:b] for a, b in pairwise(start)]
