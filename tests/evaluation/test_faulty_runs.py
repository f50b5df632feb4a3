"""Evaluations with injected faults: the same runs without them, safe runs with them, independent of batches."""

import json

import numpy as np
import pytest

from intergreen.agents.controllers import MaxPressure, controller_by_name
from intergreen.agents.evaluation import run
from intergreen.agents.evaluation.compare import comparison_cells, run_cells
from intergreen.agents.evaluation.report import comparisons, metrics_table
from intergreen.agents.evaluation.run import evaluate
from intergreen.envs.errors import InputError
from intergreen.envs.fault_file import FaultList, read_faults
from intergreen.envs.fault_kinds import (
    DETECTOR_KINDS,
    Dead,
    Delay,
    Drop,
    Noise,
    NotANumber,
    PolicyRaises,
    PolicySleeps,
    Stick,
)
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.readings import Readings
from intergreen.envs.scenario import load_scenario

NEEDED = {Noise: {"sd": 0.4}, Delay: {"seconds": 25}}
FIELD, LITERATURE = protocol_by_name("us-mutcd-5"), protocol_by_name("literature-10-5")


@pytest.fixture(scope="module")
def single():
    return load_scenario("single")


def numbers_of(result):
    return {key: result[key] for key in ("metrics", "series", "safety")}


def test_result_always_says_which_faults(single):
    assert evaluate(single, MaxPressure(), LITERATURE, seeds=[0], horizon_s=60)["faults"] == []
    faults = (Dead(share=0.1, begin_s=20), Noise(lanes=(single.network.lane_name(0),), sd=0.2, end_s=50))
    result = evaluate(single, MaxPressure(), LITERATURE, seeds=[0], horizon_s=60, faults=faults)
    assert result["faults"] == [fault.stated() for fault in faults]
    assert json.loads(json.dumps(result, allow_nan=False)) == result


@pytest.mark.parametrize("name", ["max-pressure", "advanced-max-pressure", "fixed-cycle", "universal-0"])
def test_faults_of_nobody_or_of_never_change_no_number(single, name):
    plain, *others = (
        evaluate(single, controller_by_name(name), LITERATURE, seeds=[0, 1], horizon_s=600, faults=faults)
        for faults in ((), (NotANumber(share=0.0),), (NotANumber(share=1.0, begin_s=600),))
    )
    for other in others:
        assert numbers_of(other) == numbers_of(plain)


def test_controller_sees_readings_only_where_detectors_can_fail(single):
    seen = []

    class Watched(MaxPressure):
        def decide(self, counts, signals, time_s):
            seen.append(isinstance(counts, Readings))
            return super().decide(counts, signals, time_s)

    for faults in ((), (Dead(share=0.1),)):
        evaluate(single, Watched(), LITERATURE, seeds=[0], horizon_s=30, faults=faults)
    assert seen == [False] * 3 + [True] * 3


@pytest.mark.parametrize("share", [0.01, 0.1, 1.0])
@pytest.mark.parametrize("kind", DETECTOR_KINDS, ids=lambda kind: kind.kind)
def test_signals_stay_safe_whatever_detectors_tell(single, kind, share):
    faults = (kind(share=share, begin_s=100, **NEEDED.get(kind, {})),)
    for protocol in (FIELD, LITERATURE):
        result = evaluate(single, MaxPressure(), protocol, seeds=[0, 1], horizon_s=400, faults=faults)
        assert result["safety"]["monitor_faults"] == 0
        assert result["metrics"]["throughput_veh"]["mean"] > 0.0


@pytest.mark.parametrize("kind", DETECTOR_KINDS, ids=lambda kind: kind.kind)
def test_learned_and_advanced_controllers_survive_every_kind(single, kind):
    for name in ("universal-0", "advanced-max-pressure"):
        faults = (kind(share=1.0, **NEEDED.get(kind, {})),)
        result = evaluate(single, controller_by_name(name), FIELD, seeds=[0], horizon_s=200, faults=faults)
        assert result["safety"]["monitor_faults"] == 0


def test_blind_detectors_cost_time(single):
    seeing, blind = (
        evaluate(single, MaxPressure(), LITERATURE, seeds=[0], horizon_s=1200, faults=faults)["metrics"]
        for faults in ((), (Stick(share=1.0),))
    )
    name = "average_travel_time_s"
    assert blind[name]["mean"] > 1.1 * seeing[name]["mean"]


def test_programme_that_sees_nothing_is_not_changed_by_faults(single):
    plain, faulty = (
        evaluate(single, controller_by_name("fixed-time"), LITERATURE, seeds=[0], horizon_s=600, faults=faults)
        for faults in ((), (NotANumber(share=1.0),))
    )
    assert numbers_of(faulty) == numbers_of(plain)


def test_faults_belong_to_seeds_however_the_seeds_are_batched(single, monkeypatch):
    faults = (Drop(share=0.3, begin_s=60), Noise(share=0.5, sd=0.5))
    whole = evaluate(single, MaxPressure(), LITERATURE, seeds=[0, 1, 2], horizon_s=600, faults=faults)
    monkeypatch.setattr(run, "_BATCH_BYTES", 1.0)
    parts = evaluate(single, MaxPressure(), LITERATURE, seeds=[0, 1, 2], horizon_s=600, faults=faults)
    assert numbers_of(parts) == numbers_of(whole)
    alone = evaluate(single, MaxPressure(), LITERATURE, seeds=[2], horizon_s=600, faults=faults)
    name = "average_travel_time_s"
    assert alone["metrics"][name]["per_seed"] == [whole["metrics"][name]["per_seed"][2]]


