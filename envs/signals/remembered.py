"""What the shield showed next, remembered: for many signals in a second, where nothing is compiled. NumPy only.

No rule stands here. What a signal shows next follows from what it shows, which phase, which transition and which wish
it has, whether its green may end, and whose calls come before any wish; and alike signals show the same. So
`shield.tick` is run once for every such situation, on a signal by itself, and whoever comes into it again looks up what
came of it. There are some hundreds for a kind of junction. Longest greens are left to the shield.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from intergreen.envs.signals import shield
from intergreen.envs.signals.machine import single
from intergreen.envs.signals.rules import Rules
from intergreen.envs.signals.state import (
    ALWAYS,
    BOTH_GREEN,
    FORCED_WAIT,
    N_INTERVENTIONS,
    NEVER,
    NO_NEWS,
    NO_PHASE,
    NOT_SHOWN,
    SignalState,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from intergreen.envs.arrays import BoolArray, ByteArray, IntArray

_LONG_GREEN_S = 1 << 20  # any green that may end; and negative, any that may not
_BITS = {"phase": 8, "target": 8, "left": 12, "displayed": 8, "wish": 8}  # of a key, before one bit for `may_end`,
_MOST_DISPLAYS = 2**18  # and behind those for the display
_MOST_CALLED = 2**20  # situations with callers,
_MOST_CALLERS = 63  # and as many bits
_FEW = 64  # situations
_NO_KEY = np.iinfo(np.int64).max  # ends all others
_LOWEST = min(NO_PHASE, BOTH_GREEN, NOT_SHOWN)  # of all that stands for a phase
_MOST_PHASES, _LONGEST_S = 2**8 + _LOWEST, 2**12 + _LOWEST


class Situations(NamedTuple):
    """Of n signals; phases are local."""

    display: IntArray  # (n,) which of all displays that were met so far
    phase: IntArray
    target: IntArray
    left: IntArray
    displayed: IntArray
    wish: IntArray  # NO_PHASE where it has no say
    may_end: BoolArray  # has the least green been shown; True where there is no green to end


class Outcomes(NamedTuple):
    """One second later."""

    display: IntArray  # (n,)
    phase: IntArray
    target: IntArray
    left: IntArray
    displayed: IntArray
    keeps: IntArray  # (n,) 1 where the seconds of green go on, 0 where they begin anew,
    adds: IntArray  # and how many come to them
    forced: IntArray  # (n,) wishes overruled by a call


class Remembered:
    """The situations of I signals met so far, and all displays, at most `width` movements each."""

    def __init__(self, rules: Rules) -> None:
        kinds: dict[bytes, int] = {}
        self._rules: list[Any] = []  # of each kind, as lists: plain Python reads them fast
        self.kind = np.empty(len(rules.n_phases), np.int32)  # (I,) signals of one kind have equal rules
        for i in range(len(self.kind)):
            one = single(rules, i)
            key = b"".join([b"%d " % len(values) + values.tobytes() for values in one])
            self.kind[i] = kinds.setdefault(key, len(kinds))
            if len(kinds) > len(self._rules):
                unending = one._replace(max_green=np.zeros_like(one.max_green))
                self._rules.append(Rules(*(np.asarray(values).tolist() for values in unending)))
        self._has_room = bool(
            rules.n_phases.max(initial=0) <= _MOST_PHASES and rules.transition.max(initial=0) < _LONGEST_S
        )
        width = max((one.movement_start[1] for one in self._rules), default=0)
        self._has_room &= width < _MOST_CALLERS
        self._numbers: dict[tuple[int, bytes], int] = {}  # of displays, by kind and aspects,
        self._displays: list[bytes] = []  # and the aspects by number
        self._aspects = np.zeros((64, width), np.uint8)
        self._called: dict[tuple[int, ...], tuple[int, ...]] = {}  # of the situations in which a call has a say
        self._new: dict[int, tuple[int, ...]] = {}  # of other situations met lately,
        self._keys = np.array([_NO_KEY])  # and of all met before, ascending
        self._outcomes = Outcomes(*(np.zeros(1, np.int32) for _ in Outcomes._fields))

    @property
    def has_room(self) -> bool:
        """Can every situation have a number of its own?"""
        return (
            self._has_room
            and len(self._displays) < _MOST_DISPLAYS - len(self.kind)
            and len(self._called) < _MOST_CALLED
        )

    @property
    def aspects(self) -> ByteArray:
        """(displays, width) lamps of the movements of a signal, in the order of its movements; then 0."""
        return self._aspects

    def display(self, kind: int, aspects: bytes) -> int:
        """The number of a display."""
        number = self._numbers.setdefault((kind, aspects), len(self._numbers))
        if number == len(self._displays):
            self._displays.append(aspects)
            if number == len(self._aspects):
                self._aspects = np.concatenate([self._aspects, np.zeros_like(self._aspects)])
            self._aspects[number, : len(aspects)] = np.frombuffer(aspects, np.uint8)
        return number

    def next_second(self, kind: IntArray, now: Situations) -> Outcomes:
        """What `shield.tick` makes of the situations of signals of these kinds (n,), if no call has a say."""
        keys = _keys(now)
        places = np.searchsorted(self._keys, keys)
        after = np.array([values[places] for values in self._outcomes])
        unknown = np.flatnonzero(self._keys[places] != keys)
        if len(unknown):
            after[:, unknown] = np.array(self._meet(keys, unknown, kind, now), np.int32).T
        return Outcomes(*after)

    def next_called(self, kind: IntArray, now: Situations, callers: NDArray[np.int64]) -> Outcomes:
        """The same where calls come before any wish, (n,) the oldest as bits by their places."""
        rows = zip(callers.tolist(), *(values.tolist() for values in now), strict=True)
        found = []
        for k, row in enumerate(rows):
            outcome = self._called.get(row)
            if outcome is None:
                outcome = self._called[row] = self._asked(int(kind[k]), row[1:], row[0])
            found.append(outcome)
        return Outcomes(*np.array(found, np.int32).reshape(-1, len(Outcomes._fields)).T)

    def _meet(
        self, keys: NDArray[np.int64], which: NDArray[np.intp], kind: IntArray, now: Situations
    ) -> list[tuple[int, ...]]:
        """What comes of situations met lately, or of those that nobody has been in: these the shield is asked about."""
        rows = zip(keys[which].tolist(), kind[which].tolist(), *(values[which].tolist() for values in now), strict=True)
        met = []
        for key, its_kind, *situation in rows:
            outcome = self._new.get(key)
            if outcome is None:
                outcome = self._new[key] = self._asked(its_kind, situation)
            met.append(outcome)
        if len(self._new) > max(_FEW, len(self._keys) // 4):
            self._put_in_order()
        return met

    def _put_in_order(self) -> None:
        """Move what was met lately to what is found by whole arrays; not every time, since that goes over all of it."""
        new = np.array(list(self._new), np.int64)
        order = np.argsort(new)
        places = np.searchsorted(self._keys, new[order])
        columns = np.array(list(self._new.values()), np.int32)[order].T
        self._outcomes = Outcomes(
            *(np.insert(values, places, column) for values, column in zip(self._outcomes, columns, strict=True))
        )
        self._keys = np.insert(self._keys, places, new[order])
        self._new = {}

    def _asked(self, kind: int, situation: Sequence[int], callers: int = 0) -> tuple[int, ...]:
        """One row of `Outcomes`: what the shield does with a signal of this kind, by itself."""
        display, phase, target, left, displayed, wish, may_end = situation
        aspects = self._displays[display]
        rules, n = self._rules[kind], len(aspects)
        green_s = _LONG_GREEN_S if may_end else -_LONG_GREEN_S
        calls = [callers >> place & 1 for place in range(n)]
        made: Any = SignalState  # of lists, which plain Python reads fast
        state = made(
            phase=[phase],
            target=[target],
            left=[left],
            displayed=[displayed],
            green_s=[green_s],
            due=[ALWAYS],
            least=[0],
            rests=[0],
            wish=[wish],
            time=[max(rules.call_limit, default=0) + rules.service[0]],
            red_since=[0] * n,
            call_since=[call - 1 for call in calls],  # 0 is as long ago as makes a single call overdue
            news=[NO_NEWS] * n,
            call_due=[0 if callers else NEVER],
            aspects=list(aspects),
            interventions=[0] * N_INTERVENTIONS,
        )
        shield.tick(rules, state, calls, [0] * n)  # type: ignore[arg-type]
        goes_on_s = state.green_s[0] - green_s
        keeps, adds = (1, goes_on_s) if goes_on_s in (0, 1) else (0, state.green_s[0])
        shown = self.display(kind, bytes(state.aspects))
        forced = state.interventions[FORCED_WAIT]
        return shown, state.phase[0], state.target[0], state.left[0], state.displayed[0], keeps, adds, forced


def _keys(now: Situations) -> NDArray[np.int64]:
    """(n,) a number for each situation; the display tells the kind too."""
    key = now.display.astype(np.int64)
    for name, bits in _BITS.items():
        key <<= bits
        key += getattr(now, name) - _LOWEST
    return key * 2 + now.may_end
