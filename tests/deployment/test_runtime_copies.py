"""A copy of the runtime, deep or pickled, goes on as the one it was made of, and neither knows of the other."""

import copy
import pickle

import numpy as np
import pytest
from network import small

from intergreen.agents.deployment.controller import BundleController
from intergreen.agents.deployment.runtime import SignalController, lane_readings
from intergreen.envs.observation import N_BINS
from intergreen.envs.scenario import load_scenario
from intergreen.envs.signals.aspects import GREEN

WAYS = {"deep": copy.deepcopy, "pickled": lambda controller: pickle.loads(pickle.dumps(controller))}
COPIED_AT_S = (0, 7, 150, 153, 300)  # before the first second, in greens and transitions, while detectors fail


@pytest.fixture(scope="module")
def networks():
    return {name: load_scenario(name).network for name in ("single", "town")}


def traffic(network, seconds, *, seed=0):
    """Readings in which a tenth of the lanes fails from 100 s to 200 s, and all from 250 s on."""
    random, lanes = np.random.default_rng(seed), network.n_lanes
    fails = random.random(lanes) < 0.1
    for t in range(seconds):
        waiting = random.integers(0, 4, lanes).astype(float)
        waiting[(fails & (100 <= t < 200)) | (t >= 250)] = np.nan
        arriving = random.integers(0, 2, (lanes, N_BINS))
        yield lane_readings(waiting, waiting + arriving.sum(axis=1), arriving)


def end_of(controller):
    return controller.log, controller.rungs, controller.faults(), controller.flash_reason


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("name", "protocol"), [("single", "us-mutcd-5"), ("single", "literature-10-5"), ("town", "us-mutcd-5")]
)
def test_copies_go_on_as_the_one_they_were_made_of(networks, bundle_folder, name, protocol, way):
    controller = SignalController.load(bundle_folder, networks[name], protocol=protocol)
    untouched = SignalController.load(bundle_folder, networks[name], protocol=protocol)
    copies = []
    for t, readings in enumerate(traffic(networks[name], 400)):
        if t in COPIED_AT_S:
            copies.append(WAYS[way](controller))
        shown = untouched.step(readings, t)
        for one in (controller, *copies):
            assert np.array_equal(one.step(readings, t), shown), f"second {t}"
    assert len(copies) == len(COPIED_AT_S)
    assert len({rung for change in controller.log for rung in (change.before, change.after)}) == 3
    assert all(end_of(one) == end_of(untouched) for one in (controller, *copies))


@pytest.mark.parametrize("way", WAYS)
def test_what_a_copy_meets_changes_nothing_for_the_other(networks, bundle_folder, way):
    network = networks["single"]
    controller, untouched = (SignalController.load(bundle_folder, network) for _ in range(2))
    together = list(traffic(network, 60))
    for t, readings in enumerate(together):
        assert np.array_equal(controller.step(readings, t), untouched.step(readings, t))
    other = WAYS[way](controller)
    for t, readings in enumerate(traffic(network, 400, seed=1), 60):
        other.step(readings, t)
    assert not end_of(controller)[0]
    assert end_of(other)[0]
    for t, readings in enumerate(together, 60):
        assert np.array_equal(controller.step(readings, t), untouched.step(readings, t))
    assert end_of(controller) == end_of(untouched)


@pytest.mark.parametrize("way", WAYS)
def test_copy_of_a_flashing_runtime_flashes(tmp_path, bundle_folder, way):
    controller = SignalController.load(bundle_folder, small.write(tmp_path))
    readings = list(traffic(controller.network, 100))
    for t, one in enumerate(readings[:30]):
        controller.step(one, t)
    controller._signals.aspects[:] = GREEN  # all at once, in the place of what the shield shows: a fault
    controller._shield.tick = lambda calls: None
    controller.step(readings[30], 30)
    del controller._shield.tick
    assert controller.flash_reason.startswith("monitor: ")
    other = WAYS[way](controller)
    for t, one in enumerate(readings[31:], 31):
        assert np.array_equal(controller.step(one, t), other.step(one, t))
    assert end_of(controller) == end_of(other)


@pytest.mark.parametrize("way", WAYS)
def test_controller_of_a_bundle_is_copied_before_it_is_started_too(bundle, way):
    assert WAYS[way](BundleController(bundle)).name == bundle.name
