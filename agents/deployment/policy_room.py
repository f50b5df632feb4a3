"""Room for what the layers of a policy hand to one another, and its views: the same memory for every decision.

What is asked of the system each time comes empty, page by page; and views made anew take as long as what is done with
them, where a few signals are thought about at a time.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from intergreen.envs.arrays import Float32Array

AT_ONCE = 200  # rows of a product: up to a million steps OpenBLAS multiplies without rearranging what it is given
_MOST_ROOMS = 8


class Shape(NamedTuple):
    """What is thought about together."""

    signals: int
    movements: int
    choices: int


class Room(NamedTuple):
    """For n signals of M movements and C choices; w values in a hidden layer.

    A tuple holds the same rows in pieces: an array (k, AT_ONCE, columns), and what is left.
    """

    columns: Float32Array  # (f, n, M) told of movements
    column_values: Float32Array  # (f n M,) the same
    logged: tuple[tuple[Float32Array, Float32Array], ...]  # columns, and where their logarithms go
    logarithms: Float32Array  # (g, n, M)
    seen: tuple[Float32Array, ...]  # (n M, f + g) both
    hidden: Float32Array  # (n, M, w)
    hidden_rows: tuple[Float32Array, ...]  # (n M, w)
    ones: Float32Array  # (1, M)
    common: Float32Array  # (n, w + s + 1) what all choices of a signal are told alike; 1 at the end, for the bias
    everything: Float32Array  # (n, 1, w), a view of `common`
    signal: Float32Array  # (n, s), a view of `common`
    served: Float32Array  # (n, C, w), a view of `told`
    current: Float32Array  # (n, C), a view of `told`
    told: tuple[Float32Array, ...]  # (C n, w + 1)
    phases: Float32Array  # (C, n, w), as all that follows: choices before signals
    phase_rows: tuple[Float32Array, ...]  # (C n, w)
    phases_by_signal: Float32Array  # (n, C, w), a view
    contested: Float32Array  # (n, 2 w + 1) whom a choice stands against; 1 at the end, for the bias
    mean: Float32Array  # (n, 1, w), a view of `contested`
    mean_context: Float32Array  # (n, w), a view of `contested`
    contest: Float32Array  # (C, n, w)
    contest_rows: tuple[Float32Array, ...]  # (C n, w)


class Rooms:
    """Makes and keeps the rooms of one policy.

    columns, signal_columns  of a movement, and of a signal
    width                    of the hidden layers
    logged                   columns of a movement whose logarithms are taken
    """

    def __init__(self, columns: int, signal_columns: int, width: int, logged: list[slice]) -> None:
        self._columns, self._signal_columns, self._width, self._logged = columns, signal_columns, width, logged
        self._n_logged = sum(some.stop - some.start for some in logged)
        self._memory: dict[str, Float32Array] = {}
        self._rooms: dict[Shape, Room] = {}

    def of(self, shape: Shape) -> Room:
        """The room for so many; all rooms are the same memory, but for what holds ones."""
        if shape not in self._rooms:
            if len(self._rooms) == _MOST_ROOMS:  # the numbers of signals that have a choice are many
                self._rooms.clear()
            self._rooms[shape] = self._made(*shape)
        return self._rooms[shape]

    def kept(self, name: str, *shape: int) -> Any:
        """An array of that shape; what it holds is what it was last given under any shape."""
        size = math.prod(shape)
        if name not in self._memory or len(self._memory[name]) < size:
            self._memory[name] = np.empty(size, np.float32)
        return self._memory[name][:size].reshape(shape)

    def _made(self, n: int, movements: int, choices: int) -> Room:
        columns, width, kept = self._columns, self._width, self.kept
        seen = kept("seen", columns + self._n_logged, n, movements)
        hidden = kept("hidden", n, movements, width)
        told = kept("told", choices, n, width + 1)
        phases, contest = kept("phases", choices, n, width), kept("contest", choices, n, width)
        common = np.ones((n, width + self._signal_columns + 1), np.float32)
        contested = np.ones((n, 2 * width + 1), np.float32)
        logarithms = seen[columns:]
        return Room(
            columns=seen[:columns],
            column_values=seen[:columns].reshape(-1),
            logged=_beside(seen, logarithms, self._logged),
            logarithms=logarithms,
            seen=_pieces(seen.reshape(len(seen), -1).T),
            hidden=hidden,
            hidden_rows=_pieces(hidden.reshape(-1, width)),
            ones=np.ones((1, movements), np.float32),
            common=common,
            everything=common[:, None, :width],
            signal=common[:, width:-1],
            served=told[:, :, :width].transpose(1, 0, 2),
            current=told[:, :, width].T,
            told=_pieces(told.reshape(-1, width + 1)),
            phases=phases,
            phase_rows=_pieces(phases.reshape(-1, width)),
            phases_by_signal=phases.transpose(1, 0, 2),
            contested=contested,
            mean=contested[:, None, :width],
            mean_context=contested[:, width:-1],
            contest=contest,
            contest_rows=_pieces(contest.reshape(-1, width)),
        )


def _beside(
    seen: Float32Array, logarithms: Float32Array, logged: list[slice]
) -> tuple[tuple[Float32Array, Float32Array], ...]:
    first, pairs = 0, []
    for some in logged:
        past = first + some.stop - some.start
        pairs.append((seen[some], logarithms[first:past]))
        first = past
    return tuple(pairs)


def _pieces(rows: Float32Array) -> tuple[Float32Array, ...]:
    whole = len(rows) - len(rows) % AT_ONCE
    pieces = rows[:whole].reshape(-1, AT_ONCE, rows.shape[1]), rows[whole:]
    return tuple(piece for piece in pieces if piece.size)
