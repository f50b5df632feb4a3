"""The runtime takes the time of any clock, and logs by that clock."""

import numpy as np
import pytest
from network import small

from intergreen.agents.deployment.runtime import SignalController, lane_readings
from intergreen.envs.observation import N_BINS

SINCE_1970_S = 1_764_201_600
CLOCKS = {"since 1970": SINCE_1970_S, "past 32 bits": 2**31 - 30, "milliseconds": 1000 * SINCE_1970_S}


@pytest.fixture
def folder(tmp_path):
    return small.write(tmp_path)


def traffic(controller, seconds):
    """Readings of so many seconds, in which somebody waits everywhere."""
    random, lanes = np.random.default_rng(0), controller.network.n_lanes
    for _ in range(seconds):
        waiting = random.integers(1, 4, lanes)
        arriving = random.integers(0, 2, (lanes, N_BINS))
        yield lane_readings(waiting, waiting + arriving.sum(axis=1), arriving)


def shown(folder, bundle_folder, first_s, protocol):
    controller = SignalController.load(bundle_folder, folder, protocol=protocol)
    aspects = [controller.step(readings, first_s + t) for t, readings in enumerate(traffic(controller, 90))]
    controller.close()
    assert (controller.flash_reason, controller.log) == ("", [])
    return np.array(aspects)


@pytest.mark.parametrize("first_s", CLOCKS.values(), ids=CLOCKS)
@pytest.mark.parametrize("protocol", ["us-mutcd-5", "literature-10-5"])
def test_any_clock_shows_what_one_from_0_does(folder, bundle_folder, first_s, protocol):
    assert np.array_equal(shown(folder, bundle_folder, first_s, protocol), shown(folder, bundle_folder, 0, protocol))


@pytest.mark.parametrize("first_s", CLOCKS.values(), ids=CLOCKS)
def test_lower_rungs_work_with_any_clock_and_log_it(folder, bundle_folder, first_s):
    controller = SignalController.load(bundle_folder, folder)
    lanes = controller.network.n_lanes
    for t in range(30):
        few = t < 15  # detectors fail: first one of the lanes, then all
        count = np.where(np.arange(lanes) < (1 if few else lanes), np.nan, 1.0)
        controller.step(lane_readings(count, count, np.zeros((lanes, N_BINS))), first_s + t)
    assert controller.rungs == ["fixed-time programme"]
    assert controller.flash_reason == ""
    assert [change.time_s - first_s for change in controller.log] == [0, 15]
