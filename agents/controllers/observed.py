"""Whatever chooses by what environments show, as a controller: a policy of any kind in a table beside the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from intergreen.envs.choices import chosen_phases, start_phase
from intergreen.envs.layout import make_layout
from intergreen.envs.observation import DEFAULT_FEATURES, allowed_choices
from intergreen.envs.senses import observe_all, whole_counts

if TYPE_CHECKING:
    from intergreen.agents.controllers.base import LaneCounts, Setup
    from intergreen.envs.arrays import BoolArray, Float32Array, IntArray
    from intergreen.envs.readings import Readings
    from intergreen.envs.signals import SignalStatus
    from intergreen.envs.simulation import Counts

Choose = Callable[["Float32Array", "BoolArray"], Any]
"""Observations (B, I, size) and which choices may be asked for (B, I, C) in; the index of a choice (B, I) out."""


class ObservedController:
    """Asks `choose` at every decision, for I signals of B replicas at once; begins in the first choice, as episodes do.

    Parameters
    ----------
    choose : an index that wider signals have, and one does not, keeps its phase
    features : as the environment's
    movements, choices : room in the observation, where the environment had more than the widest signal needs
    """

    interval_s: int | None = None
    own_clearance = False

    def __init__(
        self,
        name: str,
        choose: Choose,
        *,
        features: Sequence[str] = DEFAULT_FEATURES,
        movements: int | None = None,
        choices: int | None = None,
    ) -> None:
        self.name = name
        self._choose = choose
        self._features = tuple(features)
        self._room = {"movements": movements, "choices": choices}

    def start(self, setup: Setup) -> IntArray:
        if setup.plan.n_signals == 0:
            return np.empty((setup.n_replicas, 0), dtype=np.int32)
        self._plan, self._protocol = setup.plan, setup.protocol
        self._layout = make_layout(setup.network, setup.plan, features=self._features, **self._room)
        return start_phase(setup.plan, setup.n_replicas)

    def decide(self, counts: LaneCounts, signals: SignalStatus, time_s: int) -> IntArray:
        """The phases of the choices.

        Raises
        ------
        ValueError
            If `choose` answers with something else than a whole number for every signal, from 0 to the most choices
            that an observation has room for.
        """
        if signals.phase.shape[1] == 0:
            return signals.phase
        observation = observe_all(
            whole_counts(cast("Counts | Readings", counts)), signals, self._protocol.interval_s, self._layout
        )
        chosen = np.asarray(self._choose(observation, allowed_choices(observation, self._layout.blocks)))
        if chosen.dtype.kind not in "iu" or chosen.shape != signals.phase.shape:
            problem = f"got shape {chosen.shape} of {chosen.dtype}"
            raise ValueError(f"{self.name}: need a choice for each of {signals.phase.shape} signals, {problem}")
        last = self._layout.blocks.choices - 1
        if chosen.min() < 0 or chosen.max() > last:
            wrong = chosen.min() if chosen.min() < 0 else chosen.max()
            raise ValueError(f"{self.name}: need choices from 0 to {last}, got {wrong}")
        return chosen_phases(self._plan, chosen)
