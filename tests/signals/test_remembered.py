"""What the shield did in a situation is what it would do again: random networks, timings, wishes and calls."""

import numpy as np
import pytest
from signals.test_plain import assert_equal_memories, assert_equal_states
from signals.test_safety_runs import nonsense_of, random_network, random_protocol

from intergreen.envs.network import STRAIGHT, GridSpec, build_network, generate_grid
from intergreen.envs.network.description import (
    IntersectionDescription,
    LaneDescription,
    LinkDescription,
    MovementDescription,
    NetworkDescription,
    PhaseDescription,
    RoadDescription,
)
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.signals import monitor, remembered, shield
from intergreen.envs.signals.aspects import GREEN
from intergreen.envs.signals.card import program_card
from intergreen.envs.signals.plain_monitor import PlainMonitor
from intergreen.envs.signals.plain_shield import PlainShield
from intergreen.envs.signals.state import replica_state, signal_state


def twins(network, plan):
    """Two equal states before the first second."""
    states = [signal_state(plan, network, 1) for _ in range(2)]
    for state in states:
        shield.start(np.full((1, plan.n_signals), -1, np.int32), plan.rules, state)
    return [replica_state(state, 0) for state in states]


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


def test_signal_of_more_movements_than_bits_serves_an_overdue_call_in_time():
    """72 one-way streets side by side, in three phases; the last one calls while the first two are wished for."""
    network = streets_side_by_side(72)
    plan = protocol_by_name("us-mutcd-5").plan(network)
    mine, plain = twins(network, plan)
    showing, watching = PlainShield(plan.rules, mine), PlainMonitor(program_card(network, plan.timing))
    assert not showing._remembered.has_room
    calls, green = np.zeros(network.n_movements, np.uint8), np.zeros(network.n_movements, np.uint8)
    calls[-1] = 1
    served = False
    for second in range(150):
        if second % 5 == 0:
            wish = np.array([(min(second, 75) // 15) % 2], np.int32)
            showing.request(wish)
            shield.request(wish, plan.rules, plain)
        showing.tick(calls)
        shield.tick(plan.rules, plain, calls, green)
        assert_equal_states(mine, plain, plan)
        assert watching.watch(mine.aspects, calls) == 0
        served |= bool(mine.aspects[-1] == GREEN)
    assert served


def streets_side_by_side(n):
    """One signal that n straight movements pass, a third of them in each of its phases."""
    lane = (LaneDescription(3.0, 11.0),)
    roads, movements = [], []
    ends = []
    for k in range(n):
        y_m = 10.0 * k
        roads.append(RoadDescription(f"in{k}", 1 + 2 * k, 0, ((-300.0, y_m), (-20.0, y_m)), lane))
        roads.append(RoadDescription(f"out{k}", 0, 2 + 2 * k, ((20.0, y_m), (300.0, y_m)), lane))
        movements.append(MovementDescription(2 * k, 2 * k + 1, STRAIGHT, (LinkDescription(0, 0),)))
        ends.append(IntersectionDescription(f"west{k}", (-300.0, y_m), 0.0, True, (2 * k,)))
        ends.append(IntersectionDescription(f"east{k}", (300.0, y_m), 0.0, True, (2 * k + 1,)))
    phases = tuple(PhaseDescription(20.0, tuple(range(k * n // 3, (k + 1) * n // 3))) for k in range(3))
    centre = IntersectionDescription("centre", (0.0, 0.0), 0.0, False, tuple(range(2 * n)), tuple(movements), phases)
    return build_network(NetworkDescription("wide", "wide", (centre, *ends), tuple(roads)))


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
