"""What the proof finds, how much it looks at, and why that is enough; small signals worked out by hand."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from network.small import crossroads, write

from intergreen.envs.compiled_signals import compiled_shield
from intergreen.envs.network import RoadNetwork, read_cityflow_network
from intergreen.envs.protocol import Protocol, protocol_by_name
from intergreen.envs.scenario import load_scenario
from intergreen.envs.signals import FieldTiming, Rules, SignalState, shield
from intergreen.envs.signals.aspects import GREEN, RED, RED_AMBER, YELLOW
from intergreen.envs.signals.card import program_card
from intergreen.envs.signals.machine import Machine, single
from intergreen.envs.signals.model import SignalModel
from intergreen.envs.signals.monitor import SignalMonitor
from intergreen.envs.signals.presets import PROFILES
from intergreen.envs.signals.proof import Proof, Step, prove
from intergreen.envs.signals.state import NEVER, NO_NEWS, signal_state
from intergreen.envs.verification import distinct_models

W_AHEAD, S_RIGHT, S_LEFT, E_AHEAD, E_LEFT = range(5)
_KEPT = (1, 3, 5, 7, 8)  # of the crossroads' movements
T_PHASES = ([S_RIGHT], [W_AHEAD, S_RIGHT, E_AHEAD], [S_RIGHT, E_AHEAD, E_LEFT], [S_RIGHT, S_LEFT])
FIELD = ("us-mutcd-5", "de-rilsa-5", "cn-gb-5")
PROTOCOLS = ("literature-10-5", "literature-5-2", *FIELD)
COMPILED = compiled_shield()
LETTERS = {RED: "r", YELLOW: "y", GREEN: "G", RED_AMBER: "u"}


def t_junction(phases: Sequence[Sequence[int]] = T_PHASES, crawls: tuple[str, float] | None = None) -> RoadNetwork:
    """A main road W - E with a stem S, cut from the crossroads; one road of it may have another speed limit."""
    roadnet = crossroads()
    centre = roadnet["intersections"][0]
    centre["roadLinks"] = [centre["roadLinks"][k] for k in _KEPT]
    centre["trafficLight"]["roadLinkIndices"] = list(range(len(_KEPT)))
    centre["trafficLight"]["lightphases"] = [{"time": 10, "availableRoadLinks": list(p)} for p in phases]
    for road in roadnet["roads"]:
        for lane in road["lanes"] if crawls and road["id"] == crawls[0] else []:
            lane["maxSpeed"] = crawls[1]
    with tempfile.TemporaryDirectory() as folder:
        return read_cityflow_network(write(Path(folder), roadnet=roadnet) / "roadnet.json")


@lru_cache
def t_model(protocol: str) -> SignalModel:
    network = t_junction()
    ((model, _),) = distinct_models(network, protocol_by_name(protocol).plan(network))
    return model


# --- What has to hold ---------------------------------------------------------------------------------------------

_proved: dict[str, Proof] = {}


def proved(model: SignalModel) -> Proof:
    """Equal plans are proved once for all tests."""
    if model.hash not in _proved:
        _proved[model.hash] = prove(model, **COMPILED)
    return _proved[model.hash]


def kinds(network: RoadNetwork, protocol: str) -> Iterator[SignalModel]:
    """One model for every number of movements and phases."""
    models = distinct_models(network, protocol_by_name(protocol).plan(network))
    yield from {(model.n_movements, len(model.rules.min_green)): model for model, _ in models}.values()


def assert_holds(model: SignalModel) -> None:
    proof = proved(model)
    assert proof.holds, proof.violation
    waits = model.longest_wait.any()
    assert (proof.longest_wait_s is not None) == waits
    assert not waits or proof.longest_wait_s <= model.longest_wait.max()


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("scenario", ["single", "grid4x4", "arterial6", "town"])
def test_every_kind_of_signal_of_the_shipped_networks_is_safe(scenario, protocol):
    for model in kinds(load_scenario(scenario).network, protocol):
        assert_holds(model)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_kind_of_signal_of_the_benchmark_networks_is_safe(benchmark_data, protocol):
    folders = sorted(path for path in (benchmark_data / "cityflow").iterdir() if path.is_dir())
    assert folders
    for folder in folders:
        for model in kinds(load_scenario(folder).network, protocol):
            assert_holds(model)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_signal_of_a_single_movement_is_proved(protocol):
    roadnet = crossroads()
    centre = roadnet["intersections"][0]
    centre["roadLinks"] = centre["roadLinks"][:1]
    centre["trafficLight"]["roadLinkIndices"] = [0]
    centre["trafficLight"]["lightphases"] = [{"time": 10, "availableRoadLinks": greens} for greens in ([], [0])]
    with tempfile.TemporaryDirectory() as folder:
        network = read_cityflow_network(write(Path(folder), roadnet=roadnet) / "roadnet.json")
    (model,) = kinds(network, protocol)
    assert model.n_movements == 1
    assert_holds(model)


@pytest.mark.parametrize("protocol", ["literature-10-5", "us-mutcd-5", "de-rilsa-5"])
def test_plain_and_compiled_shield_give_the_same_proof(protocol):
    plain, compiled = prove(t_model(protocol)), prove(t_model(protocol), **COMPILED)
    assert replace(plain, seconds=0.0) == replace(compiled, seconds=0.0)
    assert plain.result_hash == compiled.result_hash


def test_signals_that_are_alike_are_proved_once():
    network = load_scenario("grid4x4").network
    ((model, signals),) = distinct_models(network, protocol_by_name("us-mutcd-5").plan(network))
    assert signals == tuple(range(16))
    assert model.first_movement == 0


# --- The hash ------------------------------------------------------------------------------------------------------


def every_change(model: SignalModel) -> Iterator[tuple[str, SignalModel]]:
    """The model with one number of the rules or of the card different, for every number."""
    for name, values in zip(Rules._fields, model.rules, strict=True):
        for k in range(len(values)):
            changed = np.array(values)
            changed[k] += 1
            yield f"rules.{name}[{k}]", replace(model, rules=model.rules._replace(**{name: changed}))
    for field in fields(model):
        if field.name in ("rules", "n_movements", "first_movement"):
            continue
        values = np.array(getattr(model, field.name))
        for index in np.ndindex(values.shape):
            changed = values.copy()
            changed[index] = ~changed[index] if changed.dtype == bool else changed[index] + 1
            yield f"{field.name}{index}", replace(model, **{field.name: changed if values.ndim else int(changed)})


@pytest.mark.parametrize("protocol", ["literature-10-5", "us-mutcd-5"])
def test_hash_changes_with_every_number_of_rules_and_card(protocol):
    model = t_model(protocol)
    hashes = {"as it is": model.hash} | {what: changed.hash for what, changed in every_change(model)}
    assert len(set(hashes.values())) == len(hashes) > 100


def test_hash_does_not_depend_on_where_in_the_network_the_signal_stands():
    model = t_model("us-mutcd-5")
    assert replace(model, first_movement=7).hash == model.hash


def test_hashes_of_plan_and_result_are_the_same_in_another_process():
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from signals.test_proof import by_hand, prove, t_model\n"
        "print(t_model('us-mutcd-5').hash, prove(by_hand()).result_hash)"
    )
    told = [
        subprocess.run(
            [sys.executable, "-c", script, str(Path(__file__).parents[1])],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for seed in ("1", "2")
    ]
    assert told == [[t_model("us-mutcd-5").hash, prove(by_hand()).result_hash]] * 2


# --- Small signals, by hand ----------------------------------------------------------------------------------------


def by_hand(
    *,
    phases: Sequence[Sequence[int]] = ((0,), (1,)),
    transition: Sequence[Sequence[int]] = ((0, 0), (0, 1), (1, 0)),
    min_green: int = 0,
    max_green: int = 0,
    yellow: int = 1,
    limits: Sequence[int] = (0, 0),
    service: int = 0,
    startup: int = 0,
    **card: Any,
) -> SignalModel:
    """Two movements that conflict; transitions row by row, first those from the start. The card asks what is shown."""

    def ints(*values: int) -> np.ndarray:
        return np.array(values, np.int32)

    n = len(phases)
    rules = Rules(
        intersection=ints(0),
        n_phases=ints(n),
        phase_offset=ints(0),
        clearance_phase=ints(-1),
        may_show=np.ones(n, np.uint8),
        transition_start=ints(0),
        transition=ints(*(seconds for row in transition for seconds in row)),
        min_green=ints(*[min_green] * n),
        max_green=ints(*[max_green] * n),
        yellow=ints(yellow, yellow),
        red_amber=ints(0),
        overdue=ints(min(limits)),
        turn_start=ints(0, n),
        turns=ints(*range(n)),
        call_limit=ints(*limits),
        service=ints(service),
        movement_start=ints(0, 2),
        phase_movement_start=np.cumsum([0, *map(len, phases)]).astype(np.int32),
        phase_movements=ints(*(m for phase in phases for m in phase)),
    )
    asked = {
        "permissive": np.eye(2, dtype=bool),
        "clearance": ints(0, 1, 1, 0).reshape(2, 2),
        "yellow": ints(yellow, yellow),
        "longest_yellow": ints(0, 0),
        "min_green": ints(min_green, min_green),
        "max_green": ints(max_green, max_green),
        "red_revert": ints(0, 0),
        "longest_wait": ints(0, 0),
        "red_amber": 0,
        "startup_s": startup,
    } | card
    return SignalModel(rules=rules, n_movements=2, first_movement=0, **asked)


def test_states_of_two_phases_with_a_second_of_yellow_are_those_counted_by_hand():
    # The shield: nothing shown with no phase, the first or the second to begin with (3); red before any wish (1);
    # green, and the second of yellow after it, of either (4). Inputs: no wish, 2 phases, 3 numbers that are none;
    # nobody, or one of two, or both, whose call is overdue or not, and both just gone.
    # With the observer, who counts to 2: the 3; red for 1 second and for more (2); each green as the first display,
    # after red before any wish, just after the other's yellow, and for more than a second (4 + 4); each yellow after
    # a green, and as the first display (2 + 2).
    # The other phase just before it comes, and it is the first that is wanted: a second of its green and of yellow.
    proof = prove(by_hand())
    assert proof.transitions == (3 + 1 + 4) * 6 * 8
    assert proof.states == 3 + 2 + 4 + 4 + 2 + 2
    assert (proof.holds, proof.longest_wait_s, proof.slowest_phase_s) == (True, None, 2)


def test_slowest_phase_waits_for_the_least_green_and_two_transitions():
    # Wanted the second after a change to the other phase began: 3 s of it left, 4 s of green, then 3 s and its green.
    transition = ((0, 0), (0, 3), (3, 0))
    proof = prove(by_hand(transition=transition, min_green=4))
    assert proof.slowest_phase_s == 2 + 4 + 3


def test_yellow_that_is_left_out_is_found_in_the_second_second():
    model = by_hand()
    proof = prove(replace(model, rules=model.rules._replace(yellow=np.zeros(2, np.int32))))
    assert proof.violation.invariant == "I2"
    assert proof.violation.movements == (0,)
    assert [(step.wish, step.aspects) for step in proof.violation.steps] == [(0, "Gr"), (1, "rr")]


@pytest.mark.parametrize("least", [2, 5])
def test_green_that_is_a_second_short_is_found_as_soon_as_it_can_end(least):
    model = by_hand(min_green=least)
    short = model.rules._replace(min_green=model.rules.min_green - 1)
    steps = prove(replace(model, rules=short)).violation.steps
    assert [step.aspects for step in steps] == ["Gr"] * (least - 1) + ["yr"]


@pytest.mark.parametrize(
    ("invariant", "card"),
    [
        ("I1", {"phases": ((0, 1), (1,))}),
        ("I2", {"yellow": np.array([2, 1])}),
        ("I2", {"longest_yellow": np.array([2, 2]), "transition": ((0, 0), (0, 3), (3, 0)), "rules_yellow": 3}),
        ("I3", {"clearance": np.array([[0, 2], [1, 0]])}),
        ("I3", {"red_revert": np.array([9, 9])}),
        ("I4", {"min_green": np.array([0, 3])}),
        ("I5", {"max_green": np.array([7, 7])}),
        ("I9", {"longest_wait": np.array([60, 60])}),
        ("I12", {"startup_s": 2}),
    ],
)
def test_card_that_asks_for_more_is_told_by_the_invariants_number(invariant, card):
    shown = {key: card.pop(key) for key in ("phases", "transition") if key in card}
    model = by_hand(**shown)
    if "rules_yellow" in card:
        model = replace(model, rules=model.rules._replace(yellow=model.rules.yellow + card.pop("rules_yellow")))
    violation = prove(replace(model, **card)).violation
    assert violation is not None
    assert violation.invariant == invariant


def test_phase_that_can_never_come_is_told():
    model = by_hand(min_green=3)

    def deaf(wanted, rules, state):
        """Takes no wish for the second phase."""
        shield.request(np.where(wanted == 1, -1, wanted), rules, state)

    violation = prove(model, request=deaf).violation
    assert (violation.invariant, violation.steps[-1].wish) == ("I14", 1)


def test_longest_green_is_watched_for_every_caller():
    """Also in the phase that serves the first movement, whose own call says nothing."""
    for phase in range(2):
        model = by_hand(max_green=6)
        assert prove(model).holds
        without = np.array(model.rules.max_green)
        without[phase] = 0
        violation = prove(replace(model, rules=model.rules._replace(max_green=without))).violation
        assert violation is not None
        assert violation.invariant == "I5"


@pytest.mark.parametrize("seconds", [1, 2, 60, 10_000])
@pytest.mark.parametrize("k", [0, 1])
def test_limits_beyond_the_longest_wait_are_told(k, seconds):
    # A change takes a second: the oldest is green 2 s after its limit, the other one after a green of a second and
    # another change, 2 s later.
    model = by_hand(limits=(38, 36), service=1, longest_wait=np.array([40, 40]))
    proof = prove(model)
    assert (proof.holds, proof.longest_wait_s) == (True, 40)
    limits = np.array([38, 36], np.int32)
    limits[k] += seconds
    late = model.rules._replace(call_limit=limits)
    violation = prove(replace(model, rules=late)).violation
    assert violation is not None
    assert violation.invariant == "I9"


# --- The counter-example -------------------------------------------------------------------------------------------


def replayed(rules: Rules, steps: Sequence[Step]) -> list[list[str]]:
    """What the shield displays under the wishes and calls of the steps, from every state to begin with."""
    machine = Machine(rules)
    displays = []
    for first in [-1, *np.flatnonzero(rules.may_show).tolist()]:
        state = blank_state(machine.n_movements)
        shield.start(np.array([[first]], np.int32), rules, state)
        state = SignalState(*(values[0] for values in state))
        rows = []
        for step in steps:
            calls = np.zeros(machine.n_movements, np.uint8)
            make_overdue(state, rules, [step.caller] if step.is_overdue else [])
            if step.caller >= 0:
                calls[step.caller] = 1
            shield.request(np.array([step.wish]), rules, state)
            shield.tick(rules, state, calls, np.zeros(machine.n_movements, np.uint8))
            rows.append("".join(LETTERS[int(aspect)] for aspect in state.aspects))
        displays.append(rows)
    return displays


def blank_state(n_movements: int) -> SignalState:
    """One replica of a single signal of which nothing has been shown, as the shield's own maker gives it."""
    network = t_junction()
    state = signal_state(protocol_by_name("us-mutcd-5").plan(network), network, 1)
    return state._replace(
        aspects=np.full((1, n_movements), RED, np.uint8),
        red_since=np.zeros((1, n_movements), np.int32),
        call_since=np.full((1, n_movements), -1, np.int32),
    )


