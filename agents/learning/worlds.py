"""Worlds to generalise from: drawn scenarios (`drawn_scenarios.py`), each with a timing, at a level of its own.

How much a network can carry is found by simulating advanced max-pressure on it, and fixed time where that starves
somebody however few drive; its demand then lies at a random share of that, from light to more than it can serve.
Rewards are divided by what the better of the two receives, so that every world counts alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from intergreen.agents.controllers import AdvancedMaxPressure, FixedTime, Setup
from intergreen.agents.controllers.base import near_distance_m
from intergreen.agents.learning.drawn_scenarios import draw_scenario
from intergreen.agents.learning.recipe import LEVELS
from intergreen.envs.core import TrafficCore
from intergreen.envs.episodes import Episodes, training_trips
from intergreen.envs.errors import CapacityError, InputError
from intergreen.envs.layout import make_layout
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.reward import BACKLOG_PERIODS, make_reward

if TYPE_CHECKING:
    from intergreen.agents.controllers import Controller
    from intergreen.agents.progress import Progress
    from intergreen.envs.fault_file import FaultSpec
    from intergreen.envs.protocol import Protocol
    from intergreen.envs.reward import RewardSpec
    from intergreen.envs.scenario import Scenario

PROTOCOLS = ("literature-30-5", "literature-15-5", "literature-10-5", "literature-10-2", "literature-5-2")
LANE_CHANGE_SHARE = 0.3
OVERLOADED_S = 120.0  # mean delay of a trip at which a network counts as full, with the better of two rules
EPISODE_LEVELS = (0.85, 1.15)  # of the world's own level, for every episode anew
REWARD_SHARE = 0.05  # of the unit: discounted sums stay near 1, so that the value loss does not drown the policy loss
UNSEEN_SEED = 2**31  # of the worlds that policies are judged on; recipes' seeds are below
_SEARCH_STEPS = 5
_REHEARSAL_SEED = 999_999
_RULES: tuple[Callable[[], Controller], ...] = (AdvancedMaxPressure, FixedTime)
_ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class World:
    """A generated scenario, its timing, and what makes its episodes comparable with those of other worlds."""

    scenario: Scenario
    protocol: str
    level: float  # share of the scenario's demand that drives
    reward_unit: float  # what the better of two rules is told on average


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
    levels: tuple[float, float] = LEVELS,
    junctions: int = 0,
    from_sumo: float = 0.0,
    end_locked: bool = False,
    threads: int = 1,
    progress: Progress | None = None,
) -> list[Episodes]:
    """Episodes of `count` worlds and `junctions` single ones, one copy each, all with room for as many movements.

    failing     share of the worlds that have the faults, drawn by the seed
    levels      lowest and highest share of what a network can carry; every world draws its own between them
    decision_s  the discount is one for so many seconds; None: for every decision, however long
    junctions   single ones besides: a junction alone is one signal to learn from, a grid up to sixteen
    from_sumo   share of the worlds with SUMO's streets, rules and drivers; half of it of the single junctions
    """
    worlds = draw_worlds(
        count,
        seed,
        protocols,
        reward,
        horizon_s,
        threads,
        decision_s,
        levels,
        junctions,
        from_sumo=from_sumo,
        progress=progress,
    )
    plans = [protocol_by_name(w.protocol).plan(w.scenario.network) for w in worlds]
    movements = max(
        int(np.diff(w.scenario.network.movement_start)[plan.intersection].max())
        for w, plan in zip(worlds, plans, strict=True)
    )
    choices = max(plan.choices.shape[1] for plan in plans)
    fails = np.random.default_rng(seed).random(len(worlds)) < failing
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
            end_locked=end_locked,
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
    levels: tuple[float, float] = LEVELS,
    junctions: int = 0,
    *,
    from_sumo: float = 0.0,
    progress: Progress | None = None,
) -> list[World]:
    """`count` worlds, then `junctions` single ones, with the protocols in turn; the same for the same seed."""
    total = count + junctions
    seeds = np.random.SeedSequence(seed).spawn(total)
    worlds: list[World] = []
    with ThreadPoolExecutor(threads) as pool:
        for world in pool.map(
            lambda k: make_world(
                seeds[k],
                protocols[k % len(protocols)],
                reward,
                horizon_s,
                decision_s,
                levels,
                alone=k >= count,
                from_sumo=from_sumo,
            ),
            range(total),
        ):
            worlds.append(world)
            if progress is not None:
                progress(len(worlds) / total, f"making networks, {len(worlds)} of {total}")
    return worlds


def make_world(
    seed: np.random.SeedSequence,
    protocol: str,
    reward: RewardSpec,
    horizon_s: int,
    decision_s: float | None = None,
    levels: tuple[float, float] = LEVELS,
    *,
    alone: bool = False,
    from_sumo: float = 0.0,
) -> World:
    """The world of the seed: the same for the same eight."""
    random = np.random.default_rng(seed)
    if random.random() < LANE_CHANGE_SHARE and not protocol.endswith("-lane-change"):
        protocol += "-lane-change"
    timing = protocol_by_name(protocol)
    for _ in range(_ATTEMPTS):
        try:
            scenario = draw_scenario(random, horizon_s, alone=alone, from_sumo=from_sumo)
            full = _full_level(scenario, timing, horizon_s)
            level = full * random.uniform(*levels)
            patience = _backlog_periods(timing, decision_s)
            rewards = [_rehearsed(rule, scenario, timing, reward, level, horizon_s, patience) for rule in _RULES]
            unit = -max(rehearsal.mean_reward for rehearsal in rewards)
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


def _full_level(scenario: Scenario, protocol: Protocol, horizon_s: int) -> float:
    """The share of the demand at which trips lose `OVERLOADED_S` with either rule, by bisection of its log."""
    lowest, highest = np.log(0.02), 0.0
    for _ in range(_SEARCH_STEPS):
        middle = (lowest + highest) / 2.0
        level = float(np.exp(middle))
        rehearsals = (_rehearsed(rule, scenario, protocol, "delay", level, horizon_s) for rule in _RULES)
        if all(rehearsal.lost_s > OVERLOADED_S for rehearsal in rehearsals):
            highest = middle
        else:
            lowest = middle
    return float(np.exp((lowest + highest) / 2.0))


@dataclass(frozen=True, slots=True)
class _Rehearsal:
    lost_s: float  # by a trip on average
    mean_reward: float


def _rehearsed(
    rule: Callable[[], Controller],
    scenario: Scenario,
    protocol: Protocol,
    reward: RewardSpec,
    level: float,
    horizon_s: int,
    backlog_periods: float = BACKLOG_PERIODS,
) -> _Rehearsal:
    """The rule on `level` of the demand."""
    network = scenario.network
    plan = protocol.plan(network)
    controller = rule()
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
    totals = core.totals()
    lost_s = float(((totals.time_loss_s + totals.outside_wait_s) / np.maximum(totals.released, 1))[0])
    return _Rehearsal(lost_s, float(np.mean(rewards)))
