"""Moments of a policy's own traffic, with what every choice there would have saved."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from intergreen.agents.learning.looking_ahead import LookAhead
from intergreen.agents.learning.policies import drawn

if TYPE_CHECKING:
    from collections.abc import Callable

    from intergreen.agents.learning.network import SignalNetwork
    from intergreen.envs.arrays import Float32Array, IntArray
    from intergreen.envs.vector_env import TrafficVecEnv

_SIGNALS_AT_ONCE = 4  # of one network: they share the copy that does what the policy thinks best
_PER_DECISION = 0.12  # signals of a world that are looked at, on average: the next moment is much the same
_DRAWN = 0.5  # share of the decisions that are drawn, so that the policy's slips are seen too


class Moments(NamedTuple):
    """N of them."""

    observation: Float32Array  # (N, size)
    gain: Float32Array  # (N, C) in decisions' worth of delay, see `LookAhead.gains`


class Traffic:
    """Lets a policy drive an environment's worlds, and looks ahead from some moments of it."""

    def __init__(self, env: TrafficVecEnv, network: SignalNetwork, *, look_ahead_s: int, seed: int) -> None:
        self._env, self._network = env, network
        self._random = np.random.default_rng(seed)
        self._looks = [LookAhead(world, self._best, seconds=look_ahead_s) for world in env.worlds]
        sizes = [world.n_replicas * world.layout.n_signals for world in env.worlds]
        self._first_slot = (np.cumsum(sizes) - sizes).tolist()
        self._seen = env.reset()

    def moments(self, count: int, progress: Callable[[float], None]) -> Moments:
        """At least so many of them, as many of each world on average; `progress` is told the share that is done.

        Raises
        ------
        ValueError
            If no signal has anything to choose.
        """
        if all(world.layout.n_choices.max() < 2 for world in self._env.worlds):
            raise ValueError("no signal has a second phase to choose")
        seen, gains = [], []
        found = 0
        while found < count:
            scores = self._scores(self._seen)
            best = scores.argmax(dim=1).numpy().astype(np.int32)
            for number in range(len(self._looks)):
                for signals, slots, gain in self._looked(number, best):
                    seen.append(self._seen[slots[signals]])
                    gains.append(gain.astype(np.float32))
                    found += len(signals)
            progress(min(found / count, 1.0))
            actions, _ = drawn(scores)
            is_drawn = self._random.random(len(best)) < _DRAWN
            self._env.step_async(np.where(is_drawn, actions.numpy(), best))
            self._seen, *_ = self._env.step_wait()
        return Moments(np.concatenate(seen), np.concatenate(gains))

    def _looked(self, number: int, best: IntArray) -> list[tuple[IntArray, IntArray, np.ndarray]]:
        """Of the copies of a world that are looked at now: which signals, the slots of all, and what was found."""
        world, first = self._env.worlds[number], self._first_slot[number]
        allowed = world.allowed()
        found = []
        for b in range(world.n_replicas):
            free = np.flatnonzero(allowed[b].sum(axis=1) > 1)
            n = min(len(free), _SIGNALS_AT_ONCE)
            if n == 0 or self._random.random() >= _PER_DECISION / n:
                continue
            slots = first + b * allowed.shape[1] + np.arange(allowed.shape[1])
            signals = np.sort(self._random.choice(free, n, replace=False))
            found.append((signals, slots, self._looks[number].gains(b, best[slots], allowed[b], signals)))
        return found

    def _scores(self, observation: Float32Array) -> torch.Tensor:
        with torch.no_grad():
            return self._network.forward_actor(torch.from_numpy(observation))

    def _best(self, observation: Float32Array) -> IntArray:
        return self._scores(observation).argmax(dim=1).numpy().astype(np.int32)
