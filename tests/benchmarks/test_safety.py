"""Ten million signal-seconds of hostile requests, and what shield and monitor cost.

`pytest tests/benchmarks/test_safety.py --benchmark-enable -s` measures and prints; without, a short part runs once, and
nothing is ever a timed pass or fail.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from signals.test_safety_runs import REQUESTS, hostile_run, random_world

from intergreen.agents.controllers import controller_by_name
from intergreen.agents.controllers.base import Setup, near_distance_m
from intergreen.envs import compiled_signals as compiled
from intergreen.envs.arrays import ByteArray, IntArray
from intergreen.envs.core import TrafficCore
from intergreen.envs.protocol import Protocol, protocol_by_name
from intergreen.envs.scenario import Scenario, load_scenario, scenario_names
from intergreen.envs.signals import SignalPlan, monitor, shield
from intergreen.envs.signals.aspects import GREEN
from intergreen.envs.signals.monitor_card import MonitorCard
from intergreen.envs.signals.state import signal_state
from intergreen.envs.simulation.compile import inlined, kernel
from intergreen.envs.simulation.packed import opened
from intergreen.envs.simulation.state import replica_state, replica_trips
from intergreen.envs.simulation.step import advance_one_second
from intergreen.envs.simulation.turns import take_turn
from intergreen.envs.stop_lines import detect

SIGNAL_S, SHORT_SIGNAL_S = 10_000_000, 50_000


@pytest.mark.parametrize("kind", REQUESTS)
def test_ten_million_signal_seconds_without_a_fault(benchmark, kind):
    measured = not benchmark.disabled
    asked = (SIGNAL_S if measured else SHORT_SIGNAL_S) // len(REQUESTS) + 1
    told = {"signal-seconds": 0, "faults": 0, "worlds": 0, "vehicle updates": 0}

    def run() -> None:
        seed = 100_000 * (1 + list(REQUESTS).index(kind))
        while told["signal-seconds"] < asked:
            world = random_world(seed, replicas=8, large=measured)
            seconds, faults = hostile_run(world, REQUESTS[kind], np.random.default_rng(seed))
            told["signal-seconds"] += seconds
            told["faults"] += len(faults)
            told["worlds"] += 1
            told["vehicle updates"] += int(world.core.totals().vehicle_updates.sum())
            world.core.close()
            seed += 1

    began = time.perf_counter()
    benchmark.pedantic(run, rounds=1)
    benchmark.extra_info.update(told)
    print(f"\n{kind}: {told}, {time.perf_counter() - began:.1f} s")
    assert told["faults"] == 0
    assert told["signal-seconds"] >= asked
    assert told["vehicle updates"] > 0


# --- Cost ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Drive:
    """What one controller wished in each period, and what came of it in each second."""

    world: Scenario
    protocol: Protocol
    plan: SignalPlan
    first: IntArray  # (1, I)
    wanted: IntArray  # (periods, 1, I)
    calls: ByteArray  # (seconds, M)
    aspects: ByteArray  # (seconds, M)

    @property
    def seconds(self) -> int:
        return len(self.aspects)

    def traffic(self, *, monitored: bool) -> TrafficCore:
        return TrafficCore(self.world.network, self.plan, self.world.demand, monitored=monitored)

    def begin(self, traffic: TrafficCore) -> None:
        traffic.reset([self.world.trips(0)], [0], self.first)


def recorded(scenario: str, protocol: str, controller: str, seconds: int) -> Drive:
    """A drive on the evaluation's trips; the controller "random" wishes anything in every period."""
    world, rules = load_scenario(scenario), protocol_by_name(protocol)
    plan = rules.plan(world.network)
    n_periods = seconds // rules.interval_s
    pick = np.random.default_rng(0).integers(0, plan.n_choices, (n_periods, 1, plan.n_signals))
    wanted = plan.choices[np.arange(plan.n_signals), pick].astype(np.int32)
    calls = np.zeros((n_periods * rules.interval_s, world.network.n_movements), np.uint8)
    drive = Drive(world, rules, plan, plan.choices[None, :, 0], wanted, calls, np.zeros_like(calls))
    traffic = drive.traffic(monitored=True)
    decider = None if controller == "random" else controller_by_name(controller)
    if decider is not None:
        traffic.near_m = near_distance_m(world.network, rules.interval_s)
        first = decider.start(Setup(world.network, plan, rules, 1, 0))
        drive = replace(drive, first=first)
    drive.begin(traffic)
    for t in range(drive.seconds):
        period = t // rules.interval_s
        if decider is not None and t % rules.interval_s == 0:
            wanted[period] = decider.decide(traffic.counts(), traffic.signals(rules.interval_s), t)
        traffic.run(wanted[period], 1)
        calls[t], drive.aspects[t] = traffic._calls[0], traffic.aspects[0]
    assert traffic.faults() == []
    return drive


@kernel
def _engine_alone(packed, from_s, seconds):
    """What `_run_period` does with neither shield nor monitor: the greens are known."""
    _engine_replicas(*opened(packed), from_s, seconds)


@inlined
def _engine_replicas(turns, net, routes, loops, trips, state, changes, aspects, from_s, seconds):
    b = take_turn(turns, state.tally.shape[0])
    while b < state.tally.shape[0]:
        mine, my_trips = replica_state(state, b), replica_trips(trips, b)
        for t in range(from_s, from_s + seconds):
            for m in range(aspects.shape[1]):
                mine.green[m] = aspects[t, m] == GREEN
            advance_one_second(net, routes, loops, my_trips, mine, None)
        b = take_turn(turns, state.tally.shape[0])


