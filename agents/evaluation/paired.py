"""A controller against a reference on the same trips: differences, chances, scores, over one scenario or several.

Everything is paired by the demand's seed. The interquartile mean, the probability of improvement and the stratified
bootstrap are those of Agarwal et al. (2021), "Deep reinforcement learning at the edge of the statistical precipice",
as its library rliable has them: runs are resampled within each task, which is a scenario here. Differences are of one
seed each; the probability compares every run of ours with every one of the reference's, and there the two are resampled
apart: a seed drawn twice for both would count its own pair as if it were two runs. Percentile intervals of few runs are
too narrow, so that they are widened about the estimate by sqrt(n / (n - 1)) t / z (Hesterberg 2015, "What teachers
should know about the bootstrap", section 4.2).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from intergreen.agents.evaluation.statistics import Interval, json_number, student_975, summarise

if TYPE_CHECKING:
    from intergreen.envs.arrays import FloatArray

RESAMPLES = 2_000
_Z = 1.959963984540054


class Estimate(NamedTuple):
    """A number and its 95 % interval."""

    value: float
    interval: Interval

    def to_json(self) -> dict[str, object]:
        return {"value": json_number(self.value), "ci95": [json_number(bound) for bound in self.interval]}


class Pairs(NamedTuple):
    """Travel times on the same trips, (S,) each; one scenario."""

    ours: FloatArray
    reference: FloatArray
    bound: FloatArray | None = None  # the free-flow bound of these trips

    @property
    def score(self) -> FloatArray:
        """(S,) 0 is the reference, 1 is free flow: (reference - ours) / (reference - bound). NaN without a bound."""
        if self.bound is None:
            return np.full(self.ours.shape, np.nan)
        room = self.reference - self.bound
        return np.divide(self.reference - self.ours, room, out=np.full(room.shape, np.nan), where=room > 0)


def interquartile_mean(tasks: Sequence[FloatArray]) -> FloatArray:
    """Mean of the middle half of all runs of all tasks: a quarter of them, rounded down, is cut from either end.

    tasks  (..., S) for each, S its own; the result has the shape in front of S

    >>> float(interquartile_mean([np.array([1.0, 2.0, 3.0, 100.0])]))
    2.5
    """
    runs = np.sort(np.concatenate(tasks, axis=-1), axis=-1)
    cut = runs.shape[-1] // 4
    middle: FloatArray = runs[..., cut : runs.shape[-1] - cut].mean(axis=-1)
    return middle


def probability_of_improvement(tasks: Sequence[tuple[FloatArray, FloatArray]]) -> FloatArray:
    """Chance that a run of ours is below one of the reference's, ties counting half; the mean over tasks.

    tasks  ours and the reference's, (..., S) each. It compares every run with every run, as the paper defines it.
    """
    chances = []
    for ours, reference in tasks:
        a, b = ours[..., :, None], reference[..., None, :]
        chances.append(((a < b) + 0.5 * (a == b)).mean(axis=(-2, -1)))
    mean: FloatArray = np.mean(chances, axis=0)
    return mean


def stratified_estimate(
    strata: Sequence[FloatArray],
    statistic: Callable[[list[FloatArray]], FloatArray],
    *,
    pooled: bool = True,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """A statistic and its stratified bootstrap interval.

    Parameters
    ----------
    strata : (C, S) of each task: C columns that are resampled together over S runs
    statistic : of arrays (C, ..., S), one for each task, to (...)
    pooled : t has the degrees of freedom of all tasks together; False: of one task, which is wider
    """
    value = float(statistic(list(strata)))
    degrees = sum(one.shape[-1] - 1 for one in strata)
    if degrees == 0 or not math.isfinite(value):
        return Estimate(value, (value, value))
    random = np.random.default_rng(seed)
    drawn = [one[:, random.integers(one.shape[-1], size=(resamples, one.shape[-1]))] for one in strata]
    low, high = np.quantile(statistic(drawn), [0.025, 0.975])
    runs = degrees / len(strata) + 1.0
    wider = math.sqrt(runs / (runs - 1.0)) * student_975(degrees if pooled else max(1, round(runs) - 1)) / _Z
    return Estimate(value, (value + wider * (float(low) - value), value + wider * (float(high) - value)))


def compared(tasks: Sequence[Pairs]) -> dict[str, Any]:
    """What is to be said of a controller against the reference, over one task or several; JSON.

    `difference_s` and `score` are means with the interval of `statistics.mean_interval` where there is one task, and
    interquartile means over all runs of all tasks where there are several.
    """
    chance = stratified_estimate(
        [runs[None, :] for one in tasks for runs in (one.ours, one.reference)],
        lambda drawn: probability_of_improvement([(drawn[k][0], drawn[k + 1][0]) for k in range(0, len(drawn), 2)]),
        pooled=False,
    )
    low, high = chance.interval
    runs = sum(len(one.ours) for one in tasks)
    if runs > len(tasks):  # what no resample shows may be there all the same, as where all runs of one are lower
        unseen = 1.0 - 0.025 ** (1.0 / runs)  # of so many runs (Clopper and Pearson 1934, Biometrika 26)
        low = low - unseen if low == chance.value else low
        high = high + unseen if high == chance.value else high
    scores = [one.score for one in tasks]
    return {
        "runs": runs,
        "difference_s": _middle([one.ours - one.reference for one in tasks]),
        "probability_of_improvement": Estimate(chance.value, (max(low, 0.0), min(high, 1.0))).to_json(),
        "score": None if np.isnan(np.concatenate(scores)).any() else _middle(scores),
    }


def _middle(tasks: Sequence[FloatArray]) -> dict[str, object]:
    if len(tasks) == 1:
        whole = summarise(tasks[0])
        return Estimate(whole.mean, whole.interval).to_json()
    return stratified_iqm(tasks).to_json()


def stratified_iqm(tasks: Sequence[FloatArray]) -> Estimate:
    """Interquartile mean over all runs of all tasks, with its interval."""
    return stratified_estimate(
        [one[None, :] for one in tasks], lambda drawn: interquartile_mean([one[0] for one in drawn])
    )
