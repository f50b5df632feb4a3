"""States of the shield to try it with, and what holds of the monitor's whatever was watched."""

from itertools import pairwise

import numpy as np

from intergreen.envs.signals import monitor, shield
from intergreen.envs.signals.state import replica_state, signal_state


def equal_states(network, plan, random):
    """Two equal states of one replica with a random beginning."""
    first = random.integers(-1, 4, (1, plan.n_signals)).astype(np.int32)
    states = []
    for _ in range(2):
        state = signal_state(plan, network, 1)
        shield.start(first, plan.rules, state)
        states.append(replica_state(state, 0))
    return states


def assert_looks_in_time(card, state):
    """The next look at each signal comes when something will have lasted too long, or before."""
    for i, (first, past) in enumerate(pairwise(card.channel_start.tolist())):
        assert state.next_check[i] <= monitor.soonest(first, past, int(state.tick[0]), card, state), i
