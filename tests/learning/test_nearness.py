"""What a second lost on a lane counts for a signal: by the junctions between."""

from types import SimpleNamespace

import numpy as np

from intergreen.agents.learning.nearness import nearness


def row_of_junctions(n, *, cut=None):
    """Junctions 0..n - 1 with a road of two lanes each way between neighbours, but for the road behind `cut`."""
    pairs = [(k, k + 1) for k in range(n - 1) if k != cut]
    ends = np.array(pairs + [(b, a) for a, b in pairs])
    network = SimpleNamespace(
        n_intersections=n,
        road_from=ends[:, 0],
        road_to=ends[:, 1],
        lane_road=np.repeat(np.arange(len(ends)), 2),
    )
    return network, SimpleNamespace(intersection=np.arange(n))


def test_roads_count_in_full_up_to_the_next_junctions_own_and_half_for_each_beyond():
    network, plan = row_of_junctions(6)
    near = nearness(network, plan)
    assert near.shape == (6, 20)
    eastward = near[:, :10:2]  # from 0 to 1, 1 to 2, ...
    assert eastward[0].tolist() == [1.0, 1.0, 0.5, 0.25, 0.125]
    assert eastward[2].tolist() == [1.0, 1.0, 1.0, 1.0, 0.5]
    np.testing.assert_array_equal(near[:, :10], near[:, 10:])  # the way back
    np.testing.assert_array_equal(near[:, ::2], near[:, 1::2])  # both lanes


def test_roads_that_no_way_joins_with_the_signal_do_not_count():
    network, plan = row_of_junctions(5, cut=2)
    near = nearness(network, plan)[:, ::2]
    assert near[0].tolist() == [1.0, 1.0, 0.0] * 2
    assert near[4].tolist() == [0.0, 0.0, 1.0] * 2
