"""A made-up city as OpenStreetMap has them, and what SUMO's web wizard makes of it.

A crooked grid with a main street of two carriageways, streets of every rank, one-way streets, signals drawn on the
junction or on the way before it, turn lanes, forbidden turns and bus lanes. `netconvert` joins the junctions, gives
them programmes, and puts a turnaround at nearly every approach.
"""

import math
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from intergreen.envs.network import read_sumo_network

Place = tuple[int, int]  # column and row; one beyond the outermost is out of town

M_PER_DEGREE = 111_320.0
WIZARD = (
    "--geometry.remove --roundabouts.guess --ramps.guess --junctions.join --tls.guess-signals --tls.discard-simple"
    " --tls.join --junctions.corner-detail 5 --output.street-names"
)
RANKS = ("residential", "tertiary", "secondary", "primary")
LANES = {"primary": 4, "secondary": 2}


@dataclass
class Map:
    """Nodes, ways and forbidden turns as they are drawn."""

    nodes: list[str] = field(default_factory=list)
    places: list[tuple[float, float]] = field(default_factory=list)
    ways: list[str] = field(default_factory=list)
    relations: list[str] = field(default_factory=list)

    def node(self, x: float, y: float, **tags: str) -> int:
        """A node `x` and `y` metres from the equator's beginning; its number."""
        self.places.append((x, y))
        number = len(self.places)
        at = f'lat="{y / M_PER_DEGREE:.7f}" lon="{x / M_PER_DEGREE:.7f}"'
        self.nodes.append(f'<node id="{number}" version="1" {at}>{_tags(tags)}</node>')
        return number

    def way(self, nodes: list[int], **tags: str) -> int:
        number = len(self.ways) + 1
        refs = "".join(f'<nd ref="{n}"/>' for n in nodes)
        self.ways.append(f'<way id="{number}" version="1">{refs}{_tags(tags)}</way>')
        return number

    def street(self, a: int, b: int, signal_before: int | None, **tags: str) -> int:
        """A way between two nodes, bent in the middle, with a signal 16 m before one of them."""
        (xa, ya), (xb, yb) = self.places[a - 1], self.places[b - 1]
        length = math.dist((xa, ya), (xb, yb))
        inner = [(0.45, {})]
        if signal_before is not None:
            light = {
                "highway": "traffic_signals",
                "traffic_signals:direction": "forward" if signal_before == b else "backward",
            }
            inner.append((1 - 16 / length if signal_before == b else 16 / length, light))
        between = [
            self.node(xa + (xb - xa) * f, ya + (yb - ya) * f + (2 if not t else 0), **t)
            for f, t in sorted(inner, key=lambda one: one[0])
        ]
        return self.way([a, *between, b], **tags)

    def forbid_u_turn(self, way: int, node: int) -> None:
        members = "".join(
            f'<member type="{kind}" ref="{ref}" role="{role}"/>'
            for kind, ref, role in (("way", way, "from"), ("node", node, "via"), ("way", way, "to"))
        )
        rule = _tags({"type": "restriction", "restriction": "no_u_turn"})
        self.relations.append(f'<relation id="{way}" version="1">{members}{rule}</relation>')

    def text(self) -> str:
        return f'<osm version="0.6">{"".join([*self.nodes, *self.ways, *self.relations])}</osm>'


def _tags(tags: dict[str, str]) -> str:
    return "".join(f'<tag k="{k.replace("__", ":")}" v="{v}"/>' for k, v in tags.items())


def draw_city(seed: int, columns: int = 4, rows: int = 3, block_m: float = 180.0) -> str:
    """The map, as a file of OpenStreetMap's."""
    drawing = _Drawing(np.random.default_rng(seed), columns, rows, block_m)
    drawing.junctions()
    for r, kind in enumerate(drawing.row_rank):
        for c in range(-1, columns):
            draw = drawing.carriageways if r == drawing.main else drawing.block
            draw(kind, (c, r), (c + 1, r))
    for c, kind in enumerate(drawing.column_rank):
        for r in range(-1, rows):
            drawing.block(kind, (c, r), (c, r + 1))
        drawing.map.way([drawing.south[c, drawing.main], drawing.north[c, drawing.main]], highway=kind)
    return drawing.map.text()


