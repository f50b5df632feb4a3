"""Laws of the clearance: shown in full, never restarted, then the wanted phase; compiled and plain alike."""

from dataclasses import dataclass, field
from itertools import pairwise

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from intergreen.envs.signals import clearance, make_plan

N_PHASES = 4
compiled = {
    name: numba.njit(getattr(clearance, name)) for name in ("request", "show", "green_movements")
}  # as the batched core compiles them


@dataclass
class Signal:
    """One signal of four phases, and what it displayed."""

    clearance_s: int
    clearance_phase: int = 0
    start: int = -1
    compile: bool = False
    shown: list[int] = field(default_factory=list)

    def __post_init__(self):
        self.n_phases = np.array([N_PHASES], np.int32)
        self.between = np.array([self.clearance_phase], np.int32)
        self.phase = np.array([self.start], np.int32)
        self.target = np.array([-1], np.int32)
        self.left = np.zeros(1, np.int32)
        self.displayed = np.array([clearance.NOT_SHOWN], np.int32)
        self.green_s = np.zeros(1, np.int32)

    def second(self, wanted=None):
        request, show = (compiled["request"], compiled["show"]) if self.compile else (clearance.request, clearance.show)
        if wanted is not None:
            wanted = np.array([wanted], np.int32)
            state = self.phase, self.target, self.left, self.green_s
            request(wanted, self.clearance_s, self.n_phases, self.between, *state)
        show(self.between, self.phase, self.target, self.left, self.displayed, self.green_s)
        self.shown.append(int(self.displayed[0]))


requests = st.lists(st.none() | st.integers(1, N_PHASES - 1), min_size=1, max_size=60)


@pytest.mark.parametrize("compile", [False, True], ids=["numpy", "numba"])
@pytest.mark.parametrize("clearance_s", [0, 2, 5])
def test_change_decided_at_t_shows_clearance_from_t_and_the_wanted_phase_from_t_plus_c(clearance_s, compile):
    signal = Signal(clearance_s, start=1, compile=compile)
    for t in range(20):
        signal.second({0: 1, 10: 2}.get(t))
    assert signal.shown == [1] * 10 + [0] * clearance_s + [2] * (10 - clearance_s)


@pytest.mark.parametrize("compile", [False, True], ids=["numpy", "numba"])
@pytest.mark.parametrize("clearance_s", [0, 2])
@given(wishes=requests)
def test_green_seconds_count_the_seconds_since_the_shown_green_began(compile, clearance_s, wishes):
    signal = Signal(clearance_s, start=1, compile=compile)
    for wish in wishes:
        signal.second(wish)
        last = signal.shown[-1]
        run = len(signal.shown) - max((t for t, shown in enumerate(signal.shown) if shown != last), default=-1) - 1
        assert signal.green_s[0] == (0 if last == 0 else run)


def test_signal_that_starts_in_clearance_clears_in_full_towards_its_first_request():
    signal = Signal(5)
    for wanted in [None, None, 3, *[None] * 7]:
        signal.second(wanted)
    assert signal.shown == [0] * 7 + [3] * 3


def test_wanted_phase_that_is_green_already_stays_green():
    signal = Signal(5, start=2)
    for _ in range(10):
        signal.second(2)
    assert signal.shown == [2] * 10


def test_request_during_clearance_changes_what_follows_and_not_when():
    signal = Signal(5, start=1)
    for wanted in [2, None, 3, None, None, None, None]:
        signal.second(wanted)
    assert signal.shown == [0] * 5 + [3] * 2


def test_request_back_to_the_old_green_during_clearance_still_clears_in_full():
    signal = Signal(5, start=1)
    for wanted in [2, 1, None, None, None, None]:
        signal.second(wanted)
    assert signal.shown == [0] * 5 + [1]


@pytest.mark.parametrize("illegal", [-1, -7, N_PHASES, 99])
def test_number_that_is_no_phase_changes_nothing(illegal):
    signal = Signal(5, start=1)
    for wanted in [illegal, illegal, 2, illegal, illegal, illegal, illegal, illegal]:
        signal.second(wanted)
    assert signal.shown == [1] * 2 + [0] * 5 + [2]


@given(requests=requests, clearance_s=st.integers(1, 6), start=st.integers(-1, N_PHASES - 1))
def test_between_two_different_greens_the_full_clearance_is_always_shown_and_never_more(requests, clearance_s, start):
    signal = Signal(clearance_s, start=start, clearance_phase=0)
    for wanted in requests:
        signal.second(wanted)
    runs = run_lengths(signal.shown)
    for (before, _), (now, length) in pairwise(runs):
        assert 0 in (before, now)  # never green to green
        if now == 0 and (now, length) != runs[-1]:
            assert length == clearance_s


