"""Many runs shared out and kept: equal numbers however they are made, failures that stay where they are, resuming."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from evaluation.breaking import breaking

from intergreen.agents.cli import main
from intergreen.agents.evaluation import grid, workers
from intergreen.agents.evaluation.compare import comparison_cells, run_cells
from intergreen.agents.evaluation.grid import run_grid
from intergreen.agents.evaluation.run import evaluate
from intergreen.envs.errors import CapacityError
from intergreen.envs.fault_file import read_faults

pytest.importorskip("pyarrow", reason="the store needs pyarrow")

PAIR = """
name: {name}
network: {{kind: grid, rows: 1, columns: 2, spacing_x_m: 150, spacing_y_m: 150, lanes: 3}}
demand: {{kind: turns, entry_vph: 500}}
horizon_s: 700
"""
SEEDS = (0, 1, 2)


@pytest.fixture(scope="module")
def scenario_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("scenario") / "pair.yaml"
    path.write_text(PAIR.format(name="pair"))
    return str(path)


@pytest.fixture(scope="module")
def cells(scenario_file):
    return comparison_cells([scenario_file], ["fixed-time", "max-pressure"])


def numbers(results):
    """Results without what differs from run to run."""
    return [{key: value for key, value in one.items() if key not in ("cost", "failed", "against")} for one in results]


@pytest.mark.parametrize("n_workers", [1, 2])
def test_grid_gives_the_numbers_of_one_batch_whatever_the_number_of_workers(cells, n_workers):
    assert numbers(run_grid(cells, seeds=SEEDS, workers=n_workers)) == numbers(run_cells(cells, seeds=SEEDS))


def test_policies_and_faults_give_the_numbers_of_one_batch(scenario_file):
    cells = comparison_cells([scenario_file], ["universal"], faults=read_faults("dead-100"))
    assert numbers(run_grid(cells, seeds=SEEDS)) == numbers(run_cells(cells, seeds=SEEDS))


def test_finished_runs_are_not_made_again(cells, tmp_path, monkeypatch):
    first = run_grid(cells, seeds=SEEDS, store=tmp_path)
    monkeypatch.setattr(workers, "evaluate", None)  # nobody may simulate now
    again = run_grid(cells, seeds=SEEDS, store=tmp_path)
    assert again == first


def test_only_what_is_missing_is_run(cells, tmp_path, monkeypatch):
    run_grid(cells[:1], seeds=(0, 2), store=tmp_path)
    made = []
    monkeypatch.setattr(workers, "evaluate", lambda *a, **k: made.append(k["seeds"]) or evaluate(*a, **k))
    whole = run_grid(cells[:1], seeds=SEEDS, store=tmp_path)
    assert made == [[1]]
    assert numbers(whole) == numbers(run_cells(cells[:1], seeds=SEEDS))


def test_other_trips_rules_or_faults_are_other_runs(scenario_file, tmp_path, monkeypatch):
    run_grid(comparison_cells([scenario_file], ["fixed-time"]), seeds=[0], store=tmp_path)
    made = []
    monkeypatch.setattr(workers, "evaluate", lambda *a, **k: made.append(1) or evaluate(*a, **k))
    for options in ({"protocol_name": "literature-10-2"}, {"faults": read_faults("dead-10")}):
        run_grid(comparison_cells([scenario_file], ["fixed-time"], **options), seeds=[0], store=tmp_path)
    run_grid(comparison_cells([scenario_file], ["fixed-time"]), seeds=[0], horizon_s=500, store=tmp_path)
    other = tmp_path / "more.yaml"
    other.write_text(PAIR.format(name="pair").replace("500", "400"))
    run_grid(comparison_cells([str(other)], ["fixed-time"]), seeds=[0], store=tmp_path)
    assert len(made) == 4
    assert len(list(tmp_path.glob("*.parquet"))) == 5


@pytest.mark.parametrize("n_workers", [1, 2])
def test_a_seed_that_fails_leaves_the_others_going(cells, n_workers, tmp_path):
    seeds = (0, 1, 3)
    broken, fine = run_grid([breaking(cells[0]), cells[1]], seeds=seeds, workers=n_workers, store=tmp_path)
    assert broken["failed"] == [{"seed": 1, "why": "CapacityError: lane x is full"}]
    assert broken["seeds"] == [0, 3]
    assert fine["failed"] == []
    assert fine["seeds"] == [0, 1, 3]
    assert numbers([broken]) == numbers(run_cells(cells[:1], seeds=(0, 3)))


def test_a_worker_that_is_killed_takes_one_seed_with_it(cells):
    broken, fine = run_grid([breaking(cells[0]), cells[1]], seeds=(0, 2, 3), workers=2)
    assert broken["failed"] == [{"seed": 2, "why": "the worker was killed by signal SIGKILL"}]
    assert broken["seeds"] == [0, 3]
    assert fine["seeds"] == [0, 2, 3]


def test_a_cell_without_a_single_result_says_so_and_nothing_else(cells):
    (result,) = run_grid([breaking(cells[0])], seeds=[1])
    assert result["metrics"] == {}
    assert result["seeds"] == []
    assert result["failed"][0]["seed"] == 1
    assert json.loads(json.dumps(result, allow_nan=False)) == result


def test_what_has_failed_is_tried_again(cells, tmp_path):
    run_grid([breaking(cells[0])], seeds=[0, 1], store=tmp_path)
    (result,) = run_grid(cells[:1], seeds=[0, 1], store=tmp_path)
    assert result["failed"] == []
    assert result["seeds"] == [0, 1]


def test_a_comparison_that_is_killed_goes_on_where_it_was(tmp_path):
    """Killed with SIGKILL as soon as something is stored; the second run makes the rest and gives the same numbers."""
    path = tmp_path / "pair.yaml"
    path.write_text(PAIR.format(name="pair").replace("700", "40000"))
    store, out = tmp_path / "store", tmp_path / "out.json"
    arguments = ["compare", str(path), "--controllers", "fixed-time,max-pressure", "--seeds", "0-5", "--workers", "2"]
    command = [sys.executable, "-m", "intergreen.agents", *arguments, "--json", str(out), "--store", str(store)]
    first = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120.0
    while not list(store.glob("[!.]*.parquet")) and time.monotonic() < deadline and first.poll() is None:
        time.sleep(0.02)
    first.kill()
    first.wait()
    assert not out.exists()
    (table,) = store.glob("[!.]*.parquet")
    before = _rows(table)
    assert 0 < before < 12
    for _ in range(100):  # the killed one's workers are gone as soon as their seed is done
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if "in use by another process" not in done.stderr:
            break
        time.sleep(0.1)
    assert done.returncode == 0, done.stderr
    assert _rows(table) == 12
    assert {entry.name for entry in store.iterdir()} == {".lock", table.name}
    whole = run_cells(comparison_cells([str(path)], ["fixed-time", "max-pressure"]), seeds=range(6))
    assert numbers(json.loads(out.read_text())) == json.loads(json.dumps(numbers(whole)))


def _rows(path: Path) -> int:
    from pyarrow import parquet

    return parquet.read_metadata(path).num_rows


def test_progress_ends_at_one(cells):
    shares = []
    run_grid(cells, seeds=[0], horizon_s=300, progress=lambda share, _: shares.append(share))
    assert shares[-1] == pytest.approx(1.0)
    assert shares == sorted(shares)


def test_saver_writes_what_has_changed_at_the_latest_at_the_end(cells, tmp_path, monkeypatch):
    monkeypatch.setattr(grid, "SAVE_EVERY_S", 1e9)
    run_grid(cells[:1], seeds=[0], horizon_s=100, store=tmp_path)
    assert len(list(tmp_path.glob("*.parquet"))) == 1


def test_a_comparison_with_a_failed_cell_says_so_everywhere_and_ends_with_status_1(tmp_path, monkeypatch, capsys):
    """The cell is in the table with its reason, the others have their numbers, a page and a folder can be written."""
    path = tmp_path / "pair.yaml"
    path.write_text(PAIR.format(name="pair"))

    def breaks(scenario, controller, *arguments, **options):
        if controller.name == "fixed-cycle":
            raise CapacityError("lane x is full")
        return evaluate(scenario, controller, *arguments, **options)

    monkeypatch.setattr(workers, "evaluate", breaks)
    arguments = ["compare", str(path), "--controllers", "fixed-cycle,max-pressure", "--seeds", "0-1"]
    for report in ("folder", "page.html"):
        assert main([*arguments, "--report", str(tmp_path / report)]) == 1
        printed = capsys.readouterr()
        assert "2 of 2: CapacityError: lane x is full" in printed.out
        assert printed.err.count("pair, fixed-cycle, seed") == 2
    assert "max-pressure" in (tmp_path / "folder" / "report.md").read_text()
    assert "max-pressure" in (tmp_path / "page.html").read_text()


def test_a_worker_that_hears_no_sigterm_is_ended(monkeypatch):
    """Whoever starts the command line may have SIGTERM ignored, which is inherited."""
    monkeypatch.setattr(workers, "LONGEST_END_S", 0.2)
    usual = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        worker = workers._Worker()
    finally:
        signal.signal(signal.SIGTERM, usual)
    worker.end()
    assert worker.process.exitcode == -signal.SIGKILL
