"""States of the shield to try it with."""

import numpy as np

from intergreen.envs.signals import shield


def equal_states(network, plan, random):
    """Two equal states of one replica with a random beginning."""
    first = random.integers(-1, 4, (1, plan.n_signals)).astype(np.int32)
    states = []
    for _ in range(2):
        state = shield.signal_state(plan, network, 1)
        shield.start(first, plan.rules, state)
        states.append(shield.replica_state(state, 0))
    return states
