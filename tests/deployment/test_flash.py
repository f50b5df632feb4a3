"""A monitor fault, or an error in the runtime, ends in flash: full yellow for whoever had right of way, then red for
everybody, for ever; never green or yellow for two that conflict."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intergreen.agents.deployment.runtime import SignalController, lane_readings
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import load_scenario
from intergreen.envs.signals.aspects import GREEN, RED, YELLOW
from intergreen.envs.signals.card import program_card
from intergreen.envs.signals.monitor import SignalMonitor

NETWORKS = {name: load_scenario(name).network for name in ("single", "town")}  # three, four and five legs
CUT_OFF = {"short green", "dual indication"}  # by design: the green that has just begun, the green that was announced
PROTOCOLS = ("literature-10-5", "us-mutcd-5", "de-rilsa-5")


def readings(random, network):
    arriving = random.integers(0, 3, (network.n_lanes, 5))
    waiting = random.integers(0, 4, network.n_lanes)
    return lane_readings(waiting, waiting + arriving.sum(axis=1), arriving)


def at_signals(controller):
    return np.isin(controller.network.movement_intersection, controller.plan.intersection)


def fail_in_decide(controller, monkeypatch):
    monkeypatch.setattr(controller._decider, "decide", _raise)
    monkeypatch.setattr(controller._decider, "is_due", lambda time_s: True)


def fail_while_painting(controller, monkeypatch):
    """The tick paints some movements red, others green, and raises: its array is no display."""

    def tick(calls):
        controller.aspects[:] = RED
        controller.aspects[::2] = GREEN
        raise RuntimeError("half way")

    monkeypatch.setattr(controller._shield, "tick", tick)


def show_conflict(controller, monkeypatch):
    """The tick turns everything green: the monitor has to see it before anybody else does."""

    def tick(calls):
        controller.aspects[:] = GREEN

    monkeypatch.setattr(controller._shield, "tick", tick)


def fail_in_monitor(controller, monkeypatch):
    monkeypatch.setattr(controller._monitor, "watch", _raise)


def _raise(*arguments):
    raise RuntimeError("a bug of ours")


FAILURES = {
    "decide": (fail_in_decide, "the runtime raised RuntimeError"),
    "tick": (fail_while_painting, "the runtime raised RuntimeError"),
    "monitor fault": (show_conflict, "monitor: "),
    "monitor error": (fail_in_monitor, "the runtime raised RuntimeError"),
}


@settings(max_examples=20)
@given(
    name=st.sampled_from(sorted(NETWORKS)),
    protocol=st.sampled_from(PROTOCOLS),
    failure=st.sampled_from(sorted(FAILURES)),
    fails_at=st.integers(0, 90),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_failure_at_any_second_ends_in_flash(bundle_folder, name, protocol, failure, fails_at, seed):
    controller = SignalController.load(bundle_folder, NETWORKS[name], protocol=protocol)
    random, signalled = np.random.default_rng(seed), at_signals(controller)
    fail, words = FAILURES[failure]
    shown = [np.where(signalled, RED, GREEN).astype(np.uint8)]
    with pytest.MonkeyPatch.context() as monkeypatch:
        for t in range(fails_at):
            shown.append(controller.step(readings(random, controller.network), t))
        assert controller.flash_reason == ""
        fail(controller, monkeypatch)
        flashed = [controller.step(readings(random, controller.network), fails_at + k) for k in range(20)]
    assert controller.flash_reason.startswith(words)
    assert controller.rungs == ["all-red flash"] * controller.plan.n_signals
    had_way = (shown[-1] == GREEN) | (shown[-1] == YELLOW)
    yellow_s = controller.plan.rules.yellow - seconds_of_yellow(shown)
    for k, aspects in enumerate(flashed):
        has_yellow = signalled & had_way & (k < yellow_s)
        assert np.array_equal(aspects[signalled], np.where(has_yellow, YELLOW, RED)[signalled])
    flashed += [controller.step(readings(random, controller.network), fails_at + 20 + k) for k in range(40)]
    assert all((aspects[signalled] == RED).all() for aspects in flashed[20:])
    assert {one.fault for one in faults_of(controller, [*shown[1:], *flashed])} <= CUT_OFF
    controller.close()


def seconds_of_yellow(shown):
    """(M,) for which each movement has had yellow when the last of these displays ends."""
    seconds = np.zeros_like(shown[0], np.int32)
    for aspects in shown:
        seconds = np.where(aspects == YELLOW, seconds + 1, 0)
    return seconds


def faults_of(controller, shown):
    """Of an independent monitor that sees the whole display."""
    card = program_card(controller.network, protocol_by_name(controller.protocol.name).plan(controller.network).timing)
    watching = SignalMonitor(card)
    for aspects in shown:
        watching.watch(aspects)
    return watching.faults
