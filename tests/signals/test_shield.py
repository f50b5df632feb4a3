"""Laws of the shield: what is shown is safe and in time, whatever is wished for and whoever calls.

Read from the displays, second by second; the least times come from the profile's formulas and not from the shield's
rules. Compiled and plain run alike, so most laws look at the compiled one, which is fast.
"""

import functools
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signals import at_one

from intergreen.envs import compiled_signals as compiled
from intergreen.envs import core
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.scenario import load_scenario
from intergreen.envs.signals import FieldTiming, FixedClearance, OwnClearance, SignalState, make_plan, shield
from intergreen.envs.signals.aspects import GREEN, RED, RED_AMBER, YELLOW
from intergreen.envs.signals.conflicts import permissive_matrix
from intergreen.envs.signals.presets import PROFILES, profile_by_name
from intergreen.envs.signals.state import N_INTERVENTIONS, REFUSED, signal_state, standing_greens

LITERATURE = ["rights", "rights+we", "rights+ns", "rights+we left", "rights+ns left"]
TWO_STREETS = ["rights+we+we left", "rights+ns+ns left"]
SHARED = ["we+w left", "w+w left+rights", "e+e left", "ns+ns left"]  # west is green in two phases
N_PHASES = len(LITERATURE)

NETWORKS = ("single", "town", "arterial6")
LONGEST_WAIT_S = 120


class Told(NamedTuple):
    """What the state held after one second."""

    phase: list[int]
    target: list[int]
    displayed: list[int]
    green_s: list[int]


class Signals:
    """All signals of a plan in one replica, and what they displayed."""

    def __init__(self, network, plan, start=-1, *, compile=True):
        self.network, self.plan, self.rules = network, plan, plan.rules
        batch = signal_state(plan, network, 1)
        begin = np.broadcast_to(np.array(start, np.int32), (1, plan.n_signals)).astype(np.int32)
        shield.start(begin, plan.rules, batch)
        self.state = SignalState(*(array[0] for array in batch))
        self.green = standing_greens(network, plan)
        self.nobody = np.zeros(network.n_movements, np.uint8)
        functions = (compiled.request, compiled.tick, compiled.tell_granted, compiled.tell_red_s)
        plain = (shield.request, shield.tick, shield.granted, shield.red_seconds)
        self.request, self.tick, self.grant, self.tell_red = functions if compile else plain
        self.aspects, self.greens, self.told = [], [], []

    def second(self, wanted=None, calls=None):
        if wanted is not None:
            self.ask(wanted)
        self.tick(self.rules, self.state, self.nobody if calls is None else calls, self.green)
        state = self.state
        self.aspects.append(state.aspects.copy())
        self.greens.append(self.green.copy())
        self.told.append(Told(*(np.array(getattr(state, name)).tolist() for name in Told._fields)))

    def ask(self, wanted):
        self.request(np.array(wanted, np.int32).reshape(-1), self.rules, self.state)

    def granted(self, interval_s, calls=None):
        """(P,)"""
        out = np.zeros(self.network.n_phases, np.uint8)
        self.grant(self.rules, self.state, self.nobody if calls is None else calls, interval_s, out)
        return out

    def red_s(self):
        """(M,)"""
        out = np.full(self.network.n_movements, -1, np.int32)
        self.tell_red(self.state, out)
        return out

    def copy(self):
        other = object.__new__(Signals)
        other.__dict__ = self.__dict__ | {
            "state": SignalState(*(array.copy() for array in self.state)),
            "green": self.green.copy(),
            "aspects": [],
            "greens": [],
            "told": [],
        }
        return other

    @property
    def shown(self):
        """What the first signal displayed in each second: its phase, or -1."""
        return [told.displayed[0] for told in self.told]

    def interventions(self):
        """(I, reasons)"""
        return self.state.interventions.reshape(-1, N_INTERVENTIONS)


def serves(network, j):
    """(p, M): greens of the intersection's phases among all movements."""
    matrix = np.zeros((network.phase_start[j + 1] - network.phase_start[j], network.n_movements), bool)
    matrix[:, network.movement_start[j] : network.movement_start[j + 1]] = network.phase_matrix(j)
    return matrix


