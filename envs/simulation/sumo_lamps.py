"""Aspects of movements as states of SUMO's signals, and back. Knows no SUMO, only its letters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from intergreen.envs.aspects import DARK, GREEN, RED, RED_AMBER, YELLOW

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from intergreen.envs.arrays import ByteArray
    from intergreen.envs.network.sumo_index import SignalLamps

HAS_WAY, YIELDS = "G", "g"
_FIRST = "yrugG"  # of what several lamps of one link index show: all of them must have green
_LETTER = {DARK: "r", RED: "r", YELLOW: "y", RED_AMBER: "u"}  # without a turn on red, which is `s`
_ASPECT = {"r": RED, "y": YELLOW, "Y": YELLOW, "u": RED_AMBER, "G": GREEN, "g": GREEN}  # others: dark


class Lamps:
    """The signals of one simulation, and what they were last told."""

    def __init__(self, signals: Sequence[SignalLamps], n_movements: int) -> None:
        self._signals = signals
        self._movement = [np.array(signal.movement, np.int32) for signal in signals]
        self._told: list[bytes] = [b""] * len(signals)
        self._seen: list[tuple[str, ByteArray]] = [("", np.zeros(0, np.uint8)) for _ in signals]
        lit = np.zeros(n_movements, np.bool_)
        for movement in self._movement:
            lit[movement] = True
        self._without_lamp = np.flatnonzero(~lit)

    def changes(self, aspects: ByteArray) -> Iterator[tuple[str, str]]:
        """Signals and states of those whose movements (M,) show something else than they were last told."""
        for k, signal in enumerate(self._signals):
            mine = aspects[self._movement[k]]
            key = mine.tobytes()
            if key != self._told[k]:
                self._told[k] = key
                yield signal.id, state_of(signal, mine)

    def read(self, states: Sequence[str], meant: ByteArray) -> ByteArray:
        """(M,) what the states show, all lamps of a movement put together; movements without one as they were meant."""
        shown = np.zeros(len(meant), np.uint8)
        shown[self._without_lamp] = meant[self._without_lamp]
        for k, (signal, state) in enumerate(zip(self._signals, states, strict=True)):
            if self._seen[k][0] != state:
                lit = np.array([_ASPECT.get(state[at], DARK) for at in signal.character], np.uint8)
                self._seen[k] = state, lit
            np.bitwise_or.at(shown, self._movement[k], self._seen[k][1])
        return shown


def state_of(signal: SignalLamps, aspects: ByteArray) -> str:
    """One letter for each link of the signal; links of no movement of ours are red.

    aspects  (N,) of the signal's lamps
    """
    letters: dict[int, str] = {}
    green = (aspects == GREEN).tolist()
    for lamp, (at, aspect) in enumerate(zip(signal.character, aspects.tolist(), strict=True)):
        if aspect == GREEN:
            letter = YIELDS if any(green[other] for other in signal.yields_to[lamp]) else HAS_WAY
        else:
            letter = _LETTER[aspect]
        letters[at] = min(letters.get(at, letter), letter, key=_FIRST.index)
    return "".join(letters.get(at, "r") for at in range(signal.length))