@given(requests=requests, clearance_s=st.integers(0, 6), start=st.integers(1, N_PHASES - 1))
def test_first_change_shows_the_last_wanted_phase_exactly_c_seconds_after_the_decision(requests, clearance_s, start):
    changes = [t for t, wanted in enumerate(requests) if wanted not in (None, start)]
    if not changes:
        return
    decided = changes[0]
    signal = Signal(clearance_s, start=start)
    for wanted in [*requests, *[None] * 10]:
        signal.second(wanted)
    green_from = decided + clearance_s
    asked = [wanted for wanted in requests[decided : green_from + 1] if wanted is not None]
    assert signal.shown[:decided] == [start] * decided
    assert signal.shown[decided:green_from] == [0] * clearance_s
    assert signal.shown[green_from] == (asked[-1] if clearance_s else asked[0])


@given(requests=requests, clearance_s=st.integers(0, 6), between=st.sampled_from([-1, 0]))
def test_compiled_and_plain_show_the_same(requests, clearance_s, between):
    plain, fast = Signal(clearance_s, between), Signal(clearance_s, between, compile=True)
    for wanted in requests:
        plain.second(wanted)
        fast.second(wanted)
    assert plain.shown == fast.shown


def run_lengths(shown):
    runs = []
    for phase in shown:
        if runs and runs[-1][0] == phase:
            runs[-1][1] += 1
        else:
            runs.append([phase, 1])
    return [tuple(run) for run in runs]


class Display:
    """All signals of a network of phases, and which movements are green."""

    def __init__(self, network, start, *, compile=False):
        self.network, self.plan = network, make_plan(network)
        n_signals = self.plan.n_signals
        self.phase = np.full(n_signals, start, np.int32)
        self.target = np.full(n_signals, -1, np.int32)
        self.left = np.zeros(n_signals, np.int32)
        self.displayed = np.full(n_signals, clearance.NOT_SHOWN, np.int32)
        self.green_s = np.zeros(n_signals, np.int32)
        self.green = clearance.standing_greens(network, self.plan)
        self.paint = compiled["green_movements"] if compile else clearance.green_movements

    def second(self, wanted=None, clearance_s=2):
        plan, network = self.plan, self.network
        if wanted is not None:
            wanted = np.array(wanted, np.int32)
            state = self.phase, self.target, self.left, self.green_s
            clearance.request(wanted, clearance_s, plan.n_phases, plan.clearance_phase, *state)
        if clearance.show(plan.clearance_phase, self.phase, self.target, self.left, self.displayed, self.green_s):
            self.paint(
                plan.intersection,
                plan.phase_offset,
                self.phase,
                self.target,
                self.displayed,
                network.movement_start,
                network.phase_movement_start,
                network.phase_movements,
                self.green,
            )
        return self.green.nonzero()[0].tolist()


@pytest.mark.parametrize("compile", [False, True], ids=["numpy", "numba"])
def test_signal_without_a_clearance_phase_keeps_green_only_what_both_phases_have(phases_only, compile):
    display = Display(phases_only([[0, 1], [1, 2]]), 0, compile=compile)
    assert [display.second([0]), display.second([1]), display.second(), display.second()] == [[0, 1], [1], [1], [1, 2]]


def test_signal_without_a_clearance_phase_keeps_the_target_its_clearance_began_with(phases_only):
    display = Display(phases_only([[0, 1], [1, 2], [0, 3]]), 0)
    assert [display.second([1]), display.second([2]), display.second()] == [[1], [1], [1, 2]]


def test_signal_without_a_clearance_phase_starts_all_red(phases_only):
    display = Display(phases_only([[0, 1], [1, 2]]), -1)
    assert [display.second(), display.second([1]), display.second(), display.second()] == [[], [], [], [1, 2]]


def test_unsignalled_movements_stay_open_and_a_single_phase_stays_shown(phases_only):
    display = Display(phases_only([], [[1, 3]], [[0], [0, 1]]), 1)
    assert display.second([1]) == [0, 1, 2, 3, 5, 7, 8, 9]
    assert display.second([0], clearance_s=0) == [0, 1, 2, 3, 5, 7, 8]


greens = st.lists(st.sets(st.integers(0, 3)).map(sorted), min_size=2, max_size=5)


@given(
    phases=greens, wanted=st.lists(st.integers(-1, 5), max_size=40), clearance_s=st.integers(1, 4), start=st.booleans()
)
def test_movement_that_lost_green_gets_no_foe_green_before_its_clearance_has_passed(
    phases_only, phases, wanted, clearance_s, start
):
    """Whatever is asked: seconds between two different phases' greens always hold only movements that both have."""
    network = phases_only(phases)
    display = Display(network, 0 if start else -1)
    lost_at: dict[int, int] = {}
    before: set[int] = set()
    for t, one in enumerate(wanted):
        now = set(display.second([one], clearance_s))
        lost_at.update(dict.fromkeys(before - now, t))
        for gained in now - before:
            for lost, at in lost_at.items():
                together = any({gained, lost} <= set(phase) for phase in phases)
                assert together or t - at >= clearance_s
        before = now
