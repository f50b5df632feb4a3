"""The observer: reads what one signal displays, second by second, and judges it by the program card.

It keeps its own times and knows nothing of the shield, of phases or of wishes. The monitor does the same beside a
running signal; the observer does it for the proof, where its memory is part of the state: small and exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from intergreen.envs.signals.aspects import GREEN, RED, RED_AMBER, YELLOW

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from intergreen.envs.signals.model import SignalModel

LETTERS = {RED: "r", YELLOW: "y", GREEN: "G", RED_AMBER: "u"}
_UNKNOWN = -1


class Wrong(NamedTuple):
    """What a display violates: the invariant's name, words, channels."""

    invariant: str
    what: str
    channels: tuple[int, ...]


class Memory(NamedTuple):
    """What the observer keeps; seconds are counted to one beyond what anything is compared with."""

    aspects: tuple[int, ...]  # of the last second, _UNKNOWN before the first
    age: tuple[int, ...]  # seconds of that aspect
    green_ended: tuple[int, ...]  # seconds since each green ended
    way_ended: tuple[int, ...]  # seconds since each green or yellow ended
    steady: int  # seconds since the greens changed
    running: int  # seconds since the start


class Observer:
    """Judges the displays of one signal."""

    def __init__(self, model: SignalModel) -> None:
        self._model = model
        n = model.n_movements
        self._long = 1 + int(
            max(model.min_green.max(), model.yellow.max(), model.longest_yellow.max(), model.red_amber)
        )
        self._since = 1 + int(max(model.clearance.max(initial=0), model.red_revert.max()))
        self._steady = 1 + int(model.max_green.max())
        # Where greens end and none begins, what is left is on display through the transition already.
        self._dropping_s = int(max(model.clearance.max(initial=0), (model.yellow + model.red_revert).max()))
        self._foes = [np.flatnonzero(~model.permissive[m]).tolist() for m in range(n)]

    def begin(self) -> Memory:
        """Before the first second; where nothing says that signals begin with red, what was before is unknown."""
        n, before = self._model.n_movements, RED if self._model.startup_s else _UNKNOWN
        return Memory((before,) * n, (self._long,) * n, (self._since,) * n, (self._since,) * n, 0, 0)

    def see(self, memory: Memory, aspects: tuple[int, ...], caller: int) -> tuple[Memory, Wrong | None]:
        """The memory after a second with these aspects, and the first thing that is wrong; -1: nobody calls."""
        after = self._remembered(memory, aspects)
        return after, next(self._wrongs(memory, after, aspects, caller), None)

    def _remembered(self, memory: Memory, aspects: tuple[int, ...]) -> Memory:
        before, channels = memory.aspects, range(len(aspects))
        changed = any((aspects[m] == GREEN) != (before[m] == GREEN) for m in channels) or GREEN not in aspects
        if changed:
            begun = any(aspects[m] == GREEN != before[m] for m in channels)
            steady = 1 if begun or GREEN not in aspects else 1 - self._dropping_s
        else:
            steady = min(memory.steady + 1, self._steady)
        return Memory(
            aspects,
            tuple(min(memory.age[m] + 1, self._long) if aspects[m] == before[m] else 1 for m in channels),
            tuple(self._later(memory.green_ended[m], before[m], aspects[m], (GREEN,)) for m in channels),
            tuple(self._later(memory.way_ended[m], before[m], aspects[m], (GREEN, YELLOW)) for m in channels),
            steady,
            min(memory.running + 1, self._model.startup_s),
        )

    def _later(self, since: int, before: int, now: int, while_shown: Sequence[int]) -> int:
        """Seconds since the end of what is `while_shown`, one second later; the longest while it lasts."""
        if now in while_shown:
            return self._since
        return 1 if before in while_shown else min(since + 1, self._since)

    def _wrongs(self, memory: Memory, after: Memory, aspects: tuple[int, ...], caller: int) -> Iterator[Wrong]:
        for m, aspect in enumerate(aspects):
            if aspect not in LETTERS:
                yield Wrong("I7", f"lamps {aspect} of one channel", (m,))
        yield from self._ends(memory, aspects)
        yield from self._lasts(memory, aspects)
        yield from self._begins(memory, aspects)
        for m, foes in enumerate(self._foes):
            for foe in foes:
                if foe > m and aspects[m] in (GREEN, YELLOW) and aspects[foe] in (GREEN, YELLOW):
                    yield Wrong("I1", "both have right of way", (m, foe))
        yield from self._outstays(memory, after, aspects, caller)

    def _ends(self, memory: Memory, aspects: tuple[int, ...]) -> Iterator[Wrong]:
        model = self._model
        for m, (old, new, shown_s) in enumerate(zip(memory.aspects, aspects, memory.age, strict=True)):
            if old == GREEN != new:
                if shown_s < model.min_green[m]:
                    yield Wrong("I4", f"green for {shown_s} of {model.min_green[m]} s", (m,))
                if new != YELLOW and model.yellow[m] > 0:
                    yield Wrong("I2", "no yellow after green", (m,))
            elif old == YELLOW != new and shown_s < model.yellow[m]:
                yield Wrong("I2", f"yellow for {shown_s} of {model.yellow[m]} s", (m,))
            elif old == RED_AMBER and new not in (RED_AMBER, GREEN):
                yield Wrong("I7", "red and amber, and no green after it", (m,))

    def _lasts(self, memory: Memory, aspects: tuple[int, ...]) -> Iterator[Wrong]:
        model = self._model
        for m, (old, new, shown_s) in enumerate(zip(memory.aspects, aspects, memory.age, strict=True)):
            if new == YELLOW and old in (RED, RED_AMBER):
                yield Wrong("I7", "yellow without green before it", (m,))
            if old == new == YELLOW and 0 < model.longest_yellow[m] <= shown_s:
                yield Wrong("I2", f"yellow for more than {model.longest_yellow[m]} s", (m,))
            if new == RED_AMBER and (shown_s if old == RED_AMBER else 0) >= model.red_amber:
                yield Wrong("I7", f"red and amber for more than {model.red_amber} s", (m,))

    def _begins(self, memory: Memory, aspects: tuple[int, ...]) -> Iterator[Wrong]:
        model = self._model
        for m, (old, new) in enumerate(zip(memory.aspects, aspects, strict=True)):
            if not new == GREEN != old:
                continue
            if memory.running < model.startup_s:
                words = f"green {memory.running} s after the start, before {model.startup_s} s"
                yield Wrong("I12", words, (m,))
            since = 0 if old == YELLOW else memory.way_ended[m]
            if since < model.red_revert[m]:
                yield Wrong("I3", f"green again {since} s after its yellow", (m,))
            for foe in self._foes[m]:
                ends_now = memory.aspects[foe] == GREEN != aspects[foe]
                since, least = 0 if ends_now else memory.green_ended[foe], model.clearance[foe, m]
                if since < least:
                    yield Wrong("I3", f"green {since} s after the end of a conflicting one, {least} s needed", (foe, m))

    def _outstays(self, memory: Memory, after: Memory, aspects: tuple[int, ...], caller: int) -> Iterator[Wrong]:
        """More than the longest green, while somebody waits who has none."""
        greens = [m for m, aspect in enumerate(aspects) if aspect == GREEN]
        if caller < 0 or not greens or aspects[caller] == GREEN or after.steady <= 1:
            return
        longest = max(int(self._model.max_green[m]) for m in greens)
        if 0 < longest <= memory.steady:
            yield Wrong("I5", f"green for more than {longest} s while somebody waits", (greens[0], caller))
