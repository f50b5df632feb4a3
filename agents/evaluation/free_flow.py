"""The free-flow bound of a scenario: every trip alone, all green, in the object that `evaluate --json` writes.

Every number is the one that a run with this travel would have given: the same trips, the same metrics, cut at the same
horizon. Nobody meets anybody, so nothing waits, and signals, protocol and failing detectors have no part in it.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from intergreen.agents.evaluation.fallback import FallbackRecord
from intergreen.agents.evaluation.metrics import metrics_of, series_row
from intergreen.agents.evaluation.safety import safety_of
from intergreen.agents.evaluation.statistics import summarise_all
from intergreen.envs.signals.state import N_INTERVENTIONS
from intergreen.envs.signals.stated import timing_stated
from intergreen.envs.simulation import Totals
from intergreen.envs.simulation.alone import AloneTrips, drive_alone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from intergreen.agents.progress import Progress
    from intergreen.envs.arrays import FloatArray
    from intergreen.envs.demand import Demand, Trips
    from intergreen.envs.protocol import Protocol
    from intergreen.envs.scenario import Scenario


PUBLISHED_FOLLOWED_S = 900  # it seems so: with any length from 890 to 940 s all figures of others come out


def alone_as_published(scenario: Scenario, *, horizon_s: int, followed_s: int = PUBLISHED_FOLLOWED_S) -> AloneTrips:
    """Each of the scenario's N trips alone as published bounds have it: none is followed for longer than `followed_s`.

    What they print are the means over (N,) of `travel_s` and of `approach_span_s`, in seconds.
    """
    trips = scenario.trips(0)
    # Who drives alone is only cut sooner for being released later.
    late_s = np.maximum(trips.release_s, horizon_s - followed_s).astype(np.int32)
    return drive_alone(scenario.network, scenario.demand, replace(trips, release_s=late_s), horizon_s=horizon_s)


def free_flow(
    scenario: Scenario,
    protocol: Protocol,
    *,
    seeds: Sequence[int],
    horizon_s: int,
    marks_s: Sequence[int],
    progress: Progress | None = None,
) -> dict[str, Any]:
    """The bound, per seed; `marks_s` are the seconds of the series."""
    plan, demand = protocol.plan(scenario.network), scenario.demand
    cpu, wall = time.process_time(), time.perf_counter()
    totals, rows = [], []
    for number, seed in enumerate(seeds):
        trips = scenario.trips(seed, horizon_s=horizon_s)
        alone = drive_alone(scenario.network, demand, trips, horizon_s=horizon_s)
        totals.append(totals_of(alone, trips, demand))
        rows.append([series_row(_totals_at(alone, trips, demand, mark)) for mark in marks_s])
        if progress is not None:
            progress((number + 1) / len(seeds), f"seed {seed}")
    metrics = metrics_of(_joined(totals), horizon_s=horizon_s)
    hours = len(seeds) * horizon_s / 3600.0
    return {
        "metrics": summarise_all(metrics),
        "series": {
            "t": list(marks_s),
            **{name: [[float(seed[k][name][0]) for seed in rows] for k in range(len(marks_s))]
               for name in series_row(totals[0])},
        },
        "safety": safety_of(plan, scenario.network, seeds, [], np.zeros(N_INTERVENTIONS, np.int32), hours=hours),
        "fallback": FallbackRecord().stated(),
        "timing": timing_stated(plan.timing),
        "cost": {
            "vehicle_updates": int(sum(one.vehicle_updates.sum() for one in totals)),
            "cpu_s": time.process_time() - cpu,
            "wall_s": time.perf_counter() - wall,
        },
    }  # fmt: skip


def totals_of(alone: AloneTrips, trips: Trips, demand: Demand) -> Totals:
    """The sums over all trips, (1,) each."""
    occupancy = np.array([kind.occupancy for kind in demand.types])[trips.type]
    finished = int(alone.finished.sum())
    sums = {name: np.zeros(1) for name in Totals._fields} | {
        "released": _one(len(trips)),
        "entered": _one(len(trips)),
        "finished": _one(finished),
        "running": _one(len(trips) - finished),
        "sum_travel_time_s": _one(alone.travel_s.sum()),
        "total_distance_m": _one(alone.distance_m.sum()),
        "total_time_s": _one(alone.inside_s.sum()),
        "approach_vehicles": _one(alone.approached.sum()),
        "approach_time_s": _one(alone.approach_s.sum()),
        "approach_time_literature_s": _one(alone.approach_literature_s.sum()),
        "time_loss_s": _one(alone.time_loss_s.sum()),
        "person_delay_s": _one((alone.time_loss_s * occupancy).sum()),
        "persons": _one(occupancy.sum()),
        "stops": _one(alone.stops.sum()),
        "vehicle_updates": _one(alone.inside_s.sum()),
    }
    return Totals(**sums)


def _totals_at(alone: AloneTrips, trips: Trips, demand: Demand, mark_s: int) -> Totals:
    """What the series needs of the moment `mark_s`."""
    released = trips.release_s < mark_s
    so_far = np.minimum(alone.whole_travel_s, mark_s - trips.release_s)[released]
    finished = int((alone.whole_travel_s < mark_s - trips.release_s)[released].sum())
    n = int(released.sum())
    sums = {name: np.zeros(1) for name in Totals._fields} | {
        "released": _one(n),
        "running": _one(n - finished),
        "sum_travel_time_s": _one(so_far.sum()),
    }
    return Totals(**sums)


def _one(value: float) -> FloatArray:
    return np.array([value], np.float64)


def _joined(parts: Sequence[Totals]) -> Totals:
    return Totals(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
