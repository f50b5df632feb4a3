"""The monitor of many signals, where nothing is compiled. NumPy only; a test holds it equal to `monitor.watch`.

What changes as it should is taken note of by whole arrays (`lawful.py`), and where nothing changes the clocks of calls
go on by whole arrays too; `watch` itself looks at every other signal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from intergreen.envs.arrays import memory_of
from intergreen.envs.signals import monitor
from intergreen.envs.signals.aspects import GREEN
from intergreen.envs.signals.lawful import Shown, Sieve
from intergreen.envs.signals.monitor import FaultReport, MonitorMemory, MonitorState, make_memory, replica_rows
from intergreen.envs.signals.monitor_card import NEVER, MonitorCard

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from intergreen.envs.arrays import ByteArray

_BY_SIGNAL = ("first_column", "red_amber")
_STARTS = ("channel_start", "matrix_start")
_STATE_BY_SIGNAL = (
    "next_check", "conflict_since", "fault", "fault_tick", "fault_first", "fault_second", "n_faults",
)  # fmt: skip


class PlainMonitor:
    """One replica watched: `watch` every tick, then read `faults`.

    memory  what a watch so far has left, of the same card; None: nothing seen yet
    """

    def __init__(self, card: MonitorCard, memory: MonitorMemory | None = None) -> None:
        self.card = card
        self._memory = make_memory(card) if memory is None else memory
        self._state = replica_rows(self._memory, 0)
        sizes = np.diff(card.channel_start)
        self._signal = np.repeat(np.arange(len(sizes)), sizes)  # (N,) of every channel
        self._channel = card.channel.astype(np.intp)
        self._sieve = Sieve(card)
        self._alike = memory_of(np.zeros_like(card.signal))  # in the copies of one signal it is the first
        self._clock = np.zeros(1, np.int32)  # the tick that the copies of one signal are told
        self._every = _memory(card, self._state)
        self._single: dict[int, tuple[MonitorCard, MonitorState]] = {}  # of those that had to be looked at

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy reads memory of its own."""
        return type(self), (self.card, self._memory)

    def watch(self, aspects: ByteArray, calls: ByteArray) -> int:
        """Watch one tick of lamps (M,) and calls (M,). Returns the number of new faults."""
        state = self._state
        if len(state.tick) == 0:
            return 0
        tick = int(state.tick[0])
        lamps = aspects[self._channel]
        shown = Shown(tick, lamps, calls[self._channel], lamps != state.seen)
        look = state.next_check <= tick
        look[self._signal[shown.changed]] = True
        turned = np.flatnonzero((shown.calls != state.called) & (lamps & GREEN == 0) & ~look[self._signal])
        self._hear(turned, shown.calls[turned], tick)
        found = 0
        if look.any():
            lit, calling = memory_of(aspects), memory_of(calls)
            for i in np.flatnonzero(self._sieve.pass_lawful(look, shown, state)).tolist():
                self._clock[0] = tick
                found += int(monitor.watch(lit, calling, *self._alone(i)))
        state.tick[0] = tick + 1
        return found

    @property
    def faults(self) -> list[FaultReport]:
        """The latched fault of each signal that has one, by time."""
        return monitor.faults(self.card, self._memory)

    def _hear(self, turned: NDArray[np.intp], heard: ByteArray, tick: int) -> None:
        """The channels `turned`, whose lamps are as before, call from now on, or do so no more."""
        card, state = self.card, self._state
        begins_or_ends = (heard != 0) != (state.called[turned] != 0)
        state.called[turned] = heard
        clocked, waits = turned[begins_or_ends], heard[begins_or_ends] != 0
        longest = card.longest_wait[clocked]
        due = np.where(waits & (longest > 0), tick + longest, NEVER).astype(np.int32)
        state.call_due[clocked] = due
        np.minimum.at(state.next_check, self._signal[clocked], due)

    def _alone(self, i: int) -> tuple[MonitorCard, MonitorState]:
        if i not in self._single:
            self._single[i] = self._one(i, *self._every)
        return self._single[i]

    def _one(self, i: int, card: Any, state: Any) -> tuple[MonitorCard, MonitorState]:
        """Card and state of signal `i` alone; columns and channels keep their numbers."""
        one, two = slice(i, i + 1), slice(i, i + 2)
        mine = {name: getattr(card, name)[one] for name in _BY_SIGNAL}
        mine |= {name: getattr(card, name)[two] for name in _STARTS}
        mine["row_past"] = [1]  # no other signal is looked at in the same row
        mine["signal"] = self._alike
        its = {name: getattr(state, name)[one] for name in _STATE_BY_SIGNAL}
        return card._replace(**mine), state._replace(tick=memory_of(self._clock), **its)


def _memory(card: MonitorCard, state: MonitorState) -> tuple[Any, Any]:
    """Plain Python reads memory four times as fast as entries of an array."""
    arrays = [memory_of(values) if isinstance(values, np.ndarray) else values for values in card]
    return MonitorCard(*arrays), MonitorState(*(memory_of(values) for values in state))  # type: ignore[arg-type]
