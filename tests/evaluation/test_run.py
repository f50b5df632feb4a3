"""Evaluations: the reference runs to the second, the shape of the result, and independence of batches and threads."""

import json
from dataclasses import replace

import numpy as np
import pytest
from network import small

from intergreen.agents.controllers import FixedTime, MaxPressure, Setup, controller_by_name, controller_names
from intergreen.agents.evaluation import run
from intergreen.agents.evaluation.run import evaluate
from intergreen.envs.core import TrafficCore
from intergreen.envs.demand import TurnSpec, generate_demand
from intergreen.envs.errors import AnswerError, InputError
from intergreen.envs.network import read_cityflow_network
from intergreen.envs.protocol import Protocol, protocol_by_name
from intergreen.envs.scenario import Scenario, load_scenario
from intergreen.envs.signals import make_plan
from intergreen.envs.signals.state import INTERVENTIONS
from intergreen.envs.unseen import at_level

PROTOCOL = protocol_by_name("literature-10-5")
METRICS = {
    "average_travel_time_s", "approach_time_s", "approach_time_literature_s", "delay_s", "mean_queue_veh",
    "max_queue_veh", "throughput_veh", "stops_per_veh", "mean_speed_m_s", "max_wait_s", "p95_wait_s",
    "waiting_outside_veh", "person_delay_s", "red_entries", "overlaps",
}  # fmt: skip


@pytest.fixture(scope="module")
def arterial():
    return load_scenario("arterial6")


def without_cost(result):
    return {key: value for key, value in result.items() if key != "cost"}


@pytest.mark.parametrize(
    ("control", "controller", "protocol"),
    [
        ("fixed", "fixed-time", "literature-10-5"),
        ("cycle", "fixed-cycle", "literature-25-5"),
        ("mp", "max-pressure", "literature-10-5"),
    ],
)
@pytest.mark.parametrize("network", ["hangzhou_4x4", "jinan_3x4_2000"])
def test_controls_of_the_reference_runs_are_reproduced(benchmark_data, network, control, controller, protocol):
    reference = json.loads((benchmark_data / "reference" / "cityflow" / f"{network}.{control}.json").read_text())
    scenario = load_scenario(f"cityflow/{network}")
    result = evaluate(scenario, controller_by_name(controller), protocol_by_name(protocol), seeds=[0])
    series = {name: [row[0] for row in result["series"][name]] for name in run.SERIES}
    for k, (t, running, present, halted, _, _, travel_time_s) in enumerate(reference["rows"]):
        assert result["series"]["t"][k] == t
        assert series["running_veh"][k] == running
        assert series["running_veh"][k] + series["waiting_outside_veh"][k] == present
        assert series["halted_veh"][k] == halted
        assert series["average_travel_time_s"][k] == pytest.approx(travel_time_s, abs=1e-4)  # four digits are printed


class Own:
    """A controller that somebody is writing."""

    name: str = "own"
    interval_s: int | None = None
    own_clearance = False

    def start(self, setup):
        self.first = np.tile(setup.plan.choices[:, 0], (setup.n_replicas, 1))
        return self.first

    def decide(self, counts, signals, time_s):
        return self.first


class Unfinished:
    name = "unfinished"

    def decide(self, counts, signals, time_s):
        return None


class Silent(Own):
    def decide(self, counts, signals, time_s):
        super().decide(counts, signals, time_s)


class Talks(Own):
    def decide(self, counts, signals, time_s):
        return "north"


class Alone(Own):
    def decide(self, counts, signals, time_s):
        return self.first[0]


class Uneven(Own):
    def decide(self, counts, signals, time_s):
        return [[0], [0, 1]]


class Halves(Own):
    interval_s = 2.5


class Begins(Own):
    def __init__(self, begun):
        self.begun = begun

    def start(self, setup):
        super().start(setup)
        return self.begun


class Zero(Own):
    interval_s = 0


