"""The graph of a bundle in NumPy, layer by layer: for a thousand signals in half the time that ONNX Runtime takes.

Its weights stand in `policy.onnx`, whose reader has made sure that the graph is ours. A decision goes through so few
signals at a time that all between the layers stays in the processor's cache, in room that is kept; and a signal that
may show one phase only is not thought about. Not bit by bit what the graph scores, sums are taken in another order:
what they do not tell apart is told apart in 64 bits, and `policy_of` asks both before it lets this one decide.
"""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

import numpy as np

from intergreen.agents.controllers.policy_network import LOG_10
from intergreen.agents.controllers.run_folder import observation_columns
from intergreen.agents.controllers.ties import FORBIDDEN
from intergreen.agents.deployment.columns import COLUMNS, runs
from intergreen.agents.deployment.graph import EXISTS, network_in
from intergreen.agents.deployment.inference import OnnxPolicy, PolicyFailedError, are_finite, chosen_among
from intergreen.agents.deployment.onnx_file import read_onnx
from intergreen.agents.deployment.policy_room import AT_ONCE, Room, Rooms, Shape
from intergreen.envs.observation import ALL_FEATURES, CHOICE_COLUMNS
from intergreen.envs.observation_arrays import Observed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from intergreen.agents.controllers.policy_network import PolicyNetwork
    from intergreen.agents.deployment.inference import Policy
    from intergreen.envs.arrays import Float32Array, IntArray

_LOG = logging.getLogger(__name__)
_TOGETHER = 125  # signals: what the layers hand on about them takes a megabyte, half of a core's second cache
_ONE, _NINE = np.float32(1.0), np.float32(9.0)
_MOST = 0.8  # of the signals
_CURRENT, _ALLOWED = CHOICE_COLUMNS.index("current"), CHOICE_COLUMNS.index("allowed")
_NOT_FINITE = "it is shown what is no finite number"
_TRIED = 64  # observations that both are asked about


def policy_of(model: bytes) -> Policy:
    """The policy of a `policy.onnx` in NumPy, if on this machine it chooses as ONNX Runtime does; or else the graph."""
    graph, plain = OnnxPolicy(model), PlainPolicy(model)
    alike = _choose_alike(graph, plain, _drawn(plain))
    if not alike:
        _LOG.warning("NumPy does not choose as ONNX Runtime does on this machine: the latter decides, and more slowly")
    return plain if alike else graph


class PlainPolicy:
    """The policy of a `policy.onnx`, checked by the bundle's reader."""

    def __init__(self, model: bytes) -> None:
        onnx = read_onnx(model)
        self._network = network_in(onnx.arrays)
        self._layers = {name: np.ascontiguousarray(array.T) for name, array in self._network.arrays.items()}
        self.flags = _flags(onnx.metadata)
        self._logged, self._movement = _of_movements(self._network, self.flags)
        layer, choice = self._layers, self._layers["choice.weight"]
        # Sums over movements and what is told of a choice stand side by side: one product for both. Who is not allowed
        # is no choice, whatever its score: that all are stands in the bias.
        self._served = np.concatenate([layer["served.weight"], choice[_CURRENT : _CURRENT + 1]])
        bias = layer["served.bias"] + choice[_ALLOWED]
        self._minus_context = -np.concatenate([layer["everything.weight"], layer["signal.weight"], bias[None]])
        own_and_others = layer["own.weight"] + layer["others.weight"]
        self._minus_others = np.concatenate([-layer["others.weight"], own_and_others, -layer["own.bias"][None]])
        width = self._movement.shape[1]
        self._rooms = Rooms(self.movement_columns, self.signal_columns, width, self._logged)
        self._zeros = np.zeros((AT_ONCE, width), np.float32)

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
        if len(undecided) >= _MOST * len(chosen):  # to pick them out would take longer than to think about all
            return self._chosen(observed)
        chosen[undecided] = self._chosen(self._picked(observed, undecided))
        return chosen

    def _chosen(self, observed: Observed) -> IntArray:
        scores = self.scores(observed)
        if not are_finite(scores):
            raise PolicyFailedError("its scores are no finite numbers")
        return chosen_among(scores, observed, self._network)

    def scores(self, observed: Observed) -> Float32Array:
        """(n, C) what `choose` compares; to be told apart in 64 bits where they are close."""
        n = observed.n_signals
        allowed = np.ascontiguousarray(observed.choices[:, :, _ALLOWED])
        scores = np.empty(allowed.shape, np.float32)
        with np.errstate(over="ignore", invalid="ignore"):  # whoever asks looks at the scores
            share = np.divide(allowed, np.maximum(_row_sums(allowed), np.float32(1.0))[:, None], dtype=np.float32)
            for first in range(0, n, _TOGETHER):
                few = slice(first, min(n, first + _TOGETHER))
                asked = Observed(observed.movements[:, few], *(values[few] for values in observed[1:]))
                scores[few] = self._scores_of_few(asked, share[few])
        scores[allowed == 0.0] = FORBIDDEN
        return scores

    def _scores_of_few(self, observed: Observed, share: Float32Array) -> Float32Array:
        """(n, C), also where not allowed; layer by layer what `graph.py` writes.

        Where it adds one row to many and cuts off below 0, these are cut off below minus the row, max(0, x + row) =
        max(-row, x) + row, and the row is added to what they sum up to: that is one look less at the many.
        """
        layer = self._layers
        n_choices, n_movements = observed.serves.shape[1:]
        room = self._rooms.of(Shape(len(share), n_movements, n_choices))
        self._write_hidden(observed.movements, room)
        np.matmul(room.ones, room.hidden, out=room.everything)
        room.signal[:] = observed.signal
        minus_context = np.matmul(room.common, self._minus_context)
        self._write_phases(observed, room)
        np.maximum(room.phases, minus_context, out=room.phases)  # but for the context
        np.matmul(share[:, None], room.phases_by_signal, out=room.mean)
        room.mean_context[:] = minus_context
        minus_others = np.matmul(room.contested, self._minus_others)
        _multiply(room.phase_rows, layer["own.weight"], room.contest_rows)
        np.maximum(room.contest, minus_others, out=room.contest)  # but for the others
        scores: Float32Array = np.matmul(room.contest, layer["score.weight"])[:, :, 0]  # (C, n)
        scores += (layer["score.bias"] - minus_others @ layer["score.weight"])[:, 0]
        return scores.T

    def _write_hidden(self, movements: Float32Array, room: Room) -> None:
        """Of each movement; 0 where there is none."""
        room.columns[:] = movements
        _check(room.column_values)
        for columns, logarithms in room.logged:
            np.multiply(columns, _NINE, out=logarithms)
        np.add(room.logarithms, _ONE, out=room.logarithms)
        np.log(room.logarithms, out=room.logarithms)
        _multiply(room.seen, self._movement, room.hidden_rows)
        for rows in room.hidden_rows:  # NumPy compares with an array in half the time that it takes for one number
            np.maximum(rows, self._zeros[: rows.shape[-2]], out=rows)

    def _write_phases(self, observed: Observed, room: Room) -> None:
        """Of each choice, before the context comes to it; as if all were allowed."""
        _check(observed.serves)
        np.matmul(observed.serves, room.hidden, out=room.served)
        room.current[:] = observed.choices[:, :, _CURRENT]
        _multiply(room.told, self._served, room.phase_rows)

    def _picked(self, observed: Observed, which: NDArray[np.int64]) -> Observed:
        movements, serves = observed.movements, observed.serves
        for n in (observed.n_signals, len(which)):  # with room for all at once: it would grow for decisions on end
            its_movements = self._rooms.kept("picked", len(movements), n, movements.shape[2])
            its_serves = self._rooms.kept("picked.serves", n, *serves.shape[1:])
        movements.take(which, axis=1, out=its_movements, mode="clip")  # which spares a copy; nothing is clipped
        serves.take(which, axis=0, out=its_serves, mode="clip")
        return Observed(its_movements, observed.choices[which], observed.signal[which], its_serves)


