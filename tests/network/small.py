"""A crossroads with two lanes a road, small enough to read and with one of everything: bends, paths with and without
points, movements of all kinds, a signal. As the content of CityFlow's files."""

import copy
import json
from pathlib import Path
from typing import Any

ENDS = {"W": (-100.0, 0.0), "S": (0.0, -120.0), "E": (110.0, 8.0), "N": (-5.0, 130.0)}  # anticlockwise from the west
BENDS = {"W": (), "S": ((3.0, -60.0),), "E": (), "N": ((4.0, 50.0), (-6.0, 90.0))}  # from the centre outwards
TURNS = ("turn_right", "go_straight", "turn_left")  # to the next end anticlockwise, the one after, the third
PATH = [(-7.0, -2.0), (-3.0, -2.5), (0.0, -5.0), (-1.0, -9.0)]
VEHICLE = {
    "length": 5.0, "width": 2.0, "maxPosAcc": 2.0, "maxNegAcc": 4.5, "usualPosAcc": 2.0, "usualNegAcc": 4.5,
    "minGap": 2.5, "maxSpeed": 11.111, "headwayTime": 2,
}  # fmt: skip
BUS = VEHICLE | {"length": 12.0}


def crossroads() -> dict[str, Any]:
    """roadnet.json: roads in_W, out_W, ... at the intersection "c"; new on every call."""
    roads = [road for end in ENDS for road in (_road(end, f"in_{end}"), _road(end, f"out_{end}"))]
    return copy.deepcopy({"intersections": [_centre(), *map(_end, ENDS)], "roads": roads})


def unsignalled() -> dict[str, Any]:
    """roadnet.json of the same crossroads without a phase to choose; new on every call."""
    roadnet = crossroads()
    for intersection in roadnet["intersections"]:
        intersection.get("trafficLight", {})["lightphases"] = []
    return roadnet


def flows() -> list[dict[str, Any]]:
    """flow.json: three flows; new on every call."""
    return [
        {"vehicle": dict(VEHICLE), "route": ["in_W", "out_E"], "interval": 2.5, "startTime": 0, "endTime": -1},
        {"vehicle": dict(VEHICLE), "route": ["in_N", "out_W"], "interval": 1.0, "startTime": 7, "endTime": 7},
        {"vehicle": BUS, "route": ["in_S", "out_N"], "interval": 30, "startTime": 5, "endTime": 95},
    ]


def write(folder: Path, *, roadnet: Any = None, flow: Any = None) -> Path:
    """The folder with both files in it."""
    (folder / "roadnet.json").write_text(json.dumps(crossroads() if roadnet is None else roadnet), "utf-8")
    (folder / "flow.json").write_text(json.dumps(flows() if flow is None else flow), "utf-8")
    return folder


def _point(xy: tuple[float, float]) -> dict[str, float]:
    return {"x": xy[0], "y": xy[1]}


def _road(end: str, name: str) -> dict[str, Any]:
    outwards = [(0.0, 0.0), *BENDS[end], ENDS[end]]
    inwards = name.startswith("in")
    return {
        "id": name,
        "points": [_point(p) for p in (outwards[::-1] if inwards else outwards)],
        "lanes": [{"width": 3.5, "maxSpeed": 11.111}, {"width": 4.0, "maxSpeed": 13.9}],
        "startIntersection": end if inwards else "c",
        "endIntersection": "c" if inwards else end,
    }


def _centre() -> dict[str, Any]:
    links = [
        _movement(a, b, turn) for i, a in enumerate(ENDS) for turn, b in zip(TURNS, _others(i), strict=True)
    ]  # three per end: right, straight, left
    phases = [(5, [0, 3, 6, 9]), (30, [0, 1, 6, 7, 3, 9]), (30, [3, 4, 9, 10, 0, 6]), (20, [2, 8]), (20, [5, 11])]
    return {
        "id": "c",
        "point": _point((0.0, 0.0)),
        "width": 8,
        "roads": [name for end in ENDS for name in (f"in_{end}", f"out_{end}")],
        "roadLinks": links,
        "trafficLight": {
            "roadLinkIndices": list(range(12)),
            "lightphases": [{"time": time, "availableRoadLinks": greens} for time, greens in phases],
        },
        "virtual": False,
    }


def _others(i: int) -> list[str]:
    ends = list(ENDS)
    return [ends[(i + step) % 4] for step in (1, 2, 3)]


def _movement(start: str, end: str, turn: str) -> dict[str, Any]:
    lane = 0 if turn == "turn_left" else 1
    links: list[dict[str, Any]] = [{"startLaneIndex": lane, "endLaneIndex": k, "points": []} for k in (0, 1)]
    if (start, end) == ("W", "S"):
        links[0]["points"] = [_point(p) for p in PATH]
        del links[1]["points"]
    return {"type": turn, "startRoad": f"in_{start}", "endRoad": f"out_{end}", "direction": 0, "laneLinks": links}


def _end(end: str) -> dict[str, Any]:
    return {"id": end, "point": _point(ENDS[end]), "width": 0, "roads": [f"in_{end}", f"out_{end}"], "virtual": True}
