"""The geometry of a small CityFlow network in slow, plain Python, from the specification and not from the kernels."""

from itertools import pairwise
from math import sqrt
from typing import Any, NamedTuple


class V(NamedTuple):
    x: float
    y: float

    def __add__(self, other):
        return V(self.x + other.x, self.y + other.y)

    def __sub__(self, other):
        return V(self.x - other.x, self.y - other.y)

    def __mul__(self, k):
        return V(self.x * k, self.y * k)

    def length(self):
        return sqrt(self.x * self.x + self.y * self.y)

    def unit(self):
        return V(self.x / self.length(), self.y / self.length())

    def right(self):
        normal = V(-self.y, self.x)
        return V(-normal.x, -normal.y)


def points_of(listed: list[dict[str, float]]) -> list[V]:
    return [V(float(p["x"]), float(p["y"])) for p in listed]


def length(points: list[V]) -> float:
    total = 0.0
    for a, b in pairwise(points):
        total += (b - a).length()
    return total


def lanes(roadnet: dict[str, Any]) -> dict[tuple[str, int], list[V]]:
    places = {place["id"]: place for place in roadnet["intersections"]}
    found = {}
    for road in roadnet["roads"]:
        p = points_of(road["points"])
        start, end = places[road["startIntersection"]], places[road["endIntersection"]]
        if not start["virtual"]:
            p[0] = p[0] + (p[1] - p[0]).unit() * start["width"]
        if not end["virtual"]:
            p[-1] = p[-1] - (p[-1] - p[-2]).unit() * end["width"]
        left = 0.0
        for k, lane in enumerate(road["lanes"]):
            offset = (left + (left + lane["width"])) / 2.0
            found[road["id"], k] = [point + heading(p, i).right() * offset for i, point in enumerate(p)]
            left += lane["width"]
    return found


def heading(p: list[V], i: int) -> V:
    if i == 0:
        return (p[1] - p[0]).unit()
    if i == len(p) - 1:
        return (p[i] - p[i - 1]).unit()
    return ((p[i + 1] - p[i]).unit() + (p[i] - p[i - 1]).unit()).unit()


def point_at(points: list[V], distance: float) -> V:
    distance = min(max(distance, 0.0), length(points))
    if distance <= 0.0:
        return points[0]
    for a, b in pairwise(points):
        step = (b - a).length()
        if distance <= step:
            return a + (b - a) * (distance / step)
        distance -= step
    return points[-1]


def direction_at(points: list[V], distance: float) -> V:
    for a, b in pairwise(points):
        step = (b - a).length()
        if distance < step:
            return (b - a).unit()
        distance -= step
    return (points[-1] - points[-2]).unit()


def curve(start_lane: list[V], end_lane: list[V], width: float) -> list[V]:
    reach = length(start_lane) - width
    start, end = point_at(start_lane, reach), point_at(end_lane, width)
    out, into = direction_at(start_lane, reach), direction_at(end_lane, width)
    distance = (end - start).length()
    first, second = out * distance * 0.5, V(-into.x, -into.y) * distance * 0.5
    if first.x * first.x + first.y * first.y < 25.0 and width >= 5.0:
        first = out * 5.0
    if second.x * second.x + second.y * second.y < 25.0 and width >= 5.0:
        second = into * 5.0
    control = [start, start + first, end + second, end]
    return [between(control, i / 10.0) for i in range(11)]


def between(points: list[V], t: float) -> V:
    while len(points) > 1:
        points = [(b - a) * t + a for a, b in pairwise(points)]
    return points[0]


def paths(place: dict[str, Any], lane_points: dict[tuple[str, int], list[V]]) -> list[list[V]]:
    return [
        points_of(link.get("points", []))
        or curve(
            lane_points[movement["startRoad"], link["startLaneIndex"]],
            lane_points[movement["endRoad"], link["endLaneIndex"]],
            float(place["width"]),
        )
        for movement in place.get("roadLinks", [])
        for link in movement["laneLinks"]
    ]


def crossings(paths: list[list[V]]) -> list[list[tuple[float, int, float]]]:
    """For each path, (own distance, other path, other distance), by own distance."""
    found: list[list[tuple[float, int, float]]] = [[] for _ in paths]
    for i, a in enumerate(paths):
        for j in range(i + 1, len(paths)):
            hit = first_crossing(a, paths[j])
            if hit:
                found[i].append((hit[0], j, hit[1]))
                found[j].append((hit[1], i, hit[0]))
    return [sorted(each, key=lambda crossing: crossing[0]) for each in found]


def first_crossing(a: list[V], b: list[V]) -> tuple[float, float] | None:
    along_a = 0.0
    for a1, a2 in pairwise(a):
        along_b = 0.0
        for b1, b2 in pairwise(b):
            u, v = a2 - a1, b2 - b1
            if sign(cross(u, v)) == 0:
                continue
            p = a1 + u * (cross(b1 - a1, v) / cross(u, v))
            if lies_on(a1, a2, p) and lies_on(b1, b2, p):
                return along_a + (p - a1).length(), along_b + (p - b1).length()
            along_b += v.length()
        along_a += (a2 - a1).length()
    return None


def cross(u: V, v: V) -> float:
    return u.x * v.y - u.y * v.x


def lies_on(a: V, b: V, p: V) -> bool:
    return sign(cross(b - a, p - a)) == 0 and sign((p - a).x * (p - b).x + (p - a).y * (p - b).y) <= 0


def sign(x: float) -> int:
    return (x + 1e-8 > 0) - (x < 1e-8)
