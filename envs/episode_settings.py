"""What episodes are told, checked one setting at a time: each as it is used, or one line that says the mend.

Those that come from a recipe or a file were checked there; these are the words of whoever makes an environment.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING

import numpy as np

from intergreen.envs.errors import InputError, shown
from intergreen.envs.observation import ALL_FEATURES
from intergreen.envs.protocol import LITERATURE, Protocol, protocol_by_name

if TYPE_CHECKING:
    from intergreen.envs.scenario import Scenario

_WHO = "environment"


def protocol_of(asked: object, scenario: Scenario) -> Protocol:
    """The protocol, by its name too; None: the scenario's own."""
    if isinstance(asked, Protocol):
        return asked
    if asked is not None and not isinstance(asked, str):
        mend = f"give a name, such as {LITERATURE[2]!r}, a Protocol, or None for the scenario's own"
        raise InputError(_WHO, "protocol", f"is {shown(asked)}", mend)
    return protocol_by_name(scenario.default_protocol if asked is None else asked)


def features_of(asked: object) -> tuple[str, ...]:
    """The names, which are still to be looked up."""
    if isinstance(asked, str) or not isinstance(asked, Sequence):
        given = f"are one text, {asked!r}" if isinstance(asked, str) else f"are {shown(asked)}"
        mend = f"write a list, [{asked!r}]" if isinstance(asked, str) else f"write a list of {', '.join(ALL_FEATURES)}"
        raise InputError(_WHO, "features", given, f"{mend}, or leave it out for the default")
    if not asked:
        mend = f"name one or more of {', '.join(ALL_FEATURES)}, or leave it out for the default"
        raise InputError(_WHO, "features", "are none", mend)
    return tuple(asked)


def flag(name: str, value: object) -> bool:
    """True or False, NumPy's too; a text such as "no" would else count as true."""
    if not isinstance(value, bool | np.bool_):
        raise InputError(_WHO, name, f"is {shown(value)}", "give True or False")
    return bool(value)


def whole(name: str, value: object, least: int = 1) -> int:
    """A whole number, NumPy's too, not below `least`."""
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise InputError(_WHO, name, f"is {shown(value)}", f"give a whole number, {least} or more")
    return int(value)


def room(name: str, value: object) -> int | None:
    """For so many, at least one; None: as much as is needed."""
    return None if value is None else whole(name, value)


def share_of_neighbours(value: object) -> float:
    """A finite number, not below zero."""
    if not _is_number(value) or not 0.0 <= value < math.inf:  # type: ignore[operator]
        raise InputError(_WHO, "neighbour_share", f"is {shown(value)}", "give a finite number, 0 or more")
    return float(value)  # type: ignore[arg-type]


def scale_of_demand(scale: object) -> tuple[float, float]:
    """Lowest and highest factor."""
    is_pair = isinstance(scale, Sequence | np.ndarray) and len(scale) == 2 and all(_is_number(end) for end in scale)
    if not (is_pair and 0.0 < scale[0] <= scale[1] < math.inf):  # type: ignore[index]
        mend = "give (lowest, highest), 0 < lowest <= highest"
        raise InputError(_WHO, "demand_scale", f"is {shown(scale)}", mend)
    return float(scale[0]), float(scale[1])  # type: ignore[index]


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
