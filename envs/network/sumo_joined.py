"""Junctions under several of SUMO's signals, as junctions under one: their programmes side by side.

An intersection has one signal here. Where a junction's connections belong to several, as where turning lanes or a
neighbouring junction have a programme of their own, the programmes run together until all begin anew.
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from intergreen.envs.errors import shown
from intergreen.envs.network.sumo_programmes import Programme

if TYPE_CHECKING:
    from collections.abc import Sequence

    from intergreen.envs.network.sumo_net import SumoNet

LONGEST_CYCLE_S = 900.0  # of several programmes together: longer ones have more phases than anybody can choose from
_PER_S = 1000  # programmes are timed to a millisecond


def with_one_signal_each(net: SumoNet) -> tuple[SumoNet, list[str]]:
    """The net itself, or with one programme instead of those that meet at a junction; connections keep their order.

    Beside it what was changed for that, a line for each group of programmes that would take too long until all begin
    anew: they are stretched to the longest cycle among them.

    Raises
    ------
    InputError
        If one of programmes that meet lasts no time.
    """
    groups = _meeting(net)
    remarks: list[str] = []
    if not groups:
        return net, remarks
    programmes, name, first = dict(net.programmes), {}, {}
    for group in groups:
        programmes[group[0]] = _together(net, group, remarks)
        at = 0
        for signal in group:
            name[signal], first[signal] = group[0], at
            at += len(net.programmes[signal].states[0])
    connections = [
        c._replace(signal=name[c.signal], signal_index=c.signal_index + first[c.signal]) if c.signal in name else c
        for c in net.connections
    ]
    return replace(net, programmes=programmes, connections=connections), remarks


def _meeting(net: SumoNet) -> list[list[str]]:
    """Groups of signals that meet, directly or by way of others, at junctions for cars."""
    group: dict[str, list[str]] = {}
    last_at: dict[str, str] = {}
    for c in net.connections:
        if not (c.signal and c.for_cars):
            continue
        mine = group.setdefault(c.signal, [c.signal])
        other = group[last_at.setdefault(net.junction_of(c), c.signal)]
        if other is not mine:
            mine += other
            for signal in other:
                group[signal] = mine
    return [sorted(some) for some in {id(some): some for some in group.values()}.values() if len(some) > 1]


def _together(net: SumoNet, signals: Sequence[str], remarks: list[str]) -> Programme:
    """The programmes side by side, from second 0 of SUMO's clock until all begin anew."""
    programmes = [net.programmes[signal] for signal in signals]
    cycles = [_cycle_ms(programme) for programme in programmes]
    if not all(cycles):
        place = f"<tlLogic id={shown(signals[cycles.index(0)])}>"
        raise net.fail(place, "all its times are 0", "give a phase a time > 0")
    cycle = math.lcm(*cycles)
    if cycle > LONGEST_CYCLE_S * _PER_S:
        cycle = max(cycles)
        names = ", ".join(f"{shown(p.id)} {p.cycle_s:g} s" for p in programmes)
        remarks.append(
            f"signals at one junction, whose cycles do not go together, take {cycle / _PER_S:g} s each: {names}"
        )
        programmes = [_stretched(programme, cycle) for programme in programmes]
    changes = sorted({0, cycle, *(at for p in programmes for at in _changes(p, cycle))})
    return Programme(
        id=signals[0],
        offset_s=0.0,
        durations_s=tuple((b - a) / _PER_S for a, b in pairwise(changes)),
        states=tuple("".join(_state_at(p, at) for p in programmes) for at in changes[:-1]),
    )


def _cycle_ms(programme: Programme) -> int:
    return round(programme.cycle_s * _PER_S)


def _stretched(programme: Programme, cycle: int) -> Programme:
    """The programme with all its times in proportion, so that it lasts `cycle` [ms]."""
    ends = [round(end_s / programme.cycle_s * cycle) for end_s in accumulate(programme.durations_s, initial=0.0)]
    durations_s = tuple((b - a) / _PER_S for a, b in pairwise(ends))
    return programme._replace(durations_s=durations_s, offset_s=programme.offset_s / programme.cycle_s * cycle / _PER_S)


def _changes(programme: Programme, cycle: int) -> list[int]:
    """When phases begin within `cycle` [ms]."""
    own, at, found = _cycle_ms(programme), round(programme.offset_s * _PER_S), []
    for seconds in programme.durations_s:
        found += list(range(at % own, cycle, own))
        at += round(seconds * _PER_S)
    return found


def _state_at(programme: Programme, ms: int) -> str:
    rest = (ms - round(programme.offset_s * _PER_S)) % round(programme.cycle_s * _PER_S)
    for seconds, state in zip(programme.durations_s, programme.states, strict=True):
        rest -= round(seconds * _PER_S)
        if rest < 0:
            return state
    return programme.states[-1]