def at_signals(network, plan):
    """(M,)"""
    return np.isin(network.movement_intersection, plan.intersection)


# ---- the literature's clearance


@pytest.fixture(scope="module")
def signal(crossings):
    """One signal of five phases, phase 0 its clearance."""
    network = crossings(LITERATURE)
    plans = {}

    def build(clearance_s, start=-1, *, compile=True):
        if clearance_s not in plans:
            plans[clearance_s] = make_plan(network, timing=FixedClearance(clearance_s))
        return Signals(network, plans[clearance_s], start, compile=compile)

    return build


requests = st.lists(st.none() | st.integers(1, N_PHASES - 1), min_size=1, max_size=60)
both = pytest.mark.parametrize("compile", [False, True], ids=["plain", "compiled"])


@both
@pytest.mark.parametrize("clearance_s", [0, 2, 5])
def test_change_decided_at_t_shows_clearance_from_t_and_the_wanted_phase_from_t_plus_c(signal, clearance_s, compile):
    one = signal(clearance_s, start=1, compile=compile)
    for t in range(20):
        one.second({0: 1, 10: 2}.get(t))
    assert one.shown == [1] * 10 + [0] * clearance_s + [2] * (10 - clearance_s)


@both
@pytest.mark.parametrize("clearance_s", [0, 2])
@given(wishes=requests)
def test_green_seconds_count_the_seconds_since_the_shown_green_began(signal, compile, clearance_s, wishes):
    one = signal(clearance_s, start=1, compile=compile)
    for wish in wishes:
        one.second(wish)
        last = one.shown[-1]
        run = len(one.shown) - max((t for t, shown in enumerate(one.shown) if shown != last), default=-1) - 1
        assert one.state.green_s[0] == (0 if last == 0 else run)


@both
def test_signal_that_starts_in_clearance_clears_in_full_towards_its_first_request(signal, compile):
    one = signal(5, compile=compile)
    for wanted in [None, None, 3, *[None] * 7]:
        one.second(wanted)
    assert one.shown == [0] * 7 + [3] * 3


def test_wanted_phase_that_is_green_already_stays_green(signal):
    one = signal(5, start=2)
    for _ in range(10):
        one.second(2)
    assert one.shown == [2] * 10


@both
def test_request_during_clearance_changes_what_follows_and_not_when(signal, compile):
    one = signal(5, start=1, compile=compile)
    for wanted in [2, None, 3, None, None, None, None]:
        one.second(wanted)
    assert one.shown == [0] * 5 + [3] * 2


def test_request_back_to_the_old_green_during_clearance_still_clears_in_full(signal):
    one = signal(5, start=1)
    for wanted in [2, 1, None, None, None, None]:
        one.second(wanted)
    assert one.shown == [0] * 5 + [1]


@both
@pytest.mark.parametrize("illegal", [-1, -7, N_PHASES, 99, 2**31 - 1, -(2**31)])
def test_number_that_is_no_phase_changes_nothing(signal, illegal, compile):
    one = signal(5, start=1, compile=compile)
    for wanted in [illegal, illegal, 2, illegal, illegal, illegal, illegal, illegal]:
        one.second(wanted)
    assert one.shown == [1] * 2 + [0] * 5 + [2]


@given(requests=requests, clearance_s=st.integers(1, 6), start=st.integers(-1, N_PHASES - 1))
def test_between_two_different_greens_the_full_clearance_is_always_shown_and_never_more(
    signal, requests, clearance_s, start
):
    one = signal(clearance_s, start=start)
    for wanted in requests:
        one.second(wanted)
    runs = run_lengths(one.shown)
    for (before, _), (now, length) in pairwise(runs):
        assert 0 in (before, now)  # never green to green
        if now == 0 and (now, length) != runs[-1]:
            assert length == clearance_s


