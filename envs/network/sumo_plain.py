"""Writes a network as SUMO's plain XML (nodes, edges, connections), for `netconvert` to turn into a `.net.xml`.

Signals keep their place but get netconvert's own program: phases are ours to time, not SUMO's.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from intergreen.envs.network.road_network import RoadNetwork

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
        ElementTree.SubElement(
            trees["edg"],
            "edge",
            {
                "id": name,
                "from": network.intersection_ids[network.road_from[r]],
                "to": network.intersection_ids[network.road_to[r]],
                "numLanes": f"{lanes[r]}",
                "speed": f"{network.lane_speed_limit_mps[network.road_lane_start[r]]}",
            },
        )
    for k in range(network.n_links):
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
    paths = {kind: folder / f"network.{kind}.xml" for kind in trees}
    for kind, tree in trees.items():
        ElementTree.ElementTree(tree).write(paths[kind])
    return paths


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


def _from_the_right(network: RoadNetwork, lanes: np.ndarray, lane: int) -> int:
    """SUMO numbers the lanes of an edge from the right, we from the left."""
    return int(lanes[network.lane_road[lane]] - 1 - network.lane_index[lane])
