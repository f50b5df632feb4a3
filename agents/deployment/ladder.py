"""The fallback ladder: who decides for a signal when something goes wrong, and the way back up. NumPy only.

learned policy → actuated control on the detectors that still work → fixed-time programme → all red, flashing. A signal
steps down at once to the rung that its trouble asks for; it climbs one rung when nothing has been wrong for a hold
time, and only when its phase changes. Every signal has a rung of its own; the shield stays below all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from intergreen.envs.arrays import BoolArray, IntArray


class Rung(IntEnum):
    """Who decides; a higher number is a lower rung."""

    LEARNED = 0
    ACTUATED = 1
    PROGRAMME = 2
    FLASH = 3


RUNG_NAMES = {
    Rung.LEARNED: "learned policy",
    Rung.ACTUATED: "actuated control",
    Rung.PROGRAMME: "fixed-time programme",
    Rung.FLASH: "all-red flash",
}
BACK_UP = "nothing wrong for the hold time"


@dataclass(frozen=True, slots=True)
class RungChange:
    """One line of the log."""

    time_s: int
    replica: int
    signal: int  # index in the plan
    before: Rung
    after: Rung
    reason: str


class Needs:
    """The lowest rung that anything asks for, signal by signal, and the first reason for it."""

    def __init__(self, n_replicas: int, n_signals: int) -> None:
        self.rung = np.zeros((n_replicas, n_signals), np.int32)
        self._reasons: list[tuple[int, BoolArray, str | Callable[[int, int], str]]] = []

    def ask(self, which: BoolArray, rung: Rung, reason: str | Callable[[int, int], str]) -> None:
        """The signals `which` (B, I) have to go down to `rung`, if they stand above it."""
        if which.any():
            self.rung = np.where(which, np.maximum(self.rung, rung), self.rung).astype(np.int32)
            self._reasons.append((int(rung), which, reason))

    def reason(self, b: int, i: int) -> str:
        """Why signal `i` of replica `b` has to be as low as it has to."""
        for rung, which, reason in self._reasons:
            if rung == self.rung[b, i] and which[b, i]:
                return reason if isinstance(reason, str) else reason(b, i)
        return ""


class Ladder:
    """The rung of every signal, and the log of all changes."""

    def __init__(self, n_replicas: int, n_signals: int, hold_s: int) -> None:
        self.rung: IntArray = np.zeros((n_replicas, n_signals), np.int32)
        self.since_s: IntArray = np.zeros((n_replicas, n_signals), np.int64)  # when each came to its rung
        self.log: list[RungChange] = []
        self._hold_s = hold_s
        self._clear_since = np.zeros((n_replicas, n_signals), np.int64)
        self._phase: IntArray | None = None

    def wait(self, seconds: int) -> None:
        """Count so many as if they had not been."""
        self.since_s += seconds
        self._clear_since += seconds

    def step(self, needs: Needs, phase: IntArray, time_s: int) -> IntArray:
        """(B, I) the rungs from now on; phase (B, I) is what each signal last showed as green."""
        if not (needs.rung.any() or self.rung.any()):  # as at most times
            self._phase = phase.copy()
            return self.rung
        down = needs.rung > self.rung
        troubled = needs.rung >= np.maximum(self.rung, 1)
        self._clear_since = np.where(troubled, time_s, self._clear_since)
        boundary = np.zeros_like(down) if self._phase is None else phase != self._phase
        held = time_s - self._clear_since >= self._hold_s
        up = (needs.rung < self.rung) & ~troubled & held & boundary & (self.rung < Rung.FLASH)
        for b, i in np.argwhere(down | up).tolist():
            after = Rung(needs.rung[b, i]) if down[b, i] else Rung(self.rung[b, i] - 1)
            reason = needs.reason(b, i) if down[b, i] else BACK_UP
            self.log.append(RungChange(time_s, b, i, Rung(self.rung[b, i]), after, reason))
            self.rung[b, i] = after
            self.since_s[b, i] = self._clear_since[b, i] = time_s
        self._phase = phase.copy()
        return self.rung
