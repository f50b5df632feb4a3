"""Seeded faults: each of these small changes to a plan or to the shield makes a signal unsafe, and the proof says so.

Where the fault shows on the street, the monitor finds it too, in a drive of the faulty shield alone under hostile
wishes and calls. `pytest tests/signals/test_mutations.py -s -k table` prints what was found by whom.

Subjects are T-junctions small enough for the plain shield. A change that breaks no rule is not in the list: movements
that both phases serve and that turn red in between with a whole yellow, or a clearance that a turn owes to traffic it
may also yield to (the card has nothing to say about such a pair, see the last test).
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from signals.test_proof import E_AHEAD, E_LEFT, S_LEFT, S_RIGHT, T_PHASES, W_AHEAD, t_junction

from intergreen.envs.arrays import IntArray
from intergreen.envs.network import RoadNetwork
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.signals import Rules, SignalPlan, SignalState, changes, profiles, shield, transitions
from intergreen.envs.signals.aspects import GREEN, RED
from intergreen.envs.signals.card import program_card
from intergreen.envs.signals.conflicts import permissive_matrix
from intergreen.envs.signals.machine import single
from intergreen.envs.signals.model import SignalModel
from intergreen.envs.signals.monitor import SignalMonitor
from intergreen.envs.signals.proof import prove
from intergreen.envs.signals.state import signal_state
from intergreen.envs.verification import distinct_models

REST, MAIN, MAIN_LEFT, SIDE = range(4)  # phases of T_PHASES
ACT_S = 420
NONSENSE = (-7, 4, 1 << 20)
UNKNOWN_TO_MONITOR = "the card does not have it"  # why a fault that the proof finds never shows
OF_THREE = "while one of three phases is green, two others cannot be kept waiting so long"


@dataclass(frozen=True)
class Subject:
    """One junction under one protocol."""

    network: RoadNetwork
    plan: SignalPlan
    model: SignalModel
    protocol: str


@lru_cache
def subject(name: str) -> Subject:
    protocol = {"us": "us-mutcd-5", "fixed": "literature-10-5"}.get(name, "de-rilsa-5")
    if name == "slow":  # who comes from the west at walking pace still clears when the phase after the next begins
        rest, main, _, side = T_PHASES
        network = t_junction([rest, main, [S_RIGHT, E_LEFT], side, [S_RIGHT, E_AHEAD]], crawls=("in_W", 1.3))
    else:
        network = t_junction()
    plan = protocol_by_name(protocol).plan(network)
    ((model, _),) = distinct_models(network, plan)
    return Subject(network, plan, model, protocol)


@dataclass(frozen=True)
class Fault:
    """What is changed, where, and who has to find it under which name.

    invariant : the one that the proof names first; "I5 or I9" where it may be either: I9 is also what it says if the
        shield passes over a signal that may change
    change : gives the faulty rules and the faulty shield (`request`, `tick`, `start`)
    street : the monitor's fault; "" where there is nothing to see, for the reason `unseen`
    """

    name: str
    subject: str
    invariant: str
    street: str
    unseen: str
    change: Callable[[Subject], tuple[Rules, Any]]


FAULTS: dict[str, Fault] = {}


def seed(name: str, on: str, invariant: str, street: str, change: Callable[[Subject], tuple[Rules, Any]]) -> None:
    assert name not in FAULTS
    is_seen = not street.startswith("unseen: ")
    shown, reason = (street, "") if is_seen else ("", street.removeprefix("unseen: "))
    FAULTS[name] = Fault(name, on, invariant, shown, reason, change)


def in_rules(on: str, invariant: str, street: str):
    """Seeds a function of the single signal's rules."""

    def register(alter: Callable[[Rules], Rules]):
        name = alter.__name__.replace("_", " ")
        seed(name, on, invariant, street, lambda it: (alter(it.model.rules), shield))
        return alter

    return register


def in_planning(on: str, invariant: str, street: str):
    """Seeds a function that patches what plans are made of."""

    def register(patch: Callable[[pytest.MonkeyPatch], None]):
        def change(it: Subject) -> tuple[Rules, Any]:
            with pytest.MonkeyPatch.context() as monkeypatch:
                patch(monkeypatch)
                return single(protocol_by_name(it.protocol).plan(it.network).rules, 0), shield

        seed(patch.__name__.replace("_", " "), on, invariant, street, change)
        return patch

    return register


def in_shield(name: str, on: str, invariant: str, street: str, *edits: tuple[str, str]) -> None:
    """Seeds a change of the shield's source."""
    seed(name, on, invariant, street, lambda it: (it.model.rules, rewritten(shield, *edits)))


