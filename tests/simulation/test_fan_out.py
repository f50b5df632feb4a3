"""How many take another link than the one ahead: by hand on networks where it can be told."""

import pytest

from intergreen.envs.scenario import load_scenario
from intergreen.envs.simulation.fan_out import fan_out_share


def test_where_every_lane_has_one_way_on_nobody_fans_out():
    scenario = load_scenario("single")
    assert fan_out_share(scenario.network, scenario.demand) == 0.0


@pytest.mark.parametrize("name", ["arterial6", "grid4x4", "town"])
def test_where_lanes_are_shared_or_chosen_in_the_junction_some_do(name):
    scenario = load_scenario(name)
    assert 0.1 < fan_out_share(scenario.network, scenario.demand) < 0.6
