"""One minibatch of PPO: from samples of a rollout to the slopes of all weights, part by part, on one thread or several.

A part is small enough for a core's cache. How a minibatch is parted, and in which order the parts' slopes are added up,
does not depend on the number of threads; so nor do the numbers.
"""

from __future__ import annotations

from concurrent.futures import Executor
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from intergreen.agents.learning import kernels
from intergreen.agents.learning.passes import Inputs, Packed, Passes, prepare_inputs
from intergreen.agents.learning.surrogate import Coefficients, Samples, write_slopes

if TYPE_CHECKING:
    from intergreen.agents.learning.network import SignalNetwork
    from intergreen.envs.observation import Blocks

PART = 256  # samples


class Rollout(NamedTuple):
    """All samples that an update learns from."""

    inputs: Inputs
    samples: Samples


class Updater:
    """Computes slopes; owns the memory that this takes.

    packed  the weights, to be brought up to date before each minibatch
    others  lends `threads` - 1 threads; None where there is but one
    """

    def __init__(self, blocks: Blocks, packed: Packed, *, threads: int, others: Executor | None) -> None:
        self._blocks, self._packed = blocks, packed
        self._threads, self._others = threads, others
        self._passes: list[dict[int, Passes]] = [{} for _ in range(threads)]
        self._slopes: list[Tensor] = []
        self.slopes = Packed(packed.flat, blocks, len(packed.weights.served))

    def compute(self, rollout: Rollout, chosen: Tensor, k: Coefficients, *, normalize: bool) -> Tensor:
        """The parts of the loss over a minibatch (5,); its slopes are in `slopes`.

        chosen     (n,) numbers of its samples in the rollout
        normalize  advantages, within the minibatch
        """
        n_parts = -(-len(chosen) // PART)
        while len(self._slopes) < n_parts:
            self._slopes.append(torch.empty_like(self._packed.flat))
        samples = Samples(*(column[chosen] for column in rollout.samples))
        if normalize and len(chosen) > 1:
            samples = samples._replace(advantages=_normalized(samples.advantages))
        numbers = chosen.tensor_split(n_parts)
        parts = [Samples(*part) for part in zip(*(column.tensor_split(n_parts) for column in samples), strict=True)]
        losses = [chosen] * n_parts

        def work(thread: int) -> None:
            with torch.no_grad():  # which holds for one thread
                for i in range(thread, n_parts, self._threads):
                    passes = self._passes_over(len(numbers[i]), thread)
                    losses[i] = _slopes_of_part(passes, rollout.inputs, numbers[i], parts[i], k, len(chosen))
                    self._slopes[i].copy_(passes.slopes.flat)

        began = [] if self._others is None else [self._others.submit(work, j) for j in range(1, self._threads)]
        work(0)
        for one in began:
            one.result()
        torch.sum(torch.stack(self._slopes[:n_parts]), dim=0, out=self.slopes.flat)
        return torch.stack(losses).sum(dim=0)

    def _passes_over(self, n: int, thread: int) -> Passes:
        passes = self._passes[thread].get(n)
        if passes is None:
            passes = self._passes[thread][n] = Passes(n, self._blocks, self._packed)
        return passes


def warm_up(network: SignalNetwork) -> None:
    """Have all loops compiled or read from the cache, so that no clock counts it."""
    nothing = network.served.weight.new_zeros(1, network.blocks.size)
    passes = network.new_passes(1)
    prepare_inputs(nothing, network.blocks, passes.inputs)
    passes.forward()
    column = nothing.new_zeros(1, 1)
    actions = torch.zeros(1, 1, dtype=torch.int64)
    write_slopes(passes, Samples(actions, column, column, column), Coefficients(0.2, 0.0, 0.5), out_of=1)
    passes.backward()
    kernels.draw(*(array.numpy() for array in (actions[:, 0], column[:, 0], passes.scores, column[:, 0])))


def _slopes_of_part(
    passes: Passes, inputs: Inputs, numbers: Tensor, samples: Samples, k: Coefficients, out_of: int
) -> Tensor:
    """Slopes of the weights, in the passes' memory, by the samples with these numbers; the loss's parts."""
    for column, room in zip(inputs, passes.inputs, strict=True):
        torch.index_select(column, 0, numbers, out=room)
    passes.forward()
    loss = write_slopes(passes, samples, k, out_of=out_of)
    passes.backward()
    return loss


def _normalized(advantages: Tensor) -> Tensor:
    return (advantages - advantages.mean()) / (advantages.std() + 1e-8)
