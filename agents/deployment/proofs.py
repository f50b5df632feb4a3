"""What a bundle says of signals: the proof of every distinct plan, and its matrices and times in full."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from intergreen.envs.errors import InputError
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.signals.stated import timing_stated
from intergreen.envs.verification import distinct_models, verify

if TYPE_CHECKING:
    from collections.abc import Sequence

    from intergreen.envs.arrays import IntArray
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.scenario import Scenario
    from intergreen.envs.signals import SignalPlan
    from intergreen.envs.signals.model import SignalModel
    from intergreen.envs.signals.monitor_card import MonitorCard

REFERENCE_JUNCTIONS = ("single", "town")  # of three, four and five legs: for a policy that belongs to no network
_PER_MOVEMENT = ("yellow", "longest_yellow", "min_green", "max_green", "red_revert", "longest_wait")


def proofs_of(scenarios: Sequence[Scenario], protocols: Sequence[str]) -> list[dict[str, Any]]:
    """One object for every plan that differs, in the order in which they are met.

    Raises
    ------
    InputError
        If a plan is not safe.
    """
    proofs: dict[str, dict[str, Any]] = {}
    for scenario in scenarios:
        for name in protocols:
            plan = protocol_by_name(name).plan(scenario.network)
            for one in verify(scenario.network, plan, known=proofs.keys()):
                if not one.proof.holds and one.proof.violation is not None:
                    problem = f"its signals are not safe under {name}: {one.proof.violation.what}"
                    raise InputError(scenario.name, "signals", problem, "see them with `intergreen verify`")
                proofs.setdefault(
                    one.proof.plan_hash,
                    {
                        "network": scenario.name,
                        "protocol": name,
                        "holds": True,
                        "plan_hash": one.proof.plan_hash,
                        "result_hash": one.proof.result_hash,
                        "states": one.proof.states,
                        "transitions": one.proof.transitions,
                        "longest_wait_s": one.proof.longest_wait_s,
                        "slowest_phase_s": one.proof.slowest_phase_s,
                    },
                )
    return list(proofs.values())


def signals_stated(scenarios: Sequence[Scenario], protocols: Sequence[str]) -> list[dict[str, Any]]:
    """Every plan that differs with its numbers; movements and phases as they are numbered at its intersections."""
    stated: dict[str, dict[str, Any]] = {}
    for scenario in scenarios:
        network = scenario.network
        for name in protocols:
            plan = protocol_by_name(name).plan(network)
            for model, signals in distinct_models(network, plan):
                intersections = plan.intersection[list(signals)]
                choices = plan.choices[signals[0], : plan.n_choices[signals[0]]]
                row = {"network": scenario.name, "protocol": name, "timing": timing_stated(plan.timing)}
                stated.setdefault(model.hash, row | _model_stated(network, intersections, choices, model))
    return list(stated.values())


def unproved(network: RoadNetwork, plan: SignalPlan, card: MonitorCard, proved: frozenset[str]) -> list[str]:
    """Hashes of the plan's signals whose proof is not among those."""
    return [model.hash for model, _ in distinct_models(network, plan, card=card) if model.hash not in proved]


def _model_stated(
    network: RoadNetwork, intersections: IntArray, choices: IntArray, model: SignalModel
) -> dict[str, Any]:
    j = int(intersections[0])
    movements = network.movements_of(j)
    ends = zip(network.movement_from_road[movements], network.movement_to_road[movements], strict=True)
    return {
        "plan_hash": model.hash,
        "intersections": [network.intersection_ids[k] for k in intersections],
        "movements": [f"{network.road_ids[start]} -> {network.road_ids[end]}" for start, end in ends],
        "phases": [np.flatnonzero(row).tolist() for row in network.phase_matrix(j)],
        "choices": choices.tolist(),
        "permissive": model.permissive.astype(int).tolist(),
        "intergreen_s": model.clearance.tolist(),
        **{f"{name}_s": np.asarray(getattr(model, name)).tolist() for name in _PER_MOVEMENT},
        "red_amber_s": model.red_amber,
        "startup_red_s": model.startup_s,
    }
