"""A policy that raises, dawdles or talks nonsense: actuated control takes over at once, says why, and hands back."""

import gc
import threading
import time

import numpy as np
import pytest

from intergreen.agents.controllers.actuated import Actuated
from intergreen.agents.deployment.controller import BundleController, LadderSettings
from intergreen.agents.deployment.inference import PolicyFailedError, SupervisedPolicy
from intergreen.agents.deployment.ladder import BACK_UP, Rung
from intergreen.agents.evaluation.run import evaluate
from intergreen.envs.observation import Blocks
from intergreen.envs.observation_arrays import taken_apart
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import load_scenario

BLOCKS = Blocks(movements=2, movement_columns=1, choices=3, signal_columns=0)
OBSERVED = taken_apart(np.zeros((2, BLOCKS.size), np.float32), BLOCKS)
BUDGET_S, HOLD_S = 0.05, 60


class Stubborn:
    """Answers always the same, or does what it is told to from the `first` question to the `last`."""

    def __init__(self, misbehaves, first=0, last=10**9):
        self.misbehaves, self.first, self.last, self.asked = misbehaves, first, last, 0

    def choose(self, observed):
        self.asked += 1
        if self.first <= self.asked - 1 <= self.last:
            return self.misbehaves(observed.n_signals, observed.n_choices)
        return np.full(observed.n_signals, self.asked // 4 % 4 % observed.n_choices, np.int32)


def raises(n, choices):
    raise RuntimeError("weights are gone")


def sleeps(n, choices):
    time.sleep(6 * BUDGET_S)
    return np.zeros(n, np.int32)


MISBEHAVIOURS = {
    "raises": (raises, "it raised RuntimeError"),
    "sleeps": (sleeps, "no answer within 0.05 s"),
    "wrong shape": (lambda n, choices: np.zeros(n + 1, np.int32), "it answered with what is no choice"),
    "one for all": (lambda n, choices: np.int32(0), "it answered with what is no choice"),
    "negative": (lambda n, choices: np.full(n, -1), "it answered with what is no choice"),
    "too large": (lambda n, choices: np.full(n, choices), "it answered with what is no choice"),
    "no number": (lambda n, choices: np.full(n, np.nan), "it answered with what is no choice"),
    "halves": (lambda n, choices: np.full(n, 0.5), "it answered with what is no choice"),
    "text": (lambda n, choices: np.full(n, "0"), "it answered with what is no choice"),
    "nothing": (lambda n, choices: None, "it answered with what is no choice"),
    "ragged": (lambda n, choices: [[0], [0, 1]], "it answered with what is no choice"),
}


@pytest.mark.parametrize("kind", MISBEHAVIOURS)
def test_answer_that_is_none_is_a_failure_and_the_next_good_one_counts(kind):
    misbehaves, words = MISBEHAVIOURS[kind]
    policy = SupervisedPolicy(Stubborn(misbehaves, 1, 1), BUDGET_S)
    assert policy.choose(OBSERVED).tolist() == [0, 0]
    with pytest.raises(PolicyFailedError, match=words):
        policy.choose(OBSERVED)
    time.sleep(7 * BUDGET_S if kind == "sleeps" else 0.0)
    assert policy.choose(OBSERVED).dtype == np.int32
    policy.close()


def test_policy_still_busy_is_not_waited_for_again():
    policy = SupervisedPolicy(Stubborn(sleeps, 0, 0), BUDGET_S)
    with pytest.raises(PolicyFailedError, match="no answer within"):
        policy.choose(OBSERVED)
    began = time.perf_counter()
    with pytest.raises(PolicyFailedError, match="still busy"):
        policy.choose(OBSERVED)
    assert time.perf_counter() - began < BUDGET_S
    time.sleep(7 * BUDGET_S)
    assert policy.choose(OBSERVED).tolist() == [0, 0]
    policy.close()


def test_whatever_the_policy_raises_is_told_and_its_thread_answers_on():
    def exits(n, choices):
        raise SystemExit(3)

    policy = SupervisedPolicy(Stubborn(exits, 0, 0), BUDGET_S)
    with pytest.raises(PolicyFailedError, match="it raised SystemExit"):
        policy.choose(OBSERVED)
    assert policy.choose(OBSERVED).tolist() == [0, 0]
    policy.close()


def test_policy_that_was_closed_twice_answers_on():
    policy = SupervisedPolicy(Stubborn(raises, 9), BUDGET_S)
    assert policy.choose(OBSERVED).tolist() == [0, 0]
    policy.close()
    policy.close()
    assert policy.choose(OBSERVED).tolist() == [0, 0]
    policy.close()


@pytest.mark.parametrize("end", ["closed", "given up"])
def test_thread_of_a_policy_ends_with_it(end):
    policy = SupervisedPolicy(Stubborn(raises, 9), BUDGET_S)
    policy.choose(OBSERVED)
    thread = next(thread for thread in threading.enumerate() if thread.name == "policy" and thread.is_alive())
    if end == "closed":
        policy.close()
    else:
        del policy
        gc.collect()
    thread.join(timeout=5.0)
    assert not thread.is_alive()


def run(bundle, policy, *, protocol="us-mutcd-5", horizon_s=400, name="grid4x4"):
    """The result, and the controller that ran."""
    settings = LadderSettings(budget_s=BUDGET_S, hold_s=HOLD_S)
    controller = BundleController(bundle, settings, policy=policy)
    scenario, timing = load_scenario(name), protocol_by_name(protocol)
    return evaluate(scenario, controller, timing, seeds=[0], horizon_s=horizon_s), controller


@pytest.mark.parametrize("protocol", ["us-mutcd-5", "literature-10-5"])
@pytest.mark.parametrize("kind", ["raises", "wrong shape", "no number"])
def test_all_signals_go_to_max_pressure_and_come_back(bundle, kind, protocol):
    misbehaves, words = MISBEHAVIOURS[kind]
    interval_s = protocol_by_name(protocol).interval_s
    result, controller = run(bundle, Stubborn(misbehaves, 6, 9), protocol=protocol)
    assert result["safety"]["monitor_faults"] == 0
    down, up = controller.log[:16], controller.log[16:32]
    assert {(one.time_s, one.before, one.after) for one in down} == {(6 * interval_s, Rung.LEARNED, Rung.ACTUATED)}
    assert {one.signal for one in down} == {one.signal for one in up} == set(range(16))
    assert {one.reason for one in down} == {f"the policy failed: {words}"}
    assert {(one.before, one.after, one.reason) for one in up} == {(Rung.ACTUATED, Rung.LEARNED, BACK_UP)}
    assert min(one.time_s for one in up) >= 9 * interval_s + HOLD_S
    assert (controller.rung == Rung.LEARNED).all()


def test_policy_that_never_works_is_actuated_control(bundle):
    """To the last digit, from the first decision on: the start is the first choice in both."""
    result, controller = run(bundle, Stubborn(raises))
    assert (controller.rung == Rung.ACTUATED).all()
    assert len(controller.log) == 16
    scenario, timing = load_scenario("grid4x4"), protocol_by_name("us-mutcd-5")
    wanted = evaluate(scenario, Actuated(), timing, seeds=[0], horizon_s=400)
    assert result["metrics"] == wanted["metrics"]


def test_policy_that_is_late_holds_nobody_up(bundle):
    began = time.perf_counter()
    result, controller = run(bundle, Stubborn(sleeps, 3, 3), name="single", horizon_s=60)
    assert time.perf_counter() - began < 60
    assert result["safety"]["monitor_faults"] == 0
    assert controller.log[0].time_s == 15
    assert controller.log[0].reason == "the policy failed: no answer within 0.05 s"


def test_signal_beyond_training_is_decided_by_actuated_control(tmp_path):
    from deployment.bundles import write_random_bundle

    from intergreen.agents.deployment.bundle import read_bundle

    narrow = read_bundle(write_random_bundle(tmp_path / "narrow", seen=(0.0, 0.0)))
    result, controller = run(narrow, None, name="single", horizon_s=60)
    assert result["safety"]["monitor_faults"] == 0
    first = "an observation beyond what training had: 1 share for out_free, trusted 0 to 1e-06 share"
    assert controller.log[0].reason == first
    assert list(result["fallback"]["changes_by_reason"]) == [
        "actuated control: an observation beyond what training had"
    ]
    assert (controller.rung == Rung.ACTUATED).all()


class Counting:
    """Answers each question with its number, the second one late enough to be interrupted."""

    def __init__(self):
        self.asked, self.goes_on = 0, threading.Event()

    def choose(self, observed):
        self.asked += 1
        answer = np.full(observed.n_signals, self.asked, np.int32)
        if self.asked == 2:
            self.goes_on.wait()
        return answer


def test_answer_to_an_interrupted_question_is_not_taken_for_the_next_ones(monkeypatch):
    policy = Counting()
    supervised = SupervisedPolicy(policy, 10.0)
    observed = OBSERVED._replace(choices=np.zeros((2, 9, 2), np.float32))
    assert supervised.choose(observed).tolist() == [1, 1]
    waits = supervised._answers

    class Interrupted:
        def empty(self):
            return waits.empty()

        def get(self, timeout=None):
            supervised._answers = waits
            raise KeyboardInterrupt

    supervised._answers = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        supervised.choose(observed)
    with pytest.raises(PolicyFailedError, match="still busy"):
        supervised.choose(observed)
    policy.goes_on.set()
    while waits.empty():
        time.sleep(0.001)
    assert [supervised.choose(observed).tolist() for _ in range(2)] == [[3, 3], [4, 4]]
    supervised.close()