def rewritten(module: ModuleType, *edits: tuple[str, str]) -> ModuleType:
    """A module whose source is changed, each text at the one place where it stands."""
    source = inspect.getsource(module)
    for old, new in edits:
        assert source.count(old) == 1, f"{source.count(old)} places with {old!r} in {module.__name__}"
        source = source.replace(old, new)
    faulty = ModuleType("faulty")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setitem(sys.modules, "faulty", faulty)  # dataclasses look their module up
        exec(compile(source, "<faulty>", "exec"), faulty.__dict__)
    return faulty


def with_entry(values: Any, index: Any, value: Any) -> Any:
    changed = np.array(values)
    changed[index] = value
    return changed


def with_transition(one: Rules, old: int, new: int, seconds: Callable[[int], int]) -> Rules:
    """`old` -1: at the start."""
    at = (old + 1) * int(one.n_phases[0]) + new
    return one._replace(transition=with_entry(one.transition, at, seconds(int(one.transition[at]))))


def with_greens(one: Rules, phase: int, greens: list[int]) -> Rules:
    """The rules with other movements in a phase, as many as before."""
    first, past = one.phase_movement_start[phase : phase + 2]
    assert len(greens) == past - first
    return one._replace(phase_movements=with_entry(one.phase_movements, slice(first, past), greens))


# --- The plan: times ---------------------------------------------------------------------------------------------


@in_rules("us", "I2", "short yellow")
def yellow_of_one_movement_is_cut_by_a_second(one):
    return one._replace(yellow=with_entry(one.yellow, S_LEFT, one.yellow[S_LEFT] - 1))


@in_rules("us", "I2", "skipped yellow")
def yellow_of_one_movement_is_left_out(one):
    return one._replace(yellow=with_entry(one.yellow, W_AHEAD, 0))


@in_rules("us", "I2", "long yellow")
def yellow_lasts_until_the_next_green(one):
    return one._replace(yellow=one.yellow + 20)


@in_rules("fixed", "I2", "short yellow")
def fixed_yellow_is_cut_by_a_second(one):
    return one._replace(yellow=one.yellow - 1)


@in_rules("us", "I3", "yellow plus red clearance")
def transition_between_conflicting_phases_is_cut_by_a_second(one):
    return with_transition(one, SIDE, MAIN, lambda seconds: seconds - 1)


@in_rules("fixed", "I2", "short yellow")
def fixed_transition_of_one_pair_is_cut_by_a_second(one):
    return with_transition(one, SIDE, MAIN_LEFT, lambda seconds: seconds - 1)


@in_rules("de", "I2", "skipped yellow")
def transition_of_one_pair_is_0(one):
    return with_transition(one, MAIN_LEFT, SIDE, lambda _: 0)


@in_rules("de", "I3", "yellow plus red clearance")
def transitions_are_transposed(one):
    n = int(one.n_phases[0])
    between = one.transition[n:].reshape(n, n)
    return one._replace(transition=np.concatenate((one.transition[:n], between.T.reshape(-1))))


@in_rules("us", "I3", "yellow plus red clearance")
def transition_of_another_pair_is_used(one):
    n = int(one.n_phases[0])
    return with_transition(one, MAIN, SIDE, lambda _: int(one.transition[(SIDE + 1) * n + REST]))


@in_rules("us", "I4", "short green")
def minimum_green_is_a_second_short(one):
    return one._replace(min_green=one.min_green - 1)


@in_rules("de", "I4", "short green")
def minimum_green_is_that_of_the_turns(one):
    return one._replace(min_green=np.full_like(one.min_green, 5))


@in_rules("us", "I5", f"unseen: longest green: {UNKNOWN_TO_MONITOR}")
def maximum_green_is_a_second_long(one):
    return one._replace(max_green=one.max_green + 1)


@in_rules("us", "I5", f"unseen: longest green: {UNKNOWN_TO_MONITOR}")
def maximum_green_is_switched_off_for_a_phase(one):
    return one._replace(max_green=with_entry(one.max_green, MAIN, 0))


@in_rules("us", "I12", f"unseen: start: {UNKNOWN_TO_MONITOR}")
def red_at_the_start_is_a_second_short(one):
    return with_transition(one, -1, SIDE, lambda seconds: seconds - 1)


@in_rules("us", "I12", f"unseen: start: {UNKNOWN_TO_MONITOR}")
def red_at_the_start_is_left_out(one):
    return with_transition(one, -1, MAIN, lambda _: 0)


