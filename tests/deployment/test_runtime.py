"""The runtime shows what the simulator showed under the same controller, and needs none of what training needs."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from deployment.bundles import write_random_bundle
from network import small, sumo_small

from intergreen.agents.controllers.base import Setup
from intergreen.agents.deployment.controller import BundleController
from intergreen.agents.deployment.ladder import Rung
from intergreen.agents.deployment.runtime import SignalController, lane_readings
from intergreen.envs.core import TrafficCore
from intergreen.envs.network import read_sumo_network
from intergreen.envs.observation import N_BINS
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import load_scenario
from intergreen.envs.signals.aspects import GREEN, RED

NOT_AT_RUN_TIME = (
    "torch", "gymnasium", "numba", "llvmlite", "stable_baselines3", "yaml", "pydantic", "typer", "rich", "onnx",
)  # fmt: skip
SCRIPT = """
import json, sys
bundle, network, protocol, blocked, seconds = sys.argv[1:]
for name in blocked.split(","):
    sys.modules[name] = None
import numpy as np
from intergreen.agents.deployment.runtime import SignalController, lane_readings
controller = SignalController.load(bundle, network, protocol=protocol)
random, lanes = np.random.default_rng(0), controller.network.n_lanes
shown = []
for t in range(int(seconds)):
    arriving = random.integers(0, 2, (lanes, 5))
    waiting = random.integers(0, 4, lanes)
    shown.append(controller.step(lane_readings(waiting, waiting + arriving.sum(axis=1), arriving), t).tolist())
