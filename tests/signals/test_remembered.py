"""What the shield did in a situation is what it would do again: random networks, timings, wishes and calls."""

import numpy as np
import pytest
from signals.test_plain import assert_equal_memories, assert_equal_states
from signals.test_safety_runs import nonsense_of, random_network, random_protocol

from intergreen.envs.network import GridSpec, generate_grid
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.signals import monitor, remembered, shield
from intergreen.envs.signals.aspects import GREEN
from intergreen.envs.signals.card import program_card
from intergreen.envs.signals.plain_monitor import PlainMonitor
from intergreen.envs.signals.plain_shield import PlainShield


def twins(network, plan):
    """Two equal states before the first second."""
    states = [shield.signal_state(plan, network, 1) for _ in range(2)]
    for state in states:
        shield.start(np.full((1, plan.n_signals), -1, np.int32), plan.rules, state)
    return [shield.replica_state(state, 0) for state in states]


def wishes(random, plan, kind):
    """Of all signals: phases, numbers that are none, or what is no whole number."""
    wanted = random.integers(-2, plan.n_phases + 2, plan.n_signals)
    if kind == "phases":
        return (wanted % plan.n_phases).astype(np.int32)
    dtype = {"integers": np.int64, "floats": np.float64}[kind]
    return np.where(
        random.random(len(wanted)) < 0.2, random.choice(nonsense_of(dtype), len(wanted)), wanted.astype(dtype)
    )


def assert_shown_alike(network, plan, random, seconds=90):
    mine, plain = twins(network, plan)
    showing, card = PlainShield(plan.rules, mine), program_card(network, plan.timing)
    watching, memory = PlainMonitor(card), monitor.make_memory(card)
    calls, green = np.zeros(network.n_movements, np.uint8), np.zeros(network.n_movements, np.uint8)
    kind, interval_s = random.choice(["phases", "integers", "floats"]), int(random.choice([1, 5, 10]))
    busy, patience = random.choice([0.002, 0.05, 0.5]), random.random() < 0.5  # without: calls end before their green
    for second in range(seconds):
        calls[random.random(len(calls)) < busy] = 1
        calls[mine.aspects == GREEN if patience else random.random(len(calls)) < 0.2] = 0
        if second % interval_s == 0:
            wanted = wishes(random, plan, kind)
            showing.request(wanted)
            shield.request(wanted, plan.rules, plain)
        showing.tick(calls)
        shield.tick(plan.rules, plain, calls, green)
        assert_equal_states(mine, plain, plan)
        rows = monitor.replica_rows(memory, 0)
        assert watching.watch(mine.aspects, calls) == monitor.watch(plain.aspects, calls, card, rows)
    assert_equal_memories(watching, memory)
    return showing


@pytest.mark.parametrize("seed", range(24))
def test_random_networks_and_timings_are_shown_as_by_the_shield_alone(seed):
    random = np.random.default_rng(seed)
    network = random_network(random, large=False)
    assert_shown_alike(network, protocol_by_name(random_protocol(random)).plan(network), random)


@pytest.mark.parametrize("protocol", ["literature-10-5", "us-mutcd-5"])
@pytest.mark.parametrize("limit", ["_MOST_DISPLAYS", "_MOST_PHASES", "_MOST_CALLERS", "_MOST_CALLED"])
def test_where_there_is_no_room_the_shield_is_asked_every_time(limit, protocol, monkeypatch):
    monkeypatch.setattr(remembered, limit, 0)
    network = generate_grid(GridSpec(rows=1, columns=2))
    plan = protocol_by_name(protocol).plan(network)
    showing = assert_shown_alike(network, plan, np.random.default_rng(1), seconds=120)
    assert not showing._remembered.has_room


def test_alike_signals_remember_together_and_the_shield_is_asked_rarely(monkeypatch):
    network, random = generate_grid(GridSpec(rows=4, columns=4)), np.random.default_rng(0)
    plan = protocol_by_name("literature-10-5").plan(network)
    mine, _ = twins(network, plan)
    showing, asked, tick = PlainShield(plan.rules, mine), [], shield.tick
    monkeypatch.setattr(shield, "tick", lambda *all_of_it: asked.append(1) or tick(*all_of_it))
    calls, changes = np.zeros(network.n_movements, np.uint8), 0
    for second in range(600):
        if second % 10 == 0:
            showing.request(random.integers(1, 5, plan.n_signals).astype(np.int32))
        before = mine.aspects.copy()
        showing.tick(calls)
        changes += int((before != mine.aspects).reshape(plan.n_signals, -1).any(axis=1).sum())
    assert changes > 1000
    assert len(asked) < 200