class _Drawing:
    """The map as it comes about; the row `main` has two carriageways, 14 m apart."""

    def __init__(self, random: np.random.Generator, columns: int, rows: int, block_m: float) -> None:
        self.random, self.map, self.main, self.block_m = random, Map(), rows // 2, block_m
        self.row_rank = [str(random.choice(RANKS[:3])) for _ in range(rows)]
        self.column_rank = [str(random.choice(RANKS[:3])) for _ in range(columns)]
        self.row_rank[self.main], self.column_rank[columns // 2] = "primary", "secondary"
        self.signals_on_junctions = bool(random.random() < 0.5)
        self.south: dict[Place, int] = {}
        self.north: dict[Place, int] = {}  # the same node but on the main street
        self.lit: set[Place] = set()

    def junctions(self) -> None:
        columns, rows = range(len(self.column_rank)), range(len(self.row_rank))
        for c in range(-1, len(columns) + 1):
            for r in range(-1, len(rows) + 1):
                ranks = [self.row_rank[r], self.column_rank[c]] if c in columns and r in rows else []
                if sum(map(RANKS.index, ranks)) >= 2:
                    self.lit.add((c, r))
                if c in columns or r in rows:
                    self._junction((c, r))

    def _junction(self, place: Place) -> None:
        x, y = (k * self.block_m + self.random.normal(0, 12) for k in place)
        light = {"highway": "traffic_signals"} if place in self.lit and self.signals_on_junctions else {}
        apart_m = 7.0 if place[1] == self.main else 0.0
        self.south[place] = self.map.node(x, y - apart_m, **light)
        self.north[place] = self.map.node(x, y + apart_m, **light) if apart_m else self.south[place]

    def carriageways(self, kind: str, west: Place, east: Place) -> None:
        """One block of the main street, a way in either direction."""
        tags = {"highway": kind, "oneway": "yes", "lanes": "2", "turn__lanes": "left;through|through;right"}
        for nodes, a, b in ((self.south, west, east), (self.north, east, west)):
            signal = nodes[b] if b in self.lit and not self.signals_on_junctions else None
            self.map.street(nodes[a], nodes[b], signal, maxspeed="50", **tags)

    def block(self, kind: str, one: Place, other: Place) -> None:
        """One block of any other street, now and then with a bus lane, one-way, or a forbidden turn."""
        random = self.random
        tags = {"highway": kind, "maxspeed": "30" if kind == "residential" else "50"}
        if kind in LANES:
            tags["lanes"] = str(LANES[kind])
            if random.random() < 0.3:
                tags["busway"] = "lane"
        elif random.random() < 0.15:
            tags["oneway"] = "yes"
        a, b = self.north[one], self.south[other]
        lit = [node for place, node in ((other, b), (one, a)) if place in self.lit]
        way = self.map.street(a, b, lit[0] if lit and not self.signals_on_junctions else None, **tags)
        if random.random() < 0.1:
            self.map.forbid_u_turn(way, b)


def build_city(folder: Path, seed: int, options: str, *, types: str = "", trips: int = 200, seconds: int = 600) -> Path:
    """The wizard's network of such a city, with cars between edges at random; its .sumocfg."""
    import sumo

    home = Path(sumo.SUMO_HOME)
    (folder / "city.osm").write_text(draw_city(seed))
    known = ["osmNetconvert.typ.xml", *types.split()]
    command = [str(home / "bin" / "netconvert"), "--osm-files", "city.osm", "-o", "osm.net.xml", *WIZARD.split()]
    command += ["-t", ",".join(str(home / "data" / "typemap" / name) for name in known), *options.split()]
    environment = {**os.environ, "SUMO_HOME": str(home)}
    subprocess.run(command, check=True, capture_output=True, timeout=120, cwd=folder, env=environment)
    roads = sorted(read_sumo_network(folder / "osm.net.xml").road_ids)
    random = np.random.default_rng(seed)
    rows = [
        f'<trip id="veh{k}" depart="{k * seconds / trips:.2f}" departLane="best" departSpeed="max"'
        f' from="{random.choice(roads)}" to="{random.choice(roads)}"/>'
        for k in range(trips)
    ]
    (folder / "osm.trips.xml").write_text(f"<routes>{''.join(rows)}</routes>")
    config = folder / "osm.sumocfg"
    config.write_text(
        '<sumoConfiguration><input><net-file value="osm.net.xml"/><route-files value="osm.trips.xml"/></input>'
        '<processing><ignore-route-errors value="true"/><tls.actuated.jam-threshold value="30"/></processing>'
        f'<time><end value="{2 * seconds}"/></time></sumoConfiguration>'
    )
    return config
