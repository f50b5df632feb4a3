"""What each finding means, one test each; and none on traffic whose detectors are well."""

import numpy as np
import pytest

from intergreen.agents.controllers.base import Setup
from intergreen.agents.controllers.max_pressure import MaxPressure
from intergreen.agents.deployment.health import FINDING_WORDS, SILENT_S, STUCK_GREEN_S, STUCK_S, DetectorHealth, Finding
from intergreen.agents.deployment.runtime import lane_readings
from intergreen.envs.core import TrafficCore
from intergreen.envs.observation import N_BINS
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.readings import readings_of
from intergreen.envs.scenario import load_scenario

INTERVAL_S = 5
NETWORK = load_scenario("single").network
MOVEMENT = 1
LANE = int(NETWORK.start_lanes(MOVEMENT)[0])
ALL_GREEN, ALL_RED = np.zeros((1, NETWORK.n_movements), np.int32), np.ones((1, NETWORK.n_movements), np.int32)


def told(waiting=0.0, vehicles=None, arriving=0.0, age_s=0, elsewhere=2.0):
    """Readings with these of `LANE`, and `elsewhere` on all others."""
    lanes = NETWORK.n_lanes
    all_waiting, all_vehicles = np.full(lanes, elsewhere), np.full(lanes, elsewhere)
    all_arriving, ages = np.zeros((lanes, N_BINS)), np.zeros(lanes, np.int32)
    all_waiting[LANE], all_vehicles[LANE] = waiting, waiting if vehicles is None else vehicles
    all_arriving[LANE], ages[LANE] = arriving, age_s
    return lane_readings(all_waiting, all_vehicles, all_arriving, ages)


@pytest.fixture
def health():
    return DetectorHealth(NETWORK, 1, INTERVAL_S)


def finding(health, readings, red_s=ALL_RED):
    return Finding(int(health.judge(readings, red_s)[0, LANE]))


@pytest.mark.parametrize(
    ("readings", "wanted"),
    [
        (told(2), Finding.FINE),
        (told(0), Finding.FINE),
        (told(np.nan), Finding.NOT_A_NUMBER),
        (told(0, vehicles=np.inf), Finding.NOT_A_NUMBER),
        (told(0, arriving=np.nan), Finding.NOT_A_NUMBER),
        (told(-1), Finding.OUT_OF_RANGE),
        (told(0, arriving=-1), Finding.OUT_OF_RANGE),
        (told(3, vehicles=2), Finding.OUT_OF_RANGE),
        (told(0, vehicles=1e6), Finding.OUT_OF_RANGE),
        (told(0, arriving=1e6), Finding.OUT_OF_RANGE),
        (told(2, age_s=2 * INTERVAL_S), Finding.FINE),
        (told(2, age_s=2 * INTERVAL_S + 1), Finding.STALE),
        (told(np.nan, age_s=100), Finding.STALE),
    ],
    ids=lambda value: value.name if isinstance(value, Finding) else "",
)
def test_one_reading_is_judged_by_itself(health, readings, wanted):
    found = health.judge(readings, ALL_RED)[0]
    assert Finding(int(found[LANE])) == wanted
    assert (np.delete(found, LANE) == Finding.FINE).all()


def test_detector_is_stuck_when_the_same_vehicles_stand_through_green(health):
    """`STUCK_S` without any change, `STUCK_GREEN_S` of it green."""
    found = [finding(health, told(3), ALL_GREEN if t >= 100 else ALL_RED) for t in range(0, STUCK_S + 1, INTERVAL_S)]
    assert found[-1] == Finding.STUCK
    assert set(found[:-1]) == {Finding.FINE}
    assert finding(health, told(2), ALL_GREEN) == Finding.FINE


def test_queue_that_stands_at_red_is_not_stuck(health):
    """Until `STUCK_GREEN_S` of green have changed nothing about it."""
    for _ in range(0, 2 * STUCK_S, INTERVAL_S):
        assert finding(health, told(3)) == Finding.FINE
    found = [finding(health, told(3), ALL_GREEN) for _ in range(0, STUCK_GREEN_S, INTERVAL_S)]
    assert found == [Finding.FINE] * (len(found) - 1) + [Finding.STUCK]


def test_empty_lane_is_never_stuck(health):
    for _ in range(0, SILENT_S - INTERVAL_S, INTERVAL_S):
        assert finding(health, told(0), ALL_GREEN) == Finding.FINE


def silent_after(health, busy_share, decisions=200):
    """Seconds until silence is found, after so many decisions with somebody there in a share of them."""
    for k in range(decisions):
        somebody = int((k + 1) * busy_share) > int(k * busy_share)
        assert finding(health, told(1 + k % 2 if somebody else 0)) == Finding.FINE
    for k in range(2000):
        if finding(health, told(0)) == Finding.SILENT:
            return (k + 1) * INTERVAL_S
    return None


def test_detector_of_a_busy_lane_is_silent_after_ten_minutes(health):
    assert silent_after(health, 1.0) == SILENT_S


def test_detector_of_a_quiet_lane_has_longer():
    """Somebody is there in two of five looks: ten empty ones in a row are no news, 0.64^n < 10^-6 takes 31 minutes."""
    after_s = silent_after(DetectorHealth(NETWORK, 1, INTERVAL_S), 0.4)
    assert after_s is not None
    assert 25 * 60 < after_s < 40 * 60


def test_detector_that_never_met_anybody_is_not_silent(health):
    assert silent_after(health, 0.0) is None


def test_few_looks_are_no_certainty(health):
    """Somebody at the start and then nobody: a quiet road, not a broken detector."""
    after_s = silent_after(health, 1.0, decisions=12)
    assert after_s is None or after_s > 2 * SILENT_S


def test_silence_tells_nothing_while_the_whole_network_is_quiet(health):
    for k in range(200):
        finding(health, told(1 + k % 2))
    for _ in range(0, SILENT_S + 100, INTERVAL_S):
        assert finding(health, told(0, elsewhere=0.0)) == Finding.FINE


def test_every_finding_has_words():
    assert set(FINDING_WORDS) == set(Finding)


@pytest.mark.parametrize("protocol", ["us-mutcd-5", "literature-10-5"])
@pytest.mark.parametrize("name", ["single", "grid4x4", "town"])
def test_nothing_is_found_where_all_detectors_are_well(name, protocol):
    scenario, timing = load_scenario(name), protocol_by_name(protocol)
    network, plan, controller = scenario.network, timing.plan(scenario.network), MaxPressure()
    core = TrafficCore(network, plan, scenario.demand, replicas=2, monitored=True)  # compiled so for others
    health = DetectorHealth(network, 2, timing.interval_s)
    trips = [scenario.trips(seed, horizon_s=1200) for seed in (0, 1)]
    core.reset(trips, [0, 1], controller.start(Setup(network, plan, timing, 2)))
    met = 0
    for t in range(0, 1200, timing.interval_s):
        counts, signals = core.counts(), core.signals(timing.interval_s)
        met += int(counts.vehicles.sum())
        assert (health.judge(readings_of(counts), signals.red_s) == Finding.FINE).all(), f"second {t}"
        core.run(controller.decide(counts, signals, t), timing.interval_s)
    assert met > 1000
