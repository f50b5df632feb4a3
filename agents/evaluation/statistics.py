"""Means over seeds and their bootstrap intervals.

Per-seed numbers in, plain floats out; knows nothing of simulators, metrics or files.
Method: percentile bootstrap (Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 13).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from intergreen.envs.arrays import FloatArray

RESAMPLES = 10_000


@dataclass(frozen=True, slots=True)
class Summary:
    """One metric over the seeds of a run, in the metric's own unit.

    `interval` is the 95 % bootstrap interval of the mean. One seed says nothing about the spread, so its
    interval is the value itself, twice; a reader of `per_seed` sees that there was only one.
    """

    mean: float
    interval: tuple[float, float]
    per_seed: tuple[float, ...]

    def to_json(self) -> dict[str, object]:
        """The object that `evaluate --json` writes; a number that does not exist (NaN) becomes null."""
        return {
            "mean": json_number(self.mean),
            "ci95": [json_number(bound) for bound in self.interval],
            "per_seed": [json_number(value) for value in self.per_seed],
        }


def summarise(per_seed: Sequence[float] | FloatArray) -> Summary:
    """Mean and 95 % bootstrap interval over the seeds.

    Raises
    ------
    ValueError
        Without a single seed.

    Examples
    --------
    >>> summarise([300.0, 310.0, 320.0]).mean
    310.0
    >>> summarise([300.0]).interval
    (300.0, 300.0)
    """
    values = np.asarray(per_seed, dtype=np.float64)
    interval = bootstrap_interval(values)
    return Summary(mean=float(values.mean()), interval=interval, per_seed=tuple(values.tolist()))


def summarise_all(metrics: Mapping[str, Sequence[float] | FloatArray]) -> dict[str, dict[str, object]]:
    """The `metrics` object of `evaluate --json` from each metric's per-seed values."""
    return {name: summarise(per_seed).to_json() for name, per_seed in metrics.items()}


def bootstrap_interval(
    values: Sequence[float] | FloatArray, *, level: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean.

    Parameters
    ----------
    values : (S,) one value per seed, S >= 1; with S = 1 both bounds are the value
    level : share of the resampled means inside the interval, between 0 and 1
    resamples : number of samples drawn with replacement
    seed : of the resampling; the same values always get the same interval
    """
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or sample.size == 0:
        raise ValueError(f"need one value per seed and at least one seed, got an array of shape {sample.shape}")
    if not 0.0 < level < 1.0:
        raise ValueError(f"level must be between 0 and 1, got {level}")
    if sample.size == 1:
        return float(sample[0]), float(sample[0])
    drawn = np.random.default_rng(seed).integers(sample.size, size=(resamples, sample.size))
    means = sample[drawn].mean(axis=1)  # (resamples, S) -> (resamples,)
    tail = (1.0 - level) / 2.0
    lower, upper = np.quantile(means, [tail, 1.0 - tail])
    return float(lower), float(upper)


def json_number(value: float) -> float | None:
    """`value`, or None where JSON has no number for it (NaN, infinity)."""
    return float(value) if math.isfinite(value) else None
