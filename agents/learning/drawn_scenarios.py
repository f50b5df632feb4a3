"""Generated networks with generated demand, as different as the seed makes them.

Streets of our own generators with CityFlow's drivers, or streets of SUMO's with SUMO's. Nothing here knows a
benchmark's network or trips.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from intergreen.agents.learning.drawn_demand import draw_demand, draw_profile
from intergreen.agents.learning.drawn_networks import draw_network
from intergreen.agents.learning.drawn_sumo import draw_sumo_driver, draw_sumo_network
from intergreen.envs.demand import MIXED_TRAFFIC, ClassMix
from intergreen.envs.scenario import Scenario

if TYPE_CHECKING:
    import numpy as np

DEFAULT_PROTOCOL = "literature-10-5"
EVENLY = 0.4  # of the scenarios: every route's trips come at even intervals, as in most of the literature's files


def draw_scenario(
    random: np.random.Generator, horizon_s: int, *, alone: bool = False, from_sumo: float = 0.0
) -> Scenario:
    """A generated network with generated demand, far more of it than any signal serves.

    alone      a single junction instead of a network of any size
    from_sumo  chance of a network with SUMO's streets, rules and drivers; half of it for a junction alone

    Raises
    ------
    InputError, ValueError
        If these draws make no network, or one on which nobody drives; or SUMO is needed and not installed.
    """
    is_sumo = from_sumo > 0.0 and random.random() < (from_sumo / 2.0 if alone else from_sumo)
    network = draw_sumo_network(random, alone=alone) if is_sumo else draw_network(random, alone=alone)
    profile = draw_profile(random, horizon_s)
    if is_sumo:
        mix = ClassMix((draw_sumo_driver(random, network),))
    else:
        mix = MIXED_TRAFFIC if random.random() < 0.15 else ClassMix()
    demand = draw_demand(random, network, horizon_s, profile, mix)
    evenly = random.spawn(1)[0].random() < EVENLY  # whatever it is, the rest of the world is drawn as without
    return Scenario(network.name, network, demand, horizon_s, False, DEFAULT_PROTOCOL, profile, evenly=evenly)
