"""One signal for the proof: its rules for the shield, and what the program card says of it for the observer."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from intergreen.envs.signals.machine import single

if TYPE_CHECKING:
    from intergreen.envs.arrays import BoolArray, IntArray
    from intergreen.envs.signals.monitor_card import MonitorCard
    from intergreen.envs.signals.rules import Rules


_OF_CARD = (
    "permissive", "clearance", "yellow", "longest_yellow", "min_green", "max_green", "red_revert", "longest_wait",
    "red_amber", "startup_s",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class SignalModel:
    """One signal of a plan with its part of the card; phases and movements numbered from 0."""

    rules: Rules
    n_movements: int
    first_movement: int  # number in the network
    permissive: BoolArray  # (n, n)
    clearance: IntArray  # (n, n)
    yellow: IntArray  # (n,)
    longest_yellow: IntArray
    min_green: IntArray
    max_green: IntArray  # (n,) 0: none
    red_revert: IntArray
    longest_wait: IntArray
    red_amber: int
    startup_s: int

    @property
    def hash(self) -> str:
        """Equal for equal plans: of all the numbers that the proof reads."""
        digest = hashlib.sha256()
        for name, values in zip(self.rules._fields, self.rules, strict=True):
            digest.update(f"{name} {np.asarray(values).tolist()}\n".encode())
        for name in _OF_CARD:
            digest.update(f"{name} {np.asarray(getattr(self, name)).tolist()}\n".encode())
        return digest.hexdigest()

    @property
    def content(self) -> tuple[bytes, ...]:
        """The same numbers as they stand in memory: where equal, so are the hashes, which take longer."""
        of_card = (getattr(self, name) for name in _OF_CARD)
        return tuple(np.asarray(values).tobytes() for values in (*self.rules, *of_card))


def signal_model(
    rules: Rules, i: int, card: MonitorCard, *, max_green: IntArray | None = None, startup_s: int = 0
) -> SignalModel:
    """Signal `i` of the rules, with what the card says of it.

    max_green  (n,) longest green of each movement while others wait, which no monitor knows; None: no limit
    """
    start, past = card.channel_start[i], card.channel_start[i + 1]
    n, at = int(past - start), card.matrix_start[i]
    square = slice(at, at + n * n)
    return SignalModel(
        rules=single(rules, i),
        n_movements=n,
        first_movement=int(rules.movement_start[rules.intersection[i]]),
        permissive=card.permissive[square].reshape(n, n) != 0,
        clearance=card.clearance_before[square].reshape(n, n).T,
        yellow=card.yellow[start:past],
        longest_yellow=card.longest_yellow[start:past],
        min_green=card.green[start:past],
        max_green=np.zeros(n, np.int32) if max_green is None else max_green,
        red_revert=card.red_revert[start:past],
        longest_wait=card.longest_wait[start:past],
        red_amber=int(card.red_amber[i]),
        startup_s=startup_s,
    )
