"""The policy's network as plain arrays, in NumPy: what `agents/learning/network.py` scores, without PyTorch.

The weights do not depend on the numbers of movements and choices: one policy scores the signals of any network. The
file is `.npz`, an array for each entry of the actor's `state_dict`, and is read without unpickling.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from intergreen.agents.controllers.ties import FORBIDDEN, best_choices
from intergreen.envs.errors import InputError, shown
from intergreen.envs.files import replacing
from intergreen.envs.observation import CHOICE_COLUMNS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from intergreen.envs.arrays import Float32Array, FloatArray, IntArray
    from intergreen.envs.observation import Blocks

LOG_10 = math.log(10.0)
_MEND = "use the folder of a finished or running `intergreen train`"


class Seen(NamedTuple):
    """What n signals see, block by block: M movements of f columns, C choices, s columns of the signal."""

    movements: NDArray[Any]  # (n, M, f)
    choices: NDArray[Any]  # (n, C, 2)
    signal: NDArray[Any]  # (n, s)
    serves: NDArray[Any]  # (n, C, M)


@dataclass(frozen=True, slots=True, eq=False)
class PolicyNetwork:
    """The actor's layers: `<layer>.weight` (out, in) and `<layer>.bias` (out,), float32."""

    arrays: Mapping[str, Float32Array]
    _in_64_bits: dict[str, FloatArray] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("movement.weight", "signal.weight"):
            if name not in self.arrays or self.arrays[name].ndim != 2:
                raise ValueError(f"no matrix is called {name!r}")
        shapes = actor_shapes(self.width, self.movement_columns, self.signal_columns)
        if set(shapes) != set(self.arrays):
            raise ValueError(f"unknown or missing layers: {', '.join(sorted(set(shapes) ^ set(self.arrays)))}")
        for name, shape in shapes.items():
            if self.arrays[name].shape != shape:
                raise ValueError(f"{name} has the shape {self.arrays[name].shape}, not {shape}")
            if not np.isfinite(self.arrays[name]).all():
                raise ValueError(f"{name} holds a number that is not finite")

    @property
    def width(self) -> int:
        """Values in every hidden layer."""
        return self.arrays["movement.weight"].shape[0]

    @property
    def movement_columns(self) -> int:
        return self.arrays["movement.weight"].shape[1] // 2

    @property
    def signal_columns(self) -> int:
        return self.arrays["signal.weight"].shape[1]

    def scores(self, observation: Float32Array, blocks: Blocks) -> Float32Array:
        """(..., C) score of each choice, `FORBIDDEN` where it is not allowed; observation (..., size)."""
        seen = seen_in(observation.reshape(-1, blocks.size), blocks)
        scores: Float32Array = _forward(self.arrays, seen)
        return scores.reshape(*observation.shape[:-1], blocks.choices)

    def best_choices(self, observation: Float32Array, blocks: Blocks) -> IntArray:
        """(...) the allowed choice with the highest score, the first of equals; observation (..., size)."""
        flat = observation.reshape(-1, blocks.size)
        best = best_choices(self.scores(flat, blocks), lambda some: self.exact_scores(seen_in(flat[some], blocks)))
        return best.reshape(observation.shape[:-1])

    def exact_scores(self, seen: Seen) -> FloatArray:
        """(n, C) the scores in 64 bits."""
        if not self._in_64_bits:
            self._in_64_bits.update({name: array.astype(np.float64) for name, array in self.arrays.items()})
        scores: FloatArray = _forward(self._in_64_bits, Seen(*(values.astype(np.float64) for values in seen)))
        return scores


def seen_in(observation: Float32Array, blocks: Blocks) -> Seen:
    """The blocks of observations (n, size)."""
    b = blocks
    return Seen(
        observation[:, : b.choices_at].reshape(-1, b.movements, b.movement_columns),
        observation[:, b.choices_at : b.signal_at].reshape(-1, b.choices, len(CHOICE_COLUMNS)),
        observation[:, b.signal_at : b.serves_at],
        observation[:, b.serves_at :].reshape(-1, b.choices, b.movements),
    )


def _forward(arrays: Mapping[str, NDArray[Any]], seen: Seen) -> NDArray[Any]:
    """(n, C) line by line what `SignalNetwork.plain_forward` does, in the precision of what it is given."""

    def linear(layer: str, values: NDArray[Any]) -> NDArray[Any]:
        product: NDArray[Any] = values @ arrays[f"{layer}.weight"].T
        bias = arrays.get(f"{layer}.bias")
        return product if bias is None else product + bias

    allowed = seen.choices[:, :, 1:]
    logarithms = np.log1p(9.0 * seen.movements) / LOG_10
    hidden = _relu(linear("movement", np.concatenate([seen.movements, logarithms], axis=2)))
    exists = seen.movements[:, None, :, 0]
    summed = np.concatenate([seen.serves, exists], axis=1) @ hidden  # (n, C + 1, W)
    context = linear("everything", summed[:, -1]) + linear("signal", seen.signal)
    phases = _relu(linear("served", summed[:, :-1]) + linear("choice", seen.choices) + context[:, None])
    contest = _relu(linear("own", phases) + linear("others", _mean(phases, allowed))[:, None])
    scores = linear("score", contest)[:, :, 0]
    return np.where(allowed[:, :, 0] != 0.0, scores, scores.dtype.type(FORBIDDEN))


def actor_shapes(width: int, movement_columns: int, signal_columns: int) -> dict[str, tuple[int, ...]]:
    """The arrays that lead from an observation to the scores, with their shapes."""
    inputs = {
        "movement": 2 * movement_columns,
        "served": width,
        "everything": width,
        "choice": len(CHOICE_COLUMNS),
        "signal": signal_columns,
        "own": width,
        "others": width,
    }
    weights = {f"{layer}.weight": (width, columns) for layer, columns in inputs.items()}
    biases = {f"{layer}.bias": (width,) for layer in ("movement", "served", "own")}
    return {**weights, **biases, "score.weight": (1, width), "score.bias": (1,)}


def write_network(path: Path, network: PolicyNetwork) -> None:
    """Write the layers to `path` at once."""
    with replacing(path) as temporary:
        np.savez(temporary, **network.arrays)  # type: ignore[arg-type]


def read_network(path: Path) -> PolicyNetwork:
    """The layers in `path`.

    Raises
    ------
    InputError
        If the file is not there, is no archive of arrays, or its arrays do not fit together.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return PolicyNetwork({name: np.asarray(stored[name], np.float32) for name in stored.files})
    except FileNotFoundError:
        raise InputError(path.parent, path.name, "is missing", _MEND) from None
    except (OSError, EOFError, ValueError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise InputError(path, "", f"holds no policy: {shown(str(error), 120)}", _MEND) from None


def _relu(values: NDArray[Any]) -> NDArray[Any]:
    return np.maximum(values, 0.0)


def _mean(of_choices: NDArray[Any], allowed: NDArray[Any]) -> NDArray[Any]:
    """Mean (n, W) over the choices allowed; a signal without any has zeros."""
    mean: NDArray[Any] = (of_choices * allowed).sum(axis=1) / np.maximum(allowed.sum(axis=1), 1.0)
    return mean
