"""Hostile requests in traffic: whatever is wanted, random networks under random timings show no fault.

A hundredth of what `pytest tests/benchmarks/test_safety.py --benchmark-enable` runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from intergreen.envs.core import TrafficCore
from intergreen.envs.demand import Demand, TurnSpec, generate_demand, release_trips
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
from intergreen.envs.signals import SignalPlan, SignalState, shield
from intergreen.envs.signals.aspects import GREEN, RED
from intergreen.envs.signals.card import program_card
from intergreen.envs.signals.conflicts import permissive_matrix
from intergreen.envs.signals.monitor import FaultReport, SignalMonitor
from intergreen.envs.signals.state import REFUSED, signal_state

SIGNAL_S = 200_000
HORIZON_S = 300
OUT_OF_RANGE = np.array([-(2**63), -(2**31) - 1, -2, 99, 2**20, 2**31, 2**32, 2**32 + 1, 2**63 - 1])
Wanted = Callable[["World", np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class World:
    """A monitored core with its traffic; `foes` (signals, phases, movements): how many conflicts a green means."""

    core: TrafficCore
    network: RoadNetwork
    demand: Demand
    plan: SignalPlan
    foes: list[np.ndarray]
    seed: int

    @property
    def shape(self) -> tuple[int, int]:
        return self.core.n_replicas, self.plan.n_signals

    def begin(self, random: np.random.Generator) -> None:
        trips = [
            release_trips(self.network, self.demand, horizon_s=HORIZON_S, seed=self.seed + b)
            for b in range(self.core.n_replicas)
        ]
        first = np.where(random.random(self.shape) < 0.5, -1, chosen(self, random))
        self.core.reset(trips, list(range(self.core.n_replicas)), first)


def random_world(seed: int, *, replicas: int = 4, threads: int = 1, large: bool = False) -> World:
    random = np.random.default_rng(seed)
    network = random_network(random, large=large)
    demand = generate_demand(network, TurnSpec(entry_vph=random.uniform(200, 900), horizon_s=HORIZON_S), seed=seed)
    plan = protocol_by_name(random_protocol(random)).plan(network)
    core = TrafficCore(network, plan, demand, replicas=replicas, threads=threads, monitored=True)
    return World(core, network, demand, plan, [foes_of(network, j) for j in plan.intersection.tolist()], seed)


def random_network(random: np.random.Generator, *, large: bool) -> RoadNetwork:
    least, most = (8, 13) if large else (2, 4)
    speed_mps = float(random.choice([8.333, 11.111, 13.889, 20.0]))
    kind = random.integers(3)
    if kind == 0:
        rows, columns = random.integers(least, most, size=2).tolist()
        return generate_grid(GridSpec(rows=rows, columns=columns, speed_limit_mps=speed_mps))
    if kind == 1:
        signals = int(random.integers(least**2, most**2))
        return generate_arterial(ArterialSpec(signals=signals, main_speed_mps=speed_mps))
    spec = TownSpec(signals=int(random.integers(least**2, most**2)), diagonal_share=float(random.choice([0.0, 0.3])))
    return generate_town(spec, seed=int(random.integers(1 << 30)))


def random_protocol(random: np.random.Generator) -> str:
    if random.random() < 0.5:
        return f"{random.choice(['us-mutcd', 'de-rilsa', 'cn-gb'])}-5"
    clearance_s = int(random.integers(0, 8))
    return f"literature-{clearance_s + int(random.integers(1, 20))}-{clearance_s}"


def foes_of(network: RoadNetwork, j: int) -> np.ndarray:
    """(phases, movements of the network): with how many greens of the phase a movement's green conflicts."""
    foes = np.zeros((network.phase_start[j + 1] - network.phase_start[j], network.n_movements))
    own = slice(network.movement_start[j], network.movement_start[j + 1])
    foes[:, own] = network.phase_matrix(j).astype(float) @ ~permissive_matrix(network, j)
    return foes[:, own]


# --- Requests -----------------------------------------------------------------------------------------------------


def chosen(world: World, random: np.random.Generator) -> np.ndarray:
    return world.plan.choices[np.arange(world.plan.n_signals), random.integers(0, world.plan.n_choices, world.shape)]


def anything(world: World, random: np.random.Generator) -> np.ndarray:
    """Phases, those that are no choice among them, and a number on either side."""
    return random.integers(-2, world.plan.n_phases + 2, world.shape)


def the_worst(world: World, random: np.random.Generator) -> np.ndarray:
    """At every signal the phase that conflicts most with what is green or yellow now."""
    wanted = chosen(world, random)
    start = world.network.movement_start
    for i, (j, foes) in enumerate(zip(world.plan.intersection.tolist(), world.foes, strict=True)):
        conflicts = (world.core.aspects[:, start[j] : start[j + 1]] != RED).astype(float) @ foes.T
        wanted[:, i] = np.where(conflicts.any(axis=1), conflicts.argmax(axis=1), wanted[:, i])
    return wanted


def always_the_same(world: World, random: np.random.Generator) -> np.ndarray:
    return np.broadcast_to(world.plan.choices[:, 0], world.shape)


def no_number(world: World, random: np.random.Generator) -> np.ndarray:
    return np.where(random.random(world.shape) < 0.8, np.nan, chosen(world, random))


