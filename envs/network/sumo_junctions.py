"""SUMO's junctions as intersections: which belong together, what their signals show, which movements conflict.

A signal that controls several junctions makes one intersection of them. A movement is what leads from one road to
another and always has green together, so that lanes with signals of their own are movements of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from intergreen.envs.network.sumo_signals import MINOR, Greens, greens_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from intergreen.envs.network.sumo_links import Path
    from intergreen.envs.network.sumo_net import SumoNet
    from intergreen.envs.network.sumo_right_of_way import RightOfWay

_NO_SIGNAL = Greens((), 0.0)


class Movement(NamedTuple):
    """Links from one road to another with one signal."""

    start_edge: str
    end_edge: str
    connections: tuple[int, ...]
    phases: tuple[int, ...]  # local phases with green


class Intersection(NamedTuple):
    """One or several of SUMO's junctions as one intersection."""

    id: str
    members: tuple[str, ...]
    greens: Greens
    movements: tuple[Movement, ...]


class Conflict(NamedTuple):
    """Two movements whose paths cross or merge."""

    own: int
    foe: int
    is_permitted: bool  # may both be green, because one of them yields?


def find_intersections(
    net: SumoNet, paths: Sequence[Path | None], used: set[str], begin_s: float
) -> list[Intersection]:
    """One for every group of the junctions `used` under one signal, in the file's order.

    Raises
    ------
    InputError
        If a signal leaves a connection without green.
    """
    group = _groups(net, paths)
    members: dict[str, list[str]] = {}
    for junction in net.junctions:
        if junction in used:
            members.setdefault(group[junction], []).append(junction)
    connections: dict[str, list[int]] = {head: [] for head in members}
    for number, (c, path) in enumerate(zip(net.connections, paths, strict=True)):
        if path is not None:
            connections[group[net.junction_of(c)]].append(number)
    return [_intersection(net, members[head], connections[head], begin_s) for head in members]


def find_conflicts(net: SumoNet, intersections: Sequence[Intersection], order: RightOfWay) -> list[Conflict]:
    """Movements with connections that are foes, numbered over the network, each pair in both directions."""
    conflicts: list[Conflict] = []
    first = 0
    for intersection in intersections:
        movements = intersection.movements
        for a, one in enumerate(movements):
            for b, other in enumerate(movements):
                if a != b and any(order.are_foes(m, n) for m in one.connections for n in other.connections):
                    is_permitted = _is_permitted(net, intersection, one, other, order)
                    conflicts.append(Conflict(first + a, first + b, is_permitted))
        first += len(movements)
    return conflicts


def _groups(net: SumoNet, paths: Sequence[Path | None]) -> dict[str, str]:
    """For each junction the one that stands for all that are under its signal."""
    head = {junction: junction for junction in net.junctions}

    def find(junction: str) -> str:
        while head[junction] != junction:
            junction = head[junction]
        return junction

    first_of: dict[str, str] = {}
    for c, path in zip(net.connections, paths, strict=True):
        if path is not None and c.signal:
            here = net.junction_of(c)
            one, other = find(here), find(first_of.setdefault(c.signal, here))
            head[max(one, other)] = min(one, other)
    return {junction: find(junction) for junction in head}


def _intersection(net: SumoNet, members: list[str], connections: list[int], begin_s: float) -> Intersection:
    signals = sorted({net.connections[n].signal for n in connections} - {""})
    if not signals:
        return Intersection(members[0], tuple(members), _NO_SIGNAL, _movements(net, connections, _NO_SIGNAL))
    (signal,) = signals  # see `sumo_joined`
    used = [net.connections[n].signal_index for n in connections if net.connections[n].signal]
    greens = greens_of(net, net.programmes[signal], used, begin_s)
    is_taken = signal in net.junctions and signal not in members
    name = members[0] if is_taken else signal
    return Intersection(name, tuple(members), greens, _movements(net, connections, greens))


def _movements(net: SumoNet, connections: Iterable[int], greens: Greens) -> tuple[Movement, ...]:
    """Connections by where they lead and when they have green; without a signal they always have."""
    movements: dict[tuple[str, str, tuple[int, ...]], list[int]] = {}
    for number in connections:
        c = net.connections[number]
        phases = tuple(p for p, phase in enumerate(greens.phases) if not c.signal or phase.serves(c.signal_index))
        movements.setdefault((c.start_edge, c.end_edge, phases), []).append(number)
    return tuple(Movement(start, end, tuple(n), phases) for (start, end, phases), n in movements.items())


def _is_permitted(net: SumoNet, intersection: Intersection, one: Movement, other: Movement, order: RightOfWay) -> bool:
    """Does one of the two show a green that yields to the other wherever both have green?"""
    shared = set(one.phases) & set(other.phases)
    states = [state for p in shared for state in intersection.greens.phases[p].states]
    foes = [(m, n) for m in one.connections for n in other.connections if order.are_foes(m, n)]
    return bool(states) and all(_one_yields(net, m, n, state, order) for state in states for m, n in foes)


def _one_yields(net: SumoNet, a: int, b: int, state: str, order: RightOfWay) -> bool:
    """By its green. Of two turns also by the requests alone, as netconvert writes protected left turns that cross, or
    by their greens alone: where both yield, who comes first goes."""
    minor = _is_minor(net, a, state), _is_minor(net, b, state)
    if _turns(net, a) and _turns(net, b) and (order.right(a, b) or all(minor)):
        return True
    return (order.yields_to(a, b) and minor[0]) or (order.yields_to(b, a) and minor[1])


def _turns(net: SumoNet, number: int) -> bool:
    return net.connections[number].direction != "s"


def _is_minor(net: SumoNet, number: int, state: str) -> bool:
    """Does the connection show a green that yields? One without a signal does."""
    c = net.connections[number]
    return not c.signal or state[c.signal_index] == MINOR
