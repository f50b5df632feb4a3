"""Commands that train, and that show what training gives."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from intergreen.agents.commands.common import (
    DropOption,
    FaultsOption,
    JsonOption,
    ProtocolOption,
    SeedOption,
    SeedsOption,
    SimulatorOption,
    ThreadsOption,
    VaryTripsOption,
    check_run_options,
    deliver,
    finish,
    finish_rows,
    make_engine_ready,
    print_tables,
    refuse_beside,
    say_written,
)
from intergreen.agents.options import (
    parse_names,
    parse_seeds,
    require_folder,
    require_positive,
    require_simulator,
    require_writable,
)
from intergreen.agents.progress import progress_bar
from intergreen.agents.tables import print_table, table_of

FromSumoOption = Annotated[
    float | None,
    typer.Option("--from-sumo", metavar="SHARE", help="of generated networks, with SUMO's streets and drivers"),
]


def train(
    config: Annotated[
        str | None, typer.Argument(metavar="CONFIG", help="a recipe (YAML or shipped name), or a scenario")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="RUN", help="the run's folder")] = None,
    start: Annotated[
        str | None,
        typer.Option("--start", metavar="RUN", help="start from this trained policy: a folder, a shipped name"),
    ] = None,
    resume: Annotated[Path | None, typer.Option("--resume", metavar="RUN", help="go on with this run")] = None,
    minutes: Annotated[float | None, typer.Option("--minutes", help="stop after this time of training")] = None,
    steps: Annotated[
        int | None, typer.Option("--steps", help="stop after so many signal decisions, in whole updates")
    ] = None,
    seed: SeedOption = None,
    protocol: ProtocolOption = None,
    faults: FaultsOption = None,
    simulator: Annotated[str | None, typer.Option("--simulator", help="native or sumo; default: the recipe's")] = None,
    drop_invalid_routes: DropOption = False,
) -> None:
    """Train a policy; its folder is then a controller for evaluate and compare."""
    require_positive("--minutes", minutes)
    require_positive("--steps", steps)
    from intergreen.agents.controllers.run_folder import CHECKPOINT
    from intergreen.agents.learning.alone import alone_in
    from intergreen.agents.learning.prepare import prepare
    from intergreen.agents.learning.train import train as run_training

    training = prepare(
        config,
        out=out,
        resume=resume,
        start=start,
        minutes=minutes,
        steps=steps,
        seed=seed,
        protocol=protocol,
        faults=faults,
        simulator=simulator,
        drop_invalid_routes=drop_invalid_routes,
    )
    print(training.summary(), file=sys.stderr)
    make_engine_ready()
    try:
        with alone_in(training.folder), progress_bar("training") as progress:
            folder = run_training(training, progress=progress)
    except KeyboardInterrupt:
        if (training.folder / CHECKPOINT).is_file():
            print(f"to go on: intergreen train --resume {shlex.quote(str(training.folder))}", file=sys.stderr)
        raise
    print(folder)


def distil(
    teachers: Annotated[
        str, typer.Argument(metavar="RUN,RUN,...", help="run folders or shipped policies that see the same features")
    ],
    out: Annotated[Path | None, typer.Option("--out", metavar="RUN", help="the run's folder")] = None,
    steps: Annotated[
        int | None, typer.Option("--steps", help="stop after so many signal decisions; default: 1,500,000")
    ] = None,
    seed: SeedOption = None,
    width: Annotated[
        int | None, typer.Option("--width", help="of the network's layers; default: the first run's")
    ] = None,
    rules: Annotated[
        bool, typer.Option("--rules", help="max-pressure and advanced max-pressure teach where they do better")
    ] = False,
    from_sumo: FromSumoOption = None,
) -> None:
    """One policy that does what the mean of several trained ones does, learned on its own traffic."""
    require_positive("--steps", steps)
    require_positive("--width", width)
    require_folder("--out", out)
    names = parse_names(teachers, "RUN,RUN,...")
    from intergreen.agents.learning.alone import alone_in
    from intergreen.agents.learning.distil import distil as run_distillation
    from intergreen.agents.learning.teachers import prepare_distillation

    distillation = prepare_distillation(
        names, out=out, steps=steps, seed=seed, width=width, rules=rules, from_sumo=from_sumo
    )
    print(distillation.summary(), file=sys.stderr)
    make_engine_ready()
    with alone_in(distillation.training.folder), progress_bar("distilling") as progress:
        folder = run_distillation(distillation, progress=progress)
    print(folder)


def refine(
    run: Annotated[str, typer.Argument(metavar="RUN", help="a run folder or a shipped policy")],
    scenario: Annotated[
        str | None, typer.Argument(metavar="[SCENARIO]", help="what it is refined for; default: what it was trained on")
    ] = None,
    protocol: ProtocolOption = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="RUN", help="the run's folder")] = None,
    rounds: Annotated[int | None, typer.Option("--rounds", help="of looking ahead and learning; default: 2")] = None,
    moments: Annotated[
        int | None, typer.Option("--moments", help="at which it looks ahead in each round; default: 40,000")
    ] = None,
    look_ahead: Annotated[
        int | None, typer.Option("--look-ahead", metavar="SECONDS", help="how far it looks; default: 240")
    ] = None,
    from_sumo: FromSumoOption = None,
    protocols: Annotated[
        str | None,
        typer.Option("--protocols", metavar="P,Q", help="of generated networks, in turn; default: as it was trained"),
    ] = None,
    average: Annotated[
        bool, typer.Option("--average", help="write the mean of the weights it began with and had after each round")
    ] = False,
    seed: SeedOption = None,
) -> None:
    """A trained policy made better: it tries every choice in copies of the simulation, and learns the best ones."""
    require_positive("--rounds", rounds)
    require_positive("--moments", moments)
    require_positive("--look-ahead", look_ahead)
    require_folder("--out", out)
    from intergreen.agents.learning.alone import alone_in
    from intergreen.agents.learning.refine import refine as run_refinement
    from intergreen.agents.learning.refinement import prepare_refinement

    refinement = prepare_refinement(
        run,
        scenario,
        protocol=protocol,
        out=out,
        rounds=rounds,
        moments=moments,
        look_ahead_s=look_ahead,
        from_sumo=from_sumo,
        protocols=parse_names(protocols, "--protocols") if protocols else None,
        average=average,
        seed=seed,
    )
    print(refinement.summary(), file=sys.stderr)
    make_engine_ready()
    with alone_in(refinement.training.folder), progress_bar("refining") as progress:
        folder = run_refinement(refinement, progress=progress)
    print(folder)


def demo(
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="where the run and the report go")] = Path(
        "runs/demo"
    ),
    minutes: Annotated[float, typer.Option("--minutes", help="wall time for the training")] = 1.0,
    seed: SeedOption = None,
    threads: ThreadsOption = 1,
    json: JsonOption = None,
) -> None:
    """The main job on the embedded grid, in minutes: train, export, compare with baselines, table and picture."""
    check_run_options("native", threads, None, json)
    require_positive("--minutes", minutes)
    require_folder("--out", out)
    from intergreen.agents.evaluation.demo import bundle_of, prepare_demo, run_demo
    from intergreen.agents.evaluation.report import print_comparisons, write_report

    training = prepare_demo(out, minutes=minutes, seed=seed)
    print(training.summary(), file=sys.stderr)
    make_engine_ready()
    with progress_bar("demo") as progress:
        results = run_demo(training, threads=threads, progress=progress)
    deliver(results, json, lambda: print_comparisons(results))
    say_written([training.folder, bundle_of(training.folder), *write_report(results, out / "report")])
    finish(results)


def published(
    controllers: Annotated[
        str, typer.Argument(metavar="A,B,C", help="names or run folders; several runs are training seeds of one recipe")
    ],
    json: JsonOption = None,
) -> None:
    """Published results on the literature's networks, and ours beside them under the same rules."""
    require_writable("--json", json)
    names = parse_names(controllers, "A,B,C")
    from intergreen.agents.evaluation.published import beside_published, prepare_published, published_tables

    prepared = prepare_published(names)
    make_engine_ready(lane_change=True)
    with progress_bar("simulating") as progress:
        results = beside_published(prepared, progress=progress)
    deliver(results, json, lambda: print_tables(published_tables(results)))
    finish_rows(results)


