"""Networks of netgenerate's: read, repeatable, refused in words."""

from importlib.util import find_spec

import numpy as np
import pytest

from intergreen.envs.errors import InputError
from intergreen.envs.network.sumo_generated import generate_sumo_network

pytestmark = pytest.mark.skipif(find_spec("sumo") is None, reason='no SUMO here: pip install "intergreen[sumo]"')

GRID = {"grid": True, "grid.x-number": 2, "grid.y-number": 1, "grid.length": 150, "grid.attach-length": 100}
SIGNALS = {"default.junctions.type": "traffic_light", "no-turnarounds": True}


def made(seed=0, **options):
    from intergreen.envs.sumo_net_file import sumo_program

    return generate_sumo_network("small", options, netgenerate=sumo_program("netgenerate"), seed=seed)


def test_grid_has_its_signals_lengths_and_lanes():
    network = made(**GRID, **SIGNALS, **{"default.lanenumber": 2})
    assert network.name == "small"
    assert network.conventions == "sumo"
    assert len(network.signalled) == 2
    assert set(np.diff(network.road_lane_start).tolist()) == {2}
    between = [r for r, (a, b) in enumerate(zip(network.road_from, network.road_to, strict=True))
               if {int(a), int(b)} == set(network.signalled.tolist())]  # fmt: skip
    assert len(between) == 2
    assert all(100 < network.road_length_m[r] < 150 for r in between)  # the junctions' areas are not road


def test_same_seed_makes_the_same_network_and_another_another():
    streets = {"rand": True, "rand.iterations": 8, **SIGNALS}
    first, again, other = (made(seed, **streets) for seed in (1, 1, 2))
    assert first.road_ids == again.road_ids
    np.testing.assert_array_equal(first.lane_points, again.lane_points)
    assert first.lane_points.shape != other.lane_points.shape or not np.array_equal(
        first.lane_points, other.lane_points
    )


def test_option_that_netgenerate_does_not_know_is_refused_with_its_words():
    with pytest.raises(ValueError, match=r"netgenerate failed: .*no-such-option"):
        made(**GRID, **{"no-such-option": 1})


def test_network_without_signals_is_refused():
    with pytest.raises(InputError, match="small: no junction has a signal"):
        made(**GRID)