def make_overdue(state: SignalState, rules: Rules, movements: Sequence[int]) -> None:
    """These have called for as long as makes a call overdue, all others have just begun to."""
    longest_s = int(max(rules.call_limit, default=0) + rules.service[0])
    state.time[0] = max(int(state.time[0]), longest_s)
    state.call_since[:] = -1
    red = [m for m in movements if state.aspects[m] != GREEN]
    state.call_since[red] = state.time[0] - longest_s
    state.news[:] = np.where(state.aspects == GREEN, NO_NEWS, state.call_since < 0)
    state.call_due[:] = state.time[0] - rules.service if movements else NEVER


def faulty_rules(model: SignalModel) -> dict[str, Rules]:
    one, n = model.rules, int(model.rules.n_phases[0])

    def bent(values: np.ndarray, k: int, by: int) -> np.ndarray:
        changed = np.array(values)
        changed[k] += by
        return changed

    return {
        "yellow": one._replace(yellow=bent(one.yellow, S_LEFT, -1)),
        "clearance": one._replace(transition=bent(one.transition, 4 * n + 1, -1)),
        "least green": one._replace(min_green=one.min_green - 1),
        "start": one._replace(transition=bent(one.transition, 1, -1)),
    }


@pytest.mark.parametrize("what", ["yellow", "clearance", "least green", "start"])
def test_counter_example_is_a_run_of_the_shield_that_ends_in_the_fault(what):
    model = t_model("us-mutcd-5")
    bad = faulty_rules(model)[what]
    violation = prove(replace(model, rules=bad)).violation
    displays = [step.aspects for step in violation.steps]
    assert displays in replayed(bad, violation.steps)
    assert [step.second for step in violation.steps] == list(range(len(displays)))
    network = t_junction()
    monitor = SignalMonitor(program_card(network, protocol_by_name("us-mutcd-5").timing))
    lamps = {letter: aspect for aspect, letter in LETTERS.items()}
    faults = [monitor.watch([lamps[letter] for letter in display]) for display in displays]
    seen = what != "start"  # of which the monitor's card knows nothing
    assert faults == [0] * (len(faults) - 1) + [int(seen)]


