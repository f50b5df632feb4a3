"""A network's description, checked before arrays are made of it: compiled code does not ask whether an index is one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NoReturn

from intergreen.envs.errors import InputError, shown
from intergreen.envs.network.road_network import STRAIGHT, TURN_LEFT, TURN_RIGHT

if TYPE_CHECKING:
    from intergreen.envs.network.description import IntersectionDescription, MovementDescription, NetworkDescription

_TURNS = (TURN_RIGHT, TURN_LEFT, STRAIGHT)


def check_description(description: NetworkDescription) -> None:
    """Readers of files say more exactly where something is wrong; this is for descriptions made in Python.

    Raises
    ------
    InputError
        With the road or intersection where an index, a turn, a time, a width or a speed is none.
    """
    _check_roads(description)
    for junction in description.intersections:
        for number, movement in enumerate(junction.movements):
            _check_movement(description, junction, number, movement)
        for number, phase in enumerate(junction.phases):
            where = f"phase {number}"
            if not 0.0 <= phase.duration_s < math.inf:
                _refuse(description, junction.id, f"{where}: duration_s is {phase.duration_s!r}", "seconds >= 0")
            for movement_number in phase.movements:
                words = f"movement {movement_number!r} of {len(junction.movements)}"
                _check_index(description, junction.id, movement_number, len(junction.movements), f"{where}: {words}")


def _check_roads(description: NetworkDescription) -> None:
    ids, n_junctions = set(), len(description.intersections)
    for road in description.roads:
        if road.id in ids:
            _refuse(description, road.id, "two roads are called so", "ids of their own")
        ids.add(road.id)
        for end in (road.start, road.end):
            _check_index(description, road.id, end, n_junctions, f"intersection {end!r} of {n_junctions}")
        for number, lane in enumerate(road.lanes):
            for name, value in lane._asdict().items():
                if not 0.0 < value < math.inf:
                    _refuse(description, road.id, f"lane {number}: {name} is {value!r}", "a number > 0")


def _check_movement(
    description: NetworkDescription, junction: IntersectionDescription, number: int, movement: MovementDescription
) -> None:
    where, roads = f"movement {number}", description.roads
    if movement.turn not in _TURNS:
        _refuse(description, junction.id, f"{where}: turn is {movement.turn!r}", "TURN_RIGHT, TURN_LEFT or STRAIGHT")
    for number_of_road in (movement.start_road, movement.end_road):
        words = f"{where}: road {number_of_road!r} of {len(roads)}"
        _check_index(description, junction.id, number_of_road, len(roads), words)
    start, end = roads[movement.start_road], roads[movement.end_road]
    if description.intersections[start.end] is not junction or description.intersections[end.start] is not junction:
        words = f"{where}: from road {shown(start.id)} to {shown(end.id)}"
        _refuse(description, junction.id, words, "roads that end and begin at the intersection")
    for link in movement.links:
        for lane, road in ((link.start_lane, start), (link.end_lane, end)):
            words = f"{where}: lane {lane!r} of road {shown(road.id)}, which has {len(road.lanes)}"
            _check_index(description, junction.id, lane, len(road.lanes), words)


def _check_index(description: NetworkDescription, name: str, index: int, n: int, what: str) -> None:
    if not 0 <= index < n:
        _refuse(description, name, what, "numbers from 0")


def _refuse(description: NetworkDescription, name: str, what: str, mend: str) -> NoReturn:
    raise InputError(description.source, shown(name), what, f"give {mend}")