def _flags(metadata: Mapping[str, str]) -> list[int]:
    """Which columns of a movement are 0 or 1 and nothing else, so far as the graph tells what its columns are."""
    features = [name for name in metadata.get("features", "").split(",") if name in ALL_FEATURES]
    return [k for k, name in enumerate(observation_columns(features)[0]) if COLUMNS[name].unit == "flag"]


def _of_movements(network: PolicyNetwork, flags: list[int]) -> tuple[list[slice], Float32Array]:
    """The columns whose logarithm is taken, and the weights of all columns and of those logarithms.

    The bias stands in the row of the flag that a movement is there. Of a flag `x` the logarithm to the base of 10 of
    1 + 9 x is `x`: its weights for both are added up.
    """
    columns, weight = network.movement_columns, network.arrays["movement.weight"].T.astype(np.float64)
    logged = [k for k in range(columns) if k not in flags]
    own, of_logarithms = weight[:columns].copy(), weight[columns:]
    own[EXISTS] += network.arrays["movement.bias"]
    own[flags] += of_logarithms[flags]
    both = np.concatenate([own, of_logarithms[logged] / LOG_10])  # of natural logarithms
    return runs(logged), both.astype(np.float32)


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


def _choose_alike(graph: Policy, plain: Policy, observed: Observed) -> bool:
    try:
        return np.array_equal(graph.choose(observed), plain.choose(observed))
    except PolicyFailedError:
        return False


def _multiply(rows: tuple[Float32Array, ...], weight: Float32Array, out: tuple[Float32Array, ...]) -> None:
    """Overwrite `out` with rows (n, k) times weight, piece by piece."""
    for some, its_out in zip(rows, out, strict=True):
        np.matmul(some, weight, out=its_out)


def _check(values: Float32Array) -> None:
    """Raise if not all is finite: a sum of squares that is has no other terms."""
    every = values.reshape(-1)
    if not math.isfinite(np.dot(every, every)) and not np.isfinite(every).all():
        raise PolicyFailedError(_NOT_FINITE)


def _row_sums(values: Float32Array) -> Float32Array:
    """(n,) of a few columns: a product is faster than `sum`."""
    with np.errstate(invalid="ignore"):  # which some kernels report of what they read beyond the columns
        return values @ np.ones(values.shape[1], np.float32)


def _rows(values: Float32Array) -> Float32Array:
    return values.reshape(-1, values.shape[-1])