def test_replica_meets_the_same_readings_whenever_others_are_asked(single):
    class Impatient(MaxPressure):
        """Is asked more often the more replicas there are, as who falls back to a programme is."""

        def start(self, setup):
            self._often = setup.n_replicas > 1
            return super().start(setup)

        def decide(self, counts, signals, time_s):
            if time_s % 10 == 0:
                self._wanted = super().decide(counts, signals, time_s)
            return self._wanted

        def seconds_until_change(self, time_s):
            return 5 if self._often else 10

    faults = (Noise(share=1.0, sd=0.5), Drop(share=0.3, begin_s=97), Delay(share=0.2, seconds=13))
    whole = evaluate(single, Impatient(), LITERATURE, seeds=[0, 1], horizon_s=600, faults=faults)
    alone = evaluate(single, Impatient(), LITERATURE, seeds=[1], horizon_s=600, faults=faults)
    name = "average_travel_time_s"
    assert alone["metrics"][name]["per_seed"] == [whole["metrics"][name]["per_seed"][1]]


class Breaking(MaxPressure):
    """Keeps the faults that it is given."""

    given = ()

    def break_policy(self, faults):
        self.given = tuple(faults)


def test_faults_of_the_policy_go_to_a_controller_that_can_have_them(single):
    controller, faults = Breaking(), (PolicyRaises(begin_s=10), Dead(share=0.1), PolicySleeps(seconds=0.1))
    result = evaluate(single, controller, LITERATURE, seeds=[0], horizon_s=30, faults=faults)
    assert controller.given == (faults[0], faults[2])
    assert result["faults"] == [fault.stated() for fault in faults]
    evaluate(single, controller, LITERATURE, seeds=[0], horizon_s=30)
    assert controller.given == ()


def test_faults_of_the_policy_are_refused_where_there_is_none(single):
    with pytest.raises(InputError, match=r"^policy-raises: max-pressure has no policy that could fail"):
        comparison_cells(["single"], ["max-pressure"], faults=read_faults("policy-raises"))
    with pytest.raises(ValueError, match="max-pressure has no policy that could fail"):
        evaluate(single, MaxPressure(), LITERATURE, seeds=[0], faults=(PolicyRaises(),))


def test_lane_of_another_network_is_refused_before_any_run():
    faults = FaultList("mine.yaml", (Dead(share=0.1), Dead(lanes=("nowhere_0",))))
    with pytest.raises(InputError, match=r"mine\.yaml: faults\[1\]\.lanes: the network has no lane 'nowhere_0'"):
        comparison_cells(["single"], ["max-pressure"], faults=faults)


def test_results_with_different_faults_share_no_table_and_say_so_in_its_title():
    results = [
        result
        for faults in (None, read_faults("dead-10"), read_faults("noise-100"))
        for result in run_cells(comparison_cells(["single"], ["fixed-time"], faults=faults), seeds=[0], horizon_s=30)
    ]
    titles = [table.title for table in comparisons(results)]
    assert [title.partition("native · ")[2] for title in titles] == [
        "seeds 0",
        "dead 10 % from 300 s · seeds 0",
        "noise 100 % sd 0.3 undercount 0.0 from 300 s · seeds 0",
    ]
    assert "dead 10 % from 300 s" in metrics_table(results[1]).title
    lanes = FaultList("", (Dead(lanes=("road_0_1_0_0",), end_s=9),))
    (named,) = run_cells(comparison_cells(["single"], ["fixed-time"], faults=lanes), seeds=[0], horizon_s=30)
    assert "dead road_0_1_0_0 from 0 to 9 s" in metrics_table(named).title


def test_evaluation_is_of_the_readings_that_the_seed_gives(single):
    """By hand: the detectors are read at decisions alone, with the run's own seed."""
    from intergreen.agents.controllers import Setup
    from intergreen.envs.core import TrafficCore
    from intergreen.envs.detector_faults import FaultyDetectors

    faults = (Noise(share=1.0, sd=0.8),)
    result = evaluate(single, MaxPressure(), LITERATURE, seeds=[5], horizon_s=600, faults=faults)
    controller = MaxPressure()
    core = TrafficCore(single.network, LITERATURE.plan(single.network), single.demand)
    core.reset([single.trips(5)], [5], controller.start(Setup(single.network, core.plan, LITERATURE, 1)))
    detectors = FaultyDetectors(faults, 1, single.network, [5])
    for t in range(0, 600, 10):
        core.run(controller.decide(detectors.read(core.counts(), t), core.signals(10), t), 10)
    totals = core.totals()
    assert result["metrics"]["throughput_veh"]["per_seed"] == [float(totals.finished[0])]
    assert np.isclose(
        result["metrics"]["average_travel_time_s"]["mean"],
        totals.sum_travel_time_s[0] / totals.released[0],
        rtol=1e-12,
    )


def test_list_of_faults_goes_by_its_name(single):
    by_name = evaluate(single, MaxPressure(), LITERATURE, seeds=[0], horizon_s=100, faults="dead-10")
    listed = evaluate(single, MaxPressure(), LITERATURE, seeds=[0], horizon_s=100, faults=read_faults("dead-10").faults)
    assert by_name["faults"] == listed["faults"] != []
    assert by_name["metrics"] == listed["metrics"]