@given(requests=requests, clearance_s=st.integers(0, 6), start=st.integers(1, N_PHASES - 1))
def test_first_change_shows_the_last_wanted_phase_exactly_c_seconds_after_the_decision(
    signal, requests, clearance_s, start
):
    changes = [t for t, wanted in enumerate(requests) if wanted not in (None, start)]
    if not changes:
        return
    decided = changes[0]
    one = signal(clearance_s, start=start)
    for wanted in [*requests, *[None] * 10]:
        one.second(wanted)
    green_from = decided + clearance_s
    asked = [wanted for wanted in requests[decided : green_from + 1] if wanted is not None]
    assert one.shown[:decided] == [start] * decided
    assert one.shown[decided:green_from] == [0] * clearance_s
    assert one.shown[green_from] == (asked[-1] if clearance_s else asked[0])


@given(wishes=st.lists(st.none() | st.integers(-3, N_PHASES + 3), max_size=60), start=st.integers(-1, N_PHASES - 1))
def test_the_literatures_shield_intervenes_for_nothing_but_nonsense_and_hears_no_calls(signal, wishes, start):
    one = signal(5, start=start)
    calls = np.ones(one.network.n_movements, np.uint8)
    quiet = signal(5, start=start)
    for wish in wishes:
        one.second(wish, calls)
        quiet.second(wish)
    nonsense = sum(wish is not None and wish != -1 and not 0 <= wish < N_PHASES for wish in wishes)
    counted = one.interventions()[0].tolist()
    assert counted == [nonsense if reason == REFUSED else 0 for reason in range(N_INTERVENTIONS)]
    assert one.shown == quiet.shown


def run_lengths(shown):
    runs = []
    for phase in shown:
        if runs and runs[-1][0] == phase:
            runs[-1][1] += 1
        else:
            runs.append([phase, 1])
    return [tuple(run) for run in runs]


@both
def test_signal_without_a_clearance_phase_keeps_green_only_what_both_phases_have(crossings, kinds_of, compile):
    network = crossings(SHARED)
    kinds = kinds_of(network, network.signalled[0])
    signals = Signals(network, make_plan(network, timing=FixedClearance(2)), 0, compile=compile)
    for wanted in [0, 1, None, None]:
        signals.second(wanted)
    first, between, again, second = (
        set(np.flatnonzero(green & at_signals(network, signals.plan))) for green in signals.greens
    )
    assert first == {*kinds["w"], *kinds["e"], *kinds["w left"]}
    assert between == again == {*kinds["w"], *kinds["w left"]}
    assert second == {*kinds["w"], *kinds["w left"], *kinds["rights"]}


@both
def test_signal_without_a_clearance_phase_keeps_the_target_its_clearance_began_with(crossings, compile):
    """A movement left green because that target has it too would otherwise be cut off without its own clearance."""
    network = crossings(SHARED)
    signals = Signals(network, make_plan(network, timing=FixedClearance(2)), 0, compile=compile)
    for wanted in [1, 2, None, None, None, None]:
        signals.second(wanted)
    assert signals.shown == [-1, -1, 1, -1, -1, 2]


@both
def test_signal_without_a_clearance_phase_starts_all_red(crossings, compile):
    network = crossings(["we+we left", "rights+ns+ns left"])
    signals = Signals(network, make_plan(network, timing=FixedClearance(2)), compile=compile)
    for wanted in [None, 1, None, None]:
        signals.second(wanted)
    served = serves(network, network.signalled[0])[1]
    assert [green.any() for green in signals.greens] == [False, False, False, True]
    assert np.array_equal(signals.greens[-1] == 1, served)


@both
def test_unsignalled_movements_stay_open_and_a_single_phase_stays_shown(crossings, compile):
    network = crossings([], ["rights+we"], LITERATURE)
    open_one, single, controlled = np.unique(network.movement_intersection)
    signals = Signals(network, make_plan(network, timing=FixedClearance(2)), 1, compile=compile)
    for wanted in [1, 2, None, 2, 0, None, None, 9]:
        signals.second(wanted)
    where = network.movement_intersection
    for green in signals.greens:
        assert green[where == open_one].all()
        assert np.array_equal(green[where == single] == 1, network.phase_matrix(single)[0])
    for phase, green in zip([1, 0, 0, 2], signals.greens[:4], strict=True):
        assert np.array_equal(green[where == controlled] == 1, network.phase_matrix(controlled)[phase])


