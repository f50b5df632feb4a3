"""Many lines over time, each kept as few points between which a straight line is good enough; while they grow.

A line's points lie in whole seconds, and every second has one. Between kept points a straight line misses no seen point
by more than the tolerance: the cone of slopes from the last kept point is narrowed by every new one, and where one
falls outside, the point before it is kept (the "swinging door" of process historians; Bristol 1990, US patent 4669097).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from intergreen.envs.arrays import BoolArray, FloatArray, IntArray


class Points(NamedTuple):
    """Kept points of all lines, by line and then by time: (n,) each."""

    line: IntArray
    time_s: IntArray
    value: IntArray


class Simplifier:
    """Lines by number. `tolerance` is in units of the values, which are whole numbers."""

    def __init__(self, tolerance: float) -> None:
        self._tolerance = tolerance
        self._kept: list[tuple[IntArray, IntArray, IntArray]] = []
        self._anchor_t: IntArray = np.zeros(0, np.int32)
        self._anchor: IntArray = np.zeros(0, np.int32)
        self._last_t: IntArray = np.zeros(0, np.int32)
        self._last: IntArray = np.zeros(0, np.int32)
        self._low: FloatArray = np.zeros(0)
        self._high: FloatArray = np.zeros(0)

    @property
    def n_lines(self) -> int:
        """Lines begun so far."""
        return self._grown

    _grown = 0

    def begin(self, time_s: int, value: IntArray) -> IntArray:
        """Begin a line at each value; returns their numbers (n,)."""
        first, self._grown = self._grown, self._grown + len(value)
        self._make_room()
        lines = np.arange(first, self._grown, dtype=np.int32)
        self._set_anchor(lines, np.full(len(lines), time_s, np.int32), value)
        self._last_t[lines], self._last[lines] = time_s, value
        return lines

    def go_on(self, lines: IntArray, time_s: int, value: IntArray) -> None:
        """The next second of these lines, which must have had a point in every second so far."""
        outside = self._narrowed_out(lines, time_s, value)
        broken = lines[outside]
        self._set_anchor(broken, self._last_t[broken], self._last[broken])
        self._narrowed_out(broken, time_s, value[outside])
        self._last_t[lines], self._last[lines] = time_s, value

    def points(self) -> Points:
        """All that is kept, with every line's last point."""
        lines = np.arange(self._grown, dtype=np.int32)
        open_ = lines[self._last_t[lines] > self._anchor_t[lines]]
        ends = (open_, self._last_t[open_], self._last[open_])
        line, time_s, value = (np.concatenate(column) for column in zip(*self._kept, ends, strict=True))
        order = np.lexsort((time_s, line))
        return Points(line[order], time_s[order], value[order])

    def _set_anchor(self, lines: IntArray, time_s: IntArray, value: IntArray) -> None:
        self._kept.append((lines, time_s, value.astype(np.int32)))
        self._anchor_t[lines], self._anchor[lines] = time_s, value
        self._low[lines], self._high[lines] = -np.inf, np.inf

    def _narrowed_out(self, lines: IntArray, time_s: int, value: IntArray) -> BoolArray:
        """Narrow the cones by a new point each; (n,) True: the point itself lies outside its cone."""
        seconds = (time_s - self._anchor_t[lines]).astype(np.float64)
        rise = (value - self._anchor[lines]).astype(np.float64)
        slope = rise / seconds
        outside: BoolArray = (slope < self._low[lines]) | (slope > self._high[lines])
        self._low[lines] = np.maximum(self._low[lines], (rise - self._tolerance) / seconds)
        self._high[lines] = np.minimum(self._high[lines], (rise + self._tolerance) / seconds)
        return outside

    def _make_room(self) -> None:
        """At least twice as much each time, so that growing costs no more than filling."""
        size = len(self._last)
        if self._grown > size:
            more = max(self._grown, 2 * size, 1024) - size
            for name in ("_anchor_t", "_anchor", "_last_t", "_last", "_low", "_high"):
                array = getattr(self, name)
                setattr(self, name, np.concatenate([array, np.zeros(more, array.dtype)]))