# --- Why finitely many states are enough --------------------------------------------------------------------------


@lru_cache
def reachable(protocol: str) -> tuple[SignalState, ...]:
    """Moments (one row each) of a long random run of the T-junction, calls included."""
    rules, random = t_model(protocol).rules, np.random.default_rng(0)
    moments = []
    for first in (-1, 1, 2, 3):
        state = blank_state(5)
        shield.start(np.array([[first]], np.int32), rules, state)
        state = SignalState(*(values[0] for values in state))
        calls = np.zeros(5, np.uint8)
        wish = -1
        for t in range(600):
            calls = ((calls == 1) | (random.random(5) < 0.02)) & (state.aspects != GREEN)
            if t % 300 < 200 and random.random() < 0.2:
                wish = int(random.integers(-1, 4))
            shield.request(np.array([wish]), rules, state)
            shield.tick(rules, state, calls.astype(np.uint8), np.zeros(5, np.uint8))
            moments.append(SignalState(*(np.array(values) for values in state)))
    return tuple(moments)


def a_second_later(
    rules: Rules, moment: SignalState, wish: int, calls: dict[int, bool], **changes: Any
) -> tuple[list[int], SignalState]:
    """Phase, target, seconds left, display and aspects after one second; calls: movement -> is it overdue."""
    state = SignalState(*(np.array(values) for values in moment))._replace(**changes)
    make_overdue(state, rules, [m for m, late in calls.items() if late])
    waiting = np.zeros(len(state.aspects), np.uint8)
    waiting[list(calls)] = 1
    shield.request(np.array([wish]), rules, state)
    shield.tick(rules, state, waiting, np.zeros_like(waiting))
    shown = [state.phase[0], state.target[0], state.left[0], state.displayed[0], *state.aspects]
    return [int(value) for value in shown], state


