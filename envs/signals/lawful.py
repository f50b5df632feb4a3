"""Changes of many signals at once that are in order beyond doubt, so that `monitor.watch` need not look. NumPy only.

A sieve, and no second monitor: it knows one lamp after the other as drivers know them (green, yellow, red, and green
again, with red and amber before it where that is shown), finds by whole arrays which of them come no sooner and last no
longer than the card says, and writes down when they began. It raises nothing: at every signal where anything else is
seen, or any time is at its limit, it touches nothing, and `monitor.watch` looks. A test holds both together equal to
`monitor.watch` alone, whatever is shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from intergreen.envs.signals.aspects import DARK, GREEN, RED, RED_AMBER, YELLOW
from intergreen.envs.signals.monitor import GREEN_STAGE, STOP_STAGE, UNSEEN, YELLOW_STAGE
from intergreen.envs.signals.monitor_card import NEVER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from intergreen.envs.arrays import BoolArray, ByteArray, IntArray
    from intergreen.envs.signals.monitor import MonitorState
    from intergreen.envs.signals.monitor_card import MonitorCard

_LAMPS = 256  # every byte that may come; eight tell lamps
_END_GREEN, _END_YELLOW, _SKIP_YELLOW, _BEGIN_GREEN, _ANNOUNCE, _FIRST = 1, 2, 3, 4, 5, 6
_KINDS = {
    (GREEN, YELLOW): _END_GREEN,
    (YELLOW, RED): _END_YELLOW,
    (GREEN, RED): _SKIP_YELLOW,
    (RED, GREEN): _BEGIN_GREEN,
    (RED_AMBER, GREEN): _BEGIN_GREEN,
    (RED, RED_AMBER): _ANNOUNCE,
    **{(DARK, lamp): _FIRST for lamp in (RED, YELLOW, GREEN)},
}
_KIND = np.zeros((_LAMPS, _LAMPS), np.uint8)  # of a change from one aspect to another; 0 is for `monitor.watch`
for (_before, _after), _kind in _KINDS.items():
    _KIND[_before, _after] = _kind
_IS_USUAL = np.isin(np.arange(_LAMPS), (RED, YELLOW, GREEN, RED_AMBER))
_HAS_WAY = (np.arange(_LAMPS) & GREEN != 0) | (np.arange(_LAMPS) == YELLOW)
_STAGE = np.full(_LAMPS, STOP_STAGE, np.uint8)  # of the usual aspects
_STAGE[GREEN], _STAGE[YELLOW] = GREEN_STAGE, YELLOW_STAGE


class Shown(NamedTuple):
    """One tick of N channels."""

    tick: int
    lamps: ByteArray  # (N,)
    calls: ByteArray  # (N,) of whoever waits
    changed: BoolArray  # (N,) other lamps than a tick ago


class Sieve:
    """What of a card with I signals and N channels has to be looked up; the state is handed in and changed in place."""

    def __init__(self, card: MonitorCard) -> None:
        sizes = np.diff(card.channel_start)
        self._card = card
        self._signal = np.repeat(np.arange(len(sizes)), sizes)  # (N,) of every channel
        self._foes, self._clearance = _foes(card, sizes)
        self._first = card.channel_start[:-1]

    def pass_lawful(self, look: BoolArray, shown: Shown, state: MonitorState) -> BoolArray:
        """Take note of all that is in order at the signals `look` (I,), and return those (I,) where something may not
        be: their state is as it was."""
        signal, t = self._signal, shown.tick
        doubtful = state.conflict_since >= 0
        doubtful[signal[~_IS_USUAL[shown.lamps]]] = True
        changed = np.flatnonzero(shown.changed)
        kind = _KIND[state.seen[changed], shown.lamps[changed]]
        doubtful[signal[changed[~self._are_in_time(changed, kind, t, state)]]] = True
        begins = np.isin(kind, (_BEGIN_GREEN, _FIRST)) & _HAS_WAY[shown.lamps[changed]]
        begun, is_first = changed[begins], kind[begins] == _FIRST
        ends_green = changed[(kind == _END_GREEN) | (kind == _SKIP_YELLOW)]
        doubtful[signal[begun[self._are_in_the_way(begun, is_first, ends_green, shown, state)]]] = True
        call_due = self._call_due(shown, state)
        due = np.minimum(call_due, self._display_due(changed, kind, shown, state))
        earliest = np.minimum.reduceat(due, self._first)
        doubtful |= earliest <= t
        doubtful &= look
        passed = look & ~doubtful
        its = passed[signal]
        np.copyto(state.call_due, call_due, where=its)
        np.copyto(state.called, shown.calls, where=its & (shown.changed | (shown.lamps & GREEN == 0)))
        np.copyto(state.next_check, earliest, where=passed)
        is_its = its[changed]
        self._note(changed[is_its], kind[is_its], shown, state)
        return doubtful

    def _are_in_time(self, changed: NDArray[np.int64], kind: ByteArray, t: int, state: MonitorState) -> BoolArray:
        """Of every change: has what ends lasted for long enough, may what begins begin?"""
        card = self._card
        since = state.stage_since[changed]
        lasted = np.where(since < 0, NEVER, t - since)  # what began before watching is excused
        ended = state.way_end[changed]
        stopped = np.where(ended < 0, NEVER, t - ended)
        long_green = lasted >= card.green[changed]
        checks = (
            np.zeros(len(changed), np.bool_),
            long_green,
            lasted >= card.yellow[changed],
            long_green & (card.yellow[changed] == 0),
            stopped >= card.red_revert[changed],
            np.ones(len(changed), np.bool_),
            state.stage[changed] == UNSEEN,
        )
        in_time: BoolArray = np.choose(kind, checks)
        return in_time

    def _are_in_the_way(
        self,
        begun: NDArray[np.int64],
        is_first: BoolArray,
        ends_green: NDArray[np.int64],
        shown: Shown,
        state: MonitorState,
    ) -> BoolArray:
        """Of all whose right of way begins: has one that may not go together it too, or had it green too lately?"""
        if len(begun) == 0:
            return np.zeros(0, np.bool_)
        foes = self._foes[begun]
        has_way = np.append(_HAS_WAY[shown.lamps], False)  # the last for no channel
        green_end = np.append(state.green_end, -1)
        green_end[ends_green] = shown.tick
        ended = green_end[foes]
        soon = (ended >= 0) & (shown.tick - ended < self._clearance[begun]) & ~is_first[:, None]
        in_the_way: BoolArray = np.asarray((has_way[foes] | soon).any(axis=1))
        return in_the_way

    def _call_due(self, shown: Shown, state: MonitorState) -> IntArray:
        """(N,) when each call will have waited for too long; as it was where neither call nor green begins or ends."""
        longest = self._card.longest_wait
        waited = (state.called != 0) & (state.seen & GREEN == 0)
        waits = (shown.calls != 0) & (shown.lamps & GREEN == 0)
        new_due = np.where(waits & (longest > 0), shown.tick + longest, NEVER)
        return np.where(waits == waited, state.call_due, new_due).astype(np.int32)

    def _display_due(self, changed: NDArray[np.int64], kind: ByteArray, shown: Shown, state: MonitorState) -> IntArray:
        """(N,) when what each channel shows will have lasted for too long."""
        card = self._card
        due = np.where(shown.lamps == YELLOW, state.yellow_due, state.dual_due)
        yellow = changed[shown.lamps[changed] == YELLOW]
        due[yellow] = np.where(card.longest_yellow[yellow] > 0, shown.tick + card.longest_yellow[yellow], NEVER)
        due[changed[kind == _BEGIN_GREEN]] = NEVER
        announced = changed[kind == _ANNOUNCE]
        due[announced] = self._announced_due(announced, shown.tick)
        return due

    def _announced_due(self, channels: NDArray[np.int64], t: int) -> IntArray:
        due: IntArray = t + self._card.dual_ticks - 1 + self._card.red_amber[self._signal[channels]]
        return due

    def _note(self, changed: NDArray[np.int64], kind: ByteArray, shown: Shown, state: MonitorState) -> None:
        """Write down when each of these changes was."""
        card, t = self._card, shown.tick
        lamps = shown.lamps[changed]
        stage = _STAGE[lamps]
        state.shown_since[changed] = t
        state.green_end[changed[(kind == _END_GREEN) | (kind == _SKIP_YELLOW)]] = t
        state.way_end[changed[(kind == _END_YELLOW) | (kind == _SKIP_YELLOW)]] = t
        state.yellow_due[changed[kind == _END_YELLOW]] = NEVER
        yellow = changed[(lamps == YELLOW) & (card.longest_yellow[changed] > 0)]
        state.yellow_due[yellow] = t + card.longest_yellow[yellow]
        announced = changed[kind == _ANNOUNCE]
        state.dual_since[announced] = t
        state.dual_due[announced] = self._announced_due(announced, t)
        state.dual_due[changed[kind == _BEGIN_GREEN]] = NEVER
        state.stage_since[changed[kind == _FIRST]] = -1
        state.stage_since[changed[(kind != _FIRST) & (kind != _ANNOUNCE)]] = t
        state.stage[changed] = stage
        state.seen[changed] = lamps


def _foes(card: MonitorCard, sizes: IntArray) -> tuple[NDArray[np.intp], IntArray]:
    """(N, K) the channels that may not go together with each, N where there is none, and the least ticks from their end
    of green to its start."""
    n = len(card.channel)
    foes = np.full((n, int(sizes.max(initial=0))), n, np.intp)
    clearance = np.zeros(foes.shape, np.int32)
    for size in np.unique(sizes).tolist():
        which = np.flatnonzero(sizes == size)
        entries = card.matrix_start[which, None, None] + np.arange(size * size).reshape(size, size)
        channels = card.channel_start[which, None] + np.arange(size)
        is_foe = card.permissive[entries] == 0  # (signals, its channels, the others)
        foes[channels, :size] = np.where(is_foe, channels[:, None, :], n)
        clearance[channels, :size] = np.where(is_foe, card.clearance_before[entries], 0)
    return foes, clearance
