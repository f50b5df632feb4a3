"""Which lanes tell about a signal: also those behind a cut of the street shortly before it."""

import numpy as np
import pytest
from network.test_approaches import street

from intergreen.agents.controllers.base import Setup
from intergreen.agents.deployment.controller import BundleController
from intergreen.agents.deployment.detectors import detectors_of
from intergreen.agents.deployment.ladder import Rung
from intergreen.agents.deployment.runtime import lane_readings
from intergreen.envs.network.approaches import approach_lanes_by_movement
from intergreen.envs.observation import N_BINS
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import load_scenario
from intergreen.envs.signals import SignalStatus


def roads_of(network, lanes):
    return {network.road_ids[network.lane_road[lane]] for lane in lanes}


@pytest.fixture
def cut(tmp_path):
    """A signal after a stub of 20 metres and another one after a whole street."""
    return street(tmp_path, [200.0, 20.0, 200.0, 200.0], signals=(2, 3))


def test_lanes_behind_a_cut_tell_about_the_signal_as_well(cut):
    found = detectors_of(cut, cut.signalled)
    seen = [roads_of(cut, found.lane[found.signal == i]) for i in range(2)]
    assert seen == [{"e0", "e1", "side2"}, {"e2", "side3"}]
    assert found.number.tolist() == [3, 2]
    assert roads_of(cut, np.flatnonzero(~found.tells)) == {"e3"}


def test_every_lane_that_a_policy_sees_before_a_signal_tells_about_it(cut):
    for network in (cut, load_scenario("town").network):
        found = detectors_of(network, network.signalled)
        starts, lanes = approach_lanes_by_movement(network)
        pairs = set(zip(found.signal.tolist(), found.lane.tolist(), strict=True))
        for m, j in enumerate(network.movement_intersection.tolist()):
            if j in network.signalled:
                i = network.signalled.tolist().index(j)
                assert {(i, lane) for lane in lanes[starts[m] : starts[m + 1]].tolist()} <= pairs


def test_counts_and_means_are_those_of_each_signals_lanes(cut):
    found, random = detectors_of(cut, cut.signalled), np.random.default_rng(0)
    which = random.random((5, cut.n_lanes)) < 0.5
    values = random.integers(0, 9, which.shape).astype(np.float32)
    counts, means = found.count(which), found.means(values, which)
    for b in range(len(which)):
        expected = np.zeros(cut.n_lanes)
        for i in range(2):
            lanes = found.lane[found.signal == i]
            assert counts[b, i] == which[b, lanes].sum()
            mine = values[b, lanes][which[b, lanes]]
            expected[lanes] = mine.mean() if len(mine) else 0.0
        np.testing.assert_allclose(means[b], expected)


def test_count_behind_a_cut_that_is_no_number_puts_the_signal_on_actuated_control(bundle, cut):
    protocol = protocol_by_name("us-mutcd-5")
    plan, controller = protocol.plan(cut), BundleController(bundle)
    controller.start(Setup(cut, plan, protocol, 1))
    zeros, granted = np.zeros((1, 2), np.int32), np.ones((1, cut.n_phases), np.uint8)
    status = SignalStatus(zeros, zeros, np.zeros((1, cut.n_movements), np.int32), granted, zeros)
    counts = np.ones(cut.n_lanes)
    counts[cut.road_lane_start[cut.road_ids.index("e0")]] = np.nan
    controller.decide(lane_readings(counts, counts, np.zeros((cut.n_lanes, N_BINS))), status, 0)
    controller.close()
    (change,) = controller.log
    assert (change.signal, change.after) == (0, Rung.ACTUATED)
    assert change.reason == "a count is no number: 1 of 3 detectors"