@in_rules("de", "I7", "dual indication")
def red_and_amber_lasts_two_seconds(one):
    return one._replace(red_amber=one.red_amber + 1)


@in_rules("us", "I7", "dual indication")
def red_and_amber_where_drivers_are_told_nothing(one):
    return one._replace(red_amber=one.red_amber + 1)


@in_rules("us", "I9", "cycle fail")
def calls_may_last_a_minute_too_long(one):
    return one._replace(overdue=one.overdue + 60, call_limit=one.call_limit + 60)


@in_rules("us", "I9", f"unseen: {OF_THREE}")
def calls_may_last_as_long_as_if_each_were_alone(one):
    return one._replace(call_limit=np.full_like(one.call_limit, one.call_limit[0]))


@in_rules("us", "I9", f"unseen: {OF_THREE}")
def two_calls_may_last_as_long_as_one(one):
    return one._replace(call_limit=np.append(one.call_limit[:1], one.call_limit[:-1]))


@in_rules("us", "I9", "cycle fail")
def green_may_go_on_for_longer_than_a_service(one):
    return one._replace(service=one.service + 5)


@in_rules("us", "I12", "cycle fail")
def rules_know_no_overdue_calls_and_so_no_red_at_the_start(one):
    return one._replace(overdue=0 * one.overdue)


@in_rules("us", "I5 or I9", "cycle fail")
def turns_miss_a_phase(one):
    return one._replace(turns=with_entry(one.turns, 2, MAIN_LEFT))


@in_rules("us", "I5 or I9", "cycle fail")
def phase_that_alone_serves_a_movement_is_never_shown(one):
    may_show = with_entry(one.may_show, SIDE, 0)
    return one._replace(may_show=may_show, turns=with_entry(one.turns, 2, MAIN_LEFT))


# --- The plan: movements, phases, matrices ------------------------------------------------------------------------


@in_rules("us", "I1", "conflict")
def phase_has_a_conflicting_movement(one):
    return with_greens(one, SIDE, [W_AHEAD, S_LEFT])


@in_rules("fixed", "I1", "conflict")
def fixed_phase_has_a_conflicting_movement(one):
    return with_greens(one, MAIN, [W_AHEAD, S_LEFT, E_AHEAD])


@in_rules("fixed", "I1", "skipped yellow")
def clearance_phase_is_one_with_greens(one):
    return one._replace(clearance_phase=one.clearance_phase + MAIN)


@in_rules("us", "I12", "short yellow")
def clearance_phase_where_there_is_none(one):
    return one._replace(clearance_phase=one.clearance_phase + 1 + REST)


def patch_intergreen_matrix(monkeypatch, change):
    right = profiles.conflict_intergreen_s

    def wrong(profile, network, pairs, **grade):
        return change(pairs.matrix(right(profile, network, pairs, **grade), 0)).reshape(-1)

    monkeypatch.setattr(profiles, "conflict_intergreen_s", wrong)


@in_planning("us", "I3", "yellow plus red clearance")
def matrix_entry_is_flipped(monkeypatch):
    patch_intergreen_matrix(monkeypatch, lambda matrix: with_entry(matrix, (E_AHEAD, S_LEFT), 0.0))


@in_planning("de", "I3", "yellow plus red clearance")
def intergreen_matrix_is_transposed(monkeypatch):
    patch_intergreen_matrix(monkeypatch, np.transpose)


@in_planning("us", "I3", "yellow plus red clearance")
def red_clearance_is_forgotten(monkeypatch):
    monkeypatch.setattr(profiles, "red_clearance_s", lambda _, width_m, speed_mps: 0.0 * width_m * speed_mps)


@in_planning("slow", "I3", "yellow plus red clearance")
def intergreen_holds_for_one_change_only(monkeypatch):
    one_pass = rewritten(
        transitions, ("if np.array_equal(arrived, ended_s) and np.array_equal(longer, seconds):", "if True:")
    )
    monkeypatch.setattr(changes, "transitions_s", one_pass.transitions_s)


# else a signal is not even come to before its least green
AT_ANY_AGE = ("& (state.green_s[i] >= state.least[i])", "")

# --- The shield: times --------------------------------------------------------------------------------------------