@kernel
def _shield_alone(rules, shown, wanted, every_s, calls, green):
    signals = compiled.replica_signals(shown, 0)
    for t in range(calls.shape[0]):
        if t % every_s == 0:
            compiled.request(wanted[t // every_s, 0], rules, signals)
        compiled.tick(rules, signals, calls[t], green)


@kernel
def _monitor_alone(card, watched, aspects, calls):
    mine = compiled.replica_rows(watched, 0)
    faults = 0
    for t in range(calls.shape[0]):
        faults += compiled.watch(aspects[t], calls[t], card, mine)
    return faults


@kernel
def _detectors_alone(state, detectors, calls, arrived, seconds):
    mine = replica_state(state, 0)
    for _ in range(seconds):
        detect(mine, detectors, calls, arrived)


def drive_all(drive: Drive, traffic: TrafficCore) -> float:
    """CPU seconds of the whole drive."""
    drive.begin(traffic)
    began = time.process_time()
    for wish in drive.wanted:
        traffic.run(wish, drive.protocol.interval_s)
    return time.process_time() - began


def drive_engine(drive: Drive, traffic: TrafficCore) -> float:
    drive.begin(traffic)
    engine, interval_s = traffic.engine, drive.protocol.interval_s
    arguments = engine.statics, engine.routes, engine.loops, engine.trips, engine.state, engine.changes, drive.aspects
    began = time.process_time()
    for period in range(len(drive.wanted)):
        engine.share_out(_engine_alone, arguments, period * interval_s, interval_s)
    return time.process_time() - began


def drive_shield(drive: Drive, green: ByteArray) -> float:
    shown = signal_state(drive.plan, drive.world.network, 1)
    shield.start(drive.first, drive.plan.rules, shown)
    began = time.process_time()
    _shield_alone(drive.plan.rules, shown, drive.wanted, drive.protocol.interval_s, drive.calls, green)
    taken_s = time.process_time() - began
    assert np.array_equal(shown.aspects[0], drive.aspects[-1])
    return taken_s


def drive_monitor(drive: Drive, card: MonitorCard) -> float:
    memory = monitor.make_memory(card)
    began = time.process_time()
    assert _monitor_alone(card, memory, drive.aspects, drive.calls) == 0
    return time.process_time() - began


def drive_detectors(drive: Drive, traffic: TrafficCore, calls: ByteArray) -> float:
    began = time.process_time()
    if traffic._detectors is not None:
        arrived = traffic._notes.arrived[0]
        _detectors_alone(traffic.engine.state, traffic._detectors, calls, arrived, drive.seconds)
    return time.process_time() - began


GRID = [("grid4x4", "random")]
REAL = [(f"cityflow/{name}", how) for name in ("hangzhou_4x4", "jinan_3x4") for how in ("fixed-time", "max-pressure")]


@pytest.mark.parametrize("protocol", ["literature-10-5", "us-mutcd-5"])
@pytest.mark.parametrize(("scenario", "controller"), GRID + [cell for cell in REAL if cell[0] in scenario_names()])
def test_what_shield_and_monitor_add_to_the_engines_time(benchmark, scenario, controller, protocol):
    measured = not benchmark.disabled
    drive = recorded(scenario, protocol, controller, 3600 if measured else 30)
    watched, unwatched, bare = (drive.traffic(monitored=monitored) for monitored in (True, False, False))
    row = np.zeros(drive.world.network.n_movements, np.uint8)
    parts: dict[str, Callable[[], float]] = {
        "with monitor": lambda: drive_all(drive, watched),
        "without monitor": lambda: drive_all(drive, unwatched),
        "engine": lambda: drive_engine(drive, bare),
        "shield alone": lambda: drive_shield(drive, row),
        "monitor alone": lambda: drive_monitor(drive, watched._card),
        "detectors alone": lambda: drive_detectors(drive, watched, row),
    }
    taken: dict[str, list[float]] = {name: [] for name in parts}

    def interleaved() -> None:  # others who use the machine slow down all alike
        for _ in range(30 if measured else 2):
            for name, run in parts.items():
                taken[name].append(run())

    benchmark.pedantic(interleaved, rounds=1)
    told = {name: 1e6 * min(of_part[1:]) / drive.seconds for name, of_part in taken.items()}
    shares = {
        "shield and monitor to engine": told["with monitor"] / told["engine"] - 1.0,
        "monitor to the rest": told["with monitor"] / told["without monitor"] - 1.0,
    }
    benchmark.extra_info.update({name: round(value, 3) for name, value in (told | shares).items()})
    each = ", ".join(f"{name} {value:.2f}" for name, value in told.items())
    added = ", ".join(f"{name} {share:+.1%}" for name, share in shares.items())
    print(f"\n{scenario}, {controller}, {protocol}: us per simulated second: {each}; {added}")
    assert watched.faults() == []
    travelled = [one.totals().sum_travel_time_s.tolist() for one in (watched, unwatched, bare)]
    assert travelled[0] == travelled[1] == travelled[2]
    assert watched.time_s == bare.time_s == drive.seconds
