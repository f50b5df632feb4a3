"""Metrics from totals, by hand."""

import numpy as np
import pytest

from intergreen.agents.evaluation.metrics import metrics_of, series_row
from intergreen.envs.simulation import Totals

ZERO = Totals(**{name: np.zeros(1) for name in Totals._fields})


def totals(**values):
    return ZERO._replace(**{name: np.array([float(value)]) for name, value in values.items()})


@pytest.mark.parametrize(
    ("metric", "given", "expected"),
    [
        ("average_travel_time_s", {"sum_travel_time_s": 600, "released": 4, "finished": 2}, 150.0),
        ("approach_time_s", {"approach_time_s": 90, "approach_vehicles": 3, "released": 9}, 30.0),
        ("approach_time_literature_s", {"approach_time_literature_s": 120, "approach_vehicles": 3}, 40.0),
        ("delay_s", {"time_loss_s": 50, "outside_wait_s": 30, "released": 8}, 10.0),
        ("mean_queue_veh", {"queue_time_veh_s": 1800}, 18.0),
        ("max_queue_veh", {"max_queue_veh": 12}, 12.0),
        ("throughput_veh", {"finished": 7, "released": 9}, 7.0),
        ("stops_per_veh", {"stops": 6, "entered": 4, "released": 9}, 1.5),
        ("mean_speed_m_s", {"total_distance_m": 500, "total_time_s": 50}, 10.0),
        ("max_wait_s", {"max_wait_s": 61}, 61.0),
        ("p95_wait_s", {"p95_wait_s": 44}, 44.0),
        ("waiting_outside_veh", {"waiting_outside": 5}, 5.0),
        ("person_delay_s", {"person_delay_s": 900, "persons": 45, "released": 15}, 20.0),
        ("red_entries", {"red_entries": 3}, 3.0),
        ("overlaps", {"overlaps": 2}, 2.0),
    ],
)
def test_metric_is_made_of_these_totals(metric, given, expected):
    assert metrics_of(totals(**given), horizon_s=100)[metric].tolist() == [expected]


def test_mean_over_nobody_does_not_exist():
    metrics = metrics_of(ZERO, horizon_s=100)
    assert np.isnan(metrics["average_travel_time_s"]).all()
    assert metrics["throughput_veh"].tolist() == [0.0]


def test_series_row_shows_one_moment():
    row = series_row(totals(sum_travel_time_s=10, released=4, running=3, waiting_outside=1, halted=2))
    assert {name: value.tolist() for name, value in row.items()} == {
        "average_travel_time_s": [2.5],
        "running_veh": [3.0],
        "waiting_outside_veh": [1.0],
        "halted_veh": [2.0],
    }
