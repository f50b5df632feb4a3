"""Saturation flows that SUMO itself shows, and the headway with which its queues discharge as CityFlow's."""

import numpy as np
import pytest

from intergreen.envs.demand.krauss import (
    KraussType,
    _safe_speed,
    cityflow_discharge,
    equal_tau_s,
    sumo_discharge,
)
from intergreen.envs.simulation.driving import chance, krauss_speed

DEFAULT = KraussType(5.0, 2.5, 2.6, 4.5, tau_s=1.0, sigma=0.5, speed_deviation=0.1)
CITYFLOW = KraussType(5.0, 2.5, 2.0, 4.5, tau_s=2.0, sigma=0.0, speed_deviation=0.0, top_mps=11.111)
# vehicles an hour that SUMO 1.28 let over one lane's stop line, queues of 25, three to eight seeds (sumo_physics.py)
MEASURED = {
    "default": (DEFAULT, 1845),
    "no dawdling": (DEFAULT._replace(sigma=0.0), 2124),
    "one speed": (DEFAULT._replace(speed_deviation=0.0), 1945),
    "neither": (DEFAULT._replace(sigma=0.0, speed_deviation=0.0), 2291),
    "short": (DEFAULT._replace(length_m=4.3, min_gap_m=1.5), 1972),
    "quick": (DEFAULT._replace(accel_mps2=5.0, decel_mps2=10.0), 1758),
}


@pytest.mark.parametrize("name", MEASURED)
def test_queues_discharge_as_sumos_do(name):
    kind, flow_vph = MEASURED[name]
    assert 3600.0 / sumo_discharge(kind).headway_s == pytest.approx(flow_vph, rel=0.03)


def test_sumos_queues_discharge_as_cityflows_cars_with_the_tau_found():
    tau_s = equal_tau_s(CITYFLOW)
    ours_s = cityflow_discharge(CITYFLOW).headway_s
    assert 3600.0 / ours_s == pytest.approx(1454, rel=0.02)  # the engine, one lane
    assert sumo_discharge(CITYFLOW._replace(tau_s=tau_s)).headway_s == pytest.approx(ours_s, rel=0.005)


def test_the_engines_driver_takes_the_speed_that_krausss_rule_gives():
    random = np.random.default_rng(1)
    gap_m, leader_mps = random.uniform(-1.0, 60.0, 300), random.uniform(0.0, 14.0, 300)
    for kind in (DEFAULT, DEFAULT._replace(tau_s=1.4, decel_mps2=7.5)):
        safe = _safe_speed(gap_m, leader_mps, kind)
        b, t = kind.decel_mps2, kind.tau_s
        ours = [krauss_speed(gap, speed, b, b, t) for gap, speed in zip(gap_m, leader_mps, strict=True)]
        assert ours == pytest.approx(safe)


def test_chance_is_spread_evenly_and_differs_between_vehicles_and_seconds():
    draws = np.array([[chance(vehicle, second) for second in range(100)] for vehicle in range(100)])
    assert draws.min() >= 0.0
    assert draws.max() < 1.0
    assert len(np.unique(draws)) == draws.size
    assert draws.mean() == pytest.approx(0.5, abs=0.015)  # five standard deviations
    assert abs(np.corrcoef(draws[:, 1:].ravel(), draws[:, :-1].ravel())[0, 1]) < 0.05
    assert abs(np.corrcoef(draws[1:].ravel(), draws[:-1].ravel())[0, 1]) < 0.05
