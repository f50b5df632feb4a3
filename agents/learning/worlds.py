"""Worlds to generalise from: generated networks with generated demand, as different as the seed makes them.

Grids, arterials and towns of many sizes, block lengths, lane counts and speeds; demand by turns or between random pairs
of edges, lopsided, with peaks. How much a network can carry is found by simulating advanced max-pressure on it; its
demand then lies at a random share of that, from light to more than it can serve. Rewards are divided by what advanced
max-pressure receives, so that every world counts alike. Nothing here knows a benchmark's network or trips.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from intergreen.agents.controllers import AdvancedMaxPressure, Setup
from intergreen.agents.controllers.base import near_distance_m
from intergreen.envs.core import TrafficCore
from intergreen.envs.demand import MIXED_TRAFFIC, ClassMix, ODSpec, Profile, TurnShares, TurnSpec, generate_demand
from intergreen.envs.demand.walks import entry_roads, exit_roads
from intergreen.envs.episodes import Episodes, training_trips
from intergreen.envs.errors import CapacityError, InputError
from intergreen.envs.layout import make_layout
from intergreen.envs.network import (
    ArterialSpec,
    GridSpec,
    RoadNetwork,
    TownSpec,
    generate_arterial,
    generate_grid,
    generate_town,
)
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.reward import BACKLOG_PERIODS, make_reward
from intergreen.envs.scenario import Scenario

if TYPE_CHECKING:
    from intergreen.envs.arrays import IntArray
    from intergreen.envs.fault_file import FaultSpec
    from intergreen.envs.protocol import Protocol
    from intergreen.envs.reward import RewardSpec

PROTOCOLS = ("literature-30-5", "literature-15-5", "literature-10-5", "literature-10-2", "literature-5-2")
LANE_CHANGE_SHARE = 0.3
LANE_VPH = 600.0  # on every lane of every entry: more than any signal serves; thinned from there
OVERLOADED_S = 120.0  # mean delay of a trip at which a network counts as full
LEVELS = (0.35, 1.3)  # shares of what a network can carry
EPISODE_LEVELS = (0.85, 1.15)  # of the world's own level, for every episode anew
REWARD_SHARE = 0.05  # of the unit: discounted sums stay near 1, so that the value loss does not drown the policy loss
UNSEEN_SEED = 2**31  # of the worlds that policies are judged on; recipes' seeds are below
_SEARCH_STEPS = 5
_REHEARSAL_SEED = 999_999
_ATTEMPTS = 20
_FOUR_LEGS = 9  # phases of a generated junction with four approaches: clearance, four of two movements, four of one
PHASE_S = 30.0  # in the network's own programme, which nobody follows here


@dataclass(frozen=True, slots=True)
class World:
    """A generated scenario, its timing, and what makes its episodes comparable with those of other worlds."""

    scenario: Scenario
    protocol: str
    level: float  # share of the scenario's demand that drives
    reward_unit: float  # what advanced max-pressure is told on average


def make_worlds(
    count: int,
    seed: int,
    *,
    features: Sequence[str],
    reward: RewardSpec,
    neighbour_share: float,
    horizon_s: int,
    protocols: Sequence[str] = PROTOCOLS,
    decision_s: float | None = None,
    faults: FaultSpec = (),
    failing: float = 1.0,
    threads: int = 1,
) -> list[Episodes]:
    """Episodes of `count` worlds, one copy each, all with room for the same number of movements and choices.

    failing  share of the worlds that have the faults, drawn by the seed

    decision_s  the discount is one for so many seconds; None: for every decision, however long
    """
    worlds = draw_worlds(count, seed, protocols, reward, horizon_s, threads, decision_s)
    plans = [protocol_by_name(w.protocol).plan(w.scenario.network) for w in worlds]
    movements = max(
        int(np.diff(w.scenario.network.movement_start)[plan.intersection].max())
        for w, plan in zip(worlds, plans, strict=True)
    )
    choices = max(plan.choices.shape[1] for plan in plans)
    fails = np.random.default_rng(seed).random(count) < failing
    return [
        Episodes(
            world.scenario,
            protocol=world.protocol,
            horizon_s=horizon_s,
            features=features,
            reward=_scaled(reward, REWARD_SHARE / world.reward_unit),
            neighbour_share=neighbour_share,
            demand_scale=(EPISODE_LEVELS[0] * world.level, EPISODE_LEVELS[1] * world.level),
            backlog_periods=_backlog_periods(protocol_by_name(world.protocol), decision_s),
            faults=faults if world_fails else (),
            movements=movements,
            choices=choices,
        )
        for world, world_fails in zip(worlds, fails.tolist(), strict=True)
    ]


def draw_worlds(
    count: int,
    seed: int,
    protocols: Sequence[str],
    reward: RewardSpec,
    horizon_s: int,
    threads: int,
    decision_s: float | None = None,
) -> list[World]:
    """`count` worlds with the protocols in turn, always the same for the same seed."""
    seeds = np.random.SeedSequence(seed).spawn(count)
    with ThreadPoolExecutor(threads) as pool:
        return list(
            pool.map(
                lambda k: make_world(seeds[k], protocols[k % len(protocols)], reward, horizon_s, decision_s),
                range(count),
            )
        )


def make_world(
    seed: np.random.SeedSequence, protocol: str, reward: RewardSpec, horizon_s: int, decision_s: float | None = None
) -> World:
    """The world of the seed: the same for the same five."""
    random = np.random.default_rng(seed)
    if random.random() < LANE_CHANGE_SHARE and not protocol.endswith("-lane-change"):
        protocol += "-lane-change"
    timing = protocol_by_name(protocol)
    for _ in range(_ATTEMPTS):
        try:
            scenario = _scenario(random, horizon_s)
            full = _full_level(scenario, timing, horizon_s)
            level = full * random.uniform(*LEVELS)
            patience = _backlog_periods(timing, decision_s)
            unit = -_rehearsed(scenario, timing, reward, level, horizon_s, patience).mean_reward
        except (InputError, ValueError, CapacityError):  # roads too short for their junctions, nobody to drive
            continue
        if unit > 0.0:
            return World(scenario, protocol, level, unit)
    raise RuntimeError(f"no world came out of {_ATTEMPTS} attempts with seed {seed.entropy} {seed.spawn_key}")


def _backlog_periods(protocol: Protocol, decision_s: float | None) -> float:
    """So many that the backlog moves rewards in time alone, see `intergreen.envs.reward`."""
    return BACKLOG_PERIODS if decision_s is None else BACKLOG_PERIODS * decision_s / protocol.interval_s


def _scaled(reward: RewardSpec, factor: float) -> dict[str, float]:
    weights = {reward: 1.0} if isinstance(reward, str) else dict(reward)
    return {name: weight * factor for name, weight in weights.items()}


def _scenario(random: np.random.Generator, horizon_s: int) -> Scenario:
    network = _other_phases(_network(random), random)
    profile = _profile(random, horizon_s)
    mix = MIXED_TRAFFIC if random.random() < 0.15 else ClassMix()
    spec: ODSpec | TurnSpec
    if random.random() < 0.5:
        spec = TurnSpec(_entry_rates(network, random), _turns(random), horizon_s, profile, mix)
    else:
        spec = ODSpec(_pairs(network, random, horizon_s), horizon_s, "poisson", profile, mix)
    demand = generate_demand(network, spec, seed=int(random.integers(2**31)))
    if demand.n_flows == 0:
        raise ValueError("nobody wants to drive")
    return Scenario(network.name, network, demand, horizon_s, False, PROTOCOLS[2], profile)


def _network(random: np.random.Generator) -> RoadNetwork:
    kind = random.random()
    speed = float(random.choice([8.333, 11.111, 13.889, 16.667], p=[0.1, 0.65, 0.15, 0.1]))
    if kind < 0.45:
        rows, columns = _grid_size(random)
        return generate_grid(
            GridSpec(
                rows=rows,
                columns=columns,
                spacing_x_m=_block_m(random),
                spacing_y_m=_block_m(random),
                lanes=int(random.choice([1, 2, 3, 4, 7], p=[0.05, 0.15, 0.7, 0.05, 0.05])),
                speed_limit_mps=speed,
            )
        )
    if kind < 0.6:
        main = int(random.integers(1, 5))
        return generate_arterial(
            ArterialSpec(
                signals=int(random.integers(1, 9)),
                spacing_m=_block_m(random),
                side_length_m=_block_m(random),
                main_lanes=main,
                side_lanes=int(random.integers(1, main + 1)),
                main_speed_mps=speed,
                side_speed_mps=min(speed, 11.111),
            )
        )
    spacing_m = float(np.exp(random.uniform(np.log(150.0), np.log(400.0))))
    spec = TownSpec(signals=int(random.integers(4, 17)), spacing_m=spacing_m)
    return generate_town(spec, seed=int(random.integers(2**31)))


def _other_phases(network: RoadNetwork, random: np.random.Generator) -> RoadNetwork:
    """Mostly as generated; or without a phase that serves as clearance, or with left turns permitted in two phases."""
    kind = random.random()
    if kind < 0.65:
        return network
    if kind < 0.85:
        return _with_phases(network, lambda phases: phases[1:])
    return _with_phases(network, _permitted_left)


def _permitted_left(phases: list[set[int]]) -> list[set[int]]:
    """The literature's four phases as two: straight on and left of opposing approaches together."""
    if len(phases) != _FOUR_LEGS:
        return phases
    return [phases[0], phases[1] | phases[3], phases[2] | phases[4]]