in_shield(
    "yellow is shown a second less",
    "us",
    "I2",
    "short yellow",
    ("shown_s >= rules.yellow[m]", "shown_s + 1 >= rules.yellow[m]"),
)
in_shield(
    "painted after the countdown",
    "fixed",
    "I2",
    "short yellow",
    ("shown_s >= rules.yellow[m]", "shown_s + 1 >= rules.yellow[m]"),
    ("seconds - rules.yellow[m])", "seconds - rules.yellow[m] + 1)"),
)
in_shield(
    "countdown begins a second late",
    "fixed",
    "I2",
    "short yellow",
    ("state.left[i] = seconds", "state.left[i] = seconds - 1"),
)
in_shield(
    "countdown counts double",
    "fixed",
    "I2",
    "short yellow",
    ("state.left[i] -= clears", "state.left[i] -= min(2, state.left[i])"),
)
in_shield("countdown stands still", "us", "I14", "cycle fail", ("state.left[i] -= clears", "pass"))
in_shield(
    "transition ends a second early",
    "us",
    "I12",
    "yellow plus red clearance",
    (
        "if state.left[i] == 0:",
        "if state.left[i] <= 1 and state.target[i] >= 0:\n        state.left[i] = 0\n    if state.left[i] == 0:",
    ),
    ("    return left if new", "    return max(left, 1) if new"),
)
in_shield(
    "transition is read from another row",
    "de",
    "I2",
    "skipped yellow",
    ("(old + 1) * rules.n_phases[i]", "max(old, 0) * rules.n_phases[i]"),
)
in_shield(
    "transition is read the wrong way round",
    "de",
    "I3",
    "yellow plus red clearance",
    ("(old + 1) * rules.n_phases[i] + new", "((new + 1) * rules.n_phases[i] + old if old >= 0 else new)"),
)
in_shield(
    "green timer is not reset on a change",
    "us",
    "I9",
    "short green",
    (
        "            state.target[i] = NO_PHASE\n            state.green_s[i] = 0\n",
        "            state.target[i] = NO_PHASE\n",
    ),
    (
        "                    state.phase[i] = following\n                state.green_s[i] = 0\n",
        "                    state.phase[i] = following\n",
    ),
)
in_shield("green timer counts double", "us", "I4", "short green", ("+= (not clears) &", "+= 2 * (not clears) *"))
in_shield("green timer stands still", "us", "I5", "cycle fail", ("+= (not clears) &", "+= 0 * (not clears) *"))
in_shield(
    "minimum green is compared a second early",
    "us",
    "I4",
    "short green",
    (
        "return phase < 0 or state.green_s[i] >= rules.min_green",
        "return phase < 0 or state.green_s[i] + 1 >= rules.min_green",
    ),
    AT_ANY_AGE,
)
in_shield(
    "minimum green is that of the wanted phase",
    "us",
    "I4",
    "short green",
    (
        "state.green_s[i] >= rules.min_green[rules.phase_offset[i] + phase]",
        "state.green_s[i] >= rules.min_green[rules.phase_offset[i] + max(state.wish[i], 0)]",
    ),
    AT_ANY_AGE,
)
in_shield(
    "minimum green does not hold against an overdue call",
    "us",
    "I4",
    "short green",
    (
        "return phase < 0 or state.green_s[i] >= rules",
        "return phase < 0 or may_be_overdue(i, 0, rules, state) or state.green_s[i] >= rules",
    ),
    AT_ANY_AGE,
)
in_shield(
    "maximum green is compared a second late",
    "us",
    "I5",
    f"unseen: longest green: {UNKNOWN_TO_MONITOR}",
    ("0 < longest <= state.green_s[i]", "0 < longest < state.green_s[i]"),
)
in_shield(
    "maximum green is ignored",
    "us",
    "I5",
    f"unseen: longest green: {UNKNOWN_TO_MONITOR}",
    ("0 < longest <= state.green_s[i]", "False"),
)
in_shield(
    "maximum green gives way to a wish to stay",
    "us",
    "I9",
    f"unseen: longest green: {UNKNOWN_TO_MONITOR}",
    ("must_end = goes_on and phase >= 0", "must_end = wish < 0 and phase >= 0"),
)

# --- The shield: wishes and calls ---------------------------------------------------------------------------------

