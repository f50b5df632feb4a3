"""The store of finished runs: what goes in comes out, and whatever is wrong with it is said in one line."""

from __future__ import annotations

import errno
import json
import math
import os
from dataclasses import replace

import pytest

from intergreen.agents.cli import main
from intergreen.agents.evaluation import store as stores
from intergreen.agents.evaluation.compare import comparison_cells, run_cells
from intergreen.agents.evaluation.provenance import (
    policy_fingerprint,
    source_fingerprint,
    sumo_identity,
)
from intergreen.agents.evaluation.store import ResultStore, RowKey, TableKey, opened
from intergreen.envs.errors import InputError
from intergreen.envs.scenario import load_scenario
from intergreen.envs.scenario_fingerprint import scenario_fingerprint

parquet = pytest.importorskip("pyarrow.parquet", reason="the store needs pyarrow")

KEY = TableKey("single", "0123456789abcdef", "literature-10-5", "native", 400)


@pytest.fixture(scope="module")
def result():
    return run_cells(comparison_cells(["single"], ["max-pressure"]), seeds=[5], horizon_s=400)[0]


def filled(folder, result):
    table = ResultStore(folder).table(KEY)
    table.rows[RowKey("max-pressure", "", 5)] = result
    table.save()
    return table.path


def refusal(folder) -> str:
    with pytest.raises(InputError) as caught:
        ResultStore(folder).table(KEY)
    line = str(caught.value)
    assert "\n" not in line
    assert KEY.file_name in line
    return line


def test_a_result_comes_back_as_it_was(tmp_path, result):
    filled(tmp_path, result)
    (back,) = ResultStore(tmp_path).table(KEY).rows.values()
    assert back == result


def test_a_metric_over_nothing_comes_back_as_null(tmp_path, result):
    nothing = {"mean": None, "ci95": [None, None], "per_seed": [None]}
    changed = {**result, "metrics": {**result["metrics"], "delay_s": nothing}}
    filled(tmp_path, changed)
    (back,) = ResultStore(tmp_path).table(KEY).rows.values()
    assert back == changed


def test_a_table_reads_as_plain_columns(tmp_path, result):
    columns = parquet.read_table(filled(tmp_path, result)).to_pydict()
    assert columns["seed"] == [5]
    assert columns["metric.delay_s"] == result["metrics"]["delay_s"]["per_seed"]
    assert all(math.isfinite(value) for value in columns["series.running_veh"][0])


def test_rules_have_a_file_each():
    others = [
        KEY,
        TableKey("single", "0123456789abcdee", "literature-10-5", "native", 400),
        TableKey("single", "0123456789abcdef", "literature-10-2", "native", 400),
        TableKey("single", "0123456789abcdef", "literature-10-5", "sumo", 400),
        TableKey("single", "0123456789abcdef", "literature-10-5", "native", 500),
        TableKey("single", "0123456789abcdef", "literature-10-5", "native", 400, '[{"kind": "dead"}]'),
    ]
    assert len({key.file_name for key in others}) == len(others)


def test_a_store_of_another_layout_is_refused(tmp_path, result, monkeypatch):
    monkeypatch.setattr(stores, "LAYOUT", 999)
    filled(tmp_path, result)
    monkeypatch.undo()
    assert refusal(tmp_path).endswith(
        "layout: is 999, and this version writes 1; move it away, and its runs are made again"
    )


def test_a_store_of_another_version_is_refused(tmp_path, result, monkeypatch):
    monkeypatch.setattr(stores, "library_identity", lambda: {"intergreen": "0.0.9"})
    filled(tmp_path, result)
    monkeypatch.undo()
    assert "made with intergreen '0.0.9', and this is" in refusal(tmp_path)


def test_a_store_made_by_other_sources_of_the_same_version_is_refused(tmp_path, result, monkeypatch):
    monkeypatch.setattr(stores, "library_identity", lambda: {**stores_identity(), "sources": "0" * 16})
    filled(tmp_path, result)
    monkeypatch.undo()
    assert "made with sources '0000000000000000'" in refusal(tmp_path)


def stores_identity():
    from intergreen.agents.evaluation.provenance import library_identity

    return library_identity()


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PAR1" + bytes(40) + b"PAR1"])
def test_a_corrupt_file_is_refused(tmp_path, content):
    (tmp_path / KEY.file_name).write_bytes(content)
    assert refusal(tmp_path).endswith("move it away, and its runs are made again")


def test_a_truncated_file_is_refused(tmp_path, result):
    path = filled(tmp_path, result)
    path.write_bytes(path.read_bytes()[:-100])
    assert "cannot be read" in refusal(tmp_path)


