"""Routes over a road network: which roads follow which, and the shortest way between two."""

import heapq
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import pairwise

import numpy as np

from intergreen.envs.arrays import FloatArray, IntArray
from intergreen.envs.network.road_network import RoadNetwork

TREES_KEPT = 64  # shortest ways from one road to all others: what it costs to hold them is that times the roads


class Router:
    """Shortest paths by length, or by other costs; remembers what it found.

    Ties follow the order in which an intersection lists its roads.

    Parameters
    ----------
    road_cost : of each road, its length [m] where none is given
    turn_cost : from one road to another, 0 where none is given
    """

    def __init__(
        self,
        network: RoadNetwork,
        *,
        road_cost: FloatArray | None = None,
        turn_cost: Mapping[tuple[int, int], float] | None = None,
    ) -> None:
        self.network = network
        self._road_cost = [float(x) for x in (network.road_length_m if road_cost is None else road_cost)]
        self._turn_cost = turn_cost or {}
        self._came_from = lru_cache(maxsize=TREES_KEPT)(self._search)

    @cached_property
    def next_roads(self) -> list[list[int]]:
        """For each road, the roads that a lane link leads to."""
        network = self.network
        reached: list[set[int]] = [set() for _ in range(network.n_roads)]
        has_links = np.diff(network.movement_link_start) > 0
        movements = np.flatnonzero(has_links)
        pairs = zip(network.movement_from_road[movements], network.movement_to_road[movements], strict=True)
        for start, end in pairs:
            reached[start].add(int(end))
        return [self._in_listed_order(road, ends) for road, ends in enumerate(reached)]

    def _in_listed_order(self, road: int, ends: set[int]) -> list[int]:
        network, at = self.network, self.network.road_to[road]
        first, last = network.intersection_road_start[at], network.intersection_road_start[at + 1]
        listed = [int(r) for r in network.intersection_roads[first:last] if r in ends]
        return list(dict.fromkeys(listed)) + sorted(ends.difference(listed))

    def complete(self, roads: Sequence[int]) -> tuple[int, ...] | None:
        """The route with the gaps between its roads filled; None where there is no way or only one road."""
        route = [roads[0]]
        for start, end in pairwise(roads):
            if start == end:
                continue
            way = self.shortest(start, end)
            if way is None:
                return None
            route.extend(way)
        return tuple(route) if len(route) > 1 else None

    def through(self, places: Sequence[Sequence[int]]) -> tuple[int, ...] | None:
        """The route from a road of the first place over one of each of the others to one of the last.

        Each leg is the shortest from where the leg before has ended; None where there is no way.
        """
        route = list(self._leg(places[0], places[1]) or ())
        for place in places[2:]:
            if route:
                onward = self._leg(route[-1:], place)
                route = [*route, *onward[1:]] if onward else []
        return tuple(route) or None

    def shortest(self, start: int, end: int) -> tuple[int, ...] | None:
        """Roads after ``start`` up to ``end``, or None."""
        if end in self.next_roads[start]:
            return (end,)
        came_from, _ = self._came_from((start,))
        return _walk_back(came_from, end)[1:] if came_from[end] >= 0 else None

    def _leg(self, starts: Sequence[int], ends: Sequence[int]) -> tuple[int, ...] | None:
        """The shortest way from one of the starts to one of the ends, both in it."""
        if len(starts) == len(ends) == 1:
            onward = () if starts[0] == ends[0] else self.shortest(starts[0], ends[0])
            return None if onward is None else (starts[0], *onward)
        came_from, distance = self._came_from(tuple(starts))
        nearest = min(ends, key=lambda end: distance[end], default=-1)
        return None if nearest < 0 or came_from[nearest] < 0 else _walk_back(came_from, nearest)

    def _search(self, starts: tuple[int, ...]) -> tuple[IntArray, FloatArray]:
        """(R,) the road before each on the shortest way from one of the starts, itself for those, -1 where there is no
        way; and (R,) the cost of that way, infinite where there is none."""
        road_cost, turn_cost = self._road_cost, self._turn_cost
        came_from = np.full(self.network.n_roads, -1, np.int32)
        came_from[list(starts)] = starts
        distance = {start: road_cost[start] if len(starts) > 1 else 0.0 for start in starts}
        done: set[int] = set()
        queue = [(cost, number, start) for number, (start, cost) in enumerate(distance.items())]
        pushed = len(queue)
        heapq.heapify(queue)
        while queue:
            so_far, _, road = heapq.heappop(queue)
            if road in done:
                continue
            done.add(road)
            for following in self.next_roads[road]:
                longer = so_far + road_cost[following]
                if turn_cost:
                    longer += turn_cost.get((road, following), 0.0)
                if following not in distance or longer < distance[following]:
                    distance[following], came_from[following] = longer, road
                    pushed += 1
                    heapq.heappush(queue, (longer, pushed, following))
        return came_from, np.array([distance.get(road, np.inf) for road in range(len(came_from))])


def _walk_back(came_from: IntArray, end: int) -> tuple[int, ...]:
    """The way from a start to ``end``, both in it."""
    way = [end]
    while came_from[way[-1]] != way[-1]:
        way.append(int(came_from[way[-1]]))
    return tuple(reversed(way))


class RouteCollector:
    """Collects routes, each once, and hands them out as arrays."""

    def __init__(self) -> None:
        self._number: dict[tuple[int, ...], int] = {}

    def add(self, roads: tuple[int, ...]) -> int:
        """The number of the route, a new one if it was not there."""
        return self._number.setdefault(roads, len(self._number))

    def arrays(self) -> tuple[IntArray, IntArray]:
        """route_start (N + 1,) and route_roads of all routes so far."""
        start = np.concatenate(([0], np.cumsum([len(route) for route in self._number], dtype=np.int64)))
        roads = np.fromiter((road for route in self._number for road in route), np.int32)
        return start.astype(np.int32), roads
