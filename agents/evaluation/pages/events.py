"""What changes now and then, kept as events: what signals show and are asked for, what the shield overruled, queues."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from intergreen.envs.signals.state import NOT_SHOWN

if TYPE_CHECKING:
    from intergreen.envs.arrays import BoolArray, IntArray
    from intergreen.envs.core import Core


class Events(NamedTuple):
    """(n,) each, in the order of time; `what` holds from `time_s` on, `of` says whose it is."""

    time_s: IntArray
    of: IntArray
    what: IntArray


class Display(NamedTuple):
    """One thing that a signal can show: the local phase (-1: a clearance without one) and each movement's lamps."""

    phase: int
    aspects: bytes


class _Changes:
    """Events of values that are looked at again and again."""

    def __init__(self) -> None:
        self._columns: list[tuple[IntArray, IntArray, IntArray]] = []
        self._before: IntArray | None = None

    def note(self, time_s: int, values: IntArray) -> None:
        """`values` (n,) hold from `time_s` on; those that are new become events."""
        changed: BoolArray = np.ones(len(values), np.bool_) if self._before is None else values != self._before
        of = np.flatnonzero(changed).astype(np.int32)
        self._columns.append((np.full(len(of), time_s, np.int32), of, values[of].astype(np.int32)))
        self._before = values.copy()

    def events(self) -> Events:
        empty = np.zeros(0, np.int32)
        return Events(*(np.concatenate([empty, *(column[k] for column in self._columns)]) for k in range(3)))


class SignalEvents:
    """Displays, wishes and interventions of one replica's signals, and the queues before them."""

    def __init__(self, core: Core, replica: int = 0) -> None:
        self._replica = replica
        at = [core.network.movements_of(j) for j in core.plan.intersection.tolist()]
        self._movements = at
        self._of_movement = np.full(core.network.n_movements, -1, np.int32)
        for i, part in enumerate(at):
            self._of_movement[part] = i
        self._lamps = np.zeros(core.network.n_movements, np.uint8)
        self._phase = np.full(len(at), NOT_SHOWN, np.int32)
        self._shown = np.zeros(len(at), np.int32)
        self._numbers: dict[Display, int] = {}
        self._display, self._wish, self._queue = _Changes(), _Changes(), _Changes()
        self._overruled = np.zeros_like(core.interventions[replica])
        self._interventions: list[tuple[int, int, int]] = []

    def note(self, core: Core) -> None:
        """Note what stood in the second that ends now, and the queues now. The first moment has no such second."""
        if core.time_s > 0:
            self._note_displays(core)
        self._note_interventions(core)

    def note_wish(self, time_s: int, wanted: IntArray) -> None:
        """Note the phases (I,) that the controller asks for from now on."""
        self._wish.note(time_s, wanted)

    def note_queues(self, time_s: int, waiting: IntArray) -> None:
        """Note how many wait on every lane (L,) now."""
        self._queue.note(time_s, waiting)

    @property
    def displays(self) -> list[Display]:
        """All that was ever shown; `what` of the display events counts in this list."""
        return list(self._numbers)

    def shown(self) -> Events:
        return self._display.events()

    def wished(self) -> Events:
        return self._wish.events()

    def queues(self) -> Events:
        return self._queue.events()

    def interventions(self) -> Events:
        """`what` counts in `INTERVENTIONS`."""
        columns = np.array(self._interventions, np.int32).reshape(-1, 3)
        return Events(columns[:, 0], columns[:, 1], columns[:, 2])

    def _note_displays(self, core: Core) -> None:
        lamps, phase = core.aspects[self._replica], core.displayed[self._replica]
        repainted = self._of_movement[np.flatnonzero(lamps != self._lamps)]
        changed = np.unique(np.concatenate([repainted[repainted >= 0], np.flatnonzero(phase != self._phase)]))
        for i in changed.tolist():
            display = Display(int(phase[i]), lamps[self._movements[i]].tobytes())
            self._shown[i] = self._numbers.setdefault(display, len(self._numbers))
        self._display.note(core.time_s - 1, self._shown)
        self._lamps, self._phase = lamps.copy(), phase.copy()

    def _note_interventions(self, core: Core) -> None:
        now = core.interventions[self._replica]
        for signal, reason in np.argwhere(now > self._overruled).tolist():
            self._interventions.append((max(core.time_s - 1, 0), signal, reason))
        self._overruled = now.copy()