in_shield(
    "wish in mid-transition is honoured without a clearance phase",
    "us",
    "I2",
    "short yellow",
    ("            if rules.clearance_phase[i] >= 0:\n", "            if True:\n"),
)
in_shield(
    "wish in mid-transition ends the clearance",
    "fixed",
    "I2",
    "short yellow",
    (
        "                state.target[i] = wish\n",
        "                state.target[i] = wish\n                state.left[i] = 0\n",
    ),
)
in_shield(
    "latest wish is shown when the transition ends",
    "us",
    "I2",
    "cycle fail",
    ("state.phase[i] = state.target[i]", "state.phase[i] = max(state.wish[i], state.target[i])"),
)
in_shield(
    "nonsense resets the signal",
    "us",
    "I4 or I9",
    "skipped yellow",
    (
        "+ REFUSED] += 1\n",
        "+ REFUSED] += 1\n            state.phase[i] = state.target[i] = NO_PHASE\n            state.left[i] = 0\n",
    ),
    AT_ANY_AGE,
)
in_shield(
    "nonsense is honoured as a phase at once",
    "us",
    "I9",
    "skipped yellow",
    ("+ REFUSED] += 1\n", "+ REFUSED] += 1\n            state.phase[i] = 1 + abs(int(one)) % 3\n"),
)
in_shield(
    "nonsense stops the countdown",
    "fixed",
    "I2",
    "short yellow",
    ("+ REFUSED] += 1\n", "+ REFUSED] += 1\n            state.left[i] = 0\n"),
)
in_shield(
    "wish for the present phase restarts its green",
    "us",
    "I5 or I9",
    "cycle fail",
    (
        "        wish, phase = int(one), state.phase[i]\n",
        "        wish, phase = int(one), state.phase[i]\n        state.green_s[i] = 0\n",
    ),
)
in_shield(
    "overdue calls are not served",
    "us",
    "I9",
    "cycle fail",
    ("rules.overdue[i] > 0 and state.time", "False and state.time"),
)
in_shield(
    "wish for a change is obeyed as long as one to stay",
    "us",
    "I9",
    "cycle fail",
    ("-rules.service[i] if goes_on and not must_end else 0", "-rules.service[i]"),
)
in_shield(
    "wish to stay is obeyed no longer than one for a change",
    "us",
    "I9",
    "unseen: nobody waits too long, wishes come too late",
    ("-rules.service[i] if goes_on and not must_end else 0", "0"),
    ("state.time[0] - rules.service[i] >= state.call_due[i]", "state.time[0] >= state.call_due[i]"),
)
in_shield(
    "longest green ends for the next in turn though the oldest call must come",
    "us",
    "I9",
    f"unseen: {OF_THREE}",
    ("if goes_on and not must_end else 0", "if goes_on else 0"),
)
in_shield(
    "calls are overdue one by one",
    "us",
    "I9",
    f"unseen: {OF_THREE}",
    ("k += call_of(i, rules.turns[other], rules, state) <= since", "k = first"),
)
in_shield(
    "calls are overdue in the order of their phases",
    "us",
    "I9",
    f"unseen: {OF_THREE}",
    ("call_of(i, rules.turns[other], rules, state) <= since", "other <= t"),
)
in_shield(
    "calls are overdue a second late",
    "us",
    "I9",
    "unseen: a second is left over in the worst case",
    ("since + rules.call_limit[k]", "since + rules.call_limit[k] + 1"),
)
in_shield(
    "calls are overdue as if everybody called",
    "us",
    "I9",
    "unseen: nobody waits too long, wishes come too late",
    ("since + rules.call_limit[k]", "since + rules.call_limit[past - 1]"),
)
in_shield(
    "overdue calls are served in turn, not the oldest first",
    "us",
    "I9",
    "cycle fail",
    ("return waiting_phase(i, state.time[0] - oldest, ", "return waiting_phase(i, 1, "),
)
in_shield(
    "the youngest call is served first",
    "us",
    "I9",
    "cycle fail",
    (
        "return soonest, oldest\n",
        "return soonest, max([since for since in state.call_since if since >= 0], default=NEVER)\n",
    ),
    ("anybody |= waits(m, call_s, state, calls)", "anybody |= calls[m] != 0"),
    (
        "            if waits(rules.phase_movements[k], call_s, state, calls)",
        "            since = state.call_since[rules.phase_movements[k]]\n"
        "            if since >= 0 and state.time[0] - since <= max(call_s, 0)",
    ),
)
in_shield(
    "oldest call is that of the signal's last turn",
    "us",
    "I9",
    "cycle fail",
    ("return soonest, oldest\n", "return soonest, since\n"),
)
in_shield(
    "calls that have ended count",
    "us",
    "I9",
    "unseen: nobody waits too long, wishes come too late",
    ("is_news = calls[m] == state.news[m]", "is_news = (calls[m] == state.news[m]) & (calls[m] != 0)"),
)
in_shield(
    "overdue calls come after any wish",
    "us",
    "I9",
    "cycle fail",
    ("    if forced >= 0:\n        if forced != wish:", "    if forced >= 0 and wish < 0:\n        if forced != wish:"),
)
in_shield(
    "calls of the last movement are not heard",
    "us",
    "I5 or I9",
    "cycle fail",
    (
        "    for k in range(rules.movement_start[j], rules.movement_start[j + 1]):\n        m = np",
        "    for k in range(rules.movement_start[j], rules.movement_start[j + 1] - 1):\n        m = np",
    ),
)
in_shield(
    "calls are not remembered",
    "us",
    "I9",
    "cycle fail",
    ("is_news = calls[m] == state.news[m]", "is_news = False"),
)
in_shield(
    "calls are counted anew each second",
    "us",
    "I9",
    "cycle fail",
    ("is_news = calls[m] == state.news[m]", "is_news = calls[m] != 0 and state.aspects[m] != GREEN"),
)
in_shield(
    "calls are forgotten when the first movement has green",
    "us",
    "I9",
    "cycle fail",
    (
        "        if state.aspects[m] == GREEN:\n            green[m] = 1\n",
        "        if state.aspects[first] == GREEN and state.red_since[m] >= 0:\n"
        "            state.call_since[m], state.news[m] = -1, 1\n"
        "        if state.aspects[m] == GREEN:\n            green[m] = 1\n",
    ),
)
in_shield(
    "signal is looked at only when a single call would be overdue",
    "us",
    "I9",
    "cycle fail",
    ("min(due, state.time[0] + rules.overdue[i])", "state.time[0] + rules.call_limit[rules.turn_start[i]]"),
)
in_shield(
    "signal is not looked at again before its calls now are overdue",
    "us",
    "I9",
    "cycle fail",
    ("min(due, state.time[0] + rules.overdue[i])", "due"),
)
in_shield(
    "signal comes late to what is due",
    "us",
    "I5",
    f"unseen: longest green: {UNKNOWN_TO_MONITOR}",
    ("state.green_s[i] - state.left[i] >= state.due[i]", "state.green_s[i] - state.left[i] > state.due[i]"),
)
in_shield(
    "call does not end the rest",
    "us",
    "I9",
    f"unseen: longest green: {UNKNOWN_TO_MONITOR}",
    ("        state.rests[signal_of(m, rules)] = 0\n", "        pass\n"),
)
in_shield(
    "signal is passed over for a second after its least green",
    "us",
    "I9",
    "unseen: no rule asks for a change as soon as it may be",
    (
        "state.least[i] = rules.min_green[rules.phase_offset[i] + now]",
        "state.least[i] = 1 + rules.min_green[rules.phase_offset[i] + now]",
    ),
)
in_shield(
    "end of a yellow is not due",
    "de",
    "I2",
    "long yellow",
    ("left = max(left, seconds - rules.yellow[m])", "pass"),
)
in_shield(
    "overdue call is not due",
    "us",
    "I9",
    "cycle fail",
    ("is_asked = is_overdue | (", "is_asked = ("),
)
in_shield(
    "who has called once is never heard again",
    "us",
    "I9",
    "cycle fail",
    ("state.news[m] = 1 if minds_calls else NO_NEWS", "pass"),
)
in_shield("clock stands still", "us", "I9", "cycle fail", ("    state.time[0] += 1\n", ""))

