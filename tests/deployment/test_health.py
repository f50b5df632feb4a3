"""What each finding means, one test each; and none on traffic whose detectors are well."""

import numpy as np
import pytest
from simulation.test_cut_streets import stopped_on_a_cut_street

from intergreen.agents.controllers.base import Setup
from intergreen.agents.controllers.max_pressure import MaxPressure
from intergreen.agents.deployment.health import FINDING_WORDS, SHORTEST_VEHICLE_M, DetectorHealth, Finding
from intergreen.agents.deployment.runtime import lane_readings
from intergreen.agents.deployment.silent import CLEARING_S, SILENT_S, UNEXPLAINED_S
from intergreen.agents.deployment.stuck import FULL_SHARE, STUCK_GREEN_S, STUCK_S
from intergreen.envs.core import TrafficCore
from intergreen.envs.network import TURN_LEFT
from intergreen.envs.observation import N_BINS
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.readings import readings_of
from intergreen.envs.scenario import load_scenario

INTERVAL_S = 5
NETWORK = load_scenario("single").network
MOVEMENT = 1
LEFT_TURN = int(np.flatnonzero(NETWORK.movement_turn == TURN_LEFT)[0])
LANE = int(NETWORK.start_lanes(MOVEMENT)[0])
ALL_RED = np.full((1, NETWORK.n_movements), 60, np.int32)
GREEN = ALL_RED.copy()  # for `MOVEMENT` alone: nobody goes before it
GREEN[0, MOVEMENT] = 0


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
        (told(2, age_s=-1), Finding.STALE),  # from the future
    ],
    ids=lambda value: value.name if isinstance(value, Finding) else "",
)
def test_one_reading_is_judged_by_itself(health, readings, wanted):
    found = health.judge(readings, ALL_RED)[0]
    assert Finding(int(found[LANE])) == wanted
    assert (np.delete(found, LANE) == Finding.FINE).all()


def test_detector_is_stuck_when_the_same_vehicles_stand_through_green(health):
    """`STUCK_S` without any change, `STUCK_GREEN_S` of it green."""
    found = [finding(health, told(3), GREEN if t >= 100 else ALL_RED) for t in range(0, STUCK_S + 1, INTERVAL_S)]
    assert found[-1] == Finding.STUCK
    assert set(found[:-1]) == {Finding.FINE}
    assert finding(health, told(2), GREEN) == Finding.FINE


def test_queue_that_stands_at_red_is_not_stuck(health):
    """Until `STUCK_GREEN_S` of green have changed nothing about it."""
    for _ in range(0, 2 * STUCK_S, INTERVAL_S):
        assert finding(health, told(3)) == Finding.FINE
    found = [finding(health, told(3), GREEN) for _ in range(0, STUCK_GREEN_S, INTERVAL_S)]
    assert found == [Finding.FINE] * (len(found) - 1) + [Finding.STUCK]


def test_empty_lane_is_never_stuck(health):
    for _ in range(0, UNEXPLAINED_S - INTERVAL_S, INTERVAL_S):
        assert finding(health, told(0), GREEN) == Finding.FINE


def test_flow_in_step_with_the_looks_is_not_stuck(health):
    """A vehicle every five seconds, looked at every five: always the same one vehicle on its way, and no queue."""
    for _ in range(0, 2 * STUCK_S, INTERVAL_S):
        assert finding(health, told(0, vehicles=1, arriving=1), GREEN) == Finding.FINE


def test_vehicles_that_move_for_ever_towards_a_long_red_are_stuck(health):
    """Whoever comes stops there, and would be told of as waiting."""
    found = []
    for t in range(0, 2 * STUCK_S, INTERVAL_S):
        red_s = ALL_RED if t % 60 >= 30 else GREEN
        found.append(finding(health, told(0, vehicles=3, arriving=1), red_s))
    assert found.index(Finding.STUCK) * INTERVAL_S == STUCK_S


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
    assert silent_after(health, 1.0) == UNEXPLAINED_S


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
    assert after_s is None or after_s > 2 * UNEXPLAINED_S


def test_silence_tells_nothing_while_the_whole_network_is_quiet(health):
    for k in range(200):
        finding(health, told(1 + k % 2))
    for _ in range(0, UNEXPLAINED_S + 100, INTERVAL_S):
        assert finding(health, told(0, elsewhere=0.0)) == Finding.FINE