moments = st.integers(0, 4 * 600 - 1)
wishes = st.integers(-1, 4)
callers = st.dictionaries(st.integers(0, 4), st.booleans(), min_size=1)


@pytest.mark.parametrize("protocol", FIELD)
@settings(max_examples=300)
@given(moment=moments, wish=wishes, calls=callers)
def test_several_calls_lead_to_what_one_of_them_leads_to(protocol, moment, wish, calls):
    rules, moment = t_model(protocol).rules, reachable(protocol)[moment]
    alone = [a_second_later(rules, moment, wish, {m: late})[0] for m, late in calls.items()]
    assert a_second_later(rules, moment, wish, calls)[0] in alone


@pytest.mark.parametrize("protocol", PROTOCOLS)
@settings(max_examples=200)
@given(moment=moments, wish=wishes, calls=callers, more=st.integers(0, 10_000))
def test_seconds_of_green_beyond_least_and_longest_do_not_matter(protocol, moment, wish, calls, more):
    rules, moment = t_model(protocol).rules, reachable(protocol)[moment]
    beyond = int(max(rules.min_green.max(), rules.max_green.max())) + 1
    one, other = (
        a_second_later(rules, moment, wish, calls, green_s=np.array([seconds])) for seconds in (beyond, beyond + more)
    )
    assert one[0] == other[0]
    assert other[1].green_s[0] in (one[1].green_s[0], one[1].green_s[0] + more)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@settings(max_examples=200)
