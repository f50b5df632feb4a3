"""What a street's program hands the runtime: ages, calls, volumes, names."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from deployment.bundles import random_network, write_random_bundle
from network import small

from intergreen.agents.controllers.policy_network import PolicyNetwork
from intergreen.agents.deployment.runtime import SignalController, lane_readings
from intergreen.envs.errors import InputError
from intergreen.envs.observation import N_BINS
from intergreen.envs.protocol import Protocol, protocol_by_name
from intergreen.envs.scenario import load_scenario
from intergreen.envs.signals import FieldTiming
from intergreen.envs.signals.presets import PROFILES


@pytest.fixture
def folder(tmp_path):
    return small.write(tmp_path)


@pytest.mark.parametrize(
    ("told", "age_s"), [(3, 3), (3.9, 3), (-5, 2**31 - 1), (np.nan, 2**31 - 1), (np.inf, 2**31 - 1), (1e12, 2**31 - 1)]
)
def test_no_age_turns_old_readings_into_new_ones(told, age_s):
    readings = lane_readings([0, 0], [0, 0], np.zeros((2, N_BINS)), age_s=[told, 0])
    assert readings.age_s.tolist() == [[age_s, 0]]


def test_what_is_masked_tells_nothing():
    masked = np.ma.masked_array([3, 4], mask=[False, True])
    bins = np.ma.masked_array(np.zeros((2, N_BINS), int), mask=False)
    bins[0, 1] = np.ma.masked
    readings = lane_readings(masked, masked, bins, age_s=masked)
    for values in (readings.waiting, readings.vehicles):
        assert values[0, 0] == 3.0
        assert np.isnan(values[0, 1])
    assert np.isnan(readings.arriving[0]).sum() == 1
    assert np.isnan(readings.arriving[0, 0, 1])
    assert readings.age_s.tolist() == [[3, 2**31 - 1]]


def test_call_is_whatever_is_not_zero(folder, bundle_folder):
    def aspects(calls):
        controller = SignalController.load(bundle_folder, folder)
        lanes = controller.network.n_lanes
        empty = lane_readings(np.zeros(lanes), np.zeros(lanes), np.zeros((lanes, N_BINS)))
        return [controller.step(empty, t, calls).tolist() for t in range(40)]

    n = 12
    assert aspects(np.full(n, 256)) == aspects([True] * n) == aspects(np.full(n, np.nan))
    assert aspects(np.zeros(n)) == aspects([False] * n)


def test_readings_of_another_kind_are_refused_before_anything_changes(folder, bundle_folder):
    controller = SignalController.load(bundle_folder, folder)
    for readings in (None, {"waiting": [0]}):
        with pytest.raises(TypeError, match=r"made with lane_readings\(\.\.\.\), got a"):
            controller.step(readings, 0)
    assert (controller.flash_reason, controller.rungs) == ("", ["learned policy"])


@pytest.mark.parametrize("flows", [[1.0], [np.nan] * 12, [-1.0] * 12], ids=["too few", "no numbers", "negative"])
def test_volumes_that_cannot_be_are_one_line(folder, bundle_folder, flows):
    with pytest.raises(InputError, match="flows_vph: are not a number >= 0 for each of 12 movements"):
        SignalController.load(bundle_folder, folder, flows_vph=flows)


def test_shipped_name_is_what_is_shipped_and_a_folder_called_so_is_a_path(folder, bundle_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "universal").symlink_to(bundle_folder)
    for bundle, name in (("universal", "universal"), ("./universal", "random"), (Path("universal"), "random")):
        assert SignalController.load(bundle, folder)._decider.bundle.name == name


def test_bundle_that_is_not_there_is_answered_with_those_that_are(folder):
    with pytest.raises(InputError, match=r"no such folder; name the folder of a bundle .*, or one of quick, universal"):
        SignalController.load("univrsal", folder)


def test_scenario_in_the_place_of_a_network_says_what_to_give(bundle_folder, folder):
    (folder / "mine.yaml").write_text("name: mine")
    for name, words in ((folder / "mine.yaml", "is a scenario's file"), ("grid4x4", "no such file or folder")):
        with pytest.raises(InputError, match=rf"{words}; .* load_scenario\('.*{name}'\)\.network"):
            SignalController.load(bundle_folder, name)
    with pytest.raises(TypeError, match=r"not a Scenario; of a scenario, its \.network"):
        SignalController.load(bundle_folder, load_scenario(folder))


def test_protocol_of_ones_own_times_the_street(folder, bundle_folder):
    slow = replace(PROFILES["us-mutcd"], name="slow", shortest_yellow_s=5.0)
    controller = SignalController.load(
        bundle_folder, folder, protocol=Protocol("slow-5", 5, FieldTiming(slow), "literature-8")
    )
    assert controller.plan.rules.yellow.min() == 5


def test_ages_of_other_lanes_are_one_line():
    with pytest.raises(ValueError, match=r"need one age or one for each of 2 lanes, got shape \(3,\)"):
        lane_readings([0, 0], [0, 0], np.zeros((2, N_BINS)), age_s=np.zeros(3))


@pytest.mark.parametrize(
    ("made_for", "timing"),
    [
        (("de-rilsa-5",), "de-rilsa-5"),
        (("literature-10-5",), "us-mutcd-5"),
        (("de-rilsa-5", "us-mutcd-5"), "us-mutcd-5"),
    ],
)
def test_timing_is_that_of_the_field_which_the_bundle_was_made_for(tmp_path, made_for, timing):
    folder = write_random_bundle(tmp_path / "mine", protocols=made_for)
    controller = SignalController.load(folder, load_scenario("single").network)
    assert controller.protocol.name in (timing, "field")
    assert controller.plan.timing == protocol_by_name(timing).timing
    controller.close()
    asked = SignalController.load(folder, load_scenario("single").network, protocol="cn-gb-5")
    assert asked.protocol.name == "cn-gb-5"
    asked.close()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_weights_too_large_to_reckon_with_are_one_line(tmp_path):
    arrays = random_network().arrays
    huge = {**arrays, "score.weight": np.full_like(arrays["score.weight"], 3e38)}
    folder = write_random_bundle(tmp_path / "mine", network=PolicyNetwork(huge))
    with pytest.raises(InputError, match=r"policy\.onnx: asked about empty roads, .*; train and export"):
        SignalController.load(folder, load_scenario("single").network)
