"""Protocols: the timing rules that everything in one table shares.

A protocol names the decision interval, the rules that time the signals, the phases to choose from and whether drivers
change lanes. Numbers measured under different protocols never share a table. The horizon is the scenario's, or what a
run asks for; tables are grouped by it as well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING

from intergreen.envs.errors import InputError, shown
from intergreen.envs.signals import FieldTiming, FixedClearance, OwnClearance, make_plan
from intergreen.envs.signals.plan import Choices
from intergreen.envs.signals.presets import PROFILES, profile_by_name

if TYPE_CHECKING:
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.signals import SignalPlan

LONGEST_HORIZON_S = 1_000_000  # more than eleven days
LITERATURE = ("literature-30-5", "literature-15-5", "literature-10-5", "literature-10-2", "literature-5-2")
RESCO = ("resco", "resco-5-2")
FIELD = ("us-mutcd-5", "de-rilsa-5", "cn-gb-5")
SHIPPED = (*LITERATURE, *RESCO, *FIELD)
_PLAIN_FIELD = "us-mutcd"  # what `field` stands for
_LITERATURE = re.compile(r"literature-(\d{1,4})-(\d{1,4})(-lane-change)?", re.ASCII)
_RESCO = re.compile(r"resco(?:-(\d{1,4})-(\d{1,4}))?(-lane-change)?", re.ASCII)
_FIELD = re.compile(rf"(field|{'|'.join(PROFILES)})(?:-(\d{{1,4}}))?(-lane-change)?", re.ASCII)
_EIGHT_PHASES = (5, 2)  # the one timing for which the literature chooses among eight phases
_RESCO_SECONDS = ("10", "3")  # Ault and Sharon (2021), "Reinforcement learning benchmarks for traffic signal control"
_FIELD_INTERVAL_S = 5


def checked_seconds(name: str, seconds: object) -> int:
    """As a plain number, those of NumPy too; ValueError unless they are whole and at least one."""
    is_whole = isinstance(seconds, Integral) or (isinstance(seconds, float) and seconds.is_integer())
    if not is_whole or isinstance(seconds, bool) or seconds < 1:  # type: ignore[operator]
        raise ValueError(f"need whole seconds >= 1 as {name}, got {seconds!r}")
    return int(seconds)  # type: ignore[call-overload]


@dataclass(frozen=True, slots=True)
class Protocol:
    """Timing of one comparison, in whole seconds."""

    name: str
    interval_s: int
    timing: FixedClearance | FieldTiming
    choices: Choices = "literature"
    lane_change: bool = False

    def __post_init__(self) -> None:
        checked_seconds("interval_s", self.interval_s)

    @property
    def clearance_s(self) -> int | None:
        """Seconds between any two greens; None: timed for every movement."""
        return self.timing.seconds if isinstance(self.timing, FixedClearance) else None

    def plan(self, network: RoadNetwork, *, own_clearance: bool = False) -> SignalPlan:
        """The network's signals under this protocol.

        own_clearance  what is shown is a programme with clearance phases of its own: the literature shows it as it is,
                       field timing does not trust it
        """
        has_clearances = network.conventions == "cityflow"
        as_it_is = own_clearance and has_clearances and isinstance(self.timing, FixedClearance)
        return make_plan(network, choices=self.choices, timing=OwnClearance() if as_it_is else self.timing)


def protocol_by_name(name: str) -> Protocol:
    """The protocol of that name.

    `literature-D-C`: decide every D seconds, on a change C of them are clearance; any D > C >= 0. `resco-D-C`: the same
    with all phases to choose from, 10 s and 3 s where it says no numbers. `us-mutcd-D`,
    `de-rilsa-D`, `cn-gb-D`: decide every D seconds, 5 without the number, under timing computed for every movement;
    `field` is the first of them. With `-lane-change` behind it drivers change lanes to pass queues, as in the tables of
    the CoLight and LLMLight family; without, they keep their lane.

    Raises
    ------
    InputError
        If the name has another shape, D <= C, or D is 0.
    """
    match = _FIELD.fullmatch(name)
    if match is not None:
        return _field(name, match)
    match = _LITERATURE.fullmatch(name) or _RESCO.fullmatch(name)
    if match is None:
        mend = f"use one of {', '.join(SHIPPED)}, other seconds, with -lane-change behind it if drivers shall"
        raise InputError("--protocol", "name", f"no protocol is called {shown(name)}", mend)
    is_resco = match.re is _RESCO
    interval_s, clearance_s = (int(match[n] or _RESCO_SECONDS[n - 1]) for n in (1, 2))
    if interval_s <= clearance_s:
        problem = f"the clearance of {clearance_s} s does not fit inside a decision interval of {interval_s} s"
        raise InputError("--protocol", name, problem, f"write {'resco' if is_resco else 'literature'}-D-C, D above C")
    choices: Choices = (
        "all" if is_resco else "literature-8" if (interval_s, clearance_s) == _EIGHT_PHASES else "literature"
    )
    return Protocol(name, interval_s, FixedClearance(clearance_s), choices, lane_change=match[3] is not None)


def _field(name: str, match: re.Match[str]) -> Protocol:
    interval_s = int(match[2] or _FIELD_INTERVAL_S)
    if interval_s == 0:
        raise InputError("--protocol", name, "decides every 0 s", "give it 1 s or more")
    timing = FieldTiming(profile_by_name(_PLAIN_FIELD if match[1] == "field" else match[1]))
    return Protocol(name, interval_s, timing, "literature-8", lane_change=match[3] is not None)


def is_shipped(protocol: Protocol) -> bool:
    """Is it what its name stands for, and not one of a user's own?"""
    try:
        return protocol == protocol_by_name(protocol.name)
    except InputError:
        return False