def no_short_number(world: World, random: np.random.Generator) -> np.ndarray:
    return no_number(world, random).astype(np.float32)


def infinite(world: World, random: np.random.Generator) -> np.ndarray:
    return np.where(random.random(world.shape) < 0.8, random.choice([np.inf, -np.inf, 1e300], world.shape), 1.0)


def out_of_range(world: World, random: np.random.Generator) -> np.ndarray:
    return np.where(random.random(world.shape) < 0.8, random.choice(OUT_OF_RANGE, world.shape), chosen(world, random))


REQUESTS: dict[str, Wanted] = {
    "random": anything,
    "adversarial": the_worst,
    "constant": always_the_same,
    "NaN": no_number,
    "NaN of 32 bits": no_short_number,
    "infinite": infinite,
    "out of range": out_of_range,
}


def hostile_run(world: World, wanted: Wanted, random: np.random.Generator) -> tuple[int, list[FaultReport]]:
    """Signal-seconds, and the faults: a decision each second, or after so many as chance has it."""
    world.begin(random)
    longest = int(random.choice([1, 1, 12]))
    while world.core.time_s < HORIZON_S:
        world.core.run(wanted(world, random), min(int(random.integers(1, longest + 1)), HORIZON_S - world.core.time_s))
        assert_traffic_obeys(world)
    return HORIZON_S * world.plan.n_signals * world.core.n_replicas, world.core.faults()


def assert_traffic_obeys(world: World) -> None:
    """What the vehicles go by is what the monitor sees."""
    at_signal = np.isin(world.network.movement_intersection, world.plan.intersection)
    shown = world.core.aspects[:, at_signal] == GREEN
    assert np.array_equal(world.core.engine.green[:, at_signal] != 0, shown)


@pytest.mark.parametrize("kind", REQUESTS)
def test_hostile_requests_in_traffic_show_no_fault(kind):
    seconds, updates, seed = 0, 0, 1000 * list(REQUESTS).index(kind)
    while seconds < SIGNAL_S // len(REQUESTS):
        world = random_world(seed)
        more, faults = hostile_run(world, REQUESTS[kind], np.random.default_rng(seed))
        assert faults == [], f"world {seed}, {world.plan.timing}"
        seconds, seed = seconds + more, seed + 1
        updates += int(world.core.totals().vehicle_updates.sum())
        world.core.close()
    assert updates > seconds  # there is traffic


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, np.uint64, np.int16])
def test_nonsense_leaves_traffic_as_no_wish_would(dtype):
    displays = []
    for nonsense in (True, False):
        world = random_world(3)
        world.begin(np.random.default_rng(3))
        random = np.random.default_rng(4)
        rows = []
        for _ in range(60):
            wanted = chosen(world, random).astype(dtype)
            numbers = random.choice(nonsense_of(dtype), world.shape)
            wanted = np.where(random.random(world.shape) < 0.5, numbers if nonsense else nonsense_of(dtype)[0], wanted)
            world.core.run(wanted.astype(dtype), 4)
            rows.append(world.core.aspects.copy())
        displays.append(rows)
    assert np.array_equal(*displays)


def nonsense_of(dtype: type) -> np.ndarray:
    """Numbers of the type that are no phase; the first is far from any limit of any type."""
    if np.issubdtype(dtype, np.floating):
        return np.array([99, np.nan, np.inf, -np.inf, 1e30, 2.5, -0.5, 2.0**32 + 1], dtype)
    limits = np.iinfo(dtype)
    wide = [value for value in OUT_OF_RANGE.tolist() if limits.min <= value <= limits.max]
    return np.array([99, limits.max, *([limits.min] if limits.min < 0 else []), *wide], dtype)


@pytest.mark.parametrize("protocol", ["literature-10-5", "us-mutcd-5", "de-rilsa-5", "cn-gb-5"])
@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, 1e300, 1.5, -0.5, 2**40 + 1, -(2**31), 99])
def test_plain_shield_takes_any_number_for_a_wish(number, protocol):
    """Without the compiler and its integers, every second another wish, one in two of them this one."""
    network = generate_grid(GridSpec(rows=1, columns=2))
    plan = protocol_by_name(protocol).plan(network)
    state = signal_state(plan, network, 1)
    shield.start(np.array([[1, -1]], np.int32), plan.rules, state)
    state = SignalState(*(values[0] for values in state))
    monitor = SignalMonitor(program_card(network, plan.timing))
    random = np.random.default_rng(5)
    green = np.zeros(network.n_movements, np.uint8)
    calls = np.zeros(network.n_movements, np.uint8)
    for _ in range(250):
        wanted = np.where(random.random(2) < 0.5, number, random.integers(0, 9, 2).astype(float))
        calls |= random.random(len(calls)) < 0.02
        calls[state.aspects == GREEN] = 0
        shield.request(wanted, plan.rules, state)
        shield.tick(plan.rules, state, calls, green)
        monitor.watch(state.aspects, calls)
        assert set(state.wish.tolist()) <= set(range(-1, 9))
    assert monitor.faults == []
    assert state.interventions.reshape(2, -1)[:, REFUSED].min() > 50