@pytest.mark.parametrize(
    ("controller", "error", "words"),
    [
        (Own, TypeError, r"got its class; write Own\("),
        (Unfinished(), TypeError, "it has no interval_s, own_clearance, start"),
        (Silent(), ValueError, "own decided nothing at 0 s: its decide returned None"),
        (Talks(), AnswerError, "own decided 'north' at 0 s; need numbers of phases"),
        (Alone(), AnswerError, r"own decided \(6,\) of int32 at 0 s; need numbers of phases, \(1, 6\) replicas"),
        (Uneven(), AnswerError, "own decided list of no shape at 0 s"),
        (Begins(None), AnswerError, "own begins with nothing: its start returned None"),
        (
            Begins([0] * 6),
            AnswerError,
            r"own begins with \(6,\) of int64 in its start; need numbers of phases, \(1, 6\)",
        ),
        (
            Begins([[0, 0, float("nan"), 0, 0, 0]]),
            AnswerError,
            "own begins with phase nan, which is none; signal 2 has",
        ),
        (Begins([[0, 0, 0, 0, 0, 50]]), AnswerError, "own begins with phase 50, which is none; signal 5 has 0 to"),
        (Begins([[0, -2, 0, 0, 0, 0]]), AnswerError, "phase -2, which is none; signal 1 has .*, and -1 is a clearance"),
        (Halves(), ValueError, "whole seconds >= 1, or None for the protocol's, got 2.5"),
        (Zero(), ValueError, "got 0"),
    ],
    ids=[
        *("class", "unfinished", "no return", "text", "one replica", "uneven"),
        *("no beginning", "beginning of one replica", "beginning of no number", "no such phase", "phase below", "half"),
        "no seconds",
    ],
)
def test_controller_that_is_none_is_refused_and_not_run(arterial, controller, error, words):
    assert evaluate(arterial, Own(), PROTOCOL, seeds=[0], horizon_s=60)["controller"] == "own"
    with pytest.raises(error, match=words):
        evaluate(arterial, controller, PROTOCOL, seeds=[0], horizon_s=60)


class Scribbler(MaxPressure):
    """Decides like max-pressure, and then writes into all that it was told."""

    def decide(self, counts, signals, time_s):
        wanted = super().decide(counts, signals, time_s).copy()
        for told in (counts.waiting, counts.vehicles, *signals):
            told[:] = 3
        return wanted


@pytest.mark.parametrize("protocol", ["literature-10-5", "us-mutcd-5"])
def test_controller_that_writes_into_what_it_is_told_reaches_neither_shield_nor_traffic(arterial, protocol):
    results = [
        evaluate(arterial, controller, protocol_by_name(protocol), seeds=[0, 1], horizon_s=600)
        for controller in (MaxPressure(), Scribbler())
    ]
    polite, scribbler = ({key: one[key] for key in ("metrics", "safety", "series")} for one in results)
    assert scribbler == polite
    assert scribbler["safety"]["monitor_faults"] == 0


class Collector(MaxPressure):
    """Keeps what it is told, and a copy of it."""

    def start(self, setup):
        self.kept, self.copies = [], []
        return super().start(setup)

    def decide(self, counts, signals, time_s):
        told = (*counts, *signals)
        self.kept.append(told)
        self.copies.append([array.copy() for array in told])
        return super().decide(counts, signals, time_s)


def test_what_a_controller_keeps_of_what_it_is_told_stays_as_it_was(arterial):
    collector = Collector()
    evaluate(arterial, collector, protocol_by_name("us-mutcd-5"), seeds=[0], horizon_s=300)
    assert len(collector.kept) == 60
    for kept, copies in zip(collector.kept, collector.copies, strict=True):
        assert all(np.array_equal(*pair) for pair in zip(kept, copies, strict=True))


