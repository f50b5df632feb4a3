"""Proofs for whole networks: every distinct signal once, with the shield as the core has compiled it if it has."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from intergreen.envs.errors import InputError
from intergreen.envs.signals import shield
from intergreen.envs.signals.card import longest_green_s, program_card, startup_red_s
from intergreen.envs.signals.model import signal_model
from intergreen.envs.signals.proof import prove

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.signals import SignalPlan
    from intergreen.envs.signals.model import SignalModel
    from intergreen.envs.signals.monitor_card import MonitorCard
    from intergreen.envs.signals.proof import Proof, Violation

SMALL = 5  # phases of a signal that is proved whenever it is loaded: a fraction of a second
MOST_AT_LOAD = 12  # distinct signals
_proved: dict[str, Violation | None] = {}  # by the hash of what was proved, so that nothing is proved twice at load


@dataclass(frozen=True, slots=True)
class PlanProof:
    """One proof, and the signals of the network that it holds for."""

    signals: tuple[int, ...]  # indices in the plan
    model: SignalModel
    proof: Proof


def fastest_shield() -> dict[str, Callable[..., None]]:
    """`request` and `tick` as the core has compiled them; without a compiler, the plain functions."""
    try:
        from intergreen.envs.compiled_signals import compiled_shield
    except ImportError:
        return {"request": shield.request, "tick": shield.tick}
    return compiled_shield()


def distinct_models(
    network: RoadNetwork, plan: SignalPlan, *, most_phases: int | None = None, card: MonitorCard | None = None
) -> list[tuple[SignalModel, tuple[int, ...]]]:
    """Every signal, of at most so many phases, that differs from those before it, with the indices of all alike.

    card : the network's, where it is made already
    """
    if most_phases is not None and not (plan.n_phases <= most_phases).any():
        return []
    card = card or program_card(network, plan.timing)
    startup_s = startup_red_s(plan.timing)
    alike: dict[tuple[bytes, ...], tuple[SignalModel, list[int]]] = {}
    longest = longest_green_s(network, plan.timing)
    for i, (first, past) in enumerate(pairwise(card.channel_start.tolist())):
        if most_phases is not None and plan.n_phases[i] > most_phases:
            continue
        model = signal_model(plan.rules, i, card, max_green=longest[first:past], startup_s=startup_s)
        alike.setdefault(model.content, (model, []))[1].append(i)
    return [(model, tuple(signals)) for model, signals in alike.values()]


def verify(
    network: RoadNetwork,
    plan: SignalPlan,
    *,
    known: Collection[str] = (),
    progress: Callable[[float, str], None] | None = None,
) -> Iterator[PlanProof]:
    """Prove every distinct signal, one after the other, but for those whose hash is known."""
    models = [one for one in distinct_models(network, plan) if one[0].hash not in known]
    for number, (model, signals) in enumerate(models):
        if progress is not None:
            progress(number / len(models), f"{number} of {len(models)} distinct signals")
        yield PlanProof(signals, model, prove(model, **fastest_shield()))


def refuse_unsafe(network: RoadNetwork, plan: SignalPlan) -> None:
    """Prove the small signals of a plan that is about to be used, the first few that differ.

    Raises
    ------
    InputError
        With the intersection and the invariant that does not hold.
    """
    for model, signals in distinct_models(network, plan, most_phases=SMALL)[:MOST_AT_LOAD]:
        if model.hash not in _proved:
            _proved[model.hash] = prove(model, **fastest_shield()).violation
        violation = _proved[model.hash]
        if violation is not None:
            where = f"intersection '{network.intersection_ids[plan.intersection[signals[0]]]}'"
            problem = f"its signal is not safe: {violation.invariant}, {violation.what}"
            raise InputError(network.name, where, problem, "see it second by second with `intergreen verify`")
