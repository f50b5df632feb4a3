"""The trainings behind the controllers of a comparison, as their folders tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from intergreen.agents.controllers.registry import policy_names, run_folder
from intergreen.agents.controllers.run_folder import RUN, read_log, read_run
from intergreen.agents.evaluation.pages.charts import Curve

_ENDINGS = (":best", ":last")


class Learnt(NamedTuple):
    """Learning curves, and what baselines reach on the trips of the evaluations where all trainings have the same."""

    curves: list[Curve]
    baselines: dict[str, float]


def learnt(controllers: Sequence[tuple[int, str, str]]) -> Learnt:
    """Curves of those controllers that are trainings: number, what the user called it, its name in the results."""
    curves, baselines = [], []
    for number, asked, name in controllers:
        run = asked.removesuffix(_ENDINGS[0]).removesuffix(_ENDINGS[1])
        if run not in policy_names() and not (Path(run) / RUN).is_file():
            continue
        with run_folder(run) as folder:
            told = _told(folder, number, name)
        curves.append(told[0])
        baselines.append(told[1])
    agree = all(one == baselines[0] for one in baselines)
    return Learnt(curves, baselines[0] if baselines and agree else {})


def _told(folder: Path, number: int, name: str) -> tuple[Curve, dict[str, float]]:
    run = read_run(folder)
    rows = read_log(folder, up_to_steps=int(run.get("outcome", {}).get("steps", 0)))
    judged = [row for row in rows if row.get("evaluation_travel_time_s")]
    minutes = tuple(float(row["minutes"]) for row in judged)
    curve = Curve(name, number, minutes, tuple(float(row["evaluation_travel_time_s"]) for row in judged))
    return curve, _baselines(run)


def _baselines(run: Mapping[str, Any]) -> dict[str, float]:
    stated = run.get("evaluation", {}).get("baselines", {})
    return {name: float(np.mean(list(by_scenario.values()))) for name, by_scenario in stated.items() if by_scenario}
