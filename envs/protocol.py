"""Protocols: the timing rules that everything in one table shares.

A protocol names the decision interval, the clearance shown on a change, the phases to choose from and whether drivers
change lanes. Numbers measured under different protocols never share a table. The horizon is the scenario's, or what a
run asks for; tables are grouped by it as well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from intergreen.envs.errors import InputError, shown
from intergreen.envs.signals.plan import Choices

LONGEST_HORIZON_S = 1_000_000  # more than eleven days
SHIPPED = ("literature-30-5", "literature-15-5", "literature-10-5", "literature-10-2", "literature-5-2")
_LITERATURE = re.compile(r"literature-(\d{1,4})-(\d{1,4})(-lane-change)?", re.ASCII)
_EIGHT_PHASES = (5, 2)  # the one timing for which the literature chooses among eight phases


@dataclass(frozen=True, slots=True)
class Protocol:
    """Timing of one comparison, in whole seconds."""

    name: str
    interval_s: int
    clearance_s: int
    choices: Choices = "literature"
    lane_change: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.clearance_s < self.interval_s:
            raise ValueError(f"need 0 <= clearance_s < interval_s, got {self.clearance_s} and {self.interval_s}")


def protocol_by_name(name: str) -> Protocol:
    """Protocol `literature-D-C`: decide every D seconds, on a change C of them are clearance; any D > C >= 0.

    With `-lane-change` behind it drivers change lanes to pass queues, as in the tables of the CoLight and LLMLight
    family; without, they keep their lane.

    Raises
    ------
    InputError
        If the name has another shape, or D <= C.
    """
    match = _LITERATURE.fullmatch(name)
    if match is None:
        mend = f"use one of {', '.join(SHIPPED)}, any D > C, with -lane-change behind it if drivers shall"
        raise InputError("--protocol", "name", f"no protocol is called {shown(name)}", mend)
    interval_s, clearance_s = int(match[1]), int(match[2])
    if interval_s <= clearance_s:
        problem = f"the clearance of {clearance_s} s does not fit inside a decision interval of {interval_s} s"
        raise InputError("--protocol", name, problem, "write literature-D-C with D greater than C")
    choices: Choices = "literature-8" if (interval_s, clearance_s) == _EIGHT_PHASES else "literature"
    return Protocol(name, interval_s, clearance_s, choices, lane_change=match[3] is not None)
