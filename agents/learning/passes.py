"""The network's passes, forward and backward, written out for the CPU: matrix products and compiled loops.

`network.py` states the formulas and owns the parameters. Autograd would keep every value in between and walk over all
of them again, operator by operator, and a call of an operator costs more than what most of them have to do. Here biases
are columns of the products, one loop does all between two products, and what has no weights (the logarithms, who is
served) is prepared once for all passes over it. Slopes are those of the weights alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from intergreen.agents.controllers import ties
from intergreen.agents.controllers.policy_network import LOG_10
from intergreen.agents.learning import kernels
from intergreen.envs.observation import CHOICE_COLUMNS

if TYPE_CHECKING:
    from intergreen.envs.observation import Blocks

FORBIDDEN = float(ties.FORBIDDEN)
Step = Callable[[], object]


class Inputs(NamedTuple):
    """Observations of N signals, taken apart and prepared."""

    movements: Tensor  # (N, M, 2 f + 1) the columns, their logarithms, 1
    serves: Tensor  # (N, C + 1, M) whom each choice serves, and last who exists
    choices: Tensor  # (N, C, 2)
    share: Tensor  # (N, C) of each choice in the mean over those allowed; 0 for one that is not
    signal: Tensor  # (N, s + 1) the columns, 1


class Weights(NamedTuple):
    """The network's parameters, or their slopes, as they stand in products; the weight for a 1 is a bias."""

    movement: Tensor  # (W, 2 f + 1)
    served: Tensor  # (W, W)
    choice: Tensor  # (2, W)
    context: Tensor  # (W, W + s + 1) for the sum over all movements, the signal's columns, 1
    own: Tensor  # (W, W)
    others: Tensor  # (W, W + 1) for the mean of phases, 1
    score: Tensor  # (1, W + 1) the bias last
    outlook: Tensor  # (W, 2 W + s + 1) for the mean of contest, the sum over all movements, the signal's columns, 1
    value: Tensor  # (1, W + 1) the bias last


class Packed:
    """Room for weights, or for their slopes, in one piece of memory.

    flat     all of it
    weights  the same, as they stand in products
    parts    the same, by parameter of a `SignalNetwork`, in their order there
    """

    def __init__(self, like: Tensor, blocks: Blocks, width: int) -> None:
        s = blocks.signal_columns
        rows = (width, width, len(CHOICE_COLUMNS), width, width, width, 1, width, 1)
        movement = 2 * blocks.movement_columns + 1
        columns = (movement, width, width, width + s + 1, width, width + 1, width + 1, 2 * width + s + 1, width + 1)
        sizes = [a * b for a, b in zip(rows, columns, strict=True)]
        self.flat = like.new_zeros(sum(sizes))
        shaped = zip(torch.split(self.flat, sizes), rows, columns, strict=True)
        self.weights = w = Weights(*(part.view(a, b) for part, a, b in shaped))
        self.parts: list[Tensor] = [
            *(w.movement[:, :-1], w.movement[:, -1]),
            *(w.served, w.context[:, -1]),
            *(w.context[:, :width], w.choice.t(), w.context[:, width:-1]),
            *(w.own, w.others[:, -1], w.others[:, :-1]),
            *(w.score[:, :-1], w.score[:, -1]),
            *(w.outlook[:, :-1], w.outlook[:, -1]),
            *(w.value[:, :-1], w.value[:, -1]),
        ]

    def take(self, parameters: Iterable[Tensor]) -> None:
        """Copy the parameters of a network."""
        torch._foreach_copy_(self.parts, list(parameters))

    def give(self, parameters: Iterable[Tensor]) -> None:
        """Copy to the parameters of a network."""
        torch._foreach_copy_(list(parameters), self.parts)


