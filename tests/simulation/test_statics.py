"""Distances that are worked out once for every vehicle type, against the formulas that they stand for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from intergreen.envs.demand.demand import CAR
from intergreen.envs.simulation.driving import stop_before_speed
from intergreen.envs.simulation.statics import STAY, ZONE, type_table

rates = st.floats(0.2, 8.0)


@given(accel=rates, decel=rates, max_speed=st.floats(0.5, 40.0), share=st.floats(0.0, 1.0))
def test_who_stands_within_the_staying_distance_of_a_red_does_not_start(accel, decel, max_speed, share):
    kind = replace(CAR, usual_accel_mps2=accel, usual_decel_mps2=decel, max_speed_mps=max_speed)
    (row,) = type_table([kind])
    assert 0.0 < row[STAY] <= row[ZONE]
    assert stop_before_speed(row[STAY] * share, 0.0, accel, decel) == 0.0
    if row[STAY] < row[ZONE]:
        assert stop_before_speed(np.nextafter(row[STAY], np.inf), 0.0, accel, decel) == accel
