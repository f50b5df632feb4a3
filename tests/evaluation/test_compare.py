"""What a comparison refuses before the first run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from intergreen.agents.controllers import controller_by_name
from intergreen.agents.evaluation.compare import comparison_cells, run_cells
from intergreen.agents.evaluation.grid import run_grid
from intergreen.agents.evaluation.pages.write import sections_to_show
from intergreen.envs.errors import InputError

CHECKPOINTS = Path(__file__).parents[2] / "checkpoints"
PAIR = """
name: {name}
network: {{kind: grid, rows: 1, columns: 2, spacing_x_m: 150, spacing_y_m: 150, lanes: 3}}
demand: {{kind: turns, entry_vph: 300}}
horizon_s: {horizon_s}
"""


def scenario_file(folder, *, name="pair", horizon_s=120):
    folder.mkdir(exist_ok=True)
    path = folder / "scenario.yaml"
    path.write_text(PAIR.format(name=name, horizon_s=horizon_s))
    return str(path)


def test_two_scenarios_of_one_name_are_refused(tmp_path):
    files = [scenario_file(tmp_path / folder) for folder in ("a", "b")]
    with pytest.raises(InputError, match=r"SCENARIO: .* are both called 'pair'; rename one"):
        comparison_cells(files, ["fixed-time"])


def test_one_controller_twice_is_refused(tmp_path):
    with pytest.raises(InputError, match="'max-pressure' and 'max-pressure' are the same controller; name it once"):
        comparison_cells(["single"], ["max-pressure", "fixed-time", "max-pressure"])
    with pytest.raises(InputError, match="'universal-0' and 'universal-0:last' are the same"):
        comparison_cells(["single"], ["universal-0", "universal-0:last"])
    copy = str(shutil.copytree(CHECKPOINTS / "quick", tmp_path / "quick"))
    with pytest.raises(InputError, match="are the same controller"):
        comparison_cells(["single"], ["quick", copy])


@pytest.fixture
def runs_called_alike(tmp_path):
    """Two trainings, each in a folder called `mine`."""
    pairs = (("a", "universal-0"), ("b", "universal-1"))
    return [str(shutil.copytree(CHECKPOINTS / shipped, tmp_path / parent / "mine")) for parent, shipped in pairs]


def test_runs_whose_folders_are_called_alike_stand_in_one_table_under_their_paths(tmp_path, runs_called_alike):
    typed = [runs_called_alike[0], "universal-0", f"{runs_called_alike[1]}:best", runs_called_alike[1]]
    cells = comparison_cells([scenario_file(tmp_path)], typed)
    called = [runs_called_alike[0], "universal-0", "mine:best", runs_called_alike[1]]
    in_one, in_many = run_cells(cells, seeds=[0]), run_grid(cells, seeds=[0], store=tmp_path / "store")
    again = run_grid(cells, seeds=[0], store=tmp_path / "store")
    for results in (in_one, in_many, again):
        assert [one["controller"] for one in results] == called
        assert results[0]["metrics"] == results[1]["metrics"]  # the same weights
    assert in_one[0]["metrics"] != in_one[3]["metrics"]


def test_page_knows_runs_apart_whose_folders_are_called_alike(tmp_path, runs_called_alike):
    cells = comparison_cells([scenario_file(tmp_path)], runs_called_alike)
    (section,) = sections_to_show(cells, run_grid(cells, seeds=[0]))
    assert [(near.number, near.cell.controller_name) for near in section.near] == list(enumerate(runs_called_alike))
    assert [curve.name for curve in section.learnt.curves] == runs_called_alike


@pytest.mark.usefixtures("benchmark_data")
def test_two_folders_of_one_name_are_refused(tmp_path, benchmark_data):
    source = benchmark_data / "cityflow" / "syn_1x1_800"
    folders = [str(shutil.copytree(source, tmp_path / parent / "net")) for parent in ("a", "b")]
    with pytest.raises(InputError, match="are both called 'net'"):
        comparison_cells(folders, ["fixed-time"])


def test_runs_last_as_long_as_their_scenario(tmp_path):
    cells = comparison_cells([scenario_file(tmp_path, horizon_s=4000)], ["fixed-time"])
    assert run_cells(cells, seeds=[0])[0]["horizon_s"] == 4000


def test_weight_behind_advanced_max_pressure_is_part_of_its_name():
    assert controller_by_name("advanced-max-pressure:2").name == "advanced-max-pressure:2"
    assert controller_by_name("advanced-max-pressure:1").name == "advanced-max-pressure"
    close = [controller_by_name(f"advanced-max-pressure:1.{digits}").name for digits in ("0000001", "0000002")]
    assert close == ["advanced-max-pressure:1.0000001", "advanced-max-pressure:1.0000002"]  # a store tells them apart


@pytest.mark.parametrize("weight", ["", "x", "-1", "nan", "inf"])
def test_weight_that_is_no_number_is_refused(weight):
    with pytest.raises(InputError, match="write a number >= 0, as in advanced-max-pressure:2"):
        controller_by_name(f"advanced-max-pressure:{weight}")
