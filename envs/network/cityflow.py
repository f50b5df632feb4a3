"""Reader of CityFlow's ``roadnet.json``. Checks the file against its format and against itself."""

from pathlib import Path
from typing import NamedTuple

from intergreen.envs.errors import shown
from intergreen.envs.network.builder import build_network
from intergreen.envs.network.description import (
    IntersectionDescription,
    LaneDescription,
    LinkDescription,
    MovementDescription,
    NetworkDescription,
    PhaseDescription,
    RoadDescription,
)
from intergreen.envs.network.fields import Field
from intergreen.envs.network.files import read_json
from intergreen.envs.network.road_network import STRAIGHT, TURN_LEFT, TURN_RIGHT, RoadNetwork

TURNS = {"turn_right": TURN_RIGHT, "turn_left": TURN_LEFT, "go_straight": STRAIGHT}


def read_cityflow_network(path: str | Path) -> RoadNetwork:
    """The network of a ``roadnet.json`` or ``roadnet.json.gz``, named after its folder.

    Raises
    ------
    InputError
        If anything in the file is missing, of the wrong kind, out of range or contradicts the rest.
    """
    return build_network(describe_cityflow_network(path))


def describe_cityflow_network(path: str | Path) -> NetworkDescription:
    """The checked content of the file, before geometry."""
    document = Field(str(path), read_json(path))
    intersection_ids = document.ids("intersections", at_least=1)
    road_ids = document.ids("roads", at_least=1)
    roads = tuple(_road(field, intersection_ids) for field in document.each("roads"))
    names = _Names(road_ids, roads)
    return NetworkDescription(
        name=Path(path).resolve().parent.name,
        source=str(path),
        intersections=tuple(_intersection(f, i, names) for i, f in enumerate(document.each("intersections"))),
        roads=roads,
        curves="cityflow",
    )


class _Names(NamedTuple):
    road_ids: dict[str, int]
    roads: tuple[RoadDescription, ...]


def _road(field: Field, intersection_ids: dict[str, int]) -> RoadDescription:
    return RoadDescription(
        id=field.text("id"),
        start=field.lookup("startIntersection", intersection_ids, "an intersection"),
        end=field.lookup("endIntersection", intersection_ids, "an intersection"),
        points=field.points("points", at_least=2),
        lanes=tuple(
            LaneDescription(lane.number("width", above=0), lane.number("maxSpeed", above=0))
            for lane in field.each("lanes", at_least=1)
        ),
    )


def _intersection(field: Field, index: int, names: _Names) -> IntersectionDescription:
    is_virtual = field.flag("virtual")
    width_m = field.number("width", least=0, **({"default": 0.0} if is_virtual else {}))
    movements = tuple(_movement(f, index, names) for f in _list(field, "roadLinks", may_lack=is_virtual))
    return IntersectionDescription(
        id=field.text("id"),
        point=field.point("point"),
        width_m=width_m,
        is_virtual=is_virtual,
        roads=tuple(f.as_lookup(names.road_ids, "a road") for f in _list(field, "roads", may_lack=is_virtual)),
        movements=movements,
        phases=_phases(field, len(movements), is_virtual),
    )


def _list(field: Field, key: str, *, may_lack: bool) -> list[Field]:
    return (field.item(key, []) if may_lack else field.item(key)).items()


def _movement(field: Field, intersection: int, names: _Names) -> MovementDescription:
    start = field.lookup("startRoad", names.road_ids, "a road")
    end = field.lookup("endRoad", names.road_ids, "a road")
    if names.roads[start].end != intersection:
        field.item("startRoad").fail(
            f"road {shown(names.roads[start].id)} does not end at this intersection", "name a road that does"
        )
    if names.roads[end].start != intersection:
        field.item("endRoad").fail(
            f"road {shown(names.roads[end].id)} does not start at this intersection", "name a road that does"
        )
    links = tuple(_link(f, len(names.roads[start].lanes), len(names.roads[end].lanes)) for f in field.each("laneLinks"))
    return MovementDescription(start, end, field.choice("type", TURNS), links)


def _link(field: Field, start_lanes: int, end_lanes: int) -> LinkDescription:
    has_points = bool(field.item("points", None).value)
    return LinkDescription(
        start_lane=field.index("startLaneIndex", start_lanes, "the lanes of its start road"),
        end_lane=field.index("endLaneIndex", end_lanes, "the lanes of its end road"),
        points=field.points("points", at_least=2) if has_points else (),
    )


def _phases(field: Field, n_movements: int, is_virtual: bool) -> tuple[PhaseDescription, ...]:
    """The signal program; a junction that has none is unsignalled."""
    light = field.item("trafficLight", None)
    if light.value is None:
        return ()
    fields = _list(light, "lightphases", may_lack=is_virtual)
    phases = tuple(_phase(phase, n_movements) for phase in fields)
    if phases and not is_virtual and not sum(phase.duration_s for phase in phases) > 0:
        light.item("lightphases").fail("all its times are 0", "give at least one phase a time > 0")
    return phases


def _phase(field: Field, n_movements: int) -> PhaseDescription:
    greens = [f.as_index(n_movements, "roadLinks of the intersection") for f in field.each("availableRoadLinks")]
    return PhaseDescription(field.number("time", least=0), tuple(dict.fromkeys(greens)))