print(json.dumps({
    "shown": shown, "faults": len(controller.faults()), "flash": controller.flash_reason, "rungs": controller.rungs,
    "loaded": sorted(name for name in blocked.split(",") if sys.modules.get(name) is not None),
}))
"""


@pytest.mark.parametrize("protocol", ["literature-10-5", "us-mutcd-5"])
def test_runtime_needs_no_training_stack_and_no_compiler(bundle_folder, tmp_path, protocol):
    folder = small.write(tmp_path)
    arguments = [str(bundle_folder), str(folder), protocol, ",".join(NOT_AT_RUN_TIME), "300"]
    done = subprocess.run([sys.executable, "-c", SCRIPT, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    shown = np.array(told["shown"])
    assert (told["faults"], told["flash"], told["loaded"]) == (0, "", [])
    assert told["rungs"] == ["learned policy"]
    assert shown.shape == (300, 12)
    assert (shown == GREEN).any(axis=0).all()  # every movement had its green in five minutes
    assert (shown == RED).any(axis=0)[[1, 2, 4, 5, 7, 8, 10, 11]].all()


class Street:
    """A simulated network under a bundle, second by second, with what its detectors tell."""

    def __init__(self, bundle, name, protocol_name, horizon_s, spoil=lambda readings, t: readings):
        self.scenario, self.protocol = load_scenario(name), protocol_by_name(protocol_name)
        network, plan = self.scenario.network, self.protocol.plan(self.scenario.network)
        self.controller, self.spoil = BundleController(bundle), spoil
        self.core = TrafficCore(network, plan, self.scenario.demand, monitored=True)
        setup = Setup(network, plan, self.protocol, 1, 0, self.scenario.flows_vph())
        self.core.reset([self.scenario.trips(0, horizon_s=horizon_s)], [0], self.controller.start(setup))
        self.horizon_s = horizon_s

    def seconds(self):
        """Before each second the readings, then the calls and aspects of that second."""
        decide_at, wanted = 0, self.core.phase
        while self.core.time_s < self.horizon_s:
            now, counts = self.core.time_s, self.core.counts()
            readings = lane_readings(counts.waiting[0], counts.vehicles[0], counts.arriving[0])
            readings = self.spoil(readings, now)
            if now == decide_at:
                wanted = self.controller.decide(readings, self.core.signals(self.protocol.interval_s), now)
                decide_at = now + self.controller.seconds_until_change(now)
                self.core.run(wanted, 1)
            else:
                self.core.go_on(1)
            yield now, readings, self.core._calls[0].copy(), self.core.aspects[0].copy()


@pytest.mark.parametrize("protocol", ["literature-10-5", "us-mutcd-5"])
@pytest.mark.parametrize("name", ["single", "town"])
def test_runtime_shows_what_the_core_shows(bundle, bundle_folder, name, protocol):
    street = Street(bundle, name, protocol, 400)
    scenario = street.scenario
    flows_vph = scenario.flows_vph()
    runtime = SignalController.load(
        bundle_folder, scenario.network, protocol=protocol, flows_vph=flows_vph, red_first_s=0
    )
    changed = 0
    before = None
    for now, readings, calls, aspects in street.seconds():
        shown = runtime.step(readings, now, calls=calls)
        assert np.array_equal(shown, aspects), f"second {now}"
        changed += before is not None and not np.array_equal(before, shown)
        before = shown
    assert changed > 20
    assert runtime.faults() == street.core.faults() == []
    assert runtime.log == street.controller.log
    runtime.close()


def failing(lanes, start_s, end_s):
    """Detectors of these lanes that tell nothing from `start_s` to `end_s`."""

    def spoil(readings, t):
        if not start_s <= t < end_s:
            return readings
        waiting = readings.waiting.copy()
        waiting[:, lanes] = np.nan
        return readings._replace(waiting=waiting)

    return spoil


def test_runtime_shows_what_the_core_shows_while_detectors_fail(bundle, bundle_folder):
    network = load_scenario("single").network
    lanes = np.flatnonzero(np.isin(network.road_to[network.lane_road], network.signalled))
    street = Street(bundle, "single", "us-mutcd-5", 500, failing(lanes, 100, 250))
    flows_vph = street.scenario.flows_vph()
    runtime = SignalController.load(bundle_folder, network, flows_vph=flows_vph, red_first_s=0)
    for now, readings, calls, aspects in street.seconds():
        assert np.array_equal(runtime.step(readings, now, calls=calls), aspects), f"second {now}"
    assert runtime.log == street.controller.log
    steps = [(change.before, change.after) for change in runtime.log]
    assert steps == [
        (Rung.LEARNED, Rung.PROGRAMME),
        (Rung.PROGRAMME, Rung.ACTUATED),
        (Rung.ACTUATED, Rung.LEARNED),
    ]
    assert runtime.log[0].reason == f"a count is no number: {len(lanes)} of {len(lanes)} detectors"
    runtime.close()


def test_signal_on_its_programme_takes_no_other_down(bundle, bundle_folder):
    """The others' wishes are told to the shield as often as in the core, and counted as overruled no more often."""
    network = load_scenario("arterial6").network
    lanes = np.flatnonzero(network.road_to[network.lane_road] == network.signalled[0])
    street = Street(bundle, "arterial6", "us-mutcd-5", 900, failing(lanes, 0, 900))
    runtime = SignalController.load(
        bundle_folder, network, protocol="us-mutcd-5", flows_vph=street.scenario.flows_vph(), red_first_s=0
    )
    for now, readings, calls, aspects in street.seconds():
        assert np.array_equal(runtime.step(readings, now, calls=calls), aspects), f"second {now}"
    assert runtime.log == street.controller.log
    assert "the shield overruled" not in {change.reason[:20] for change in runtime.log}
    assert np.array_equal(runtime._signals.interventions.reshape(-1, 4), street.core.interventions[0])
    runtime.close()


@pytest.fixture
def runtime(bundle_folder):
    made = SignalController.load(bundle_folder, load_scenario("single").network)
    yield made
    made.close()


def empty_lanes(runtime, **other):
    lanes = runtime.network.n_lanes
    told = {"waiting": np.zeros(lanes), "vehicles": np.zeros(lanes), "arriving": np.zeros((lanes, N_BINS))}
    return lane_readings(**(told | other))


def test_time_that_does_not_move_on_is_refused(runtime):
    runtime.step(empty_lanes(runtime), 5)
    for time_s in (5, 4, 6.5, np.nan, "6"):
        with pytest.raises(ValueError, match="need a whole second after 5"):
            runtime.step(empty_lanes(runtime), time_s)
    assert runtime.flash_reason == ""


