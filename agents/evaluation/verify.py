"""`intergreen verify`: the proofs of a scenario's signals as a table, counter-examples second by second."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from intergreen.agents.tables import TextTable, table_of
from intergreen.envs.errors import InputError
from intergreen.envs.protocol import FIELD, protocol_by_name
from intergreen.envs.signals.believed import believed_lines
from intergreen.envs.signals.conflicts import is_open_junction
from intergreen.envs.signals.machine import EVERYBODY
from intergreen.envs.signals.stated import timing_stated
from intergreen.envs.verification import verify

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from intergreen.agents.deployment.proofs import Junctions
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.scenario import Scenario
    from intergreen.envs.signals import SignalPlan
    from intergreen.envs.verification import PlanProof

_SHOWN_IDS = 3


def verify_scenario(
    scenario: Scenario,
    protocols: Sequence[str] = (),
    *,
    progress: Callable[[float, str], None] | None = None,
    pass_over: Callable[[str], None] | None = None,
) -> list[dict[str, Any]]:
    """One object for each protocol and distinct signal; without names the scenario's own protocol and the field's.

    Parameters
    ----------
    pass_over : told of each of the field's protocols that nobody named and that do not fit the signals, and why; None:
        they are refused

    Raises
    ------
    InputError
        If a name is unknown, or the signals do not fit a protocol that was named or is the scenario's own.
    """
    network = scenario.network
    names = tuple(protocols) or tuple(dict.fromkeys((scenario.default_protocol, *FIELD)))
    found = []
    for number, name in enumerate(names):
        try:
            plan = protocol_by_name(name).plan(network)
        except InputError as error:
            if pass_over is None or protocols or name == scenario.default_protocol:
                raise
            pass_over(f"{name}: not possible here: {error}")
            continue

        def tell(share: float, words: str, number: int = number, name: str = name) -> None:
            if progress is not None:
                progress((number + share) / len(names), f"{name}: {words}")

        found += [stated_proof(scenario, name, plan, one) for one in verify(network, plan, progress=tell)]
    return found


def unproved_lines(junctions: Junctions, protocol: str) -> list[str]:
    """What the proofs of a network leave to its source, a line each; the same under every protocol that fits it."""
    lines = believed_lines(protocol_by_name(protocol).plan(junctions.network), junctions.network)
    return [f"{junctions.name}: not proved: {line}" for line in lines]


def proof_table(found: Sequence[dict[str, Any]]) -> TextTable:
    """One row for every proof."""
    rows = [
        {
            "protocol": one["protocol"],
            "signals": _signals_named(one["signals"]) + (" (open junction)" if one["open_junction"] else ""),
            "phases": one["phases"],
            "movements": one["movements"],
            "states": one["states"],
            "transitions": one["transitions"],
            "seconds": f"{one['seconds']:.2f}",
            "longest wait [s]": one["longest_wait_s"],
            "any phase within [s]": one["slowest_phase_s"],
            "plan": one["plan_hash"][:12],
            "proof": "holds" if one["holds"] else one["violation"]["invariant"],
        }
        for one in found
    ]
    return table_of(f"signal safety of {found[0]['scenario']}" if found else "signal safety", rows)


def counter_example(one: dict[str, Any]) -> TextTable:
    """What the violation of a proof looks like, second by second."""
    violation = one["violation"]
    words = f"{violation['invariant']}: {violation['what']}: {' and '.join(violation['movements'])}"
    return table_of(f"{_signals_named(one['signals'])}, {one['protocol']}: {words}", violation["steps"])


def stated_proof(scenario: Junctions, protocol: str, plan: SignalPlan, one: PlanProof) -> dict[str, Any]:
    """What is printed, and written as JSON, of one proof."""
    network, proof = scenario.network, one.proof
    intersections = plan.intersection[list(one.signals)].tolist()
    return {
        "scenario": scenario.name,
        "protocol": protocol,
        "signals": [network.intersection_ids[j] for j in intersections],
        "open_junction": is_open_junction(network, intersections[0]),
        "phases": len(one.model.rules.min_green),
        "movements": one.model.n_movements,
        "states": proof.states,
        "transitions": proof.transitions,
        "seconds": proof.seconds,
        "longest_wait_s": proof.longest_wait_s,
        "slowest_phase_s": proof.slowest_phase_s,
        "holds": proof.holds,
        "plan_hash": proof.plan_hash,
        "result_hash": proof.result_hash,
        "timing": timing_stated(plan.timing),
        "violation": _violation_stated(network, one),
    }


def _violation_stated(network: RoadNetwork, one: PlanProof) -> dict[str, Any] | None:
    violation = one.proof.violation
    if violation is None:
        return None
    return {
        "invariant": violation.invariant,
        "what": violation.what,
        "movements": [network.movement_name(m) for m in violation.movements],
        "steps": [
            {
                "second": step.second,
                "wish": step.wish,
                "calls": _caller_named(network, step.caller),
                "overdue": "yes" if step.is_overdue else "",
                "display": step.aspects,
            }
            for step in violation.steps
        ],
    }


def _caller_named(network: RoadNetwork, caller: int) -> str:
    return {-1: "-", EVERYBODY: "everybody"}.get(caller) or network.movement_name(caller)


def _signals_named(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - _SHOWN_IDS} more" if len(ids) > _SHOWN_IDS else ""
    return ", ".join(ids[:_SHOWN_IDS]) + more
