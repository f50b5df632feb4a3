"""How fast and how surely a recipe learns: one training per seed, their curves, and what the finished policies reach.

A curve is what the training's own evaluations saw, on trips that nobody trains on. The finished policies then drive
seeds 0 to 9 of the scenario, on which nobody trains or judges either. Seconds are those of this machine: `training_s`
are the budget's, which stand still while a policy is evaluated; `wall_s` is the whole call of a training, with
compiling where that was still to be done, the baselines' runs and the evaluations.
"""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from intergreen.agents.controllers import controller_by_name
from intergreen.agents.controllers.run_folder import RUN, read_log, read_run
from intergreen.agents.evaluation.picture import COLOURS
from intergreen.agents.evaluation.report import seed_text
from intergreen.agents.evaluation.run import evaluate
from intergreen.agents.evaluation.statistics import summarise
from intergreen.agents.learning.prepare import Training, prepare
from intergreen.agents.learning.recipe import Recipe, read_recipe
from intergreen.agents.learning.train import train
from intergreen.agents.progress import Progress, part_of
from intergreen.agents.tables import TextTable, cell_text, table_of
from intergreen.envs.arrays import FloatArray
from intergreen.envs.errors import InputError
from intergreen.envs.files import replacing, write_json, write_text
from intergreen.envs.protocol import protocol_by_name

BASELINES = ("max-pressure", "advanced-max-pressure")
EVALUATE_EVERY_S = 1.0  # of training; evaluating is not counted
TEST_SEEDS = range(10)
RUNS, WALL, CURVES, PICTURE = "runs", "wall_s.json", "learning_curve.csv", "learning_curve.png"
_ANOTHER = "name another --report folder, or ask for the same"

Result = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Task:
    """The training of one seed; nothing is left to do where it is finished."""

    seed: int
    training: Training
    is_finished: bool


@dataclass(frozen=True, slots=True)
class LearningBenchmark:
    """One training per seed, checked and ready to begin or to go on."""

    recipe_name: str
    folder: Path
    tasks: tuple[Task, ...]

    def summary(self) -> str:
        """The first training's settings, and how many there are."""
        done = sum(task.is_finished for task in self.tasks)
        seeds = seed_text([task.seed for task in self.tasks])
        trainings = f"{len(self.tasks)} trainings, seeds {seeds}, {done} finished already; the first of them:"
        return f"{trainings}\n{self.tasks[0].training.summary()}"


def prepare_learning(
    recipe_name: str, *, folder: Path, seeds: Sequence[int], minutes: float | None = None
) -> LearningBenchmark:
    """The trainings of a recipe with all seeds, below `folder`; those that were begun there before go on.

    Parameters
    ----------
    minutes : of training for each seed; None: the recipe's budget

    Raises
    ------
    InputError
        If the recipe cannot be used, or `folder` holds trainings of another one.
    """
    recipe = read_recipe(recipe_name, minutes=minutes)
    if recipe.scenario is None:
        problem = "trains on generated networks; seeds 0-9 of which scenario shall its policies drive?"
        raise InputError("command line", "--recipe", f"{recipe_name!r} {problem}", "name a recipe with a scenario")
    return LearningBenchmark(recipe_name, folder, tuple(_task(recipe_name, recipe, folder, seed) for seed in seeds))


def _task(recipe_name: str, recipe: Recipe, folder: Path, seed: int) -> Task:
    run = folder / RUNS / f"seed-{seed}"
    budget: dict[str, Any] = {"minutes": recipe.minutes, "steps": recipe.steps}
    evaluation = {**recipe.evaluation.model_dump(mode="json"), "every_s": EVALUATE_EVERY_S}
    if not (run / RUN).exists():
        return Task(seed, prepare(recipe_name, out=run, seed=seed, evaluation=evaluation, **budget), False)
    before = read_run(run)
    training = prepare(recipe_name, resume=run, seed=seed, evaluation=evaluation, **budget)
    for name, asked in budget.items():
        had = before["recipe"].get(name)
        if had != asked:
            raise InputError(run, "recipe", f"was begun with {name} {had}, now asked for {asked}", _ANOTHER)
    return Task(seed, training, bool(before.get("outcome", {}).get("finished")))


