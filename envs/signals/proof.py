"""The proof: every state that a signal can reach, under every wish and every call in every second, checked.

One signal at a time. The shield's own functions are run on every reachable state with every input; what they display is
read by an observer that knows the program card alone and keeps its own times. Invariants, with the numbers under which
the field knows them:

| I1  | no two channels that may not go together have green or yellow at once                                      |
| I2  | every green is followed by its whole yellow, no yellow is too long                                         |
| I3  | between the end of a green and a conflicting one lies their intergreen; red revert                         |
| I4  | no green is shorter than its least                                                                         |
| I5  | no phase is green beyond its longest while somebody waits whom it does not serve                           |
| I7  | one lamp on every channel; red and amber only before green                                                 |
| I9  | a call that lasts is served within the longest wait                                                        |
| I12 | all red first, at the start                                                                                |
| I14 | every phase can be reached from every state, in the time that is stated                                    |

I6 (pedestrians) is checked as I2 to I4 where a crosswalk is a channel; I8, I10 and I11 (rings, overlaps, preemption)
have nothing to apply to yet; I13 is the caller's: a decision each second is among the inputs.

Why finitely many states are enough. The shield compares the seconds of green with its least and its longest only, so
they are counted to one beyond. Of calls it asks only whether they come before any wish, and then which is the oldest;
so "overdue" is an input, arbitrary in every second, for one movement at a time and for all together: what several calls
lead to is what the oldest leads to. A wish that stands is one that is repeated.

Why I9 holds. Once calls come before wishes the oldest is green within a seconds from any state, within b if the present
green may end, and within c(t) if that of turn t has just begun; all are measured here, whatever is wished for and
whoever else calls. A wish is obeyed only while, for every k, the k-th oldest call of all turns has lasted for less than
its limit; so it is green at its limit + a + the k - 1 longest c at the latest: the oldest is served first, a call that
begins later is younger than all, and one that ends makes the others' places better. A green that goes on has limits one
service longer, and so its k-th oldest call is green at these + b + the k - 1 longest c. `limits.py` tries that the
shield keeps to the limits; the rest is arithmetic.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from intergreen.envs.signals import shield
from intergreen.envs.signals.aspects import GREEN
from intergreen.envs.signals.limits import check_limits, may_end
from intergreen.envs.signals.machine import (
    DISPLAYED,
    EVERYBODY,
    FIRST_ASPECT,
    GREEN_S,
    TARGET,
    ClockError,
    Input,
    Machine,
    every_input,
    served_by,
)
from intergreen.envs.signals.observer import LETTERS, Observer
from intergreen.envs.signals.reachable import UnforeseenError, explore
from intergreen.envs.signals.state import NO_PHASE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from intergreen.envs.arrays import BoolArray, IntArray
    from intergreen.envs.signals.model import SignalModel
    from intergreen.envs.signals.observer import Memory
    from intergreen.envs.signals.reachable import Graph


class Step(NamedTuple):
    """One second of a counter-example."""

    second: int
    wish: int
    caller: int  # movement of the network, -1 nobody, EVERYBODY
    is_overdue: bool
    aspects: str  # one letter a movement: r, y, G, u (red and amber), - (dark), ? (anything else)


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant that does not hold, with the shortest way there that the search met."""

    invariant: str
    what: str
    movements: tuple[int, ...]  # of the network
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Proof:
    """What was found about one signal."""

    states: int  # of shield and observer together
    transitions: int  # states of the shield times inputs
    seconds: float  # wall time
    plan_hash: str
    longest_wait_s: int | None  # of a call that lasts, worst case; None: not limited
    slowest_phase_s: int  # until a phase that is wanted and not overruled has green, worst case
    violation: Violation | None = None
    result_hash: str = field(default="")

    @property
    def holds(self) -> bool:
        return self.violation is None


class _Services(NamedTuple):
    """The most seconds until the oldest call is green once calls come before wishes."""

    first_s: int  # from any state, a of the module's words
    ready_s: int  # where the present green may end, b
    next_s: tuple[int, ...]  # from the beginning of each turn's green, c
    movement: int  # whose call waits `first_s`
    state: int  # and from where


_SHOWN_S = 20  # of a wait that never ends


class _Found(Exception):
    """A violation, thrown from wherever it is met."""

    def __init__(self, violation: Violation) -> None:
        super().__init__(violation.what)
        self.violation = violation


