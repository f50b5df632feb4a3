"""Trips by seed from trips: thinned, multiplied and moved in time, so that training never sees the exact ones."""

import numpy as np

from intergreen.envs.arrays import IntArray
from intergreen.envs.demand.demand import Demand, Trips, check_vehicles
from intergreen.envs.demand.release import choose_start_lanes
from intergreen.envs.network.road_network import RoadNetwork

KEEP_SHARE = 0.9  # of the trips that are varied; the rest is made up for by second copies of others
JITTER_S = 120  # how far one that is varied moves in time, to both sides
COPY_JITTER_S = 60  # a copy leaves up to this much earlier or later than its model, even where nothing else moves


def randomise(
    trips: Trips, demand: Demand, network: RoadNetwork, *, horizon_s: int, seed: int,
    scale: float = 1.0, jitter_s: int = 0, keep_share: float = 1.0,
) -> Trips:  # fmt: skip
    """Other trips of the same kind; the same seed gives the same ones.

    Parameters
    ----------
    horizon_s : all releases stay before it
    scale : expected number of copies of a trip; 1.5 is the trip and, half of the times, a second one
    jitter_s : departures move by up to this much to both sides
    keep_share : chance of a trip to be kept, before scaling
    """
    _check(horizon_s, scale, jitter_s, keep_share)
    check_vehicles(len(trips) * keep_share * scale)
    random = np.random.default_rng(seed)
    kept = np.flatnonzero(random.random(len(trips)) < keep_share)
    copies = np.floor(scale + random.random(len(kept))).astype(np.int64)
    model = np.repeat(kept, copies)
    is_copy = np.ones(len(model), np.bool_)
    is_copy[np.cumsum(copies)[copies > 0] - 1] = False
    reach_s = np.where(is_copy, max(jitter_s, COPY_JITTER_S), jitter_s)
    release_s = _moved(trips.release_s[model], reach_s, horizon_s, random)
    order = np.argsort(release_s, kind="stable")
    route = trips.route[model][order]
    lane = choose_start_lanes(network, demand, route, random)
    return Trips(release_s[order], route, trips.type[model][order], lane)


def vary(trips: Trips, demand: Demand, network: RoadNetwork, *, horizon_s: int, seed: int, scale: float = 1.0) -> Trips:
    """As another day would have them: some are left out, others driven twice, all moved in time; as many on average.

    scale : so many times as many instead
    """
    how = {"horizon_s": horizon_s, "seed": seed, "scale": scale / KEEP_SHARE}
    return randomise(trips, demand, network, **how, jitter_s=JITTER_S, keep_share=KEEP_SHARE)  # type: ignore[arg-type]


def _moved(release_s: IntArray, reach_s: IntArray, horizon_s: int, random: np.random.Generator) -> IntArray:
    moved = release_s + random.integers(-reach_s, reach_s, endpoint=True)
    last = horizon_s - 1
    moved = np.where(moved < 0, -moved, moved)  # mirrored at both ends: clipping would pile trips up there
    moved = np.where(moved > last, 2 * last - moved, moved)
    return np.clip(moved, 0, last).astype(np.int32)


def _check(horizon_s: int, scale: float, jitter_s: int, keep_share: float) -> None:
    if horizon_s < 1:
        raise ValueError(f"need horizon_s >= 1, got {horizon_s}")
    if not 0 <= scale < float("inf"):
        raise ValueError(f"need scale >= 0, got {scale}")
    if not 0 <= jitter_s < float("inf"):
        raise ValueError(f"need jitter_s >= 0, got {jitter_s}")
    if not 0 <= keep_share <= 1:
        raise ValueError(f"need 0 <= keep_share <= 1, got {keep_share}")
