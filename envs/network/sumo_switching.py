"""SUMO's plans of the day (WAUTs): which programme of a signal runs when.

"Wechselautomatismen": a time of reference, the programme before the first switch, and switches to others, which may
come again every period (`MSTLLogicControl`). How SUMO passes from one to the other (at once, at good points, by
stretching) does not matter here: whatever is asked for, the shield puts its clearances between two greens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from intergreen.envs.network.xml_file import Tag

OFF = "off"  # SUMO's name for a signal that is switched off


class Switch(NamedTuple):
    """The second of SUMO's clock in which a programme takes over."""

    time_s: float
    programme: str


class Plan(NamedTuple):
    """One WAUT; `period_s` is 0 where it switches once."""

    first: str
    switches: tuple[Switch, ...]  # by time
    period_s: float

    def at(self, time_s: float) -> str:
        """The programme that runs in that second."""
        done = time_s // self.period_s if self.period_s else 0
        due = [one.programme for one in self.switches if one.time_s <= time_s - done * self.period_s]
        before = self.switches[-1].programme if done and self.switches else self.first
        return due[-1] if due else before

    def between(self, begin_s: float, end_s: float) -> list[Switch]:
        """The switches after `begin_s` and before `end_s`, those that come again at most twice."""
        rounds = [0.0]
        if self.period_s:
            rounds = [(begin_s // self.period_s + k) * self.period_s for k in (0, 1)]
        times = [Switch(start_s + one.time_s, one.programme) for start_s in rounds for one in self.switches]
        return [one for one in times if begin_s < one.time_s < end_s]


def read_plan(tag: Tag) -> Plan:
    """The plan of a ``<WAUT>``."""
    start_s, period_s = tag.seconds("refTime", 0.0), tag.seconds("period", 0.0)
    switches = [Switch(start_s + one.seconds("time"), one.text("to")) for one in tag.children("wautSwitch")]
    if period_s:
        switches = [one._replace(time_s=one.time_s % period_s) for one in switches]
    return Plan(tag.text("startProg"), tuple(sorted(switches)), period_s)
