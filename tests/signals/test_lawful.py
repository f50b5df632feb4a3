"""The sieve before the monitor takes note of what is in order as the monitor would, and of nothing else."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from signals.states import assert_looks_in_time
from signals.test_monitor import N_TICKS, any_aspects, any_calls, cards

from intergreen.envs.network import GridSpec, generate_grid
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.signals import monitor, plain_monitor, shield
from intergreen.envs.signals.aspects import GREEN, RED, YELLOW
from intergreen.envs.signals.card import program_card
from intergreen.envs.signals.monitor import MonitorState, make_memory, replica_rows
from intergreen.envs.signals.plain_monitor import PlainMonitor
from intergreen.envs.signals.plain_shield import PlainShield
from intergreen.envs.signals.state import replica_state, signal_state


def assert_watched_alike(card, rows, calls):
    """Tick for tick as many faults and the same state, but for the next look, which may come too soon."""
    watching, alone = PlainMonitor(card), replica_rows(make_memory(card), 0)
    for lamps, waiting in zip(rows, calls, strict=True):
        assert watching.watch(lamps, waiting) == monitor.watch(lamps, waiting, card, alone)
        for name, mine, its in zip(MonitorState._fields, replica_rows(watching._memory, 0), alone, strict=True):
            if name not in ("next_check", "changed"):  # the latter is scratch
                assert mine.tolist() == its.tolist(), name
        assert_looks_in_time(card, alone)
        assert_looks_in_time(card, replica_rows(watching._memory, 0))
    return watching


@given(rows=any_aspects, calls=any_calls, card=cards())
def test_any_card_and_any_display_are_watched_as_by_the_monitor_alone(rows, calls, card):
    assert len(rows) == N_TICKS
    assert_watched_alike(card, rows, calls)


@pytest.mark.parametrize("lamps", [8, 12, 255])
def test_bytes_that_tell_more_than_lamps_are_watched_as_by_the_monitor_alone(lamps):
    network = generate_grid(GridSpec(rows=1, columns=1))
    card = program_card(network, protocol_by_name("us-mutcd-5").plan(network).timing)
    rows = np.full((6, network.n_movements), RED, np.uint8)
    rows[2:4, 1] = lamps
    (fault,) = assert_watched_alike(card, rows, np.zeros_like(rows)).faults
    assert (fault.fault, fault.channels) == ("dual indication", (1,))


def drive(protocol, seconds, seed=0, rows=2, columns=3):
    """What a grid's signals show under random wishes and calls: card, aspects and calls of every second."""
    network, random = generate_grid(GridSpec(rows=rows, columns=columns)), np.random.default_rng(seed)
    timing = protocol_by_name(protocol)
    plan = timing.plan(network)
    state = signal_state(plan, network, 1)
    shield.start(np.full((1, plan.n_signals), -1, np.int32), plan.rules, state)
    mine = replica_state(state, 0)
    showing, calls, shown = PlainShield(plan.rules, mine), np.zeros(network.n_movements, np.uint8), []
    for second in range(seconds):
        calls[random.random(len(calls)) < 0.02] = 1
        calls[mine.aspects == GREEN] = 0
        if second % timing.interval_s == 0:
            showing.request(random.integers(0, plan.n_choices, plan.n_signals).astype(np.int32))
        showing.tick(calls)
        shown.append((mine.aspects.copy(), calls.copy()))
    return program_card(network, plan.timing), shown


@pytest.mark.parametrize("protocol", ["literature-10-5", "us-mutcd-5", "de-rilsa-5", "cn-gb-5"])
def test_monitor_need_not_look_at_a_signal_that_shows_what_it_should(protocol, monkeypatch):
    card, shown = drive(protocol, 300)
    looked, watch = [], monitor.watch
    monkeypatch.setattr(plain_monitor.monitor, "watch", lambda *asked: looked.append(1) or watch(*asked))
    watching = PlainMonitor(card)
    assert sum(watching.watch(aspects, calls) for aspects, calls in shown) == 0
    changes = sum(int((one[0] != other[0]).any()) for one, other in itertools.pairwise(shown))
    assert changes > 50
    assert not looked


@pytest.mark.parametrize("protocol", ["literature-10-5", "us-mutcd-5", "de-rilsa-5"])
@pytest.mark.parametrize("shift", [-2, -1, 1, 2])
def test_change_that_comes_too_soon_or_too_late_is_found_as_by_the_monitor_alone(protocol, shift):
    card, shown = drive(protocol, 150, seed=abs(shift))
    rows, calls = (np.array(values) for values in zip(*shown, strict=True))
    random = np.random.default_rng(7)
    total = 0
    for column in random.choice(rows.shape[1], 12, replace=False).tolist():
        spoilt = rows.copy()
        spoilt[:, column] = np.roll(rows[:, column], shift)
        total += sum(one.tick > 0 for one in assert_watched_alike(card, spoilt, calls).faults)
    assert total > 0


def test_only_signals_in_order_are_taken_note_of():
    """A conflict at one signal goes to the monitor, and the other signal's green does not."""
    card, shown = drive("us-mutcd-5", 40, rows=1, columns=2)
    aspects, calls = shown[-1]
    aspects = np.full_like(aspects, RED)
    watching = PlainMonitor(card)
    for _ in range(30):
        watching.watch(aspects, calls)
    own = card.channel[: card.channel_start[1]]
    aspects[own] = GREEN
    aspects[card.channel[card.channel_start[1]]] = GREEN
    assert watching.watch(aspects, calls) > 0
    assert {one.signal for one in watching.faults} == {0}
    aspects[card.channel[card.channel_start[1]]] = YELLOW
    watching.watch(aspects, calls)
    assert {one.signal: one.fault for one in watching.faults}[1] == "short green"
