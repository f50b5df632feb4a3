"""Grids and arterials in the literature's naming: ``intersection_x_y`` from the south-west, ``road_x_y_d`` leaving it
eastward (d = 0), northward (1), westward (2) or southward (3). Row and column 0 are the edge."""

from dataclasses import dataclass
from numbers import Integral
from typing import Literal

from intergreen.envs.network.phases import LITERATURE_TIMING, Timing
from intergreen.envs.network.road_network import RoadNetwork
from intergreen.envs.network.streets import Node, Street, network_from_streets

EAST, NORTH = 0, 1
MOST_SIGNALS = 10_000
MOST_LANES = 20  # in each direction


@dataclass(frozen=True, slots=True)
class GridSpec:
    """A grid of signals, every street with the same lanes. One lane serves all turns; two: left | straight and right;
    three: left | straight | right."""

    rows: int = 4
    columns: int = 4
    spacing_x_m: float = 300.0
    spacing_y_m: float = 300.0
    lanes: int = 3  # in each direction
    lane_width_m: float = 4.0
    speed_limit_mps: float = 11.111
    boundary: Literal["open", "closed"] = "open"  # closed: three legs at the edge, two at the corners, no way out
    timing: Timing = LITERATURE_TIMING

    def __post_init__(self) -> None:
        check_counts(rows=self.rows, columns=self.columns, lanes=self.lanes)
        check_sizes(
            spacing_x_m=self.spacing_x_m,
            spacing_y_m=self.spacing_y_m,
            lane_width_m=self.lane_width_m,
            speed_limit_mps=self.speed_limit_mps,
        )
        check_lanes(lanes=self.lanes)
        if self.rows * self.columns > MOST_SIGNALS:
            raise ValueError(f"need rows * columns <= {MOST_SIGNALS}, got {self.rows} * {self.columns}")
        if self.boundary not in ("open", "closed"):
            raise ValueError(f"need boundary 'open' or 'closed', got {self.boundary!r}")
        if self.boundary == "closed" and min(self.rows, self.columns) < 2:
            raise ValueError(f"a closed grid needs 2 rows and 2 columns, got {self.rows} and {self.columns}")


@dataclass(frozen=True, slots=True)
class ArterialSpec:
    """One long main road from west to east with a side street at every signal."""

    signals: int = 6
    spacing_m: float = 400.0
    side_length_m: float = 200.0
    main_lanes: int = 3
    side_lanes: int = 2
    lane_width_m: float = 4.0
    main_speed_mps: float = 13.889
    side_speed_mps: float = 11.111
    timing: Timing = LITERATURE_TIMING

    def __post_init__(self) -> None:
        check_counts(signals=self.signals, main_lanes=self.main_lanes, side_lanes=self.side_lanes)
        check_sizes(
            spacing_m=self.spacing_m,
            side_length_m=self.side_length_m,
            lane_width_m=self.lane_width_m,
            main_speed_mps=self.main_speed_mps,
            side_speed_mps=self.side_speed_mps,
        )
        check_lanes(main_lanes=self.main_lanes, side_lanes=self.side_lanes)
        if self.signals > MOST_SIGNALS:
            raise ValueError(f"need signals <= {MOST_SIGNALS}, got {self.signals}")


def generate_grid(spec: GridSpec) -> RoadNetwork:
    """The grid of the specification, row by row from the south.

    >>> network = generate_grid(GridSpec(rows=1, columns=1))
    >>> network.n_links, len(network.crossing_distance_m)
    (36, 504)
    """
    return _lattice(
        f"grid_{spec.rows}x{spec.columns}", spec.rows, spec.columns, (spec.spacing_x_m, spec.spacing_y_m),
        (spec.lanes, spec.lanes), (spec.speed_limit_mps,) * 2, spec.lane_width_m, spec.boundary == "open", spec.timing,
    )  # fmt: skip


def generate_arterial(spec: ArterialSpec) -> RoadNetwork:
    """The arterial of the specification, from west to east."""
    return _lattice(
        f"arterial_1x{spec.signals}", 1, spec.signals, (spec.spacing_m, spec.side_length_m),
        (spec.main_lanes, spec.side_lanes), (spec.main_speed_mps, spec.side_speed_mps), spec.lane_width_m, True,
        spec.timing,
    )  # fmt: skip


def _lattice(
    name: str, rows: int, columns: int, spacing_m: tuple[float, float], lanes: tuple[int, int],
    speed_mps: tuple[float, float], lane_width_m: float, is_open: bool, timing: Timing,
) -> RoadNetwork:  # fmt: skip
    """Pairs hold the eastward and the northward value."""
    inner_x, inner_y = range(1, columns + 1), range(1, rows + 1)
    all_x, all_y = (range(columns + 2), range(rows + 2)) if is_open else (inner_x, inner_y)
    places = [(x, y) for y in all_y for x in all_x if x in inner_x or y in inner_y]
    number = {place: i for i, place in enumerate(places)}
    nodes = [Node(f"intersection_{x}_{y}", ((x - 1) * spacing_m[EAST], (y - 1) * spacing_m[NORTH])) for x, y in places]
    streets = []
    for x, y in places:
        for direction, there in ((EAST, (x + 1, y)), (NORTH, (x, y + 1))):
            along_edge = y not in inner_y if direction == EAST else x not in inner_x
            if there in number and not along_edge:
                streets.append(
                    Street(
                        number[x, y], number[there], road_name(x, y, direction), road_name(*there, direction + 2),
                        lanes[direction], speed_mps[direction], lane_width_m,
                    )
                )  # fmt: skip
    return network_from_streets(name, nodes, streets, timing)


def road_name(x: int, y: int, direction: int) -> str:
    return f"road_{x}_{y}_{direction}"


def check_counts(**counts: int) -> None:
    """Raise ValueError unless all are whole numbers >= 1."""
    for name, count in counts.items():
        if isinstance(count, bool) or not isinstance(count, Integral) or count < 1:
            raise ValueError(f"need a whole number {name} >= 1, got {count!r}")


def check_lanes(**lanes: int) -> None:
    """Raise ValueError where there are more than the widest road has."""
    for name, count in lanes.items():
        if count > MOST_LANES:
            raise ValueError(f"need {name} <= {MOST_LANES}, got {count}")


def check_sizes(**sizes: float) -> None:
    """Raise ValueError unless all are finite and > 0."""
    for name, size in sizes.items():
        if not 0 < size < float("inf"):
            raise ValueError(f"need {name} > 0, got {size!r}")
