"""Without a compiler signals at which nothing can happen are passed over: same displays, clocks, grants and faults."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signals.states import assert_looks_in_time, equal_states

from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import load_scenario
from intergreen.envs.signals import monitor, plain_shield, shield
from intergreen.envs.signals.aspects import DARK, GREEN, RED, RED_AMBER, YELLOW
from intergreen.envs.signals.card import program_card
from intergreen.envs.signals.grants import granted_phases, make_grants
from intergreen.envs.signals.plain_monitor import PlainMonitor
from intergreen.envs.signals.plain_shield import PlainShield
from intergreen.envs.signals.state import NO_PHASE, SignalState

LAMPS = np.array([DARK, RED, YELLOW, GREEN, RED_AMBER, RED | GREEN, YELLOW | GREEN], np.uint8)
PROTOCOLS = ("literature-10-5", "literature-5-2", "us-mutcd-5", "de-rilsa-5")
NETWORKS = ("town", "single")
NOTES = (
    "call_due",
    "due",
    "least",
    "rests",
    "news",
)  # what the compiled shield keeps so that it can pass over signals


def plan_of(name, protocol):
    network = load_scenario(name).network
    return network, protocol_by_name(protocol).plan(network)


def calls_due(plan, state):
    """(I,) by the definition: before that second no call comes before a wish, also none that begins in the next."""
    rules, now = plan.rules, int(state.time[0])
    due = []
    for i, (first, past) in enumerate(pairwise(rules.turn_start.tolist())):
        calls = []
        for phase in (rules.phase_offset[i] + rules.turns[first:past]).tolist():
            served = rules.phase_movements[slice(*rules.phase_movement_start[phase : phase + 2])]
            calls += [min(since) for since in [[one for one in state.call_since[served].tolist() if one >= 0]] if since]
        limits = rules.call_limit[first:past].tolist()
        soonest = [since + limit for since, limit in zip(sorted(calls), limits, strict=False)]
        due.append(min([*soonest, *(now + limit for limit in limits)]))
    return np.array(due)


def assert_equal_states(mine, plain, plan):
    for name in SignalState._fields:
        if name not in NOTES:
            assert getattr(mine, name).tolist() == getattr(plain, name).tolist(), name
    heard = plan.rules.overdue > 0
    assert heard.all() or not heard.any()
    for state in (mine, plain):
        assert not heard.any() or (state.call_due <= calls_due(plan, state)).all()


stories = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 2**32 - 1),
        "call_share": st.sampled_from([0.0, 0.01, 0.2, 0.9]),
        "turn_share": st.sampled_from([0.01, 0.1, 0.5]),  # of callers that come or go in a second
        "wish_share": st.sampled_from([0.0, 0.1, 0.5, 1.0]),  # of signals that get another wish
        "interval_s": st.sampled_from([1, 5, 10]),
    }
)


@pytest.mark.parametrize("network_name", NETWORKS)
@pytest.mark.parametrize("protocol", PROTOCOLS)
@settings(max_examples=12)
@given(story=stories)
def test_signals_passed_over_are_as_if_each_had_been_asked(network_name, protocol, story):
    network, plan = plan_of(network_name, protocol)
    random = np.random.default_rng(story["seed"])
    mine, plain = equal_states(network, plan, random)
    passing, grants = PlainShield(plan.rules, mine), make_grants(plan.rules, network.n_phases, network.n_movements)
    card = program_card(network, plan.timing)
    watching, memory = PlainMonitor(card), monitor.make_memory(card)
    calls, green = np.zeros(network.n_movements, np.uint8), np.zeros(network.n_movements, np.uint8)
    wanted = np.full(plan.n_signals, NO_PHASE, np.int32)
    for second in range(100):
        turned = random.random(len(calls)) < story["turn_share"]
        calls = np.where(turned, random.random(len(calls)) < story["call_share"], calls).astype(np.uint8)
        if second % story["interval_s"] == 0:
            granted = np.zeros(network.n_phases, np.uint8)
            shield.granted(plan.rules, plain, calls, story["interval_s"], granted)
            assert granted_phases(grants, mine, calls, story["interval_s"]).tolist() == granted.tolist()
            changes = random.random(plan.n_signals) < story["wish_share"]
            wanted = np.where(changes, random.integers(-2, 9, plan.n_signals), wanted).astype(np.int32)
            passing.request(wanted)
            shield.request(wanted, plan.rules, plain)
        passing.tick(calls)
        shield.tick(plan.rules, plain, calls, green)
        assert_equal_states(mine, plain, plan)
        rows = monitor.replica_rows(memory, 0)
        assert watching.watch(mine.aspects, calls) == monitor.watch(plain.aspects, calls, card, rows)
    assert_equal_memories(watching, memory)


@pytest.mark.parametrize("network_name", NETWORKS)
@pytest.mark.parametrize("protocol", PROTOCOLS)
@settings(max_examples=12)
@given(seed=st.integers(0, 2**32 - 1), changing=st.sampled_from([0.001, 0.02, 0.3]))
def test_every_fault_is_found_in_the_same_tick(network_name, protocol, seed, changing):
    network, plan = plan_of(network_name, protocol)
    random = np.random.default_rng(seed)
    card = program_card(network, plan.timing)
    watching, memory = PlainMonitor(card), monitor.make_memory(card)
    lamps, calls = np.full(network.n_movements, RED, np.uint8), np.zeros(network.n_movements, np.uint8)
    total = 0
    for _ in range(100):
        lamps = np.where(random.random(len(lamps)) < changing, random.choice(LAMPS, len(lamps)), lamps)
        calls = np.where(random.random(len(calls)) < changing, random.integers(0, 2, len(calls)), calls)
        lamps, calls = lamps.astype(np.uint8), calls.astype(np.uint8)
        found = monitor.watch(lamps, calls, card, monitor.replica_rows(memory, 0))
        assert watching.watch(lamps, calls) == found
        total += found
    assert watching.faults == monitor.faults(card, memory)
    assert_equal_memories(watching, memory)
    assert total > 0 or changing < 0.3


def assert_equal_memories(watching, memory):
    """But for scratch, and the tick of the next look, which may come earlier than is needed."""
    states = [monitor.replica_rows(one, 0) for one in (watching._memory, memory)]
    for state in states:
        assert_looks_in_time(watching.card, state)
    mine, plain = ({name: rows for name, rows in one._asdict().items() if name != "next_check"} for one in states)
    del mine["changed"], plain["changed"]
    for name, values in mine.items():
        assert np.array_equal(values, plain[name]), name


def test_calls_are_looked_at_only_when_they_may_be_due(monkeypatch):
    """Where nobody calls, once in as many seconds as the shortest limit has, and those that a green has more."""
    network, plan = plan_of("single", "us-mutcd-5")
    looked, of_turns = [], plain_shield.calls_in_turn
    monkeypatch.setattr(
        plain_shield, "calls_in_turn", lambda *given: looked.append(int(state.time[0])) or of_turns(*given)
    )
    state, _ = equal_states(network, plan, np.random.default_rng(0))
    showing, nobody = PlainShield(plan.rules, state), np.zeros(network.n_movements, np.uint8)
    for _ in range(400):
        showing.tick(nobody)
    apart_s = int(plan.rules.overdue[0] + plan.rules.service[0])
    assert len(looked) >= 400 // apart_s
    assert np.diff(looked).tolist() == [apart_s] * (len(looked) - 1)
