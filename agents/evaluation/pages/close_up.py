"""One seed of a run seen closely: where time is lost, who drove along an arterial, what every signal showed.

What is kept does not grow with the vehicles: sums per road, lines of one arterial in one stretch of time, and events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from intergreen.agents.deployment.names import decider_by_name
from intergreen.agents.evaluation.pages.arterial import Arterial, longest_arterial
from intergreen.agents.evaluation.pages.events import SignalEvents
from intergreen.agents.evaluation.pages.simplify import Simplifier
from intergreen.agents.evaluation.run import evaluate
from intergreen.agents.progress import Progress, part_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from intergreen.agents.evaluation.compare import Cell
    from intergreen.envs.arrays import FloatArray, IntArray
    from intergreen.envs.core import Core
    from intergreen.envs.signals import SignalPlan
    from intergreen.envs.simulation import Positions

WINDOW_S = 600
_TOLERANCE_M = 2.0  # less than a line is wide


class Line(NamedTuple):
    """A vehicle's drive along the arterial: seconds and metres from its beginning."""

    time_s: IntArray
    along_m: FloatArray


class CloseUp(NamedTuple):
    """What a page and a figure show of one run.

    seed               of the trips
    window_s           first and last second of the lines
    delayed_veh        (R,) vehicles held up on each road, on average over the run: each counts by the share of the
                       limit that it lacks, so that this is also vehicle hours lost per hour
    arterial, lines    None where no signal stands on a way straight on
    signals            what every signal showed, was asked for and was overruled
    plan               whose phases and signals they are
    """

    seed: int
    window_s: tuple[int, int]
    delayed_veh: FloatArray
    arterial: Arterial | None
    lines: tuple[Line, ...]
    signals: SignalEvents
    plan: SignalPlan


class Close:
    """An onlooker for one seed, to be told of every second."""

    signals: SignalEvents

    def __init__(self, arterial: Arterial | None, window_s: tuple[int, int]) -> None:
        self._arterial, self._window_s = arterial, window_s
        self._drives = _Drives()
        self._lost_s: FloatArray = np.zeros(0)

    def start(self, core: Core, seeds: Sequence[int]) -> None:
        """Begin with nothing seen."""
        if len(seeds) != 1:
            raise ValueError(f"a close-up shows one seed, got {len(seeds)}")
        network = core.network
        self.signals = SignalEvents(core)
        self._lost_s = np.zeros(network.n_roads)
        lane = np.concatenate([np.arange(network.n_lanes), network.link_from_lane])
        self._road_of, self._limit = network.lane_road[lane], network.lane_speed_limit_mps[lane]

    def look(self, core: Core, wanted: IntArray) -> None:
        """Note a second."""
        self._note(core)
        self.signals.note_wish(core.time_s, wanted[0])

    def end(self, core: Core) -> None:
        """Note the last second."""
        self._note(core)

    def seen(self, seed: int, horizon_s: int, plan: SignalPlan) -> CloseUp:
        """What was seen."""
        delayed = self._lost_s / max(horizon_s, 1)
        return CloseUp(seed, self._window_s, delayed, self._arterial, self._drives.lines(), self.signals, plan)

    def _note(self, core: Core) -> None:
        now = core.positions()
        lacks = 1.0 - np.minimum(now.speed / self._limit[now.drivable], 1.0)
        self._lost_s += np.bincount(self._road_of[now.drivable], weights=lacks, minlength=len(self._lost_s))
        self.signals.note(core)
        if self._arterial is not None and self._window_s[0] <= core.time_s <= self._window_s[1]:
            self._drives.note(core.time_s, now, self._arterial.drivable_begins_m)


class _Drives:
    """Lines of those on some drivables."""

    def __init__(self) -> None:
        self._simplifier = Simplifier(_TOLERANCE_M)
        self._line_of: dict[int, int] = {}  # of those who were there a second ago

    def note(self, time_s: int, now: Positions, begins_m: FloatArray) -> None:
        on_it = begins_m[now.drivable] >= 0.0
        along = np.round(begins_m[now.drivable] + now.distance)[on_it].astype(np.int32)
        places = dict(zip(now.trip[on_it].tolist(), along.tolist(), strict=True))  # once, also who changes lanes
        going = [trip for trip in places if trip in self._line_of]
        coming = [trip for trip in places if trip not in self._line_of]
        lines = np.array([self._line_of[trip] for trip in going], np.int32)
        self._simplifier.go_on(lines, time_s, np.array([places[trip] for trip in going], np.int32))
        begun = self._simplifier.begin(time_s, np.array([places[trip] for trip in coming], np.int32))
        self._line_of = dict(zip([*going, *coming], [*lines.tolist(), *begun.tolist()], strict=True))

    def lines(self) -> tuple[Line, ...]:
        points = self._simplifier.points()
        cuts = np.flatnonzero(np.diff(points.line)) + 1
        pairs = zip(np.split(points.time_s, cuts), np.split(points.value, cuts), strict=True)
        return tuple(Line(time_s, along.astype(np.float64)) for time_s, along in pairs if len(time_s) > 1)


def close_ups(
    runs: Sequence[tuple[Cell, int]], *, horizon_s: int | None = None, progress: Progress | None = None
) -> list[CloseUp]:
    """Run every cell once more on the trips of its seed, looking closely; the numbers are those of `evaluate`."""
    return [
        _close_up(cell, seed, horizon_s, part_of(progress, number, len(runs), cell.controller_title))
        for number, (cell, seed) in enumerate(runs)
    ]


def _close_up(cell: Cell, seed: int, horizon_s: int | None, progress: Progress | None) -> CloseUp:
    scenario, controller = cell.scenario, decider_by_name(cell.controller_name)
    horizon_s = scenario.horizon_s if horizon_s is None else horizon_s
    plan = cell.protocol.plan(scenario.network, own_clearance=controller.own_clearance)
    onlooker = Close(longest_arterial(scenario.network, plan.intersection, scenario.flows_vph()), _window(horizon_s))
    evaluate(
        scenario,
        controller,
        cell.protocol,
        seeds=[seed],
        horizon_s=horizon_s,
        faults=cell.faults,
        progress=progress,
        onlooker=onlooker,
        look_every_s=1,
    )
    return onlooker.seen(seed, horizon_s, plan)


def _window(horizon_s: int) -> tuple[int, int]:
    """Ten minutes in the middle of the run, or all of a shorter one."""
    first = max(0, (horizon_s - WINDOW_S) // 2)
    return first, min(first + WINDOW_S, horizon_s)
