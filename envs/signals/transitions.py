"""How long signals take from each phase to each other, as their movements' yellows and intergreens ask for.

Many signals of as many phases and movements are timed at once, since a signal's own arrays are too small for NumPy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from intergreen.envs.arrays import BoolArray, IntArray

_LONG_AGO_S = 10_000
_AT_ONCE = 100_000  # entries of the largest array: what the nearest caches hold


class Alike(NamedTuple):
    """n signals of p phases and m movements each."""

    serves: BoolArray  # (n, p, m)
    chosen: BoolArray  # (n, p) phases that may be asked for
    way_s: IntArray  # (n, m) from the end of a movement's green until it may begin again
    intergreen_s: IntArray  # (n, m, m)
    min_green_s: IntArray  # (n, p)


def transitions_s(signals: Alike) -> IntArray:
    """(n, p, p) seconds from the end of each phase's green to the beginning of each other's.

    Long enough for the yellow of all that ends and a red after it (`way_s`), so that whatever ended may begin again;
    for every intergreen of a pair of which one ends and one begins; and, along any way through the choices, for those
    of pairs of which one ended some phases ago and the other begins only now.
    """
    n, p, m = signals.serves.shape
    some = max(1, _AT_ONCE // (p * p * m * m))
    pieces = [slice(k, k + some) for k in range(0, n, some)]
    return np.concatenate([_transitions_s(Alike._make(values[piece] for values in signals)) for piece in pieces])


def _transitions_s(signals: Alike) -> IntArray:
    serves, chosen, way, intergreen, min_green = signals
    n, p, m = serves.shape
    old, new = serves[:, :, None, :], serves[:, None, :, :]  # axes: signal, old phase, new phase, movement
    ends, begins = old & ~new, new & ~old
    pairs = ends[:, :, :, :, None] & begins[:, :, :, None, :]
    apart = np.where(pairs, intergreen[:, None, None], 0).reshape(n, p, p, m * m).max(axis=3)
    seconds = np.maximum(np.where(ends, way[:, None, None], 0).max(axis=3), apart)
    steps = chosen[:, :, None] & chosen[:, None, :] & ~np.eye(p, dtype=np.bool_)
    ended_s = np.full(serves.shape, _LONG_AGO_S)  # when a phase begins, since the end of what it does not serve
    while True:
        since = np.where(old, 0, (ended_s + min_green[:, :, None])[:, :, None]) + seconds[:, :, :, None]
        arrived = np.where(steps[:, :, :, None] & ~new, since, _LONG_AGO_S).min(axis=1)
        owed = np.where(begins, _still_owed_s(signals, ended_s)[:, :, None], 0).max(axis=3)
        longer = np.where(steps, np.maximum(seconds, owed), seconds)
        if np.array_equal(arrived, ended_s) and np.array_equal(longer, seconds):
            return seconds
        ended_s, seconds = arrived, longer


def _still_owed_s(signals: Alike, ended_s: IntArray) -> IntArray:
    """(n, p, m) when a phase's least green is over, what is left of the intergreen before each movement, of all pairs
    whose other movement ended before the phase began."""
    ago = (ended_s + signals.min_green_s[:, :, None]).transpose(0, 2, 1)[:, :, :, None]
    gone = ~signals.serves.transpose(0, 2, 1)[:, :, :, None]  # axes: signal, movement that ended, phase, movement
    owed: IntArray = np.where(gone, signals.intergreen_s[:, :, None, :] - ago, 0).max(axis=1)
    return owed
