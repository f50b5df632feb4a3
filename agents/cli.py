"""The command line: reads options, calls the library, prints. Nothing is computed here.

Each command imports what it needs inside, so that `intergreen --help` is quick and works without the learning stack.
Exit status: 0 done, 1 a check failed, 2 wrong input (one line on stderr), 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from intergreen.agents.options import (
    STDOUT,
    parse_names,
    parse_seeds,
    require_folder,
    require_horizon,
    require_native,
    require_positive,
    require_threads,
    require_writable,
)
from intergreen.agents.progress import progress_bar
from intergreen.agents.tables import TextTable, print_table, table_of
from intergreen.envs.errors import CapacityError, InputError, one_line
from intergreen.envs.files import json_text, write_json

CHECK_FAILED, WRONG_INPUT, INTERRUPTED = 1, 2, 130
_MOST_LINES = 20  # of faults on stderr

# Whatever the parser of options raises: ClickException, which typer takes from click or from a copy of its own.
_PARSER_ERROR: type[Exception] = typer.BadParameter.__mro__[2]

app = typer.Typer(
    name="intergreen",
    help="Reinforcement learning for traffic signals: simulate, train, compare.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ScenarioArgument = Annotated[
    str,
    typer.Argument(metavar="SCENARIO", help="a shipped name, a YAML file, or a folder with roadnet.json + flow.json"),
]
ProtocolOption = Annotated[
    str | None,
    typer.Option(
        "--protocol",
        help="timing rules, e.g. literature-10-5 or literature-10-5-lane-change; the scenario's own by default",
    ),
]
SeedsOption = Annotated[str, typer.Option("--seeds", help="0-9, 0,1,5 or 3")]
SimulatorOption = Annotated[str, typer.Option("--simulator", help="native (sumo is not there yet)")]
JsonOption = Annotated[str | None, typer.Option("--json", metavar="FILE|-", help="also write JSON; - is stdout")]
DropOption = Annotated[
    bool, typer.Option("--drop-invalid-routes", help="drop flows whose route does not exist, as CityFlow does")
]
ThreadsOption = Annotated[
    int, typer.Option("--threads", help="threads to spread the seeds over; numbers stay the same")
]
HorizonOption = Annotated[int | None, typer.Option("--horizon", metavar="SECONDS", help="seconds to simulate")]
SeedOption = Annotated[int | None, typer.Option("--seed", min=0, help="seed of the training; the recipe's by default")]


@app.command()
def scenarios(json: JsonOption = None) -> None:
    """What is there, with sizes."""
    require_writable("--json", json)
    from intergreen.agents.evaluation.sizes import scenario_sizes

    sizes = scenario_sizes()
    _deliver(sizes, json, lambda: print_table(table_of("scenarios", sizes)))


@app.command()
def evaluate(
    scenario: ScenarioArgument,
    controller: Annotated[str, typer.Option("--controller", help="a baseline's name, a run's folder, or RUN:best")],
    protocol: ProtocolOption = None,
    seeds: SeedsOption = "0",
    simulator: SimulatorOption = "native",
    json: JsonOption = None,
    drop_invalid_routes: DropOption = False,
    threads: ThreadsOption = 1,
    horizon: HorizonOption = None,
) -> None:
    """Run one controller and print its metrics."""
    _check_run_options(simulator, threads, horizon, json)
    seed_list = parse_seeds(seeds)
    from intergreen.agents.evaluation.compare import comparison_cells, run_cells
    from intergreen.agents.evaluation.report import metrics_table

    cells = comparison_cells([scenario], [controller], protocol_name=protocol, drop_invalid_routes=drop_invalid_routes)
    _make_engine_ready(lane_change=any(cell.protocol.lane_change for cell in cells))
    with progress_bar("simulating") as progress:
        (result,) = run_cells(cells, seeds=seed_list, threads=threads, horizon_s=horizon, progress=progress)
    _deliver(result, json, lambda: print_table(metrics_table(result)))
    _finish([result])


@app.command()
def compare(
    scenario: Annotated[list[str], typer.Argument(metavar="SCENARIO...", help="one or more; see evaluate")],
    controllers: Annotated[str, typer.Option("--controllers", metavar="A,B,C", help="names or run folders")],
    protocol: ProtocolOption = None,
    seeds: SeedsOption = "0-4",
    simulator: SimulatorOption = "native",
    json: JsonOption = None,
    report: Annotated[Path | None, typer.Option("--report", metavar="FOLDER", help="write tables and pictures")] = None,
    drop_invalid_routes: DropOption = False,
    threads: ThreadsOption = 1,
    horizon: HorizonOption = None,
) -> None:
    """Run several controllers under the same rules and print one table per scenario."""
    _check_run_options(simulator, threads, horizon, json)
    require_folder("--report", report)
    seed_list, names = parse_seeds(seeds), parse_names(controllers)
    from intergreen.agents.evaluation.compare import comparison_cells, run_cells
    from intergreen.agents.evaluation.report import print_comparisons, write_report

    cells = comparison_cells(scenario, names, protocol_name=protocol, drop_invalid_routes=drop_invalid_routes)
    _make_engine_ready(lane_change=any(cell.protocol.lane_change for cell in cells))
    with progress_bar("simulating") as progress:
        results = run_cells(cells, seeds=seed_list, threads=threads, horizon_s=horizon, progress=progress)
    _deliver(results, json, lambda: print_comparisons(results))
    if report is not None:
        _say_written(write_report(results, report))
    _finish(results)


@app.command()
def verify(
    scenario: ScenarioArgument,
    protocol: Annotated[
        str | None,
        typer.Option("--protocol", metavar="A,B", help="names; by default the scenario's own and the field's"),
    ] = None,
    json: JsonOption = None,
    drop_invalid_routes: DropOption = False,
) -> None:
    """Prove the signal safety: every state that each signal can reach under any wish and any call."""
    require_writable("--json", json)
    names = parse_names(protocol) if protocol else ()
    from intergreen.agents.evaluation.verify import counter_example, proof_table, verify_scenario
    from intergreen.envs.scenario import load_scenario

    loaded = load_scenario(scenario, drop_invalid_routes=drop_invalid_routes)
    _make_engine_ready()
    with progress_bar("proving") as progress:
        found = verify_scenario(loaded, names, progress=progress)
    violated = [one for one in found if not one["holds"]]
    _deliver(found, json, lambda: _print_tables([proof_table(found), *map(counter_example, violated)]))
    if violated:
        raise typer.Exit(CHECK_FAILED)


@app.command()
def train(
    config: Annotated[
        str | None, typer.Argument(metavar="CONFIG", help="a recipe (YAML or shipped name), or a scenario")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="RUN", help="the run's folder")] = None,
    resume: Annotated[Path | None, typer.Option("--resume", metavar="RUN", help="go on with this run")] = None,
    minutes: Annotated[float | None, typer.Option("--minutes", help="stop after this time of training")] = None,
    steps: Annotated[int | None, typer.Option("--steps", help="stop after so many signal decisions")] = None,
    seed: SeedOption = None,
    protocol: ProtocolOption = None,
    drop_invalid_routes: DropOption = False,
) -> None:
    """Train a policy; its folder is then a controller for evaluate and compare."""
    require_positive("--minutes", minutes)
    require_positive("--steps", steps)
    from intergreen.agents.learning.prepare import prepare
    from intergreen.agents.learning.train import train as run_training

    training = prepare(
        config,
        out=out,
        resume=resume,
        minutes=minutes,
        steps=steps,
        seed=seed,
        protocol=protocol,
        drop_invalid_routes=drop_invalid_routes,
    )
    print(training.summary(), file=sys.stderr)
    _make_engine_ready()
    with progress_bar("training") as progress:
        folder = run_training(training, progress=progress)
    print(folder)


@app.command()
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
    seeds: Annotated[str | None, typer.Option("--seeds", help="of the trainings, with --learning; 0-9")] = None,
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
    """Speed on this machine: of the engine, of environment and learner, or of learning itself."""
    _check_run_options("native", 1 if threads is None else threads, horizon, json)
    if learning:
        _refuse_beside("--learning", {"--environment": environment, "SCENARIO": scenario, "--horizon": horizon})
        _benchmark_learning(recipe or "quick", seeds or "0-9", minutes, report or Path("runs/learning"), threads, json)
        return
    of_learning = {"--seeds": seeds, "--minutes": minutes, "--recipe": recipe, "--report": report}
    _refuse_beside("a benchmark without --learning", of_learning)
    if environment:
        _refuse_beside("--environment", {"SCENARIO": scenario})
        _benchmark_environment(threads, horizon, json)
        return
    from intergreen.agents.evaluation.benchmark import run_benchmark
    from intergreen.envs.scenario import load_scenario

    for name in scenario or ():
        load_scenario(name, drop_invalid_routes=True)  # a wrong name is refused before anything is compiled
    _make_engine_ready()
    with progress_bar("benchmark") as progress:
        rows = run_benchmark(scenario or None, threads=threads or 1, horizon_s=horizon, progress=progress)
    _deliver(rows, json, lambda: print_table(table_of("speed on this machine", rows)))


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
    _deliver(result, json, lambda: _print_tables(learning_tables(result)))
    _say_written(write_learning_report(result, folder))


def _benchmark_environment(threads: int | None, horizon_s: int | None, json: str | None) -> None:
    from intergreen.agents.evaluation.policy_speed import measure_policy_speed

    _make_engine_ready()
    with progress_bar("benchmark") as progress:
        rows = measure_policy_speed(threads=threads, horizon_s=horizon_s, progress=progress)
    _deliver(rows, json, lambda: print_table(table_of("environment and learner on this machine", rows)))


@app.command()
def published(
    controllers: Annotated[
        str, typer.Argument(metavar="A,B,C", help="names or run folders; several runs are training seeds of one recipe")
    ],
    json: JsonOption = None,
) -> None:
    """Published results on the literature's networks, and ours beside them under the same rules."""
    require_writable("--json", json)
    names = parse_names(controllers)
    from intergreen.agents.evaluation.published import beside_published, prepare_published, published_tables

    prepared = prepare_published(names)
    _make_engine_ready(lane_change=True)
    with progress_bar("simulating") as progress:
        results = beside_published(prepared, progress=progress)
    _deliver(results, json, lambda: _print_tables(published_tables(results)))


