"""When SUMO's vehicles depart: times as its files write them, and the clocks of its flows."""

from __future__ import annotations

import math
import re
import zlib
from itertools import repeat, takewhile
from typing import TYPE_CHECKING

import numpy as np

from intergreen.envs.demand.demand import MOST_VEHICLES
from intergreen.envs.errors import shown
from intergreen.envs.network.xml_file import Tag, plain_number, seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LAST_S = 86_400.0  # SUMO's end of what names none
_EXPONENTIAL = re.compile(r"exp\(\s*([-+0-9.eE]+)\s*\)", re.ASCII)


def flow_times(tag: Tag, from_s: float, until_s: float) -> Iterator[float]:
    """When the vehicles of a flow depart, up to second `until_s` of SUMO's clock; by itself it begins and ends with the
    run, which goes on from `from_s` to `until_s`."""
    begin_s = time_of(tag, "begin", from_s)
    end_s = time_of(tag, "end", max(begin_s, until_s))
    if end_s < begin_s:
        tag.fail(f"ends at {end_s:g} s, before it begins at {begin_s:g} s", "exchange begin and end")
    number = tag.whole("number") if tag.has("number") else MOST_VEHICLES
    if begin_s == end_s and tag.has("number"):
        return repeat(begin_s, number)
    random = np.random.default_rng(zlib.crc32(tag.text("id").encode()))
    gap_s: Callable[[], float]
    if tag.has("probability"):  # of a vehicle in each second, the first one included
        share = min(tag.number("probability", above=0), 1.0)
        time_s, gap_s = begin_s - 1.0, lambda: float(random.geometric(share))
    else:
        mean_s, is_random = _period(tag, begin_s, end_s)
        if not is_random:
            is_spread = not any(tag.has(key) for key in ("vehsPerHour", "perHour", "period"))
            return _regular(begin_s, min(end_s, until_s), mean_s, number, is_spread=is_spread)
        time_s, gap_s = begin_s, lambda: float(random.exponential(mean_s))
    return _spaced(time_s, min(end_s, until_s), gap_s, number)


def _period(tag: Tag, begin_s: float, end_s: float) -> tuple[float, bool]:
    """Mean time between two vehicles [s], and whether it is drawn."""
    for key in ("vehsPerHour", "perHour"):
        if tag.has(key):
            return _at_least(tag, key, 3600.0 / tag.number(key, above=0)), False
    if tag.has("period"):
        exponential = _EXPONENTIAL.fullmatch(tag.text("period").strip())
        if exponential is not None:
            rate = plain_number(exponential[1])
            if not 0 < rate < math.inf:
                tag.fail(f"is {shown(tag.text('period'))}", "use exp(vehicles a second)", "period")
            return _at_least(tag, "period", 1.0 / rate), True
        return _at_least(tag, "period", time_of(tag, "period")), False
    if not tag.has("number"):
        tag.fail("says nowhere how many vehicles it has", "add period, vehsPerHour, probability or number")
    return (end_s - begin_s) / max(tag.whole("number"), 1), False


def _spaced(time_s: float, end_s: float, gap_s: Callable[[], float], number: int) -> Iterator[float]:
    """So many times at most, each a gap after the one before, until the end."""
    for _ in range(number):
        time_s += gap_s()
        if time_s >= end_s:
            return
        yield time_s


def _regular(begin_s: float, end_s: float, gap_s: float, number: int, *, is_spread: bool) -> Iterator[float]:
    """So many times [s] at most, evenly until the end. SUMO counts in whole milliseconds, and so are its periods; a
    number that is spread over the time of the flow has none."""
    begin_ms, end_ms = round(1000.0 * begin_s), round(1000.0 * end_s)
    gap_ms = 1000.0 * gap_s if is_spread else max(round(1000.0 * gap_s), 1)
    times_ms = (begin_ms + round(k * gap_ms) for k in range(number))
    return (time_ms / 1000.0 for time_ms in takewhile(lambda time_ms: time_ms < end_ms, times_ms))


def _at_least(tag: Tag, key: str, period_s: float) -> float:
    if period_s < 0.001:
        tag.fail(f"makes a vehicle every {period_s:g} s", "use at least 0.001 s", key)
    return period_s


def time_of(tag: Tag, key: str, default: float | None = None) -> float:
    if default is not None and not tag.has(key):
        return default
    value = seconds(tag.text(key))
    if not 0 <= value <= 1e9:  # also NaN
        tag.fail(f"is {shown(tag.text(key))}", "use seconds, or hours:minutes:seconds", key)
    return value
