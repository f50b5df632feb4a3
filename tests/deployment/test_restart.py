"""A runtime that takes over from another, which stopped at any second, does not know what was green: it begins in red
for as long as any clearance of the network takes, and no conflicting green comes sooner than it may."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intergreen.agents.deployment.runtime import SignalController, lane_readings
from intergreen.envs.errors import InputError
from intergreen.envs.observation import N_BINS
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import load_scenario
from intergreen.envs.signals.aspects import GREEN
from intergreen.envs.signals.card import program_card

NETWORKS = {name: load_scenario(name).network for name in ("single", "town")}
PROTOCOLS = ("us-mutcd-5", "de-rilsa-5", "literature-10-5")


def display(controller, random, second):
    waiting = random.integers(0, 4, controller.network.n_lanes)
    return controller.step(lane_readings(waiting, waiting, np.zeros((len(waiting), N_BINS))), second)


@settings(max_examples=15)
@given(
    name=st.sampled_from(sorted(NETWORKS)),
    protocol=st.sampled_from(PROTOCOLS),
    stops_at=st.integers(1, 120),
    seed=st.integers(0, 2**32 - 1),
)
def test_no_green_begins_before_that_of_the_controller_before_is_cleared(bundle_folder, name, protocol, stops_at, seed):
    random = np.random.default_rng(seed)
    former, new = (SignalController.load(bundle_folder, NETWORKS[name], protocol=protocol) for _ in range(2))
    last = [display(former, random, second) for second in range(stops_at)][-1]
    card = program_card(new.network, new.plan.timing)
    too_soon = []
    begun = np.zeros(len(last), np.bool_)
    for second in range(30):
        is_green = display(new, random, stops_at + second) == GREEN
        for i, (start, past) in enumerate(zip(card.channel_start[:-1], card.channel_start[1:], strict=True)):
            n, at = past - start, card.matrix_start[i]
            conflicts = card.permissive[at : at + n * n].reshape(n, n) == 0
            clearance = card.clearance_before[at : at + n * n].reshape(n, n).T
            channels = card.channel[start:past]
            was_green, begins = last[channels] == GREEN, is_green[channels] & ~begun[channels]
            bad = conflicts & was_green[:, None] & begins & (clearance > second)
            too_soon += [(second, int(a), int(b)) for a, b in np.argwhere(bad)]
        begun |= is_green
    assert too_soon == []
    assert begun[card.channel].any()
    for controller in (former, new):
        controller.close()


@pytest.mark.parametrize("red", [-1, 2.5, float("nan"), "6", True])
def test_red_that_is_no_whole_seconds_is_one_line(bundle_folder, red):
    with pytest.raises(InputError, match=r"red_first_s: is .*, no whole seconds; give 0 or more, or None"):
        SignalController.load(bundle_folder, NETWORKS["single"], red_first_s=red)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_red_lasts_as_long_as_the_longest_clearance_or_as_asked(bundle_folder, protocol):
    network = NETWORKS["town"]
    timing = protocol_by_name(protocol).plan(network).timing
    longest_s = int(program_card(network, timing).clearance_before.max())

    def seconds_of_red(**red):
        controller = SignalController.load(bundle_folder, network, protocol=protocol, **red)
        random = np.random.default_rng(0)
        at_signals = program_card(network, timing).channel
        shown = [display(controller, random, second)[at_signals] for second in range(60)]
        controller.close()
        return next(second for second, aspects in enumerate(shown) if (aspects == GREEN).any())

    own_s = seconds_of_red(red_first_s=0)
    assert seconds_of_red() == max(own_s, longest_s)
    assert seconds_of_red(red_first_s=20) == own_s + 20