@given(moment=moments, wish=wishes, calls=callers, red_s=st.integers(0, 10_000), counted=st.integers(0, 1000))
def test_display_depends_on_no_other_clock_or_counter(protocol, moment, wish, calls, red_s, counted):
    rules, moment = t_model(protocol).rules, reachable(protocol)[moment]
    since = np.where(moment.aspects == GREEN, -1, moment.time[0] - red_s).astype(np.int32)
    changed = {"red_since": since, "interventions": moment.interventions + counted}
    assert a_second_later(rules, moment, wish, calls, **changed)[0] == a_second_later(rules, moment, wish, calls)[0]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@settings(max_examples=30)
@given(
    plan=st.lists(st.tuples(st.integers(1, 40), st.integers(-2, 5)), min_size=1, max_size=12),
    first=st.integers(-1, 3),
    seed=st.integers(0, 1000),
)
def test_wish_that_stands_is_one_repeated_each_second(protocol, plan, first, seed):
    rules = t_model(protocol).rules
    rows: list[list[list[int]]] = [[], []]
    for repeats, shown in zip((False, True), rows, strict=True):
        state = blank_state(5)
        shield.start(np.array([[first]], np.int32), rules, state)
        state = SignalState(*(values[0] for values in state))
        calls = np.random.default_rng(seed).random((1000, 5)) < 0.7
        for seconds, wish in plan:
            for t in range(seconds):
                if t == 0 or repeats:
                    shield.request(np.array([wish]), rules, state)
                shield.tick(rules, state, calls[len(shown)].astype(np.uint8), np.zeros(5, np.uint8))
                shown.append(state.aspects.tolist())
    assert rows[0] == rows[1]