# --- The shield: display ------------------------------------------------------------------------------------------

in_shield(
    "movement that both phases serve is red in between",
    "us",
    "I2",
    "skipped yellow",
    (
        "        elif state.aspects[m] == _STAYS:\n            state.aspects[m] = GREEN",
        "        elif state.aspects[m] == _STAYS:\n            state.aspects[m] = RED",
    ),
)
in_shield(
    "movement that both phases serve is yellow in between",
    "us",
    "I2",
    "long yellow",
    (
        "        elif state.aspects[m] == _STAYS:\n            state.aspects[m] = GREEN",
        "        elif state.aspects[m] == _STAYS:\n            state.aspects[m] = YELLOW",
    ),
    ("(begins or announces)", "True"),  # else its yellow would end in time, and it would be red: which breaks no rule
)
in_shield(
    "yellow is painted for the phase that comes",
    "us",
    "I2",
    "skipped yellow",
    ("range(start[offset + old], start[offset + old + 1])", "range(start[offset + new], start[offset + new + 1])"),
)
in_shield(
    "yellow is painted for everybody",
    "fixed",
    "I1",
    "conflict",
    (
        "    for m in range(rules.movement_start[j], rules.movement_start[j + 1]):\n        state.aspects[m] = RED\n"
        "    old, new",
        "    for m in range(rules.movement_start[j], rules.movement_start[j + 1]):\n"
        "        state.aspects[m] = YELLOW\n    old, new",
    ),
)
in_shield(
    "green comes where red and amber should",
    "de",
    "I9 or I12",
    "yellow plus red clearance",
    ("state.aspects[m] = RED_AMBER", "state.aspects[m] = GREEN"),
)
in_shield(
    "red and amber comes a second early",
    "de",
    "I7",
    "dual indication",
    ("state.left[i] <= rules.red_amber[i]", "state.left[i] <= rules.red_amber[i] + 1"),
)
in_shield(
    "green is lit with red",
    "us",
    "I7",
    "dual indication",
    (
        "                state.aspects[rules.phase_movements[k]] = GREEN",
        "                state.aspects[rules.phase_movements[k]] = GREEN | RED",
    ),
)
in_shield(
    "red is dark in transitions",
    "us",
    "I7",
    "red fail",
    (
        "if state.aspects[m] == YELLOW and shown_s >= rules.yellow[m]:\n            state.aspects[m] = RED",
        "if state.aspects[m] == YELLOW and shown_s >= rules.yellow[m]:\n            state.aspects[m] = 0",
    ),
)
in_shield(
    "another phase's greens are shown",
    "us",
    "I4",
    "skipped yellow",
    ("shown = rules.phase_offset[i] + now", "shown = rules.phase_offset[i] + rules.n_phases[i] - now"),
)
in_shield(
    "new phase is not painted",
    "us",
    "I7",
    "cycle fail",
    ("repainted = state.displayed[i] != now", "repainted = state.displayed[i] < -9"),
)
in_shield(
    "first phase comes without its red",
    "us",
    "I12",
    f"unseen: start: {UNKNOWN_TO_MONITOR}",
    ("if rules.overdue[i] > 0 and seconds > 0:", "if False:"),
)