@both
def test_wish_for_the_clearance_phase_ends_in_it_and_its_yellow_ends_in_time(crossings, compile):
    network = crossings(LITERATURE)
    signals = Signals(network, make_plan(network, timing=FixedClearance(3)), 1, compile=compile)
    for wanted in [1, 0, *[None] * 8]:
        signals.second(wanted)
    yellow = [int((aspects == YELLOW).sum()) for aspects in signals.aspects]
    assert [count > 0 for count in yellow] == [False, True, True, True, *[False] * 6]


@pytest.mark.parametrize("longest_wait_s", [0, -5, 120.5, float("nan")])
def test_longest_wait_that_is_no_wait_is_refused(longest_wait_s):
    with pytest.raises(ValueError, match=r"longest.wait"):
        FieldTiming(replace(profile_by_name("us-mutcd"), longest_wait_s=longest_wait_s))


@both
def test_red_seconds_of_a_movement_that_no_signal_controls_are_those_without_green(crossings, compile):
    network = crossings([], ["rights+we"], LITERATURE)
    signals = Signals(network, make_plan(network, timing=FixedClearance(2)), 1, compile=compile)
    for _ in range(3):
        signals.second([1])
    assert np.array_equal(signals.red_s(), np.where(signals.greens[-1] == 1, 0, 3))


PHASES = [
    LITERATURE, TWO_STREETS, SHARED, ["we+we left", "ns+ns left", "rights"],
    ["we+w left", "we+e left", "rights+w+w left", "ns", "ns left", "rights+n+n left"],
]  # fmt: skip


@given(
    phases=st.sampled_from(PHASES),
    wanted=st.lists(st.integers(-1, 6), max_size=40),
    clearance_s=st.integers(1, 4),
    start=st.booleans(),
)
def test_movement_that_lost_green_gets_no_foe_green_before_its_clearance_has_passed(
    crossings, phases, wanted, clearance_s, start
):
    """Whatever is asked: seconds between two different phases' greens always hold only movements that both have."""
    network = crossings(phases)
    signals = Signals(network, make_plan(network, timing=FixedClearance(clearance_s)), 0 if start else -1)
    greens = serves(network, network.signalled[0])
    lost_at: dict[int, int] = {}
    before: set[int] = set()
    for t, one in enumerate(wanted):
        signals.second([one])
        now = set(np.flatnonzero(signals.greens[-1]).tolist())
        lost_at.update(dict.fromkeys(before - now, t))
        for gained in now - before:
            for lost, at in lost_at.items():
                together = (greens[:, gained] & greens[:, lost]).any()
                assert together or t - at >= clearance_s
        before = now


def test_programme_with_clearances_of_its_own_is_shown_as_it_stands(signal, crossings):
    network = crossings(LITERATURE)
    signals = Signals(network, make_plan(network, timing=OwnClearance()), 1)
    programme = [1, 1, 0, 2, 2, 0, 0, 3, 4]
    for phase in programme:
        signals.second([phase])
    assert signals.shown == programme
    assert not signals.interventions().any()


# ---- field timing


@functools.cache
def field(name, profile):
    """Network and plan of a shipped scenario under field timing."""
    network = load_scenario(name).network
    return network, make_plan(network, choices="literature-8", timing=FieldTiming(profile_by_name(profile)))


