"""The Indiana high-resolution event log of a run: what a field controller would have written of the same minutes.

An onlooker that looks every second. Codes: Indiana Traffic Signal Hi Resolution Data Logger Enumerations (Purdue,
2012 and 2019). Lamps change on whole seconds; vehicles pass advance detectors in tenths, worked out from where they
were a second before; presence is read once a second. Only channels and times are written, no vehicle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from intergreen.agents.evaluation.hires_map import LogMap, log_map
from intergreen.envs.signals.aspects import GREEN, YELLOW
from intergreen.envs.signals.state import INTERVENTIONS
from intergreen.envs.simulators import engine_core

if TYPE_CHECKING:
    from collections.abc import Sequence

    from intergreen.envs.arrays import BoolArray, FloatArray, IntArray
    from intergreen.envs.core import Core, TrafficCore
    from intergreen.envs.simulation import Positions

PHASE_ON, BEGIN_GREEN, MIN_GREEN_COMPLETE, GAP_OUT, MAX_OUT, FORCE_OFF, END_GREEN = 0, 1, 3, 4, 5, 6, 7
BEGIN_YELLOW, END_YELLOW, BEGIN_RED_CLEARANCE, END_RED_CLEARANCE, PHASE_INACTIVE = 8, 9, 10, 11, 12
CALL_REGISTERED, CALL_DROPPED, DETECTOR_OFF, DETECTOR_ON = 43, 44, 81, 82
PATTERN, CYCLE_LENGTH, FLASH_STATUS = 131, 132, 173
FREE, NO_CYCLE, NO_FLASH = 254, 0, 2
PASSAGE_S = 3  # nobody at the stop line for so long: the green gapped out
ON_TENTHS = 3  # that a passing vehicle keeps an advance detector on
_MAX_GREEN = INTERVENTIONS.index("maximum green")
_RED, _YELLOW, _GREEN = 0, 1, 2


class Event(NamedTuple):
    """One row: tenths of a second since the start, the signal's number in the plan, code, parameter."""

    tenths: int
    signal: int
    code: int
    parameter: int


