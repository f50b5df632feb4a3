"""The graph of a bundle in NumPy, layer by layer: for a thousand signals in half the time that ONNX Runtime takes.

Its weights stand in `policy.onnx`, whose reader has made sure that the graph is ours. A decision goes through so few
signals at a time that all between the layers stays in the processor's cache, in room that is kept; and a signal that
may show one phase only is not thought about. Not bit by bit what the graph scores, sums are taken in another order: so
`policy_of` asks both before it lets this one decide.
"""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

import numpy as np

from intergreen.agents.controllers.policy_network import FORBIDDEN, LOG_10
from intergreen.agents.controllers.run_folder import observation_columns
from intergreen.agents.deployment.columns import COLUMNS, runs
from intergreen.agents.deployment.inference import OnnxPolicy, PolicyFailedError, are_finite
from intergreen.agents.deployment.onnx_file import read_onnx
from intergreen.envs.observation import ALL_FEATURES, CHOICE_COLUMNS
from intergreen.envs.observation_arrays import Observed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from numpy.typing import NDArray

    from intergreen.agents.deployment.inference import Policy
    from intergreen.envs.arrays import Float32Array, IntArray

_LOG = logging.getLogger(__name__)
_TOGETHER = 250  # signals: their hidden values take half a megabyte
_ALLOWED = CHOICE_COLUMNS.index("allowed")
_TIE = 1e-4  # scores closer than this, as a share of the highest, are equal in 32 bits
_NOT_FINITE = "it is shown what is no finite number"
_TRIED = 64  # observations that both are asked about


def policy_of(model: bytes) -> Policy:
    """The policy of a `policy.onnx` in NumPy, if on this machine it chooses as ONNX Runtime does; or else the graph."""
    graph, plain = OnnxPolicy(model), PlainPolicy(model)
    observed = _drawn(plain)
    alike = _choose_alike(graph.scores(observed), plain.scores(observed))
    if not alike:
        _LOG.warning("NumPy does not score as ONNX Runtime does on this machine: the latter decides, and more slowly")
    return plain if alike else graph


class PlainPolicy:
    """The policy of a `policy.onnx`, checked by the bundle's reader."""

    def __init__(self, model: bytes) -> None:
        onnx = read_onnx(model)
        self._layers = {name: np.array(array, np.float32) for name, array in onnx.arrays.items() if "." in name}
        self.flags = _flags(onnx.metadata)
        self._logged, self._movement = _without_flags(self._layers["movement.weight"], self.flags)
        # Sums over movements and what is told of a choice stand side by side: one product for both.
        self._served = np.concatenate([self._layers["served.weight"], self._layers["choice.weight"]])
        self._memory: dict[str, Float32Array] = {}
        self._room: dict[str, Float32Array] = {}  # the same in the shape last asked for

    @property
    def movement_columns(self) -> int:
        return len(self._layers["movement.weight"]) // 2

    @property
    def signal_columns(self) -> int:
        return len(self._layers["signal.weight"])

    def choose(self, observed: Observed) -> IntArray:
        """(n,) the allowed choice with the highest score, the first of equals.

        Raises
        ------
        PolicyFailedError
            If what it sees of a signal with a choice is no finite number, or its scores are none.
        """
        if not (are_finite(observed.choices) and are_finite(observed.signal)):
            raise PolicyFailedError(_NOT_FINITE)
        allowed = np.ascontiguousarray(observed.choices[:, :, _ALLOWED])
        chosen: IntArray = allowed.argmax(axis=1).astype(np.int32)
        undecided = np.flatnonzero(_row_sums(allowed) > 1.0)
        if len(undecided) == 0:
            return chosen
        if 2 * len(undecided) >= len(chosen):  # to pick them out would take longer than to think about all
            scores = self.scores(observed)[undecided]
        else:
            scores = self.scores(_picked(observed, undecided))
        if not are_finite(scores):
            raise PolicyFailedError("its scores are no finite numbers")
        chosen[undecided] = scores.argmax(axis=1)
        return chosen

    def scores(self, observed: Observed) -> Float32Array:
        """(n, C) what `choose` compares."""
        layer, n = self._layers, observed.n_signals
        allowed = np.ascontiguousarray(observed.choices[:, :, _ALLOWED])
        scores = np.empty(allowed.shape, np.float32)
        with np.errstate(over="ignore", invalid="ignore"):  # whoever asks looks at the scores
            share = np.divide(allowed, np.maximum(_row_sums(allowed), np.float32(1.0))[:, None], dtype=np.float32)
            told = observed.signal @ layer["signal.weight"]
            told += layer["served.bias"]
            for first in range(0, n, _TOGETHER):
                few = slice(first, min(n, first + _TOGETHER))
                asked = Observed(observed.movements[:, few], *(values[few] for values in observed[1:]))
                scores[few] = self._scores_of_few(asked, told[few], share[few])
        scores[allowed == 0.0] = FORBIDDEN
        return scores

    def _scores_of_few(self, observed: Observed, told: Float32Array, share: Float32Array) -> Float32Array:
        """(n, C), also where not allowed; layer by layer what `graph.py` writes.

        Where it adds one row to many and cuts off below 0, these are cut off below minus the row, max(0, x + row) =
        max(-row, x) + row, and the row is added to what they sum up to: that is one look less at the many.
        """
        layer = self._layers
        hidden = self._hidden(observed.movements)
        everything = _rows(np.ones((1, hidden.shape[1]), np.float32) @ hidden)
        context = everything @ layer["everything.weight"]
        context += told
        phases = self._phases(observed, hidden, context)  # each, but for the context
        mean = _rows(share[:, None] @ phases)
        mean += context * _row_sums(share)[:, None]
        others = mean @ layer["others.weight"]
        others += context @ layer["own.weight"]
        others += layer["own.bias"]
        contest = self._kept("contest", *phases.shape)
        np.matmul(_rows(phases), layer["own.weight"], out=_rows(contest))
        np.maximum(contest, -others[:, None], out=contest)  # but for the others
        scores: Float32Array = (_rows(contest) @ layer["score.weight"]).reshape(share.shape)
        scores += others @ layer["score.weight"] + layer["score.bias"]
        return scores

    def _hidden(self, movements: Float32Array) -> Float32Array:
        """(n, M, w) of each movement; 0 where there is none."""
        columns, n, n_movements = movements.shape
        seen = self._kept("seen", len(self._movement), n, n_movements)
        seen[:columns] = movements
        if not are_finite(seen[:columns]):  # now that it is at hand
            raise PolicyFailedError(_NOT_FINITE)
        logarithm = seen[columns:]
        first = 0
        for some in self._logged:
            past = first + some.stop - some.start
            np.multiply(seen[some], np.float32(9.0), out=logarithm[first:past])
            first = past
        np.add(logarithm, np.float32(1.0), out=logarithm)
        np.log(logarithm, out=logarithm)
        hidden = self._kept("hidden", n, n_movements, self._movement.shape[1])
        np.matmul(seen.reshape(len(seen), -1).T, self._movement, out=_rows(hidden))
        np.maximum(hidden, np.float32(0.0), out=hidden)
        return hidden

    def _phases(self, observed: Observed, hidden: Float32Array, context: Float32Array) -> Float32Array:
        """(n, C, w) of each choice, but for the context."""
        n, n_choices, told_of_choice = observed.choices.shape
        width = hidden.shape[2]
        told = self._kept("told", n, n_choices, width + told_of_choice)
        if not are_finite(observed.serves):
            raise PolicyFailedError(_NOT_FINITE)
        np.matmul(observed.serves, hidden, out=told[:, :, :width])
        told[:, :, width:] = observed.choices
        phases = self._kept("phases", n, n_choices, width)
        np.matmul(_rows(told), self._served, out=_rows(phases))
        np.maximum(phases, -context[:, None], out=phases)
        return phases

    def _kept(self, name: str, *shape: int) -> Any:
        """Room of that shape, the same memory every time: what is asked of the system each time comes empty, page by
        page."""
        room = self._room.get(name)
        if room is None or room.shape != shape:
            size = math.prod(shape)
            if name not in self._memory or len(self._memory[name]) < size:
                self._memory[name] = np.empty(size, np.float32)
            room = self._room[name] = self._memory[name][:size].reshape(shape)
        return room


