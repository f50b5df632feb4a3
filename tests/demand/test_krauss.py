"""Saturation flows that SUMO itself shows, and the headway with which its queues discharge as CityFlow's."""

from xml.etree import ElementTree

import numpy as np
import pytest

from intergreen.envs.demand import Demand, Trips, VehicleType
from intergreen.envs.demand.krauss import (
    KraussType,
    _safe_speed,
    cityflow_discharge,
    equal_tau_s,
    sumo_discharge,
)
from intergreen.envs.demand.sumo_trips import write_sumo_trips
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


def test_kind_of_ones_own_drives_in_sumo_by_what_it_states(tmp_path):
    like_sumos = VehicleType("own", headway_s=1.2, follows_krauss=True, dawdle_mps=0.5, speed_factor=0.9)
    kinds = (like_sumos, VehicleType(speed_deviation=0.1))
    one = np.zeros(1, np.int32)
    demand = Demand(kinds, np.array([0, 1], np.int32), one, one, one, one * 0.0, one * 0.0, one + 1.0)
    write_sumo_trips(tmp_path / "a.rou.xml", demand, Trips(one, one, one, one), ["road"], np.array([300.0]))
    own, cityflow = (tag.attrib for tag in ElementTree.parse(tmp_path / "a.rou.xml").iter("vType"))
    assert [float(own[key]) for key in ("tau", "sigma", "speedFactor", "speedDev")] == [1.2, 0.25, 0.9, 0.0]
    assert [float(cityflow[key]) for key in ("sigma", "speedDev")] == [0.0, 0.1]
    assert float(cityflow["tau"]) == pytest.approx(equal_tau_s(CITYFLOW), abs=0.001)


def test_a_queue_that_spreads_over_links_discharges_as_slowly_as_in_the_engine():
    """jinan_3x4_2000 under fixed-cycle, straight lanes with eleven and more queued: 52 % take another link than the
    one ahead, and are 2.94 s behind it; the others 2.41 s."""
    assert cityflow_discharge(CITYFLOW, 0.52).headway_s == pytest.approx(0.52 * 2.94 + 0.48 * 2.41, rel=0.03)
    tau_s = [equal_tau_s(CITYFLOW, share) for share in (0.0, 0.3, 0.6)]
    assert tau_s == sorted(tau_s)
    assert tau_s[0] == pytest.approx(1.78, abs=0.01)


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
