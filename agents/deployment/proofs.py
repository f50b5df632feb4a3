"""What a bundle says of signals: the proof of every distinct plan, and its matrices and times in full."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from intergreen.envs.errors import InputError
from intergreen.envs.network.turnarounds import turns_about_beside_others
from intergreen.envs.protocol import protocol_by_name
from intergreen.envs.signals.stated import timing_stated
from intergreen.envs.verification import distinct_models, verify

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from intergreen.agents.progress import Progress
    from intergreen.envs.arrays import BoolArray, IntArray
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.signals import SignalPlan
    from intergreen.envs.signals.model import SignalModel
    from intergreen.envs.signals.monitor_card import MonitorCard
    from intergreen.envs.verification import PlanProof

REFERENCE_JUNCTIONS = ("single", "town")  # of three, four and five legs: for a policy that belongs to no network
_PER_MOVEMENT = ("yellow", "longest_yellow", "min_green", "max_green", "red_revert", "longest_wait")


class Junctions(Protocol):
    """A network by its name, as scenarios are."""

    @property
    def name(self) -> str: ...

    @property
    def network(self) -> RoadNetwork: ...


class Proved(NamedTuple):
    """One plan, and where it was met first."""

    junctions: Junctions
    protocol: str
    plan: SignalPlan
    found: PlanProof


def prove_every_plan(
    junctions: Sequence[Junctions], protocols: Sequence[str], *, progress: Progress | None = None
) -> Iterator[Proved]:
    """Every plan that differs from those before it, proved."""
    known: set[str] = set()
    pairs = [(one, name) for one in junctions for name in protocols]
    for number, (one, name) in enumerate(pairs):
        plan = protocol_by_name(name).plan(one.network)

        def tell(share: float, words: str, number: int = number, name: str = name) -> None:
            if progress is not None:
                progress((number + share) / len(pairs), f"{name}: {words}")

        for found in verify(one.network, plan, known=known, progress=tell):
            known.add(found.proof.plan_hash)
            yield Proved(one, name, plan, found)


def proof_stated(proved: Proved) -> dict[str, Any]:
    """A row of `proof.json`."""
    proof = proved.found.proof
    return {
        "network": proved.junctions.name,
        "protocol": proved.protocol,
        "holds": proof.holds,
        "plan_hash": proof.plan_hash,
        "result_hash": proof.result_hash,
        "states": proof.states,
        "transitions": proof.transitions,
        "longest_wait_s": proof.longest_wait_s,
        "slowest_phase_s": proof.slowest_phase_s,
    }


def proofs_of(junctions: Sequence[Junctions], protocols: Sequence[str]) -> list[dict[str, Any]]:
    """One object for every plan that differs, in the order in which they are met.

    Raises
    ------
    InputError
        If a plan is not safe.
    """
    rows = []
    for proved in prove_every_plan(junctions, protocols):
        violation = proved.found.proof.violation
        if violation is not None:
            problem = f"its signals are not safe under {proved.protocol}: {violation.what}"
            raise InputError(proved.junctions.name, "signals", problem, "see them with `intergreen verify`")
        rows.append(proof_stated(proved))
    return rows


def signals_stated(junctions: Sequence[Junctions], protocols: Sequence[str]) -> list[dict[str, Any]]:
    """Every plan that differs with its numbers; movements and phases as they are numbered at its intersections."""
    stated: dict[str, dict[str, Any]] = {}
    for one in junctions:
        network = one.network
        has_row = ~turns_about_beside_others(network)
        for name in protocols:
            plan = protocol_by_name(name).plan(network)
            for model, signals in distinct_models(network, plan):
                intersections = plan.intersection[list(signals)]
                choices = plan.choices[signals[0], : plan.n_choices[signals[0]]]
                row = {"network": one.name, "protocol": name, "timing": timing_stated(plan.timing)}
                stated.setdefault(model.hash, row | _model_stated(network, has_row, intersections, choices, model))
    return list(stated.values())


def unproved(network: RoadNetwork, plan: SignalPlan, card: MonitorCard, proved: frozenset[str]) -> list[str]:
    """Hashes of the plan's signals whose proof is not among those."""
    hashes = [model.hash for model, _ in distinct_models(network, plan, card=card)]
    return [one for one in hashes if one not in proved]


def _model_stated(
    network: RoadNetwork, has_row: BoolArray, intersections: IntArray, choices: IntArray, model: SignalModel
) -> dict[str, Any]:
    """has_row : (M,) of the network's movements, whether a policy sees them"""
    j = int(intersections[0])
    first, past = network.movement_start[j : j + 2]
    rows = [np.flatnonzero(has_row[network.movements_of(int(k))]).tolist() for k in intersections]
    return {
        "plan_hash": model.hash,
        "intersections": [network.intersection_ids[k] for k in intersections],
        "movements": [network.movement_name(m) for m in range(first, past)],
        **({"rows": rows} if any(len(row) < past - first for row in rows) else {}),  # what a policy sees, else all
        "phases": [np.flatnonzero(row).tolist() for row in network.phase_matrix(j)],
        "choices": choices.tolist(),
        "permissive": model.permissive.astype(int).tolist(),
        "intergreen_s": model.clearance.tolist(),
        **{f"{name}_s": np.asarray(getattr(model, name)).tolist() for name in _PER_MOVEMENT},
        "red_amber_s": model.red_amber,
        "startup_red_s": model.startup_s,
    }
