"""The observation space: a box that knows how an observation vector is to be taken apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from gymnasium import spaces

from intergreen.envs.observation import HIGHEST

if TYPE_CHECKING:
    from intergreen.envs.observation import Blocks


class SignalSpace(spaces.Box):
    """`Box(0, HIGHEST)` float32 of the observations of one signal or more, one after the other.

    blocks     sizes of the blocks in the vector of one signal
    n_choices  how many choices each of the signals has
    features   names of what is seen, which other features may be as many columns as; none: not known
    """

    features: tuple[str, ...] = ()  # of spaces that were pickled before they had any

    def __init__(self, blocks: Blocks, n_choices: tuple[int, ...], features: tuple[str, ...] = ()) -> None:
        self.blocks = blocks
        self.n_choices = n_choices
        self.features = features
        super().__init__(0.0, HIGHEST, (len(n_choices) * blocks.size,), np.float32)

    def __eq__(self, other: object) -> bool:
        """Are observations alike, column by column? Only so may a policy of the one see the other.

        Stable-Baselines3 asks when a model gets another environment; as many columns of other features are not alike.
        """
        if not isinstance(other, SignalSpace) or self.blocks != other.blocks or self.n_choices != other.n_choices:
            return False
        known = bool(self.features) and bool(other.features)
        return super().__eq__(other) and not (known and set(self.features) != set(other.features))

    __hash__ = None  # type: ignore[assignment]  # as a box's

    @property
    def signals(self) -> int:
        """Signals whose observations stand side by side."""
        return len(self.n_choices)
