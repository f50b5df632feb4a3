"""SUMO's driver as ours: saturation flows that SUMO itself shows, and headways that give the same."""

import pytest

from intergreen.envs.demand.krauss import (
    LIMIT_MPS,
    KraussType,
    dawdle_mps,
    equal_tau_s,
    our_discharge,
    our_driver,
    sumo_discharge,
)

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


@pytest.mark.parametrize("name", MEASURED)
def test_our_queues_discharge_alike_with_the_headway_and_acceleration_found(name):
    kind, _ = MEASURED[name]
    headway_s, share = our_driver(kind)
    assert headway_s >= kind.tau_s
    ours, theirs = our_discharge(kind, headway_s, share), sumo_discharge(kind)
    assert ours.headway_s == pytest.approx(theirs.headway_s, rel=0.02)
    assert ours.fourth_s == pytest.approx(theirs.fourth_s, abs=0.7)  # s, of some 8


def test_sumos_queues_discharge_as_cityflows_cars_with_the_tau_found():
    tau_s = equal_tau_s(CITYFLOW)
    ours_s = our_discharge(CITYFLOW, CITYFLOW.tau_s).headway_s
    assert 3600.0 / ours_s == pytest.approx(1454, rel=0.02)  # the engine, one lane
    assert sumo_discharge(CITYFLOW._replace(tau_s=tau_s)).headway_s == pytest.approx(ours_s, rel=0.005)


def test_a_free_driver_stays_half_the_dawdling_below_the_limit():
    assert dawdle_mps(DEFAULT) == pytest.approx(0.65)  # sigma * accel / 2: the mean of SUMO's uniform draw
    assert dawdle_mps(CITYFLOW) == 0.0
    assert dawdle_mps(DEFAULT) < LIMIT_MPS
