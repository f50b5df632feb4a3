"""Generated demand, as different as the seed makes it: by turns or between random pairs of edges, lopsided, with peaks.

Nothing here knows a benchmark's trips.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from intergreen.envs.demand import ODSpec, Profile, TurnShares, TurnSpec, generate_demand
from intergreen.envs.demand.routes import Router
from intergreen.envs.demand.walks import entry_roads, exit_roads

if TYPE_CHECKING:
    from intergreen.envs.demand import ClassMix, Demand
    from intergreen.envs.network import RoadNetwork

MANY_TURN_LEFT = 0.25  # of the demands by turns
LANE_VPH = 600.0  # on every lane of every entry: more than any signal serves; thinned from there


def draw_demand(
    random: np.random.Generator, network: RoadNetwork, horizon_s: int, profile: Profile, mix: ClassMix
) -> Demand:
    """Far more than any signal serves.

    Raises
    ------
    ValueError
        If nobody drives.
    """
    spec: ODSpec | TurnSpec
    if random.random() < 0.5:
        spec = TurnSpec(_entry_rates(network, random), _turns(random), horizon_s, profile, mix)
    else:
        spec = ODSpec(_pairs(network, random, horizon_s), horizon_s, "poisson", profile, mix)
    demand = generate_demand(network, spec, seed=int(random.integers(2**31)))
    if demand.n_flows == 0:
        raise ValueError("nobody wants to drive")
    return demand


def draw_profile(random: np.random.Generator, horizon_s: int) -> Profile:
    """Level all the time, or a new factor every sixth of the horizon."""
    if random.random() < 0.3:
        return Profile()
    return Profile(tuple(horizon_s / 6.0 * k for k in range(6)), tuple(random.uniform(0.4, 1.6, 6).tolist()))


def _turns(random: np.random.Generator) -> TurnShares:
    most_left = 0.45 if random.random() < MANY_TURN_LEFT else 0.3
    left, right = random.uniform(0.03, (most_left, 0.3))
    return TurnShares(float(left), float(1.0 - left - right), float(right))


def _lanes(network: RoadNetwork, road: int) -> int:
    return int(network.road_lane_start[road + 1] - network.road_lane_start[road])


def _entry_rates(network: RoadNetwork, random: np.random.Generator) -> dict[str, float]:
    """Lopsided by entry."""
    roads = entry_roads(network)
    share = np.exp(random.normal(0.0, random.uniform(0.0, 0.7), len(roads)))
    rates = np.minimum(share / share.max(), 1.0)
    return {network.road_ids[r]: LANE_VPH * _lanes(network, r) * f for r, f in zip(roads, rates.tolist(), strict=True)}


def _pairs(network: RoadNetwork, random: np.random.Generator, horizon_s: int) -> dict[tuple[str, str], float]:
    """Every entry to a few exits, on the shortest way, with very different numbers."""
    router, ids = Router(network), network.road_ids
    exits = np.array(exit_roads(network))
    attraction = np.exp(random.normal(0.0, 0.7, len(exits)))
    pairs: dict[tuple[str, str], float] = {}
    for entry, rate in _entry_rates(network, random).items():
        road = ids.index(entry)
        there = [
            k for k, e in enumerate(exits)
            if network.road_from[road] != network.road_to[e] and router.complete((road, int(e))) is not None
        ]  # fmt: skip
        if not there:
            continue
        weights = attraction[there] * np.exp(random.normal(0.0, 1.0, len(there)))
        for k, share in zip(there, weights / weights.sum(), strict=True):
            pairs[entry, ids[exits[k]]] = rate * horizon_s / 3600.0 * float(share)
    return pairs
