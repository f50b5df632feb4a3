"""The policy's network as plain arrays: a multilayer perceptron with tanh between the layers, in NumPy.

What was trained with PyTorch runs here without it. The file is `.npz` and is read without unpickling.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from intergreen.envs.errors import InputError, shown
from intergreen.envs.files import replacing

if TYPE_CHECKING:
    from intergreen.envs.arrays import Float32Array


@dataclass(frozen=True, slots=True, eq=False)
class PolicyWeights:
    """Layers first to last: `weight[k]` (out, in) and `bias[k]` (out,), float32."""

    weight: tuple[Float32Array, ...]
    bias: tuple[Float32Array, ...]

    def __post_init__(self) -> None:
        if not self.weight or len(self.weight) != len(self.bias):
            raise ValueError(f"need as many biases as weights, got {len(self.bias)} and {len(self.weight)}")
        for k, (weight, bias) in enumerate(zip(self.weight, self.bias, strict=True)):
            if weight.ndim != 2 or bias.shape != weight.shape[:1]:
                raise ValueError(f"layer {k} has a weight of shape {weight.shape} and a bias of shape {bias.shape}")
            if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
                raise ValueError(f"layer {k} holds a number that is not finite")
        for k, (layer, following) in enumerate(pairwise(self.weight)):
            if following.shape[1] != layer.shape[0]:
                raise ValueError(f"layer {k} gives {layer.shape[0]} values, layer {k + 1} takes {following.shape[1]}")

    @property
    def n_features(self) -> int:
        return self.weight[0].shape[1]

    @property
    def n_choices(self) -> int:
        return self.weight[-1].shape[0]

    def scores(self, observation: Float32Array) -> Float32Array:
        """(..., C) score of each choice, the log of its probability but for a constant; observation (..., F)."""
        values = observation
        for k, (weight, bias) in enumerate(zip(self.weight, self.bias, strict=True)):
            values = values @ weight.T + bias
            if k + 1 < len(self.weight):
                values = np.tanh(values)
        return values


def write_weights(path: Path, weights: PolicyWeights) -> None:
    """Write the layers to `path` at once."""
    arrays = {f"weight_{k}": weight for k, weight in enumerate(weights.weight)}
    arrays |= {f"bias_{k}": bias for k, bias in enumerate(weights.bias)}
    with replacing(path) as temporary:
        np.savez(temporary, **arrays)  # type: ignore[arg-type]


def read_weights(path: Path) -> PolicyWeights:
    """The layers in `path`.

    Raises
    ------
    InputError
        If the file is not there, is no archive of arrays, or its arrays do not fit together.
    """
    mend = "use the folder of a finished or running `intergreen train`"
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            n_layers = len(stored.files) // 2
            weight = tuple(np.asarray(stored[f"weight_{k}"], np.float32) for k in range(n_layers))
            bias = tuple(np.asarray(stored[f"bias_{k}"], np.float32) for k in range(n_layers))
        return PolicyWeights(weight, bias)
    except FileNotFoundError:
        raise InputError(path.parent, path.name, "is missing", mend) from None
    except KeyError as error:
        raise InputError(path, "", f"holds no layers of a policy: {shown(error.args[0])}", mend) from None
    except (OSError, EOFError, ValueError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise InputError(path, "", f"holds no policy: {shown(str(error), 100)}", mend) from None
