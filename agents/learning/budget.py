"""How long a run may train: minutes of wall time, signal decisions, or what ends first of both."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

_LOWEST_RATE = 0.1  # share of the learning rate that is left at the end of the budget


class Budget:
    """How much of the minutes and steps is used up. The clock runs from `start` and stands still while `paused`."""

    def __init__(self, *, minutes: float | None, steps: int | None) -> None:
        self._limit_s = math.inf if minutes is None else 60.0 * minutes
        self._limit_steps = steps
        self._began = time.perf_counter()
        self.steps = 0
        self.paused_s = 0.0

    def start(self, *, used_s: float = 0.0, paused_s: float = 0.0, steps: int = 0) -> None:
        """Let the clock run, as if it had run for `used_s` and stood still for `paused_s` already."""
        self._began = time.perf_counter() - used_s - paused_s
        self.paused_s = paused_s
        self.steps = steps

    @contextmanager
    def paused(self) -> Iterator[None]:
        """What happens in here is no training."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.paused_s += time.perf_counter() - began

    @property
    def used_s(self) -> float:
        """Seconds of training; not to be asked for while `paused`."""
        return time.perf_counter() - self._began - self.paused_s

    @property
    def minutes(self) -> float:
        """Minutes of training, rounded for people."""
        return round(self.used_s / 60.0, 4)

    @property
    def is_out_of_time(self) -> bool:
        """The steps are counted by Stable-Baselines3, which ends a run after a whole update."""
        return self.used_s >= self._limit_s

    @property
    def share(self) -> float:
        """Used share of what ends first, 0 to 1."""
        of_steps = self.steps / self._limit_steps if self._limit_steps else 0.0
        of_time = self.used_s / self._limit_s
        return float(min(1.0, max(of_time, of_steps)))

    def falling(self, rate: float) -> float:
        """`rate` at the beginning, a tenth of it at the end, on a line."""
        return rate * (1.0 - (1.0 - _LOWEST_RATE) * self.share)
