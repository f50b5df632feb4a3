"""One evaluation: a controller on a scenario under a protocol, all seeds as replicas of a batch.

Gives the object that `evaluate --json` writes; how a batch is run stands in `batch.py`.
"""

from __future__ import annotations

import logging
import math
import resource
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from intergreen.agents.controllers.base import Breakable, Controller, check_controller
from intergreen.agents.controllers.free_flow import FreeFlow
from intergreen.agents.evaluation.batch import SERIES_STEP_S, BatchRecord, BatchRun, Cost, Workshop
from intergreen.agents.evaluation.fallback import FallbackRecord
from intergreen.agents.evaluation.free_flow import free_flow
from intergreen.agents.evaluation.metrics import SERIES
from intergreen.agents.evaluation.safety import safety_of
from intergreen.agents.evaluation.statistics import json_number, summarise_all
from intergreen.agents.progress import part_of
from intergreen.agents.versions import versions_of
from intergreen.envs.errors import InputError
from intergreen.envs.fault_file import read_faults
from intergreen.envs.fault_kinds import DetectorFault, Fault, PolicyFault
from intergreen.envs.network import require_signals
from intergreen.envs.protocol import checked_seconds
from intergreen.envs.signals.believed import junctions_believed
from intergreen.envs.signals.stated import timing_stated
from intergreen.envs.simulators import NATIVE, SUMO, Simulator, simulator_name

if TYPE_CHECKING:
    from intergreen.agents.evaluation.onlooker import Onlooker
    from intergreen.agents.progress import Progress
    from intergreen.envs.arrays import FloatArray
    from intergreen.envs.demand import Trips
    from intergreen.envs.network import RoadNetwork
    from intergreen.envs.protocol import Protocol
    from intergreen.envs.scenario import Scenario
    from intergreen.envs.simulation.sumo_world import SumoSettings

_LOG = logging.getLogger(__name__)
_BATCH_BYTES = 5e8  # of simulator state at once