def run_learning(benchmark: LearningBenchmark, *, threads: int = 1, progress: Progress | None = None) -> Result:
    """Train what is not trained yet, read the curves, and drive the finished policies on `TEST_SEEDS`.

    Parameters
    ----------
    threads : over which the last runs are spread; the trainings have their recipe's
    """
    parts = len(benchmark.tasks) + 1
    for number, task in enumerate(benchmark.tasks):
        if not task.is_finished:
            _train(benchmark.folder, task, part_of(progress, number, parts, f"seed {task.seed}"))
    trainings = [_row_of(benchmark.folder, task) for task in benchmark.tasks]
    tested = _tested(benchmark, threads, part_of(progress, parts - 1, parts, "finished policies"))
    training = benchmark.tasks[0].training
    policies = [tested[str(task.training.folder)] for task in benchmark.tasks]
    for row, figure in zip(trainings, policies, strict=True):
        row["travel_time_s"] = round(figure, 2)
    return {
        "recipe": benchmark.recipe_name,
        "scenario": training.run["scenario"],
        "protocol": training.run["protocol"],
        "evaluation": {"seeds": training.run["evaluation"]["seeds"], **_judged_baselines(training.folder)},
        "trainings": trainings,
        "curves": {str(task.seed): curve_of(task.training.folder) for task in benchmark.tasks},
        "test": {
            "seeds": list(TEST_SEEDS),
            "policy": summarise(policies).to_json(),
            **{
                name: {"mean": tested[name], "beaten_by": sum(f < tested[name] for f in policies)} for name in BASELINES
            },
        },
        "versions": training.run["versions"],
    }


def curve_of(folder: Path) -> dict[str, list[float]]:
    """`training_s` and `travel_time_s` of every evaluation in the log of a run."""
    rows = read_log(folder, up_to_steps=read_run(folder)["outcome"]["steps"])
    judged = [row for row in rows if row.get("evaluation_travel_time_s")]
    return {
        "training_s": [round(60.0 * float(row["minutes"]), 2) for row in judged],
        "travel_time_s": [float(row["evaluation_travel_time_s"]) for row in judged],
    }


def first_below(curve: Mapping[str, Sequence[float]], figure: float) -> float | None:
    """Seconds of training at the first evaluation below the figure; None where there is none.

    >>> first_below({"training_s": [5.0, 10.0], "travel_time_s": [300.0, 200.0]}, 250.0)
    10.0
    """
    pairs = zip(curve["training_s"], curve["travel_time_s"], strict=True)
    return next((seconds for seconds, value in pairs if value < figure), None)


def median_curve(curves: Sequence[Mapping[str, Sequence[float]]]) -> tuple[FloatArray, FloatArray]:
    """Seconds and median over the curves, each read between its points on a line, where all of them have been."""
    times = np.unique(np.concatenate([np.asarray(curve["training_s"]) for curve in curves]))
    begin, end = (max(c["training_s"][0] for c in curves), min(c["training_s"][-1] for c in curves))
    times = times[(times >= begin) & (times <= end)]
    values = [np.interp(times, curve["training_s"], curve["travel_time_s"]) for curve in curves]
    return times, np.median(values, axis=0)


def learning_tables(result: Result) -> list[TextTable]:
    """The trainings one by one, and all of them beside the baselines."""
    setting = f"{result['scenario']} · {result['protocol']}"
    rows = [_baseline_row(result, name) for name in BASELINES]
    policy, number = result["test"]["policy"], len(result["trainings"])
    lower, upper = (cell_text(bound) for bound in policy["ci95"])
    interval = f"[{lower}, {upper}]" if number > 1 else "–"
    rows.append((f"{result['recipe']}, {number} trainings", cell_text(policy["mean"]), interval, "–", "–", "–"))
    headings = (
        "controller",
        "travel time [s]",
        "95 % interval over trainings",
        "beaten by",
        "evaluation below it",
        "after, median [s]",
    )
    title = f"{setting} · finished policies on seeds {seed_text(result['test']['seeds'])}"
    return [
        table_of(f"{setting} · trainings of {result['recipe']}", result["trainings"]),
        TextTable(title, headings, tuple(rows)),
    ]


