"""Where a policy is at home: the ranges that training saw, and what of a network and its timing lies beyond them.

What changes with traffic is looked at in every decision. What never changes, lanes and timing, is looked at once: a
policy may well do its work beyond, and whoever binds it to such a network is told.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from intergreen.agents.controllers.run_folder import observation_columns
from intergreen.agents.deployment.columns import COLUMNS, runs

if TYPE_CHECKING:
    from intergreen.agents.deployment.bundle import Bundle
    from intergreen.envs.arrays import BoolArray, Float32Array, FloatArray
    from intergreen.envs.observation_arrays import Observed

STANDING = ("exists", "right", "left", "straight", "lanes", "interval", "clearance")  # of network and timing


class TrustedRange(NamedTuple):
    """Lowest and highest of every column that a policy is trusted with."""

    movement: Float32Array  # (2, f)
    signal: Float32Array  # (2, s)
    changing: list[slice]  # columns of a movement that have an end
    names: tuple[list[str], list[str]]  # of the columns of a movement and of a signal

    def is_left(self, observed: Observed) -> BoolArray:
        """(N,) does anything that changes with traffic lie beyond?"""
        left = np.zeros(observed.n_signals, np.bool_)
        lowest, highest = self.movement
        for some in self.changing:
            columns = observed.movements[some].reshape(some.stop - some.start, -1)
            beyond = (columns.min(axis=1) < lowest[some]) | (columns.max(axis=1) > highest[some])
            for k in (some.start + np.flatnonzero(beyond)).tolist():  # no column, at most times
                values = observed.movements[k]
                left |= ((values < lowest[k]) | (values > highest[k])).any(axis=1)
        for values, low, high in zip(observed.signal.T, *self.signal, strict=True):
            left |= (values < low) | (values > high)
        return left

    def left_by(self, observed: Observed, n: int) -> str:
        """By what signal `n` lies beyond, in words: the first value and what is trusted there."""
        of_movements = zip(self.names[0], observed.movements[:, n], self.movement.T, strict=True)
        of_signal = zip(self.names[1], observed.signal[n, :, None], self.signal.T, strict=True)
        for name, values, (low, high) in chain(of_movements, of_signal):
            beyond = values[(values < low) | (values > high)].tolist()
            if beyond:
                there, trusted = (
                    _in_words(name, beyond[0], beyond[0]),
                    _in_words(name, max(0.0, float(low)), float(high)),
                )
                return f"{there} for {name}, trusted {trusted}"
        return "nothing"


def trusted_range(bundle: Bundle, margin: float) -> TrustedRange:
    """What was seen in training, and a share of that range beyond it."""
    movement, signal = observation_columns(bundle.features)
    of_movement = _with_margin(bundle.envelope.movement, movement, margin).astype(np.float32)
    of_signal = _with_margin(bundle.envelope.signal, signal, margin).astype(np.float32)
    changing = runs(np.flatnonzero(np.isfinite(of_movement[1])).tolist())
    return TrustedRange(of_movement, of_signal, changing, (movement, signal))


def unlike_training(bundle: Bundle, observed: Observed) -> list[str]:
    """What stands and lies beyond training, in words; observed at any moment."""
    movement, signal = observation_columns(bundle.features)
    exists = observed.movements[0] > 0.0
    return [
        *_beyond(observed.movements[:, exists].T, movement, bundle.envelope.movement),
        *_beyond(observed.signal, signal, bundle.envelope.signal),
    ]


def _with_margin(seen: FloatArray, columns: list[str], margin: float) -> FloatArray:
    """(2, columns), without an end for what stands."""
    slack = margin * (seen[1] - seen[0]) + 1e-6
    stands = np.isin(columns, STANDING)
    return np.stack([np.where(stands, -np.inf, seen[0] - slack), np.where(stands, np.inf, seen[1] + slack)])


def _beyond(values: Float32Array, columns: list[str], seen: FloatArray) -> list[str]:
    found = []
    for k, column in enumerate(columns):
        low, high = float(values[:, k].min(initial=np.inf)), float(values[:, k].max(initial=-np.inf))
        if column in STANDING and (low < seen[0, k] - 1e-4 or high > seen[1, k] + 1e-4):
            there, trained = _in_words(column, low, high), _in_words(column, *seen[:, k].tolist())
            found.append(f"{column} of {there}, in training {trained}")
    return found


def _in_words(column: str, low: float, high: float) -> str:
    """A range of what is meant, where the column counts it in steps of 5 s, for example."""
    size, _, unit = COLUMNS[column].unit.rpartition(" ")
    low, high = (value * float(size or 1) for value in (low, high))
    return f"{low:.3g} {unit}" if f"{low:.3g}" == f"{high:.3g}" else f"{low:.3g} to {high:.3g} {unit}"
