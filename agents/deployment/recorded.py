"""What a trained policy saw: observations from its own training environment, to check an export by and to know where
the policy was at home."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from intergreen.agents.deployment.bundle import Envelope
from intergreen.agents.progress import part_of
from intergreen.envs.observation import Blocks, allowed_choices

if TYPE_CHECKING:
    from intergreen.agents.controllers.policy_network import PolicyNetwork
    from intergreen.agents.learning.recipe import Recipe
    from intergreen.agents.progress import Progress
    from intergreen.envs.arrays import Float32Array
    from intergreen.envs.scenario import Scenario

KEPT = 10_000  # observations that an export is checked on
RANDOM_SHARE = 0.1  # of the choices, as in training, where a policy explores
_DECISIONS = 300


class Recorded(NamedTuple):
    """Observations and what they look like."""

    observations: Float32Array  # (KEPT, size)
    blocks: Blocks
    envelope: Envelope


def record(
    network: PolicyNetwork,
    recipe: Recipe,
    scenario: Scenario | None,
    *,
    threads: int = 1,
    progress: Progress | None = None,
) -> Recorded:
    """Run the policy where it was trained, and keep `KEPT` of the observations, evenly spread; the same every time."""
    from intergreen.agents.learning.train import training_env

    env = training_env(recipe, scenario, threads=threads, progress=part_of(progress, 0, 2, ""))
    tell = part_of(progress, 1, 2, "recording observations")
    random = np.random.default_rng(recipe.seed)
    env.seed(recipe.seed)
    observation = np.asarray(env.reset(), np.float32)
    blocks = env.observation_space.blocks  # type: ignore[attr-defined]
    every = max(1, len(observation) * _DECISIONS // KEPT)
    kept, count, limits = [], 0, _Limits(blocks)
    try:
        for decision in range(_DECISIONS):
            if tell is not None:
                tell(decision / _DECISIONS, "")
            limits.widen(observation)
            first = -count % every
            kept.append(observation[first::every].copy())
            count += len(observation)
            choice = network.best_choices(observation, blocks)
            drawn = random.random((len(choice), blocks.choices)) * allowed_choices(observation, blocks)
            explores = random.random(len(choice)) < RANDOM_SHARE
            observation = np.asarray(env.step(np.where(explores, drawn.argmax(axis=1), choice))[0], np.float32)
    finally:
        env.close()
    return Recorded(np.concatenate(kept)[:KEPT], blocks, limits.envelope())


class _Limits:
    """Lowest and highest of every column so far; a movement that is not there is all 0, and always at home."""

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks
        self._movement = np.zeros((2, blocks.movement_columns))
        self._signal = np.stack([np.full(blocks.signal_columns, np.inf), np.full(blocks.signal_columns, -np.inf)])

    def widen(self, observation: Float32Array) -> None:
        b = self._blocks
        movements = observation[:, : b.choices_at].reshape(-1, b.movement_columns)
        for limits, values in ((self._movement, movements), (self._signal, observation[:, b.signal_at : b.serves_at])):
            np.minimum(limits[0], values.min(axis=0), out=limits[0])
            np.maximum(limits[1], values.max(axis=0), out=limits[1])

    def envelope(self) -> Envelope:
        return Envelope(np.round(self._movement, 4), np.round(self._signal, 4))