@dataclass(frozen=True)
class Story:
    """How somebody drives the signals for a while, and who calls; all from the seed."""

    seed: int
    every_s: int  # between two requests
    stays: float  # share of wishes for the present phase
    nonsense: float  # share of wishes for no phase
    calls: float  # chance per second that somebody comes who calls until it is green
    starts: bool  # begins in the first choice
    seconds: int = 400

    def run(self, network, plan, *, compile=True):
        random = np.random.default_rng(self.seed)
        signals = Signals(network, plan, plan.choices[:, 0] if self.starts else -1, compile=compile)
        signals.called = []
        calls = np.zeros(network.n_movements, np.uint8)
        for t in range(self.seconds):
            calls[random.random(len(calls)) < self.calls] = 1
            signals.called.append(calls.copy())
            signals.second(self.wish(random, plan, signals.state) if t % self.every_s == 0 else None, calls)
            calls[signals.aspects[-1] == GREEN] = 0
        signals.aspects = np.array(signals.aspects)
        signals.called = np.array(signals.called)
        return signals

    def wish(self, random, plan, state):
        wish = plan.choices[np.arange(plan.n_signals), random.integers(0, plan.n_choices)]
        wish = np.where(random.random(len(wish)) < self.stays, state.phase, wish)
        strange = random.choice([-(2**31), -7, 9, 99, 2**31 - 1], len(wish))
        return np.where(random.random(len(wish)) < self.nonsense, strange, wish)


stories = st.builds(
    Story,
    seed=st.integers(0, 2**32),
    every_s=st.sampled_from([1, 2, 5, 5, 11, 40, 1000]),
    stays=st.sampled_from([0.0, 0.5, 0.9]),
    nonsense=st.sampled_from([0.0, 0.1]),
    calls=st.sampled_from([0.0, 0.001, 0.02, 1.0]),
    starts=st.booleans(),
)
everywhere = pytest.mark.parametrize(
    ("name", "profile"), [(name, profile) for name in NETWORKS for profile in PROFILES], ids=lambda value: value
)
a_few = settings(max_examples=8)


def runs_of(aspects):
    """(first second, seconds, aspect) of each time that a movement shows one thing, in order."""
    first = np.flatnonzero(np.diff(aspects, prepend=255))
    return list(
        zip(first.tolist(), np.diff(np.append(first, len(aspects))).tolist(), aspects[first].tolist(), strict=True)
    )


def whole(seconds):
    return np.ceil(np.asarray(seconds) - 1e-6).astype(int)


def of_signals(network, plan, values_of):
    """Values (m,) of each intersection, as one dict by movement of the network."""
    return {
        int(network.movement_start[j]) + k: value
        for j in plan.intersection.tolist()
        for k, value in enumerate(values_of(j).tolist())
    }


@everywhere
@a_few
@given(story=stories)
def test_every_movement_goes_through_its_colours_in_order_and_each_lasts_its_least(name, profile, story):
    network, plan = field(name, profile)
    rules = profile_by_name(profile)
    signals = story.run(network, plan)
    yellow = of_signals(network, plan, lambda j: whole(at_one.yellow_s(rules, network, j)))
    least = of_signals(network, plan, lambda j: whole(at_one.min_green_s(rules, network, j)))
    amber_s = int(whole(rules.red_amber_s))
    after = {GREEN: {YELLOW}, YELLOW: {RED, RED_AMBER}, RED: {RED_AMBER} if amber_s else {GREEN}, RED_AMBER: {GREEN}}
    for m in yellow:
        runs = runs_of(signals.aspects[:, m])
        assert runs[0][2] == RED, "begins in red"
        for (_, length, aspect), (_, _, following) in pairwise(runs):
            assert following in after[aspect], (m, aspect, following)
            if aspect == GREEN:
                assert length >= least[m]
            if aspect == YELLOW:
                assert length == yellow[m]
            if aspect == RED_AMBER:
                assert length == amber_s


@everywhere
@a_few
@given(story=stories)
def test_between_the_end_of_a_green_and_a_foes_green_the_whole_intergreen_passes(name, profile, story):
    network, plan = field(name, profile)
    rules = profile_by_name(profile)
    signals = story.run(network, plan)
    for j in plan.intersection.tolist():
        columns = slice(network.movement_start[j], network.movement_start[j + 1])
        green = signals.aspects[:, columns] == GREEN
        may = permissive_matrix(network, j)
        apart = np.where(may, 0, whole(at_one.intergreen_s(rules, network, j)))
        ended = np.full(green.shape[1], -1000)
        begins = green & ~np.roll(green, 1, axis=0)
        begins[0] = green[0]
        for t in range(len(green)):
            if t:
                ended[green[t - 1] & ~green[t]] = t
            assert may[np.ix_(green[t], green[t])].all()
            for m in np.flatnonzero(begins[t]):
                waits_for = ~green[t]
                assert (t - ended[waits_for] >= apart[waits_for, m]).all()
                assert t - ended[m] >= whole(at_one.yellow_s(rules, network, j))[m] + rules.red_revert_s


