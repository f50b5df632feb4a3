"""An irregular town by seed: a lattice pulled out of shape, with streets missing, diagonals added, bends, and main and
side streets. Junctions have three, four or five legs."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from intergreen.envs.network.description import Point
from intergreen.envs.network.grid import MOST_SIGNALS, check_counts, check_sizes
from intergreen.envs.network.phases import LITERATURE_TIMING, Timing
from intergreen.envs.network.road_network import RoadNetwork
from intergreen.envs.network.streets import Node, Street, heading_deg, network_from_streets

FEWEST_LEGS, MOST_LEGS = 3, 5
NARROWEST_DEG = 38.0  # between neighbouring legs
EIGHT_WAYS = ((1, 0), (0, 1), (-1, 0), (0, -1), (1, 1), (-1, 1), (-1, -1), (1, -1))  # the number in road names
LANE_CHOICES, LANE_SHARES = (1, 2, 3), (0.35, 0.4, 0.25)
SPEED_MPS = {1: 8.333, 2: 11.111, 3: 13.889}  # 30, 40, 50 km/h

Place = tuple[int, ...]  # (x, y) of a junction; (x, y, way) of the end of the street that leaves town there


class _Edge(NamedTuple):
    here: Place
    there: Place
    way: int


@dataclass(frozen=True, slots=True)
class TownSpec:
    """A town of ``signals`` junctions; the shares are chances per street, the rest follows from the seed."""

    signals: int = 20
    spacing_m: float = 260.0
    disorder: float = 0.15  # junctions move by up to this share of the spacing, to each side
    missing_share: float = 0.2
    diagonal_share: float = 0.15
    bent_share: float = 0.3
    timing: Timing = LITERATURE_TIMING

    def __post_init__(self) -> None:
        check_counts(signals=self.signals)
        check_sizes(spacing_m=self.spacing_m)
        if self.signals > MOST_SIGNALS:
            raise ValueError(f"need signals <= {MOST_SIGNALS}, got {self.signals}")
        if self.spacing_m < 150:
            raise ValueError(f"need spacing_m >= 150, so that roads outlast their junctions, got {self.spacing_m}")
        if not 0 <= self.disorder <= 0.2:
            raise ValueError(f"need 0 <= disorder <= 0.2, got {self.disorder}")
        for name in ("missing_share", "diagonal_share", "bent_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"need 0 <= {name} <= 1, got {getattr(self, name)}")


def generate_town(spec: TownSpec, *, seed: int) -> RoadNetwork:
    """The town of the specification and the seed: the same for the same two."""
    random = np.random.default_rng(seed)
    columns = math.ceil(math.sqrt(spec.signals))
    junctions = [(1 + i % columns, 1 + i // columns) for i in range(spec.signals)]
    edges = _lattice_edges(junctions)
    places = dict.fromkeys((*junctions, *(edge.there for edge in edges)))
    position = {place: _position(place, spec, random) for place in places}
    edges = _thinned(edges, spec.missing_share, random)
    edges += _diagonals(edges, position, spec.diagonal_share, random)
    used = list(dict.fromkeys((*junctions, *(edge.there for edge in edges))))
    number = {place: i for i, place in enumerate(used)}
    nodes = [Node(_name("intersection", place), position[place]) for place in used]
    lanes = _lane_table(columns + 2, random)
    streets = [_street(edge, number, position, lanes, spec.bent_share, random) for edge in edges]
    return network_from_streets(f"town_{spec.signals}_seed{seed}", nodes, streets, spec.timing)


def _lattice_edges(junctions: Sequence[Place]) -> list[_Edge]:
    """Streets between neighbours, and one out of town wherever a junction has no neighbour."""
    inside = set(junctions)
    edges = []
    for here in junctions:
        for way in range(4):
            there = _neighbour(here, way)
            if there not in inside:
                edges.append(_Edge(here, (*here, way), way))
            elif way < 2:  # the other two are the neighbours' own
                edges.append(_Edge(here, there, way))
    return edges


def _neighbour(place: Place, way: int) -> Place:
    return place[0] + EIGHT_WAYS[way][0], place[1] + EIGHT_WAYS[way][1]


def _position(place: Place, spec: TownSpec, random: np.random.Generator) -> Point:
    x, y = (float(c) for c in place[:2])
    if len(place) == 3:  # out of town, nearer than a neighbour: two of them never meet in an inner corner
        x, y = x + 0.8 * EIGHT_WAYS[place[2]][0], y + 0.8 * EIGHT_WAYS[place[2]][1]
    x, y = (c + random.uniform(-spec.disorder, spec.disorder) for c in (x, y))
    return round(x * spec.spacing_m, 2), round(y * spec.spacing_m, 2)


def _thinned(edges: list[_Edge], share: float, random: np.random.Generator) -> list[_Edge]:
    """The streets without some of them; junctions keep three legs and the town stays in one piece."""
    legs = Counter(place for edge in edges for place in (edge.here, edge.there))
    order = [edges[i] for i in random.permutation(len(edges))]
    needed = _spanning_tree(order)
    gone = set()
    for edge, chance in zip(order, random.random(len(order)).tolist(), strict=True):
        ends = [place for place in (edge.here, edge.there) if len(place) == 2]
        if chance < share and edge not in needed and all(legs[place] > FEWEST_LEGS for place in ends):
            gone.add(edge)
            legs.subtract(ends)
    return [edge for edge in edges if edge not in gone]


def _spanning_tree(edges: Iterable[_Edge]) -> set[_Edge]:
    """Streets between junctions that are enough to connect them all."""
    root: dict[Place, Place] = {}

    def find(place: Place) -> Place:
        while root.setdefault(place, place) != place:
            place = root[place]
        return place

    tree = set()
    for edge in edges:
        a, b = find(edge.here), find(edge.there)
        if len(edge.there) == 2 and a != b:
            root[a] = b
            tree.add(edge)
    return tree


def _diagonals(
    edges: Iterable[_Edge], position: dict[Place, Point], share: float, random: np.random.Generator
) -> list[_Edge]:
    """Streets across a block, at most one each, where both ends have room for a fifth leg."""
    headings: dict[Place, list[float]] = {place: [] for place in position}
    for edge in edges:
        _note(edge, headings, position)
    added = []
    for here in [place for place in position if len(place) == 2]:
        chance, side = random.random(2)
        edge = _diagonal(here, 4 if side < 0.5 else 5)
        if chance < share and edge.here in position and edge.there in position and _fits(edge, headings, position):
            added.append(edge)
            _note(edge, headings, position)
    return added


def _diagonal(corner: Place, way: int) -> _Edge:
    """Across the block north-east of the corner: from it, or from its eastern neighbour."""
    here = corner if way == 4 else _neighbour(corner, 0)
    return _Edge(here, _neighbour(here, way), way)


def _note(edge: _Edge, headings: dict[Place, list[float]], position: dict[Place, Point]) -> None:
    headings[edge.here].append(heading_deg(position[edge.here], position[edge.there]))
    headings[edge.there].append(heading_deg(position[edge.there], position[edge.here]))


def _fits(edge: _Edge, headings: dict[Place, list[float]], position: dict[Place, Point]) -> bool:
    for here, there in ((edge.here, edge.there), (edge.there, edge.here)):
        heading = heading_deg(position[here], position[there])
        gaps = [abs((other - heading + 180.0) % 360.0 - 180.0) for other in headings[here]]
        if len(gaps) >= MOST_LEGS or min(gaps) < NARROWEST_DEG:
            return False
    return True


def _lane_table(size: int, random: np.random.Generator) -> list[list[int]]:
    """Lanes of the streets along each row (0) and each column (1): a main road stays one across town."""
    return [random.choice(LANE_CHOICES, size, p=LANE_SHARES).tolist() for _ in range(2)]


def _street(
    edge: _Edge, number: dict[Place, int], position: dict[Place, Point], lanes: list[list[int]],
    bent_share: float, random: np.random.Generator,
) -> Street:  # fmt: skip
    n = 1 if edge.way >= 4 else lanes[0][edge.here[1]] if edge.way % 2 == 0 else lanes[1][edge.here[0]]
    back = EIGHT_WAYS.index((-EIGHT_WAYS[edge.way][0], -EIGHT_WAYS[edge.way][1]))
    chance, bow = random.random(), random.uniform(-0.06, 0.06)
    via = (_bend(position[edge.here], position[edge.there], bow),) if chance < bent_share else ()
    there_id = _name("road", (*edge.here, edge.way))
    return Street(
        number[edge.here], number[edge.there], there_id, _name("road", (*edge.there[:2], back)) if len(edge.there) == 2
        else f"{there_id}_in", n, SPEED_MPS[n], via=via,
    )  # fmt: skip


def _bend(a: Point, b: Point, bow: float) -> Point:
    """Half-way from a to b, and ``bow`` of the way to the side."""
    return round((a[0] + b[0]) / 2 - bow * (b[1] - a[1]), 2), round((a[1] + b[1]) / 2 + bow * (b[0] - a[0]), 2)


def _name(kind: str, place: Sequence[int]) -> str:
    return "_".join((kind, *map(str, place)))
