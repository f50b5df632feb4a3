"""Writes a network as SUMO's plain XML (nodes, edges, connections), for `netconvert` to turn into a `.net.xml`.

Signals keep their place but get netconvert's own program: phases are ours to time, not SUMO's. Drivers in SUMO change
lanes along a road, so a lane is connected to one lane of each road that it leads to, and not to all of them: paths side
by side would cross, and drivers wait for each other.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from intergreen.envs.arrays import IntArray
from intergreen.envs.network.road_network import TURN_LEFT, TURN_RIGHT, RoadNetwork

_HEADS = {"nod": "nodes", "edg": "edges", "con": "connections"}


def write_sumo_plain(network: RoadNetwork, folder: Path) -> dict[str, Path]:
    """Write `network.nod.xml`, `.edg.xml` and `.con.xml` to `folder`; returns their paths by kind."""
    trees = {kind: ElementTree.Element(head) for kind, head in _HEADS.items()}
    signalled = set(network.signalled.tolist())
    for j, name in enumerate(network.intersection_ids):
        x, y = network.intersection_xy[j].tolist()
        kind = "traffic_light" if j in signalled else "priority"
        ElementTree.SubElement(trees["nod"], "node", id=name, x=f"{x}", y=f"{y}", type=kind)
    lanes = np.diff(network.road_lane_start)
    for r, name in enumerate(network.road_ids):
        limits = network.lane_speed_limit_mps[network.road_lane_start[r] : network.road_lane_start[r + 1]].tolist()
        edge = ElementTree.SubElement(
            trees["edg"],
            "edge",
            {
                "id": name,
                "from": network.intersection_ids[network.road_from[r]],
                "to": network.intersection_ids[network.road_to[r]],
                "numLanes": f"{lanes[r]}",
                "speed": f"{limits[0]}",
                "length": f"{network.road_length_m[r]}",
            },
        )
        for from_the_left, limit in enumerate(limits):
            if limit != limits[0]:
                index = lanes[r] - 1 - from_the_left
                ElementTree.SubElement(edge, "lane", index=f"{index}", speed=f"{limit}")
    for k in side_by_side(network).tolist():
        begin, end = int(network.link_from_lane[k]), int(network.link_to_lane[k])
        ElementTree.SubElement(
            trees["con"],
            "connection",
            {
                "from": network.road_ids[network.lane_road[begin]],
                "to": network.road_ids[network.lane_road[end]],
                "fromLane": f"{_from_the_right(network, lanes, begin)}",
                "toLane": f"{_from_the_right(network, lanes, end)}",
            },
        )
    for first, other in goes_first(network):
        names = {"prohibitor": _edges(network, first), "prohibited": _edges(network, other)}
        ElementTree.SubElement(trees["con"], "prohibition", names)
    paths = {kind: folder / f"network.{kind}.xml" for kind in trees}
    for kind, tree in trees.items():
        ElementTree.ElementTree(tree).write(paths[kind])
    return paths


def side_by_side(network: RoadNetwork) -> IntArray:
    """Links of which each lane has one to every road that it leads to, the lanes of a movement in their order.

    Right turns lead to the rightmost lanes, left turns to the leftmost, other movements to those of the same number.
    """
    chosen = []
    for m in range(network.n_movements):
        links = np.arange(*network.movement_link_start[m : m + 2])
        lanes = network.start_lanes(m)
        if not len(lanes):
            continue
        first = int(network.road_lane_start[network.movement_to_road[m]])
        n_to = int(network.road_lane_start[network.movement_to_road[m] + 1]) - first
        aim = {
            TURN_LEFT: np.arange(len(lanes)),
            TURN_RIGHT: np.arange(n_to - len(lanes), n_to),
        }.get(
            int(network.movement_turn[m]), network.lane_index[lanes] + min(0, n_to - 1 - network.lane_index[lanes[-1]])
        )
        for lane, target in zip(lanes.tolist(), np.clip(aim, 0, n_to - 1).tolist(), strict=True):
            mine = links[network.link_from_lane[links] == lane]
            off = np.abs(network.link_to_lane[mine] - first - target)
            chosen.append(int(mine[off.argmin()]))
    return np.array(sorted(chosen), np.int32)


def goes_first(network: RoadNetwork) -> list[tuple[int, int]]:
    """Pairs of movements that cross of which the first has the right of way over the other."""
    link = np.repeat(np.arange(network.n_links), np.diff(network.crossing_start))
    wins = network.crossing_right > 0
    first, other = network.link_movement[link[wins]], network.link_movement[network.crossing_foe_link[wins]]
    return sorted(set(zip(first.tolist(), other.tolist(), strict=True)))


def convert_plain(plain: dict[str, Path], net: Path, netconvert: Path) -> None:
    """Let `netconvert` make the ``.net.xml`` at `net` of what `write_sumo_plain` wrote.

    Raises
    ------
    RuntimeError
        If it refuses, with its words.
    """
    command = [netconvert, "-n", plain["nod"], "-e", plain["edg"], "-x", plain["con"], "-o", net, "--no-turnarounds"]
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise RuntimeError(f"netconvert failed: {result.stderr.strip()}")


def _edges(network: RoadNetwork, movement: int) -> str:
    """A movement as netconvert names it."""
    ends = network.movement_from_road[movement], network.movement_to_road[movement]
    return "->".join(network.road_ids[road] for road in ends)


def _from_the_right(network: RoadNetwork, lanes: np.ndarray, lane: int) -> int:
    """SUMO numbers the lanes of an edge from the right, we from the left."""
    return int(lanes[network.lane_road[lane]] - 1 - network.lane_index[lane])