@app.command()
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
    json: JsonOption = None,
) -> None:
    """A policy on networks it was not trained on, under every protocol, beside the baselines."""
    require_writable("--json", json)
    names, seed_list = parse_names(controllers), parse_seeds(seeds)
    from intergreen.agents.evaluation.transfer import summary_of, transfer_cells, transfer_rows
    from intergreen.envs.protocol import LITERATURE

    timings = parse_names(protocols) if protocols else LITERATURE
    cells = transfer_cells(names, scenarios=scenario, protocols=timings)
    _make_engine_ready(lane_change=any(timing.lane_change for _, timing in cells))
    with progress_bar("simulating") as progress:
        rows = transfer_rows(cells, names, seeds=seed_list, progress=progress)
    _deliver(rows, json, lambda: print_table(table_of(f"travel time [s]: {summary_of(rows)}", rows)))


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="where the run and the report go")] = Path(
        "runs/demo"
    ),
    minutes: Annotated[float, typer.Option("--minutes", help="wall time for the training")] = 1.0,
    seed: SeedOption = None,
    threads: ThreadsOption = 1,
    json: JsonOption = None,
) -> None:
    """The main job on the embedded grid, in minutes: train, compare with baselines, table and picture."""
    _check_run_options("native", threads, None, json)
    require_positive("--minutes", minutes)
    from intergreen.agents.evaluation.demo import prepare_demo, run_demo
    from intergreen.agents.evaluation.report import print_comparisons, write_report

    training = prepare_demo(out, minutes=minutes, seed=seed)
    print(training.summary(), file=sys.stderr)
    _make_engine_ready()
    with progress_bar("demo") as progress:
        results = run_demo(training, threads=threads, progress=progress)
    _deliver(results, json, lambda: print_comparisons(results))
    _say_written([training.folder, *write_report(results, out / "report")])
    _finish(results)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        status = app(args=arguments or ["--help"], prog_name="intergreen", standalone_mode=False)
    except InputError as error:
        return _refuse(str(error))
    except CapacityError as error:
        return _refuse(f"simulation: {error}")
    except FloatingPointError as error:
        return _refuse(f"training: {error}")
    except MemoryError:
        return _refuse("memory: not enough for this network, demand and horizon; make one of them smaller")
    except _PARSER_ERROR as error:
        return _refuse(f"command line: {_parser_message(error)}; see intergreen --help")
    except OSError as error:
        if error.strerror is None:
            raise
        place = error.filename or "output"  # a full disk comes without the name of the file
        return _refuse(f"{place}: {error.strerror}; check the path, its permissions and the free space")
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED
    if status == INTERRUPTED:
        print("interrupted", file=sys.stderr)
    return status if isinstance(status, int) else 0


