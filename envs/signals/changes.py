"""What it takes each signal to change from phase to phase, and to serve everybody who has waited too long."""

from __future__ import annotations

from math import ceil, prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from intergreen.envs.signals.transitions import Alike, transitions_s

if TYPE_CHECKING:
    from collections.abc import Sequence

    from intergreen.envs.arrays import BoolArray, IntArray
    from intergreen.envs.signals.pairs import Greens, Pairs
    from intergreen.envs.signals.profiles import TimingProfile


class Changes(NamedTuple):
    """Of one signal with n phases."""

    transition: IntArray  # (n (n + 1),) as in `Rules`
    turns: Sequence[int]
    change_s: int  # the longest change between two choices, red at the start included
    service_s: IntArray  # (n,) the least green of each phase and the longest change from it

    @property
    def services_s(self) -> IntArray:
        """(turns,) a bound on the seconds from the moment on which calls come before any wish to the green of the k-th
        phase in any order: a change that has just begun, what it leads to, and the slowest of the others."""
        before = np.sort(self.service_s[list(self.turns)])[::-1][:-1]
        slowest = np.concatenate(([self.service_s.max()], before)) if len(self.turns) else before
        return np.asarray(self.change_s + 1 + np.cumsum(slowest), np.int32)


def changes_of_all(
    pairs: Pairs,
    greens: Greens,
    chosen: BoolArray,
    *,
    way_s: IntArray,
    intergreen_s: IntArray,
    min_green_s: IntArray,
    profile: TimingProfile,
) -> list[Changes]:
    """Of every signal; those that have all numbers alike share what is made of them.

    Parameters
    ----------
    chosen, min_green_s : (P,) phases that may be asked for, and their least green
    way_s : (n,) from the end of a movement's green until it may begin again
    intergreen_s : (N,) of the pairs
    """
    first_phase = np.cumsum(greens.n_phases) - greens.n_phases
    made: dict[int, Changes] = {}
    for p, m in np.unique(np.stack([greens.n_phases, pairs.size], axis=1), axis=0).tolist():
        which = np.flatnonzero((greens.n_phases == p) & (pairs.size == m))
        rows = (
            _rows(greens.is_green, greens.start[first_phase[which]], p, m),
            _rows(chosen, first_phase[which], p),
            _rows(way_s, pairs.start[which], m),
            _rows(intergreen_s, pairs.matrix_start[which], m, m),
            _rows(min_green_s, first_phase[which], p),
        )
        keys = zip(*(map(bytes, values) for values in rows), strict=True)
        first: dict[tuple[bytes, ...], int] = {}
        kinds = [first.setdefault(key, k) for k, key in enumerate(keys)]
        different = list(first.values())
        changes = dict(
            zip(different, _changes_of(Alike(*(values[different] for values in rows)), profile), strict=True)
        )
        made |= {i: changes[kind] for i, kind in zip(which.tolist(), kinds, strict=True)}
    return [made[i] for i in range(len(made))]


def _changes_of(alike: Alike, profile: TimingProfile) -> list[Changes]:
    serves, n_phases = alike.serves, alike.serves.shape[1]
    begins = (serves[:, None, :, :] & ~serves[:, :, None, :]).any(axis=3)
    between = np.maximum(transitions_s(alike), np.where(begins, ceil(profile.red_amber_s), 0))
    from_red = np.full((len(between), 1, n_phases), ceil(profile.startup_red_s))
    transition = np.concatenate([from_red, between], axis=1).astype(np.int32)
    changes = []
    for k, chosen in enumerate(alike.chosen):
        choices = np.flatnonzero(chosen).tolist()
        turns = phases_in_turn(serves[k], choices)
        change_s, service_s = _slowest_s(transition[k], alike.min_green_s[k], choices)
        changes.append(Changes(transition[k].reshape(-1), turns, change_s, service_s))
    return changes


def _rows(values: Any, start: IntArray, *shape: int) -> Any:
    """(len(start), *shape) pieces of a flat array."""
    return values[start[:, None] + np.arange(prod(shape))].reshape(-1, *shape)


def phases_in_turn(serves: BoolArray, choices: Sequence[int]) -> list[int]:
    """Few of the choices that together serve every movement that any choice serves; ascending."""
    served = [int.from_bytes(row) for row in serves]  # a byte for each movement
    unserved = 0
    for phase in choices:
        unserved |= served[phase]
    turns: list[int] = []
    while unserved:
        best = max(choices, key=lambda phase: ((served[phase] & unserved).bit_count(), -phase))
        turns.append(best)
        unserved &= ~served[best]
    return sorted(turns)


def _slowest_s(transition: IntArray, min_green: IntArray, choices: Sequence[int]) -> tuple[int, IntArray]:
    """The longest change between two choices or from the first red, and (n,) the least green of each choice with the
    longest change from it; 0 of other phases; transition (n + 1, n)."""
    between = transition[1:][choices][:, choices].copy()
    np.fill_diagonal(between, 0)
    service = np.zeros(len(min_green), np.int32)
    service[choices] = np.maximum(min_green[choices], 1) + between.max(axis=1, initial=0)  # a second at the least
    return max(int(between.max(initial=0)), int(transition[0, 0])), service