class Passes:
    """Passes over N signals, one after the other, through the same memory.

    packed     the weights
    inputs     what the passes read besides, to be written before; several passes may read the same
    scores     (N, C), `FORBIDDEN` where a choice is not allowed; values (N, 1): written by `forward`
    of_scores  (N, C) slopes by the scores, 0 where a choice is not allowed; of_values (N, 1): read by `backward`
    """

    def __init__(self, n: int, blocks: Blocks, packed: Packed, *, inputs: Inputs | None = None) -> None:
        w, new = packed.weights, packed.flat.new_empty
        m, c, s, width = blocks.movements, blocks.choices, blocks.signal_columns, len(w.served)
        self._sizes, self._blocks, self.packed = (n, m, c, width), blocks, packed
        self.inputs = x = inputs or room_for_inputs(n, blocks, packed.flat)
        self.scores, self.values = new(n, c), new(n, 1)
        self.of_scores, self.of_values = new(n, c), new(n, 1)
        self._hidden, self._state, self._outlook = new(n, m, width), new(n, 2 * width + s + 1), new(n, width)
        self._served, self._phases, self._contest = new(n, c, width), new(n, c, width), new(n, c, width)
        self._mean, context = new(n, width + 1), new(n, width)
        self._forward: tuple[Step, ...] = (
            _product(x.movements, w.movement.t(), self._hidden),
            _loop(kernels.sum_up, self._hidden, self._served, self._state, x.serves, x.signal),
            _product(self._served, w.served.t(), self._phases),
            _product(self._state[:, width:], w.context.t(), context),
            _loop(kernels.choose, self._phases, self._mean, context, x.choices, w.choice, x.share),
            _product(self._phases, w.own.t(), self._contest),
            _product(self._mean, w.others.t(), context),
            _loop(kernels.contend, self._contest, self._state, self.scores, context, x.share, w.score[0]),
            _product(self._state, w.outlook.t(), self._outlook),
            _loop(kernels.value, self._outlook, self.values[:, 0], w.value[0]),
        )
        self._backward: tuple[Step, ...] = ()

    def forward(self) -> None:
        """Write scores and values."""
        for step in self._forward:
            step()

    def backward(self) -> Packed:
        """Slopes of the weights, after `forward`, given those of its scores and values."""
        if not self._backward:
            self.slopes = Packed(self.packed.flat, self._blocks, self._sizes[-1])
            self._backward = self._way_back(self.packed.weights, self.slopes.weights)
        for step in self._backward:
            step()
        return self.slopes

    def _way_back(self, w: Weights, out: Weights) -> tuple[Step, ...]:
        (n, m, c, width), x, new = self._sizes, self.inputs, self.scores.new_empty
        of_outlook, of_state, together = new(n, width), new(n, 2 * width), new(n, width)
        of_contest, of_phases, of_hidden = new(n, c, width), new(n, c, width), new(n, m, width)
        of_mean, of_served, of_everything = (
            of_outlook,
            of_contest,
            of_outlook,
        )  # in the same memory, one after the other
        return (
            _loop(kernels.unvalue, of_outlook, out.value[0], self.of_values[:, 0], self._outlook, w.value[0]),
            _product(of_outlook.t(), self._state, out.outlook),
            _product(of_outlook, w.outlook[:, : 2 * width], of_state),
            _loop(
                *(kernels.uncontend, of_contest, together, out.score[0]),
                *(self.of_scores, of_state, self._contest, x.share, w.score[0]),
            ),
            _product(_rows(of_contest).t(), self._phases, out.own),
            _product(together.t(), self._mean, out.others),
            _product(of_contest, w.own, of_phases),
            _product(together, w.others[:, :width], of_mean),
            _loop(kernels.unchoose, of_phases, together, of_mean, self._phases, x.share),
            _product(_rows(x.choices).t(), of_phases, out.choice),
            _product(_rows(of_phases).t(), self._served, out.served),
            _product(together.t(), self._state[:, width:], out.context),
            _product(of_phases, w.served, of_served),
            partial(torch.addmm, of_state[:, width:], together, w.context[:, :width], out=of_everything),
            _loop(kernels.unsum, of_hidden, of_served, of_everything, self._hidden, x.serves),
            _product(_rows(of_hidden).t(), x.movements, out.movement),
        )


def room_for_inputs(n: int, blocks: Blocks, like: Tensor) -> Inputs:
    """Memory for the inputs of n signals, with anything in it."""
    b, new = blocks, like.new_empty
    return Inputs(
        movements=new(n, b.movements, 2 * b.movement_columns + 1),
        serves=new(n, b.choices + 1, b.movements),
        choices=new(n, b.choices, len(CHOICE_COLUMNS)),
        share=new(n, b.choices),
        signal=new(n, b.signal_columns + 1),
    )


def prepare_inputs(observation: Tensor, blocks: Blocks, out: Inputs) -> None:
    """Write to `out` all that does not depend on weights; observation (N, size)."""
    logarithms = observation[:, : blocks.choices_at].mul(9.0).log1p_().div_(LOG_10)
    kernels.lay_out(*(array.numpy() for array in (*out, observation, logarithms)))


def _product(left: Tensor, right: Tensor, out: Tensor) -> Step:
    return partial(torch.mm, _rows(left), _rows(right), out=_rows(out))


def _loop(kernel: Callable[..., object], *tensors: Tensor) -> Step:
    return partial(kernel, *(tensor.numpy() for tensor in tensors))


def _rows(tensor: Tensor) -> Tensor:
    """The last axis in rows, whatever stands before it."""
    return tensor if tensor.dim() == 2 else tensor.view(-1, tensor.shape[-1])
