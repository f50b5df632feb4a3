"""The command line from outside: exit status, one line for wrong input, JSON alone on stdout.

A horizon of one minute on the smallest scenario keeps a run short; what the numbers are is tested elsewhere.
"""

import ctypes
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import typer
from network import small

from intergreen.agents import cli
from intergreen.agents.commands.common import say_if_alike
from intergreen.agents.interrupts import kept_interrupts
from intergreen.envs.errors import CapacityError
from intergreen.envs.protocol import Protocol
from intergreen.envs.scenario import load_scenario, scenario_names

SHORT = ["--protocol", "literature-10-5", "--horizon", "60"]


@pytest.fixture(scope="module")
def smallest() -> str:
    """A shipped scenario with one signal."""
    shipped = (name for name in scenario_names() if "/" not in name)
    return next(name for name in shipped if len(load_scenario(name).network.signalled) == 1)


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own, in a folder that is not the checkout."""
    command = [sys.executable, "-m", "intergreen.agents", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)


def test_help_needs_no_learning_stack(tmp_path: Path):
    script = (
        "import sys; sys.modules['torch'] = None; from intergreen.agents.cli import main; sys.exit(main(['--help']))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    commands = (
        "scenarios",
        "evaluate",
        "compare",
        "train",
        "distil",
        "refine",
        "benchmark",
        "published",
        "transfer",
        "demo",
    )
    for command in commands:
        assert command in done.stdout


def test_help_imports_no_simulator(tmp_path: Path):
    script = (
        "import sys; from intergreen.agents.cli import main; main(['evaluate', '--help']); "
        "print(sorted({'numba', 'torch', 'stable_baselines3'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["evaluat"], "evaluat"),
        (["evaluate"], "SCENARIO"),
        (["evaluate", "{scenario}"], "--controller"),
        (["evaluate", "{scenario}", "--controller"], "--controller"),
        (["evaluate", "no-such-scenario", "--controller", "fixed-time"], "no-such-scenario"),
        (["evaluate", "{empty}", "--controller", "fixed-time"], "roadnet.json"),
        (["evaluate", "{scenario}", "--controller", "no-such"], "no-such"),
        (["evaluate", "{scenario}", "--controller", "{empty}"], "run.json"),
        (["evaluate", "{scenario}", "--controller", "webster,sotl"], "names several; use intergreen compare"),
        (["export", "{empty}/no-such", "--to", "{empty}/x"], "no-such: no such folder"),
        (["evaluate", "{scenario}", "--controller", "fixed-time", "--protocol", "literature-5-10"], "--protocol"),
        (["evaluate", "{scenario}", "--controller", "fixed-time", "--protocol", "nonsense"], "nonsense"),
        (["evaluate", "{scenario}", "--controller", "fixed-time", "--protocol", "us-mutcd-0"], "decides every 0 s"),
        (
            ["compare", "{scenario}", "--controllers", "fixed-time", "--protocol", "us-mutcd11"],
            "us-mutcd-5, de-rilsa-5",
        ),
        (["evaluate", "{scenario}", "--controller", "fixed-time", "--seeds", "9-0"], "--seeds"),
        (
            ["evaluate", "{scenario}", "--controller", "fixed-time", "--simulator", "vissim"],
            "no simulator is called 'vissim'",
        ),
        (["evaluate", "{scenario}", "--controller", "fixed-time", "--threads", "0"], "--threads"),
        (["evaluate", "{scenario}", "--controller", "fixed-time", "--horizon", "-5"], "--horizon"),
        (["evaluate", "{scenario}", "--controller", "fixed-time", "--horizon", "long"], "--horizon"),
        (["evaluate", "{scenario}", "--controller", "fixed-time", "--json", "{empty}/missing/x.json"], "--json"),
        (["compare", "{scenario}", "--controllers", "fixed-time,fixed-time"], "twice"),
        (["compare", "{scenario}", "--controllers", "fixed-time,no-such"], "no-such"),
        (["compare", "{scenario}", "--controllers", "fixed-time", "--report", "/dev/null/report"], "--report"),
        (["evaluate", "{scenario}", "--controller", "fixed-time", "--horizon", "9999999999999999999999"], "--horizon"),
        (["evaluate", "{scenario}", "--controller", "max-pressure", "--faults", "dead-11"], "did you mean 'dead-1"),
        (
            ["evaluate", "{scenario}", "--controller", "max-pressure", "--faults", "{empty}"],
            "no file or list of faults",
        ),
        (["compare", "{scenario}", "--controllers", "max-pressure", "--faults", "nothing"], "one of dead-1, dead-10"),
        (
            [
                "compare",
                "{scenario}",
                "--controllers",
                "max-pressure",
                "--json",
                "{empty}/a.html",
                "--report",
                "{empty}/a.html",
            ],
            "/a.html' is what --json writes; name another",
        ),
        (
            ["shadow", "fixed-time", "{scenario}", "--log", "{empty}/a.csv", "--json", "{empty}/a.csv"],
            "what --log writes",
        ),
        (["compare", "{scenario}", "--controllers", "max-pressure", "--faults", "policy-raises"], "has no policy"),
        (["train", "no-such-recipe"], "no-such-recipe"),
        (["train"], "CONFIG"),
        (["train", "{scenario}", "--minutes", "0"], "--minutes"),
        (["train", "--resume", "{empty}"], "run.json"),
        (["train", "--resume", "{empty}", "--out", "{empty}"], "--out"),
        (["demo", "--minutes", "nan"], "--minutes"),
        (["demo", "--out", "/dev/null"], "--out: '/dev/null' is a file"),
        (["shadow", "no-such", "{scenario}"], "controller: no controller or folder is called 'no-such'"),
        (["benchmark", "no-such-scenario"], "no-such-scenario"),
        (["benchmark", "--learning", "--agreement"], "--agreement: does not go with --learning"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_input_is_one_line_and_status_two(arguments, words, smallest, tmp_path, capsys):
    filled = [word.format(scenario=smallest, empty=tmp_path) for word in arguments]
    assert cli.main(filled) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert words in printed.err
    assert "Traceback" not in printed.err


def test_version_is_told_alone(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith(f"intergreen {version('intergreen')}, numpy ")


def test_wrong_input_in_a_process_has_no_traceback(tmp_path: Path):
    done = run("evaluate", "no-such-scenario", "--controller", "fixed-time", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1


def test_scenarios_lists_names_and_sizes(capsys):
    assert cli.main(["scenarios", "--json", "-"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["scenario"] for row in rows] == list(scenario_names())
    assert all(row["signals"] >= 1 and row["vehicles"] >= 1 for row in rows)


def test_evaluate_prints_json_alone_on_stdout(smallest, tmp_path):
    done = run(
        "evaluate", smallest, "--controller", "fixed-time", *SHORT, "--seeds", "0-1", "--json", "-", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["controller"], result["protocol"], result["seeds"]) == ("fixed-time", "literature-10-5", [0, 1])
    assert result["horizon_s"] == 60
    assert len(result["metrics"]["average_travel_time_s"]["per_seed"]) == 2


def test_evaluate_writes_json_beside_the_table(smallest, tmp_path, capsys):
    target = tmp_path / "result.json"
    assert cli.main(["evaluate", smallest, "--controller", "fixed-time", *SHORT, "--json", str(target)]) == 0
    assert "average_travel_time_s" in capsys.readouterr().out
    assert json.loads(target.read_text())["scenario"] == smallest
    assert os.listdir(tmp_path) == ["result.json"]


def test_compare_prints_a_row_per_controller_and_writes_a_report(smallest, tmp_path, capsys):
    report = tmp_path / "report"
    names = "fixed-time,max-pressure"
    assert cli.main(["compare", smallest, "--controllers", names, *SHORT, "--report", str(report)]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert [row.split()[0] for row in rows[2:4]] == ["fixed-time", "max-pressure"]
    assert {"report.md", "report.html"} <= {path.name for path in report.iterdir()}


def test_report_and_page_have_the_tables_that_the_terminal_has(smallest, tmp_path, capsys):
    report, page = tmp_path / "report", tmp_path / "page.html"
    for target in (report, page):
        names = "advanced-max-pressure,fixed-time"
        assert cli.main(["compare", smallest, "--controllers", names, *SHORT, "--report", str(target)]) == 0
        assert "against advanced-max-pressure" in capsys.readouterr().out
    for written in (report / "report.md", report / "report.html", page):
        text = written.read_text()
        assert "against advanced-max-pressure" in text, written
        assert "probability" in text.lower(), written


def test_replay_writes_over_no_scenario(smallest, capsys):
    assert cli.main(["replay", smallest, "--controllers", "fixed-time", "--out", smallest]) == 2
    assert "--out: " in (told := capsys.readouterr().err)
    assert "is no page's name; write FILE.html" in told


def test_compare_json_is_a_list(smallest, capsys):
    assert cli.main(["compare", smallest, "--controllers", "fixed-time,max-pressure", *SHORT, "--json", "-"]) == 0
    results = json.loads(capsys.readouterr().out)
    assert [result["controller"] for result in results] == ["fixed-time", "max-pressure"]


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core has no use for two threads")
def test_compare_json_has_the_same_keys_and_numbers_with_threads(smallest, capsys):
    told = []
    for threads in ("1", "2"):
        names = "fixed-time,max-pressure"
        assert cli.main(["compare", smallest, "--controllers", names, *SHORT, "--threads", threads, "--json", "-"]) == 0
        told.append([one | {"cost": sorted(one["cost"])} for one in json.loads(capsys.readouterr().out)])
    assert told[0] == told[1]


def test_result_says_that_the_monitor_saw_nothing_and_which_timing_it_watched(smallest, capsys):
    arguments = ["evaluate", smallest, "--controller", "max-pressure", "--horizon", "120", "--seeds", "0-1"]
    assert cli.main([*arguments, "--protocol", "us-mutcd-5", "--json", "-"]) == 0
    printed = capsys.readouterr()
    result = json.loads(printed.out)
    safety, timing = result["safety"], result["timing"]
    assert printed.err == ""
    assert (safety["monitor_faults"], safety["faults"], safety["open_junctions"]) == (0, [], [])
    reasons = safety["interventions_per_hour"]
    assert set(reasons) == {"overdue call", "maximum green", "minimum green", "no such phase"}
    assert safety["shield_interventions_per_hour"] == pytest.approx(sum(reasons.values()))
    assert reasons["minimum green"] > 0
    assert (timing["profile"], timing["longest_wait_s"], timing["shortest_yellow_s"]) == ("us-mutcd", 120.0, 3.0)


FAULTS = "faults:\n- {kind: dead, share: 0.1, begin_s: 30}\n- {kind: nan, lanes: [road_0_1_0_0]}\n"


@pytest.mark.parametrize("command", ["evaluate", "compare"])
def test_faults_of_a_file_are_injected_and_stand_in_the_result(command, smallest, tmp_path, capsys):
    file = tmp_path / "faults.yaml"
    file.write_text(FAULTS)
    given = ["--controller" if command == "evaluate" else "--controllers", "max-pressure", "--seeds", "0"]
    assert cli.main([command, smallest, *given, *SHORT, "--faults", str(file), "--json", "-"]) == 0
    results = json.loads(capsys.readouterr().out)
    (result,) = results if command == "compare" else [results]
    assert result["faults"] == [
        {"kind": "dead", "begin_s": 30, "end_s": None, "share": 0.1, "lanes": None},
        {"kind": "nan", "begin_s": 0, "end_s": None, "share": None, "lanes": ["road_0_1_0_0"]},
    ]


def test_shipped_faults_are_injected_by_name_and_stand_above_the_table(smallest, capsys):
    arguments = ["evaluate", smallest, "--controller", "max-pressure", "--protocol", "us-mutcd-5", "--horizon", "400"]
    assert cli.main([*arguments, "--faults", "stick-100"]) == 0
    assert "stick 100 % waiting_veh 10 from 300 s" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("good", "bad", "words"),
    [
        ("kind: dead", "kind: dad", "faults[0].kind: is 'dad'; use one of drop, dead,"),
        ("share", "shear", "faults[0].shear: unknown key; did you mean 'share'?"),
        ("road_0_1_0_0", "road_0_1_0_7", "faults[1].lanes: the network has no lane 'road_0_1_0_7'; did you mean"),
    ],
)
def test_wrong_file_of_faults_is_one_line_and_status_two(good, bad, words, smallest, tmp_path, capsys):
    file = tmp_path / "faults.yaml"
    file.write_text(FAULTS.replace(good, bad))
    assert cli.main(["evaluate", smallest, "--controller", "max-pressure", "--faults", str(file)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"{file}: {words}")
    assert printed.err.count("\n") == 1


def spoilt(rules, name):
    """The rules with one of them a second or more too short."""
    values = getattr(rules, name)
    return rules._replace(**{name: np.where(values > 2, values - 2, values).astype(np.int32)})


@pytest.mark.parametrize(
    ("protocol", "rule", "fault"),
    [
        ("us-mutcd-5", "yellow", "short yellow"),
        ("us-mutcd-5", "min_green", "short green"),
        ("us-mutcd-5", "transition", "yellow plus red clearance"),
        ("literature-10-5", "yellow", "short yellow"),
        ("literature-10-5", "transition", "short yellow"),  # there yellow lasts as long as the clearance
    ],
)
@pytest.mark.parametrize("command", ["evaluate", "compare"])
def test_fault_is_status_one_and_a_line_with_signal_second_and_movements(
    command, protocol, rule, fault, smallest, monkeypatch, capsys
):
    network, make = load_scenario(smallest).network, Protocol.plan

    def plan(self, *arguments, **options):
        made = make(self, *arguments, **options)
        return replace(made, rules=spoilt(made.rules, rule))

    monkeypatch.setattr(Protocol, "plan", plan)
    given = ["--controller" if command == "evaluate" else "--controllers", "max-pressure", "--protocol", protocol]
    assert cli.main([command, smallest, *given, "--horizon", "200", "--seeds", "3", "--json", "-"]) == 1
    printed = capsys.readouterr()
    results = json.loads(printed.out)
    (result,) = results if command == "compare" else [results]
    (found,) = result["safety"]["faults"]
    assert result["safety"]["monitor_faults"] == 1
    signal = network.intersection_ids[network.signalled[0]]
    assert (found["seed"], found["signal"], found["fault"]) == (3, signal, fault)
    assert 5 <= found["second"] < 200
    assert 1 <= len(found["movements"]) <= 2
    roads = {road for movement in found["movements"] for road in movement.split(" -> ")}
    assert roads <= set(network.road_ids)
    where = f"{smallest}, max-pressure, seed 3: {fault} at signal {signal} in second {found['second']:g}: "
    assert printed.err == where + " and ".join(found["movements"]) + "\n"


def test_many_faults_are_some_lines_and_a_number(smallest, monkeypatch, capsys):
    from intergreen.agents.evaluation import compare

    fault = {"seed": 0, "signal": "s", "second": 7.0, "fault": "conflict", "movements": ["a -> b", "c -> d"]}
    faulty = {
        "scenario": smallest,
        "controller": "fixed-time",
        "protocol": "literature-10-5",
        "simulator": "native",
        "horizon_s": 60,
        "seeds": [0],
        "metrics": {},
        "safety": {"monitor_faults": 300, "faults": [fault] * 300},
    }
    monkeypatch.setattr(compare, "run_cells", lambda *_, **__: [faulty])
    assert cli.main(["evaluate", smallest, "--controller", "fixed-time", "--json", "-"]) == 1
    printed = capsys.readouterr()
    assert json.loads(printed.out)["safety"]["monitor_faults"] == 300
    lines = printed.err.splitlines()
    assert lines[0] == f"{smallest}, fixed-time, seed 0: conflict at signal s in second 7: a -> b and c -> d"
    assert len(lines) < 50
    assert lines[-1] == f"and {300 - len(lines) + 1} more, see --json"


def test_interrupt_is_clean(smallest, monkeypatch, capsys):
    from intergreen.agents.evaluation import compare

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(compare, "run_cells", interrupted)
    assert cli.main(["evaluate", smallest, "--controller", "fixed-time"]) == 130
    assert "Traceback" not in capsys.readouterr().err


def fail_like_numba() -> None:
    raise RuntimeError("no compiled object yet for <Library>")


def go_on_for_long() -> None:
    for _ in range(1000):
        time.sleep(0.01)


@pytest.mark.parametrize("then", [fail_like_numba, go_on_for_long])
def test_interrupt_that_comes_while_llvm_calls_back_is_as_clean(then, smallest, monkeypatch, capfd):
    """Python drops it there; Numba then misses the code that the callback should have kept, or goes on."""
    from intergreen.agents.evaluation import compare

    @ctypes.CFUNCTYPE(None)
    def call_back() -> None:
        raise KeyboardInterrupt

    def compiling(*_: object, **__: object) -> None:
        call_back()
        then()

    monkeypatch.setattr(compare, "run_cells", compiling)
    assert cli.main(["evaluate", smallest, "--controller", "fixed-time"]) == 130
    assert capfd.readouterr().err.split() == ["interrupted"]


def test_error_in_a_callback_that_is_no_interrupt_is_told_and_forgotten(capsys):
    @ctypes.CFUNCTYPE(None)
    def call_back() -> None:
        raise OSError("disk")

    told, before = [], sys.unraisablehook
    sys.unraisablehook = told.append
    try:
        with kept_interrupts():
            call_back()
    finally:
        sys.unraisablehook = before
    assert [one.exc_type for one in told] == [OSError]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (CapacityError("lane a_0 is full: 3 vehicles on 20.0 m"), "simulation: lane a_0 is full: 3 vehicles on 20.0 m"),
        (MemoryError(), "memory: not enough for this network, demand and horizon; make one of them smaller"),
        (OSError(28, "No space left on device"), "output: No space left on device; check the path"),
    ],
)
def test_what_runs_out_on_the_way_is_one_line_and_status_two(error, line, smallest, monkeypatch, capsys):
    from intergreen.agents.evaluation import compare

    def ran_out(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(compare, "run_cells", ran_out)
    assert cli.main(["evaluate", smallest, "--controller", "fixed-time"]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith(line)
    assert printed.count("\n") == 1


@pytest.mark.parametrize(
    ("protocol", "is_said"), [("literature-10-5", True), ("us-mutcd-5", False)], ids=["literature", "street"]
)
def test_programme_without_clearance_is_told_once_and_no_other_controller(protocol, is_said, tmp_path, capsys):
    folder, controllers = small.write(tmp_path), ["--controllers", "fixed-time,max-pressure", "--seeds", "0-1"]
    assert cli.main(["compare", str(folder), *controllers, "--horizon", "60", "--protocol", protocol]) == 0
    told = [line for line in capsys.readouterr().err.splitlines() if "without a clearance" in line]
    words = "the network's own programme, shown as it stands, has changes without a clearance at one signal"
    line = f"{folder.name}, fixed-time: {words}; others show one at every change"
    assert told == ([line] if is_said else [])


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_terminal_that_lacks_a_character_shows_another(encoding, smallest, tmp_path):
    command = [sys.executable, "-m", "intergreen.agents", "evaluate", smallest, "--controller", "max-pressure", *SHORT]
    surroundings = os.environ | {"PYTHONIOENCODING": encoding}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, env=surroundings, check=False)
    assert done.returncode == 0, done.stderr
    told = done.stdout.decode(encoding)
    assert "average_travel_time_s" in told
    assert ("?" in told) == (encoding in ("ascii", "latin-1"))


def test_reader_that_leaves_early_is_no_error(tmp_path: Path):
    command = f'"{sys.executable}" -m intergreen.agents scenarios | head -n 1'
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1


@pytest.mark.parametrize(("more", "is_said"), [([], True), (["--vary-trips"], False), (["--seeds", "0"], False)])
def test_seeds_that_are_the_same_run_are_told(more, is_said, tmp_path, capsys):
    folder = small.write(tmp_path)
    assert cli.main(["compare", str(folder), "--controllers", "fixed-time", "--horizon", "60", *more]) == 0
    printed = capsys.readouterr().err
    assert (f"{folder.name}: every seed is the same run, because the file brings its own trips" in printed) == is_said


@pytest.mark.parametrize(("theirs", "is_said"), [([50.0, 50.0], True), ([50.0, 51.0], False)])
def test_the_free_flow_bound_is_not_what_tells_that_seeds_are_alike(theirs, is_said, capsys):
    scenario = SimpleNamespace(name="mine", fixed_demand=True, varied=False)
    results = [
        {"controller": name, "seeds": [0, 1], "metrics": {"average_travel_time_s": {"per_seed": times_s}}}
        for name, times_s in (("universal", theirs), ("free-flow", [40.0, 40.0]))
    ]
    say_if_alike([SimpleNamespace(scenario=scenario)] * 2, results)
    assert ("mine: every seed is the same run" in capsys.readouterr().err) == is_said


def test_seeds_that_happen_to_reach_the_same_are_not_called_the_same_run(capsys):
    assert cli.main(["evaluate", "single", "--controller", "fixed-time", "--horizon", "1", "--seeds", "0-2"]) == 0
    assert "the same run" not in capsys.readouterr().err


def test_an_abort_of_the_parsers_is_an_interrupt_and_no_traceback(monkeypatch, capsys):
    """It is an exception like any other, which what a controller of one's own raises is told apart from."""

    def aborted(**_: object) -> None:
        raise typer.Abort

    monkeypatch.setattr(cli, "app", aborted)
    assert cli.main(["scenarios"]) == 130
    assert capsys.readouterr().err.split() == ["interrupted"]