def _check_run_options(simulator: str, threads: int, horizon_s: int | None, json: str | None) -> None:
    require_native(simulator)
    require_threads(threads)
    require_horizon(horizon_s)
    require_writable("--json", json)


def _make_engine_ready(*, lane_change: bool = False) -> None:
    """Compile or load the engine before the progress bar starts, and say so where it takes long."""
    from intergreen.agents.evaluation.warmup import compile_engine, compile_notice

    with compile_notice():
        compile_engine(lane_change=lane_change)


def _deliver(value: object, json: str | None, show: Callable[[], None]) -> None:
    """JSON to stdout alone, or the table, with JSON to a file where one is named."""
    try:
        if json == STDOUT:
            print(json_text(value))
        else:
            show()
        sys.stdout.flush()
    except BrokenPipeError:
        # Our reader has left (`| head`), which is its right; later writes go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if json is not None and json != STDOUT:
        write_json(Path(json), value)
        _say_written([Path(json)])


def _print_tables(tables: Sequence[TextTable]) -> None:
    for table in tables:
        print_table(table)


def _refuse_beside(what: str, options: Mapping[str, object]) -> None:
    """Refuse options that would have no effect; None, False and no names are options that were not given."""
    for option, value in options.items():
        if value is not None and value is not False and value != []:
            raise InputError("command line", option, f"does not go with {what}", "leave it out")


def _say_written(paths: Sequence[Path]) -> None:
    for path in paths:
        print(f"wrote {path}", file=sys.stderr)


def _finish(results: Sequence[Mapping[str, Any]]) -> None:
    """Leave with the status of a failed check if the monitor saw a fault in any run, and say where."""
    from intergreen.agents.evaluation.safety import fault_lines

    lines = [line for result in results for line in fault_lines(dict(result))]
    for line in lines[:_MOST_LINES]:
        print(line, file=sys.stderr)
    if len(lines) > _MOST_LINES:
        print(f"and {len(lines) - _MOST_LINES} more, see --json", file=sys.stderr)
    if lines:
        raise typer.Exit(CHECK_FAILED)


def _refuse(message: str) -> int:
    print(one_line(message), file=sys.stderr)
    return WRONG_INPUT


def _parser_message(error: Exception) -> str:
    """The parser's complaint without its line breaks and closing full stop."""
    text = error.format_message() if hasattr(error, "format_message") else str(error)
    return " ".join(text.split()).rstrip(".")


if __name__ == "__main__":
    sys.exit(main())
