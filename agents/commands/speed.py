"""`intergreen benchmark`: speed on this machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from intergreen.agents.commands.common import (
    HorizonOption,
    JsonOption,
    check_run_options,
    deliver,
    make_engine_ready,
    print_tables,
    refuse_beside,
    say_written,
)
from intergreen.agents.options import parse_seeds, require_folder, require_positive, require_simulator
from intergreen.agents.progress import progress_bar
from intergreen.agents.tables import print_table, table_of


def benchmark(
    scenario: Annotated[
        list[str] | None, typer.Argument(metavar="[SCENARIO]...", help="default: a standard set")
    ] = None,
    learning: Annotated[
        bool, typer.Option("--learning", help="train a recipe once per seed: how fast, how surely, how well")
    ] = False,
    environment: Annotated[
        bool, typer.Option("--environment", help="decisions and samples per second of environment and learner")
    ] = False,
    agreement: Annotated[
        bool, typer.Option("--agreement", help="the engine beside SUMO: physics, speed, results of controllers")
    ] = False,
    seeds: Annotated[
        str | None, typer.Option("--seeds", help="of the trainings, with --learning; 0-9. Of SUMO, with --agreement; 0")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option("--minutes", help="of every training, with --learning; the recipe's by default")
    ] = None,
    recipe: Annotated[str | None, typer.Option("--recipe", help="with --learning; quick")] = None,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FOLDER", help="of runs and curves, with --learning")
    ] = None,
    threads: Annotated[int | None, typer.Option("--threads", help="1; with --environment 2")] = None,
    horizon: HorizonOption = None,
    json: JsonOption = None,
) -> None:
    """Speed on this machine: of the engine, of environment and learner, of learning; or the engine beside SUMO."""
    check_run_options("native", 1 if threads is None else threads, horizon, json)
    if learning:
        others = {"--environment": environment, "--agreement": agreement}
        refuse_beside("--learning", {**others, "SCENARIO": scenario, "--horizon": horizon})
        _benchmark_learning(recipe or "quick", seeds or "0-9", minutes, report or Path("runs/learning"), threads, json)
        return
    if agreement:
        of_learning = {"--minutes": minutes, "--recipe": recipe, "--report": report, "--environment": environment}
        refuse_beside("--agreement", of_learning)
        _benchmark_agreement(scenario, seeds or "0", threads or 1, horizon, json)
        return
    of_learning = {"--seeds": seeds, "--minutes": minutes, "--recipe": recipe, "--report": report}
    refuse_beside("a benchmark without --learning", of_learning)
    if environment:
        refuse_beside("--environment", {"SCENARIO": scenario})
        _benchmark_environment(threads, horizon, json)
        return
    from intergreen.agents.evaluation.benchmark import run_benchmark
    from intergreen.envs.scenario import load_scenario

    for name in scenario or ():
        load_scenario(name, drop_invalid_routes=True)  # a wrong name is refused before anything is compiled
    make_engine_ready()
    with progress_bar("benchmark") as progress:
        rows = run_benchmark(scenario or None, threads=threads or 1, horizon_s=horizon, progress=progress)
    deliver(rows, json, lambda: print_table(table_of("speed on this machine", rows)))


def _benchmark_learning(
    recipe: str, seeds: str, minutes: float | None, folder: Path, threads: int | None, json: str | None
) -> None:
    require_positive("--minutes", minutes)
    require_folder("--report", folder)
    seed_list = parse_seeds(seeds)
    from intergreen.agents.evaluation.learning_curve import (
        learning_tables,
        prepare_learning,
        run_learning,
        write_learning_report,
    )

    prepared = prepare_learning(recipe, folder=folder, seeds=seed_list, minutes=minutes)
    print(prepared.summary(), file=sys.stderr)
    # The engine is not made ready here: that belongs to the wall seconds of the first training.
    with progress_bar("learning") as progress:
        result = run_learning(prepared, threads=threads or 1, progress=progress)
    deliver(result, json, lambda: print_tables(learning_tables(result)))
    say_written(write_learning_report(result, folder))


def _benchmark_agreement(
    scenarios: list[str] | None, seeds: str, threads: int, horizon_s: int | None, json: str | None
) -> None:
    seed_list = parse_seeds(seeds)
    require_simulator("sumo")
    from intergreen.agents.evaluation.agreement import agreement_tables, measure_agreement
    from intergreen.envs.scenario import load_scenario

    for name in scenarios or ():
        load_scenario(name, drop_invalid_routes=True)
    make_engine_ready()
    with progress_bar("both simulators") as progress:
        found = measure_agreement(
            scenarios or None, seeds=seed_list, threads=threads, horizon_s=horizon_s, progress=progress
        )
    deliver(found, json, lambda: print_tables(agreement_tables(found)))


def _benchmark_environment(threads: int | None, horizon_s: int | None, json: str | None) -> None:
    from intergreen.agents.evaluation.policy_speed import measure_policy_speed

    make_engine_ready()
    with progress_bar("benchmark") as progress:
        rows = measure_policy_speed(threads=threads, horizon_s=horizon_s, progress=progress)
    deliver(rows, json, lambda: print_table(table_of("environment and learner on this machine", rows)))
