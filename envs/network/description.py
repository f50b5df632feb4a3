"""A road network as plain records: what a reader or a generator writes and ``builder`` turns into arrays.

Roads and intersections refer to each other by position in their lists; lanes and movements by position in theirs.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

Point = tuple[float, float]  # metres


class LaneDescription(NamedTuple):
    width_m: float
    speed_limit_mps: float


class RoadDescription(NamedTuple):
    id: str
    start: int  # intersection
    end: int  # intersection
    points: tuple[Point, ...]  # left edge of lane 0, from centre to centre of the intersections
    lanes: tuple[LaneDescription, ...]  # from the left


class LinkDescription(NamedTuple):
    start_lane: int  # within the movement's start road
    end_lane: int  # within its end road
    points: tuple[Point, ...] = ()  # empty: a smooth curve is drawn


class MovementDescription(NamedTuple):
    start_road: int
    end_road: int
    turn: int  # TURN_RIGHT, TURN_LEFT or STRAIGHT
    links: tuple[LinkDescription, ...]


class PhaseDescription(NamedTuple):
    duration_s: float
    movements: tuple[int, ...]  # within the intersection


class IntersectionDescription(NamedTuple):
    id: str
    point: Point
    width_m: float  # lanes end and begin this far from the centre
    is_virtual: bool
    roads: tuple[int, ...]
    movements: tuple[MovementDescription, ...] = ()
    phases: tuple[PhaseDescription, ...] = ()


@dataclass(frozen=True, slots=True)
class NetworkDescription:
    """All of a network; ``source`` names the file (or generator) in error messages."""

    name: str
    source: str
    intersections: tuple[IntersectionDescription, ...]
    roads: tuple[RoadDescription, ...]
    curves: Literal["cityflow", "plain"] = "plain"  # of links without points; see geometry.draw_links
