"""A network's fingerprint: equal for networks whose signals, movements and lanes are the same."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from intergreen.envs.network.road_network import RoadNetwork

_ARRAYS = (
    "is_virtual", "road_from", "road_to", "road_lane_start", "lane_length_m", "lane_speed_limit_mps",
    "movement_start", "movement_from_road", "movement_to_road", "movement_turn", "movement_link_start",
    "link_from_lane", "link_to_lane", "conflict_start", "conflict_with", "phase_start", "phase_movement_start",
    "phase_movements",
)  # fmt: skip


def fingerprint_of(network: RoadNetwork) -> str:
    """64 hexadecimal digits; names of roads and intersections count, the network's own name does not."""
    digest = hashlib.sha256()
    digest.update("\n".join((*network.intersection_ids, "", *network.road_ids)).encode())
    for name in _ARRAYS:
        array = np.asarray(getattr(network, name))
        digest.update(f"\n{name} {array.shape}\n".encode())
        digest.update(np.round(array.astype(np.float64), 6).tobytes())  # lengths may differ in the last digit
    if network.movement_turns_about.any():
        digest.update(b"\nmovement_turns_about\n" + network.movement_turns_about.tobytes())
    return digest.hexdigest()
