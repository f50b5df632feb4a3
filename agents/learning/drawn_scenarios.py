"""Generated networks with generated demand, as different as the seed makes them.

Nothing here knows a benchmark's network or trips.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from intergreen.agents.learning.drawn_demand import draw_demand, draw_profile
from intergreen.agents.learning.drawn_networks import draw_network
from intergreen.envs.demand import MIXED_TRAFFIC, ClassMix
from intergreen.envs.scenario import Scenario

if TYPE_CHECKING:
    import numpy as np

DEFAULT_PROTOCOL = "literature-10-5"


def draw_scenario(random: np.random.Generator, horizon_s: int, *, alone: bool = False) -> Scenario:
    """A generated network with generated demand, far more of it than any signal serves.

    alone  a single junction instead of a network of any size

    Raises
    ------
    InputError, ValueError
        If these draws make no network, or one on which nobody drives.
    """
    network = draw_network(random, alone=alone)
    profile = draw_profile(random, horizon_s)
    mix = MIXED_TRAFFIC if random.random() < 0.15 else ClassMix()
    demand = draw_demand(random, network, horizon_s, profile, mix)
    return Scenario(network.name, network, demand, horizon_s, False, DEFAULT_PROTOCOL, profile)