@everywhere
@a_few
@given(story=stories)
def test_movement_that_is_green_in_both_phases_is_green_without_interruption(name, profile, story):
    network, plan = field(name, profile)
    signals = story.run(network, plan)
    for i, j in enumerate(plan.intersection.tolist()):
        greens, here = serves(network, j), network.movement_intersection == j
        for aspects, told in zip(signals.aspects, signals.told, strict=True):
            phase, target = told.phase[i], told.target[i]
            if told.displayed[i] >= 0:
                expected = greens[told.displayed[i]]
            elif phase >= 0 and target >= 0:
                expected = greens[phase] & greens[target]
            else:
                expected = np.zeros(network.n_movements, bool)
            assert np.array_equal((aspects == GREEN) & here, expected)


@everywhere
@a_few
@given(story=stories)
def test_signals_begin_with_the_whole_start_up_red(name, profile, story):
    network, plan = field(name, profile)
    signals = story.run(network, plan)
    first = int(profile_by_name(profile).startup_red_s)
    here = at_signals(network, plan)
    assert np.isin(signals.aspects[:first, here], (RED, RED_AMBER)).all()
    if story.starts:
        began = serves_all(network, plan, plan.choices[:, 0])
        assert np.array_equal(signals.aspects[first] == GREEN, began | ~here)


@everywhere
@a_few
@given(story=stories)
def test_what_ends_as_another_begins_keeps_its_intergreen_even_where_a_turn_might_yield(name, profile, story):
    network, plan = field(name, profile)
    signals = story.run(network, plan)
    for i, j in enumerate(plan.intersection.tolist()):
        apart = whole(at_one.conflict_intergreen_s(profile_by_name(profile), network, j))
        greens = network.phase_matrix(j)
        for (old, _), (between, seconds), (new, _) in zip(
            *(run_lengths_of(signals, i)[k:] for k in range(3)), strict=False
        ):
            if old >= 0 and between == -1 and new >= 0:
                pairs = (greens[old] & ~greens[new])[:, None] & (greens[new] & ~greens[old])
                assert seconds >= apart[pairs].max(initial=0)


def run_lengths_of(signals, i):
    return run_lengths([told.displayed[i] for told in signals.told])


def serves_all(network, plan, phase):
    """(M,) green of the local phases (I,)."""
    return np.any(
        [serves(network, j)[p] for j, p in zip(plan.intersection.tolist(), phase.tolist(), strict=True)], axis=0
    )


@everywhere
@a_few
@given(story=stories)
def test_nobody_who_keeps_calling_waits_longer_than_the_longest_wait(name, profile, story):
    network, plan = field(name, profile)
    signals = replace(story, seconds=700).run(network, plan)
    waits = (signals.called == 1) & (signals.aspects != GREEN) & at_signals(network, plan)
    waited = np.zeros(network.n_movements, int)
    for row in waits:
        waited = np.where(row, waited + 1, 0)
        assert waited.max() <= LONGEST_WAIT_S


@everywhere
@a_few
@given(story=stories)
def test_green_ends_at_its_longest_as_soon_as_somebody_else_waits(name, profile, story):
    network, plan = field(name, profile)
    signals = replace(story, every_s=1000).run(network, plan)
    rules = profile_by_name(profile)
    for i, j in enumerate(plan.intersection.tolist()):
        limit = whole(np.maximum(at_one.max_green_s(rules, network, j), at_one.min_green_s(rules, network, j)))
        longest = [max(limit[greens], default=0) for greens in network.phase_matrix(j)]
        calls = (signals.called[1:] == 1) & (signals.aspects[:-1] != GREEN) & (network.movement_intersection == j)
        for before, now, somebody_waits in zip(signals.told, signals.told[1:], calls.any(axis=1), strict=False):
            phase = before.displayed[i]
            if phase >= 0 and before.green_s[i] >= longest[phase] and somebody_waits:
                assert now.displayed[i] != phase