@pytest.mark.parametrize("name", ["max-pressure", "free-flow"])
def test_run_in_which_nobody_departs_is_refused(tmp_path, name):
    late = [flow | {"startTime": 700, "endTime": 800} for flow in small.flows()]
    scenario = load_scenario(small.write(tmp_path, flow=late))
    assert evaluate(scenario, controller_by_name(name), PROTOCOL, seeds=[0], horizon_s=720)["seeds"] == [0]
    with pytest.raises(InputError, match="demand: nobody departs before 600 s; run longer"):
        evaluate(scenario, controller_by_name(name), PROTOCOL, seeds=[0], horizon_s=600)


@pytest.mark.parametrize("name", ["max-pressure", "free-flow"])
def test_run_without_a_signal_is_refused(tmp_path, name):
    network = read_cityflow_network(small.write(tmp_path, roadnet=small.unsignalled()) / "roadnet.json")
    demand = generate_demand(network, TurnSpec(300), seed=0)
    scenario = Scenario("mine", network, demand, 600, fixed_demand=True, default_protocol=PROTOCOL.name)
    with pytest.raises(InputError, match="mine: no junction has a signal with two phases or more for vehicles"):
        evaluate(scenario, controller_by_name(name), PROTOCOL, seeds=[0])


@pytest.mark.parametrize("name", controller_names())
def test_every_baseline_gives_the_whole_result_as_json(arterial, name):
    result = evaluate(arterial, controller_by_name(name), PROTOCOL, seeds=[0, 1], horizon_s=700)
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert set(result["metrics"]) == METRICS
    for metric in result["metrics"].values():
        assert len(metric["per_seed"]) == 2
        assert metric["ci95"][0] <= metric["mean"] <= metric["ci95"][1]
    assert result["series"]["t"] == [300, 600, 700]
    assert all(np.shape(result["series"][name]) == (3, 2) for name in run.SERIES)
    assert result["series"]["average_travel_time_s"][-1] == result["metrics"]["average_travel_time_s"]["per_seed"]
    assert (result["horizon_s"], result["seeds"], result["simulator"]) == (700, [0, 1], "native")
    safety = result["safety"]
    assert (safety["monitor_faults"], safety["faults"], safety["open_junctions"]) == (0, [], [])
    assert safety["shield_interventions_per_hour"] == 0.0
    assert set(safety["interventions_per_hour"]) == set(INTERVENTIONS)
    assert result["timing"] == (
        {"profile": "own programme"} if name == "fixed-time" else {"profile": "literature", "clearance_s": 5.0}
    )
    assert result["cost"]["vehicle_updates"] > 0
    assert set(result["versions"]) == {"intergreen", "python", "numpy", "numba"}


@pytest.mark.parametrize("threads", [1, 2])
def test_seeds_in_a_batch_give_what_each_gives_alone(arterial, threads):
    together = evaluate(arterial, MaxPressure(), PROTOCOL, seeds=[0, 1, 2], threads=threads, horizon_s=600)
    for b, seed in enumerate([0, 1, 2]):
        alone = evaluate(arterial, MaxPressure(), PROTOCOL, seeds=[seed], horizon_s=600)
        for name, metric in alone["metrics"].items():
            assert metric["per_seed"] == [together["metrics"][name]["per_seed"][b]]
        for name in run.SERIES:
            assert [row[0] for row in alone["series"][name]] == [row[b] for row in together["series"][name]]


def test_small_batches_give_what_one_batch_gives(arterial, monkeypatch):
    whole = evaluate(arterial, MaxPressure(), PROTOCOL, seeds=[0, 1, 2], horizon_s=600)
    monkeypatch.setattr(run, "_BATCH_BYTES", 1.0)
    parts = evaluate(arterial, MaxPressure(), PROTOCOL, seeds=[0, 1, 2], horizon_s=600)
    assert without_cost(parts) == without_cost(whole)
    assert parts["cost"]["vehicle_updates"] == whole["cost"]["vehicle_updates"]


