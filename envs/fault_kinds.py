"""Faults to inject: what fails, where and when. Data alone; `detector_faults` makes readings of it.

Each class is a kind, as it is written in a file of faults. A fault of detectors falls on a share of them, drawn by the
run's seed, or on the named lanes. A fault of the policy is applied by whoever runs the policy.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """From second `begin_s` on, before second `end_s`; None: for ever."""

    kind: ClassVar[str]
    begin_s: int = 0
    end_s: int | None = None

    def __post_init__(self) -> None:
        if self.begin_s < 0:
            raise ValueError(f"need begin_s >= 0, got {self.begin_s}")
        if self.end_s is not None and self.end_s <= self.begin_s:
            raise ValueError(f"need end_s > begin_s, got {self.end_s} and {self.begin_s}")

    def is_on(self, time_s: int) -> bool:
        """Does it last in this second?"""
        return self.begin_s <= time_s and (self.end_s is None or time_s < self.end_s)

    def stated(self) -> dict[str, Any]:
        """As JSON has it: the kind and every setting."""
        values = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        return {"kind": self.kind, **values}


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorFault(Fault):
    """Of `share` (0-1) of the detectors, at least one where it is above 0, or of those on `lanes`.

    A lane is called as `RoadNetwork.lane_name` has it.
    """

    share: float | None = None
    lanes: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        Fault.__post_init__(self)
        if (self.share is None) == (self.lanes is None):
            raise ValueError("need either share or lanes, and not both")
        if self.share is not None and not 0.0 <= self.share <= 1.0:
            raise ValueError(f"need a share between 0 and 1, got {self.share}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop(DetectorFault):
    """Nothing arrives any more: the last reading before stays, and its age grows."""

    kind = "drop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dead(DetectorFault):
    """Reports an empty lane."""

    kind = "dead"


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze(DetectorFault):
    """Repeats the last reading before, or the first one where there was none, as if it were new."""

    kind = "freeze"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stick(DetectorFault):
    """Stuck on: reports `waiting_veh` vehicles, all of them waiting."""

    kind = "stick"
    waiting_veh: int = 10

    def __post_init__(self) -> None:
        DetectorFault.__post_init__(self)
        if self.waiting_veh < 0:
            raise ValueError(f"need waiting_veh >= 0, got {self.waiting_veh}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise(DetectorFault):
    """Each reading is wrong by a factor of its own: normal around 1 with standard deviation `sd`, never below 0.

    With `undercount` u, long queues hide vehicles: of w that wait, w / (1 + u w) are seen.
    """

    kind = "noise"
    sd: float
    undercount: float = 0.0

    def __post_init__(self) -> None:
        DetectorFault.__post_init__(self)
        for name, value in (("sd", self.sd), ("undercount", self.undercount)):
            if not 0.0 <= value < math.inf:
                raise ValueError(f"need a finite {name} >= 0, got {value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Undercount(DetectorFault):
    """Long queues hide vehicles, the more the longer they are: of w that wait, w / (1 + `per_veh` w) are seen."""

    kind = "undercount"
    per_veh: float = 0.05

    def __post_init__(self) -> None:
        DetectorFault.__post_init__(self)
        if not 0.0 <= self.per_veh < math.inf:
            raise ValueError(f"need a finite per_veh >= 0, got {self.per_veh}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NotANumber(DetectorFault):
    """Every value is NaN."""

    kind = "nan"


@dataclass(frozen=True, slots=True, kw_only=True)
class Infinite(DetectorFault):
    """Every value is infinite."""

    kind = "infinite"


@dataclass(frozen=True, slots=True, kw_only=True)
class Negative(DetectorFault):
    """Every value is -1."""

    kind = "negative"


@dataclass(frozen=True, slots=True, kw_only=True)
class Huge(DetectorFault):
    """Every value is a thousand million: a number, but of no road."""

    kind = "huge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay(DetectorFault):
    """Each reading is at least `seconds` old, and says so: the newest that is old enough."""

    kind = "delay"
    seconds: int

    def __post_init__(self) -> None:
        DetectorFault.__post_init__(self)
        if self.seconds <= 0:
            raise ValueError(f"need seconds > 0, got {self.seconds}")


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongLane(DetectorFault):
    """Reports the lane to the right on the same road; the rightmost the one to its left, and itself if it is alone."""

    kind = "wrong-lane"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFault(Fault):
    """A fault of the policy itself, not of what it sees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRaises(PolicyFault):
    """Every decision raises an exception."""

    kind = "policy-raises"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySleeps(PolicyFault):
    """Every decision takes `seconds` longer, by the wall clock."""

    kind = "policy-sleeps"
    seconds: float

    def __post_init__(self) -> None:
        PolicyFault.__post_init__(self)
        if not 0.0 < self.seconds < math.inf:
            raise ValueError(f"need a finite number of seconds > 0, got {self.seconds}")


DETECTOR_KINDS = (Drop, Dead, Freeze, Stick, Noise, Undercount, NotANumber, Infinite, Negative, Huge, Delay, WrongLane)
POLICY_KINDS = (PolicyRaises, PolicySleeps)
FAULT_KINDS: dict[str, type[Fault]] = {one.kind: one for one in (*DETECTOR_KINDS, *POLICY_KINDS)}
