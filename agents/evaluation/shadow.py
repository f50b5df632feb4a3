"""A shadow run: a policy beside a controller that stays in charge, asked at each decision, never heard.

The first step that a road authority can accept. The run in charge is that of `evaluate`, to the last digit.

`shadow` gives the object that `evaluate --json` writes for the controller in charge, and these keys more:

    policy       the shadow's name
    faults       of the detectors, on both sides, and of the policy
    asked        how the policy was told of the signals: "the protocol's own signals", or "a programme of its own", see
                 `shadow_watch`
    shadow       decisions           of all signals and seeds
                 agree               share in which both ask for the same phase
                 changes_shown, changes_wanted   share in which the one in charge changes the phase, the policy would
                 no_choice_shown     share in which the phase shown is none that the protocol lets a policy choose
                 waiting_shown_veh, waiting_wanted_veh   mean of the vehicles that stand where the phase gives green
                 serves_more, serves_fewer   share in which the policy's phase has more, or fewer, of them
                 signals             the same for every signal, worst agreement first
                 rungs               rung → share of the decisions; none for a policy without a ladder
                 rung_changes        second, seed, signal, before, after, reason
    estimate     from_log            delay_s (mean, ci95, per_seed) and what was resampled, see `shadow_estimate`
                 counterfactual      metric → in_charge, policy, difference (mean, ci95, per_seed); null if not run
                 counterfactual_safety   of that second run, as under `safety`; null if not run
                 same_sign           does the log's estimate agree with the second run's delay on who is better
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from intergreen.agents.deployment.ladder import RUNG_NAMES, Rung
from intergreen.agents.deployment.names import decider_by_name
from intergreen.agents.evaluation.compare import Cell, check_faults, comparison_cells, is_same_controller
from intergreen.agents.evaluation.run import evaluate
from intergreen.agents.evaluation.shadow_estimate import estimate_from_log, paired_difference, same_sign
from intergreen.agents.evaluation.shadow_watch import Shadow, Watched
from intergreen.agents.progress import part_of
from intergreen.envs.errors import InputError
from intergreen.envs.fault_kinds import DetectorFault
from intergreen.envs.signals import OwnClearance
from intergreen.envs.simulators import NATIVE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from intergreen.agents.progress import Progress
    from intergreen.envs.arrays import BoolArray
    from intergreen.envs.fault_file import FaultList
    from intergreen.envs.signals import SignalPlan
    from intergreen.envs.simulation.sumo_world import SumoSettings

OWN_PROGRAMME = "a programme of its own"
SAME_RULES = "the protocol's own signals"


class Pair(NamedTuple):
    """Who is in charge and who stands beside, on one scenario under one protocol."""

    in_charge: Cell
    policy: Cell

    @property
    def signals(self) -> list[str]:
        """Names of the intersections, in the order of the plan."""
        network = self.in_charge.scenario.network
        return [network.intersection_ids[j] for j in network.signalled]


def shadow_pair(
    policy: str,
    scenario: str,
    *,
    in_charge: str,
    protocol_name: str | None = None,
    drop_invalid_routes: bool = False,
    faults: FaultList | None = None,
    simulator: str = NATIVE,
    sumo: SumoSettings | None = None,
) -> Pair:
    """Resolve all names and read all files, before any run.

    Parameters
    ----------
    faults : of the detectors, which both sides see through, and of the policy that looks on

    Raises
    ------
    InputError
        If a name or a file is wrong, both are the same, one or a fault does not fit, or a signal is not safe.
    """
    if is_same_controller(in_charge, policy):
        problem = f"{in_charge!r} would be the shadow of itself"
        raise InputError("command line", "--in-charge", problem, "name another controller")
    cells = comparison_cells(
        [scenario],
        [in_charge, policy],
        protocol_name=protocol_name,
        drop_invalid_routes=drop_invalid_routes,
        simulator=simulator,
        sumo=sumo,
    )
    pair = Pair(*cells)
    if faults is None:
        return pair
    check_faults(faults, pair.policy)
    of_detectors = tuple(fault for fault in faults.faults if isinstance(fault, DetectorFault))
    return Pair(replace(pair.in_charge, faults=of_detectors), replace(pair.policy, faults=faults.faults))


def shadow(
    pair: Pair,
    *,
    seeds: Sequence[int],
    threads: int = 1,
    horizon_s: int | None = None,
    counterfactual: bool = True,
    progress: Progress | None = None,
) -> tuple[dict[str, Any], list[Watched]]:
    """Run the controller in charge with the policy beside it; with `counterfactual`, the policy in charge as well.

    Returns the object above, and what was seen at each decision, for the log.
    """
    scenario, protocol = pair.in_charge.scenario, pair.in_charge.protocol
    in_charge, policy = decider_by_name(pair.in_charge.controller_name), decider_by_name(pair.policy.controller_name)
    plan = protocol.plan(scenario.network, own_clearance=in_charge.own_clearance)
    onlooker = Shadow(scenario, policy, protocol, plan, pair.policy.faults)
    runs, titles = 2 if counterfactual else 1, (pair.in_charge.controller_title, pair.policy.controller_title)
    settings: dict[str, Any] = {
        "seeds": seeds,
        "threads": threads,
        "horizon_s": horizon_s,
        "simulator": pair.in_charge.simulator,
        "sumo": pair.in_charge.sumo,
    }
    result = evaluate(
        scenario,
        in_charge,
        protocol,
        **settings,
        faults=pair.in_charge.faults,
        onlooker=onlooker,
        progress=part_of(progress, 0, runs, f"{titles[0]}, {titles[1]} beside it"),
    )
    other = None
    if counterfactual:
        fresh, part = decider_by_name(pair.policy.controller_name), part_of(progress, 1, runs, titles[1])
        other = evaluate(scenario, fresh, protocol, **settings, faults=pair.policy.faults, progress=part)
    watched = onlooker.watched
    result["policy"] = titles[1]
    result["faults"] = [fault.stated() for fault in pair.policy.faults]
    result["asked"] = OWN_PROGRAMME if isinstance(plan.timing, OwnClearance) else SAME_RULES
    result["shadow"] = _seen(watched, pair.signals, protocol.plan(scenario.network))
    result["estimate"] = _estimates(watched, result, other, protocol.interval_s, scenario.fixed_demand)
    return pair.in_charge.titled(result), watched


def faulty_runs(result: dict[str, Any]) -> list[dict[str, Any]]:
    """What `finish` looks at: the run in charge, and the second one where there was one."""
    second = result["estimate"]["counterfactual_safety"]
    runs = [result]
    if second is not None:
        runs.append({"scenario": result["scenario"], "controller": result["policy"], "safety": second})
    return runs


def _estimates(
    watched: Sequence[Watched],
    result: dict[str, Any],
    other: dict[str, Any] | None,
    interval_s: int,
    same_trips: bool,
) -> dict[str, Any]:
    from_log = estimate_from_log(watched, interval_s, same_trips=same_trips)
    found = None if other is None else paired_difference(result, other)
    agrees = None if found is None else same_sign(from_log["delay_s"]["mean"], found["delay_s"]["difference"]["mean"])
    return {
        "from_log": from_log,
        "counterfactual": found,
        "counterfactual_safety": None if other is None else other["safety"],
        "same_sign": agrees,
    }


def _seen(watched: Sequence[Watched], signals: Sequence[str], plan: SignalPlan) -> dict[str, Any]:
    every = slice(None)
    by_signal = [{"signal": name} | _shares(watched, slice(i, i + 1), plan) for i, name in enumerate(signals)]
    by_signal.sort(key=lambda one: one["agree"])
    ladders = [one.rung for one in watched if one.rung is not None]
    rungs = Counter(np.concatenate([rung.ravel() for rung in ladders]).tolist()) if ladders else Counter()
    return _shares(watched, every, plan) | {
        "signals": by_signal,
        "rungs": {RUNG_NAMES[Rung(rung)]: count / rungs.total() for rung, count in sorted(rungs.items())},
        "rung_changes": [change for one in watched for change in _rung_changes(one, signals)],
    }


def _shares(watched: Sequence[Watched], mine: slice, plan: SignalPlan) -> dict[str, Any]:
    """Of all decisions of the signals `mine`."""

    def mean(parts: Sequence[np.ndarray]) -> float:
        values = np.concatenate([part[:, :, mine].ravel() for part in parts])
        return float(values.mean()) if values.size else 0.0

    more = [one.wanted.waiting - one.shown.waiting for one in watched]
    return {
        "decisions": sum(one.shown.phase[:, :, mine].size for one in watched),
        "agree": mean([one.shown.phase == one.wanted.phase for one in watched]),
        "changes_shown": mean([one.shown.phase != one.present for one in watched]),
        "changes_wanted": mean([one.wanted.phase != one.present for one in watched]),
        "no_choice_shown": mean([_is_no_choice(one.shown.phase, plan) for one in watched]),
        "waiting_shown_veh": mean([one.shown.waiting for one in watched]),
        "waiting_wanted_veh": mean([one.wanted.waiting for one in watched]),
        "serves_more": mean([gain > 0 for gain in more]),
        "serves_fewer": mean([gain < 0 for gain in more]),
    }


def _is_no_choice(phase: np.ndarray, plan: SignalPlan) -> BoolArray:
    chosen = plan.is_choice[np.arange(plan.n_signals), np.maximum(phase, 0)]
    return np.asarray(~chosen & (phase >= 0))


def _rung_changes(watched: Watched, signals: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {
            "second": one.time_s,
            "seed": watched.seeds[one.replica],
            "signal": signals[one.signal],
            "before": RUNG_NAMES[one.before],
            "after": RUNG_NAMES[one.after],
            "reason": one.reason,
        }
        for one in watched.rung_changes
    ]