def transfer(
    controllers: Annotated[
        str, typer.Argument(metavar="A,B,C", help="names or run folders: training seeds of one recipe")
    ],
    scenario: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SCENARIO]...", help="default: the benchmark networks, town and single"),
    ] = None,
    protocols: Annotated[
        str | None, typer.Option("--protocols", metavar="P,Q", help="default: the five of the literature")
    ] = None,
    seeds: SeedsOption = "0",
    vary_trips: VaryTripsOption = False,
    simulator: SimulatorOption = "native",
    json: JsonOption = None,
) -> None:
    """A policy on networks it was not trained on, under every protocol, beside the baselines."""
    require_writable("--json", json)
    require_simulator(simulator)
    names, seed_list = parse_names(controllers, "A,B,C"), parse_seeds(seeds)
    if simulator == "sumo":
        own = {"--protocols": protocols, "--vary-trips": vary_trips}
        refuse_beside("--simulator sumo, where every scenario has its own timing and trips", own)
        _transfer_in_sumo(names, scenario, seed_list, json)
        return
    from intergreen.agents.evaluation.transfer import summary_of, transfer_cells, transfer_rows
    from intergreen.envs.benchmarks import CITYFLOW, what_is_missing
    from intergreen.envs.protocol import LITERATURE

    timings = parse_names(protocols, "--protocols") if protocols else LITERATURE
    cells = transfer_cells(names, scenarios=scenario, protocols=timings, vary_trips=vary_trips)
    if not scenario and (problem_and_mend := what_is_missing(f"{CITYFLOW}/")):
        print(f"only what is embedded: {'; '.join(problem_and_mend)}", file=sys.stderr)
    make_engine_ready(lane_change=any(timing.lane_change for _, timing in cells))
    with progress_bar("simulating") as progress:
        rows = transfer_rows(cells, names, seeds=seed_list, progress=progress)
    shown = [{name: value for name, value in row.items() if name != "monitor_faults"} for row in rows]
    deliver(rows, json, lambda: print_table(table_of(f"travel time [s]: {summary_of(rows)}", shown)))
    finish_rows(rows)


def _transfer_in_sumo(names: list[str], scenarios: list[str] | None, seeds: list[int], json: str | None) -> None:
    from intergreen.agents.evaluation.sumo_transfer import sumo_cells, sumo_transfer_rows, sumo_transfer_tables

    cells = sumo_cells(names, scenarios)
    with progress_bar("simulating in SUMO") as progress:
        rows = sumo_transfer_rows(cells, names, seeds=seeds, progress=progress)
    deliver(rows, json, lambda: print_tables(sumo_transfer_tables(rows, names)))
    finish_rows(rows)
