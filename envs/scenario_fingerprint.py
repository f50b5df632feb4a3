"""A scenario's fingerprint: equal where the network and everything that decides its trips are the same."""

from __future__ import annotations

import hashlib
from dataclasses import astuple, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from intergreen.envs.scenario import Scenario

DIGITS = 16  # hexadecimal, of a fingerprint that is written down


def scenario_fingerprint(scenario: Scenario) -> str:
    """Of the network and of everything that decides its trips, whatever the scenario is called.

    Everything of the network counts but its name: programmes, lengths inside junctions and right of way as well, which
    are no part of what policies are bound to (`fingerprint_of`).
    """
    digest = hashlib.sha256()
    for one in fields(scenario.network):
        if one.name != "name":
            digest.update(f"{one.name} ".encode())
            digest.update(_bytes_of(getattr(scenario.network, one.name)))
    demand = scenario.demand
    for array in demand.__reduce__()[1]:
        digest.update(repr([astuple(one) for one in array]).encode() if isinstance(array, tuple) else _bytes_of(array))
    rest = scenario.horizon_s, scenario.fixed_demand, scenario.profile, scenario.level, scenario.varied
    digest.update(repr(rest).encode())
    if scenario.evenly:
        digest.update(b"evenly")
    if scenario.survey_vph is not None:
        digest.update(scenario.survey_vph.tobytes())
    return digest.hexdigest()[:DIGITS]


def _bytes_of(value: object) -> bytes:
    return value.tobytes() if hasattr(value, "tobytes") else repr(value).encode()