def _with_phases(network: RoadNetwork, change: Callable[[list[set[int]]], list[set[int]]]) -> RoadNetwork:
    """The network with the phases that `change` makes of each intersection's; every phase is a set of movements."""
    counts, greens = [], []
    for j in range(network.n_intersections):
        first = int(network.movement_start[j])
        phases = [set((np.flatnonzero(row) + first).tolist()) for row in network.phase_matrix(j)]
        changed = change(phases) if len(phases) > 1 else phases
        counts.append(len(changed))
        greens += [sorted(phase) for phase in changed]
    return replace(
        network,
        phase_start=_starts(counts),
        phase_duration_s=np.full(len(greens), PHASE_S),
        phase_movement_start=_starts([len(phase) for phase in greens]),
        phase_movements=np.array([m for phase in greens for m in phase], np.int32),
    )


def _starts(counts: Sequence[int]) -> IntArray:
    return np.concatenate(([0], np.cumsum(counts))).astype(np.int32)


def _grid_size(random: np.random.Generator) -> tuple[int, int]:
    while True:
        rows, columns = (int(n) for n in random.integers(1, 7, 2))
        if rows * columns <= 16:
            return rows, columns


def _block_m(random: np.random.Generator) -> float:
    return float(np.exp(random.uniform(np.log(75.0), np.log(900.0))))