def evaluate(
    scenario: Scenario,
    controller: Controller,
    protocol: Protocol,
    *,
    seeds: Sequence[int],
    threads: int = 1,
    horizon_s: int | None = None,
    faults: str | Path | Sequence[Fault] = (),
    simulator: Simulator = NATIVE,
    sumo: SumoSettings | None = None,
    progress: Progress | None = None,
    onlooker: Onlooker | None = None,
    look_every_s: int | None = None,
    workshop: Workshop | None = None,
) -> dict[str, Any]:
    """Run `controller` once per seed and report metrics, series, safety and cost.

    Parameters
    ----------
    seeds : at least one; a scenario with its own fixed demand drives the same trips for all of them
    threads : over which the replicas are spread, in SUMO how many run at once; the numbers do not depend on it
    horizon_s : seconds to run; None: the scenario's
    faults : of detectors, which the controller then sees through as readings, and of the policy; or the name of a list
        of them, or its file, as `intergreen.envs.fault_file` reads them
    simulator : a name of `intergreen.envs.simulators`, or what makes a core of one's own
    sumo : settings of SUMO, where that is the simulator
    progress : called as the run goes on
    onlooker : sees the run at every decision of the protocol; the numbers do not depend on it
    look_every_s : so often instead
    workshop : kept between calls that differ in seeds or controllers, it saves making the same things again

    Raises
    ------
    InputError
        If there is no signal, nobody departs before the horizon, a fault names a lane that the network does not have,
        or the simulator is not there.
    SimulationError
        If SUMO fails in the middle of a run.
    TypeError, ValueError
        If the controller is none, see `check_controller`, or answers with something else than a phase for every signal;
        if scenario or protocol are names, seeds are no whole numbers >= 0 or one stands there twice, or the horizon no
        whole seconds >= 1.
    """
    seeds = _checked_seeds(seeds)
    _refuse_names(scenario, protocol)
    require_signals(scenario.network, scenario.name, mend="use another network")
    check_controller(controller)
    listed = read_faults(faults).faults if isinstance(faults, str | Path) else faults
    break_policy(controller, [fault for fault in listed if isinstance(fault, PolicyFault)])
    horizon_s = checked_seconds("horizon_s", scenario.horizon_s if horizon_s is None else horizon_s)
    if threads < 1:
        raise ValueError(f"need threads >= 1, got {threads}")
    workshop = workshop or Workshop()
    trips = _trips_of(scenario, seeds, horizon_s, workshop)
    if isinstance(controller, FreeFlow):
        _refuse_beside_bound(simulator, onlooker)
        return _bound(scenario, protocol, seeds, horizon_s, listed, progress)
    rules = scenario, protocol, controller.own_clearance
    plan = workshop.kept("plan", rules, lambda: protocol.plan(scenario.network, own_clearance=controller.own_clearance))
    junctions = workshop.kept("junctions", rules, lambda: junctions_believed(plan, scenario.network))
    broken = [fault for fault in listed if isinstance(fault, DetectorFault)]
    cost, fallback = Cost(), FallbackRecord()
    records = []
    batches = _batches(scenario.network, trips, threads, simulator)
    seen_by = onlooker, look_every_s or protocol.interval_s
    for number, batch in enumerate(batches):
        run = BatchRun(
            scenario, controller, protocol, plan, horizon_s, threads, cost, broken, *seen_by, workshop, simulator, sumo
        )
        mine = [seeds[b] for b in batch], [trips[b] for b in batch]
        records.append(run.batch(*mine, batch[0], part_of(progress, number, len(batches), "")))
        fallback.add(controller, plan, scenario.network, mine[0])
    locked = [seed for seed, is_so in zip(seeds, np.concatenate([one.locked for one in records]), strict=True) if is_so]
    if locked:
        _LOG.warning(
            "%s: %s: traffic has locked with seed %s: hardly anybody arrives any more, and nearly all stand",
            scenario.name,
            controller.name,
            ", ".join(map(str, locked)),
        )
    return {
        **_what_ran(scenario, controller.name, protocol, simulator, horizon_s, seeds, listed),
        "metrics": summarise_all(_joined([record.metrics for record in records])),
        "series": _series(records),
        "safety": safety_of(
            plan,
            scenario.network,
            seeds,
            [fault for record in records for fault in record.faults],
            sum(record.interventions for record in records),  # type: ignore[arg-type]
            hours=len(seeds) * horizon_s / 3600.0,
            junctions=junctions,
        )
        | {name: sum(record.incidents[name] for record in records) for name in records[0].incidents},
        "fallback": fallback.stated(),
        "timing": timing_stated(plan.timing),
        "cost": {
            "vehicle_updates": sum(record.vehicle_updates for record in records),
            "cpu_s": cost.cpu_s,
            "wall_s": cost.wall_s,
            "peak_memory_mb": peak_memory_mb(),
        },
        "versions": versions_of("intergreen", "numpy", "numba", "libsumo") if simulator == SUMO else versions(),
    }


def _checked_seeds(seeds: Sequence[int]) -> list[int]:
    """As plain numbers; those of NumPy do as well."""
    array = np.asarray(seeds)
    if array.ndim != 1 or array.size == 0 or array.dtype.kind not in "iu" or array.min() < 0:
        raise ValueError(f"need at least one seed, all whole numbers >= 0, as in seeds=[0, 1], got {seeds!r}")
    chosen: list[int] = array.tolist()
    if len(set(chosen)) < len(chosen):  # it would count twice, and make the interval of the mean narrower than it is
        raise ValueError(f"need different seeds, got {seeds!r}, which names one twice")
    return chosen


def _refuse_names(scenario: object, protocol: object) -> None:
    if isinstance(scenario, str | Path):
        raise TypeError(f"need a scenario that has been loaded: load_scenario({str(scenario)!r})")
    if isinstance(protocol, str):
        raise TypeError(f"need a protocol, not its name: protocol_by_name({protocol!r})")


def _trips_of(scenario: Scenario, seeds: Sequence[int], horizon_s: int, workshop: Workshop) -> list[Trips]:
    """The trips of every seed."""
    if horizon_s > scenario.horizon_s and math.isfinite(scenario.sumo_window_s[1]):
        rest = f"{horizon_s - scenario.horizon_s} s of the {horizon_s} to run lie behind its <end>"
        _LOG.warning("%s: nobody departs any more: %s; write a later one into the configuration", scenario.name, rest)
    trips = [workshop.kept(f"trips {seed}", (scenario, horizon_s), partial(scenario.trips, seed, horizon_s=horizon_s))
             for seed in seeds]  # fmt: skip
    if not any(len(one) for one in trips):
        problem = f"nobody departs before {horizon_s} s"
        raise InputError(scenario.name, "demand", problem, "run longer (--horizon), or let flows begin earlier")
    return trips