def test_faults_name_their_seeds_however_the_seeds_are_batched(arterial, monkeypatch):
    make = Protocol.plan

    def plan(self, network, *, own_clearance=False):
        made = make(self, network, own_clearance=own_clearance)
        return replace(made, rules=made.rules._replace(yellow=made.rules.yellow - 1))

    monkeypatch.setattr(Protocol, "plan", plan)
    field, seeds = protocol_by_name("us-mutcd-5"), [4, 7, 9]
    whole = evaluate(arterial, MaxPressure(), field, seeds=seeds, horizon_s=120)["safety"]
    monkeypatch.setattr(run, "_BATCH_BYTES", 1.0)
    parts = evaluate(arterial, MaxPressure(), field, seeds=seeds, horizon_s=120)["safety"]
    signals = len(arterial.network.signalled)
    assert whole["monitor_faults"] == parts["monitor_faults"] == len(seeds) * signals
    assert {(one["seed"], one["signal"]) for one in whole["faults"]} == {
        (seed, arterial.network.intersection_ids[j]) for seed in seeds for j in arterial.network.signalled
    }
    assert sorted(whole["faults"], key=str) == sorted(parts["faults"], key=str)
    assert {key: value for key, value in whole.items() if key != "faults"} == {
        key: value for key, value in parts.items() if key != "faults"
    }


def test_interventions_are_those_of_an_hour_of_one_run(arterial):
    field, controller = protocol_by_name("us-mutcd-5"), MaxPressure()
    both = evaluate(arterial, MaxPressure(), field, seeds=[0, 1], horizon_s=600)["safety"]
    core = TrafficCore(arterial.network, field.plan(arterial.network), arterial.demand, replicas=2)
    setup = Setup(arterial.network, core.plan, field, 2)
    core.reset([arterial.trips(seed, horizon_s=600) for seed in (0, 1)], [0, 1], controller.start(setup))
    for t in range(0, 600, 5):
        core.run(controller.decide(core.counts(), core.signals(5), t), 5)
    counted = core.interventions.sum(axis=(0, 1))
    assert counted.sum() > 0
    assert list(both["interventions_per_hour"].values()) == pytest.approx(counted * 3.0)


def test_evaluation_equals_driving_the_core_by_hand(arterial):
    result = evaluate(arterial, MaxPressure(), PROTOCOL, seeds=[5], horizon_s=600)
    plan, controller = make_plan(arterial.network), MaxPressure()
    core = TrafficCore(arterial.network, plan, arterial.demand, replicas=1)
    core.reset([arterial.trips(5)], [5], controller.start(Setup(arterial.network, plan, PROTOCOL, 1)))
    for t in range(0, 600, 10):
        core.run(controller.decide(core.counts(), core.signals(10), t), 10)
    totals = core.totals()
    assert result["metrics"]["throughput_veh"]["per_seed"] == [float(totals.finished[0])]
    assert result["metrics"]["average_travel_time_s"]["per_seed"] == [totals.sum_travel_time_s[0] / totals.released[0]]


def test_skipping_to_the_next_change_equals_asking_each_second(arterial):
    class Asked:
        """The same program, asked every second."""

        name, interval_s, own_clearance = "fixed-time", 1, True

        def __init__(self):
            self._program = FixedTime()
            self.start, self.decide = self._program.start, self._program.decide

    skipping = evaluate(arterial, FixedTime(), PROTOCOL, seeds=[0], horizon_s=600)
    assert without_cost(evaluate(arterial, Asked(), PROTOCOL, seeds=[0], horizon_s=600)) == without_cost(skipping)


def test_interval_that_does_not_divide_the_series_changes_no_decision(arterial):
    """Rows at 300, 600, ... split a period of 7 s in two calls; the wanted phase stands over both."""
    decided = []

    class Watched(MaxPressure):
        def decide(self, counts, signals, time_s):
            decided.append(time_s)
            return super().decide(counts, signals, time_s)

    evaluate(arterial, Watched(), protocol_by_name("literature-7-2"), seeds=[0], horizon_s=650)
    assert decided == list(range(0, 650, 7))


