"""Whoever looks on at an evaluation: sees what a controller would see, and touches nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from intergreen.envs.arrays import IntArray
    from intergreen.envs.core import Core


class Onlooker(Protocol):
    """Told of every batch of an evaluation in turn. It may ask the core for counts and signals, and never runs it."""

    def start(self, core: Core, seeds: Sequence[int]) -> None:
        """A batch begins, with a replica for each seed."""
        ...

    def look(self, core: Core, wanted: IntArray) -> None:
        """A decision of the protocol is due; `wanted` (B, I) is what the controller in charge asks for by now."""
        ...

    def end(self, core: Core) -> None:
        """The batch has come to its horizon."""
        ...
