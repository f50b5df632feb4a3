"""The one interface of everything that decides, and what a controller is told at the start.

A controller answers for all signals of all replicas at once. It sees counts per lane, never a vehicle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from intergreen.envs.network.approaches import stop_line_ahead_m

if TYPE_CHECKING:
    from collections.abc import Sequence

    from intergreen.envs import protocol as timing
    from intergreen.envs.arrays import FloatArray, IntArray
    from intergreen.envs.core import TrafficCore
    from intergreen.envs.fault_kinds import PolicyFault
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.signals import SignalPlan, SignalStatus

# The published results for decisions every 30 s come out with the distance of 15 s and not with that of 30 s.
NEAR_AT_MOST_S = 15
_PARTS = ("name", "interval_s", "own_clearance", "start", "decide")  # of a Controller
CLEARANCE = -1  # as the phase shown at t = 0: begin in clearance towards the first wanted phase


@dataclass(frozen=True, slots=True)
class Setup:
    """What a controller knows before the first decision: B replicas of one network, I signals, one protocol.

    seeds      of every replica; empty: `seed` and those after it
    flows_vph  (M,) volumes that are expected on every movement, as a traffic survey gives them; None: not known
    """

    network: RoadNetwork
    plan: SignalPlan
    protocol: timing.Protocol
    n_replicas: int
    seed: int = 0
    flows_vph: FloatArray | None = None
    seeds: tuple[int, ...] = ()

    @property
    def replica_seeds(self) -> tuple[int, ...]:
        """One for every replica."""
        return self.seeds or tuple(range(self.seed, self.seed + self.n_replicas))


class LaneCounts(Protocol):
    """What a controller sees at a decision; (B, L), replicas × lanes, but for `arriving`.

    The simulator's counts are whole numbers. Readings of detectors that may fail (`intergreen.envs.readings`) are
    floats and may be anything: take them through `usable`.
    """

    @property
    def vehicles(self) -> IntArray | FloatArray: ...
    @property
    def waiting(self) -> IntArray | FloatArray: ...  # slower than 0.1 m/s
    @property
    def mean_speed(self) -> FloatArray: ...  # m/s, 0 on an empty lane
    @property
    def near(self) -> IntArray | FloatArray: ...  # moving, within `near_distance_m` of the stop line
    @property
    def arriving(self) -> IntArray | FloatArray: ...  # (B, L, bins) moving, by distance as observations have it


@runtime_checkable
class Controller(Protocol):
    """Decides which phase each signal should show; phases are local numbers.

    interval_s     seconds between decisions; None: the protocol's
    own_clearance  True: a programme with clearance phases of its own; the literature's timing inserts none then
    """

    name: str
    interval_s: int | None
    own_clearance: bool

    def start(self, setup: Setup) -> IntArray:
        """Prepare for a run; returns the phase shown at t = 0, (B, I), -1 to begin in clearance."""
        ...

    def decide(self, counts: LaneCounts, signals: SignalStatus, time_s: int) -> IntArray:
        """Wanted phase of every signal (B, I) from the counts and what the signals show."""
        ...


def check_controller(controller: object) -> None:
    """Refuse what is no controller before a run finds out in the middle, or never.

    Raises
    ------
    TypeError
        If it is a class, or lacks a part of `Controller`.
    ValueError
        If it has no name, or does not decide after whole seconds.
    """
    if isinstance(controller, type):
        raise TypeError(f"need a controller, got its class; write {controller.__name__}(...)")
    if isinstance(controller, str):
        raise TypeError(f"need a controller, not its name: decider_by_name({controller!r}), of agents.deployment.names")
    missing = [part for part in _PARTS if not hasattr(controller, part)]
    if missing:
        raise TypeError(
            f"a {type(controller).__name__} is no controller, it has no {', '.join(missing)}; see Controller"
        )
    name = controller.name  # type: ignore[attr-defined]
    if not (isinstance(name, str) and name):
        raise ValueError(f"need a name that is a text, got {name!r}")
    interval_s = controller.interval_s  # type: ignore[attr-defined]
    if interval_s is not None and not (isinstance(interval_s, int | np.integer) and interval_s >= 1):
        raise ValueError(f"need an interval_s of whole seconds >= 1, or None for the protocol's, got {interval_s!r}")


@runtime_checkable
class Breakable(Protocol):
    """A controller whose policy can be made to fail, to see what stands behind it."""

    def break_policy(self, faults: Sequence[PolicyFault]) -> None:
        """From the next `start` on, let the policy fail in these ways; none: not at all."""
        ...


@runtime_checkable
class Timetable(Protocol):
    """A controller whose next change is known, so that the seconds before it need not be asked one by one."""

    def seconds_until_change(self, time_s: int) -> int:
        """Whole seconds (>= 1) from `time_s` for which the decision at `time_s` stands."""
        ...


@runtime_checkable
class Foresighted(Protocol):
    """An oracle: it decides by looking into the simulation itself, trips to come included."""

    def look_into(self, core: TrafficCore) -> None:
        """After `start` and before the first decision: decide for the replicas of this core."""
        ...


def near_distance_m(network: RoadNetwork, interval_s: int) -> FloatArray:
    """(L,) m from the end of each lane: who is nearer can reach the stop line by the next decision, at the limit."""
    distance_m = network.lane_speed_limit_mps * float(min(interval_s, NEAR_AT_MOST_S))
    within: FloatArray = np.maximum(distance_m - stop_line_ahead_m(network), 0.0)
    return within