def test_readings_and_calls_of_other_networks_are_refused(runtime):
    lanes, movements = runtime.network.n_lanes, runtime.network.n_movements
    short = lane_readings(np.zeros(lanes - 1), np.zeros(lanes - 1), np.zeros((lanes - 1, N_BINS)))
    with pytest.raises(ValueError, match=f"need readings of {lanes} lanes"):
        runtime.step(short, 0)
    with pytest.raises(ValueError, match=f"need calls of {movements} movements"):
        runtime.step(empty_lanes(runtime), 0, calls=np.zeros(movements + 1, np.bool_))
    assert runtime.flash_reason == ""


@pytest.mark.parametrize(
    ("spoil", "calls"),
    [
        (lambda told, lane: told, False),
        (lambda told, lane: told.waiting.__setitem__((0, lane), 1), True),
        (lambda told, lane: told.arriving.__setitem__((0, lane, 0), 1), True),
        (lambda told, lane: told.arriving.__setitem__((0, lane, 1), 1), False),
        (lambda told, lane: told.waiting.__setitem__((0, lane), np.nan), True),
        (lambda told, lane: told.waiting.__setitem__((0, lane), -1), True),
        (lambda told, lane: told.age_s.__setitem__((0, lane), 10), False),
        (lambda told, lane: told.age_s.__setitem__((0, lane), 11), True),
    ],
    ids=["empty", "waits", "arrives", "far away", "no number", "negative", "old", "too old"],
)
def test_lane_calls_unless_it_tells_that_nobody_is_there(runtime, spoil, calls):
    movement = 1
    lane = int(runtime.network.start_lanes(movement)[0])
    told = empty_lanes(runtime, age_s=np.zeros(runtime.network.n_lanes, np.int32))
    told = told._replace(age_s=told.age_s.copy())
    spoil(told, lane)
    sharing = [lane in runtime.network.start_lanes(m) for m in range(runtime.network.n_movements)]
    assert np.array_equal(runtime._calls(told) == 1, np.array(sharing) & calls)


def test_network_from_sumo_is_bound_by_its_file(tmp_path, caplog):
    path = tmp_path / "crossroads.net.xml"
    path.write_text(sumo_small.Crossroads().xml())
    controller = SignalController.load(Path(__file__).parents[2] / "checkpoints" / "universal", path)
    assert controller.network.conventions == "sumo"
    lanes = np.zeros(controller.network.n_lanes)
    shown = [
        controller.step(lane_readings(lanes, lanes, np.zeros((len(lanes), N_BINS))), second).copy()
        for second in range(30)
    ]
    assert (shown[0] == RED).all()
    assert any((aspects == GREEN).any() for aspects in shown)
    assert controller.flash_reason == ""


@pytest.mark.parametrize("named", ["small.sumocfg", "."])
def test_network_from_sumo_is_bound_by_its_scenario(tmp_path, named):
    (tmp_path / "small.net.xml").write_text(sumo_small.Crossroads().xml())
    files = '<net-file value="small.net.xml"/><route-files value="a.rou.xml"/>'
    (tmp_path / "small.sumocfg").write_text(f"<configuration><input>{files}</input></configuration>")
    bound = SignalController.load("universal", tmp_path / named)
    assert bound.network.road_ids == read_sumo_network(tmp_path / "small.net.xml").road_ids


def test_what_is_unlike_training_is_told_in_its_own_units(tmp_path, caplog):
    features = ("queue", "lanes", "timing")
    bundle = write_random_bundle(tmp_path / "bundle", features, seen=(0.0, 0.5))
    (tmp_path / "net").mkdir()
    controller = SignalController.load(bundle, small.write(tmp_path / "net"), protocol="literature-30-5")
    assert controller.unlike_training == [
        "exists of 1 flag, in training 0 to 0.5 flag",
        "lanes of 0.5 to 1 lanes, in training 0 to 0.5 lanes",
        "interval of 30 s, in training 0 to 5 s",
        "clearance of 5 s, in training 0 to 2.5 s",
    ]
    told = [record.getMessage() for record in caplog.records]
    assert (
        told[0]
        == "net: signal plans that are not proved in the bundle: 1; intergreen verify BUNDLE NETWORK proves them"
    )
    assert told[1:] == [f"net: unlike what the policy was trained on: {words}" for words in controller.unlike_training]
    controller.close()