@pytest.mark.parametrize("protocol", FIELD)
def test_no_random_run_makes_a_call_wait_longer_than_the_proof_says(protocol):
    """Everybody calls until served, wishes as hostile as chance makes them; some wait until they are overdue."""
    model = t_model(protocol)
    proof = proved(model)
    longest = 0
    for seed in range(6):
        random = np.random.default_rng(seed)
        state = blank_state(5)
        shield.start(np.array([[seed % 4]], np.int32), model.rules, state)
        state = SignalState(*(values[0] for values in state))
        waited, wish = np.zeros(5, np.int64), seed % 3 + 1
        for _ in range(1500):
            calls = (waited > 0) | (random.random(5) < (0.02 if seed % 2 else 1.0))
            if random.random() < 0.1:
                wish = int(random.choice([wish, 1 + seed % 3, 1 + (seed + 1) % 3]))
            COMPILED["request"](np.array([wish], np.int32), model.rules, state)
            COMPILED["tick"](model.rules, state, calls.astype(np.uint8), np.zeros(5, np.uint8))
            waited = np.where(calls & (state.aspects != GREEN), waited + 1, 0)
            longest = max(longest, int(waited.max()))
    assert model.rules.overdue[0] < longest <= proof.longest_wait_s


@pytest.mark.parametrize(("protocol", "least_s"), [("us-mutcd-5", 117), ("de-rilsa-5", 115), ("cn-gb-5", 117)])
def test_two_calls_timed_to_collide_wait_nearly_as_long_as_the_proof_says_and_no_longer(protocol, least_s):
    """At a crossroads of four phases two are wished for in turn, while the two others are called so that both reach
    their limits together, in whatever second of a change or a green that is."""
    network = load_scenario("single").network
    plan = protocol_by_name(protocol).plan(network)
    ((model, _),) = distinct_models(network, plan)
    rules, waits_s = model.rules, []
    first_s, second_s = rules.call_limit[:2].tolist()
    for older, younger in ((0, 1), (1, 0), (2, 3), (3, 0), (0, 2)):
        wished = [phase for k, phase in enumerate(rules.turns.tolist()) if k not in (older, younger)]
        callers = [callers_of_turn(rules, k) for k in (older, younger)]
        for shift_s in range(30):
            calls_s = 100 + shift_s, 100 + shift_s + first_s - second_s
            waits_s.append(max(waits_of(model, wished, callers, calls_s)))
    assert least_s <= max(waits_s) <= proved(model).longest_wait_s <= 120


