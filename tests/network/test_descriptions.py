"""Networks described in Python: what is not there is refused in one line, before anything is compiled of it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from intergreen.envs.errors import InputError
from intergreen.envs.network import STRAIGHT, build_network
from intergreen.envs.network.description import (
    IntersectionDescription,
    LaneDescription,
    LinkDescription,
    MovementDescription,
    NetworkDescription,
    PhaseDescription,
    RoadDescription,
)

_PLACES = {"west": (-300.0, 0.0), "east": (300.0, 0.0), "south": (0.0, -300.0), "north": (0.0, 300.0)}
_CENTRE = 4


def crossroads() -> NetworkDescription:
    """Two one-way streets of one lane, from the west and from the south."""
    places, lane = list(_PLACES.values()), (LaneDescription(3.5, 13.9),)
    ways = {"w": (0, _CENTRE), "e": (_CENTRE, 1), "s": (2, _CENTRE), "n": (_CENTRE, 3)}
    points = [*places, (0.0, 0.0)]
    roads = tuple(RoadDescription(name, a, b, (points[a], points[b]), lane) for name, (a, b) in ways.items())
    movements = tuple(MovementDescription(a, a + 1, STRAIGHT, (LinkDescription(0, 0),)) for a in (0, 2))
    phases = PhaseDescription(30.0, (0,)), PhaseDescription(30.0, (1,))
    ends = [IntersectionDescription(name, at, 0.0, True, (k,)) for k, (name, at) in enumerate(_PLACES.items())]
    centre = IntersectionDescription("centre", (0.0, 0.0), 10.0, False, (0, 1, 2, 3), movements, phases)
    return NetworkDescription("cross", "mine", (*ends, centre), roads)


def with_movement(**changes: object) -> Callable[[NetworkDescription], NetworkDescription]:
    return _in_centre(lambda centre: {"movements": (centre.movements[0]._replace(**changes), centre.movements[1])})


def with_phase(**changes: object) -> Callable[[NetworkDescription], NetworkDescription]:
    return _in_centre(lambda centre: {"phases": (centre.phases[0]._replace(**changes), centre.phases[1])})


def with_road(**changes: object) -> Callable[[NetworkDescription], NetworkDescription]:
    return lambda one: replace(one, roads=(one.roads[0]._replace(**changes), *one.roads[1:]))


def _in_centre(changes: Callable[..., dict[str, object]]) -> Callable[[NetworkDescription], NetworkDescription]:
    def change(one: NetworkDescription) -> NetworkDescription:
        *ends, centre = one.intersections
        return replace(one, intersections=(*ends, centre._replace(**changes(centre))))

    return change


def test_description_as_it_is_makes_a_network():
    assert build_network(crossroads()).n_movements == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (with_movement(links=(LinkDescription(0, 1),)), "'centre': movement 0: lane 1 of road 'e', which has 1"),
        (with_movement(links=(LinkDescription(-1, 0),)), "'centre': movement 0: lane -1 of road 'w'"),
        (with_movement(end_road=9), "'centre': movement 0: road 9 of 4"),
        (with_movement(start_road=-4), "'centre': movement 0: road -4 of 4"),
        (with_movement(end_road=2), "'centre': movement 0: from road 'w' to 's'; give roads that end and begin"),
        (with_movement(turn=7), "'centre': movement 0: turn is 7; give TURN_RIGHT, TURN_LEFT or STRAIGHT"),
        (with_phase(movements=(0, 7)), "'centre': phase 0: movement 7 of 2"),
        (with_phase(duration_s=-30.0), "'centre': phase 0: duration_s is -30.0"),
        (with_phase(duration_s=float("nan")), "'centre': phase 0: duration_s is nan"),
        (with_road(lanes=(LaneDescription(3.5, 0.0),)), "'w': lane 0: speed_limit_mps is 0.0; give a number > 0"),
        (with_road(lanes=(LaneDescription(float("inf"), 9.0),)), "'w': lane 0: width_m is inf"),
        (with_road(start=5), "'w': intersection 5 of 5"),
        (with_road(id="n"), "'n': two roads are called so"),
    ],
)
def test_what_is_not_there_is_one_line(change, words):
    with pytest.raises(InputError) as caught:
        build_network(change(crossroads()))
    line = str(caught.value)
    assert line.startswith("mine: ")
    assert words in line
    assert "\n" not in line
