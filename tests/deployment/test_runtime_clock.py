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
    controller = SignalController.load(bundle_folder, folder, red_first_s=0)
    lanes = controller.network.n_lanes
    for t in range(30):
        few = t < 15  # detectors fail: first one of the lanes, then all
        count = np.where(np.arange(lanes) < (1 if few else lanes), np.nan, 1.0)
        controller.step(lane_readings(count, count, np.zeros((lanes, N_BINS))), first_s + t)
    assert controller.rungs == ["fixed-time programme"]
    assert controller.flash_reason == ""
    assert [change.time_s - first_s for change in controller.log] == [0, 15]


def test_second_that_has_been_is_refused_in_the_flash_too(folder, bundle_folder, monkeypatch):
    """Whoever asks twice in one second would see its yellow end early."""
    controller = SignalController.load(bundle_folder, folder, red_first_s=0)
    asked = list(traffic(controller, 4))
    controller.step(asked[0], 0)
    monkeypatch.setattr(controller, "decide", lambda *_: 1 / 0)
    monkeypatch.setattr(controller._decider, "is_due", lambda time_s: True)
    for second in (1, 2):
        controller.step(asked[second], second)
        assert controller.flash_reason == "the runtime raised ZeroDivisionError"
        with pytest.raises(ValueError, match=f"need a whole second after {second}"):
            controller.step(asked[3], second)


def test_seconds_that_nobody_asked_for_are_logged(folder, bundle_folder, caplog):
    controller = SignalController.load(bundle_folder, folder)
    asked = list(traffic(controller, 3))
    for second in (0, 1, 601):
        controller.step(asked[0], second)
    missed = [record.getMessage() for record in caplog.records if "nobody asked" in record.getMessage()]
    assert missed == [f"{folder.name}: second 601: nobody asked for 599 s, and the signals stood as they were"]