class HiresLog:
    """Collects the events of the first replica of a batch; give it to `evaluate` with `look_every_s=1`."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.map: LogMap

    def start(self, core: Core, seeds: Sequence[int]) -> None:
        native = engine_core(core, core.network.name, "be logged with a controller's events")
        if len(seeds) != 1:
            raise ValueError(f"a log is of one run, got {len(seeds)} seeds")
        self.events = []
        self.map = log_map(core.network, core.plan)
        self._lamps = _Lamps(self.map, core)
        self._detectors = _Detectors(self.map, native)
        for signal in range(core.plan.n_signals):
            opening = ((PATTERN, FREE), (CYCLE_LENGTH, NO_CYCLE), (FLASH_STATUS, NO_FLASH))
            self.events += [Event(0, signal, code, value) for code, value in opening]

    def look(self, core: Core, wanted: IntArray) -> None:
        """What the second before has brought."""
        if core.time_s > 0:
            self.events += self._lamps.look(core, self._detectors.quiet_s)
        self.events += self._detectors.look(core, self._lamps.state)

    def end(self, core: Core) -> None:
        self.look(core, core.phase)
        self.events.sort(key=lambda event: (event.tenths, _rank(event.code), event.signal, event.parameter))


def _rank(code: int) -> float:
    """Where events of a tenth stand: a phase is over before it begins anew."""
    return PHASE_INACTIVE + (1 + code) / 10.0 if code in (PHASE_ON, BEGIN_GREEN) else code


class _Lamps:
    """The state of every log phase, and the events of its changes."""

    def __init__(self, mapped: LogMap, core: Core) -> None:
        self._phases = mapped.phases
        self._movement = np.array([phase.movements[0] for phase in mapped.phases], np.int64)
        self._signal = np.array([phase.signal for phase in mapped.phases], np.int64)
        n = len(mapped.phases)
        self.state = np.full(n, _RED)
        self._clearing = np.zeros(n, np.bool_)  # red, and no phase is on display since
        self._min_due = np.full(n, -1)  # second in which its least green is over
        self._forced = np.zeros(core.plan.n_signals, np.int64)

    def look(self, core: Core, quiet_s: IntArray) -> list[Event]:
        """Events of the second that has ended; what it showed began with it."""
        second, before = core.time_s - 1, self.state
        aspect = core.aspects[0, self._movement]
        self.state = np.where(aspect == GREEN, _GREEN, np.where(aspect == YELLOW, _YELLOW, _RED))
        forced = core.interventions[0, :, _MAX_GREEN].astype(np.int64)
        by_limit, self._forced = forced > self._forced, forced
        events: list[Event] = []
        for g in np.flatnonzero(self.state != before).tolist():
            events += self._change(g, int(before[g]), second, bool(by_limit[self._signal[g]]), int(quiet_s[g]))
            if self.state[g] == _GREEN:
                self._min_due[g] = second + self._min_green_s(core, g)
        was_green = before == _GREEN
        for g in np.flatnonzero(was_green & (self._min_due == second)).tolist():
            events += self._event(g, second, MIN_GREEN_COMPLETE)
        return events + self._cleared(core, second)

    def _change(self, g: int, before: int, second: int, by_limit: bool, quiet_s: int) -> list[Event]:
        now, codes = int(self.state[g]), []
        if before == _GREEN:
            codes += [MAX_OUT if by_limit else GAP_OUT if quiet_s >= PASSAGE_S else FORCE_OFF, END_GREEN, BEGIN_YELLOW]
        if now == _RED:
            codes += [END_YELLOW, BEGIN_RED_CLEARANCE]
            self._clearing[g] = True
        if now == _GREEN:
            if before == _YELLOW:
                codes += [END_YELLOW, BEGIN_RED_CLEARANCE]
            if before == _YELLOW or self._clearing[g]:
                codes += [END_RED_CLEARANCE, PHASE_INACTIVE]
                self._clearing[g] = False
            codes += [PHASE_ON, BEGIN_GREEN]
        return [event for code in codes for event in self._event(g, second, code)]

    def _cleared(self, core: Core, second: int) -> list[Event]:
        """Red clearance ends when a phase is on display again; where that is at once, a tenth of a second later."""
        shown = core.displayed[0]
        on_display = (shown >= 0) & (shown != core.plan.clearance_phase)
        events: list[Event] = []
        for g in np.flatnonzero(self._clearing & on_display[self._signal] & (self.state == _RED)).tolist():
            self._clearing[g] = False
            for code in (END_RED_CLEARANCE, PHASE_INACTIVE):
                events.append(Event(10 * second + 1, int(self._signal[g]), code, self._phases[g].number))
        return events

    def _min_green_s(self, core: Core, g: int) -> int:
        """Of the phase on display; -1 where the timing has no such rule."""
        i = self._signal[g]
        shown, plan = int(core.displayed[0, i]), core.plan
        return int(plan.rules.min_green[plan.phase_offset[i] + shown]) or -1 if shown >= 0 else -1

    def _event(self, g: int, second: int, code: int) -> list[Event]:
        return [Event(10 * second, int(self._signal[g]), code, self._phases[g].number)]


class _Detectors:
    """Vehicles over the advance detectors and at the stop lines."""

    def __init__(self, mapped: LogMap, core: TrafficCore) -> None:
        n_lanes, n_phases = core.network.n_lanes, len(mapped.phases)
        self._phases = mapped.phases
        self._n_lanes = n_lanes
        self._on_lane = {function: np.full(n_lanes, -1) for function in ("Advance", "Presence")}  # detector's index
        self._place: dict[str, FloatArray] = {function: np.full(n_lanes, np.inf) for function in self._on_lane}
        for k, one in enumerate(mapped.detectors):
            self._on_lane[one.function][one.lane] = k
            self._place[one.function][one.lane] = one.distance_m
        self._detectors = mapped.detectors
        self._occupied = np.zeros(len(mapped.detectors), np.bool_)
        self._phase_of = np.array([one.phase for one in mapped.detectors], np.int64)
        self._called = np.zeros(n_phases, np.bool_)
        self.quiet_s: IntArray = np.zeros(n_phases, np.int64)  # since anybody was at the phase's stop lines
        n_trips = core.engine.trips.release.shape[1]
        self._was_on = np.full(n_trips, -1)
        self._was_at = np.zeros(n_trips)

    def look(self, core: Core, state: IntArray) -> list[Event]:
        now, seen = core.time_s, core.positions()
        events = self._passed(seen, now)
        self._was_on[:] = -1
        self._was_on[seen.trip] = seen.drivable
        self._was_at[seen.trip] = seen.distance
        return events + self._present(seen, now) + self._calls(state, now)

    def _passed(self, seen: Positions, now: int) -> list[Event]:
        lane = np.where(seen.drivable < self._n_lanes, seen.drivable, 0)
        place = np.where(seen.drivable < self._n_lanes, self._place["Advance"][lane], np.inf)
        was_past = (self._was_on[seen.trip] == seen.drivable) & (self._was_at[seen.trip] >= place)
        passed = np.flatnonzero((seen.distance >= place) & ~was_past)
        stayed = self._was_on[seen.trip] == seen.drivable
        speed = np.where(stayed, seen.distance - self._was_at[seen.trip], seen.speed)  # over the second, m/s
        events = []
        for k in passed.tolist():
            ago_s = min((seen.distance[k] - place[k]) / max(speed[k], 0.1), 1.0)
            tenths = int(np.clip(np.floor(10.0 * (now - ago_s)), 10 * (now - 1), 10 * now - 1))
            one = self._detectors[self._on_lane["Advance"][seen.drivable[k]]]
            events.append(Event(max(tenths, 0), one.signal, DETECTOR_ON, one.number))
            events.append(Event(max(tenths, 0) + ON_TENTHS, one.signal, DETECTOR_OFF, one.number))
        return events

    def _present(self, seen: Positions, now: int) -> list[Event]:
        on_lane = seen.drivable < self._n_lanes
        lane = seen.drivable[on_lane]
        there = lane[seen.distance[on_lane] >= self._place["Presence"][lane]]
        occupied: BoolArray = np.zeros(len(self._detectors), np.bool_)
        occupied[self._on_lane["Presence"][there]] = True
        events = []
        for k in np.flatnonzero(occupied != self._occupied).tolist():
            one = self._detectors[k]
            events.append(Event(10 * now, one.signal, DETECTOR_ON if occupied[k] else DETECTOR_OFF, one.number))
        self._occupied = occupied
        busy = np.zeros(len(self.quiet_s), np.bool_)
        busy[self._phase_of[occupied]] = True
        self.quiet_s = np.where(busy, 0, self.quiet_s + 1)
        return events

    def _calls(self, state: IntArray, now: int) -> list[Event]:
        """A phase is called while it is not green and somebody waits at its stop line; green serves the call."""
        called = (state != _GREEN) & (self._called | (self.quiet_s == 0))
        changed = np.flatnonzero(called != self._called).tolist()
        self._called = called
        # Whoever is served was served when the second that has just been looked at began.
        return [
            Event(10 * now, self._phases[g].signal, CALL_REGISTERED, self._phases[g].number)
            if called[g]
            else Event(10 * max(now - 1, 0), self._phases[g].signal, CALL_DROPPED, self._phases[g].number)
            for g in changed
        ]