def test_a_parquet_file_of_somebody_else_is_refused(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet.write_table(pyarrow.table({"a": [1]}), tmp_path / KEY.file_name)
    assert "is no table of results" in refusal(tmp_path)


def test_opening_removes_what_a_killed_process_has_half_written_and_nothing_else(tmp_path):
    half = tmp_path / f".{KEY.file_name.removesuffix('.parquet')}.4711.parquet"
    others = {".notes.parquet", ".by_day.2024.parquet"}
    for path in (half, *(tmp_path / name for name in others)):
        path.write_bytes(b"PAR1")
    with stores.opened(tmp_path):
        assert {path.name for path in tmp_path.iterdir()} == {*others, stores.LOCK}


def test_a_full_disk_leaves_the_old_file_and_no_half_one(tmp_path, result, monkeypatch):
    path = filled(tmp_path, result)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    table = ResultStore(tmp_path).table(KEY)
    table.rows[RowKey("max-pressure", "", 6)] = result
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match=r"cannot be written: No space left on device; free some space"):
        table.save()
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_a_full_disk_ends_a_comparison_with_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device")))
    arguments = ["compare", "single", "--controllers", "fixed-time", "--seeds", "0", "--horizon", "100"]
    assert main([*arguments, "--store", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not list(tmp_path.glob("*.parquet*"))


def test_two_processes_do_not_share_a_store(tmp_path):
    with opened(tmp_path), pytest.raises(InputError, match="is in use by another process"), opened(tmp_path):
        pass


def test_a_store_that_is_a_file_is_refused(tmp_path, capsys):
    path = tmp_path / "store"
    path.write_text("")
    assert main(["compare", "single", "--controllers", "fixed-time", "--store", str(path)]) == 2
    assert "--store" in capsys.readouterr().err


def test_demands_that_differ_have_different_fingerprints(tmp_path):
    text = "name: x\nnetwork: {kind: grid, rows: 1, columns: 1}\ndemand: {kind: turns, entry_vph: %d}\n"
    prints = []
    for number, vph in enumerate((300, 300, 301)):
        path = tmp_path / f"{number}.yaml"
        path.write_text(text % vph)
        prints.append(scenario_fingerprint(load_scenario(path)))
    assert prints[0] == prints[1] != prints[2]


@pytest.mark.parametrize("array", ["phase_duration_s", "link_length_m", "link_speed_limit_mps", "crossing_distance_m"])
def test_networks_that_differ_in_anything_but_their_name_have_different_fingerprints(array):
    scenario = load_scenario("single")
    network = scenario.network
    same = replace(scenario, network=replace(network, name="other"))
    assert scenario_fingerprint(same) == scenario_fingerprint(scenario)
    changed = replace(scenario, network=replace(network, **{array: 2.0 * getattr(network, array)}))
    assert scenario_fingerprint(changed) != scenario_fingerprint(scenario)


def test_numbers_from_sumo_depend_on_its_version_and_on_the_files_that_it_reads_itself(tmp_path, monkeypatch):
    net, more = tmp_path / "a.net.xml", tmp_path / "more.xml"
    net.write_text("<net/>")
    more.write_text("<additional/>")
    scenario = replace(load_scenario("single"), sumo_net=net, sumo_additional=(more,))
    found = [sumo_identity(load_scenario("single")), sumo_identity(scenario)]
    net.write_text("<net></net>")
    found.append(sumo_identity(scenario))
    more.write_text("<additional></additional>")
    found.append(sumo_identity(scenario))
    monkeypatch.setattr("intergreen.agents.evaluation.provenance.versions_of", lambda name: {name: "0.9"})
    found.append(sumo_identity(scenario))
    assert len(set(found)) == 5
    assert sumo_identity(scenario) == found[-1]


def test_policies_have_the_fingerprint_of_their_weights(tmp_path, monkeypatch):
    assert policy_fingerprint("max-pressure") == ""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "webster").mkdir()
    assert policy_fingerprint("webster") == ""
    assert len({policy_fingerprint(name) for name in ("universal", "quick", "universal-0", "universal-0:best")}) == 4


def test_the_fingerprint_of_the_sources_is_stable():
    assert source_fingerprint() == source_fingerprint()
    assert len(source_fingerprint()) == 16


def test_compare_with_a_store_says_the_same_twice(tmp_path, capsys):
    arguments = ["compare", "single", "--controllers", "fixed-time,max-pressure", "--seeds", "0-1", "--horizon", "300"]
    printed = []
    for _ in range(2):
        assert main([*arguments, "--store", str(tmp_path), "--json", "-"]) == 0
        printed.append(json.loads(capsys.readouterr().out))
    assert printed[0] == printed[1]
