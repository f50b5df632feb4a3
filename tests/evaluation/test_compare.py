"""What a comparison refuses before the first run."""

from __future__ import annotations

import shutil

import pytest

from intergreen.agents.controllers import controller_by_name
from intergreen.agents.evaluation.compare import comparison_cells, run_cells
from intergreen.envs.errors import InputError

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


def test_two_controllers_of_one_name_are_refused(tmp_path):
    with pytest.raises(InputError, match="'max-pressure' and 'max-pressure' are both called"):
        comparison_cells(["single"], ["max-pressure", "fixed-time", "max-pressure"])


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


@pytest.mark.parametrize("weight", ["", "x", "-1", "nan", "inf"])
def test_weight_that_is_no_number_is_refused(weight):
    with pytest.raises(InputError, match="write a number >= 0, as in advanced-max-pressure:2"):
        controller_by_name(f"advanced-max-pressure:{weight}")