def _flags(metadata: Mapping[str, str]) -> list[int]:
    """Which columns of a movement are 0 or 1 and nothing else, so far as the graph tells what its columns are."""
    features = [name for name in metadata.get("features", "").split(",") if name in ALL_FEATURES]
    return [k for k, name in enumerate(observation_columns(features)[0]) if COLUMNS[name].unit == "flag"]


def _without_flags(weight: Float32Array, flags: list[int]) -> tuple[list[slice], Float32Array]:
    """The columns whose logarithm is taken, and the weights of all columns and of those logarithms.

    Of a flag `x` the logarithm to the base of 10 of 1 + 9 x is `x`: its weights for both are added up.
    """
    columns = len(weight) // 2
    logged = [k for k in range(columns) if k not in flags]
    own = weight[:columns].copy()
    own[flags] += weight[columns:][flags] * LOG_10  # the graph has the natural logarithm
    return runs(logged), np.concatenate([own, weight[columns:][logged]])


def _drawn(policy: PlainPolicy) -> Observed:
    """Observations at random, of a junction with twelve movements and eight phases."""
    random = np.random.default_rng(0)
    movements = random.random((policy.movement_columns, _TRIED, 12), np.float32)
    movements[policy.flags] = np.rint(movements[policy.flags])
    movements[0] = 1.0
    choices = random.integers(0, 2, (_TRIED, 8, len(CHOICE_COLUMNS))).astype(np.float32)
    choices[:, :, _ALLOWED] = 1.0
    signal = random.random((_TRIED, policy.signal_columns), np.float32)
    return Observed(movements, choices, signal, random.integers(0, 2, (_TRIED, 8, 12)).astype(np.float32))


def _choose_alike(scores: Float32Array, others: Float32Array) -> bool:
    """Does the choice of the others have, among these scores, the highest?"""
    with np.errstate(invalid="ignore"):
        lost = scores.max(axis=1) - np.take_along_axis(scores, others.argmax(axis=1)[:, None], axis=1)[:, 0]
        return bool((lost <= _TIE * np.maximum(1.0, np.abs(scores).max(axis=1))).all())


def _picked(observed: Observed, which: NDArray[np.int64]) -> Observed:
    return Observed(observed.movements.take(which, axis=1), *(values.take(which, axis=0) for values in observed[1:]))


def _row_sums(values: Float32Array) -> Float32Array:
    """(n,) of a few columns: a product is faster than `sum`."""
    return values @ np.ones(values.shape[1], np.float32)


def _rows(values: Float32Array) -> Float32Array:
    return values.reshape(-1, values.shape[-1])
