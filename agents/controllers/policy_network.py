"""The policy's network as plain arrays, in NumPy: what `agents/learning/network.py` scores, without PyTorch.

The weights do not depend on the numbers of movements and choices: one policy scores the signals of any network. The
file is `.npz`, an array for each entry of the actor's `state_dict`, and is read without unpickling.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from intergreen.envs.errors import InputError, shown
from intergreen.envs.files import replacing
from intergreen.envs.observation import CHOICE_COLUMNS

if TYPE_CHECKING:
    from intergreen.envs.arrays import BoolArray, Float32Array, IntArray
    from intergreen.envs.observation import Blocks

FORBIDDEN = np.float32(-1e9)  # score of a choice that is not allowed
LOG_10 = np.float32(math.log(10.0))
_MEND = "use the folder of a finished or running `intergreen train`"


@dataclass(frozen=True, slots=True, eq=False)
class PolicyNetwork:
    """The actor's layers: `<layer>.weight` (out, in) and `<layer>.bias` (out,), float32."""

    arrays: Mapping[str, Float32Array]

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
        flat = observation.reshape(-1, blocks.size)
        return self._forward_actor(flat, blocks).reshape(*observation.shape[:-1], blocks.choices)

    def best_choices(self, observation: Float32Array, blocks: Blocks) -> IntArray:
        """(...) the allowed choice with the highest score, the first of equals; observation (..., size)."""
        best: IntArray = self.scores(observation, blocks).argmax(axis=-1).astype(np.int32)
        return best

    def _forward_actor(self, observation: Float32Array, blocks: Blocks) -> Float32Array:
        """Line by line what `SignalNetwork.forward_actor` does; observation (N, size)."""
        b = blocks
        movements = observation[:, : b.choices_at].reshape(-1, b.movements, b.movement_columns)
        choices = observation[:, b.choices_at : b.signal_at].reshape(-1, b.choices, len(CHOICE_COLUMNS))
        signal = observation[:, b.signal_at : b.serves_at]
        serves = observation[:, b.serves_at :].reshape(-1, b.choices, b.movements)
        allowed = choices[:, :, 1:]
        seen = np.concatenate([movements, np.log1p(np.float32(9.0) * movements) / LOG_10], axis=2)
        hidden = _relu(self._linear("movement", seen))
        exists = movements[:, None, :, 0]
        summed = np.concatenate([serves, exists], axis=1) @ hidden  # (N, C + 1, W)
        context = self._linear("everything", summed[:, -1]) + self._linear("signal", signal)
        phases = _relu(self._linear("served", summed[:, :-1]) + self._linear("choice", choices) + context[:, None])
        contest = _relu(self._linear("own", phases) + self._linear("others", _mean(phases, allowed))[:, None])
        scores = self._linear("score", contest)[:, :, 0]
        return np.where(_is_true(allowed[:, :, 0]), scores, FORBIDDEN)

    def _linear(self, layer: str, values: Float32Array) -> Float32Array:
        product: Float32Array = values @ self.arrays[f"{layer}.weight"].T
        bias = self.arrays.get(f"{layer}.bias")
        return product if bias is None else product + bias


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


def _relu(values: Float32Array) -> Float32Array:
    return np.maximum(values, np.float32(0.0))


def _mean(of_choices: Float32Array, allowed: Float32Array) -> Float32Array:
    """Mean (N, W) over the choices allowed; a signal without any has zeros."""
    mean: Float32Array = (of_choices * allowed).sum(axis=1) / np.maximum(allowed.sum(axis=1), np.float32(1.0))
    return mean


def _is_true(flags: Float32Array) -> BoolArray:
    return flags != 0.0