def _profile(random: np.random.Generator, horizon_s: int) -> Profile:
    """Level all the time, or a new factor every sixth of the horizon."""
    if random.random() < 0.3:
        return Profile()
    return Profile(tuple(horizon_s / 6.0 * k for k in range(6)), tuple(random.uniform(0.4, 1.6, 6).tolist()))


def _turns(random: np.random.Generator) -> TurnShares:
    left, right = random.uniform(0.03, 0.3, 2)
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
    from intergreen.envs.demand.routes import Router

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


def _full_level(scenario: Scenario, protocol: Protocol, horizon_s: int) -> float:
    """The share of the demand at which advanced max-pressure's trips lose `OVERLOADED_S`, by bisection of its log."""
    lowest, highest = np.log(0.02), 0.0
    for _ in range(_SEARCH_STEPS):
        middle = (lowest + highest) / 2.0
        run = _rehearsed(scenario, protocol, "delay", float(np.exp(middle)), horizon_s)
        totals = run.core.totals()
        lost_s = float(((totals.time_loss_s + totals.outside_wait_s) / np.maximum(totals.released, 1))[0])
        if lost_s > OVERLOADED_S:
            highest = middle
        else:
            lowest = middle
    return float(np.exp((lowest + highest) / 2.0))


@dataclass(frozen=True, slots=True)
class _Rehearsal:
    core: TrafficCore
    mean_reward: float


def _rehearsed(
    scenario: Scenario,
    protocol: Protocol,
    reward: RewardSpec,
    level: float,
    horizon_s: int,
    backlog_periods: float = BACKLOG_PERIODS,
) -> _Rehearsal:
    """Advanced max-pressure on `level` of the demand."""
    network = scenario.network
    plan = protocol.plan(network)
    controller = AdvancedMaxPressure()
    core = TrafficCore(network, plan, scenario.demand, lane_change=protocol.lane_change)
    core.near_m = near_distance_m(network, protocol.interval_s)
    rewards_by_signal = make_reward(reward, network, plan, backlog_periods=backlog_periods)
    senses = core.senses(make_layout(network, plan, features=()), rewards_by_signal)
    start = controller.start(Setup(network, plan, protocol, 1))
    core.reset([training_trips(scenario, _REHEARSAL_SEED, horizon_s, scale=level)], [_REHEARSAL_SEED], start)
    rewards = []
    while core.time_s < horizon_s:
        wanted = controller.decide(core.counts(), core.signals(protocol.interval_s), core.time_s)
        core.run(wanted, protocol.interval_s, senses)
        rewards.append(float(senses.reward.mean()))
    return _Rehearsal(core, float(np.mean(rewards)))
