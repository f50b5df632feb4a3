"""The oracle: never worse than its base policy for a decision, better over a run, the same for the same seed."""

import numpy as np
import pytest

from intergreen.agents.controllers import Setup, controller_by_name
from intergreen.agents.controllers.base import Foresighted, near_distance_m
from intergreen.agents.controllers.registry import oracle_names
from intergreen.agents.controllers.rollout import Rollout, RolloutSettings, groups_apart
from intergreen.agents.evaluation.run import evaluate
from intergreen.envs.core import TrafficCore
from intergreen.envs.errors import InputError
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import load_scenario

SHORT = RolloutSettings(look_ahead_s=60, sweeps=2)


def travel_time(name, controller, *, protocol="literature-10-5", seeds=(0,), horizon_s=1200, threads=1):
    scenario, timing = load_scenario(name), protocol_by_name(protocol)
    result = evaluate(scenario, controller, timing, seeds=seeds, horizon_s=horizon_s, threads=threads)
    assert result["safety"]["monitor_faults"] == 0
    return result["metrics"]["average_travel_time_s"]["per_seed"]


@pytest.mark.parametrize(
    ("name", "protocol"), [("single", "literature-10-5"), ("single", "us-mutcd-5"), ("arterial6", "literature-10-5")]
)
def test_oracle_is_below_its_base_policy(name, protocol):
    ours, theirs = (
        travel_time(name, controller, protocol=protocol)
        for controller in (Rollout(SHORT), controller_by_name("advanced-max-pressure"))
    )
    assert ours[0] < theirs[0]


def test_oracle_decides_a_seed_alike_alone_and_in_a_batch_and_on_threads():
    together = travel_time("single", Rollout(SHORT), seeds=(1, 2), horizon_s=600, threads=2)
    assert together == [travel_time("single", Rollout(SHORT), seeds=(seed,), horizon_s=600)[0] for seed in (1, 2)]


def begun(name, seconds):
    scenario, protocol = load_scenario(name), protocol_by_name("literature-10-5")
    plan = protocol.plan(scenario.network)
    core = TrafficCore(scenario.network, plan, scenario.demand)
    core.near_m = near_distance_m(scenario.network, protocol.interval_s)
    setup, oracle = Setup(scenario.network, plan, protocol, 1), Rollout(SHORT)
    core.reset([scenario.trips(0)], [0], oracle.start(setup))
    oracle.look_into(core)
    rule = controller_by_name("advanced-max-pressure")
    rule.start(setup)
    while core.time_s < seconds:
        core.run(rule.decide(core.counts(), core.signals(10), core.time_s), 10)
    return core, oracle, rule


@pytest.mark.parametrize("seconds", [300, 600, 900])
def test_a_decision_loses_no_more_time_than_the_base_policys_and_tries_leave_no_trace(seconds):
    core, oracle, rule = begun("arterial6", seconds)
    before = [array.copy() for array in core.engine.state]
    seen = core.counts(), core.signals(10), core.time_s
    ours, theirs = oracle.decide(*seen), rule.decide(*seen)
    delays = [oracle._delays(0, wishes)[0] for wishes in (ours, theirs)]
    assert delays[0] <= delays[1]
    for old, new in zip(before, core.engine.state, strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_decision_of_one_signal_is_the_best_of_all():
    core, oracle, _ = begun("single", 400)
    wanted = oracle.decide(core.counts(), core.signals(10), core.time_s)
    every = np.array([[phase] for phase in core.plan.choices[0]], np.int32)
    delay_s = oracle._delays(0, every)
    assert oracle._delays(0, wanted)[0] == delay_s.min()
    assert len(set(delay_s.tolist())) > 1


@pytest.mark.parametrize("name", ["single", "arterial6", "grid4x4", "town"])
def test_signals_tried_together_are_no_neighbours_and_every_signal_is_tried(name):
    network = load_scenario(name).network
    plan = protocol_by_name("literature-10-5").plan(network)
    groups = groups_apart(network, plan)
    assert sorted(np.concatenate(groups).tolist()) == list(range(plan.n_signals))
    pairs = set(zip(network.road_from.tolist(), network.road_to.tolist(), strict=True))
    for group in groups:
        at = plan.intersection[group].tolist()
        assert not {(a, b) for a in at for b in at if a != b} & pairs
    assert len(groups) <= {"single": 1, "arterial6": 2, "grid4x4": 2, "town": 4}[name]


def test_oracle_needs_the_simulation():
    assert oracle_names() == ("rollout",)
    oracle = controller_by_name("rollout")
    assert isinstance(oracle, Foresighted)
    with pytest.raises(InputError, match="rollout is an oracle and needs the simulation to look into; name it in"):
        oracle.decide(None, None, 0)


@pytest.mark.parametrize("wrong", [{"look_ahead_s": -1}, {"sweeps": 0}], ids=str)
def test_settings_without_meaning_are_refused(wrong):
    with pytest.raises(ValueError, match="need look_ahead_s"):
        RolloutSettings(**wrong)
