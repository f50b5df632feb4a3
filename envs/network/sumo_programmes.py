"""Which programme a signal of SUMO's runs, and in which order its phases come.

Of several programmes SUMO runs the one that was loaded last, additional files after the network, unless a WAUT says
which it is at that time (`sumo_switching`). The phases of a NEMA controller belong to two rings that run side by
side between barriers (SUMO's documentation, "Traffic Lights with NEMA Phases"): its stages are put together here.
"""

from __future__ import annotations

from itertools import accumulate, product
from typing import TYPE_CHECKING, NamedTuple

from intergreen.envs.errors import shown
from intergreen.envs.network.sumo_include import read_elements
from intergreen.envs.network.sumo_switching import OFF, Plan, read_plan

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
    name: str = "0"
    later: tuple[Later, ...] = ()

    @property
    def cycle_s(self) -> float:
        return sum(self.durations_s)


class Later(NamedTuple):
    """A programme that takes over in the middle of a run."""

    time_s: float  # of SUMO's clock
    programme: Programme


class Programmes:
    """The programmes of all signals, as they are read."""

    def __init__(self) -> None:
        self._running: dict[str, str] = {}  # signal -> programme
        self._known: dict[tuple[str, str], Programme] = {}
        self._plans: dict[str, Plan] = {}  # by WAUT
        self._planned: dict[str, Tag] = {}  # signal -> its <wautJunction>

    def read(self, tag: Tag, begin_s: float = 0.0) -> None:
        """Take in one child of a file's root, if it is about programmes; offset "begin" is second `begin_s`."""
        if tag.name == "tlLogic":
            self._add(tag, begin_s)
        elif tag.name == "WAUT":
            self._plans[tag.text("id")] = read_plan(tag)
        elif tag.name == "wautJunction":
            self._planned[tag.text("junctionID")] = tag

    def running(self, begin_s: float, end_s: float) -> dict[str, Programme]:
        """By signal, what runs in second `begin_s` of SUMO's clock, with what takes over before `end_s`.

        A signal that its plan switches off keeps the programme loaded last: here somebody is always in charge.

        Raises
        ------
        InputError
            If a signal's plan is not there, or names a programme that is not there.
        """
        chosen = {signal: self._known[signal, name] for signal, name in self._running.items()}
        for signal, tag in self._planned.items():
            plan = self._plan(tag, signal)
            first = self._named(tag, signal, plan.at(begin_s)) or chosen[signal]
            later: dict[str, Later] = {}
            for time_s, name in plan.between(begin_s, end_s):
                programme = self._named(tag, signal, name)
                if programme is not None and name != first.name:
                    later.setdefault(name, Later(time_s, programme))
            chosen[signal] = first._replace(later=tuple(later.values()))
        return chosen

    def _plan(self, tag: Tag, signal: str) -> Plan:
        if signal not in self._running:
            tag.fail(f"{shown(signal)} has no <tlLogic>", "name a signal of the network", "junctionID")
        name = tag.text("wautID")
        if name not in self._plans:
            tag.fail(f"{shown(name)} is not there", "name a <WAUT> of the files", "wautID")
        return self._plans[name]

    def _named(self, tag: Tag, signal: str, name: str) -> Programme | None:
        """The programme of that name, None for a signal that is off."""
        if name != OFF and (signal, name) not in self._known:
            known = ", ".join(shown(other) for of, other in self._known if of == signal)
            problem = f"its <WAUT> names programme {shown(name)}, which {shown(signal)} has not"
            tag.fail(problem, f"use one of {known}", "wautID")
        return self._known.get((signal, name))

    def _add(self, tag: Tag, begin_s: float) -> None:
        key = signal, name = tag.id(), tag.text("programID", "0")
        if name == OFF:  # blinks, if anybody switches to it: no phases of its own
            return
        known = self._known.get(key)
        offset_s = _offset_s(tag, known.offset_s if known else 0.0, begin_s)
        if known and not any(tag.children("phase")):  # as tlsCoordinator.py writes: another offset
            self._known[key] = known._replace(offset_s=offset_s)
            return
        self._known[key] = _programme(tag)._replace(offset_s=offset_s, name=name)
        self._running[signal] = name


def read_more_programmes(programmes: Programmes, paths: Iterable[Path], begin_s: float) -> None:
    """Take in those of additional files."""
    for path in paths:
        for tag in read_elements(path):
            programmes.read(tag, begin_s)


def _offset_s(tag: Tag, usual_s: float, begin_s: float) -> float:
    """The second in which the programme begins; "begin" is that of the simulation."""
    return begin_s if tag.text("offset", "") == "begin" else tag.seconds("offset", usual_s)


def _programme(tag: Tag) -> Programme:
    phases = list(tag.children("phase"))
    if not phases:
        tag.fail("has no phase", "give it phases")
    states = [phase.text("state") for phase in phases]
    if len(set(map(len, states))) > 1:
        tag.fail("has states of different lengths", "give every state a character for each connection")
    rings = _rings(tag) if tag.text("type", "static") == "NEMA" else []
    if rings:
        timed = {phase.text("name", ""): (_split_s(phase), phase.text("state")) for phase in phases}
        stages = _stages([[timed[name] for name in side if name in timed] for side in rings[0]],
                         [[timed[name] for name in side if name in timed] for side in rings[1]])  # fmt: skip
        if stages:
            durations_s, shown_states = zip(*stages, strict=True)
            return Programme(tag.text("id"), 0.0, durations_s, shown_states)
    order = _order(phases)
    durations_s = tuple(phases[p].seconds("duration", least=0) for p in order)
    return Programme(tag.text("id"), 0.0, durations_s, tuple(states[p] for p in order))


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
    green_s = phase.seconds("maxDur", phase.seconds("duration", 0.0, least=0), least=0)
    return green_s + phase.seconds("yellow", 0.0, least=0) + phase.seconds("red", 0.0, least=0)


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
