"""Who has green and must give way all the same: turns across others who have green too and go first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from intergreen.envs.arrays import IntArray
    from intergreen.envs.network import RoadNetwork


def goes_second(network: RoadNetwork) -> tuple[IntArray, IntArray]:
    """Pairs of movements from two roads of which the first gives way where their paths meet, each pair once."""
    link = np.repeat(np.arange(network.n_links, dtype=np.int32), np.diff(network.crossing_start))
    foe = network.crossing_foe_link
    road = network.movement_from_road[network.link_movement]
    changes_lane = network.link_changes_lane[link] | network.link_changes_lane[foe]  # the yielding is another's
    loses = (network.crossing_right < 0) & (road[link] != road[foe]) & ~changes_lane
    pairs = (
        network.link_movement[link[loses]].astype(np.int64) * network.n_movements + network.link_movement[foe[loses]]
    )
    second, first = np.divmod(np.unique(pairs), network.n_movements)
    return second.astype(np.int32), first.astype(np.int32)