# --- Finding them -------------------------------------------------------------------------------------------------


@contextmanager
def beginning_with(start: Callable[..., None]) -> Iterator[None]:
    """The proof takes its first states from the module's own `start`."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(shield, "start", start)
        yield


@lru_cache
def proof_of(name: str):
    fault = FAULTS[name]
    it = subject(fault.subject)
    faulty_rules, faulty_shield = fault.change(it)
    with beginning_with(faulty_shield.start):
        return prove(replace(it.model, rules=faulty_rules), request=faulty_shield.request, tick=faulty_shield.tick)


@lru_cache
def seen_on_the_street(name: str) -> str:
    fault = FAULTS[name]
    it = subject(fault.subject)
    return drive(it, *fault.change(it))


def drive(it: Subject, faulty_rules: Rules, faulty_shield: Any) -> str:
    """The first fault that the monitor latches, "" if none in all acts: the shield alone, no traffic."""
    card = program_card(it.network, it.plan.timing)
    for number, (wishes, calls) in enumerate((w, c) for c in CALLS for w in WISHES):
        random = np.random.default_rng(number)
        monitor = SignalMonitor(card)
        state = signal_state(it.plan, it.network, 1)
        first = [NO_WISH, MAIN, MAIN_LEFT, SIDE][number % 4]
        faulty_shield.start(np.array([[first]], np.int32), faulty_rules, state)
        state = SignalState(*(values[0] for values in state))
        waiting = np.zeros(it.network.n_movements, np.uint8)
        green = np.zeros(it.network.n_movements, np.uint8)
        for t in range(ACT_S):
            waiting = calls(waiting, state.aspects, random)
            faulty_shield.request(np.array([wishes(t, it.model, state, random)]), faulty_rules, state)
            faulty_shield.tick(faulty_rules, state, waiting, green)
            if monitor.watch(state.aspects, waiting):
                return monitor.faults[0].fault
    return ""


NO_WISH = -1


def anything(t, model, state, random) -> int:
    return int(random.choice([NO_WISH, *range(len(model.rules.min_green)), *NONSENSE]))


def the_worst(t, model, state, random) -> int:
    """The phase that conflicts most with what is green or yellow."""
    lit = state.aspects != RED
    phases = range(len(model.rules.min_green))
    foes = [int((~model.permissive[lit][:, greens_of(model.rules, p)]).sum()) for p in phases]
    return int(np.argmax(foes)) if max(foes) else int(random.choice(np.flatnonzero(model.rules.may_show)))


def as_soon_as_possible(t, model, state, random) -> int:
    """Any phase until it is shown, then another, by one step a second."""
    wish = int(state.wish[0])
    others = np.flatnonzero(model.rules.may_show)
    return int(random.choice(others)) if wish < 0 or state.displayed[0] == wish else wish


def two_in_turn(t, model, state, random) -> int:
    """Every few seconds the other of two, the rest never."""
    return (MAIN, MAIN_LEFT)[t // 16 % 2]


def one_for_ever(t, model, state, random) -> int:
    return SIDE if t < 300 else NO_WISH


def greens_of(one: Rules, phase: int) -> IntArray:
    return one.phase_movements[one.phase_movement_start[phase] : one.phase_movement_start[phase + 1]]


def everybody(waiting, aspects, random):
    return np.ones_like(waiting)


def now_and_then(waiting, aspects, random):
    """A call begins at random and lasts until its green."""
    return ((waiting.astype(bool) | (random.random(len(waiting)) < 0.02)) & (aspects != GREEN)).astype(np.uint8)


def nobody(waiting, aspects, random):
    return np.zeros_like(waiting)


WISHES = (anything, the_worst, as_soon_as_possible, two_in_turn, one_for_ever)
CALLS = (now_and_then, everybody, nobody)


FOREIGN = "unseen: the street here has one signal, which is the first"
in_shield(
    "transition of the first signal",
    "us",
    "I12",
    FOREIGN,
    ("rules.transition[rules.transition_start[i] + (old", "rules.transition[rules.transition_start[0] + (old"),
)
in_shield("yellow of the first signal", "us", "I2", FOREIGN, (
    "if state.aspects[m] == YELLOW and shown_s >= rules.yellow[m]:",
    "if state.aspects[m] == YELLOW and shown_s >= rules.yellow[m - rules.movement_start[j]]:",
))  # fmt: skip
in_shield(
    "longest green only while one calls",
    "us",
    "I9",
    f"unseen: longest green: {UNKNOWN_TO_MONITOR}",
    (
        "    if not anybody:\n",
        "    callers = [m for m in range(rules.movement_start[j], rules.movement_start[j + 1]) if calls[m]]\n"
        "    if not anybody or (call_s == 0 and len(callers) > 1):\n",
    ),
)
in_shield(
    "clearance phase is not painted anew when it was wished",
    "fixed",
    "I2",
    "long yellow",
    ("            state.displayed[i] = NOT_SHOWN", "            pass"),
)


@pytest.mark.parametrize("name", ["us", "de", "fixed", "slow"])
def test_sound_subjects_are_proved_and_silent_on_the_street(name):
    it = subject(name)
    assert prove(it.model).holds
    assert drive(it, it.model.rules, shield) == ""


@pytest.mark.parametrize("name", FAULTS)
def test_proof_finds_the_seeded_fault(name):
    proof = proof_of(name)
    assert not proof.holds
    assert proof.violation.invariant in FAULTS[name].invariant.split(" or ")


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if fault.street])
def test_monitor_finds_the_seeded_fault_on_the_street(name):
    assert seen_on_the_street(name) == FAULTS[name].street


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if fault.unseen])
def test_fault_that_the_card_does_not_know_is_silent_on_the_street(name):
    assert seen_on_the_street(name) == ""


def test_table_of_all_seeded_faults():
    shown = [name for name, fault in FAULTS.items() if fault.street]
    proved = [name for name in FAULTS if not proof_of(name).holds]
    watched = [name for name in shown if seen_on_the_street(name)]
    for name, fault in FAULTS.items():
        violation = proof_of(name).violation
        found = f"{violation.invariant:4} after {len(violation.steps):3} s" if violation else "NOT FOUND"
        print(f"{name:60} {fault.subject:6} {found:16} {seen_on_the_street(name) or 'unseen: ' + fault.unseen}")
    print(f"found by the proof: {len(proved)}/{len(FAULTS)}")
    print(f"found by the monitor, of those that show on the street: {len(watched)}/{len(shown)}")
    assert len(FAULTS) >= 25
    assert proved == list(FAULTS)
    assert watched == shown


def test_clearance_that_a_turn_owes_to_those_it_may_yield_to_is_beyond_card_and_proof(monkeypatch):
    """The plan has it, and a plan without it is another one; but the card knows a pair as permitted or as forbidden."""
    it = subject("slow")
    may = permissive_matrix(it.network, int(it.plan.intersection[0]))
    patch_intergreen_matrix(monkeypatch, lambda matrix: np.where(may, 0.0, matrix))
    shorter = single(protocol_by_name(it.protocol).plan(it.network).rules, 0)
    assert (shorter.transition < it.model.rules.transition).any()
    assert prove(replace(it.model, rules=shorter)).holds
    assert drive(it, shorter, shield) == ""
