"""A page that plays recorded runs: one, or two side by side under the same trips."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from intergreen.agents.deployment.names import decider_by_name
from intergreen.agents.evaluation.pages.assemble import page
from intergreen.agents.evaluation.pages.codec import pack
from intergreen.agents.evaluation.pages.film import Film
from intergreen.agents.evaluation.pages.trajectories import QUANTUM_M
from intergreen.agents.evaluation.pages.world import world_arrays, world_facts
from intergreen.agents.evaluation.run import evaluate
from intergreen.agents.progress import Progress, part_of
from intergreen.envs.signals.state import INTERVENTIONS

if TYPE_CHECKING:
    from intergreen.agents.evaluation.compare import Cell
    from intergreen.agents.evaluation.pages.events import Events
    from intergreen.envs.arrays import IntArray

_SCRIPTS = (
    "unpack.js",
    "theme.js",
    "world.js",
    "traffic.js",
    "events.js",
    "signals.js",
    "map.js",
    "charts.js",
    "panel.js",
    "player.js",
)
_SHOWN_SERIES = ("average_travel_time_s", "halted_veh", "waiting_outside_veh")


class Take(NamedTuple):
    """One controller's run: its result as `evaluate --json` has it, and its film."""

    cell: Cell
    result: dict[str, Any]
    film: Film


def film_cells(
    cells: Sequence[Cell], *, seed: int, horizon_s: int | None = None, progress: Progress | None = None
) -> list[Take]:
    """Run every cell on the trips of one seed and film it; the numbers are those of `evaluate`."""
    takes = []
    for number, cell in enumerate(cells):
        film = Film()
        result = evaluate(
            cell.scenario,
            decider_by_name(cell.controller_name),
            cell.protocol,
            seeds=[seed],
            horizon_s=horizon_s,
            faults=cell.faults,
            progress=part_of(progress, number, len(cells), cell.controller_title),
            onlooker=film,
            look_every_s=1,
        )
        takes.append(Take(cell, cell.titled(result), film))
    return takes


def replay_page(takes: Sequence[Take]) -> str:
    """The page for takes of one scenario, protocol and seed."""
    cell, result, _ = takes[0]
    network, plan = cell.scenario.network, cell.protocol.plan(cell.scenario.network)
    horizon_s = int(result["horizon_s"])
    signals = "1 signal" if plan.n_signals == 1 else f"{plan.n_signals} signals"
    setting = f"{cell.protocol.name} · seed {result['seeds'][0]} · {signals} · {horizon_s} s"
    facts = {
        "title": cell.scenario.name,
        "setting": setting,
        "horizon_s": horizon_s,
        "quantum_m": QUANTUM_M,
        "interventions": list(INTERVENTIONS),
        "vehicle_length_m": [round(float(length), 2) for length in takes[0].film.vehicle_length_m],
        "films": [_film_facts(take) for take in takes],
        **world_facts(network, plan),
    }
    data = {"world": pack(world_arrays(network, plan))}
    data |= {f"film-{k}": pack_film(take.film) for k, take in enumerate(takes)}
    names = " and ".join(take.result["controller"] for take in takes)
    return page(
        "replay.html",
        title=f"{cell.scenario.name}: {names}",
        styles=("theme.css", "replay.css"),
        scripts=_SCRIPTS,
        facts=facts,
        data=data,
    )


def pack_film(film: Film) -> str:
    """Trajectories and events of a film, packed; points as steps from one to the next."""
    kept = film.trajectories.kept()
    first = kept.point_start[:-1]
    arrays: dict[str, IntArray] = {
        "trip": kept.trip,
        "kind": film.kind[kept.trip],
        "way_size": np.diff(kept.way_start),
        "way": kept.way,
        "points": np.diff(kept.point_start),
        "begins_s": kept.time_s[first],
        "along_begin": kept.along[first],
        "step_s": _steps(kept.time_s, first),
        "step": _steps(kept.along, first),
    }
    streams = {
        "shown": film.signals.shown(),
        "wish": film.signals.wished(),
        "overruled": film.signals.interventions(),
        "queue": film.signals.queues(),
    }
    for name, events in streams.items():
        arrays |= _named(name, events)
    return pack(arrays, ascending=("begins_s", *(f"{name}_time_s" for name in streams)))


def _film_facts(take: Take) -> dict[str, Any]:
    film = take.film
    series = {name: [round(v, 1) if math.isfinite(v) else None for v in film.series[name]] for name in _SHOWN_SERIES}
    return {
        "name": take.result["controller"],
        "displays": [[display.phase, list(display.aspects)] for display in film.signals.displays],
        "series": {"t": film.series_t, **series},
    }


def _steps(values: IntArray, first: IntArray) -> IntArray:
    """Differences to the point before; 0 at the first point of each piece."""
    steps: IntArray = np.diff(values, prepend=0).astype(np.int32)
    steps[first] = 0
    return steps


def _named(name: str, events: Events) -> dict[str, IntArray]:
    return {f"{name}_{column}": values for column, values in events._asdict().items()}
