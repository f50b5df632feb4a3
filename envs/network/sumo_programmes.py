"""Which programme a signal of SUMO's runs, and in which order its phases come.

Of several programmes SUMO runs the one that was loaded last, additional files after the network, unless a WAUT says
which it is at that time (`MSTLLogicControl`). The phases of a NEMA controller belong to two rings that run side by
side between barriers (SUMO's documentation, "Traffic Lights with NEMA Phases"): its stages are put together here.
"""

from __future__ import annotations

import math
from itertools import accumulate, product
from typing import TYPE_CHECKING, NamedTuple

from intergreen.envs.network.sumo_include import read_elements

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from intergreen.envs.network.xml_file import Tag

_BEST_FIRST = "GgyYuOosr"  # of what two phases show a link at the same time, the first of these


class Programme(NamedTuple):
    """A signal's programme: one character of a state for every connection."""

    id: str
    offset_s: float
    durations_s: tuple[float, ...]
    states: tuple[str, ...]

    @property
    def cycle_s(self) -> float:
        return sum(self.durations_s)


class Programmes:
    """The programmes of all signals, as they are read."""

    def __init__(self) -> None:
        self._running: dict[str, str] = {}  # signal -> programme
        self._known: dict[tuple[str, str], Programme] = {}
        self._plans: dict[str, list[tuple[float, str]]] = {}  # of WAUTs: second and programme
        self._planned: dict[str, str] = {}  # signal -> WAUT

    def read(self, tag: Tag) -> None:
        """Take in one child of a file's root, if it is about programmes."""
        if tag.name == "tlLogic":
            self._add(tag)
        elif tag.name == "WAUT":
            start_s = tag.number("refTime", 0.0)
            switches = [(start_s + one.number("time"), one.text("to")) for one in tag.children("wautSwitch")]
            self._plans[tag.text("id")] = [(-math.inf, tag.text("startProg")), *sorted(switches)]
        elif tag.name == "wautJunction":
            self._planned[tag.text("junctionID")] = tag.text("wautID")

    def running(self, begin_s: float) -> dict[str, Programme]:
        """By signal, what runs in second `begin_s` of SUMO's clock."""
        chosen = dict(self._running)
        for signal, plan in self._planned.items():
            due = [name for time_s, name in self._plans.get(plan, []) if time_s <= begin_s]
            if due and (signal, due[-1]) in self._known:
                chosen[signal] = due[-1]
        return {signal: self._known[signal, name] for signal, name in chosen.items()}

    def _add(self, tag: Tag) -> None:
        key = signal, name = tag.text("id"), tag.text("programID", "0")
        if key in self._known and not any(tag.children("phase")):  # as tlsCoordinator.py writes: another offset
            self._known[key] = self._known[key]._replace(offset_s=tag.number("offset", self._known[key].offset_s))
            return
        self._known[key] = _programme(tag)
        self._running[signal] = name


def read_more_programmes(programmes: Programmes, paths: Iterable[Path]) -> None:
    """Take in those of additional files."""
    for path in paths:
        for tag in read_elements(path):
            programmes.read(tag)


def _programme(tag: Tag) -> Programme:
    phases = list(tag.children("phase"))
    if not phases:
        tag.fail("has no phase", "give it phases")
    states = [phase.text("state") for phase in phases]
    if len(set(map(len, states))) > 1:
        tag.fail("has states of different lengths", "give every state a character for each connection")
    offset_s = tag.number("offset", 0.0)
    rings = _rings(tag) if tag.text("type", "static") == "NEMA" else []
    if rings:
        timed = {phase.text("name", ""): (_split_s(phase), phase.text("state")) for phase in phases}
        stages = _stages([[timed[name] for name in side if name in timed] for side in rings[0]],
                         [[timed[name] for name in side if name in timed] for side in rings[1]])  # fmt: skip
        if stages:
            return Programme(tag.text("id"), offset_s, *zip(*stages, strict=True))
    order = _order(phases)
    durations_s = tuple(phases[p].number("duration", least=0) for p in order)
    return Programme(tag.text("id"), offset_s, durations_s, tuple(states[p] for p in order))


# --- the order of phases --------------------------------------------------------------------------------------------


def _order(phases: Sequence[Tag]) -> list[int]:
    """As listed, or as `next` leads from the first one on, where that is one way only and leaves no green out."""
    listed = list(range(len(phases)))
    following = [phase.words("next") for phase in phases]
    if not any(following) or any(len(words) > 1 for words in following):
        return listed
    order, p = [], 0
    while p not in order:
        order.append(p)
        p = phases[p].whole("next", (p + 1) % len(phases))
        if p >= len(phases):
            phases[order[-1]].fail(f"is {p}", f"use 0 to {len(phases) - 1}", "next")
    left_out = set(listed) - set(order)
    return listed if _greens(phases, left_out) - _greens(phases, order) else order


def _greens(phases: Sequence[Tag], some: Iterable[int]) -> set[int]:
    """Links with green in some of the phases."""
    return {link for p in some for link, shown in enumerate(phases[p].text("state")) if shown in "Gg"}


# --- rings and barriers ---------------------------------------------------------------------------------------------

_Timed = tuple[float, str]  # seconds and state


def _rings(tag: Tag) -> list[list[list[str]]]:
    """Names of the phases of both rings, between the barriers; none where the file has no rings."""
    given = {one.text("key"): one.text("value", "").replace(",", " ").split() for one in tag.children("param")}
    last = {*given.get("barrierPhases", []), *given.get("barrier2Phases", []), *given.get("coordinatePhases", [])}
    if "ring1" not in given:
        return []
    sides = [_sides(given.get(ring, []), last) for ring in ("ring1", "ring2")]
    n = max(map(len, sides))
    return [[*ring, *([[]] * (n - len(ring)))] for ring in sides]


def _sides(ring: list[str], last: set[str]) -> list[list[str]]:
    sides: list[list[str]] = [[]]
    for name in ring:
        sides[-1].append(name)
        if name in last:
            sides.append([])
    return [side for side in sides if side]


def _split_s(phase: Tag) -> float:
    """Longest green and clearance; `duration` means nothing to a NEMA controller."""
    green_s = phase.number("maxDur", phase.number("duration", 0.0, least=0), least=0)
    return green_s + phase.number("yellow", 0.0, least=0) + phase.number("red", 0.0, least=0)


def _stages(ring1: list[list[_Timed]], ring2: list[list[_Timed]]) -> list[_Timed]:
    """What both rings show together, side by side; pairs that meet only when a green ends early last no time."""
    stages: list[_Timed] = []
    for one, other in zip(ring1, ring2, strict=True):
        if not one or not other:
            stages += one or other
            continue
        ends = [list(accumulate(seconds for seconds, _ in side)) for side in (one, other)]
        begin_s = 0.0
        together = []
        for end_s in sorted({*ends[0], *ends[1]}):
            a, b = (min(sum(e <= begin_s for e in each), len(each) - 1) for each in ends)
            together.append((a, b))
            stages.append((end_s - begin_s, _both(one[a][1], other[b][1])))
            begin_s = end_s
        apart = [pair for pair in product(range(len(one)), range(len(other))) if pair not in together]
        stages += [(0.0, _both(one[a][1], other[b][1])) for a, b in apart]
    return stages


def _both(state: str, other: str) -> str:
    return "".join(min(pair, key=_BEST_FIRST.find) for pair in zip(state, other, strict=True))