def prove(
    model: SignalModel,
    *,
    request: Callable[..., None] = shield.request,
    tick: Callable[..., None] = shield.tick,
) -> Proof:
    """Explore the signal and check every invariant that applies; the first violation ends the search."""
    began = time.perf_counter()
    machine = Machine(model.rules, request=request, tick=tick)
    search = _Search(model, machine, every_input(machine))
    violation: Violation | None = None
    try:
        search.run()
    except _Found as found:
        violation = found.violation
    except ClockError as error:
        violation = Violation("I9", f"the clock of calls goes wrong: {error}", (), ())
    except UnforeseenError:
        violation = Violation("I9", "two calls lead to a state to which none leads alone", (), ())
    plan_hash = model.hash
    told = f"{plan_hash} {search.states} {search.transitions} {search.wait_s} {search.slowest_s} {violation}"
    return Proof(
        search.states,
        search.transitions,
        time.perf_counter() - began,
        plan_hash,
        search.wait_s,
        search.slowest_s,
        violation,
        hashlib.sha256(told.encode()).hexdigest(),
    )


class _Search:
    """One signal's states, and what has been counted of them so far."""

    def __init__(self, model: SignalModel, machine: Machine, inputs: Sequence[Input]) -> None:
        self._model, self._machine, self._inputs = model, machine, inputs
        self.states, self.transitions, self.slowest_s = 0, 0, 0
        self.wait_s: int | None = None

    def run(self) -> None:
        """Raise `_Found` at the first violation."""
        graph = explore(self._machine, self._inputs)
        self.transitions = len(graph.rows) * len(self._inputs)
        self._check_displays(graph)
        self._check_reach(graph)
        if self._model.longest_wait.any():
            self._check_waits(graph)

    def _check_displays(self, graph: Graph) -> None:
        """Breadth first through the states of shield and observer together: the first way to a violation is short."""
        observer, inputs, aspects = Observer(self._model), self._inputs, graph.aspects
        begin = observer.begin()
        came: dict[tuple[int, Memory], tuple[Any, int] | None] = dict.fromkeys((at, begin) for at in graph.starts)
        queue = list(came)
        for node in queue:
            self.states = len(came)
            state, memory = node
            for to, simple, calling in graph.follows[state]:
                for k in dict.fromkeys((simple, calling)):
                    if k < 0:
                        continue
                    caller = _in_want(inputs[k].caller, aspects[to]) if graph.rows[to, TARGET] < 0 else -1
                    after, wrong = observer.see(memory, aspects[to], caller)
                    if wrong is not None:
                        taken = [(inputs[one], at) for one, at in (*_way(came, node), (k, to))]
                        self._found(graph, *wrong, taken)
                    reached = (to, after)
                    if reached not in came:
                        came[reached] = (node, k)
                        queue.append(reached)

    def _check_reach(self, graph: Graph) -> None:
        """I14: the most seconds from any state to any phase that may be shown, if it is wanted and nobody calls."""
        inputs = [Input(phase) for phase in np.flatnonzero(self._model.rules.may_show).tolist()]
        after = graph.numbers(self._machine.step(graph.rows, inputs))
        for k, one in enumerate(inputs):
            there = graph.rows[:, DISPLAYED] == one.wish
            seconds, stuck = _longest(after[:, k : k + 1], there, limit=len(graph.rows))
            if stuck >= 0:
                words = f"phase {one.wish} is not reached though it is wanted all the time and nobody calls"
                self._found(graph, "I14", words, (), self._run(graph, stuck, after[:, k : k + 1], [one], seconds))
            self.slowest_s = max(self.slowest_s, int(seconds.max()))

    def _check_waits(self, graph: Graph) -> None:
        """I9: the longest that a call can last, from its limit and what comes after it at worst."""
        model, limits = self._model, self._model.rules.call_limit
        services = self._slowest_services(graph)
        first_s = max(services.first_s, services.ready_s + int(model.rules.service[0]))
        others_s = np.cumsum([0, *sorted(services.next_s, reverse=True)])[: len(limits)]
        self.wait_s = int(max(limits + first_s + others_s, default=first_s))
        longest_s = int(model.longest_wait[model.longest_wait > 0].min())
        if self.wait_s > longest_s:
            words = f"a call may wait {self.wait_s} s, {longest_s} s are allowed"
            self._found(graph, "I9", words, (services.movement,), self._taken(graph, services.state))
        missed, steps = check_limits(self._machine, graph)
        self.transitions += steps
        if missed is not None:
            first = "one of the oldest comes" if missed.oldest else "the wish comes"
            words = f"calls of so many seconds: {missed.taken.ages}, limits {limits.tolist()}: {first} first"
            way = [*self._taken(graph, missed.state), (missed.taken, missed.after)]
            self._found(graph, "I9", words, missed.oldest, way)

    def _slowest_services(self, graph: Graph) -> _Services:
        """Of the oldest call while it comes before wishes, each movement's in turn, with any other in want."""
        model = self._model
        served, ends = served_by(model.rules), may_end(self._machine, graph)
        begins = [(graph.rows[:, GREEN_S] == 1) & (graph.rows[:, DISPLAYED] == turn) for turn in model.rules.turns]
        alike: dict[tuple[bool, ...], int] = {}
        for m in np.flatnonzero(model.longest_wait).tolist():
            alike.setdefault(tuple(served[:, m].tolist()), m)
        wishes = (NO_PHASE, *range(len(model.rules.min_green)))
        slowest = _Services(0, 0, (0,) * len(begins), next(iter(alike.values())), graph.starts[0])
        for m in alike.values():
            others = (-1, *(other for other in alike.values() if other != m))
            inputs = [Input(wish, m, True, other) for other in others for wish in wishes]
            after = graph.numbers(self._machine.step(graph.rows, inputs))
            self.transitions += after.size
            is_green = graph.rows[:, FIRST_ASPECT + m] == GREEN
            seconds, stuck = _longest(after, is_green, limit=int(model.longest_wait[m]))
            if not len(model.rules.call_limit) and stuck < 0:
                stuck = int(np.flatnonzero(~is_green)[0])  # nobody would ever say that the call is overdue
            if stuck >= 0:
                words = f"a call may wait more than {model.longest_wait[m]} s"
                self._found(graph, "I9", words, (m,), self._run(graph, stuck, after, inputs, seconds))
            waited = np.where(is_green, 0, seconds)
            if waited.max() > slowest.first_s:
                slowest = slowest._replace(first_s=int(waited.max()), movement=m, state=int(waited.argmax()))
            slowest = slowest._replace(
                ready_s=max(slowest.ready_s, int(waited[ends].max(initial=0))),
                next_s=tuple(
                    max(seconds_s, 1 + int(waited[its].max(initial=0)))  # the first second is over
                    for seconds_s, its in zip(slowest.next_s, begins, strict=True)
                ),
            )
        return slowest

    def _taken(self, graph: Graph, state: int) -> list[tuple[Input, int]]:
        """From a start to the state."""
        return [(self._inputs[k], at) for k, at in graph.way_to(state)]

    def _run(
        self, graph: Graph, state: int, after: IntArray, inputs: Sequence[Input], seconds: IntArray
    ) -> list[tuple[Input, int]]:
        """From a start to the state, then a few seconds of what is worst for whoever waits."""
        taken = self._taken(graph, state)
        for _ in range(_SHOWN_S):
            k = int(seconds[after[state]].argmax())
            state = int(after[state, k])
            taken.append((inputs[k], state))
        return taken

    def _found(
        self, graph: Graph, invariant: str, what: str, movements: Sequence[int], taken: Sequence[tuple[Input, int]]
    ) -> None:
        first, aspects = self._model.first_movement, graph.aspects
        steps = tuple(
            Step(
                second,
                one.wish,
                one.caller + first if one.caller >= 0 else one.caller,
                one.is_overdue,
                "".join(LETTERS.get(aspect, "-" if aspect == 0 else "?") for aspect in aspects[at]),
            )
            for second, (one, at) in enumerate(taken)
        )
        raise _Found(Violation(invariant, what, tuple(m + first for m in movements), steps))


def _in_want(caller: int, aspects: Sequence[int]) -> int:
    """Who calls; of everybody the first who has no green."""
    if caller != EVERYBODY:
        return caller
    return next((m for m, aspect in enumerate(aspects) if aspect != GREEN), -1)


def _way(came: dict[Any, Any], node: Any) -> list[tuple[int, int]]:
    """(input, state) of every second from the start to the node."""
    steps = []
    while came[node] is not None:
        before, k = came[node]
        steps.append((k, node[0]))
        node = before
    return steps[::-1]


def _longest(after: IntArray, there: BoolArray, *, limit: int) -> tuple[IntArray, int]:
    """(s,) the most seconds that pass in each state before one that is `there`, and a state where it is beyond `limit`,
    -1 if there is none; after (s, k): the states that may follow."""
    seconds = np.zeros(len(after), np.int32)
    for _ in range(max(limit, 0) + 2):
        longer = np.where(there[after], 0, 1 + seconds[after]).max(axis=1).astype(np.int32)
        beyond = np.flatnonzero((longer > limit) & ~there)
        if len(beyond):
            return longer, int(beyond[0])
        if np.array_equal(longer, seconds):
            break
        seconds = np.minimum(longer, limit + 1)
    return seconds, -1
