"""The shield comes to a signal only where something may change; all else is as if it came to all in every second."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signals.states import equal_states
from signals.test_mutations import rewritten

from intergreen.envs.compiled_signals import compiled_shield
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import load_scenario
from intergreen.envs.signals import shield
from intergreen.envs.signals.aspects import GREEN
from intergreen.envs.signals.state import NO_PHASE, SignalState, replica_state, signal_state

PROTOCOLS = ("literature-10-5", "literature-5-2", "us-mutcd-5", "de-rilsa-5", "cn-gb-5")
NETWORKS = ("single", "arterial6")  # one part of a row of calls, and several
NOTES = ("due", "least", "rests", "call_due")  # when to come to a signal

stories = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 2**32 - 1),
        "call_share": st.sampled_from([0.0, 0.002, 0.02, 0.3, 1.0]),  # of movements somebody comes to in a second
        "gone_share": st.sampled_from([0.0, 0.02, 0.5]),  # of callers that leave without having had green
        "wish_share": st.sampled_from([0.0, 0.1, 1.0]),  # of signals that get another wish
        "interval_s": st.sampled_from([1, 5, 13, 90]),
    }
)


@lru_cache
def restless():
    """The shield that comes to every signal in every second."""
    return rewritten(shield, ("    return is_due | (", "    return True | is_due | ("))


@pytest.mark.parametrize("network_name", NETWORKS)
@pytest.mark.parametrize("protocol", PROTOCOLS)
@settings(max_examples=8)
@given(story=stories)
def test_signals_passed_over_show_what_they_show_if_come_to_in_every_second(network_name, protocol, story):
    network = load_scenario(network_name).network
    plan = protocol_by_name(protocol).plan(network)
    random = np.random.default_rng(story["seed"])
    states = equal_states(network, plan, random)
    greens = np.zeros((2, network.n_movements), np.uint8)
    shields = compiled_shield(), {"request": restless().request, "tick": restless().tick}
    calls, wanted = np.zeros(network.n_movements, np.uint8), np.full(plan.n_signals, NO_PHASE, np.int32)
    for second in range(160):
        calls[random.random(len(calls)) < story["call_share"]] = 1
        calls[random.random(len(calls)) < story["gone_share"]] = 0
        changes = random.random(plan.n_signals) < story["wish_share"]
        wanted = np.where(changes, random.integers(-2, 9, plan.n_signals), wanted).astype(np.int32)
        for one, state, green in zip(shields, states, greens, strict=True):
            if second % story["interval_s"] == 0:
                one["request"](wanted, plan.rules, state)
            one["tick"](plan.rules, state, calls, green)
        calls[states[0].aspects == GREEN] = 0
        for name in SignalState._fields:
            if name not in NOTES:
                assert getattr(states[0], name).tolist() == getattr(states[1], name).tolist(), (second, name)
        assert greens[0].tolist() == greens[1].tolist()


@pytest.mark.parametrize("comes_back", [False, True])
def test_longest_green_ends_for_who_called_went_and_calls_again_and_for_nobody_else(comes_back):
    """The shield has to hear that somebody went."""
    stays, ends = [run_beyond_longest_green(one, comes_back=comes_back) for one in (deaf(), shield)]
    assert not stays
    assert ends == comes_back


@lru_cache
def deaf():
    """The shield to which nobody begins to call who has called before."""
    return rewritten(
        shield, ("is_news = calls[m] == state.news[m]", "is_news = (calls[m] == state.news[m]) & (calls[m] != 0)")
    )


def run_beyond_longest_green(one, *, comes_back: bool) -> bool:
    """Is the first green over, some seconds after its longest?"""
    network = load_scenario("single").network
    rules = protocol_by_name("us-mutcd-5").plan(network).rules
    state = signal_state(protocol_by_name("us-mutcd-5").plan(network), network, 1)
    one.start(np.array([[1]], np.int32), rules, state)
    state = replica_state(state, 0)
    calls, green = np.zeros(network.n_movements, np.uint8), np.zeros(network.n_movements, np.uint8)
    begins_s = int(rules.transition[1])
    beyond_s = begins_s + int(rules.max_green[1]) + 3
    for second in range(beyond_s + 2):
        if second == begins_s + 2:
            caller = int(np.flatnonzero(state.aspects != GREEN)[-1])
        calls[:] = 0
        if second == begins_s + 3 or (comes_back and second >= beyond_s):
            calls[caller] = 1
        one.tick(rules, state, calls, green)
        assert state.phase[0] == 1 or second < begins_s
    return bool(state.left[0] > 0)
