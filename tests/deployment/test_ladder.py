"""Laws of the ladder, whatever goes wrong and when: down at once, up one rung at a time, slowly, with a reason."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intergreen.agents.deployment.controller import BundleController, LadderSettings
from intergreen.agents.deployment.ladder import BACK_UP, RUNG_NAMES, Ladder, Needs, Rung

STEP_S = 5
HOLDS_S = st.sampled_from([0, 5, 12, 60])


@st.composite
def histories(draw, highest=Rung.FLASH):
    """For 2 replicas × 3 signals, step by step: the rung that something asks for, and the phase shown."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    steps, trouble = draw(st.integers(1, 60)), draw(st.floats(0.0, 0.5))
    asked = random.integers(1, highest + 1, (steps, 2, 3)) * (random.random((steps, 2, 3)) < trouble)
    phases = np.cumsum(random.random((steps, 2, 3)) < draw(st.floats(0.1, 1.0)), axis=0) % 4
    return asked.astype(np.int32), phases.astype(np.int32)


def climbed(hold_s, history):
    """(ladder, rungs before each step, rungs after it) of a history."""
    ladder, before, after = Ladder(2, 3, hold_s), [], []
    for k, (asked, phase) in enumerate(zip(*history, strict=True)):
        needs = Needs(2, 3)
        for rung in Rung:
            needs.ask((asked == rung) & (rung > 0), rung, f"asked for {rung.name}")
        before.append(ladder.rung.copy())
        after.append(ladder.step(needs, phase, k * STEP_S).copy())
    return ladder, np.array(before), np.array(after)


@given(HOLDS_S, histories())
def test_signal_is_never_above_what_it_needs_and_steps_down_at_once(hold_s, history):
    _, before, after = climbed(hold_s, history)
    asked, _ = history
    assert (after >= asked).all()
    down = asked > before
    assert (after[down] == asked[down]).all()
    assert (after[~down] <= before[~down]).all()


@given(HOLDS_S, histories())
def test_signal_climbs_one_rung_after_the_hold_time_when_its_phase_changes(hold_s, history):
    _, before, after = climbed(hold_s, history)
    asked, phases = history
    for k, b, i in np.argwhere(after < before).tolist():
        assert after[k, b, i] == before[k, b, i] - 1
        assert phases[k, b, i] != phases[k - 1, b, i]
        lately = [j for j in range(k + 1) if (k - j) * STEP_S < hold_s or j == k]
        mine = before[k, b, i]
        assert all(asked[j, b, i] < mine for j in lately)
        assert all(after[j, b, i] == mine for j in lately[:-1])  # and it has been on that rung for so long


@given(HOLDS_S, histories(highest=Rung.PROGRAMME))
def test_signal_does_climb_when_nothing_has_been_wrong_for_the_hold_time(hold_s, history):
    asked, phases = history
    quiet = np.zeros((3 * (hold_s // STEP_S + 3), 2, 3), np.int32)
    changing = np.broadcast_to(np.arange(len(quiet), dtype=np.int32)[:, None, None] % 2 + 10, quiet.shape)
    _, _, after = climbed(hold_s, (np.concatenate([asked, quiet]), np.concatenate([phases, changing])))
    assert (after[-1] == Rung.LEARNED).all()


@given(HOLDS_S, histories())
def test_flash_is_never_left(hold_s, history):
    _, _, after = climbed(hold_s, history)
    flashed = np.maximum.accumulate(after == Rung.FLASH, axis=0)
    assert (after[flashed] == Rung.FLASH).all()


@given(HOLDS_S, histories())
def test_log_tells_every_change_with_its_reason(hold_s, history):
    ladder, before, after = climbed(hold_s, history)
    changes = np.argwhere(after != before).tolist()
    assert [(one.time_s, one.replica, one.signal) for one in ladder.log] == [(k * STEP_S, b, i) for k, b, i in changes]
    for one, (k, b, i) in zip(ladder.log, changes, strict=True):
        assert (one.before, one.after) == (before[k, b, i], after[k, b, i])
        assert one.reason == (f"asked for {one.after.name}" if one.after > one.before else BACK_UP)


def test_lowest_need_counts_and_its_first_reason_is_told():
    needs, everywhere = Needs(1, 2), np.ones((1, 2), np.bool_)
    needs.ask(everywhere, Rung.ACTUATED, "first")
    needs.ask(np.array([[True, False]]), Rung.PROGRAMME, lambda b, i: f"{b}, {i}")
    needs.ask(everywhere, Rung.PROGRAMME, "last")
    needs.ask(~everywhere, Rung.FLASH, "nobody")
    assert needs.rung.tolist() == [[Rung.PROGRAMME, Rung.PROGRAMME]]
    assert [needs.reason(0, i) for i in (0, 1)] == ["0, 0", "last"]


def test_every_rung_has_a_name():
    assert set(RUNG_NAMES) == set(Rung)


@pytest.mark.parametrize(
    "wrong",
    [
        {"budget_s": 0.0}, {"budget_s": math.inf}, {"hold_s": -1}, {"least_detectors": 0.0}, {"margin": -0.1},
        {"unserved_cycles": math.nan}, {"shortest_cycle_s": -5}, {"overruled_share": math.nan}, {"overruled_s": 0},
    ],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match="need 0 < budget_s <= 3600"):
        LadderSettings(**wrong)


@pytest.mark.parametrize("missed_s", [0, 900])
def test_fixed_time_takes_over_only_when_max_pressure_had_its_two_cycles(bundle, missed_s):
    """The call stands through both rungs; each has `unserved_cycles` cycles to serve it, seconds missed not counted."""
    from intergreen.agents.controllers.base import Setup
    from intergreen.agents.deployment.runtime import lane_readings
    from intergreen.envs.observation import N_BINS
    from intergreen.envs.protocol import protocol_by_name
    from intergreen.envs.scenario import load_scenario
    from intergreen.envs.signals import SignalStatus

    network, protocol = load_scenario("single").network, protocol_by_name("us-mutcd-5")
    plan, controller = protocol.plan(network), BundleController(bundle)
    controller.start(Setup(network, plan, protocol, 1))
    unserved_s = float(controller._unserved_s[0])
    waiting = np.zeros(network.n_lanes)
    red_s = np.zeros((1, network.n_movements), np.int32)
    movement = 1
    waiting[network.start_lanes(movement)] = 1.0
    red_s[0, movement] = 1
    granted = np.ones((1, network.n_phases), np.uint8)
    zeros = np.zeros((1, 1), np.int32)
    for time_s in range(0, int(3 * unserved_s), 5):
        queue = waiting * (1 + time_s // 5 % 2)  # the queue moves: no detector is stuck
        readings = lane_readings(queue, queue, np.zeros((network.n_lanes, N_BINS)))
        clock_s = time_s + (missed_s if time_s >= 30 else 0)
        controller.decide(readings, SignalStatus(zeros, zeros, red_s, granted, zeros), clock_s)
    controller.close()
    assert [(one.before, one.after) for one in controller.log] == [
        (Rung.LEARNED, Rung.ACTUATED),
        (Rung.ACTUATED, Rung.PROGRAMME),
    ]
    first, second = controller.log
    assert unserved_s < first.time_s - missed_s <= unserved_s + 5
    assert unserved_s < second.time_s - first.time_s <= unserved_s + 5
    assert second.reason == "a call unserved for two cycles by actuated control too"
