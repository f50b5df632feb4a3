"""From a simulator's totals to the metrics of the tables, one value per replica.

Pure functions; every simulator that keeps the same totals gets the same metrics. A mean over nothing is NaN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from intergreen.envs.arrays import FloatArray
    from intergreen.envs.simulation import Totals

SERIES = ("average_travel_time_s", "running_veh", "waiting_outside_veh", "halted_veh")


def metrics_of(totals: Totals, *, horizon_s: int) -> dict[str, FloatArray]:
    """All metrics of a run of `horizon_s` seconds, each (B,)."""
    return {
        "average_travel_time_s": average_travel_time_s(totals),
        "approach_time_s": _ratio(totals.approach_time_s, totals.approach_vehicles),
        "approach_time_literature_s": _ratio(totals.approach_time_literature_s, totals.approach_vehicles),
        "delay_s": _ratio(totals.time_loss_s + totals.outside_wait_s, totals.released),
        "mean_queue_veh": _number(totals.queue_time_veh_s) / horizon_s,
        "max_queue_veh": _number(totals.max_queue_veh),
        "throughput_veh": _number(totals.finished),
        "stops_per_veh": _ratio(totals.stops, totals.entered),
        "mean_speed_m_s": _ratio(totals.total_distance_m, totals.total_time_s),
        "max_wait_s": _number(totals.max_wait_s),
        "p95_wait_s": _number(totals.p95_wait_s),
        "waiting_outside_veh": _number(totals.waiting_outside),
        "person_delay_s": _ratio(totals.person_delay_s, totals.persons),
        "red_entries": _number(totals.red_entries),
        "overlaps": _number(totals.overlaps),
    }


def average_travel_time_s(totals: Totals) -> FloatArray:
    """Mean over all released vehicles, finished or not, of the time since release, waiting to enter included."""
    return _ratio(totals.sum_travel_time_s, totals.released)


def series_row(totals: Totals) -> dict[str, FloatArray]:
    """The values of one moment in the `series` of a run, (B,) each."""
    return {
        "average_travel_time_s": average_travel_time_s(totals),
        "running_veh": _number(totals.running),
        "waiting_outside_veh": _number(totals.waiting_outside),
        "halted_veh": _number(totals.halted),
    }


def _number(column: NDArray[Any]) -> FloatArray:
    return np.asarray(column, dtype=np.float64)


def _ratio(numerator: NDArray[Any], denominator: NDArray[Any]) -> FloatArray:
    below = _number(denominator)
    return np.divide(_number(numerator), below, out=np.full(below.shape, np.nan), where=below > 0)
