"""Every state that the shield of one signal can reach, and where each input leads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from intergreen.envs.signals.aspects import GREEN
from intergreen.envs.signals.machine import EVERYBODY, FIRST_ASPECT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from intergreen.envs.arrays import IntArray
    from intergreen.envs.signals.machine import Input, Machine


class UnforeseenError(Exception):
    """Two calls lead to a state to which none of them leads alone: the abstraction does not hold for this shield."""


@dataclass(slots=True)
class Graph:
    """The states, and for each of them which follow."""

    rows: IntArray  # (s, w)
    number: dict[bytes, int]  # of a state, by its row
    follows: list[list[tuple[int, int, int]]]  # per state: state, an input that leads there, one with a call or -1
    starts: list[int]

    @property
    def aspects(self) -> list[tuple[int, ...]]:
        """(s, n) what is displayed in each state."""
        return [self.aspects_of(state) for state in range(len(self.rows))]

    def aspects_of(self, state: int) -> tuple[int, ...]:
        """(n,) what is displayed in it."""
        return tuple(self.rows[state, FIRST_ASPECT:].tolist())

    def numbers(self, rows: IntArray) -> IntArray:
        """(s, k) from rows (s, k, w)."""
        try:
            return np.array([[self.number[row.tobytes()] for row in some] for some in rows], np.int32)
        except KeyError:
            raise UnforeseenError from None

    def way_to(self, state: int) -> list[tuple[int, int]]:
        """(input, state) of every second from a start to the state, as few as there are."""
        came: dict[int, tuple[int, int] | None] = dict.fromkeys(self.starts)
        queue = list(came)
        for at in queue:
            for to, k, _ in self.follows[at]:
                if to not in came:
                    came[to] = (at, k)
                    queue.append(to)
        steps: list[tuple[int, int]] = []
        while (before := came[state]) is not None:
            steps.append((before[1], state))
            state = before[0]
        return steps[::-1]


def explore(machine: Machine, inputs: Sequence[Input]) -> Graph:
    """Breadth first from every start."""
    number: dict[bytes, int] = {}
    rows: list[IntArray] = []
    follows: list[list[tuple[int, int, int]]] = []

    def numbered(row: IntArray) -> int:
        key = row.tobytes()
        if key not in number:
            number[key] = len(rows)
            rows.append(row)
        return number[key]

    starts = [numbered(row) for row in machine.states()]
    callers = np.array([one.caller for one in inputs])
    while len(follows) < len(rows):
        for after in machine.step(np.array(rows[len(follows) :]), inputs):
            reached = []
            unique, first, which = _unique_rows(after)
            for u, row in enumerate(unique):
                # Of a call it matters only whether the caller has green now.
                red = row[FIRST_ASPECT:] != GREEN
                waits = np.where(callers == EVERYBODY, red.any(), (callers >= 0) & red[np.maximum(callers, 0)])
                calling = np.flatnonzero((which == u) & waits)
                reached.append((numbered(row), first[u], int(calling[0]) if len(calling) else -1))
            follows.append(reached)
    return Graph(np.array(rows), number, follows, starts)


def _unique_rows(rows: IntArray) -> tuple[IntArray, list[int], IntArray]:
    """The different rows, where each stands first, and which one every row is."""
    unique, first, which = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    return unique, first.tolist(), which.reshape(-1).astype(np.int32)
