"""Ten million signal-seconds of hostile requests, and what shield and monitor cost.

`pytest tests/benchmarks/test_safety.py --benchmark-enable -s` measures and prints; without, a short part runs once, and
nothing is ever a timed pass or fail.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
from signals.test_safety_runs import REQUESTS, hostile_run, random_world

from intergreen.envs import core
from intergreen.envs.core import TrafficCore
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import load_scenario
from intergreen.envs.signals.shield import signal_state
from intergreen.envs.simulation.compile import kernel
from intergreen.envs.simulation.state import replica_state

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


@kernel
def _shield_alone(rules, shown, wanted, every_s, calls, green):
    for t in range(calls.shape[0]):
        if t % every_s == 0:
            core._request(wanted[t // every_s], rules, core._replica_signals(shown, 0))
        core._tick(rules, core._replica_signals(shown, 0), calls[t], green)


@kernel
def _monitor_alone(card, watched, aspects, calls):
    mine = core._replica_rows(watched, 0)
    faults = 0
    for t in range(calls.shape[0]):
        faults += core._watch(aspects[t], calls[t], card, mine)
    return faults


@kernel
def _detectors_alone(net, state, detectors, calls, seconds):
    mine = replica_state(state, 0)
    for _ in range(seconds):
        core._detect(net, mine, detectors, calls)


def best_of(run: Callable[[], object], rounds: int) -> float:
    """Least seconds of several runs, after one to compile."""
    run()
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        run()
        taken.append(time.perf_counter() - began)
    return min(taken)


@pytest.mark.parametrize("protocol", ["literature-10-5", "us-mutcd-5"])
@pytest.mark.parametrize("scenario", ["grid4x4"])
def test_what_shield_and_monitor_add_to_the_engines_time(benchmark, scenario, protocol):
    measured = not benchmark.disabled
    world, rules = load_scenario(scenario), protocol_by_name(protocol)
    plan = rules.plan(world.network)
    rounds, periods = (5, 3600 // rules.interval_s) if measured else (1, 3)
    random = np.random.default_rng(0)
    wanted = plan.choices[
        np.arange(plan.n_signals), random.integers(0, plan.n_choices, (periods, plan.n_signals))
    ].astype(np.int32)
    first, trips = plan.choices[None, :, 0], [world.trips(0)]

    def traffic(monitored: bool) -> TrafficCore:
        return TrafficCore(world.network, plan, world.demand, monitored=monitored)

    def drive(one: TrafficCore) -> None:
        one.reset(trips, [0], first)
        for wish in wanted:
            one.run(wish[None], rules.interval_s)

    watched, unwatched = traffic(True), traffic(False)
    seconds = periods * rules.interval_s
    calls = np.zeros((seconds, world.network.n_movements), np.uint8)
    aspects = np.zeros_like(calls)
    watched.reset(trips, [0], first)
    for t in range(seconds):
        watched.run(wanted[t // rules.interval_s][None], 1)
        calls[t], aspects[t] = watched._calls[0], watched.aspects[0]
    green = np.zeros(world.network.n_movements, np.uint8)

    def shield_alone() -> None:
        shown = signal_state(plan, world.network, 1)
        core.shield.start(first, plan.rules, shown)
        _shield_alone(plan.rules, shown, wanted, rules.interval_s, calls, green)
        assert np.array_equal(shown.aspects[0], aspects[-1])

    def monitor_alone() -> None:
        assert _monitor_alone(watched._card, core.monitor.make_memory(watched._card), aspects, calls) == 0

    def detectors_alone() -> None:
        if watched._detectors is not None:
            _detectors_alone(watched.engine.statics, watched.engine.state, watched._detectors, green, seconds)

    total_s = benchmark.pedantic(lambda: best_of(lambda: drive(watched), rounds), rounds=1)
    told = {
        "with monitor": total_s,
        "without monitor": best_of(lambda: drive(unwatched), rounds),
        "shield alone": best_of(shield_alone, rounds),
        "monitor alone": best_of(monitor_alone, rounds),
        "detectors alone": best_of(detectors_alone, rounds),
    }
    ours_s = told["shield alone"] + told["monitor alone"] + told["detectors alone"]
    shares = {
        "added to the rest": ours_s / (total_s - ours_s),
        "monitored to unmonitored": total_s / told["without monitor"],
    }
    benchmark.extra_info.update({key: round(1e6 * value / seconds, 3) for key, value in told.items()} | shares)
    each = ", ".join(f"{key} {1e6 * value / seconds:.2f}" for key, value in told.items())
    print(f"\n{scenario}, {protocol}, us per simulated second: {each}; {shares}")
    assert watched.faults() == []
    assert watched.time_s == seconds