@pytest.mark.parametrize("absurd", [65_535.0, 1e30, 1e300])
@pytest.mark.filterwarnings("error")
def test_silence_is_found_although_another_detector_told_of_more_than_there_can_be(health, absurd):
    for k in range(200):
        finding(health, told(1 + k % 2))
    readings = told(1)
    readings.vehicles[0, (LANE + 1) % NETWORK.n_lanes] = absurd
    assert finding(health, readings) == Finding.FINE
    findings = [finding(health, told(0)) for _ in range(SILENT_S // INTERVAL_S + 1)]
    assert findings[-1] == Finding.SILENT


def after_a_busy_time(health, last, last_red_s):
    """Findings from the moment on when nobody is told of any more, for more than `SILENT_S`."""
    for k in range(200):
        finding(health, told(1 + k % 2))
    finding(health, told(last), last_red_s)
    return [finding(health, told(0), last_red_s) for _ in range(SILENT_S // INTERVAL_S + 1)]


def test_lane_whose_last_vehicles_left_at_green_is_empty_for_half_an_hour_before_it_is_silent(health):
    """A flow ends, as at the end of a rush hour: the detector is well."""
    found = after_a_busy_time(health, 2, GREEN)
    assert found.index(Finding.SILENT) == SILENT_S // INTERVAL_S - 1


def test_queue_that_is_gone_although_it_had_red_is_a_broken_detector(health):
    assert after_a_busy_time(health, 2, ALL_RED).index(Finding.SILENT) == UNEXPLAINED_S // INTERVAL_S - 1


def test_vehicles_that_were_far_from_the_stop_line_are_not_gone_at_once(health):
    for k in range(200):
        finding(health, told(1 + k % 2))
    driving = np.zeros(N_BINS)
    driving[-1] = 1.0
    finding(health, told(0, vehicles=1, arriving=driving), GREEN)
    found = [finding(health, told(0), GREEN) for _ in range(UNEXPLAINED_S // INTERVAL_S)]
    assert found.index(Finding.SILENT) == UNEXPLAINED_S // INTERVAL_S - 1


def test_more_vehicles_than_a_green_lets_out_are_not_gone_at_once(health):
    assert after_a_busy_time(health, 9, GREEN).index(Finding.SILENT) == UNEXPLAINED_S // INTERVAL_S - 1


def test_whoever_drives_on_in_the_last_of_yellow_has_left(health):
    just_red = np.full_like(ALL_RED, INTERVAL_S + CLEARING_S - 1)
    found = after_a_busy_time(health, 2, just_red)
    assert found.index(Finding.SILENT) == SILENT_S // INTERVAL_S - 1


def stuck_after(health, elsewhere=2.0, red_s=GREEN):
    """Seconds until a queue that stands at green is found stuck; None: not within ten minutes."""
    for t in range(0, 600, INTERVAL_S):
        if finding(health, told(3, elsewhere=elsewhere), red_s) == Finding.STUCK:
            return t
    return None


def test_queue_before_a_full_lane_is_not_stuck():
    room_veh = float(NETWORK.lane_length_m.min()) / 7.5
    assert stuck_after(DetectorHealth(NETWORK, 1, INTERVAL_S), elsewhere=int(FULL_SHARE * room_veh) - 1.0) == STUCK_S
    assert stuck_after(DetectorHealth(NETWORK, 1, INTERVAL_S), elsewhere=int(0.9 * room_veh) + 0.0) is None


def test_turn_that_yields_is_not_stuck(health):
    """A left turn with green, and who goes before it: it may wait for as long as they have green too."""
    left = LEFT_TURN
    first = NETWORK.conflict_start[left]
    foes = NETWORK.conflict_with[first : NETWORK.conflict_start[left + 1]]
    goes_first = int(foes[NETWORK.movement_turn[foes] >= NETWORK.movement_turn[left]][0])
    lane = int(NETWORK.start_lanes(left)[0])
    with_foe, alone = ALL_RED.copy(), ALL_RED.copy()
    with_foe[0, [left, goes_first]], alone[0, left] = 0, 0

    def looks(red_s, seconds):
        return [int(health.judge(told(2), red_s)[0, lane]) for _ in range(0, seconds, INTERVAL_S)]

    assert set(looks(with_foe, 600)) == {Finding.FINE}
    assert looks(alone, STUCK_GREEN_S)[-1] == Finding.STUCK


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


def test_lane_behind_a_cut_has_room_for_those_on_the_way_over_it(tmp_path):
    """They are counted with its own: a lane of three metres may tell of four vehicles, though not of forty."""
    scenario = stopped_on_a_cut_street(tmp_path, stub_m=3.0, way_m=20.0)
    network, plan = scenario.network, protocol_by_name("literature-10-5").plan(scenario.network)
    stub = network.lane_road.tolist().index(network.road_ids.index("e1"))
    core, side = TrafficCore(network, plan, scenario.demand), np.ones((1, plan.n_signals), np.int32)
    core.reset([scenario.trips(0)], [0], side)
    health, most = DetectorHealth(network, 1, 10), 0
    for _ in range(12):
        core.run(side, 10)
        readings, red_s = readings_of(core.counts()), core.signals(10).red_s
        assert (health.judge(readings, red_s) == Finding.FINE).all()
        most = max(most, int(readings.vehicles[0, stub]))
    assert most > 3.0 / SHORTEST_VEHICLE_M + 1.0
    readings.vehicles[0, stub] = 40
    assert health.judge(readings, red_s)[0, stub] == Finding.OUT_OF_RANGE