def write_learning_report(result: Result, folder: Path) -> list[Path]:
    """Write `learning_curve.csv` and, where matplotlib is installed, `learning_curve.png`; returns the paths."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["seed", "training_s", "evaluation_travel_time_s"])
    for seed, curve in result["curves"].items():
        writer.writerows((seed, *point) for point in zip(curve["training_s"], curve["travel_time_s"], strict=True))
    write_text(folder / CURVES, text.getvalue())
    drawn = write_learning_png(result, folder / PICTURE)
    return [folder / CURVES, *([folder / PICTURE] if drawn else [])]


def write_learning_png(result: Result, path: Path) -> bool:
    """Write the picture to `path`; False without matplotlib or without a curve (nothing is written then)."""
    curves = [curve for curve in result["curves"].values() if curve["training_s"]]
    if not curves:
        return False
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.add_subplot()
    for number, curve in enumerate(curves):
        name = None if number else f"{result['recipe']}, one line per seed"
        axes.plot(curve["training_s"], curve["travel_time_s"], color=COLOURS[0], alpha=0.35, linewidth=0.8, label=name)
    axes.plot(*median_curve(curves), color=COLOURS[0], linewidth=2.5, label=f"median of {len(curves)} trainings")
    for number, name in enumerate(BASELINES, start=1):
        axes.axhline(result["evaluation"][name], color=COLOURS[number], linestyle="--", label=name)
    axes.set(
        title=f"{result['scenario']} · {result['protocol']} · trips nobody trains on",
        xlabel="wall time of training, evaluations not counted [s]",
        ylabel="average travel time [s]",
        xlim=(0, None),
        ylim=(0, None),
    )
    axes.legend()
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=150)
    return True


def _train(folder: Path, task: Task, progress: Progress | None) -> None:
    """Train to the end. The wall seconds are unknown (None) of a training that was once killed without a word."""
    if progress is not None:
        progress(0.0, "getting ready")
    walls = _walls(folder)
    before = walls.get(str(task.seed)) if task.training.resumed else 0.0
    write_json(folder / WALL, {**walls, str(task.seed): None})
    began = time.perf_counter()
    try:
        train(task.training, progress=progress)
    finally:
        if before is not None:
            write_json(folder / WALL, {**walls, str(task.seed): round(before + time.perf_counter() - began, 2)})


def _walls(folder: Path) -> dict[str, float | None]:
    path = folder / WALL
    try:
        walls: dict[str, float | None] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    except ValueError:
        raise InputError(path, "", "not valid JSON", "remove it; wall seconds of finished trainings are lost") from None
    return walls


def _row_of(folder: Path, task: Task) -> dict[str, Any]:
    run_folder = task.training.folder
    outcome, curve, baselines = read_run(run_folder)["outcome"], curve_of(run_folder), _judged_baselines(run_folder)
    return {
        "seed": task.seed,
        "wall_s": _walls(folder).get(str(task.seed)),
        "training_s": round(60.0 * outcome["minutes"], 2),
        "decisions": outcome["steps"],
        **{f"below_{name.replace('-', '_')}_s": first_below(curve, figure) for name, figure in baselines.items()},
        "final_evaluation_s": curve["travel_time_s"][-1] if curve["travel_time_s"] else None,
    }


def _judged_baselines(folder: Path) -> dict[str, float]:
    """What the baselines reach on the trips of the evaluations, as the log counts: mean over the scenarios."""
    stated = read_run(folder)["evaluation"]["baselines"]
    return {name: float(np.mean(list(stated[name].values()))) for name in BASELINES}


def _tested(benchmark: LearningBenchmark, threads: int, progress: Progress | None) -> dict[str, float]:
    """Mean travel time on the test seeds of the baselines and of every run's last policy, by name and folder."""
    training = benchmark.tasks[0].training
    assert training.scenario is not None
    protocol = protocol_by_name(training.run["protocol"])
    names = [*BASELINES, *(str(task.training.folder) for task in benchmark.tasks)]
    figures = {}
    for number, name in enumerate(names):
        part = part_of(progress, number, len(names), Path(name).name)
        controller = controller_by_name(name)
        result = evaluate(training.scenario, controller, protocol, seeds=TEST_SEEDS, threads=threads, progress=part)
        figures[name] = result["metrics"]["average_travel_time_s"]["mean"]
    return figures


def _baseline_row(result: Result, name: str) -> tuple[str, ...]:
    figure, number = result["test"][name], len(result["trainings"])
    after = [row[f"below_{name.replace('-', '_')}_s"] for row in result["trainings"]]
    known = [seconds for seconds in after if seconds is not None]
    median = float(np.median(known)) if known else None
    beaten, below = (f"{count} of {number}" for count in (figure["beaten_by"], len(known)))
    return (name, cell_text(figure["mean"]), "–", beaten, below, cell_text(median))