@everywhere
@a_few
@given(story=stories, then=st.integers(0, 7))
def test_wish_stands_until_the_next_request(name, profile, story, then):
    """Once nobody calls any more, the last wish is what every signal comes to and stays at."""
    network, plan = field(name, profile)
    signals = story.run(network, plan)
    wish = plan.choices[np.arange(plan.n_signals), then % plan.n_choices]
    signals.aspects, signals.told = [], []
    signals.second(wish)
    longest = 2 * (signals.rules.transition.max() + signals.rules.min_green.max())
    for _ in range(int(longest)):
        signals.second()
    for _ in range(30):
        signals.second()
        assert signals.told[-1].displayed == wish.tolist()


@everywhere
@a_few
@given(story=stories)
def test_no_phase_means_stay_and_is_counted(name, profile, story):
    """Wishes for no phase, nor for one that is no choice here, change nothing that the shield would not do anyway."""
    network, plan = field(name, profile)
    signals = story.run(network, plan)
    strange, stay = signals.copy(), signals.copy()
    before = signals.interventions()[:, REFUSED].copy()
    no_choice = np.array(
        [
            next((p for p in range(n) if p not in own), n)
            for n, own in zip(plan.n_phases, plan.choices.tolist(), strict=True)
        ]
    )
    asked = [
        np.full(plan.n_signals, 99),
        np.full(plan.n_signals, -2),
        plan.n_phases,
        no_choice,
        np.full(plan.n_signals, -(2**31)),
    ]
    for wanted in asked * 5:
        strange.second(wanted, signals.called[-1])
        stay.second(np.full(plan.n_signals, -1), signals.called[-1])
    assert np.array_equal(strange.aspects, stay.aspects)
    assert (strange.interventions()[:, REFUSED] - before).tolist() == [25] * plan.n_signals
    assert np.array_equal(stay.interventions()[:, REFUSED], before)


@everywhere
@a_few
@given(story=stories)
def test_told_seconds_are_those_of_the_display(name, profile, story):
    network, plan = field(name, profile)
    signals = replace(story, seconds=150).run(network, plan)
    here = at_signals(network, plan)
    red = np.zeros(network.n_movements, int)
    for aspects in signals.aspects:
        red = np.where(aspects == GREEN, 0, red + 1)
    assert np.array_equal(signals.red_s()[here], red[here])
    for i in range(plan.n_signals):
        (*_, (last, length)) = run_lengths([told.displayed[i] for told in signals.told])
        assert signals.state.green_s[i] == (length if last >= 0 else 0)


@pytest.mark.parametrize(
    "timing",
    [FixedClearance(3), *(FieldTiming(one) for one in PROFILES.values())],
    ids=lambda timing: getattr(getattr(timing, "profile", None), "name", "literature"),
)
@settings(max_examples=4)
@given(story=stories)
def test_compiled_and_plain_show_the_same(timing, story):
    network = load_scenario("arterial6").network
    plan = make_plan(network, choices="literature-8", timing=timing)
    plain, fast = (replace(story, seconds=150).run(network, plan, compile=compile) for compile in (False, True))
    assert np.array_equal(plain.aspects, fast.aspects)
    assert np.array_equal(plain.greens, fast.greens)
    for name in SignalState._fields:
        assert np.array_equal(getattr(plain.state, name), getattr(fast.state, name)), name
    for interval_s in (1, 5, 30):
        calls = plain.called[-1]
        assert np.array_equal(plain.granted(interval_s, calls), fast.granted(interval_s, calls))


# ---- wishes and starts of any kind

NONSENSE = [float("nan"), float("inf"), -float("inf"), 1.5, 0.999, 1e300, -1e300, -2, 2**31, 2**32 + 1, 2**40, -(2**63)]