def test_horizon_is_the_shorter_of_protocol_and_scenario_and_trips_follow_a_longer_one(arterial):
    result = evaluate(arterial, MaxPressure(), PROTOCOL, seeds=[0], horizon_s=None)
    assert result["horizon_s"] == 3600
    longer = evaluate(arterial, MaxPressure(), PROTOCOL, seeds=[0], horizon_s=5400)
    assert longer["metrics"]["throughput_veh"]["mean"] > 1.3 * result["metrics"]["throughput_veh"]["mean"]


def test_progress_rises_to_one(arterial):
    shares = []
    evaluate(
        arterial, MaxPressure(), PROTOCOL, seeds=[0], horizon_s=900, progress=lambda share, words: shares.append(share)
    )
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"horizon_s": 0}, "need whole seconds >= 1 as horizon_s, got 0"),
        ({"horizon_s": 60.5}, "need whole seconds >= 1 as horizon_s, got 60.5"),
        ({"threads": 0}, "need threads >= 1, got 0"),
    ],
    ids=str,
)
def test_setting_that_cannot_be_is_one_line(arterial, settings, words):
    with pytest.raises(ValueError, match=words):
        evaluate(arterial, MaxPressure(), PROTOCOL, seeds=[0], **settings)


def test_no_seed_is_refused(arterial):
    with pytest.raises(ValueError, match="at least one seed"):
        evaluate(arterial, MaxPressure(), PROTOCOL, seeds=[])


@pytest.mark.parametrize("seeds", [3, [], [-1], [0.5], [[0, 1]]], ids=repr)
def test_seeds_that_are_none_are_one_line(arterial, seeds):
    with pytest.raises(ValueError, match=r"need at least one seed, all whole numbers >= 0, as in seeds=\[0, 1\], got"):
        evaluate(arterial, MaxPressure(), PROTOCOL, seeds=seeds)


def test_seed_that_would_count_twice_is_refused(arterial):
    with pytest.raises(ValueError, match=r"need different seeds, got \[1, 0, 1\], which names one twice"):
        evaluate(arterial, MaxPressure(), PROTOCOL, seeds=[1, 0, 1])


@pytest.mark.parametrize("seeds", [range(2), (0, 1), np.arange(2), np.arange(2, dtype=np.uint8)], ids=repr)
def test_seeds_of_any_kind_are_plain_numbers_in_the_result(arterial, seeds):
    result = evaluate(arterial, MaxPressure(), PROTOCOL, seeds=seeds, horizon_s=60)
    assert json.dumps(result["seeds"]) == "[0, 1]"


def test_name_in_the_place_of_a_thing_says_how_to_get_it(arterial):
    for arguments, words in [
        (("arterial6", MaxPressure(), PROTOCOL), r"load_scenario\('arterial6'\)"),
        ((arterial, "max-pressure", PROTOCOL), r"decider_by_name\('max-pressure'\)"),
        ((arterial, MaxPressure(), "literature-10-5"), r"protocol_by_name\('literature-10-5'\)"),
    ]:
        with pytest.raises(TypeError, match=words):
            evaluate(*arguments, seeds=[0])


@pytest.mark.parametrize(("level", "locked"), [(1.0, ""), (4.0, "max-pressure: traffic has locked with seed 0, 1")])
def test_seeds_with_which_traffic_has_locked_are_told(caplog, level, locked):
    grid = at_level(load_scenario("grid4x4"), level)
    evaluate(grid, MaxPressure(), PROTOCOL, seeds=[0, 1], horizon_s=3600)
    assert locked in caplog.text
    assert ("locked" in caplog.text) == bool(locked)


def test_a_run_that_is_too_short_to_look_back_tells_of_no_lock(caplog):
    evaluate(at_level(load_scenario("grid4x4"), 4.0), MaxPressure(), PROTOCOL, seeds=[0], horizon_s=150)
    assert "locked" not in caplog.text