def _refuse_beside_bound(simulator: Simulator, onlooker: Onlooker | None) -> None:
    if simulator != NATIVE:
        problem = f"is worked out with native drivers, not with those of {simulator_name(simulator)}"
        raise InputError("command line", FreeFlow.name, problem, "leave it out, or use --simulator native")
    if onlooker is not None:
        problem = "is a bound: no signal changes there and nobody is in anybody's way, so there is nothing to see"
        raise InputError("command line", FreeFlow.name, problem, "name a controller, or use evaluate or compare")


def _what_ran(
    scenario: Scenario,
    controller: str,
    protocol: Protocol,
    simulator: Simulator,
    horizon_s: int,
    seeds: Sequence[int],
    faults: Sequence[Fault],
) -> dict[str, Any]:
    """The keys that every result begins with."""
    return {
        "scenario": scenario.name,
        "controller": controller,
        "protocol": protocol.name,
        "simulator": simulator_name(simulator),
        "horizon_s": horizon_s,
        "seeds": [int(seed) for seed in seeds],
        "dropped_flows": scenario.demand.dropped_flows,
        "faults": [fault.stated() for fault in faults],
    }


def _bound(
    scenario: Scenario,
    protocol: Protocol,
    seeds: Sequence[int],
    horizon_s: int,
    faults: Sequence[Fault],
    progress: Progress | None,
) -> dict[str, Any]:
    """The free-flow bound in the place of a controller's run."""
    marks_s = [*range(SERIES_STEP_S, horizon_s, SERIES_STEP_S), horizon_s]
    bound = free_flow(scenario, protocol, seeds=seeds, horizon_s=horizon_s, marks_s=marks_s, progress=progress)
    bound["cost"]["peak_memory_mb"] = peak_memory_mb()
    return {
        **_what_ran(scenario, FreeFlow.name, protocol, NATIVE, horizon_s, seeds, faults),
        **bound,
        "versions": versions(),
    }


def break_policy(controller: Controller, faults: Sequence[PolicyFault]) -> None:
    """Let the controller's policy fail in these ways."""
    if isinstance(controller, Breakable):
        controller.break_policy(faults)
    elif faults:
        raise ValueError(f"{controller.name} has no policy that could fail: {faults[0].kind} has no meaning for it")


def peak_memory_mb() -> float:
    """Highest resident memory of this process so far, MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)  # macOS counts bytes, Linux kilobytes


def versions() -> dict[str, str]:
    """Versions that the numbers of a run depend on."""
    return versions_of("intergreen", "numpy", "numba")


def _batches(network: RoadNetwork, trips: Sequence[Trips], threads: int, simulator: Simulator) -> list[range]:
    """Replicas in batches that fit the memory we allow, whole rounds of the threads where that is possible; in other
    simulators as many at once as there are threads."""
    if simulator != NATIVE:
        return [range(first, min(first + threads, len(trips))) for first in range(0, len(trips), threads)]
    n_trips = max(len(one) for one in trips)
    vehicles_that_fit = network.lane_length_m.sum() / 7.5  # 5 m and a gap of 2.5 m
    replica_bytes = 120 * vehicles_that_fit + 100 * n_trips  # arrays per slot, two slots a vehicle, and per trip
    size = max(1, int(_BATCH_BYTES / replica_bytes))
    size = size // threads * threads or size
    return [range(first, min(first + size, len(trips))) for first in range(0, len(trips), size)]


def _joined(parts: list[dict[str, FloatArray]]) -> dict[str, FloatArray]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _series(records: list[BatchRecord]) -> dict[str, Any]:
    """`t` and, for each key, one list per time with the values of all seeds."""
    series: dict[str, Any] = {"t": records[0].series_t}
    for name in SERIES:
        blocks = [np.array([row[name] for row in record.series]) for record in records]  # (T, B) each
        rows = np.concatenate(blocks, axis=-1) if records[0].series_t else np.empty((0, 0))
        series[name] = [[json_number(value) for value in row] for row in rows]
    return series