@pytest.mark.parametrize("nonsense", NONSENSE)
@pytest.mark.parametrize("kind", [list, np.array], ids=["list", "array"])
def test_wish_that_is_no_whole_number_of_a_phase_is_stay_and_counted(signal, nonsense, kind):
    one = signal(5, start=1, compile=False)
    for wish in [nonsense, 2.0, nonsense, -1.0, nonsense, nonsense, nonsense, nonsense]:
        shield.request(kind([wish]), one.rules, one.state)
        one.second()
    assert one.shown == [1] + [0] * 5 + [2] * 2
    assert one.interventions().tolist() == [[0, 0, 0, 6]]


@pytest.mark.parametrize("nonsense", NONSENSE)
@pytest.mark.parametrize("protocol", ["literature-10-5", "us-mutcd-5"])
def test_core_takes_such_a_wish_as_stay_and_counts_it(nonsense, protocol):
    scenario = load_scenario("single")
    plan = protocol_by_name(protocol).plan(scenario.network)
    running = core.TrafficCore(scenario.network, plan, scenario.demand)
    running.reset([scenario.trips(0, horizon_s=60)], [0], np.array([[2]]))
    running.run(np.array([[2]]), 6)
    for wish in ([[nonsense]], np.array([[nonsense]])):
        running.run(wish, 10)
        assert running.displayed.tolist() == running.phase.tolist() == [[2]]
    assert running.interventions.tolist() == [[[0, 0, 0, 2]]]
    running.run(np.array([[3.0]]), 10)
    assert running.phase.tolist() == [[3]]


@pytest.mark.parametrize("start", [-2, 5, 99, 2**31 - 1, -(2**31)])
def test_start_in_no_phase_is_a_start_in_clearance(signal, start):
    strange, clears = signal(5, start, compile=False), signal(5, -1, compile=False)
    for wanted in [None, 3, *[None] * 7]:
        strange.second(wanted)
        clears.second(wanted)
    assert strange.shown == clears.shown == [0] * 6 + [3] * 3


def test_field_signal_does_not_start_in_a_phase_that_is_no_choice(crossings):
    network = crossings(LITERATURE)
    plan = make_plan(network, timing=FieldTiming(profile_by_name("us-mutcd")))
    signals = Signals(network, plan, 0)
    for _ in range(20):
        signals.second()
    assert not signals.greens[-1][at_signals(network, plan)].any()


# ---- what is granted


INTERVALS_S = (1, 3, 5, 10, 30)


def next_green(signals, i, wish, interval_s, calls):
    """The phase of signal `i` that is shown after, or in, the interval if `wish` is asked for now: the first other
    green that begins, or whose transition begins, within it; the present one if it lasts."""
    trial = signals.copy()
    now, target = trial.state.phase[i], trial.state.target[i]
    wishes = np.full(signals.plan.n_signals, -1)
    wishes[i] = wish
    trial.ask(wishes)
    if target >= 0:  # a transition goes on already: what it leads to is next
        return int(trial.state.target[i])
    for _ in range(interval_s):
        trial.second(None, calls)
        if trial.state.target[i] >= 0:
            return int(trial.state.target[i])
        if trial.state.phase[i] != now:
            return int(trial.state.phase[i])
    return int(now)


@everywhere
@settings(max_examples=12)
@given(story=stories, interval_s=st.sampled_from(INTERVALS_S), cut=st.integers(10, 400))
def test_exactly_the_granted_phases_are_the_next_green_if_they_are_wished_for(name, profile, story, interval_s, cut):
    network, plan = field(name, profile)
    signals = replace(story, seconds=cut).run(network, plan)
    calls = signals.called[-1] * (signals.aspects[-1] != GREEN)
    granted = signals.granted(interval_s, calls)
    i = story.seed % plan.n_signals
    offset = plan.phase_offset[i]
    choices = set(plan.choices[i, : plan.n_choices[i]].tolist())
    for phase in range(plan.n_phases[i]):
        comes = phase in choices and next_green(signals, i, phase, interval_s, calls) == phase
        assert granted[offset + phase] == comes, (phase, signals.state.phase[i], signals.state.target[i])
