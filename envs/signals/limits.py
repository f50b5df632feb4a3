"""Tries of one signal's shield with calls of many ages: do they come before wishes just when `Rules.call_limit` says?

With n turns waiting, for every order in which they may have been called (beyond four: every rotation of theirs, forth
and back) and every k, the k-th oldest call has lasted for its limit and all others for a second less than theirs; then
all for a second less. What has to come is read from the definition, in the youngest and the oldest green of every
display that may end, and before the first green; with a wish for a change, and with the one to stay, also where the
longest green is over.
"""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from intergreen.envs.signals.aspects import GREEN
from intergreen.envs.signals.machine import FIRST_ASPECT, PHASE, TARGET, Input, served_by
from intergreen.envs.signals.state import NO_PHASE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from intergreen.envs.arrays import BoolArray, IntArray
    from intergreen.envs.signals.machine import Machine
    from intergreen.envs.signals.reachable import Graph
    from intergreen.envs.signals.rules import Rules

_EVERY_ORDER = 4  # turns


class Try(NamedTuple):
    """Calls of many ages, and what the limits say of them."""

    ages: tuple[int, ...]  # (M,) seconds, -1 nobody
    oldest: tuple[int, ...]  # of whom one is served at once; empty: the wish is


class End(NamedTuple):
    """A state of the graph in which a green may end, and a wish."""

    state: int
    wish: int
    more_s: int  # that calls may last beyond their limits
    ends: bool  # does the call of anybody who has just begun to end the green?


class Missed(NamedTuple):
    """A try that comes to something else, from a state of the graph."""

    state: int
    taken: Input
    oldest: tuple[int, ...]
    after: int  # the state it leads to


def check_limits(machine: Machine, graph: Graph) -> tuple[Missed | None, int]:
    """The first try that is not what it should be, and how many steps were looked at."""
    steps = 0
    for end in _ends_of_greens(machine, graph):
        state, wish = end.state, end.wish
        is_red = graph.rows[state, FIRST_ASPECT:] != GREEN
        tries = list(tries_of(machine.rules, is_red, end.more_s))
        callers = np.flatnonzero(served_by(machine.rules).any(axis=0) & is_red).tolist()
        inputs = [Input(wish), *(Input(wish, m, late) for late in (False, True) for m in callers)]
        inputs += [Input(wish, ages=one.ages) for one in tries]
        after = graph.numbers(machine.step(graph.rows[[state]], inputs))[0].tolist()
        steps += len(after)
        young = dict(zip(callers, after[1:], strict=False))
        old = dict(zip(callers, after[1 + len(callers) :], strict=False))
        for k, one in enumerate(tries, 1 + 2 * len(callers)):
            if one.oldest:
                expected = [old[m] for m in one.oldest]
            elif end.ends:
                expected = [young[m] for m in callers if one.ages[m] >= 0]
            else:
                expected = after[:1]
            if after[k] not in expected:
                return Missed(state, inputs[k], one.oldest, after[k]), steps
    return None, steps


def may_end(machine: Machine, graph: Graph) -> BoolArray:
    """(s,) could some wish end what is shown in the next second, if nobody calls?"""
    after = machine.step(graph.rows, [Input(wish) for wish in np.flatnonzero(machine.rules.may_show).tolist()])
    return np.asarray(_changes(graph, after).any(axis=1), np.bool_)


def tries_of(rules: Rules, is_red: BoolArray, more_s: int) -> Iterator[Try]:
    """While these movements (M,) of the single signal have no green, with limits so much longer."""
    turns = served_by(rules)[rules.turns] & is_red  # (T, M)
    turns = turns[turns.any(axis=1)]
    limits = (rules.call_limit + more_s).tolist()
    alone = [np.flatnonzero(turn & (turns.sum(axis=0) == 1)) for turn in turns]
    callers = [int((own if len(own) else np.flatnonzero(turn))[0]) for own, turn in zip(alone, turns, strict=True)]
    for order in _orders(callers):
        for at_limit in range(len(order) + 1):
            ages = np.full(len(is_red), -1)
            for k, m in enumerate(order):
                ages[m] = limits[k] - (k != at_limit)
            yield Try(tuple(ages.tolist()), _oldest(ages, turns, limits))


def _orders(callers: Sequence[int]) -> Iterator[Sequence[int]]:
    if len(callers) <= _EVERY_ORDER:
        yield from permutations(callers)
        return
    for first in range(len(callers)):
        yield (order := [*callers[first:], *callers[:first]])
        yield order[::-1]


def _oldest(ages: IntArray, turns: BoolArray, limits: Sequence[int]) -> tuple[int, ...]:
    """Whose calls come before any wish; by the definition."""
    of_turns = sorted((max(ages[turn].tolist()) for turn in turns), reverse=True)
    if not any(age >= limit for age, limit in zip(of_turns, limits, strict=False)):
        return ()
    return tuple(np.flatnonzero(turns.any(axis=0) & (ages == of_turns[0])).tolist())


def _ends_of_greens(machine: Machine, graph: Graph) -> Iterator[End]:
    """Of every display that may end at once, the first state and the last, with the wish to stay and one to change."""
    wishes = np.flatnonzero(machine.rules.may_show).tolist()
    inputs = [Input(NO_PHASE, ages=(0,) * machine.n_movements), *map(Input, wishes)]
    changes = _changes(graph, machine.step(graph.rows, inputs))
    of_display: dict[tuple[int, ...], list[int]] = {}
    for state in np.flatnonzero(changes[:, 1:].any(axis=1)).tolist():
        of_display.setdefault(graph.aspects_of(state), []).append(state)
    for states in of_display.values():
        for state in dict.fromkeys((states[0], states[-1])):
            ends = bool(changes[state, 0])
            yield End(state, NO_PHASE, 0 if ends else int(machine.rules.service[0]), ends)
            yield End(state, wishes[int(changes[state, 1:].argmax())], 0, False)


def _changes(graph: Graph, after: IntArray) -> BoolArray:
    """(s, k) does another phase, or a transition, begin? after (s, k, w): a second later."""
    before = graph.rows[:, None]
    is_other = (after[..., TARGET] != before[..., TARGET]) | (after[..., PHASE] != before[..., PHASE])
    return is_other & (before[..., TARGET] < 0)
