"""Routes by turning: at every junction a vehicle goes left, straight or right by chance."""

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from intergreen.envs.demand.routes import Router
from intergreen.envs.network.road_network import STRAIGHT, TURN_LEFT, TURN_RIGHT, RoadNetwork

ATTEMPTS = 20  # walks that may run in circles before one is ended on the shortest way out


@dataclass(frozen=True, slots=True)
class TurnShares:
    """Chances of the turns; renormalised over the turns a junction offers. 10/60/30 is the literature's."""

    left: float = 0.1
    straight: float = 0.6
    right: float = 0.3

    def __post_init__(self) -> None:
        shares = (self.left, self.straight, self.right)
        if not all(0 <= share < float("inf") for share in shares) or not sum(shares) > 0:
            raise ValueError(f"need shares >= 0 and one > 0, got left, straight, right = {shares}")


LITERATURE_TURNS = TurnShares()


def entry_roads(network: RoadNetwork) -> list[int]:
    """Roads that lead into the network from its edge; all roads that lead on, where it has no edge."""
    leads_on = np.zeros(network.n_roads, np.bool_)
    leads_on[network.lane_road[network.link_from_lane]] = True
    entries = np.flatnonzero(leads_on & network.is_virtual[network.road_from])
    return [int(road) for road in (entries if len(entries) else np.flatnonzero(leads_on))]


def exit_roads(network: RoadNetwork) -> list[int]:
    """Roads that lead out of the network over its edge; all roads that can be reached, where it has no edge."""
    reached = np.zeros(network.n_roads, np.bool_)
    reached[network.lane_road[network.link_to_lane]] = True
    exits = np.flatnonzero(reached & network.is_virtual[network.road_to])
    return [int(road) for road in (exits if len(exits) else np.flatnonzero(reached))]


class TurnWalker:
    """Random walks from a road to an exit that visit no road twice."""

    def __init__(self, network: RoadNetwork, shares: TurnShares) -> None:
        self._router = Router(network)
        self._exits = exit_roads(network)
        self._is_exit = set(self._exits) if network.is_virtual.any() else set()
        # Where there is no edge to leave by, a walk ends anywhere: after as many roads as the network is wide.
        self._longest = None if self._is_exit else max(3, round(np.sqrt(network.n_intersections)))
        self._next = self._choices(network, shares)

    def _choices(self, network: RoadNetwork, shares: TurnShares) -> list[tuple[list[int], list[float]]]:
        """For each road, the roads that follow and the cumulative chances of taking them."""
        share = {TURN_LEFT: shares.left, STRAIGHT: shares.straight, TURN_RIGHT: shares.right}
        weights: list[dict[int, float]] = [{} for _ in range(network.n_roads)]
        for movement in np.flatnonzero(np.diff(network.movement_link_start)):
            start, end = int(network.movement_from_road[movement]), int(network.movement_to_road[movement])
            weights[start][end] = share[int(network.movement_turn[movement])]
        return [_cumulative(followers) for followers in weights]

    def walk(self, start: int, random: np.random.Generator) -> tuple[int, ...]:
        """A route from the road ``start``.

        Raises
        ------
        ValueError
            If no way leads from it to an exit.
        """
        route: tuple[int, ...] = ()
        for _ in range(ATTEMPTS):
            route, arrived = self._attempt(start, random)
            if arrived:
                return route
        return self._led_out(route, random)

    def _attempt(self, start: int, random: np.random.Generator) -> tuple[tuple[int, ...], bool]:
        route, visited = [start], {start}
        goal = None if self._longest is None else int(random.integers(2, self._longest + 1))
        while True:
            roads, chances = self._next[route[-1]]
            if not roads:
                return tuple(route), len(route) > 1 and not self._is_exit
            road = roads[bisect_right(chances, random.random() * chances[-1])]
            if road in visited:
                return tuple(route), goal is not None and len(route) > 1
            route.append(road)
            visited.add(road)
            if road in self._is_exit or len(route) == goal:
                return tuple(route), True

    def _led_out(self, route: tuple[int, ...], random: np.random.Generator) -> tuple[int, ...]:
        start = route[0]
        for exit_road in random.permutation(self._exits):
            found = self._router.complete((start, int(exit_road)))
            if found is not None:
                return found
        raise ValueError(f"no way leads from road {self._router.network.road_ids[start]!r} out of the network")


def _cumulative(weights: dict[int, float]) -> tuple[list[int], list[float]]:
    roads = [road for road, weight in weights.items() if weight > 0] or list(weights)
    chances = [weights[road] or 1.0 for road in roads]  # where only unwanted turns exist they are equally likely
    return roads, list(accumulate(chances))
