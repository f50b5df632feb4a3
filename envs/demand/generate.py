"""Demand from a description: vehicles per origin and destination, or entry rates and turn shares, by seed.

Every vehicle becomes a flow of its own that releases once, as in the literature's scenarios.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from numbers import Integral
from typing import Literal

import numpy as np

from intergreen.envs.arrays import FloatArray, IntArray
from intergreen.envs.demand.demand import BUS, CAR, EMERGENCY, Demand, VehicleType, check_vehicles
from intergreen.envs.demand.routes import RouteCollector, Router
from intergreen.envs.demand.walks import LITERATURE_TURNS, TurnShares, TurnWalker, entry_roads, exit_roads
from intergreen.envs.network.road_network import RoadNetwork


@dataclass(frozen=True, slots=True)
class ClassMix:
    """Shares of the vehicle types; they need not add up to 1."""

    types: tuple[VehicleType, ...] = (CAR,)
    shares: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        if not self.types or len(self.types) != len(self.shares):
            raise ValueError(f"need one share for each type, got {len(self.shares)} for {len(self.types)}")
        if not all(0 <= share < float("inf") for share in self.shares) or not sum(self.shares) > 0:
            raise ValueError(f"need shares >= 0 and one > 0, got {self.shares}")


MIXED_TRAFFIC = ClassMix((CAR, BUS, EMERGENCY), (0.95, 0.045, 0.005))


@dataclass(frozen=True, slots=True)
class Profile:
    """How demand changes over time: the factor holds from its second on, the last one to the horizon."""

    from_s: tuple[float, ...] = (0.0,)
    factor: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        if len(self.from_s) != len(self.factor) or not self.from_s or self.from_s[0] != 0:
            raise ValueError(f"need one factor per time and the first time 0, got {self.from_s} and {self.factor}")
        if any(not a < b for a, b in pairwise(self.from_s)):
            raise ValueError(f"need ascending times, got {self.from_s}")
        if not all(0 <= factor < float("inf") for factor in self.factor):
            raise ValueError(f"need factors >= 0, got {self.factor}")

    def seconds(self, horizon_s: float) -> float:
        """Time until the horizon, each second weighted by its factor."""
        return float(self._cumulative(horizon_s)[1][-1])

    def draw(self, n: int, horizon_s: float, random: np.random.Generator) -> IntArray:
        """(n,) seconds before the horizon, ascending, as dense as the factors."""
        return self.times(np.sort(random.random(n)), horizon_s)

    def times(self, share: FloatArray, horizon_s: float) -> IntArray:
        """(n,) seconds before the horizon at which such shares (n,), below 1, of all have departed."""
        times, weights = self._cumulative(horizon_s)
        drawn = np.interp(share * weights[-1], weights, times)
        return np.minimum(drawn, np.nextafter(horizon_s, 0)).astype(np.int32)

    def _cumulative(self, horizon_s: float) -> tuple[FloatArray, FloatArray]:
        times = np.array([t for t in self.from_s if t < horizon_s] + [horizon_s])
        factors = np.array(self.factor[: len(times) - 1])
        return times, np.concatenate(([0.0], np.cumsum(np.diff(times) * factors)))


@dataclass(frozen=True, slots=True)
class ODSpec:
    """Vehicles from road to road on the shortest way.

    ``vehicles`` maps (origin road id, destination road id) to a number for the whole horizon: exact counts, or the
    expected numbers of Poisson arrivals.
    """

    vehicles: Mapping[tuple[str, str], float]
    horizon_s: int = 3600
    arrivals: Literal["poisson", "counts"] = "poisson"
    profile: Profile = Profile()
    mix: ClassMix = ClassMix()

    def __post_init__(self) -> None:
        _check_horizon(self.horizon_s)
        if self.arrivals not in ("poisson", "counts"):
            raise ValueError(f"need arrivals 'poisson' or 'counts', got {self.arrivals!r}")
        for pair, number in self.vehicles.items():
            if not 0 <= number < float("inf") or (self.arrivals == "counts" and number != int(number)):
                raise ValueError(f"need a number of vehicles >= 0 (whole for 'counts') for {pair}, got {number}")


@dataclass(frozen=True, slots=True)
class TurnSpec:
    """Poisson arrivals at the entries; at every junction the next road is drawn by turn.

    ``entry_vph`` is one rate for all entries [veh/h] or a rate for each entry road's id.
    """

    entry_vph: float | Mapping[str, float] = 400.0
    turns: TurnShares = LITERATURE_TURNS
    horizon_s: int = 3600
    profile: Profile = Profile()
    mix: ClassMix = ClassMix()

    def __post_init__(self) -> None:
        _check_horizon(self.horizon_s)
        rates = self.entry_vph.values() if isinstance(self.entry_vph, Mapping) else (self.entry_vph,)
        if not all(0 <= rate < float("inf") for rate in rates):
            raise ValueError(f"need entry_vph >= 0, got {self.entry_vph}")


def generate_demand(network: RoadNetwork, spec: ODSpec | TurnSpec, *, seed: int) -> Demand:
    """The demand of the specification and the seed: the same for the same three.

    Raises
    ------
    ValueError
        If a road id is unknown, no way leads from an origin to its destination, or the network has no way through.
    """
    random = np.random.default_rng(seed)
    if isinstance(spec, ODSpec):
        return _from_pairs(network, spec, random)
    return _from_turns(network, spec, random)


def uniform_pairs(network: RoadNetwork, *, vehicles: float) -> dict[tuple[str, str], float]:
    """The vehicles spread evenly over all pairs of an entry and an exit between which a way leads."""
    router, ids = Router(network), network.road_ids
    pairs = [
        (ids[a], ids[b]) for a in entry_roads(network) for b in exit_roads(network)
        if network.road_from[a] != network.road_to[b] and router.complete((a, b)) is not None
    ]  # fmt: skip
    return {pair: vehicles / len(pairs) for pair in pairs}


def _from_pairs(network: RoadNetwork, spec: ODSpec, random: np.random.Generator) -> Demand:
    router, table = Router(network), RouteCollector()
    routes, times = [], []
    roads = _road_numbers(network, (road for pair in spec.vehicles for road in pair))
    share = spec.profile.seconds(spec.horizon_s) / spec.horizon_s
    check_vehicles(sum(spec.vehicles.values()) * (share if spec.arrivals == "poisson" else 1.0))
    for (origin, destination), number in spec.vehicles.items():
        route = router.complete((roads[origin], roads[destination]))
        if route is None:
            raise ValueError(f"no way leads from road {origin!r} to road {destination!r}")
        n = int(number) if spec.arrivals == "counts" else int(random.poisson(number * share))
        n = n if share > 0 else 0
        routes += [table.add(route)] * n
        times.append(spec.profile.draw(n, spec.horizon_s, random))
    return _single_releases(table, routes, times, spec.mix, random)


def _from_turns(network: RoadNetwork, spec: TurnSpec, random: np.random.Generator) -> Demand:
    walker, table = TurnWalker(network, spec.turns), RouteCollector()
    if isinstance(spec.entry_vph, Mapping):
        roads = _road_numbers(network, spec.entry_vph)
        rates = {roads[road]: rate for road, rate in spec.entry_vph.items()}
    else:
        rates = dict.fromkeys(entry_roads(network), spec.entry_vph)
    check_vehicles(sum(rates.values()) / 3600.0 * spec.profile.seconds(spec.horizon_s))
    routes, times = [], []
    for road, rate in rates.items():
        n = int(random.poisson(rate / 3600.0 * spec.profile.seconds(spec.horizon_s)))
        routes += [table.add(walker.walk(road, random)) for _ in range(n)]
        times.append(spec.profile.draw(n, spec.horizon_s, random))
    return _single_releases(table, routes, times, spec.mix, random)


def _single_releases(
    table: RouteCollector, routes: Sequence[int], times: Sequence[IntArray], mix: ClassMix, random: np.random.Generator
) -> Demand:
    release_s = np.concatenate(times) if times else np.empty(0, np.int32)
    order = np.argsort(release_s, kind="stable")
    shares = np.array(mix.shares) / sum(mix.shares)
    start_s = release_s[order].astype(np.float64)
    route_start, route_roads = table.arrays()
    return Demand(
        types=mix.types,
        route_start=route_start,
        route_roads=route_roads,
        flow_route=np.array(routes, np.int32)[order],
        flow_type=random.choice(len(shares), len(order), p=shares).astype(np.int32),
        flow_start_s=start_s,
        flow_end_s=start_s.copy(),
        flow_interval_s=np.ones(len(order)),
    )


def _road_numbers(network: RoadNetwork, names: Iterable[str]) -> dict[str, int]:
    numbers = {name: road for road, name in enumerate(network.road_ids)}
    unknown = [name for name in names if name not in numbers]
    if unknown:
        raise ValueError(f"network {network.name!r} has no road {unknown[0]!r}")
    return numbers


def _check_horizon(horizon_s: int) -> None:
    if isinstance(horizon_s, bool) or not isinstance(horizon_s, Integral) or horizon_s < 1:
        raise ValueError(f"need a whole number horizon_s >= 1, got {horizon_s!r}")