def test_least_greens_of_no_second_are_counted_as_one():
    """A phase is shown for a second before the next decision, whatever its least green."""
    profile = replace(PROFILES["us-mutcd"], name="brief", min_green_through_s=0.0, min_green_turn_s=0.0)
    network = t_junction()
    ((model, _),) = distinct_models(network, Protocol("brief-5", 5, FieldTiming(profile)).plan(network))
    assert not model.rules.min_green.any()
    assert_holds(model)


def callers_of_turn(rules: Rules, k: int) -> int:
    """A movement that only the k-th turn serves."""
    of_turns = [
        set(rules.phase_movements[slice(*rules.phase_movement_start[phase : phase + 2])].tolist())
        for phase in rules.turns.tolist()
    ]
    others = set().union(*(turn for other, turn in enumerate(of_turns) if other != k))
    return min(of_turns[k] - others)


def waits_of(model: SignalModel, wished: Sequence[int], callers: Sequence[int], calls_s: Sequence[int]) -> list[int]:
    """The seconds from the call of each caller to its green, while two phases are wished for in turn, each until a
    second after its least green."""
    network = load_scenario("single").network
    state = signal_state(protocol_by_name("us-mutcd-5").plan(network), network, 1)
    shield.start(np.array([[wished[0]]], np.int32), model.rules, state)
    state = SignalState(*(values[0] for values in state))
    green, calls = np.zeros(model.n_movements, np.uint8), np.zeros(model.n_movements, np.uint8)
    served_s = [-1] * len(callers)
    wish, shown_s = 0, 0
    for second in range(400):
        shown_s = shown_s + 1 if state.phase[0] == wished[wish] and state.left[0] == 0 else 0
        if shown_s > model.rules.min_green[wished[wish]]:
            wish, shown_s = 1 - wish, 0
        COMPILED["request"](np.array([wished[wish]], np.int32), model.rules, state)
        for k, m in enumerate(callers):
            calls[m] = calls_s[k] <= second and served_s[k] < 0
        COMPILED["tick"](model.rules, state, calls, green)
        for k, m in enumerate(callers):
            if calls[m] and state.aspects[m] == GREEN:
                served_s[k] = second
    return [served - called for served, called in zip(served_s, calls_s, strict=True)]


def test_rules_of_one_signal_are_those_it_has_in_its_network():
    network = load_scenario("town").network
    rules = protocol_by_name("us-mutcd-5").plan(network).rules
    for i, j in enumerate(rules.intersection.tolist()):
        one = single(rules, i)
        first, past = network.movement_start[j : j + 2]
        assert one.yellow.tolist() == rules.yellow[first:past].tolist()
        for phase in range(int(rules.n_phases[i])):
            a, b = one.phase_movement_start[phase : phase + 2]
            c, d = rules.phase_movement_start[rules.phase_offset[i] + phase : rules.phase_offset[i] + phase + 2]
            assert (one.phase_movements[a:b] + first).tolist() == rules.phase_movements[c:d].tolist()
